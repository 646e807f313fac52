//! The only code that writes into a project: all of a plan or nothing of it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Action, LOCK_FILE, Owner, Plan};
use crate::error::Error;
use crate::files::{self, Exclusive, Folder, Link};
use crate::manifest;
use crate::process;

/// What was done, by path.
#[derive(Debug, Default)]
pub struct Applied {
    pub created: Vec<String>,
    pub updated: Vec<String>,
    pub deleted: Vec<String>,
    /// Files that exist and are the user's.
    pub kept: Vec<String>,
    /// Where `--force` put the user's edited versions.
    pub originals: Vec<String>,
}

/// Generated files that were edited by hand; nothing was written.
fn conflicts(paths: &[&str]) -> Error {
    let (s, were) = if paths.len() == 1 { ("", "was") } else { ("s", "were") };
    let listed: String = paths.iter().map(|path| format!("\n  {path}")).collect();
    Error::new(format!("{} generated file{s} {were} edited by hand, so nothing was written:{listed}", paths.len()))
        .hint("move the edit into a handler or `mcp.toml`; `mcp-deploy render --force` takes the generated version and keeps yours as `NAME.orig`")
}

impl Plan {
    /// Writes the plan. An error or Ctrl-C in the middle puts everything back; being killed in the middle
    /// leaves a lock file that knows both versions of every file, so that the next run finishes the work.
    pub fn apply(&self, force: bool) -> Result<Applied> {
        if !force {
            self.unedited()?;
        }
        if self.is_noop() {
            return Ok(Applied::default());
        }
        let mut made = Made::default();
        let result = made.create(&self.root).and_then(|()| {
            let mut undo = Undo::of(&self.root)?;
            let result = self.write_all(&mut undo);
            if result.is_err() {
                undo.roll_back();
            }
            result
        });
        if result.is_err() {
            made.roll_back();
        }
        result
    }

    /// Somebody may have saved the manifest since it was read.
    fn compare(&self, folder: &Folder) -> Result<()> {
        let found = match folder.read_bytes(manifest::FILE, files::ANY) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", manifest::FILE)),
        };
        if found.as_deref() != self.read.as_deref().map(str::as_bytes) {
            let error = Error::new(format!("`{}` was changed meanwhile, so nothing was written", manifest::FILE));
            bail!(error.hint("run the command again, which uses the new text"));
        }
        Ok(())
    }

    /// Fails where applying without force would: a generated file was edited by hand.
    pub fn unedited(&self) -> Result<(), Error> {
        let edited: Vec<&str> = self.conflicts().iter().map(|change| change.path.as_str()).collect();
        if edited.is_empty() { Ok(()) } else { Err(conflicts(&edited)) }
    }

    fn write_all(&self, undo: &mut Undo) -> Result<Applied> {
        let mut applied = Applied::default();
        self.compare(&undo.folder)?;
        for leftover in &self.leftovers {
            fault_point();
            undo.folder.remove_file(leftover).with_context(|| undo.failed("delete", leftover))?;
        }
        undo.write(LOCK_FILE, Link::Refused, &self.lock_during().text())?;
        for change in &self.changes {
            if process::interrupted() {
                bail!(Error::new("interrupted; everything was put back").code(process::Interrupted.exit_code()));
            }
            let path = &change.path;
            if change.action == Action::Conflict {
                applied.originals.push(undo.set_aside(path)?);
            }
            match (change.action, &change.text) {
                (Action::Create, Some(text)) => {
                    undo.write(path, Link::Refused, text)?;
                    applied.created.push(path.clone());
                }
                (Action::Update | Action::Conflict, Some(text)) => {
                    undo.write(path, Link::Refused, text)?;
                    applied.updated.push(path.clone());
                }
                (Action::Delete, _) => {
                    undo.delete(path)?;
                    applied.deleted.push(path.clone());
                }
                // A killed run may have made its folder already.
                (Action::Keep, None) => undo.prune(path),
                (Action::Keep, Some(_)) if change.owner == Owner::User => applied.kept.push(path.clone()),
                _ => {}
            }
        }
        let (lock, compare) = (self.lock_after().text(), |folder: &Folder| self.compare(folder));
        match &self.manifest {
            Some(text) => {
                undo.replace(manifest::FILE, Link::Kept, text, None, compare)?;
                undo.write(LOCK_FILE, Link::Refused, &lock)?;
            }
            None => undo.replace(LOCK_FILE, Link::Refused, &lock, None, compare)?,
        }
        Ok(applied)
    }
}

