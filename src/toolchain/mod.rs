//! What each cloud's tools are, where they are found, and how they are installed privately when they are not.
//! Writes only below the cache folder; never into a project, never globally.

mod find;
mod install;
mod machine;
mod table;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use semver::Version;

use crate::process::Cmd;

pub use find::{Search, survey};
pub use install::{provision, provision_all};
pub use machine::{has_a_home, past_the_proxy};
pub use table::{EVERY, Need, Needs, Purpose, REQUIREMENTS, Requirement, Source, ToolId};

/// A tool that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTool {
    pub path: PathBuf,
    /// Unknown for a tool that cannot tell.
    pub version: Option<Version>,
    pub origin: Origin,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Path,
    Cache,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolStatus {
    Ready(FoundTool),
    TooOld(FoundTool),
    Missing,
    /// It is there, but does not run, or does not say its version.
    Broken {
        path: PathBuf,
        error: String,
    },
}

/// The tools for some targets, all of them found.
#[derive(Debug, Clone)]
pub struct Toolchain {
    found: BTreeMap<ToolId, FoundTool>,
    path: OsString,
    /// Where Node.js keeps the tools' compiled JavaScript; `None` where the user has a place for it.
    compiled: Option<PathBuf>,
}

/// What has to be installed before the targets can be built.
#[derive(Debug, Clone)]
pub struct MissingTools(pub Vec<(&'static Requirement, ToolStatus)>);

/// No child reports usage, looks for its own updates, or asks about them.
const QUIET: &[(&str, &str)] = &[
    ("WRANGLER_SEND_METRICS", "false"),
    // With its banner wrangler asks npm's registry for a newer one of itself, and waits for the answer.
    ("WRANGLER_HIDE_BANNER", "true"),
    ("WRANGLER_NO_SKILLS_UPDATE_PROMPTS", "true"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ("VERCEL_TELEMETRY_DISABLED", "1"),
    ("NEXT_TELEMETRY_DISABLED", "1"),
    ("SAM_CLI_TELEMETRY", "0"),
    ("NO_UPDATE_NOTIFIER", "1"),
    // Its warnings are about packages of others, such as the Node.js that one of them would rather have (EBADENGINE).
    ("npm_config_loglevel", "error"),
    // Whatever NODE_ENV or a `.npmrc` says: the compiler and the types are among them. `vercel build` installs, too.
    ("npm_config_include", "dev"),
    ("npm_config_fund", "false"),
    ("npm_config_audit", "false"),
    ("npm_config_update_notifier", "false"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
];

/// Node.js keeps what it has compiled in this folder, each file by its content. Wrangler starts in two thirds of the
/// time with it.
const COMPILED: &str = "NODE_COMPILE_CACHE";

impl ToolStatus {
    pub fn ready(self) -> Option<FoundTool> {
        match self {
            ToolStatus::Ready(found) => Some(found),
            _ => None,
        }
    }
}

impl Toolchain {
    /// Everything that a command of this purpose runs, and what every project needs.
    pub fn resolve(needs: &Needs, purpose: Purpose, search: &Search) -> Result<Self, MissingTools> {
        let (tools, missing) = Self::look(needs, purpose, search);
        if missing.is_empty() { Ok(tools) } else { Err(MissingTools(missing)) }
    }

    /// The same for showing commands: a tool that is missing goes by its name.
    pub fn named(needs: &Needs, search: &Search) -> Self {
        Self::look(needs, Purpose::Deploy, search).0
    }

    fn look(needs: &Needs, purpose: Purpose, search: &Search) -> (Self, Vec<(&'static Requirement, ToolStatus)>) {
        let all = || EVERY.iter().chain(needs).filter(|(_, need)| *need != Need::Install);
        let wanted = |tool: &&Requirement| all().any(|(id, _)| *id == tool.id);
        let is_needed = |tool: &Requirement| all().any(|(id, need)| *id == tool.id && need.is_needed_to(purpose));
        let ids: Vec<ToolId> = REQUIREMENTS.iter().filter(wanted).map(|tool| tool.id).collect();
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for (tool, status) in survey(&ids, search) {
            match status {
                ToolStatus::Ready(ready) => {
                    found.insert(tool.id, ready);
                }
                status if is_needed(tool) => missing.push((tool, status)),
                _ => {}
            }
        }
        let compiled = std::env::var_os(COMPILED).is_none().then(|| search.cache.join("node-compile-cache"));
        (Toolchain { path: child_path(&found, search), found, compiled }, missing)
    }

    pub fn found(&self, id: ToolId) -> Option<&FoundTool> {
        self.found.get(&id)
    }

    /// Another program that belongs to a tool, such as the interpreter that runs it, in the tool's surroundings.
    pub fn cmd_with(&self, id: ToolId, program: &Path) -> Cmd {
        surroundings(Cmd::new(program), &self.path, id.requirement())
    }

    /// A program outside of the table, such as the project's package manager: where it is on PATH.
    pub fn which(&self, program: &str) -> Option<PathBuf> {
        which::which_in(program, Some(&self.path), "/").ok()
    }

    /// The same as a command; a JavaScript one is run by the chosen Node.
    pub fn other(&self, name: &str, program: &Path) -> Cmd {
        let node = self.found.get(&ToolId::Node).map(|node| node.path.as_path());
        surroundings(interpreted(program, node).shown_as(name), &self.path, ToolId::Npm.requirement())
    }

    /// A command that finds the programs of these folders first.
    pub fn with_programs(&self, cmd: Cmd, folders: &[PathBuf]) -> Cmd {
        let path = folders.iter().cloned().chain(std::env::split_paths(&self.path));
        // A folder with a `:` in its name cannot be on a path.
        std::env::join_paths(path).map_or(cmd.clone(), |path| cmd.env_noise("PATH", path))
    }

    /// A command for a person's own shell: by the tool's name where that is on PATH, else by the path of the one in the
    /// cache.
    pub fn typed(&self, id: ToolId, args: &[&str]) -> String {
        let named = |program: &Path| Cmd::new(program).shown_as(program.display().to_string());
        let cached = self.found.get(&id).filter(|found| found.origin == Origin::Cache);
        let cmd = match (cached, self.found.get(&ToolId::Node)) {
            (None, _) => Cmd::new(id.requirement().name),
            (Some(tool), Some(node)) if find::is_javascript(&tool.path) => named(&node.path).arg(&tool.path),
            (Some(tool), _) => named(&tool.path),
        };
        cmd.args(args).to_string()
    }

    /// The command that starts a tool of the resolved targets. One that is only nice to have, and was not found, is
    /// left to PATH.
    pub fn cmd(&self, id: ToolId) -> Cmd {
        let tool = id.requirement();
        let node = self.found.get(&ToolId::Node);
        let cmd = match self.found.get(&id) {
            Some(found) => command(tool, &found.path, node.map(|node| node.path.as_path())),
            None => Cmd::new(tool.name),
        };
        let cmd = surroundings(cmd, &self.path, tool);
        match &self.compiled {
            Some(folder) if cmd.is_script() => cmd.env_noise(COMPILED, folder),
            _ => cmd,
        }
    }
}

impl fmt::Display for MissingTools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tools are missing:")?;
        for (tool, status) in &self.0 {
            let Requirement { name, minimum, why, .. } = tool;
            match status {
                ToolStatus::TooOld(FoundTool { path, version: Some(version), .. }) => {
                    write!(f, "\n  `{name}` {version} (`{}`) is older than {minimum}", path.display())?;
                }
                ToolStatus::Broken { path, error } => {
                    write!(f, "\n  `{name}` (`{}`) does not run: {error}", path.display())?
                }
                _ => write!(f, "\n  `{name}` {minimum} or newer was not found")?,
            }
            write!(f, "; {why}")?;
            if let Source::Host { how } = tool.source {
                write!(f, " ({how})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for MissingTools {}

fn command(tool: &Requirement, path: &Path, node: Option<&Path>) -> Cmd {
    interpreted(path, node).shown_as(tool.name)
}

/// The program itself; a JavaScript one is run by the chosen Node, whatever its first line says.
fn interpreted(path: &Path, node: Option<&Path>) -> Cmd {
    match (node, find::is_javascript(path)) {
        (Some(node), true) => Cmd::script(node, find::real(path)),
        _ if find::is_for_a_shell(path) => Cmd::script("/bin/sh", path),
        _ => Cmd::new(path),
    }
}

fn surroundings(cmd: Cmd, path: &OsString, tool: &Requirement) -> Cmd {
    let cmd = QUIET.iter().fold(machine::surround(cmd), |cmd, (key, value)| cmd.env_noise(key, value));
    tool.unset.iter().fold(cmd, |cmd, key| cmd.env_remove(key)).env_noise("PATH", path)
}

/// PATH as it is when it leads to the chosen tools already, so that a project's own order (pyenv, asdf) is not
/// disturbed. Otherwise the cached Node goes first, for npm and the scripts it runs.
fn child_path(found: &BTreeMap<ToolId, FoundTool>, search: &Search) -> OsString {
    let cached = found.get(&ToolId::Node).filter(|node| node.origin == Origin::Cache);
    let first = cached.and_then(|node| node.path.parent()).map(Path::to_path_buf);
    let dirs = first.into_iter().chain(std::env::split_paths(&search.path));
    std::env::join_paths(dirs).unwrap_or_else(|_| search.path.clone())
}

/// The private cache: `$MCP_DEPLOY_CACHE`, else the platform's folder for such things.
fn default_cache() -> anyhow::Result<PathBuf> {
    let set = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(cache) = set("MCP_DEPLOY_CACHE") {
        return std::path::absolute(&cache).with_context(|| format!("cannot use `{}` as the cache", cache.display()));
    }
    let shared = set("XDG_CACHE_HOME").filter(|dir| dir.is_absolute() && !cfg!(target_os = "macos"));
    let below_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    let base = shared.or_else(|| std::env::home_dir().map(|home| home.join(below_home)));
    Ok(base.context("there is no home folder to keep tools in; set `MCP_DEPLOY_CACHE` to a folder")?.join("mcp-deploy"))
}

#[cfg(test)]
mod tests;
