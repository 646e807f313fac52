//! What was built, as it is in its cloud: a copy that cannot be written to, with nothing of the project around it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::{Build, LOCAL_STATE, Start};
use crate::error::Error;
use crate::manifest::Manifest;
use crate::process::{Cmd, Scratch};
use crate::toolchain::{self, ToolId};

/// Lives as long as what runs in it.
pub struct Isolated {
    /// The copy: working folder and code of the server.
    pub code: PathBuf,
    tmp: PathBuf,
    /// Which of our variables it gets, by their names.
    kept: Vec<(String, OsString, VariableKind)>,
    path: OsString,
    /// Nobody's modes hold for root, so Node.js itself has to refuse; where it may write.
    writable: Option<Vec<PathBuf>>,
    _folder: Scratch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum VariableKind {
    Plain,
    Secret,
}

/// The home that the platform's user has there, and that does not exist.
const HOME: &str = "/home/sbx_user1051";
/// The search path of the platform, behind the folder of Node.js itself.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// The platform's own variables that do not depend on the function.
const PLATFORM: [(&str, &str); 4] =
    [("HOME", HOME), ("LANG", "en_US.UTF-8"), ("TZ", ":UTC"), ("NODE_ENV", "production")];
/// What a program needs to start here at all, and to reach the network from here. `…*` is the beginning of a name.
const MACHINE: [&str; 15] = [
    "LD_LIBRARY_PATH",
    "DYLD_*",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "NODE_EXTRA_CA_CERTS",
    "NODE_USE_*",
    "SSL_CERT_*",
    // Ours.
    "MCP_DEPLOY_*",
    "MCP_LOCAL_*",
];

impl Isolated {
    /// Copies with `copy` into a folder outside of the project, above which there are no packages. Of our variables it
    /// gets those that the manifest declares for the target, and those that are named in `also`.
    pub fn new(
        build: &Build<'_>,
        start: &Start<'_>,
        target: &str,
        also: &[&str],
        copy: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let folder = folder(build.root)?;
        // As the system names it: a link in the way would give a module another name than its folder.
        let code = fs::canonicalize(folder.path()).context("cannot read a temporary folder")?.join("task");
        let tmp = start.scratch.join("tmp");
        for dir in [&code, &tmp] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make `{}`", dir.display()))?;
        }
        let is_root = fs::metadata(&tmp).is_ok_and(|meta| meta.uid() == 0);
        let writable = is_root.then(|| writable(start, &tmp)).transpose()?;
        let names = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let kept = names.filter_map(|(name, value)| Some((kind(build.manifest, target, also, &name)?, name, value)));
        let kept = kept.map(|(kind, name, value)| (name, value, kind)).collect();
        let node = build.tools.found(ToolId::Node).and_then(|node| node.path.parent());
        let folders = node.map(Path::to_owned).into_iter().chain(std::env::split_paths(PATH));
        let path = std::env::join_paths(folders).context("the folder of Node.js has a `:` in its name")?;
        let isolated = Isolated { code, tmp, kept, path, writable, _folder: folder };
        copy(&isolated.code)?;
        Scratch::make_read_only(&isolated.code).context("cannot make the copy of the build read-only")?;
        Ok(isolated)
    }

    /// A tool that the platform has.
    pub fn tool(&self, build: &Build<'_>, tool: ToolId) -> Cmd {
        self.surround(build.tools.cmd(tool))
    }

    /// Node.js with its options; the script comes next.
    pub fn node(&self, build: &Build<'_>) -> Cmd {
        let cmd = self.tool(build, ToolId::Node);
        let Some(writable) = &self.writable else { return cmd };
        let allowed = ["child-process", "worker", "addons", "wasi"].map(|what| format!("--allow-{what}"));
        let cmd = cmd.args(["--permission", "--disable-warning=SecurityWarning", "--allow-fs-read=*"]).args(allowed);
        // Newer ones refuse the network, too, and 24 does not know the option.
        let major =
            build.tools.found(ToolId::Node).and_then(|node| node.version.as_ref()).map_or(0, |found| found.major);
        let cmd = if major > 24 { cmd.arg("--allow-net") } else { cmd };
        writable.iter().fold(cmd, |cmd, folder| cmd.arg(format!("--allow-fs-write={}/", folder.display())))
    }

