//! `secrets set|list|push`: values stay in `.env` and in the clouds' stores; nothing of them is shown.

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::{End, chosen};
use crate::cli::{SecretsAction, TargetArg};
use crate::deployments::{Deployment, Record};
use crate::error::Error;
use crate::files::Exclusive;
use crate::manifest::{API_KEYS, PRODUCTION, Secret};
use crate::project::Project;
use crate::prompt::{self, Mode};
use crate::secrets::api_keys::Keys;
use crate::secrets::dotenv;
use crate::ship::local;
use crate::ship::release;
use crate::targets::deployer::Inquiry;
use crate::targets::deployment::Context;
use crate::targets::ownership::ProjectMark;
use crate::targets::{self, Build, Target};
use crate::template;
use crate::toolchain::{Purpose, Toolchain};
use crate::ui::{self, Mark};

pub fn run(action: SecretsAction, dir: Option<&Path>) -> Result<End> {
    match action {
        SecretsAction::Set { name } => set(&name, dir),
        SecretsAction::List { target, stage, json } => list(&target, &stage.stage, json, dir),
        SecretsAction::Remove { name, target, stage, yes } => remove(&name, &target, &stage.stage, Mode::of(yes), dir),
        SecretsAction::Push { target, stage, yes } => push(&target, &stage.stage, Mode::of(yes), dir),
    }
}

fn set(name: &str, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let declared = project.manifest.secrets.iter().map(|secret| secret.name.as_str());
    if !declared.clone().any(|known| known == name) {
        let known: Vec<_> = declared.clone().map(|known| format!("`{known}`")).collect();
        let hint = crate::manifest::nearest(name, declared).unwrap_or_else(|| {
            let known = if known.is_empty() { String::new() } else { format!("it declares {}; ", known.join(", ")) };
            format!("{known}add `{name} = \"what it is\"` to `[secrets]` in `mcp.toml`")
        });
        bail!(Error::new(format!("the manifest declares no secret `{name}`; nothing was written")).hint(hint));
    }
    if !dotenv::is_ignored(&project.home) {
        bail!(dotenv::would_be_committed());
    }
    let value = if ui::interactive() { prompt::secret(&format!("Value of {name}?"))? } else { from_stdin()? };
    if value.is_empty() {
        bail!("the value is empty; nothing was written");
    }
    if name == API_KEYS && Keys::parse(&value).is_err() {
        let error = Error::new(format!("the value of `{API_KEYS}` is not a list of API keys; nothing was written"));
        bail!(error.hint("`mcp-deploy keys add NAME` makes a key and writes the list: names, each with the SHA-256 of its key, as JSON"));
    }
    dotenv::set(&project.home, name, &value)?;
    ui::say(format_args!(
        "set `{name}` in `.env`\nnext: `mcp-deploy secrets push --target CLOUD`, or ship, which does it too"
    ));
    Ok(End::Done)
}

/// Above what any of the clouds takes.
const LONGEST: u64 = 64 << 10;

/// All of stdin, without the line end that `echo` adds.
fn from_stdin() -> Result<String> {
    let mut value = String::new();
    std::io::stdin().take(LONGEST + 1).read_to_string(&mut value).context("cannot read the value from stdin")?;
    if value.len() as u64 > LONGEST {
        bail!("the value is longer than {LONGEST} bytes, which no cloud takes; nothing was written");
    }
    let bare = value.strip_suffix('\n').unwrap_or(&value);
    Ok(bare.strip_suffix('\r').unwrap_or(bare).to_owned())
}

fn remove(name: &str, target: &[TargetArg], stage: &str, mode: Mode, dir: Option<&Path>) -> Result<End> {
    let clouds = Clouds::open(target, stage, mode, dir)?;
    let _alone = Exclusive::to_deploy(&clouds.project.home)?;
    clouds.each(|target, context| {
        let step = ui::step(format!("{}: remove the secret `{name}`", target.name));
        let removed = clouds.recorded_anew(target, context, || (target.cloud()?.remove_secret)(context, name));
        step.end(if removed.is_ok() { Mark::Good } else { Mark::Bad }, "");
        removed.with_context(|| format!("cannot remove the secret `{name}` from {}", target.title))
    })?;
    match dotenv::remove(&clouds.project.home, name)? {
        true => ui::say(format_args!("removed `{name}` from `.env`")),
        false => ui::say(format_args!("`.env` has no `{name}`")),
    }
    match clouds.project.manifest.secrets.iter().find(|secret| secret.name == name) {
        Some(secret) if secret.optional => {
            ui::say("`mcp.toml` still declares it; it is optional, so `ship` works without it")
        }
        Some(_) => ui::say("`mcp.toml` still declares it: remove it from `[secrets]`, or the next `ship` asks for it"),
        None => {}
    }
    Ok(End::Done)
}

