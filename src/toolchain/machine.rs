//! What a machine may have set up against our tools: a proxy that would catch their own servers, a home that they
//! cannot write to.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use anyhow::Result;

use super::default_cache;
use super::table::OWN_FILES;
use crate::error::Error;
use crate::process::{Cmd, Scratch};

/// The same command on this machine.
pub fn surround(cmd: Cmd) -> Cmd {
    let cmd = past_the_proxy(cmd);
    let Some(place) = HOME.as_ref().ok().and_then(Option::as_ref) else { return cmd };
    let cmd = cmd.env_noise("HOME", &place.folder);
    // What the user has written there still counts.
    let own = OWN_FILES.iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let own =
        own.filter_map(|(name, file)| Some((name, place.own.as_ref()?.join(file)))).filter(|(_, file)| file.is_file());
    own.fold(cmd, |cmd, (name, file)| cmd.env_noise(name, file))
}

/// Fails where tools can keep nothing anywhere: otherwise each would say so in its own words, in the middle of its
/// work.
pub fn has_a_home() -> Result<()> {
    match HOME.as_ref() {
        Ok(_) => Ok(()),
        Err(why) => {
            let hint = "set `HOME`, `MCP_DEPLOY_CACHE` or `TMPDIR` to a folder that can be written";
            Err(Error::new(why.clone()).hint(hint).into())
        }
    }
}

/// Servers of this machine are reached directly.
pub fn past_the_proxy(cmd: Cmd) -> Cmd {
    no_proxy().into_iter().fold(cmd, |cmd, (name, value)| cmd.env_noise(name, value))
}

fn no_proxy() -> Vec<(&'static str, OsString)> {
    let set = |name: &&str| std::env::var_os(name).filter(|value| !value.is_empty());
    if PROXIES.iter().find_map(set).is_none() {
        return Vec::new();
    }
    let mut known = NO_PROXY.iter().find_map(set).unwrap_or_default();
    if !known.is_empty() {
        known.push(",");
    }
    known.push("localhost,127.0.0.1,::1,[::1]");
    NO_PROXY.iter().map(|name| (*name, known.clone())).collect()
}

const PROXIES: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
const NO_PROXY: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Where tools keep what they would keep in the user's home.
struct ToolHome {
    folder: PathBuf,
    own: Option<PathBuf>,
    _scratch: Option<Scratch>,
}

/// `None`: the user's own will do. Looked for once; a temporary folder goes with the program.
static HOME: LazyLock<Result<Option<ToolHome>, String>> = LazyLock::new(|| {
    let own = std::env::home_dir().filter(|home| home.is_dir());
    if own.as_deref().is_some_and(Scratch::fits) {
        return Ok(None);
    }
    let cached = default_cache().map(|cache| cache.join("home")).ok();
    if let Some(folder) = cached.filter(|folder| fs::create_dir_all(folder).is_ok() && Scratch::fits(folder)) {
        return Ok(Some(ToolHome { folder, own, _scratch: None }));
    }
    let scratch = Scratch::new().map_err(|error| {
        let home = std::env::home_dir().unwrap_or_default();
        format!(
            "nothing can be kept for the tools: `{}` cannot be written, nor can the private cache, and {error:#}",
            home.display()
        )
    })?;
    Ok(Some(ToolHome { folder: scratch.path().to_owned(), own, _scratch: Some(scratch) }))
});
