//! Values of secrets on this machine: the project's git-ignored `.env`, else the environment (as CI sets it).

mod syntax;

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::json;

pub use syntax::{Entry, parse, written};

use crate::error::Error;
use crate::fault::{Fault, Lines, Severity};
use crate::files::{self, Exclusive, home_of};
use crate::manifest::Manifest;
use crate::plan;
use crate::process::{self, ToolFailed};

pub const FILE: &str = ".env";

/// Every entry of the project's `.env`, in its order. A line that has no one reading is an error.
pub fn file(root: &Path) -> Result<Vec<(String, String)>> {
    sound(&text(root)?)
}

fn sound(text: &str) -> Result<Vec<(String, String)>> {
    let (entries, faults) = parse(text, FILE);
    let errors: Vec<&Fault> = faults.iter().filter(|fault| fault.severity == Severity::Error).collect();
    let Some(first) = errors.first() else {
        return Ok(entries.into_iter().map(|Entry { name, value, .. }| (name, value)).collect());
    };
    let others = match errors.len() - 1 {
        0 => String::new(),
        1 => "; 1 other line is at fault, too".to_owned(),
        more => format!("; {more} other lines are at fault, too"),
    };
    let Fault { message, hint, at, .. } = first;
    let error = Error::new(format!("{FILE}:{}:{}: {message}{others}", at.line, at.column));
    bail!(error.hint(hint.clone().unwrap_or_default()).at(FILE, *at).list("faults", json!(errors)))
}

/// What is wrong with the project's `.env`, for `check`.
pub fn faults(root: &Path, manifest: &Manifest) -> Result<Vec<Fault>> {
    let text = text(root)?;
    let (entries, mut faults) = parse(&text, FILE);
    let lines = Lines::of(&text);
    for (Entry { name, place, .. }, meant) in misspelt(&entries, manifest) {
        let (file, at) = (FILE.to_owned(), lines.position(*place));
        let message = format!("`mcp.toml` declares no `{name}`, and `{meant}`, which it declares, has no value here");
        let hint = Some(format!("did you mean `{meant}`?"));
        faults.push(Fault { severity: Severity::Warning, file, at, message, hint });
    }
    let counts =
        entries.iter().enumerate().filter(|(at, entry)| entries[at + 1..].iter().all(|later| later.name != entry.name));
    for (_, Entry { name, value, place }) in counts {
        if is_secret(manifest, name) && std::env::var(name).is_ok_and(|set| set != *value) {
            let error = two_values(name);
            let hint = error.own_hint().map(str::to_owned);
            let (file, at) = (FILE.to_owned(), lines.position(*place));
            faults.push(Fault { severity: Severity::Error, file, at, message: error.to_string(), hint });
        }
    }
    Ok(faults)
}

/// Names of `.env` that nothing declares, each with the declared one, without a value, that it is near.
pub fn slips(root: &Path, manifest: &Manifest) -> Result<Vec<(String, String)>> {
    let (entries, _) = parse(&text(root)?, FILE);
    Ok(misspelt(&entries, manifest).map(|(entry, meant)| (entry.name.clone(), meant.to_owned())).collect())
}

fn misspelt<'a>(entries: &'a [Entry], manifest: &'a Manifest) -> impl Iterator<Item = (&'a Entry, &'a str)> {
    let declared = || {
        let settings = manifest.env.iter().map(|(name, _)| name.as_str());
        manifest.secrets.iter().map(|secret| secret.name.as_str()).chain(settings)
    };
    let has_value = |name: &str| {
        std::env::var_os(name).is_some() || entries.iter().any(|entry| entry.name == name && !entry.value.is_empty())
    };
    let unknown = entries.iter().filter(move |entry| declared().all(|name| name != entry.name));
    unknown.filter_map(move |entry| {
        let near = declared().filter(|name| !has_value(name)).map(|name| (slips_between(&entry.name, name), name));
        let (_, meant) = near.filter(|(slips, name)| *slips <= name.len().div_ceil(5).min(2)).min()?;
        Some((entry, meant))
    })
}

fn slips_between(one: &str, other: &str) -> usize {
    strsim::damerau_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}

/// A stage's copy has a link only; the file itself is read.
fn text(root: &Path) -> Result<String> {
    let home = home_of(root);
    let text = files::read_if_there(home, FILE, files::ANY);
    Ok(text.with_context(|| format!("cannot read `{}`", home.join(FILE).display()))?.unwrap_or_default())
}