#[derive(Serialize)]
struct SecretsAnswer<'a> {
    /// No secret lacks a value that the clouds which were asked need; of no cloud, that this machine needs.
    ok: bool,
    secrets: Vec<SecretEntry<'a>>,
    /// In a cloud's store, and not in the manifest (any more).
    undeclared: Vec<Undeclared<'a>>,
}

#[derive(Serialize)]
struct Undeclared<'a> {
    name: &'a str,
    clouds: Vec<&'static str>,
}

#[derive(Serialize)]
struct SecretEntry<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip)]
    optional: bool,
    /// In `.env` or in the environment.
    local: bool,
    /// Clouds that were asked and have it.
    clouds: Vec<&'static str>,
    /// It has no value here, and a cloud that needs it has none either.
    #[serde(skip)]
    missing: bool,
}

fn list(target: &[TargetArg], stage: &str, json: bool, dir: Option<&Path>) -> Result<End> {
    let clouds = Clouds::open(target, stage, Mode::for_answer(false, json), dir)?;
    let mut stored = Vec::new();
    clouds.each(|target, context| {
        let names = (target.cloud()?.secret_names)(context);
        let names = names.with_context(|| format!("cannot list the secrets on {}", target.title))?;
        stored.push((target.name, names));
        Ok(())
    })?;
    let on = |name: &str| -> Vec<&'static str> {
        let has = |(_, names): &&(&str, Vec<String>)| names.iter().any(|one| one == name);
        stored.iter().filter(has).map(|(cloud, _)| *cloud).collect()
    };
    let declared = &clouds.project.manifest.secrets;
    let needs = |secret: &Secret| -> Vec<&str> {
        let asked = clouds.targets.iter().map(|target| target.name);
        asked.filter(|target| secret.concerns(target)).collect()
    };
    // What none of the clouds that were asked needs is not asked about.
    let wanted = declared.iter().filter(|secret| clouds.targets.is_empty() || !needs(secret).is_empty());
    let entries = wanted.map(|secret| {
        let local = clouds.values.iter().any(|(name, _)| *name == secret.name);
        let has = on(&secret.name);
        let everywhere = !clouds.targets.is_empty() && needs(secret).iter().all(|cloud| has.contains(cloud));
        let missing = !secret.optional && !local && !everywhere;
        let (name, description, optional) = (&secret.name, &secret.description, secret.optional);
        SecretEntry { name, description, optional, local, clouds: has, missing }
    });
    let mut undeclared: Vec<&str> = Vec::new();
    for name in stored.iter().flat_map(|(_, names)| names) {
        if declared.iter().all(|secret| secret.name != *name) && !undeclared.contains(&name.as_str()) {
            undeclared.push(name);
        }
    }
    let undeclared: Vec<_> = undeclared.into_iter().map(|name| Undeclared { name, clouds: on(name) }).collect();
    let entries: Vec<SecretEntry<'_>> = entries.collect();
    let answer = SecretsAnswer { ok: entries.iter().all(|entry| !entry.missing), secrets: entries, undeclared };
    let end = if answer.ok { End::Done } else { End::No };
    if json {
        ui::json(&answer)?;
        return Ok(end);
    }
    if declared.is_empty() {
        ui::say("the manifest declares no secrets");
    } else if answer.secrets.is_empty() {
        ui::say("the manifest declares no secret that this cloud needs");
    }
    let slips = dotenv::slips(&clouds.project.home, &clouds.project.manifest)?;
    for entry in &answer.secrets {
        let (mark, here) = match (entry.local, entry.optional) {
            (true, _) => (Mark::Good, "set here"),
            (false, _) if entry.missing => (Mark::Bad, "not set here"),
            (false, false) => (Mark::Good, "not set here"),
            (false, true) => (Mark::Skipped, "optional, not set here"),
        };
        let clouds =
            if entry.clouds.is_empty() { String::new() } else { format!(", set on {}", entry.clouds.join(", ")) };
        ui::listed(mark, format_args!("{:<24} {here}{clouds}: {}", entry.name, entry.description));
        for (written, meant) in slips.iter().filter(|(_, meant)| meant == entry.name) {
            ui::hint_below(format_args!("`.env` has `{written}`: did you mean `{meant}`?"));
        }
    }
    for Undeclared { name, clouds } in &answer.undeclared {
        let clouds = clouds.join(",");
        ui::listed(Mark::Skipped, format_args!("{name:<24} on {clouds}, but not in `mcp.toml`"));
        ui::hint_below(format_args!(
            "`mcp-deploy secrets remove {name} --target {clouds}` if it is one of yours that was renamed or dropped"
        ));
    }
    Ok(end)
}