/// Replaces one file of the project `root` outside of any plan, in one step; folders are made as needed. Who read the
/// file before holds [`Exclusive::to_write`] since then.
pub fn replace(root: &Path, name: &str, text: &str) -> Result<()> {
    alone(root, name, text, None)
}

/// The same for a file that nobody but its owner may read.
pub fn replace_private(root: &Path, name: &str, text: &str) -> Result<()> {
    alone(root, name, text, Some(0o600))
}

fn alone(root: &Path, name: &str, text: &str, mode: Option<u32>) -> Result<()> {
    let _alone = Exclusive::to_write(root)?;
    let mut undo = Undo::of(root)?;
    for leftover in undo.folder.leftovers(std::iter::once(name)).with_context(|| undo.failed("write", name))? {
        undo.folder.remove_file(&leftover).with_context(|| undo.failed("delete", &leftover))?;
    }
    let result = undo.replace(name, Link::Kept, text, mode, |_| Ok(()));
    if result.is_err() {
        undo.roll_back();
    }
    result
}

/// Folders that were made for the project itself, outermost first: where they are is for the user to say.
#[derive(Default)]
struct Made(Vec<PathBuf>);

impl Made {
    fn create(&mut self, root: &Path) -> Result<()> {
        let missing: Vec<&Path> =
            root.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
        for dir in missing.into_iter().rev() {
            fault_point();
            fs::create_dir(dir).with_context(|| format!("cannot create the folder `{}`", dir.display()))?;
            self.0.push(dir.to_owned());
        }
        Ok(())
    }

    fn roll_back(self) {
        self.0.into_iter().rev().for_each(|dir| drop(fs::remove_dir(dir)));
    }
}

/// What to put back when a later step fails, newest last.
struct Undo {
    root: PathBuf,
    folder: Folder,
    steps: Vec<UndoStep>,
}

enum UndoStep {
    /// The file was not there.
    Remove(String),
    RemoveDir(String),
    CreateDir(String),
    Restore(String, Vec<u8>),
}

impl Undo {
    fn of(root: &Path) -> Result<Self> {
        let folder = Folder::open(root).with_context(|| format!("cannot open `{}`", root.display()))?;
        Ok(Undo { root: root.to_owned(), folder, steps: Vec::new() })
    }

    fn failed(&self, what: &str, name: &str) -> String {
        format!("cannot {what} `{}`", self.root.join(name).display())
    }

    fn create_dirs(&mut self, name: &str) -> Result<()> {
        for dir in self.folder.missing_parents(name).with_context(|| self.failed("write", name))? {
            fault_point();
            let failed = || format!("cannot create the folder `{}`", self.root.join(&dir).display());
            self.folder.create_dir(&dir).with_context(failed)?;
            self.steps.push(UndoStep::RemoveDir(dir));
        }
        Ok(())
    }

    fn write(&mut self, name: &str, link: Link, text: &str) -> Result<()> {
        self.replace(name, link, text, None, |_| Ok(()))
    }

