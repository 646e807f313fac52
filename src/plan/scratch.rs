//! Files of local runs: nearly all live no longer than one command.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A file that is taken away again when this is dropped.
pub struct Temporary(Option<PathBuf>);

/// Puts `text` at `path` until the result is dropped, unless the user has a file of another text there.
pub fn while_running(path: &Path, text: &str) -> Result<Temporary> {
    // The same text is a leftover of a run that was killed: it becomes ours again and goes away.
    if fs::read_to_string(path).is_ok_and(|found| found != text) {
        return Ok(Temporary(None));
    }
    write_scratch(path, text)?;
    Ok(Temporary(Some(path.to_owned())))
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It was ours alone; when it is gone already there is nothing to do.
            let _ = fs::remove_file(path);
        }
    }
}

pub fn write_scratch(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    fs::write(path, text).with_context(failed)
}

/// The folder in which `dev` keeps what tools store; git leaves it alone, whatever the project's `.gitignore` says.
pub fn local_state(root: &Path) -> Result<PathBuf> {
    let folder = root.join(".mcp-deploy/state");
    write_scratch(&folder.join(".gitignore"), "*\n")?;
    fs::canonicalize(&folder).with_context(|| format!("cannot read `{}`", folder.display()))
}

/// Copies a function of Vercel's build output to `to`, with the files that its `filePathMap` takes from the project:
/// what lies there afterwards is exactly what would be uploaded.
pub fn copy_function(function: &Path, root: &Path, to: &Path) -> Result<()> {
    copy_tree(function, to)?;
    let config = to.join(".vc-config.json");
    let text = fs::read_to_string(&config).with_context(|| format!("cannot read `{}`", config.display()))?;
    let parsed: serde_json::Value =
        serde_json::from_str(&text).with_context(|| format!("`{}` is not valid JSON", config.display()))?;
    for (path, source) in parsed["filePathMap"].as_object().into_iter().flatten() {
        copy(&root.join(source.as_str().unwrap_or(path)), &to.join(path))?;
    }
    Ok(())
}

fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() { copy_tree(&source, &target)? } else { copy(&source, &target)? }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("cannot copy `{}` to `{}`", from.display(), to.display());
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(failed)?;
    }
    if from.is_dir() {
        return copy_tree(from, to);
    }
    fs::copy(from, to).with_context(failed)?;
    Ok(())
}

/// Makes `to` a symbolic link to `from`, or nothing when there is no `from`.
pub fn link_file(from: &Path, to: &Path) -> Result<()> {
    let failed = || format!("cannot link `{}`", to.display());
    match fs::remove_file(to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).with_context(failed),
        _ => {}
    }
    if from.exists() {
        let from = fs::canonicalize(from).with_context(failed)?;
        std::os::unix::fs::symlink(from, to).with_context(failed)?;
    }
    Ok(())
}

/// Makes `to` a copy of the files of `from`, without the entries of its top level named in `without`. What `to` has
/// more at its top level (packages, build output) stays.
pub fn mirror(from: &Path, to: &Path, without: &[&str]) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if without.iter().any(|excluded| name == *excluded) {
            continue;
        }
        let (source, target) = (entry.path(), to.join(&name));
        if target.is_dir() {
            fs::remove_dir_all(&target).with_context(|| format!("cannot replace `{}`", target.display()))?;
        }
        copy(&source, &target)?;
    }
    Ok(())
}
