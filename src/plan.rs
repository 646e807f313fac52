//! Whose file is it: compares what should be there with the disk, decides file by file, and applies all or nothing.

mod apply;
mod lock;
mod recorded;
mod scratch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

pub use apply::{Applied, Conflicts, PutBack, replace, replace_private};
pub use lock::FILE as LOCK_FILE;
use lock::{Lock, Unfinished};
pub use recorded::{FILE as RECORDED, Stub};
pub use scratch::{Temporary, copy_function, link_file, local_state, mirror, while_running, write_scratch};

/// Who may change a file after its birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// Ours: follows the manifest; an edit by hand is a conflict.
    Generated,
    /// The user's: created when missing, never touched again.
    User,
}

/// Files by path relative to the project folder, `/` between its parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileSet(pub BTreeMap<String, (Owner, String)>);

impl FileSet {
    pub fn insert(&mut self, path: impl Into<String>, owner: Owner, text: String) {
        self.0.insert(path.into(), (owner, text));
    }
}

/// What becomes of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Create,
    Update,
    /// Generated and up to date.
    Same,
    /// The user's; left as it is.
    Keep,
    /// Generated earlier, no longer wanted, unedited.
    Delete,
    /// Generated, but edited by hand.
    Conflict,
}

/// The whole ownership policy. `known`: every hash under which we wrote this file; of a user's file only when the run
/// that created it was killed before its commit.
pub fn decide(owner: Owner, disk: Option<&str>, want: Option<&str>, known: &[String]) -> Action {
    let ours = |hash: &str| known.iter().any(|known| known == hash);
    match (owner, disk, want) {
        (_, None, Some(_)) => Action::Create,
        (_, None, None) => Action::Keep,
        (Owner::Generated, Some(disk), want) if Some(disk) == want => Action::Same,
        (_, Some(disk), Some(_)) if ours(disk) => Action::Update,
        (_, Some(disk), None) if ours(disk) => Action::Delete,
        (Owner::Generated, Some(_), _) => Action::Conflict,
        (Owner::User, Some(_), _) => Action::Keep,
    }
}

/// One file and what becomes of it; `text` is what should be there.
#[derive(Debug, Clone)]
pub struct Change {
    pub path: String,
    pub owner: Owner,
    pub action: Action,
    text: Option<String>,
}

/// Everything that one command would do to a project folder.
pub struct Plan {
    root: PathBuf,
    pub changes: Vec<Change>,
    /// The new text of `mcp.toml`, written last: it is the commit point.
    manifest: Option<String>,
    /// The hash of the `mcp.toml` on the disk.
    manifest_before: Option<String>,
    before: Lock,
    /// The project's id: that of the lock, or a new one.
    project: String,
    /// Files that a killed run created for the user before its commit.
    born: BTreeMap<String, String>,
    /// Half-written files of a killed run.
    leftovers: Vec<PathBuf>,
}

impl Plan {
    /// Compares `want` with the folder `root`; `manifest` is the new text of `mcp.toml` when it changes too.
    pub fn new(root: &Path, want: FileSet, manifest: Option<String>) -> Result<Self> {
        let before = Lock::read(root)?;
        let manifest_before = hash_on_disk(&root.join(crate::manifest::FILE))?;
        let uncommitted = before.unfinished.as_ref().filter(|unfinished| unfinished.manifest == manifest_before);
        let born = uncommitted.map(|unfinished| unfinished.born.clone()).unwrap_or_default();
        let mut changes = Vec::new();
        for (path, (owner, text)) in &want.0 {
            let known = match owner {
                Owner::Generated => before.known(path),
                Owner::User => born.get(path).map(std::slice::from_ref).unwrap_or_default(),
            };
            let disk = recorded::as_rendered(root, path, known)?
                .map_or_else(|| hash_on_disk(&root.join(path)), |hash| Ok(Some(hash)))?;
            let action = decide(*owner, disk.as_deref(), Some(&hash(text)), known);
            changes.push(Change { path: path.clone(), owner: *owner, action, text: Some(text.clone()) });
        }
        let ours = before.paths().map(|path| (path, Owner::Generated, before.known(path)));
        let ours = ours.chain(born.iter().map(|(path, hash)| (path.as_str(), Owner::User, std::slice::from_ref(hash))));
        for (path, owner, known) in ours.filter(|(path, ..)| !want.0.contains_key(*path)) {
            let action = decide(owner, hash_on_disk(&root.join(path))?.as_deref(), None, known);
            changes.push(Change { path: path.to_owned(), owner, action, text: None });
        }
        let (root, project, leftovers) = (root.to_owned(), before.project_or_new()?, Vec::new());
        let mut plan = Plan { root, changes, manifest, manifest_before, before, project, born, leftovers };
        plan.leftovers = plan.temporaries().into_iter().filter(|path| path.exists()).collect();
        Ok(plan)
    }

    /// Files that are generated but not as the manifest says (what `render --check` reports).
    pub fn drift(&self) -> Vec<&Change> {
        let drifted = |change: &&Change| !matches!(change.action, Action::Same | Action::Keep);
        self.changes.iter().filter(drifted).collect()
    }

    pub fn conflicts(&self) -> Vec<&Change> {
        self.changes.iter().filter(|change| change.action == Action::Conflict).collect()
    }

    /// The manifest and the lock, where they would be written, and whether they are there already.
    pub fn ours(&self) -> Vec<(&'static str, bool)> {
        let manifest = self.manifest.as_ref().map(|_| (crate::manifest::FILE, self.manifest_before.is_some()));
        let lock = (self.before != self.lock_after()).then(|| (LOCK_FILE, self.root.join(LOCK_FILE).exists()));
        manifest.into_iter().chain(lock).collect()
    }

