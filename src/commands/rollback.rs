//! `rollback`: serves an earlier deployment again, and proves that it does.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::ship::Failure;
use super::{Deployments, End};
use crate::cli::Rollback;
use crate::deployments::{Deployment, Record};
use crate::error::Error;
use crate::files::Exclusive;
use crate::process;
use crate::prompt::{self, Mode};
use crate::ship::live;
use crate::ship::release;
use crate::targets::deployer::Inquiry;
use crate::targets::deployment::{self, Context};
use crate::ui::{self, Mark};

#[derive(Serialize)]
struct RollbackAnswer {
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
    let all = Deployments::open(dir, Inquiry::Rollback, args.target, &args.stage.stage, mode)?;
    let question = format!(
        "Roll {} of `{}` back to {}?",
        all.target.title,
        all.project.manifest.app,
        args.to.as_deref().unwrap_or("the deployment before")
    );
    match mode {
        Mode::Refuse => bail!(Error::usage("`--yes` is missing, and there is no terminal to ask on")),
        mode if !prompt::confirm(mode, &question)? => bail!("not confirmed; nothing was changed"),
        _ => {}
    }
    let _alone = Exclusive::to_deploy(&all.project.home)?;
    all.ours()?;
    let context = all.context(&[], false);
    let (home, name) = (&all.project.home, all.target.name);
    let record = Record::read(home)?;
    let was_open = record.unfinished_of(name, &args.stage.stage).is_some();
    let served = release::served(all.target, &context, &all.current);
    release::begin_rollback(all.target, home, &args.stage.stage, &record)?;
    let (mut restored, mut failures) = (Vec::new(), Vec::new());
    let mut is_open = false;
    for (current, served) in all.current.iter().zip(&served) {
        match go_back(&all, &context, current, served.as_deref(), args.to.as_deref(), was_open) {
            Ok(one) => restored.push(one),
            Err(cause) if process::interrupted() => return Err(cause),
            Err(cause) => {
                let known = served.as_deref().or(current.version.as_deref());
                let serving = || (all.target.cloud()?.serving)(&context, current);
                let is_still = || serving().is_ok_and(|serving| serving.is_still(known));
                is_open |= was_open || deployment::end_is_unknown(&cause) || !is_still();
                failures.push(Failure::new(all.target, cause));
            }
        }
    }
    if !is_open {
        Record::finish(home, name, &args.stage.stage)?;
    }
    let ok = failures.is_empty() && restored.iter().all(|one| one.healthy);
    let answer = RollbackAnswer { ok, restored, failures };
    if args.json {
        ui::json(&answer)?;
    }
    match answer.failures.into_iter().next() {
        Some(failure) => bail!(Error::shown(failure.cause)),
        None if ok => Ok(End::Done),
        None => Ok(End::Unverified),
    }
}

fn go_back(
    all: &Deployments,
    context: &Context<'_>,
    current: &Deployment,
    served: Option<&str>,
    to: Option<&str>,
    was_open: bool,
) -> Result<Restored> {
    let record = Record::read(&all.project.home)?;
    let served = served.or(if was_open { None } else { current.version.as_deref() });
    if served != current.version.as_deref() {
        let serves =
            served.map_or_else(|| "does not tell what it serves".to_owned(), |one| format!("serves version {one}"));
        let recorded = current.version.as_deref().unwrap_or("none");
        ui::say(format_args!("{} {serves}; the record says {recorded}", current.place()));
    }
    let to = match to {
        Some(version) => {
            let is_named = |one: &&Deployment| one.same_place(current) && one.version.as_deref() == Some(version);
            let unknown = || Deployment { version: Some(version.to_owned()), ..current.clone() };
            Some(record.deployments.iter().find(is_named).cloned().unwrap_or_else(unknown))
        }
        // What was begun goes back to what there was before it.
        None if was_open => record.last_good(current).cloned(),
        None => record.before(current, served).cloned(),
    };
    let already = to.as_ref().and_then(|to| to.version.clone()).filter(|version| served == Some(version.as_str()));
    let version = match already {
        Some(version) => {
            ui::say(format_args!("{} serves {version} already: nothing was changed", current.place()));
            version
        }
        None => release::restore(all.target, context, &all.project, current, served, to.as_ref())?,
    };
    let alive = live::wait(current.own_url(), std::slice::from_ref(&version), PATIENCE)?;
    let mark = if alive.is_ok() { Mark::Good } else { Mark::Bad };
    ui::mark(mark, format_args!("{} serves {version} at {}", current.place(), current.own_url()));
    if let Err(silence) = &alive {
        ui::say(format_args!("     its health page does not answer as it should: {}", silence.detail));
        silence.hint.iter().for_each(ui::hint_below);
    }
    Ok(Restored {
        region: current.region.clone(),
        account: current.account.clone(),
        url: current.url.clone(),
        version,
        healthy: alive.is_ok(),
    })
}

/// The address was alive before, and some time may pass until all of a cloud serves another version.
const PATIENCE: Duration = Duration::from_secs(30);
