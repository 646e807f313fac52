//! Temporary folders of ours, which go away with us, whatever ends us.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tempfile::TempDir;

use super::watchdog;
use crate::error::Error;

/// Removed with all that is in it when it is dropped, and by the watchdog when it cannot be.
pub struct Scratch(Option<TempDir>);

impl Scratch {
    /// In the system's folder for such things.
    pub fn new() -> anyhow::Result<Self> {
        let parent = std::env::temp_dir();
        Self::below(&parent).map_err(|cause| {
            let error = Error::new(format!("cannot create a temporary folder in `{}`", parent.display()));
            error.hint("set `TMPDIR` to a folder that can be written").because(cause).into()
        })
    }

    pub fn below(parent: &Path) -> io::Result<Self> {
        Self::named("mcp-deploy-", parent)
    }

    /// With a name that begins with `prefix`.
    pub fn named(prefix: &str, parent: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(std::path::absolute(parent)?)?;
        watchdog::remove(folder.path());
        Ok(Scratch(Some(folder)))
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// Whether something can be written to a folder: its modes say nothing to root, and nothing of its file system.
    /// What is written for it has no name, and is gone at once.
    pub fn fits(folder: &Path) -> bool {
        tempfile::tempfile_in(folder).is_ok()
    }

    /// A new folder that stays, in the system's folder for such things.
    pub fn kept(prefix: &str) -> anyhow::Result<PathBuf> {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().context("cannot create a temporary folder")?;
        Ok(folder.keep())
    }

    /// Nothing in it can be written from now on, except by root.
    pub fn make_read_only(path: &Path) -> io::Result<()> {
        change_modes(path, |mode| mode & !0o222)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(folder) = self.0.take() else { return };
        let path = folder.path().to_owned();
        // What cannot be removed now stays in the system's folder for such things.
        if folder.close().is_err() {
            let _ = change_modes(&path, |mode| mode | 0o200).and_then(|()| fs::remove_dir_all(&path));
        }
        watchdog::is_removed(&path);
    }
}

/// Folders first, so that they can be opened when they have become writable, and are complete when they are not.
fn change_modes(path: &Path, change: fn(u32) -> u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(change(found.permissions().mode() & 0o7777)))?;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            change_modes(&entry?.path(), change)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_can_be_written_until_it_goes() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        let (inner, file) = (path.join("a/b"), path.join("a/b/c.mjs"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        Scratch::make_read_only(&path).unwrap();
        assert_eq!((mode(&path) & 0o222, mode(&inner) & 0o222, mode(&file)), (0, 0, 0o555));
        drop(scratch);
        assert!(!path.exists());
    }
}
