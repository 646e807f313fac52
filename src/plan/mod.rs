//! Whose file is it: compares what should be there with the disk, decides file by file, and applies all or nothing.

mod apply;
mod lock;
mod scratch;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::FileType;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::files::{self, Exclusive, Folder, merge};
use crate::manifest;

pub use apply::{Applied, replace, replace_private};
pub use lock::{FILE as LOCK_FILE, is_born, is_generated};
use lock::{Lock, UnfinishedRun};
pub use scratch::{
    Temporary, clear_folder, copy_each, copy_folder, link_file, local_state, temporary, while_running, write_scratch,
};

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

/// Whether a file of the user is missing, so that its text has to be made.
pub type Lacks<'a> = &'a dyn Fn(&str) -> Result<bool>;

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
    /// The user's files for which no text was made, since they are there.
    kept: BTreeSet<String>,
    /// The `mcp.toml` that the plan was made from; `None`: there was none.
    read: Option<String>,
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
    leftovers: Vec<String>,
    /// From the look at the files to the last change of them; a folder that is not there is nobody else's either.
    _alone: Option<Exclusive>,
}

impl Plan {
    /// Compares what `want` gives, which follows from the text `read` of `mcp.toml`, with the folder `root`; `manifest`
    /// is its new text when it changes too. As long as the plan lives no other process plans here.
    pub fn new(
        root: &Path,
        want: &dyn Fn(Lacks<'_>) -> Result<FileSet>,
        read: Option<&str>,
        manifest: Option<String>,
    ) -> Result<Self> {
        let alone = root.is_dir().then(|| Exclusive::to_write(root)).transpose()?;
        let disk = Disk::of(root)?;
        let before = Lock::read(root)?;
        let manifest_before = disk.read(manifest::FILE)?.map(|text| hash(&text));
        let uncommitted = before.unfinished.as_ref().filter(|unfinished| unfinished.manifest == manifest_before);
        let born = uncommitted.map(|unfinished| unfinished.born.clone()).unwrap_or_default();
        let kept: RefCell<BTreeSet<String>> = RefCell::default();
        // What a killed run has begun is compared with what it should be.
        let want = want(&|path| {
            let there = !born.contains_key(path) && disk.found(path, Owner::User, &[])?.is_some();
            if there {
                kept.borrow_mut().insert(path.to_owned());
            }
            Ok(!there)
        })?;
        let kept = kept.into_inner();
        let mut changes = Vec::new();
        for (path, (owner, text)) in &want.0 {
            let known = match owner {
                Owner::Generated => before.known(path),
                Owner::User => born.get(path).map(std::slice::from_ref).unwrap_or_default(),
            };
            let found = disk.found(path, *owner, known)?;
            let action = decide(*owner, found.as_deref(), Some(&hash(text)), known);
            let action = disk.merged(path, action, Action::Update, known)?;
            changes.push(Change { path: path.clone(), owner: *owner, action, text: Some(text.clone()) });
        }
        let ours = before.paths().map(|path| (path, Owner::Generated, before.known(path)));
        let ours = ours.chain(born.iter().map(|(path, hash)| (path.as_str(), Owner::User, std::slice::from_ref(hash))));
        for (path, owner, known) in ours.filter(|(path, ..)| !want.0.contains_key(*path)) {
            let action = decide(owner, disk.found(path, owner, known)?.as_deref(), None, known);
            let action = disk.merged(path, action, Action::Delete, known)?;
            changes.push(Change { path: path.to_owned(), owner, action, text: None });
        }
        let leftovers = disk.leftovers(changes.iter().map(|change| &change.path).chain(&kept))?;
        let (root, project, read) = (root.to_owned(), before.project_or_new()?, read.map(str::to_owned));
        Ok(Plan {
            root,
            changes,
            kept,
            read,
            manifest,
            manifest_before,
            before,
            project,
            born,
            leftovers,
            _alone: alone,
        })
    }

    /// Files that are generated but not as the manifest says (what `render --check` reports).
    pub fn drift(&self) -> Vec<&Change> {
        let drifted = |change: &&Change| !matches!(change.action, Action::Same | Action::Keep);
        self.changes.iter().filter(drifted).collect()
    }

    /// Whether a file is the user's and there already.
    pub fn keeps(&self, path: &str) -> bool {
        self.kept.contains(path)
            || self.changes.iter().any(|change| change.path == path && change.action == Action::Keep)
    }

    /// What should be in a file; `None` where it is not part of the plan.
    pub fn text_of(&self, path: &str) -> Option<&str> {
        self.changes.iter().find(|change| change.path == path)?.text.as_deref()
    }

    pub fn conflicts(&self) -> Vec<&Change> {
        self.changes.iter().filter(|change| change.action == Action::Conflict).collect()
    }

    /// The manifest and the lock, where they would be written, and whether they are there already.
    pub fn ours(&self) -> Vec<(&'static str, bool)> {
        let manifest = self.manifest.as_ref().map(|_| (crate::manifest::FILE, self.manifest_before.is_some()));
        let lock = (self.before != self.lock_after()).then(|| (LOCK_FILE, files::is_there(&self.root, LOCK_FILE)));
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
        lock.unfinished = Some(UnfinishedRun { manifest: self.manifest_before.clone(), born });
        lock
    }
}

/// A project folder as it is found; a missing one has no files.
struct Disk<'a> {
    root: &'a Path,
    folder: Option<Folder>,
}

impl<'a> Disk<'a> {
    fn of(root: &'a Path) -> Result<Self> {
        let open = || Folder::open(root).with_context(|| format!("cannot open `{}`", root.display()));
        Ok(Disk { root, folder: root.exists().then(open).transpose()? })
    }

