//! The only code that writes into a project: all of a plan or nothing of it.

use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Action, LOCK_FILE, Owner, Plan};
use crate::manifest;
use crate::process;

/// Ends the name of a file that is being written; the next run overwrites or ignores a leftover.
pub const TEMPORARY: &str = ".mcp-deploy-tmp";

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
#[derive(Debug)]
pub struct Conflicts(pub Vec<String>);

impl std::error::Error for Conflicts {}

impl fmt::Display for Conflicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, were) = if self.0.len() == 1 { ("", "was") } else { ("s", "were") };
        write!(f, "{} generated file{s} {were} edited by hand, so nothing was written:", self.0.len())?;
        for path in &self.0 {
            write!(f, "\n  {path}")?;
        }
        write!(
            f,
            "\nhint: move the edit into a handler or `mcp.toml`; `mcp-deploy render --force` takes the generated version and keeps yours as `NAME.orig`"
        )
    }
}

/// Ctrl-C (or SIGTERM, SIGHUP) while files were being written.
#[derive(Debug)]
pub struct PutBack;

impl std::error::Error for PutBack {}

impl fmt::Display for PutBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; everything was put back")
    }
}

/// Where the new text of `path` is written before it takes its place. A symbolic link keeps being one.
pub fn temporary(path: &Path) -> PathBuf {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    path.with_file_name(format!(".{name}{TEMPORARY}"))
}

impl Plan {
    /// Writes the plan. An error or Ctrl-C in the middle puts everything back; being killed in the middle
    /// leaves a lock file that knows both versions of every file, so that the next run finishes the work.
    pub fn apply(&self, force: bool) -> Result<Applied> {
        if !force {
            self.unedited()?;
        }
        let mut undo = Undo::default();
        let result = self.write_all(&mut undo);
        if result.is_err() {
            undo.roll_back();
        }
        result
    }

    /// Fails where applying without force would: a generated file was edited by hand.
    pub fn unedited(&self) -> Result<(), Conflicts> {
        match self.conflicts().as_slice() {
            [] => Ok(()),
            edited => Err(Conflicts(edited.iter().map(|change| change.path.clone()).collect())),
        }
    }

    fn write_all(&self, undo: &mut Undo) -> Result<Applied> {
        let mut applied = Applied::default();
        if self.is_noop() {
            return Ok(applied);
        }
        for leftover in &self.leftovers {
            fault_point();
            fs::remove_file(leftover).with_context(|| format!("cannot delete `{}`", leftover.display()))?;
        }
        undo.create_dirs(&self.root)?;
        undo.write(&self.root.join(LOCK_FILE), &self.lock_during().text())?;
        for change in &self.changes {
            if process::interrupted() {
                bail!(PutBack);
            }
            let path = self.root.join(&change.path);
            if change.action == Action::Conflict {
                let original = undo.set_aside(&path)?;
                applied.originals.push(relative(&self.root, &original));
            }
            match (change.action, &change.text) {
                (Action::Create, Some(text)) => {
                    undo.write(&path, text)?;
                    applied.created.push(change.path.clone());
                }
                (Action::Update | Action::Conflict, Some(text)) => {
                    undo.write(&path, text)?;
                    applied.updated.push(change.path.clone());
                }
                (Action::Delete, _) => {
                    undo.delete(&self.root, &path)?;
                    applied.deleted.push(change.path.clone());
                }
                // A killed run may have made its folder already.
                (Action::Keep, None) => undo.prune(&self.root, &path),
                (Action::Keep, Some(_)) if change.owner == Owner::User => applied.kept.push(change.path.clone()),
                _ => {}
            }
        }
        if let Some(text) = &self.manifest {
            undo.write(&self.root.join(manifest::FILE), text)?;
        }
        undo.write(&self.root.join(LOCK_FILE), &self.lock_after().text())?;
        Ok(applied)
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}

/// Replaces one file outside of any plan, in one step; folders are made as needed.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    Undo::default().write(path, text)
}

/// The same for a file that nobody but its owner may read.
pub fn replace_private(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if !path.exists() {
        fs::write(path, "").with_context(failed)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).with_context(failed)?;
    Undo::default().write(path, text)
}

/// What to put back when a later step fails, newest last.
#[derive(Default)]
struct Undo(Vec<Step>);

enum Step {
    /// The file was not there.
    Remove(PathBuf),
    RemoveDir(PathBuf),
    CreateDir(PathBuf),
    Restore(PathBuf, Vec<u8>),
}

impl Undo {
    fn create_dirs(&mut self, dir: &Path) -> Result<()> {
        let missing: Vec<&Path> =
            dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
        for dir in missing.into_iter().rev() {
            fault_point();
            fs::create_dir(dir).with_context(|| format!("cannot create the folder `{}`", dir.display()))?;
            self.0.push(Step::RemoveDir(dir.to_owned()));
        }
        Ok(())
    }

