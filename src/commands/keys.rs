//! `keys add|list|revoke`: callers with an API key. A key is shown once, on stdout; its hash alone is kept, in `.env`.

use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;

use super::End;
use crate::cli::KeysAction;
use crate::error::Error;
use crate::manifest::{self, Auth};
use crate::project::Project;
use crate::secrets::api_keys::{self, Key, Keys};
use crate::secrets::dotenv;
use crate::ui;

pub fn run(action: KeysAction, dir: Option<&Path>) -> Result<End> {
    let (project, _alone) = Project::open_to_write(dir)?;
    if project.manifest.access.auth != Auth::ApiKey {
        let error = Error::new("the server asks for no API keys; nothing was done");
        bail!(error.hint(format!("write `auth = \"api-key\"` in `[access]` of `{}`", manifest::FILE)));
    }
    let home = &project.home;
    match action {
        KeysAction::Add { name, json } => add(home, &name, json),
        KeysAction::List { json } => list(home, json),
        KeysAction::Revoke { name } => revoke(home, &name),
    }
}

/// What `keys add --json` answers.
#[derive(Serialize)]
struct Added<'a> {
    name: &'a str,
    key: &'a str,
}

/// What `keys list --json` answers.
#[derive(Serialize)]
struct Listed<'a> {
    keys: Vec<Named<'a>>,
}

/// A caller that has a key.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

fn add(home: &Path, name: &str, json: bool) -> Result<End> {
    if let Some(problem) = api_keys::problem(name) {
        bail!("{problem}; nothing was written");
    }
    if !dotenv::is_ignored(home) {
        bail!(dotenv::would_be_committed());
    }
    let mut keys = Keys::read(home)?;
    if keys.has(name) {
        let error = Error::new(format!("`{name}` has a key already; nothing was written"));
        bail!(error.hint(format!("for a new one run `mcp-deploy keys revoke {name}` first")));
    }
    let key = Key::new()?;
    keys.add(name, &key);
    keys.write(home)?;
    match json {
        true => ui::json(&Added { name, key: &key.0 })?,
        false => ui::answer(&key.0),
    }
    ui::say(format_args!(
        "the key of `{name}` is shown only now: clients send it as `Authorization: Bearer KEY`\n{NEXT}"
    ));
    Ok(End::Done)
}

fn list(home: &Path, json: bool) -> Result<End> {
    let keys = Keys::read(home)?;
    if json {
        ui::json(&Listed { keys: keys.names().map(|name| Named { name }).collect() })?;
        return Ok(End::Done);
    }
    if keys.names().next().is_none() {
        ui::say("nobody has a key yet");
        ui::hint("run `mcp-deploy keys add NAME`");
    }
    keys.names().for_each(ui::answer);
    Ok(End::Done)
}

fn revoke(home: &Path, name: &str) -> Result<End> {
    let mut keys = Keys::read(home)?;
    if !keys.remove(name) {
        let hint = manifest::nearest(name, keys.names()).unwrap_or_else(|| "run `mcp-deploy keys list`".into());
        bail!(Error::new(format!("nobody called `{name}` has a key; nothing was written")).hint(hint));
    }
    keys.write(home)?;
    ui::say(format_args!("`{name}` has no key any more\n{NEXT}"));
    Ok(End::Done)
}

const NEXT: &str = "next: `mcp-deploy secrets push --target CLOUD`, or ship, which does it too; until then the clouds go by the old list";
