//! Files of local runs: nearly all live no longer than one command.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Component, Path, PathBuf};

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

/// Puts `text` into the file `name` of the project until the result is dropped, unless the user has anything else there.
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

/// Copies a function of Vercel's build output to `to`, with the files that its `filePathMap` takes from the project:
/// what lies there afterwards is exactly what would be uploaded.
pub fn copy_function(function: &Path, root: &Path, to: &Path) -> Result<()> {
    copy_tree(function, to, &mut MOST.clone())?;
    let config = to.join(".vc-config.json");
    let text = fs::read_to_string(&config).with_context(|| format!("cannot read `{}`", config.display()))?;
    let parsed: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("`{}` is not valid JSON", config.display()))?;
    let mut left = MOST;
    for (path, source) in parsed["filePathMap"].as_object().into_iter().flatten() {
        if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
            bail!("`{}` puts a file outside of the function: `{path}`", config.display());
        }
        copy(&root.join(source.as_str().unwrap_or(path)), &to.join(path), &mut left)?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_copied_into_its_folder_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let (root, function, to) = (dir.path(), dir.path().join("f.func"), dir.path().join("to/function"));
        fs::create_dir(&function).unwrap();
        fs::write(root.join("a.js"), "a").unwrap();
        let copy = |map: &str| {
            fs::write(function.join(".vc-config.json"), format!("{{\"filePathMap\":{map}}}")).unwrap();
            copy_function(&function, root, &to)
        };
        copy(r#"{"lib/a.js":"a.js"}"#).unwrap();
        assert_eq!(fs::read_to_string(to.join("lib/a.js")).unwrap(), "a");
        let absolute = format!("{{\"{}\":\"a.js\"}}", root.join("b.js").display());
        for map in [r#"{"../../b.js":"a.js"}"#, absolute.as_str()] {
            let error = copy(map).unwrap_err().to_string();
            assert!(error.contains("puts a file outside of the function"), "{error}");
            assert!(!root.join("b.js").exists());
        }
        std::os::unix::fs::symlink("/dev/zero", root.join("zeros")).unwrap();
        assert!(copy(r#"{"z":"zeros"}"#).unwrap_err().to_string().contains("not a regular file"));
    }
}
