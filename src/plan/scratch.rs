//! Files of local runs: nearly all live no longer than one command.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::replace;
use crate::files::{self, Folder};
use crate::process;

/// A file that is taken away again when this is dropped.
pub struct Temporary(Option<(PathBuf, String)>);

/// Puts `text` into the file `name` of the project, which is ours alone, until the result is dropped.
pub fn temporary(root: &Path, name: &str, text: &str) -> Result<Temporary> {
    replace(root, name, text)?;
    Ok(Temporary(Some((root.to_owned(), name.to_owned()))))
}

/// Puts `text` into the file `name` of the project until the result is dropped, unless the user has anything else
/// there.
pub fn while_running(root: &Path, name: &str, text: &str) -> Result<Temporary> {
    // The same text is a leftover of a run that was killed: it becomes ours again and goes away.
    if files::is_there(root, name) && !files::read(root, name, files::ANY).is_ok_and(|found| found == text) {
        return Ok(Temporary(None));
    }
    temporary(root, name, text)
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some((root, name)) = &self.0 {
            // It was ours alone; when it is gone already there is nothing to do.
            let _ = Folder::open(root).and_then(|folder| folder.remove_file(name));
        }
    }
}

/// Takes away a folder of build output with all that is in it.
pub fn clear_folder(root: &Path, name: &str) -> Result<()> {
    let failed = || format!("cannot empty `{}`", root.join(name).display());
    let folder = Folder::open(root).with_context(failed)?;
    if folder.metadata(name).with_context(failed)?.is_some() {
        folder.remove_all(name).with_context(failed)?;
    }
    Ok(())
}

/// For folders of ours and of tools. What is at `path` goes away, and so a link is not followed.
pub fn write_scratch(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    create_anew(path).and_then(|mut file| file.write_all(text.as_bytes())).with_context(failed)
}

fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}

/// The folder in which `dev` keeps what tools store; git leaves it alone, whatever the project's `.gitignore` says.
pub fn local_state(root: &Path) -> Result<PathBuf> {
    replace(root, ".mcp-deploy/state/.gitignore", "*\n")?;
    let folder = root.join(".mcp-deploy/state");
    fs::canonicalize(&folder).with_context(|| format!("cannot read `{}`", folder.display()))
}

/// Makes the file `name` of `root` a symbolic link to that of `home`, or nothing when there is none.
pub fn link_file(home: &Path, root: &Path, name: &str) -> Result<()> {
    let to = root.join(name);
    let failed = || format!("cannot link `{}`", to.display());
    match fs::remove_file(&to) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error).with_context(failed),
        _ => {}
    }
    let from = home.join(name);
    match files::read(home, name, files::ANY) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", from.display())),
    }
    let from = fs::canonicalize(from).with_context(failed)?;
    std::os::unix::fs::symlink(from, &to).with_context(failed)
}

/// Copies each of these, a file or a folder and all that is in it, to its place.
pub fn copy_each(pairs: &[(PathBuf, PathBuf)]) -> Result<()> {
    let mut left = MOST;
    pairs.iter().try_for_each(|(from, to)| copy(from, to, &mut left))
}

/// Copies a folder and all that is in it.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    copy_tree(from, to, &mut MOST.clone())
}

/// Far more files than a function may have; links in a circle lead to many more.
const MOST: usize = 200_000;

fn copy_tree(from: &Path, to: &Path, left: &mut usize) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let name = entry?.file_name();
        copy(&from.join(&name), &to.join(&name), left)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, left: &mut usize) -> Result<()> {
    let failed = || format!("cannot copy `{}` to `{}`", from.display(), to.display());
    if process::interrupted() {
        bail!(process::Interrupted);
    }
    *left = left.checked_sub(1).with_context(|| format!("{}: more than {MOST} files", failed()))?;
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    let found = fs::metadata(from).with_context(failed)?;
    if found.is_dir() {
        return copy_tree(from, to, left);
    }
    if !found.is_file() {
        bail!("{}: it is not a regular file", failed());
    }
    fs::copy(from, to).with_context(failed)?;
    Ok(())
}
