//! `status`: what the record says is deployed, and whether each of them answers.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::End;
use crate::cli::Status;
use crate::deployments::{Deployment, Record, Unfinished};
use crate::probe::{Pulse, Silence};
use crate::project::{self, Project};
use crate::ship::live;
use crate::targets::{self, deployer::Inquiry};
use crate::ui::{self, Mark};

#[derive(Serialize)]
struct StatusAnswer {
    /// Everything that was deployed answers, and nothing was left in the middle.
    ok: bool,
    deployments: Vec<StatusEntry>,
    unfinished: Vec<Unfinished>,
}

#[derive(Serialize)]
struct StatusEntry {
    #[serde(flatten)]
    deployment: Deployment,
    /// Its health page answers.
    healthy: bool,
    /// The version that answers, where its health page tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    serves: Option<String>,
    /// Whether that is the version of the record; absent where it is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_recorded: Option<bool>,
    /// What it answered instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip)]
    hint: Option<String>,
}

pub fn run(args: Status, dir: Option<&Path>) -> Result<End> {
    let root = project::find(dir)?;
    let record = Record::read(&root)?;
    let current = record.current(None, None);
    let answers = live::pulses(&current);
    let deployments: Vec<StatusEntry> =
        current.into_iter().zip(answers).map(|(one, answer)| entry(one, answer)).collect();
    let is_well = |entry: &StatusEntry| entry.healthy && entry.as_recorded != Some(false);
    let ok = deployments.iter().all(is_well) && record.unfinished.is_empty();
    if args.json {
        ui::json(&StatusAnswer { ok, deployments, unfinished: record.unfinished })?;
    } else {
        if deployments.is_empty() {
            ui::say("nothing was deployed from here yet");
            ui::hint("run `mcp-deploy ship --target CLOUD`");
            by_hand(dir);
        }
        let is_open =
            |entry: &StatusEntry| record.unfinished_of(&entry.deployment.target, &entry.deployment.stage).is_some();
        deployments.iter().for_each(|entry| print(entry, is_open(entry)));
        record.unfinished.iter().for_each(|one| print_unfinished(one, &deployments));
    }
    Ok(if ok { End::Done } else { End::Unverified })
}

/// What is not in the record, because its owner deploys it.
fn by_hand(dir: Option<&Path>) {
    let Ok(project) = Project::open(dir) else { return };
    for target in targets::chosen(&project.manifest.targets) {
        if let Some(by_hand) = target.by_hand() {
            ui::hint(format_args!("{}: {}", target.name, (by_hand.instead)(Inquiry::Status)));
        }
    }
}

fn entry(deployment: Deployment, answer: Result<Pulse, Silence>) -> StatusEntry {
    let (pulse, silence) = match answer {
        Ok(pulse) => (pulse, None),
        Err(silence) => (Pulse::default(), Some(silence)),
    };
    let both = pulse.deployment.as_ref().zip(deployment.version.as_ref());
    StatusEntry {
        as_recorded: both.map(|(serves, recorded)| serves == recorded),
        healthy: silence.is_none(),
        hint: silence.as_ref().and_then(|silence| silence.hint.clone()),
        problem: silence.map(|silence| silence.detail),
        serves: pulse.deployment,
        deployment,
    }
}

fn print(entry: &StatusEntry, is_open: bool) {
    let deployment = &entry.deployment;
    let is_well = entry.healthy && entry.as_recorded != Some(false);
    let mark = if is_well { Mark::Good } else { Mark::Bad };
    ui::listed(mark, format_args!("{:<24} {}", deployment.place(), deployment.own_url()));
    if let Some(problem) = &entry.problem {
        ui::answer(format_args!("     {problem}"));
    }
    if let Some(hint) = &entry.hint {
        ui::hint_below(hint);
    }
    if let (Some(false), Some(serves)) = (entry.as_recorded, &entry.serves) {
        let recorded = deployment.version.as_deref().unwrap_or_default();
        ui::answer(format_args!("     it serves version {serves}, and the record says {recorded}"));
        if !is_open {
            ui::hint_below(
                "somebody else deployed or rolled back: `git pull` brings their record, if they committed it; else ship again",
            );
        }
    }
    let version = deployment.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
    let commit = deployment.commit.as_ref().map(|commit| {
        let hash = commit.hash.chars().take(10).collect::<String>();
        format!(", commit {hash}{}", if commit.dirty { " with local changes" } else { "" })
    });
    let state = deployment.state.words();
    ui::answer(format_args!(
        "     {} at {}, {state}{version}{}",
        deployment.server_version,
        deployment.time,
        commit.unwrap_or_default()
    ));
}

fn print_unfinished(one: &Unfinished, deployments: &[StatusEntry]) {
    let what = if one.rollback { "rollback" } else { "deployment" };
    ui::listed(Mark::Bad, format_args!("{:<24} a {what} began at {}, and its end was not seen", one.place(), one.time));
    let here: Vec<&StatusEntry> = deployments
        .iter()
        .filter(|entry| entry.deployment.target == one.target && entry.deployment.stage == one.stage)
        .collect();
    for entry in &here {
        let place = entry.deployment.place();
        let said = match (&entry.serves, entry.as_recorded) {
            (Some(serves), Some(true)) => format!("{place} serves version {serves}, as it did before"),
            (Some(serves), _) => format!("{place} serves version {serves}, which is not the one of before"),
            (None, _) => format!("{place} does not tell which version it serves"),
        };
        ui::answer(format_args!("     {said}"));
    }
    let back = if here.is_empty() { "" } else { ", or go back with `mcp-deploy rollback`" };
    ui::hint_below(format_args!("ship again{back}"));
}
