//! `rollback`: serves an earlier deployment again, and proves that it does.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::ship::Failure;
use super::{AlreadyShown, Deployments, End};
use crate::cli::Rollback;
use crate::deploy::record::{Deployment, Record};
use crate::deploy::{Context, live};
use crate::process;
use crate::prompt::{self, Mode, Usage};
use crate::release;
use crate::ui::{self, Mark};

#[derive(Serialize)]
struct Answer {
    ok: bool,
    /// One a region.
    restored: Vec<Restored>,
    failures: Vec<Failure>,
}

#[derive(Serialize)]
struct Restored {
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    url: String,
    version: String,
    healthy: bool,
}

pub fn run(args: Rollback, dir: Option<&Path>) -> Result<End> {
    let mode = Mode::for_answer(args.yes, args.json);
    let all = Deployments::open(dir, args.target, &args.stage.stage, mode)?;
    let question = format!(
        "Roll {} of `{}` back to {}?",
        all.target.title,
        all.project.manifest.app,
        args.to.as_deref().unwrap_or("the deployment before")
    );
    match mode {
        Mode::Refuse => bail!(Usage("`--yes` is missing, and there is no terminal to ask on".into())),
        mode if !prompt::confirm(mode, &question)? => bail!("not confirmed; nothing was changed"),
        _ => {}
    }
    let context = all.context(&[], false);
    let (mut restored, mut failures) = (Vec::new(), Vec::new());
    for current in &all.current {
        match go_back(&all, &context, current, args.to.as_deref()) {
            Ok(one) => restored.push(one),
            Err(cause) if process::interrupted() => return Err(cause),
            Err(cause) => failures.push(Failure::new(all.target, cause)),
        }
    }
    let ok = failures.is_empty() && restored.iter().all(|one| one.healthy);
    let answer = Answer { ok, restored, failures };
    if args.json {
        ui::json(&answer)?;
    }
    match answer.failures.into_iter().next() {
        Some(failure) => Err(AlreadyShown(failure.cause).into()),
        None if ok => Ok(End::Done),
        None => Ok(End::Unverified),
    }
}

fn go_back(all: &Deployments, context: &Context<'_>, current: &Deployment, to: Option<&str>) -> Result<Restored> {
    let record = Record::read(&all.project.home)?;
    let to = match to {
        Some(version) => {
            let is_named = |one: &&Deployment| one.same_place(current) && one.version.as_deref() == Some(version);
            let unknown = || Deployment { version: Some(version.to_owned()), ..current.clone() };
            Some(record.deployments.iter().find(is_named).cloned().unwrap_or_else(unknown))
        }
        None => record.before(current).cloned(),
    };
    let version = release::restore(all.target, context, &all.project, current, to.as_ref())?;
    let alive = live::wait(current.own_url(), PATIENCE)?;
    let mark = if alive.is_ok() { Mark::Good } else { Mark::Bad };
    ui::mark(mark, format_args!("{} serves {version} at {}", current.place(), current.own_url()));
    if let Err(silence) = &alive {
        ui::say(format_args!("     its health page does not answer that it is well: {}", silence.detail));
        silence.hint.iter().for_each(|hint| ui::say(format_args!("     hint: {hint}")));
    }
    Ok(Restored {
        region: current.region.clone(),
        account: current.account.clone(),
        url: current.url.clone(),
        version,
        healthy: alive.is_ok(),
    })
}

/// The address was alive before.
const PATIENCE: Duration = Duration::from_secs(10);
