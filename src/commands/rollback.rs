//! `rollback`: serves an earlier deployment again, and proves that it does.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::{Deployments, End};
use crate::cli::Rollback;
use crate::deploy::record::Record;
use crate::probe;
use crate::prompt::{self, Mode, Usage};
use crate::release::{self, Plan};
use crate::ui::{self, Mark};

#[derive(Serialize)]
struct Answer {
    ok: bool,
    restored: Vec<Restored>,
}

#[derive(Serialize)]
struct Restored {
    region: Option<String>,
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
    let record = Record::read(&all.project.home)?;
    let plan = Plan {
        project: &all.project,
        stage: &args.stage.stage,
        calls: &[],
        headers: &[],
        patience: Duration::ZERO,
        rollback_on_failure: false,
        bundle_bytes: None,
    };
    let mut restored = Vec::new();
    for current in &all.current {
        let to = match &args.to {
            Some(version) => {
                let known = record
                    .deployments
                    .iter()
                    .find(|one| one.same_place(current) && one.version.as_ref() == Some(version))
                    .cloned();
                Some(known.unwrap_or_else(|| crate::deploy::record::Deployment {
                    version: Some(version.clone()),
                    ..current.clone()
                }))
            }
            None => record.before(current).cloned(),
        };
        let version = release::restore(all.target, &context, &plan, current, to.as_ref())?;
        let healthy = comes_alive(&current.url);
        ui::mark(
            if healthy { Mark::Good } else { Mark::Bad },
            format_args!("{} serves {version} at {}", current.place(), current.url),
        );
        restored.push(Restored { region: current.region.clone(), url: current.url.clone(), version, healthy });
    }
    let ok = restored.iter().all(|one| one.healthy);
    if args.json {
        ui::json(&Answer { ok, restored })?;
    }
    Ok(if ok { End::Done } else { End::Unverified })
}

/// Within seconds: the address was alive before.
fn comes_alive(url: &str) -> bool {
    let Some(base) = url.strip_suffix("/mcp") else { return false };
    (0..20).any(|attempt| {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(500));
        }
        probe::healthy(&format!("{base}/health"))
    })
}
