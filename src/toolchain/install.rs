//! Installs a pinned version into the private cache: once, whole or not at all, and proven to run.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use semver::Version;

use super::find::{MARKER, ask_version, in_cache, status};
use super::{FoundTool, Requirement, Search, Source, ToolId, ToolStatus, child_path, command, surroundings};
use crate::error::Error;
use crate::parallel;
use crate::process::{Cmd, Interrupted, Io, Scratch, ToolFailed, interrupted, run};
use crate::ui::{self, Mark};

/// Installs tools into the private cache side by side, with a line for each; one that needs another waits for it. Of
/// those that fail the first is reported.
pub fn provision_all(tools: &[&'static Requirement], search: &Search) -> Result<()> {
    let one = |tool: &&'static Requirement| {
        debug_assert!(tool.is_provisioned());
        let step = ui::step(format!("install {} {} into the private cache", tool.name, tool.version));
        let installed = provision(tool.id, search, &mut |doing| step.doing(doing));
        step.end(if installed.is_ok() { Mark::Good } else { Mark::Bad }, "");
        installed.map(drop)
    };
    parallel::map(tools, one).into_iter().collect()
}

/// Installs the pinned version of a tool, unless the cache has it already. What the installation itself needs comes
/// first.
pub fn provision(id: ToolId, search: &Search, progress: &mut dyn FnMut(&str)) -> anyhow::Result<FoundTool> {
    let tool = id.requirement();
    if let Source::Host { how } = tool.source {
        bail!("`{}` {} or newer is needed, and is not installed by `mcp-deploy`: {how}", tool.name, tool.minimum);
    }
    if let ToolStatus::Ready(found) = in_cache(tool, search) {
        return Ok(found);
    }
    let helpers = Helpers::ready(tool, search, progress)?;
    let tools = search.tools();
    fs::create_dir_all(&tools).map_err(|cause| {
        let error = Error::new(format!("cannot create `{}`", tools.display()));
        error.hint("set `MCP_DEPLOY_CACHE` to a folder that can be written").because(cause)
    })?;
    let _lock = lock(tool, &tools, progress)?;
    // Another process may have been faster.
    if let ToolStatus::Ready(found) = in_cache(tool, search) {
        return Ok(found);
    }
    progress(&format!("installing {} {}", tool.name, tool.version));
    let found = install(tool, &tools, &helpers, search);
    found.map_err(|error| {
        let why = advice(&error).map(|why| format!(": {why}")).unwrap_or_default();
        error.context(format!("cannot install `{}` {}{why}", tool.name, tool.version))
    })
}

/// Minutes on a slow line; a hung installer must still end.
const INSTALL_LIMIT: Duration = Duration::from_secs(20 * 60);
const COMPILE_LIMIT: Duration = Duration::from_secs(60 * 60);
/// The first start of a fresh tool is its slowest.
const FIRST_START: Duration = Duration::from_secs(60);

/// A user's own settings (global, omit=optional) must not reach it.
const NPM_INSTALL: &[&str] = &[
    "install",
    "--prefix=.",
    "--no-global",
    "--ignore-scripts",
    "--omit=dev",
    "--include=optional",
    "--no-package-lock",
    "--no-audit",
    "--no-fund",
    "--no-progress",
    "--loglevel=error",
    // Two retries a minute apart help nobody who is offline.
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
];

/// The tools an installation runs.
struct Helpers {
    installer: PathBuf,
    node: Option<FoundTool>,
}

impl Helpers {
    fn ready(tool: &Requirement, search: &Search, progress: &mut dyn FnMut(&str)) -> anyhow::Result<Self> {
        let mut ensure = |id: ToolId| match status(id.requirement(), search) {
            ToolStatus::Ready(found) => Ok(found),
            _ => provision(id, search, progress).with_context(|| format!("`{}` needs it", tool.name)),
        };
        match tool.source {
            // npm can install Node itself under whatever Node it has.
            Source::Npm { .. } => {
                let node = if tool.id == ToolId::Node { None } else { Some(ensure(ToolId::Node)?) };
                Ok(Helpers { installer: ensure(ToolId::Npm)?.path, node })
            }
            Source::Pip => Ok(Helpers { installer: ensure(ToolId::Python)?.path, node: None }),
            Source::Cargo => {
                let cargo = search.which("cargo").with_context(|| {
                    format!("`{}` is compiled with `cargo`, which was not found: see https://rustup.rs", tool.name)
                })?;
                Ok(Helpers { installer: cargo, node: None })
            }
            Source::Host { .. } => bail!("`{}` is not installed by `mcp-deploy`", tool.name),
        }
    }