    /// Replaces the file in one step: readers see the old or the new text, never a part.
    fn write(&mut self, path: &Path, text: &str) -> Result<()> {
        let failed = || format!("cannot write `{}`", path.display());
        if let Some(parent) = path.parent() {
            self.create_dirs(parent)?;
        }
        let old = match fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(failed),
        };
        let temporary = temporary(path);
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        fault_point();
        self.0.push(Step::Remove(temporary.clone()));
        // A private file must not be readable for a moment either.
        let mode = fs::metadata(path).map_or(0o666, |metadata| metadata.permissions().mode());
        let mut file = fs::File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)
            .with_context(failed)?;
        file.write_all(text.as_bytes()).with_context(failed)?;
        drop(file);
        if old.is_some() {
            // The process's umask may have taken bits that the file had.
            fs::set_permissions(&temporary, fs::Permissions::from_mode(mode)).with_context(failed)?;
        }
        fault_point();
        fs::rename(&temporary, path).with_context(failed)?;
        self.0.push(match old {
            Some(bytes) => Step::Restore(path.to_owned(), bytes),
            None => Step::Remove(path.to_owned()),
        });
        Ok(())
    }

    fn delete(&mut self, root: &Path, path: &Path) -> Result<()> {
        let failed = || format!("cannot delete `{}`", path.display());
        let bytes = fs::read(path).with_context(failed)?;
        fault_point();
        fs::remove_file(path).with_context(failed)?;
        self.0.push(Step::Restore(path.to_owned(), bytes));
        self.prune(root, path);
        Ok(())
    }

    /// Takes away the folders of a file that hold nothing any more; one that still does refuses to go.
    fn prune(&mut self, root: &Path, path: &Path) {
        for dir in path.ancestors().skip(1).take_while(|dir| *dir != root) {
            match fs::remove_dir(dir) {
                Ok(()) => self.0.push(Step::CreateDir(dir.to_owned())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(_) => break,
            }
        }
    }

    /// Keeps the user's version as `NAME.orig`, or the first free `NAME.orig.N`.
    fn set_aside(&mut self, path: &Path) -> Result<PathBuf> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let candidates = std::iter::once(format!("{name}.orig")).chain((2..).map(|n| format!("{name}.orig.{n}")));
        let original = candidates.map(|name| path.with_file_name(name)).find(|path| !path.exists());
        let original = original.context("no free name for the original")?;
        let failed = || format!("cannot move `{}` to `{}`", path.display(), original.display());
        let bytes = fs::read(path).with_context(failed)?;
        fault_point();
        // In one step: killed here, we find the file missing next time and the original complete.
        fs::rename(path, &original).with_context(failed)?;
        self.0.push(Step::Restore(path.to_owned(), bytes));
        self.0.push(Step::Remove(original.clone()));
        Ok(original)
    }

    /// Best effort by design: it runs because something failed already, and that error is the one to report.
    fn roll_back(self) {
        for step in self.0.into_iter().rev() {
            let _ = match step {
                Step::Remove(path) => fs::remove_file(path),
                Step::RemoveDir(path) => fs::remove_dir(path),
                Step::CreateDir(path) => fs::create_dir(path),
                // Whole again or not at all, should we be killed here too.
                Step::Restore(path, bytes) => {
                    let temporary = temporary(&path);
                    let mode = fs::metadata(&path).map(|meta| meta.permissions());
                    fs::write(&temporary, bytes)
                        .and_then(|()| mode.map_or(Ok(()), |mode| fs::set_permissions(&temporary, mode)))
                        .and_then(|()| fs::rename(&temporary, path))
                }
            };
        }
    }
}

/// Lets a test kill the program before its n-th change to the disk (debug builds only).
fn fault_point() {
    #[cfg(debug_assertions)]
    {
        use std::sync::atomic::{AtomicUsize, Ordering};
        static CHANGES: AtomicUsize = AtomicUsize::new(0);
        let kill_at = std::env::var("MCP_DEPLOY_KILL_AT").ok().and_then(|text| text.parse().ok());
        if kill_at == Some(CHANGES.fetch_add(1, Ordering::Relaxed)) {
            std::process::abort();
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
        Plan::new(root, want(files), None)?.apply(force)
    }

    #[test]
    fn follows_the_manifest_and_leaves_the_users_files() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        apply(
            root,
            &[("gen/a", Owner::Generated, "1"), ("gen/b", Owner::Generated, "1"), ("mine", Owner::User, "1")],
            false,
        )
        .unwrap();
        fs::write(root.join("mine"), "edited").unwrap();
        let second = apply(root, &[("gen/a", Owner::Generated, "2"), ("mine", Owner::User, "2")], false).unwrap();
        assert_eq!(
            (second.updated, second.deleted, second.kept),
            (vec!["gen/a".into()], vec!["gen/b".into()], vec!["mine".into()])
        );
        assert_eq!(fs::read_to_string(root.join("mine")).unwrap(), "edited");
        assert!(!root.join("gen/b").exists());
        assert!(
            Plan::new(root, want(&[("gen/a", Owner::Generated, "2"), ("mine", Owner::User, "2")]), None)
                .unwrap()
                .is_noop()
        );
    }

    #[test]
    fn a_conflict_writes_nothing_until_forced() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        apply(root, &[("a", Owner::Generated, "1"), ("b", Owner::Generated, "1")], false).unwrap();
        fs::write(root.join("b"), "edited").unwrap();
        let next = [("a", Owner::Generated, "2"), ("b", Owner::Generated, "2")];
        let error = apply(root, &next, false).unwrap_err().to_string();
        assert!(error.contains("1 generated file was edited by hand, so nothing was written:\n  b\n"), "{error}");
        assert_eq!(fs::read_to_string(root.join("a")).unwrap(), "1");
        let forced = apply(root, &next, true).unwrap();
        assert_eq!(forced.originals, ["b.orig"]);
        assert_eq!(fs::read_to_string(root.join("b.orig")).unwrap(), "edited");
        assert_eq!(fs::read_to_string(root.join("b")).unwrap(), "2");
        fs::write(root.join("b"), "edited again").unwrap();
        assert_eq!(apply(root, &next, true).unwrap().originals, ["b.orig.2"]);
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
