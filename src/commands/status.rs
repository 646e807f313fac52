//! `status`: what the record says is deployed, and whether each of them answers.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::End;
use crate::cli::Status;
use crate::deploy::record::{Deployment, Record, Unfinished};
use crate::probe;
use crate::project;
use crate::ui::{self, Mark};

#[derive(Serialize)]
struct Answer {
    /// Everything that was deployed answers, and nothing was left in the middle.
    ok: bool,
    deployments: Vec<Entry>,
    unfinished: Vec<Unfinished>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    deployment: Deployment,
    /// Its health page answers.
    healthy: bool,
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
    let deployments: Vec<Entry> = std::thread::scope(|scope| {
        let asked: Vec<_> = current.iter().map(|one| scope.spawn(|| ask(one))).collect();
        let answer = |panic| std::panic::resume_unwind(panic);
        asked.into_iter().map(|thread| thread.join().unwrap_or_else(answer)).collect()
    });
    let ok = deployments.iter().all(|entry| entry.healthy) && record.unfinished.is_empty();
    if args.json {
        ui::json(&Answer { ok, deployments, unfinished: record.unfinished })?;
    } else {
        if deployments.is_empty() {
            ui::say("nothing was deployed from here yet\nhint: run `mcp-deploy ship --target CLOUD`");
        }
        deployments.iter().for_each(print);
        record.unfinished.iter().for_each(print_unfinished);
    }
    Ok(if ok { End::Done } else { End::Unverified })
}

fn ask(deployment: &Deployment) -> Entry {
    let silence = probe::pulse(deployment.own_url()).err();
    Entry {
        deployment: deployment.clone(),
        healthy: silence.is_none(),
        hint: silence.as_ref().and_then(|silence| silence.hint.clone()),
        problem: silence.map(|silence| silence.detail),
    }
}

fn print(entry: &Entry) {
    let deployment = &entry.deployment;
    let mark = if entry.healthy { Mark::Good } else { Mark::Bad };
    ui::listed(mark, format_args!("{:<24} {}", deployment.place(), deployment.own_url()));
    if let Some(problem) = &entry.problem {
        ui::answer(format_args!("     {problem}"));
    }
    if let Some(hint) = &entry.hint {
        ui::say(format_args!("     hint: {hint}"));
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

fn print_unfinished(one: &Unfinished) {
    ui::listed(
        Mark::Bad,
        format_args!("{:<24} a deployment began at {}, and its end was not seen", one.place(), one.time),
    );
    ui::say("     hint: ship again to be sure which version is live");
}
