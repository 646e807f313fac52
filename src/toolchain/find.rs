//! Looks for tools: on PATH first, and in the private cache when that one is missing or too old.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;

use super::{FoundTool, Origin, Requirement, ToolId, ToolStatus, default_cache, surroundings};
use crate::parallel;
use crate::process::{Cmd, Io, run};

/// Where to look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    pub path: OsString,
    pub cache: PathBuf,
}

/// A tool that takes longer to say its version is as good as broken.
const PATIENCE: Duration = Duration::from_secs(10);
/// Written into a tool's folder last; holds its version.
pub(super) const MARKER: &str = ".installed";

impl Search {
    /// The user's PATH and cache.
    pub fn from_env() -> anyhow::Result<Self> {
        Ok(Search { path: std::env::var_os("PATH").unwrap_or_default(), cache: default_cache()? })
    }

    pub(super) fn tools(&self) -> PathBuf {
        self.cache.join("tools")
    }

    pub(super) fn home(&self, tool: &Requirement) -> PathBuf {
        self.tools().join(format!("{}-{}", tool.name, tool.version))
    }

    pub(super) fn which(&self, program: &str) -> Option<PathBuf> {
        which::which_in(program, Some(&self.path), "/").ok()
    }
}

/// The state of each tool, in the order of `ids`; all are asked at the same time.
pub fn survey(ids: &[ToolId], search: &Search) -> Vec<(&'static Requirement, ToolStatus)> {
    parallel::map(ids, |id| (id.requirement(), status(id.requirement(), search)))
}

pub(super) fn status(tool: &'static Requirement, search: &Search) -> ToolStatus {
    let on_path = on_path(tool, search);
    if matches!(on_path, ToolStatus::Ready(_)) {
        return on_path;
    }
    match (on_path, in_cache(tool, search)) {
        (_, ready @ ToolStatus::Ready(_)) => ready,
        (ToolStatus::Missing, cached) => cached,
        (on_path, _) => on_path,
    }
}

/// The first of its names that will do, else what is wrong with the first that is there.
fn on_path(tool: &Requirement, search: &Search) -> ToolStatus {
    let mut worst = ToolStatus::Missing;
    for path in tool.programs.iter().filter_map(|program| search.which(program)) {
        let status = judge(tool, path, search);
        if matches!(status, ToolStatus::Ready(_)) {
            return status;
        }
        if worst == ToolStatus::Missing {
            worst = status;
        }
    }
    worst
}

fn judge(tool: &Requirement, path: PathBuf, search: &Search) -> ToolStatus {
    if !tool.tells_version {
        return ToolStatus::Ready(FoundTool { path, version: None, origin: Origin::Path });
    }
    let version = match packaged_version(tool, &path) {
        Some(version) => version,
        None => match ask_version(tool, Cmd::new(&path), &search.path, PATIENCE) {
            Ok(version) => version,
            Err(error) => {
                return ToolStatus::Broken { path, error: one_line(&error) };
            }
        },
    };
    let new_enough = Version::parse(tool.minimum).is_ok_and(|minimum| version >= minimum);
    let found = FoundTool { path, version: Some(version), origin: Origin::Path };
    if new_enough { ToolStatus::Ready(found) } else { ToolStatus::TooOld(found) }
}

/// Believes the marker: a tool is complete before it gets one.
pub(super) fn in_cache(tool: &Requirement, search: &Search) -> ToolStatus {
    let home = search.home(tool);
    let Ok(marker) = std::fs::read_to_string(home.join(MARKER)) else {
        return ToolStatus::Missing;
    };
    let Some(path) = tool.files.first().map(|file| home.join(file)) else {
        return ToolStatus::Missing;
    };
    // A virtual environment breaks when the Python it links to is upgraded away.
    if let Some(lost) = tool.files.iter().map(|file| home.join(file)).find(|file| !file.is_file()) {
        let error = format!("`{}` is gone", lost.display());
        return ToolStatus::Broken { path, error };
    }
    match Version::parse(marker.trim()) {
        Ok(version) => ToolStatus::Ready(FoundTool { path, version: Some(version), origin: Origin::Cache }),
        Err(error) => ToolStatus::Broken { path, error: format!("its marker cannot be read: {error}") },
    }
}

/// What the program says itself.
pub(super) fn ask_version(tool: &Requirement, cmd: Cmd, path: &OsString, limit: Duration) -> anyhow::Result<Version> {
    let cmd = surroundings(cmd.shown_as(tool.name).arg("--version"), path, tool);
    let said = run(&cmd, Io::Answer, Some(limit))?;
    first_version(&said.stdout)
        .or_else(|| first_version(&said.log))
        .ok_or_else(|| anyhow::anyhow!("`{cmd}` names no version: `{}`", said.stdout.trim()))
}

/// A JavaScript tool's version is in its package, which spares a start, and a failure under an old Node.
fn packaged_version(tool: &Requirement, path: &Path) -> Option<Version> {
    let real = real(path);
    let manifest = real.ancestors().skip(1).map(|dir| dir.join("package.json")).find(|file| file.is_file())?;
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(manifest).ok()?).ok()?;
    if manifest["name"].as_str() != Some(tool.package) {
        return None;
    }
    manifest["version"].as_str()?.parse().ok()
}

pub(super) fn is_javascript(path: &Path) -> bool {
    let path = real(path);
    if path.extension().is_some_and(|extension| ["js", "cjs", "mjs"].iter().any(|known| extension == *known)) {
        return true;
    }
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(128).read_to_end(&mut start));
    let first = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first);
    read.is_ok() && first.starts_with("#!") && first.split(['/', ' ']).any(|word| word.trim_end() == "node")
}

/// A script without a first line that names its interpreter: a shell runs such a one, and the system does not.
pub(super) fn is_for_a_shell(path: &Path) -> bool {
    let mut start = [0; 2];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start[0] == b'#' && start[1] != b'!'
}

/// Where the links lead: npm puts links to scripts on PATH.
pub(super) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The first `1.2.3` in a text, with its pre-release part where it follows the rules of semver.
fn first_version(text: &str) -> Option<Version> {
    text.split(|c: char| c.is_whitespace() || c == ',').find_map(|word| {
        let word = word.trim_start_matches(|c: char| !c.is_ascii_digit());
        let full = Version::parse(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()));
        full.ok().or_else(|| leading_numbers(word))
    })
}

/// `3.13.0rc1` is 3.13.0.
fn leading_numbers(word: &str) -> Option<Version> {
    let end = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    Version::parse(word[..end].trim_end_matches('.')).ok()
}

/// Causes joined, and the tool's own words cut to their first line that says something.
fn one_line(error: &anyhow::Error) -> String {
    let said = format!("{error:#}");
    said.lines().map(str::trim).filter(|line| !line.is_empty()).take(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_tools_say() {
        let table = [
            ("v24.19.0\n", "24.19.0"),
            ("SAM CLI, version 1.170.0\n", "1.170.0"),
            ("Python 3.13.0rc1\n", "3.13.0"),
            (" ⛅️ wrangler 4.164.0 (update available 5.0.0)\n", "4.164.0"),
            ("Vercel CLI 64.0.2\n64.0.2\n", "64.0.2"),
            ("v26.0.0-nightly2026", "26.0.0-nightly2026"),
            ("on 2 cores: tool 1.2.3.", "1.2.3"),
        ];
        for (said, version) in table {
            assert_eq!(first_version(said).unwrap().to_string(), version, "{said}");
        }
        assert_eq!(first_version("pyenv: python3.13: command not found"), None);
    }
}
