//! What was built, as it is in its cloud: a copy that cannot be written to, with nothing of the project around it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use super::{Build, LOCAL_STATE, Start};
use crate::process::Cmd;
use crate::toolchain::ToolId;

/// Lives as long as what runs in it.
pub struct Isolated {
    /// The copy: working folder and code of the server.
    pub code: PathBuf,
    tmp: PathBuf,
    /// Nobody's modes hold for root, so Node.js itself has to refuse; where it may write.
    writable: Option<Vec<PathBuf>>,
    _folder: TempDir,
}

/// The home that the platform's user has there, and that does not exist.
const HOME: &str = "/home/sbx_user1051";
/// What leads a program to the project, to the user's own files, or changes Node.js.
const FOREIGN: [&str; 9] = [
    "NODE_PATH",
    "NODE_OPTIONS",
    "INIT_CWD",
    "OLDPWD",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "AWS_EXECUTION_ENV",
];

impl Isolated {
    /// Copies with `copy` into a folder outside of the project, above which there are no packages.
    pub fn new(build: &Build<'_>, start: &Start<'_>, copy: impl FnOnce(&Path) -> Result<()>) -> Result<Self> {
        let folder = folder(build.root)?;
        // As the system names it: a link in the way would give a module another name than its folder.
        let code = fs::canonicalize(folder.path()).context("cannot read a temporary folder")?.join("task");
        let tmp = start.scratch.join("tmp");
        for dir in [&code, &tmp] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        }
        let is_root = fs::metadata(&tmp).is_ok_and(|meta| meta.uid() == 0);
        let writable = is_root.then(|| writable(start, &tmp)).transpose()?;
        let isolated = Isolated { code, tmp, writable, _folder: folder };
        copy(&isolated.code)?;
        change_modes(&isolated.code, |mode| mode & !0o222).context("cannot make the copy of the build read-only")?;
        Ok(isolated)
    }

    /// Node.js with its options; the script comes next.
    pub fn node(&self, build: &Build<'_>) -> Cmd {
        let cmd = build.tools.cmd(ToolId::Node);
        let Some(writable) = &self.writable else { return cmd };
        let allowed = ["child-process", "worker", "addons", "wasi"].map(|what| format!("--allow-{what}"));
        let cmd = cmd.args(["--permission", "--disable-warning=SecurityWarning", "--allow-fs-read=*"]).args(allowed);
        writable.iter().fold(cmd, |cmd, folder| cmd.arg(format!("--allow-fs-write={}/", folder.display())))
    }

    /// The surroundings of a process there.
    pub fn surround(&self, cmd: Cmd) -> Cmd {
        let npms = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        let npms = npms.filter(|name| name.starts_with("npm_"));
        let cmd = npms.fold(cmd, |cmd, name| cmd.env_remove(name));
        let cmd = FOREIGN.iter().fold(cmd, |cmd, name| cmd.env_remove(name));
        let cmd = cmd.env_noise("HOME", HOME).env_noise("TMPDIR", &self.tmp).env_noise("PWD", &self.code);
        cmd.current_dir(&self.code)
    }
}

impl Drop for Isolated {
    fn drop(&mut self) {
        // Else nobody but root could take it away. Where that fails, it stays in the system's folder for such things.
        let _ = change_modes(&self.code, |mode| mode | 0o200);
    }
}

/// Not below `/tmp` where that can be helped: there a function may write.
fn folder(project: &Path) -> Result<TempDir> {
    let project = fs::canonicalize(project).context("cannot read the project")?;
    let parents = [PathBuf::from("/var/tmp"), std::env::temp_dir()];
    let parents = parents.iter().filter_map(|parent| fs::canonicalize(parent).ok());
    let alone = |parent: &PathBuf| {
        !parent.starts_with(&project) && !parent.ancestors().any(|above| above.join("node_modules").exists())
    };
    let made =
        parents.filter(alone).find_map(|parent| tempfile::Builder::new().prefix("mcp-deploy-").tempdir_in(parent).ok());
    match made {
        Some(folder) => Ok(folder),
        None => bail!(
            "no temporary folder will do for the local run: `/var/tmp` and `$TMPDIR` cannot be written, are in the project, or have a `node_modules` above them, which the cloud has not\nhint: set `TMPDIR` to a folder elsewhere"
        ),
    }
}

/// Where a function of the cloud may write too, and what stands for its store and its log here.
fn writable(start: &Start<'_>, tmp: &Path) -> Result<Vec<PathBuf>> {
    let set = std::env::var_os(LOCAL_STATE).map(PathBuf::from);
    let state = set.as_deref().and_then(Path::parent).unwrap_or(start.state);
    fs::create_dir_all(state).with_context(|| format!("cannot make `{}`", state.display()))?;
    Ok(["/tmp".into(), "/dev".into(), tmp.to_owned(), state.to_owned()].into())
}

/// Folders first, so that they can be opened when they have become writable, and are complete when they are not.
fn change_modes(path: &Path, change: fn(u32) -> u32) -> std::io::Result<()> {
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
        let dir = tempfile::tempdir().unwrap();
        let (inner, file) = (dir.path().join("a/b"), dir.path().join("a/b/c.mjs"));
        fs::create_dir_all(&inner).unwrap();
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o755)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        change_modes(dir.path(), |mode| mode & !0o222).unwrap();
        assert_eq!((mode(dir.path()) & 0o222, mode(&inner) & 0o222, mode(&file)), (0, 0, 0o555));
        change_modes(dir.path(), |mode| mode | 0o200).unwrap();
        assert_eq!((mode(&inner) & 0o200, mode(&file)), (0o200, 0o755));
    }

    #[test]
    fn there_are_no_packages_above_it() {
        let project = tempfile::tempdir().unwrap();
        let folder = folder(project.path()).unwrap();
        assert!(!folder.path().starts_with(project.path()));
        assert!(!folder.path().ancestors().any(|above| above.join("node_modules").exists()));
    }
}