/// The declared settings and secrets that have a value here, for local runs. As in Node.js, a variable of the
/// environment overrides the file.
pub fn local(root: &Path, manifest: &Manifest) -> Result<Vec<(String, String)>> {
    let file = file(root)?;
    let setting = |(name, _): &(String, String)| {
        let stored = || last(&file, name).map(str::to_owned);
        Some((name.clone(), std::env::var(name).ok().or_else(stored)?))
    };
    let mut all: Vec<_> = manifest.env.iter().filter_map(setting).collect();
    all.extend(of_secrets(&file, manifest)?);
    Ok(all)
}

/// The declared secrets that have a value here.
pub fn values(root: &Path, manifest: &Manifest) -> Result<Vec<(String, String)>> {
    of_secrets(&file(root)?, manifest)
}

/// From the file, else from the environment. A secret with two values is an error: whatever is started by hand has the
/// other one.
fn of_secrets(file: &[(String, String)], manifest: &Manifest) -> Result<Vec<(String, String)>> {
    let value = |name: &str| match (last(file, name), std::env::var(name).ok()) {
        (Some(stored), Some(set)) if stored != set => Err(two_values(name)),
        (Some(value), _) => Ok(Some(value.to_owned())),
        (None, set) => Ok(set),
    };
    let mut values = Vec::new();
    for secret in &manifest.secrets {
        if let Some(value) = value(&secret.name)?.filter(|value| !value.is_empty()) {
            values.push((secret.name.clone(), value));
        }
    }
    Ok(values)
}

fn last<'f>(file: &'f [(String, String)], name: &str) -> Option<&'f str> {
    file.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn two_values(name: &str) -> Error {
    Error::new(format!("the secret `{name}` has one value in `.env` and another in this shell's environment"))
        .hint(format!("run `unset {name}`, or remove it from `.env`: `npm start` would use the environment's"))
}

/// Secrets are not written where git would take them.
pub fn would_be_committed() -> Error {
    Error::new("git would commit `.env`, so nothing was written").hint("add the line `.env` to `.gitignore`")
}

/// Writes one value into `.env`, in place of an older one. The file is the owner's alone.
pub fn set(root: &Path, name: &str, value: &str) -> Result<()> {
    let Some(line) = syntax::line(name, value) else {
        let error = Error::new("the value cannot stand in `.env` without changing it");
        bail!(error.hint(format!("set `{name}` as an environment variable when you ship")));
    };
    let _alone = Exclusive::to_write(root)?;
    let old = text(root)?;
    // Beside a line that has no one reading, the new one might have none either. The one in whose place it comes is
    // gone.
    sound(&syntax::blanked(&old, name))?;
    let mut text = syntax::without(&old, name);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&line);
    plan::replace_private(root, FILE, &text)
}

/// Takes one value out of `.env`; false when there is none.
pub fn remove(root: &Path, name: &str) -> Result<bool> {
    let _alone = Exclusive::to_write(root)?;
    if last(&file(root)?, name).is_none() {
        return Ok(false);
    }
    plan::replace_private(root, FILE, &syntax::without(&text(root)?, name))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_so_that_it_is_read_back_and_in_place_of_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::write(root.join("mcp.toml"), "").unwrap();
        std::fs::write(root.join(FILE), "A='1'\n  export KEY='two\nKEY=lines'\n# KEY=comment\nB=2").unwrap();
        let values = [
            "pa$$word$HOME",
            "abc#def",
            "it's",
            "\"a\" and 'b'",
            "two\nlines\\",
            "C:\\new\\'table",
            "a'\"`",
            " x ",
            "é",
        ];
        for value in values {
            set(root, "KEY", value).unwrap_or_else(|error| panic!("{value}: {error}"));
            let read = file(root).unwrap();
            let names: Vec<_> = read.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["A", "B", "KEY"], "{value}");
            assert_eq!(last(&read, "KEY"), Some(value));
        }
        assert!(remove(root, "KEY").unwrap() && !remove(root, "KEY").unwrap());
        assert_eq!(std::fs::read_to_string(root.join(FILE)).unwrap(), "A='1'\n# KEY=comment\nB=2\n");
        for value in ["'\"`\n", "a\rb", "\u{7}", " '\"` "] {
            let error = set(root, "KEY", value).unwrap_err().to_string();
            assert!(error.contains("cannot stand in `.env`"), "{error}");
        }
    }
}