    /// Whether an earlier run was killed in the middle; applying any plan puts its files right.
    pub fn mends(&self) -> bool {
        self.before.unfinished.is_some() || !self.leftovers.is_empty()
    }

    /// Whether applying would write anything at all, the lock file included.
    pub fn is_noop(&self) -> bool {
        self.drift().is_empty()
            && self.manifest.is_none()
            && self.leftovers.is_empty()
            && self.before == self.lock_after()
    }

    /// The lock as it stands once everything is applied: generated files only.
    fn lock_after(&self) -> Lock {
        let generated = self.changes.iter().filter(|change| change.owner == Owner::Generated);
        let files = generated.filter_map(|change| Some((change.path.clone(), vec![hash(change.text.as_ref()?)])));
        Lock::of(&self.project, files)
    }

    /// The lock while files are being written: each generated one may be the old or the new one.
    fn lock_during(&self) -> Lock {
        let files =
            self.changes.iter().filter(|change| change.owner == Owner::Generated && change.action != Action::Keep);
        let files = files.map(|change| {
            let mut hashes = self.before.known(&change.path).to_vec();
            let new = change.text.as_ref().map(|text| hash(text));
            hashes.extend(new.filter(|new| !hashes.contains(new)));
            (change.path.clone(), hashes)
        });
        let mut lock = Lock::of(&self.project, files);
        let mut born = self.born.clone();
        if self.manifest.is_some() {
            let writes = |change: &&Change| matches!(change.action, Action::Create | Action::Update);
            let created = self.changes.iter().filter(|change| change.owner == Owner::User).filter(writes);
            born.extend(created.filter_map(|change| Some((change.path.clone(), hash(change.text.as_ref()?)))));
        }
        lock.unfinished = Some(Unfinished { manifest: self.manifest_before.clone(), born });
        lock
    }

    /// Where a killed run may have left a half-written file. The lock is the first that is written, and says of the rest.
    fn temporaries(&self) -> BTreeSet<PathBuf> {
        let mut written = BTreeSet::from([LOCK_FILE]);
        if let Some(unfinished) = &self.before.unfinished {
            written.insert(crate::manifest::FILE);
            written.extend(unfinished.born.keys().map(String::as_str));
            written.extend(self.changes.iter().map(|change| change.path.as_str()));
        }
        written.into_iter().map(|path| apply::temporary(&self.root.join(path))).collect()
    }
}

/// SHA-256 of a text, the same whether git checked it out with LF or CRLF.
pub fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.replace("\r\n", "\n"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_on_disk(path: &Path) -> Result<Option<String>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(hash(&String::from_utf8_lossy(&bytes)))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
    }
}

/// The project's id in the lock of `dir`; none in one that 0.1.0 wrote.
pub fn project_id(dir: &Path) -> Result<Option<String>> {
    Ok(Lock::read(dir)?.project)
}

/// The same; a lock without one gets it, and nothing else of it changes.
pub fn ensure_project_id(dir: &Path) -> Result<String> {
    let mut lock = Lock::read(dir)?;
    if let Some(id) = lock.project {
        return Ok(id);
    }
    let id = lock.project_or_new()?;
    lock.project = Some(id.clone());
    replace(&dir.join(LOCK_FILE), &lock.text())?;
    Ok(id)
}

/// Whether a run in `dir` was killed in the middle.
pub fn was_interrupted(dir: &Path) -> Result<bool> {
    Ok(Lock::read(dir)?.unfinished.is_some())
}

/// Whether `dir` holds nothing but what an interrupted `init` left there.
pub fn is_interrupted_init(dir: &Path) -> Result<bool> {
    if dir.join(crate::manifest::FILE).exists() {
        return Ok(false);
    }
    let lock = Lock::read(dir)?;
    let born = lock.unfinished.clone().unwrap_or_default().born;
    let mut left = Vec::new();
    files_below(dir, "", &mut left)?;
    for path in left.iter().filter(|path| *path != LOCK_FILE && !path.ends_with(apply::TEMPORARY)) {
        let disk = hash_on_disk(&dir.join(path))?;
        if !lock.known(path).iter().chain(born.get(path)).any(|known| Some(known) == disk.as_ref()) {
            return Ok(false);
        }
    }
    Ok(!left.is_empty())
}

fn files_below(dir: &Path, prefix: &str, found: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(dir).with_context(|| format!("cannot read `{}`", dir.display()))? {
        let entry = entry?;
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            files_below(&entry.path(), &format!("{path}/"), found)?;
        } else {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ownership_truth_table() {
        use Action::*;
        use Owner::*;
        let known = ["old".to_owned()];
        let table = [
            (Generated, None, Some("new"), Create),
            (Generated, Some("new"), Some("new"), Same),
            (Generated, Some("old"), Some("new"), Update),
            (Generated, Some("edited"), Some("new"), Conflict),
            (Generated, Some("old"), None, Delete),
            (Generated, Some("edited"), None, Conflict),
            (Generated, None, None, Keep),
            (User, None, Some("new"), Create),
            (User, Some("edited"), Some("new"), Keep),
            // Only a run that was killed before its commit makes a user's file known: nobody has touched it since.
            (User, Some("old"), Some("new"), Update),
            (User, Some("old"), None, Delete),
            (User, Some("edited"), None, Keep),
        ];
        for (owner, disk, want, action) in table {
            assert_eq!(decide(owner, disk, want, &known), action, "{owner:?} {disk:?} {want:?}");
        }
    }

    #[test]
    fn line_endings_are_no_edit() {
        assert_eq!(hash("a\r\nb\r\n"), hash("a\nb\n"));
        assert_ne!(hash("a\n"), hash("b\n"));
    }
}