    /// The surroundings of a process there, as the platform has them; what else it knows is set afterwards.
    fn surround(&self, cmd: Cmd) -> Cmd {
        let cmd = self.kept.iter().fold(cmd.env_clear(), |cmd, (name, value, kind)| match kind {
            VariableKind::Plain => cmd.env_noise(name, value),
            VariableKind::Secret => cmd.env_secret(name, value),
        });
        let cmd = toolchain::past_the_proxy(cmd);
        let cmd = PLATFORM.iter().fold(cmd, |cmd, (name, value)| cmd.env_noise(name, value));
        let cmd = cmd.env_noise("PATH", &self.path).env_noise("TMPDIR", &self.tmp).env_noise("PWD", &self.code);
        cmd.current_dir(&self.code)
    }
}

/// Whether a process there has our variable of this name.
fn kind(manifest: &Manifest, target: &str, also: &[&str], name: &str) -> Option<VariableKind> {
    if manifest.secrets_of(target).any(|secret| secret.name == name) {
        return Some(VariableKind::Secret);
    }
    let is = |known: &&str| known.strip_suffix('*').map_or(name == *known, |start| name.starts_with(start));
    let plain = manifest.env.iter().any(|(known, _)| known == name) || MACHINE.iter().chain(also).any(is);
    plain.then_some(VariableKind::Plain)
}

/// Not below `/tmp` where that can be helped: there a function may write.
fn folder(project: &Path) -> Result<Scratch> {
    let project = fs::canonicalize(project).context("cannot read the project")?;
    let parents = [PathBuf::from("/var/tmp"), std::env::temp_dir()];
    let parents = parents.iter().filter_map(|parent| fs::canonicalize(parent).ok());
    let alone = |parent: &PathBuf| {
        !parent.starts_with(&project) && !parent.ancestors().any(|above| above.join("node_modules").exists())
    };
    let made = parents.filter(alone).find_map(|parent| Scratch::below(&parent).ok());
    match made {
        Some(folder) => Ok(folder),
        None => {
            let why = "no temporary folder will do for the local run: `/var/tmp` and `$TMPDIR` cannot be written, are in the project, or have a `node_modules` above them, which the cloud has not";
            bail!(Error::new(why).hint("set `TMPDIR` to a folder elsewhere"))
        }
    }
}

/// Where a function of the cloud may write too, and what stands for its store and its log here.
fn writable(start: &Start<'_>, tmp: &Path) -> Result<Vec<PathBuf>> {
    let set = std::env::var_os(LOCAL_STATE).map(PathBuf::from);
    let state = set.as_deref().and_then(Path::parent).unwrap_or(start.state);
    fs::create_dir_all(state).with_context(|| format!("cannot make `{}`", state.display()))?;
    Ok(["/tmp".into(), "/dev".into(), tmp.to_owned(), state.to_owned()].into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_of_the_shell_is_kept_where_the_cloud_has_it_or_this_machine_needs_it() {
        let text = "[server]\nname = \"x\"\nversion = \"1.0.0\"\ndescription = \"y\"\n[env]\nUNITS = \"metric\"\n[secrets]\nKEY = \"A key\"\n[targets.lambda]\n";
        let manifest = crate::manifest::parse(text, &|_| Err(String::new())).0.unwrap();
        let table = [
            ("UNITS", Some(VariableKind::Plain)),
            ("KEY", Some(VariableKind::Secret)),
            ("https_proxy", Some(VariableKind::Plain)),
            ("MCP_LOCAL_STATE", Some(VariableKind::Plain)),
            ("AWS_ENDPOINT_URL_DYNAMODB", Some(VariableKind::Plain)),
            ("AWS_ENDPOINT", None),
            ("AWS_EXECUTION_ENV", None),
            ("VERCEL_TOKEN", None),
            ("NODE_OPTIONS", None),
            ("USER", None),
            ("MCP_OTHER", None),
        ];
        for (name, expected) in table {
            assert_eq!(kind(&manifest, "lambda", &["AWS_ENDPOINT_URL*"], name), expected, "{name}");
        }
    }

    #[test]
    fn there_are_no_packages_above_it() {
        let project = tempfile::tempdir().unwrap();
        let folder = folder(project.path()).unwrap();
        assert!(!folder.path().starts_with(project.path()));
        assert!(!folder.path().ancestors().any(|above| above.join("node_modules").exists()));
    }
}
