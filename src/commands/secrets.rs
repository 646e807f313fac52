//! `secrets set|list|push`: values stay in `.env` and in the clouds' stores; nothing of them is shown.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{End, chosen};
use crate::cli::{SecretsAction, TargetArg};
use crate::deploy::{Context, secrets};
use crate::pipeline;
use crate::project::Project;
use crate::prompt::{self, Mode};
use crate::targets::{self, Build};
use crate::ui::{self, Mark};

pub fn run(action: SecretsAction, dir: Option<&Path>) -> Result<End> {
    match action {
        SecretsAction::Set { name } => set(&name, dir),
        SecretsAction::List { target, stage, json } => list(&target, &stage.stage, json, dir),
        SecretsAction::Push { target, stage, yes } => push(&target, &stage.stage, Mode::of(yes), dir),
    }
}

fn set(name: &str, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let declared = project.manifest.secrets.iter().map(|secret| secret.name.as_str());
    if !declared.clone().any(|known| known == name) {
        let hint = crate::manifest::nearest(name, declared)
            .unwrap_or_else(|| format!("add `{name} = \"what it is\"` to `[secrets]` in `mcp.toml`"));
        bail!("the manifest declares no secret `{name}`; nothing was written\nhint: {hint}");
    }
    if !secrets::is_ignored(&project.home) {
        bail!("git would commit `.env`, so nothing was written\nhint: add the line `.env` to `.gitignore`");
    }
    let value = if ui::interactive() { prompt::secret(&format!("Value of {name}?"))? } else { from_stdin()? };
    if value.is_empty() {
        bail!("the value is empty; nothing was written");
    }
    secrets::set(&project.home, name, &value)?;
    ui::say(format_args!(
        "set `{name}` in `.env`\nnext: `mcp-deploy secrets push --target CLOUD`, or ship, which does it too"
    ));
    Ok(End::Done)
}

/// All of stdin, without the line end that `echo` adds.
fn from_stdin() -> Result<String> {
    let mut value = String::new();
    std::io::stdin().take(64 << 10).read_to_string(&mut value).context("cannot read the value from stdin")?;
    let bare = value.strip_suffix('\n').unwrap_or(&value);
    Ok(bare.strip_suffix('\r').unwrap_or(bare).to_owned())
}

#[derive(Serialize)]
struct Answer<'a> {
    secrets: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    description: &'a str,
    /// In `.env` or in the environment.
    local: bool,
    /// Clouds that were asked and have it.
    clouds: Vec<&'static str>,
}

fn list(target: &[TargetArg], stage: &str, json: bool, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?.staged(stage)?;
    let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
    let targets = chosen(target, &every)?;
    let values = secrets::values(&project.home, &project.manifest)?;
    let mut stored = Vec::new();
    if !targets.is_empty() {
        let tools = pipeline::tools(&targets, Mode::for_answer(false, json))?;
        let build = Build { root: &project.root, manifest: &project.manifest, tools: &tools };
        let context = Context { build, values: &values, terminal: false };
        for target in &targets {
            stored.push((target.name, (target.cloud.secret_names)(&context)?));
        }
    }
    let entries = project.manifest.secrets.iter().map(|secret| Entry {
        name: &secret.name,
        description: &secret.description,
        local: values.iter().any(|(name, _)| *name == secret.name),
        clouds: stored.iter().filter(|(_, names)| names.contains(&secret.name)).map(|(target, _)| *target).collect(),
    });
    let answer = Answer { secrets: entries.collect() };
    if json {
        ui::json(&answer)?;
        return Ok(End::Done);
    }
    if answer.secrets.is_empty() {
        ui::say("the manifest declares no secrets");
    }
    for entry in &answer.secrets {
        let mark = if entry.local { Mark::Good } else { Mark::Skipped };
        let here = if entry.local { "set here" } else { "not set here" };
        let clouds =
            if entry.clouds.is_empty() { String::new() } else { format!(", set on {}", entry.clouds.join(", ")) };
        ui::mark(mark, format_args!("{:<24} {here}{clouds}: {}", entry.name, entry.description));
    }
    Ok(End::Done)
}

fn push(target: &[TargetArg], stage: &str, mode: Mode, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?.staged(stage)?;
    let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
    let targets = chosen(target, &every)?;
    let values = secrets::values(&project.home, &project.manifest)?;
    if values.is_empty() {
        bail!("no declared secret has a value here; nothing was pushed\nhint: run `mcp-deploy secrets set NAME`");
    }
    let tools = pipeline::tools(&targets, mode)?;
    let build = Build { root: &project.root, manifest: &project.manifest, tools: &tools };
    let context = Context { build, values: &values, terminal: false };
    for target in targets {
        let step = ui::step(format!("{}: push {} secrets", target.name, values.len()));
        let pushed = (target.cloud.push_secrets)(&context, &values);
        step.end(if pushed.is_ok() { Mark::Good } else { Mark::Bad }, "");
        pushed?;
    }
    Ok(End::Done)
}