    fn node_path(&self) -> Option<&Path> {
        self.node.as_ref().map(|node| node.path.as_path())
    }

    /// The chosen Node is first on PATH, for npm and for the scripts of what it installs.
    fn path(&self, search: &Search) -> std::ffi::OsString {
        let found = self.node.iter().map(|node| (ToolId::Node, node.clone())).collect();
        child_path(&found, search)
    }
}

fn install(tool: &Requirement, tools: &Path, helpers: &Helpers, search: &Search) -> anyhow::Result<FoundTool> {
    let home = search.home(tool);
    let prefix = format!(".{}-{}-", tool.name, tool.version);
    clear(&home, tools, &prefix)?;
    // Removes itself, whatever goes wrong below.
    let scratch = Scratch::named(&prefix, tools);
    let scratch = scratch.with_context(|| format!("cannot write to `{}`", tools.display()))?;
    let fresh = scratch.path().join("tool");
    fs::create_dir(&fresh).with_context(|| format!("cannot create `{}`", fresh.display()))?;

    match tool.source {
        Source::Npm { overrides } => with_npm(tool, overrides, &fresh, helpers, search)?,
        Source::Pip => with_pip(tool, &fresh, helpers, search)?,
        Source::Cargo => with_cargo(tool, &fresh, scratch.path(), helpers, search)?,
        Source::Host { .. } => {}
    }
    prove(tool, &fresh, helpers, search)?;
    if tool.source == Source::Pip {
        relocate(&fresh, &home)?;
    }
    let marker = fresh.join(MARKER);
    fs::write(&marker, tool.version).with_context(|| format!("cannot write `{}`", marker.display()))?;
    fs::rename(&fresh, &home).with_context(|| format!("cannot create `{}`", home.display()))?;
    match in_cache(tool, search) {
        ToolStatus::Ready(found) => Ok(found),
        _ => bail!("`{}` was installed, but is not there", home.display()),
    }
}

/// An own package, so that npm finds no other: not the user's project, no workspace, nothing global.
fn with_npm(
    tool: &Requirement,
    overrides: &[(&str, &str)],
    fresh: &Path,
    helpers: &Helpers,
    search: &Search,
) -> anyhow::Result<()> {
    let overrides: serde_json::Map<_, _> =
        overrides.iter().map(|(name, to)| (name.to_string(), (*to).into())).collect();
    let package = serde_json::json!({
        "private": true,
        "dependencies": { tool.package: tool.version },
        "overrides": overrides,
    });
    let manifest = fresh.join("package.json");
    fs::write(&manifest, package.to_string()).with_context(|| format!("cannot write `{}`", manifest.display()))?;
    let npm = command(ToolId::Npm.requirement(), &helpers.installer, helpers.node_path()).args(NPM_INSTALL);
    launch(npm, fresh, INSTALL_LIMIT, helpers, search)
}

fn with_pip(tool: &Requirement, fresh: &Path, helpers: &Helpers, search: &Search) -> anyhow::Result<()> {
    let python = Cmd::new(&helpers.installer).shown_as("python").args(["-m", "venv"]).arg(fresh);
    launch(python, fresh, INSTALL_LIMIT, helpers, search)?;
    let pip = Cmd::new(fresh.join("bin/python"))
        .shown_as("python")
        .args(["-m", "pip", "install", "--quiet", "--no-input", "--retries", "2"])
        .arg(format!("{}=={}", tool.package, tool.version))
        .env_remove("PIP_USER")
        .env_remove("PIP_TARGET")
        .env_remove("PIP_PREFIX");
    launch(pip, fresh, INSTALL_LIMIT, helpers, search)
}

fn with_cargo(
    tool: &Requirement,
    fresh: &Path,
    scratch: &Path,
    helpers: &Helpers,
    search: &Search,
) -> anyhow::Result<()> {
    let cargo = Cmd::new(&helpers.installer)
        .shown_as("cargo")
        .args(["install", "--locked", "--quiet", "--version", tool.version, "--root"])
        .arg(fresh)
        .arg("--target-dir")
        .arg(scratch.join("target"))
        .arg(tool.package);
    launch(cargo, fresh, COMPILE_LIMIT, helpers, search)
}

