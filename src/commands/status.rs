//! `status`: what the record says is deployed, and whether each of them answers.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::End;
use crate::cli::Status;
use crate::deploy::record::{Deployment, Record};
use crate::probe;
use crate::project;
use crate::ui::{self, Mark};

#[derive(Serialize)]
struct Answer {
    deployments: Vec<Entry>,
}

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    deployment: Deployment,
    /// Its health page answers.
    healthy: bool,
}

pub fn run(args: Status, dir: Option<&Path>) -> Result<End> {
    let root = project::find(dir)?;
    let record = Record::read(&root)?;
    let current = record.current(None, None);
    let healthy = |deployment: &Deployment| {
        deployment.url.strip_suffix("/mcp").is_some_and(|base| probe::healthy(&format!("{base}/health")))
    };
    let deployments: Vec<Entry> = std::thread::scope(|scope| {
        let asked: Vec<_> = current.iter().map(|one| (*one, scope.spawn(|| healthy(one)))).collect();
        asked
            .into_iter()
            .map(|(one, thread)| Entry { deployment: one.clone(), healthy: thread.join().unwrap_or(false) })
            .collect()
    });
    let well = deployments.iter().all(|entry| entry.healthy);
    if args.json {
        ui::json(&Answer { deployments })?;
    } else if deployments.is_empty() {
        ui::say("nothing was deployed from here yet\nhint: run `mcp-deploy ship --target CLOUD`");
    } else {
        deployments.iter().for_each(print);
    }
    Ok(if well { End::Done } else { End::Unverified })
}

fn print(entry: &Entry) {
    let deployment = &entry.deployment;
    let mark = if entry.healthy { Mark::Good } else { Mark::Bad };
    ui::mark(mark, format_args!("{:<24} {}", deployment.place(), deployment.url));
    let version = deployment.version.as_ref().map(|version| format!(", version {version}")).unwrap_or_default();
    let commit = deployment.commit.as_ref().map(|commit| {
        let hash = commit.hash.chars().take(10).collect::<String>();
        format!(", commit {hash}{}", if commit.dirty { " with local changes" } else { "" })
    });
    ui::say(format_args!(
        "     {} at {}{version}{}",
        deployment.server_version,
        deployment.time,
        commit.unwrap_or_default()
    ));
}