    fn cannot_read(&self, path: &str) -> String {
        format!("cannot read `{}`", self.root.join(path).display())
    }

    fn read(&self, path: &str) -> Result<Option<String>> {
        match self.folder.as_ref().map(|folder| folder.read_bytes(path, files::ANY)) {
            None => Ok(None),
            Some(Ok(bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
            Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Some(Err(error)) => Err(error).with_context(|| self.cannot_read(path)),
        }
    }

    /// The hash of what is at `path`. Where it can only be the user's, that anything is there is enough.
    fn found(&self, path: &str, owner: Owner, known: &[String]) -> Result<Option<String>> {
        let Some(folder) = &self.folder else { return Ok(None) };
        if owner == Owner::User && known.is_empty() {
            let there = folder.metadata(path).with_context(|| self.cannot_read(path))?;
            return Ok(there.map(|_| String::new()));
        }
        if folder.own(path).with_context(|| self.cannot_read(path))?.is_none() {
            return Ok(None);
        }
        let text = self.read(path)?;
        Ok(text.map(|text| hash(&text)))
    }

    /// What becomes of a generated file that looks edited: git's lines of a merge conflict are not an edit.
    fn merged(&self, path: &str, action: Action, instead: Action, known: &[String]) -> Result<Action> {
        if action != Action::Conflict || known.is_empty() {
            return Ok(action);
        }
        let text = self.read(path)?.unwrap_or_default();
        Ok(if merge::conflicts(&text).is_empty() { action } else { instead })
    }

    /// Whether it is a file that a killed run had begun to write.
    fn is_leftover(&self, path: &str) -> bool {
        let found = self.folder.as_ref().and_then(|folder| folder.metadata(path).ok().flatten());
        files::is_temporary(path) && found.is_some_and(|found| found.is_file())
    }

    fn leftovers<'p>(&self, written: impl Iterator<Item = &'p String>) -> Result<Vec<String>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let written = written.map(String::as_str).chain([LOCK_FILE, manifest::FILE]);
        folder.leftovers(written).with_context(|| format!("cannot read `{}`", self.root.display()))
    }
}

/// SHA-256 of a text, the same whether git checked it out with LF or CRLF.
pub fn hash(text: &str) -> String {
    let mut digest = Sha256::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\r\n") {
        digest.update(before);
        digest.update("\n");
        rest = after;
    }
    digest.update(rest);
    let digest = digest.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The project's id in the lock of `dir`; none in one that 0.1.0 wrote.
pub fn project_id(dir: &Path) -> Result<Option<String>> {
    Ok(Lock::read(dir)?.project)
}

/// The same; a lock without one gets it, and nothing else of it changes.
pub fn ensure_project_id(dir: &Path) -> Result<String> {
    let _alone = Exclusive::to_write(dir)?;
    let mut lock = Lock::read(dir)?;
    if let Some(id) = lock.project {
        return Ok(id);
    }
    let id = lock.project_or_new()?;
    lock.project = Some(id.clone());
    replace(dir, LOCK_FILE, &lock.text())?;
    Ok(id)
}

/// Whether a run in `dir` was killed in the middle.
pub fn was_interrupted(dir: &Path) -> Result<bool> {
    Ok(Lock::read(dir)?.unfinished.is_some())
}

/// Whether `dir` holds nothing but what an interrupted `init` left there. Of what is at its top `beside` says what may
/// be there as well.
pub fn is_interrupted_init(dir: &Path, beside: &dyn Fn(&str, FileType) -> bool) -> Result<bool> {
    let disk = Disk::of(dir)?;
    let lock = Lock::read(dir)?;
    let Some(unfinished) = &lock.unfinished else {
        // Of the very first moment nothing tells but the lock on its way.
        let left = files_of(dir, false, beside)?;
        return Ok(left.is_some_and(|left| !left.is_empty() && left.iter().all(|path| disk.is_leftover(path))));
    };
    let Some(left) = files_of(dir, true, beside)?.filter(|_| !files::is_there(dir, manifest::FILE)) else {
        return Ok(false);
    };
    for path in left.iter().filter(|path| *path != LOCK_FILE && !disk.is_leftover(path)) {
        let known: Vec<&String> = lock.known(path).iter().chain(unfinished.born.get(path)).collect();
        if known.is_empty() || disk.read(path)?.is_none_or(|text| !known.contains(&&hash(&text))) {
            return Ok(false);
        }
    }
    Ok(!left.is_empty())
}

/// The files of a folder, without those `beside` them at its top, and those of its folders down to `deep`; `None`: more
/// than any `init` leaves.
fn files_of(dir: &Path, deep: bool, beside: &dyn Fn(&str, FileType) -> bool) -> Result<Option<Vec<String>>> {
    const MOST: usize = 1000;
    let (mut folders, mut found, mut count) = (vec![String::new()], Vec::new(), 0);
    while let Some(folder) = folders.pop() {
        let failed = || format!("cannot read `{}`", dir.join(&folder).display());
        for entry in std::fs::read_dir(dir.join(&folder)).with_context(failed)? {
            let entry = entry.with_context(failed)?;
            let path = format!("{folder}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type().with_context(failed)?;
            if folder.is_empty() && beside(&path, kind) {
                continue;
            }
            count += 1;
            match kind.is_dir() {
                _ if count > MOST => return Ok(None),
                true if deep => folders.push(path + "/"),
                true => return Ok(None),
                false => found.push(path),
            }
        }
    }
    Ok(Some(found))
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