    /// Replaces the file in one step: readers see the old or the new text, never a part. `last` may still refuse.
    fn replace(
        &mut self,
        name: &str,
        link: Link,
        text: &str,
        mode: Option<u32>,
        last: impl FnOnce(&Folder) -> Result<()>,
    ) -> Result<()> {
        self.create_dirs(name)?;
        let shown = self.failed("write", name);
        let failed = || shown.clone();
        let new = self.folder.begin(name, link, mode).with_context(failed)?;
        let old = match self.folder.read_bytes(&new.name, files::ANY) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(failed),
        };
        fault_point();
        self.steps.push(UndoStep::Remove(new.temporary.clone()));
        new.write(text.as_bytes()).with_context(failed)?;
        fault_point();
        last(&self.folder)?;
        new.commit().with_context(failed)?;
        self.steps.push(match old {
            Some(bytes) => UndoStep::Restore(new.name, bytes),
            None => UndoStep::Remove(new.name),
        });
        Ok(())
    }

    fn delete(&mut self, name: &str) -> Result<()> {
        let shown = self.failed("delete", name);
        let failed = || shown.clone();
        let bytes = self.folder.read_bytes(name, files::ANY).with_context(failed)?;
        fault_point();
        self.folder.remove_file(name).with_context(failed)?;
        self.steps.push(UndoStep::Restore(name.to_owned(), bytes));
        self.prune(name);
        Ok(())
    }

    /// Takes away the folders of a file that hold nothing any more; one that still does refuses to go.
    fn prune(&mut self, name: &str) {
        for dir in Path::new(name).ancestors().skip(1).filter_map(Path::to_str).filter(|dir| !dir.is_empty()) {
            match self.folder.remove_dir(dir) {
                Ok(()) => self.steps.push(UndoStep::CreateDir(dir.to_owned())),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => break,
            }
        }
    }

    /// Keeps the user's version as `NAME.orig`, or the first free `NAME.orig.N`.
    fn set_aside(&mut self, name: &str) -> Result<String> {
        let candidates = std::iter::once(format!("{name}.orig")).chain((2..).map(|n| format!("{name}.orig.{n}")));
        let is_free = |original: &String| self.folder.metadata(original).is_ok_and(|found| found.is_none());
        let original = candidates.take(MOST_ORIGINALS).find(is_free).context("no free name for the original")?;
        let failed = || format!("cannot move `{name}` to `{original}`");
        let bytes = self.folder.read_bytes(name, files::ANY).with_context(failed)?;
        fault_point();
        // In one step: killed here, we find the file missing next time and the original complete.
        self.folder.set_aside(name, &original).with_context(failed)?;
        self.steps.push(UndoStep::Restore(name.to_owned(), bytes));
        self.steps.push(UndoStep::Remove(original.clone()));
        Ok(original)
    }

    /// Best effort by design: it runs because something failed already, and that error is the one to report.
    fn roll_back(self) {
        for step in self.steps.into_iter().rev() {
            let _ = match step {
                UndoStep::Remove(name) => self.folder.remove_file(&name),
                UndoStep::RemoveDir(name) => self.folder.remove_dir(&name),
                UndoStep::CreateDir(name) => self.folder.create_dir(&name),
                // Whole again or not at all, should we be killed here too.
                UndoStep::Restore(name, bytes) => self
                    .folder
                    .begin(&name, Link::Refused, None)
                    .and_then(|old| old.write(&bytes).and_then(|()| old.commit())),
            };
        }
    }
}

/// A folder that has more of them than this holds something else.
const MOST_ORIGINALS: usize = 10_000;

