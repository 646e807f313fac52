//! Values of secrets on this machine: the project's git-ignored `.env`, else the environment (as CI sets it).

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};

use crate::error::Error;
use crate::files::{self, Exclusive, home_of};
use crate::manifest::Manifest;
use crate::plan;
use crate::process::{self, ToolFailed};

pub const FILE: &str = ".env";

/// Every entry of the project's `.env`, in its order.
pub fn file(root: &Path) -> Result<Vec<(String, String)>> {
    let path = home_of(root).join(FILE);
    // The parser's error would quote the line, and with it perhaps a secret.
    dotenvy::from_read_iter(text(root)?.as_bytes())
        .map(|entry| entry.map_err(|_| anyhow!("`{}` has a line that is not `NAME=value`", path.display())))
        .collect()
}

/// A stage's copy has a link only; the file itself is read.
fn text(root: &Path) -> Result<String> {
    let home = home_of(root);
    let text = files::read_if_there(home, FILE, files::ANY);
    Ok(text.with_context(|| format!("cannot read `{}`", home.join(FILE).display()))?.unwrap_or_default())
}

/// The declared settings and secrets that `.env` gives a value, for local runs.
pub fn local(root: &Path, manifest: &Manifest) -> Result<Vec<(String, String)>> {
    let declared = |name: &str| manifest.env.iter().any(|(env, _)| env == name) || is_secret(manifest, name);
    Ok(file(root)?.into_iter().filter(|(name, _)| declared(name)).collect())
}

/// The declared secrets that have a value here.
pub fn values(root: &Path, manifest: &Manifest) -> Result<Vec<(String, String)>> {
    let file = file(root)?;
    let value = |name: &str| {
        let stored = file.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        stored.or_else(|| std::env::var(name).ok()).filter(|value| !value.is_empty())
    };
    Ok(manifest.secrets.iter().filter_map(|secret| Some((secret.name.clone(), value(&secret.name)?))).collect())
}

/// Secrets are not written where git would take them.
pub fn would_be_committed() -> Error {
    Error::new("git would commit `.env`, so nothing was written").hint("add the line `.env` to `.gitignore`")
}

/// Writes one value into `.env`, in place of an older one. The file is the owner's alone.
pub fn set(root: &Path, name: &str, value: &str) -> Result<()> {
    if value.contains(['\n', '\r', '\'']) && value.contains('"') {
        let error = Error::new("a value with quotes of both kinds or line ends cannot stand in `.env`");
        bail!(error.hint("set it as an environment variable when you ship"));
    }
    let quote = if value.contains(['\'', '\n', '\r']) { '"' } else { '\'' };
    let _alone = Exclusive::to_write(root)?;
    let old = text(root)?;
    let mut text: String = old.lines().filter(|line| !sets(line, name)).map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("{name}={quote}{value}{quote}\n"));
    plan::replace_private(root, FILE, &text)?;
    let read_back = file(root)?.into_iter().rev().find(|(known, _)| known == name);
    if read_back.is_none_or(|(_, back)| back != value) {
        plan::replace_private(root, FILE, &old)?;
        let error = Error::new("the value cannot be written to `.env` without changing it");
        bail!(error.hint(format!("set `{name}` as an environment variable when you ship")));
    }
    Ok(())
}

/// Whether a line of the file gives `name` a value.
fn sets(line: &str, name: &str) -> bool {
    let line = line.trim_start().trim_start_matches("export ");
    line.split_once('=').is_some_and(|(known, _)| known.trim() == name)
}

/// Takes one value out of `.env`; false when there is none.
pub fn remove(root: &Path, name: &str) -> Result<bool> {
    let _alone = Exclusive::to_write(root)?;
    if !file(root)?.iter().any(|(known, _)| known == name) {
        return Ok(false);
    }
    let old = text(root)?;
    let text: String = old.lines().filter(|line| !sets(line, name)).map(|line| format!("{line}\n")).collect();
    plan::replace_private(root, FILE, &text)?;
    if file(root)?.iter().any(|(known, _)| known == name) {
        bail!(Error::new(format!("`{name}` is still in `.env`")).hint("take it out by hand"));
    }
    Ok(true)
}

/// Whether git leaves the file alone: only then may it hold secrets.
pub fn is_ignored(root: &Path) -> bool {
    match process::git(root, &["check-ignore", "--quiet", "--", FILE]) {
        Ok(_) => return true,
        Err(error) if ToolFailed::of(&error).is_some_and(|failed| failed.code == Some(1)) => return false,
        // No repository yet, or no git: what `.gitignore` will mean.
        Err(_) => {}
    }
    let listed = files::read(root, ".gitignore", files::ANY).unwrap_or_default();
    listed.lines().any(|line| [FILE, "/.env", ".env*", ".env.*"].contains(&line.trim()) && line.trim() != ".env.*")
}

fn is_secret(manifest: &Manifest, name: &str) -> bool {
    manifest.secrets.iter().any(|secret| secret.name == name)
}