fn push(target: &[TargetArg], stage: &str, mode: Mode, dir: Option<&Path>) -> Result<End> {
    let clouds = Clouds::open(target, stage, mode, dir)?;
    if clouds.values.is_empty() {
        let error = Error::new("no declared secret has a value here; nothing was pushed");
        bail!(error.hint("run `mcp-deploy secrets set NAME`"));
    }
    let _alone = Exclusive::to_deploy(&clouds.project.home)?;
    clouds.each(|target, context| {
        let values = context.values_of(target.name);
        let count = values.len();
        if count == 0 {
            ui::mark(Mark::Skipped, format_args!("{}: no value here is of a secret that it needs", target.name));
            return Ok(());
        }
        let s = if count == 1 { "" } else { "s" };
        let cloud = target.cloud()?;
        let step = ui::step(format!("{}: push {count} secret{s}", target.name));
        let pushed = clouds.recorded_anew(target, context, || (cloud.push_secrets)(context, &values));
        match &pushed {
            Ok(()) => step.end(Mark::Good, cloud.pushed),
            Err(_) => step.end(Mark::Bad, ""),
        }
        pushed.with_context(|| format!("cannot push the secrets to {}", target.title))
    })?;
    Ok(End::Done)
}

/// Whether a cloud has a store for secrets; of another target it is said what to use instead.
fn told_apart(target: &Target) -> bool {
    if let Some(by_hand) = target.by_hand() {
        ui::mark(Mark::Skipped, format_args!("{}: {}", target.name, (by_hand.instead)(Inquiry::Secrets)));
    }
    target.by_hand().is_none()
}

/// A stage of a project, its local values, and the clouds whose stores are asked.
struct Clouds {
    project: Project,
    targets: Vec<&'static Target>,
    tools: Option<Toolchain>,
    values: Vec<(String, String)>,
    recorded: Vec<Deployment>,
    mark: Option<ProjectMark>,
}

impl Clouds {
    fn open(target: &[TargetArg], stage: &str, mode: Mode, dir: Option<&Path>) -> Result<Self> {
        let project = Project::open(dir)?.at_stage(stage)?;
        if target.is_empty() && stage != PRODUCTION {
            let error = Error::usage("`--stage` does nothing without `--target`: all stages have the same `.env`");
            bail!(error.hint("name the targets, or leave it out"));
        }
        let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
        let mut targets = chosen(target, &every)?;
        // Of `all` there are those that can be asked; one that is named says why it cannot.
        match target.iter().any(|one| matches!(one, TargetArg::All))
            && targets.iter().any(|target| target.by_hand().is_none())
        {
            true => targets.retain(|target| told_apart(target)),
            false => targets.iter().try_for_each(|target| target.can_be_asked(Inquiry::Secrets))?,
        }
        let values = dotenv::values(&project.home, &project.manifest)?;
        let tools = if targets.is_empty() { None } else { Some(local::tools(&targets, Purpose::Deploy, mode)?) };
        let mark = if tools.is_some() { Some(project.mark(stage)?) } else { None };
        if tools.is_some() {
            project.mirror()?;
        }
        let recorded = Record::read(&project.home)?.current(None, Some(stage));
        Ok(Clouds { project, targets, tools, values, recorded, mark })
    }

    /// Where a change of secrets makes a version, which is served at once, the record names that one from then on: it
    /// is the same code. What somebody else deployed in between stays somebody else's.
    fn recorded_anew(&self, target: &Target, context: &Context<'_>, change: impl FnOnce() -> Result<()>) -> Result<()> {
        let cloud = target.cloud()?;
        let is_here = |one: &&Deployment| one.target == target.name && cloud.secrets_make_versions;
        let recorded: Vec<Deployment> = self.recorded.iter().filter(is_here).cloned().collect();
        let before = release::served(target, context, &recorded);
        change()?;
        for (deployment, _) in recorded.iter().zip(before).filter(|(one, before)| one.version == *before) {
            let serving = (cloud.serving)(context, deployment)
                .context("done, but the new version is unknown, and so not in the record")?;
            if let Some(version) = serving.version.filter(|version| deployment.version.as_ref() != Some(version)) {
                Record::renumber(&self.project.home, deployment, version)?;
            }
        }
        Ok(())
    }

    fn each(&self, mut work: impl FnMut(&'static Target, &Context<'_>) -> Result<()>) -> Result<()> {
        let (Some(tools), Some(mark)) = (&self.tools, self.mark.clone()) else { return Ok(()) };
        let build = Build { root: &self.project.root, manifest: &self.project.manifest, tools };
        let context = Context::new(build, &self.values, &self.recorded, mark, template::project);
        // Nothing is done anywhere before all of them are known to be ours.
        self.targets.iter().try_for_each(|target| release::ours(target, &context))?;
        self.targets.iter().try_for_each(|target| work(target, &context))
    }
}