/// Lets a test kill the program, or have it pause, before its n-th change to the disk (debug builds only).
fn fault_point() {
    #[cfg(debug_assertions)]
    {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static CHANGES: AtomicUsize = AtomicUsize::new(0);
        let now = Some(CHANGES.fetch_add(1, Ordering::Relaxed));
        let at = |variable| std::env::var(variable).ok().and_then(|text| text.parse().ok());
        if at("MCP_DEPLOY_KILL_AT") == now {
            std::process::abort();
        }
        if at("MCP_DEPLOY_STOP_AT") == now {
            let _stopped = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::FileSet;
    use super::*;

    fn want(files: &[(&str, Owner, &str)]) -> FileSet {
        let mut set = FileSet::default();
        for (path, owner, text) in files {
            set.insert(*path, *owner, (*text).to_owned());
        }
        set
    }

    fn apply(root: &Path, files: &[(&str, Owner, &str)], force: bool) -> Result<Applied> {
        Plan::new(root, &|_| Ok(want(files)), None, None)?.apply(force)
    }

    #[test]
    fn follows_the_manifest_and_leaves_the_users_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        apply(
            root,
            &[
                ("src/generated/a", Owner::Generated, "1"),
                ("src/generated/b", Owner::Generated, "1"),
                ("mine", Owner::User, "1"),
            ],
            false,
        )
        .unwrap();
        fs::write(root.join("mine"), "edited").unwrap();
        let second =
            apply(root, &[("src/generated/a", Owner::Generated, "2"), ("mine", Owner::User, "2")], false).unwrap();
        assert_eq!(
            (second.updated, second.deleted, second.kept),
            (vec!["src/generated/a".into()], vec!["src/generated/b".into()], vec!["mine".into()])
        );
        assert_eq!(fs::read_to_string(root.join("mine")).unwrap(), "edited");
        assert!(!root.join("src/generated/b").exists());
        assert!(
            Plan::new(
                root,
                &|_| Ok(want(&[("src/generated/a", Owner::Generated, "2"), ("mine", Owner::User, "2")])),
                None,
                None
            )
            .unwrap()
            .is_noop()
        );
    }

    #[test]
    fn a_conflict_writes_nothing_until_forced() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        apply(root, &[("template.yaml", Owner::Generated, "1"), ("vercel.json", Owner::Generated, "1")], false)
            .unwrap();
        fs::write(root.join("vercel.json"), "edited").unwrap();
        let next = [("template.yaml", Owner::Generated, "2"), ("vercel.json", Owner::Generated, "2")];
        let error = apply(root, &next, false).unwrap_err().to_string();
        assert!(
            error.contains("1 generated file was edited by hand, so nothing was written:\n  vercel.json"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(root.join("template.yaml")).unwrap(), "1");
        let forced = apply(root, &next, true).unwrap();
        assert_eq!(forced.originals, ["vercel.json.orig"]);
        assert_eq!(fs::read_to_string(root.join("vercel.json.orig")).unwrap(), "edited");
        assert_eq!(fs::read_to_string(root.join("vercel.json")).unwrap(), "2");
        fs::write(root.join("vercel.json"), "edited again").unwrap();
        assert_eq!(apply(root, &next, true).unwrap().originals, ["vercel.json.orig.2"]);
    }

    /// No text is asked for; what a killed run left beside it goes all the same.
    #[test]
    fn a_file_that_is_there_is_kept_unread() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::write(root.join("mine"), "edited").unwrap();
        let leftover = ".mine.0123456789abcdef.mcp-deploy-tmp";
        fs::write(root.join(leftover), "half").unwrap();
        let starters = |lacks: super::super::Lacks<'_>| {
            let mut set = FileSet::default();
            for path in ["mine", "new"] {
                if lacks(path)? {
                    set.insert(path, Owner::User, "starter".to_owned());
                }
            }
            Ok(set)
        };
        let plan = Plan::new(root, &starters, None, None).unwrap();
        assert!(plan.keeps("mine") && !plan.keeps("new") && plan.mends());
        assert_eq!(plan.apply(false).unwrap().created, ["new"]);
        assert_eq!(fs::read_to_string(root.join("mine")).unwrap(), "edited");
        assert_eq!(fs::read_to_string(root.join("new")).unwrap(), "starter");
        assert!(!root.join(leftover).exists());
    }

    #[test]
    fn a_failure_puts_everything_back() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("new");
        // `x` is a file, so `x/y` cannot be created; it comes after `a` and `x`.
        let files = [("a", Owner::Generated, "1"), ("x", Owner::Generated, "1"), ("x/y", Owner::Generated, "1")];
        assert!(apply(&root, &files, false).is_err());
        assert!(!root.exists());
    }
}