fn launch(cmd: Cmd, dir: &Path, limit: Duration, helpers: &Helpers, search: &Search) -> anyhow::Result<()> {
    let cmd = cmd.current_dir(dir).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
    let cmd = surroundings(cmd, &helpers.path(search), ToolId::Npm.requirement());
    run(&cmd, Io::Quiet, Some(limit)).map(drop)
}

/// Never hand out a tool that does not start here.
fn prove(tool: &Requirement, fresh: &Path, helpers: &Helpers, search: &Search) -> anyhow::Result<()> {
    for file in tool.files.iter().map(|file| fresh.join(file)) {
        if !file.is_file() {
            bail!("the package `{}` does not contain `{}`", tool.package, file.display());
        }
    }
    let Some(program) = tool.files.first().filter(|_| tool.tells_version) else {
        return Ok(());
    };
    let cmd = command(tool, &fresh.join(program), helpers.node_path());
    let version = ask_version(tool, cmd, &helpers.path(search), FIRST_START)?;
    if Version::parse(tool.version).is_ok_and(|pinned| pinned == version) {
        return Ok(());
    }
    bail!("it says it is {version}")
}

/// pip writes the folder's name into the programs it makes; they must name the folder they are moved to.
fn relocate(fresh: &Path, home: &Path) -> anyhow::Result<()> {
    let (Some(from), Some(to)) = (fresh.to_str(), home.to_str()) else {
        bail!("the cache folder `{}` is not UTF-8", home.display());
    };
    let bin = fresh.join("bin");
    let files = fs::read_dir(&bin).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let files = files.with_context(|| format!("cannot read `{}`", bin.display()))?;
    let config = fresh.join("pyvenv.cfg");
    for file in files.iter().map(fs::DirEntry::path).chain([config]) {
        if file.is_symlink() || !file.is_file() {
            continue;
        }
        if let Ok(text) = fs::read_to_string(&file)
            && text.contains(from)
        {
            // Overwriting keeps the executable bit.
            fs::write(&file, text.replace(from, to)).with_context(|| format!("cannot write `{}`", file.display()))?;
        }
    }
    Ok(())
}

/// What a killed installation left behind, and a tool that broke since.
fn clear(home: &Path, tools: &Path, prefix: &str) -> anyhow::Result<()> {
    let entries = fs::read_dir(tools).with_context(|| format!("cannot read `{}`", tools.display()))?;
    let stale = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    for dir in stale.map(|entry| entry.path()).chain([home.to_path_buf()]) {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove `{}`", dir.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Held until the file is closed, by us or by our death.
fn lock(tool: &Requirement, tools: &Path, progress: &mut dyn FnMut(&str)) -> anyhow::Result<File> {
    let path = tools.join(format!(".{}-{}.lock", tool.name, tool.version));
    let file = File::create(&path).with_context(|| format!("cannot create `{}`", path.display()))?;
    let mut waiting = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock `{}`", path.display()));
            }
            Err(TryLockError::WouldBlock) if interrupted() => return Err(Interrupted.into()),
            Err(TryLockError::WouldBlock) => {}
        }
        if !waiting {
            progress(&format!("waiting for the installation of {} that is under way", tool.name));
            waiting = true;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// What the installers' own words mean.
const ADVICE: &[(&[&str], &str)] = &[
    (&["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT", "ECONNRESET"], OFFLINE),
    (&["NewConnectionError", "ConnectTimeoutError", "Could not resolve host", "failed to download"], OFFLINE),
    (&["E404", "ETARGET", "No matching distribution", "could not find `"], UNKNOWN),
    (
        &["ensurepip", "No module named venv", "No module named pip"],
        "this Python lacks `venv` or `pip`; Debian and Ubuntu have it in the package `python3-venv`",
    ),
    (&["ENOSPC", "No space left"], "the disk is full"),
    (
        &["EACCES", "EPERM", "Permission denied"],
        "the cache folder cannot be written; set `MCP_DEPLOY_CACHE` to another one",
    ),
];
const OFFLINE: &str = "the package registry cannot be reached; check the network and the proxy settings";
const UNKNOWN: &str = "the package registry in use does not have this version";

fn advice(error: &anyhow::Error) -> Option<&'static str> {
    let tail = &ToolFailed::of(error)?.tail;
    ADVICE.iter().find(|(words, _)| words.iter().any(|word| tail.contains(word))).map(|(_, advice)| *advice)
}
