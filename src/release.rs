//! Deploys built targets: preflight, upload, live verification, record, and the way back when it fails.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::deploy::record::{self, Deployment, Record, State};
use crate::deploy::{Context, Deployed, Problem, live};
use crate::pipeline;
use crate::probe::{Call, Outcome, Report};
use crate::process::{self, Io};
use crate::project::Project;
use crate::prompt::{self, Mode};
use crate::targets::Target;
use crate::ui::{self, Mark};

/// One place where the server is live now.
#[derive(Serialize)]
pub struct Release {
    #[serde(flatten)]
    pub deployment: Deployment,
    pub report: Report,
    /// The version that is served again, because the new one failed its live checks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolled_back_to: Option<String>,
}

/// How a deployment is to be made.
pub struct Plan<'a> {
    pub project: &'a Project,
    pub stage: &'a str,
    pub calls: &'a [Call],
    /// What proves who we are to a live server, if it asks.
    pub headers: &'a [(String, String)],
    /// How long a new address may take to come alive.
    pub patience: Duration,
    pub rollback_on_failure: bool,
    pub bundle_bytes: Option<u64>,
}

/// Preflight found problems; they were printed.
#[derive(Debug)]
pub struct NotReady(pub Vec<(&'static str, Problem)>);

impl std::error::Error for NotReady {}

impl std::fmt::Display for NotReady {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, s) = (self.0.len(), if self.0.len() == 1 { "" } else { "s" });
        write!(f, "{count} problem{s} found before anything was built or deployed")
    }
}

/// Asks every cloud whether a deployment can work; prints all problems at once.
pub fn preflight(targets: &[&'static Target], context: &Context<'_>, mode: Mode) -> Result<()> {
    let step = ui::step("preflight: credentials, names, secrets");
    let ask = |target: &&'static Target| (target.cloud.preflight)(context);
    let mut found: Vec<Vec<Problem>> = std::thread::scope(|scope| {
        let asked: Vec<_> = targets.iter().map(|target| scope.spawn(move || ask(target))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let count = found.iter().flatten().count();
    step.end(if count == 0 { Mark::Good } else { Mark::Bad }, "");
    for (target, problems) in targets.iter().zip(&mut found) {
        if mode == Mode::Ask && problems.iter().any(|problem| problem.login) && log_in(target, context)? {
            *problems = (target.cloud.preflight)(context);
        }
    }
    let named = targets
        .iter()
        .zip(found)
        .flat_map(|(target, problems)| problems.into_iter().map(|problem| (target.name, problem)));
    let found: Vec<(&str, Problem)> = named.collect();
    for (target, problem) in &found {
        ui::mark(Mark::Bad, format_args!("{target}: {}", problem.message));
        ui::say(format_args!("     hint: {}", problem.hint));
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(NotReady(found).into()),
    }
}

/// The cloud's own login owns the terminal; true when it was run.
fn log_in(target: &Target, context: &Context<'_>) -> Result<bool> {
    let Some(login) = target.cloud.login else { return Ok(false) };
    let cmd = login(context);
    if !prompt::confirm(Mode::Ask, &format!("{}: not logged in. Run `{cmd}` now?", target.title))? {
        return Ok(false);
    }
    process::run(&cmd, Io::Live, None)?;
    Ok(true)
}

/// Deploys one target that was built and verified locally; one result a region.
pub fn release(target: &'static Target, context: &Context<'_>, plan: &Plan<'_>) -> Vec<Result<Release>> {
    let step = (!context.terminal).then(|| ui::step(format!("{}: deploy", target.name)));
    let doing = |what: &str| {
        if let Some(step) = &step {
            step.doing(what);
        }
    };
    let deployed = (target.cloud.deploy)(context, &doing);
    if let Some(step) = step {
        step.end(if deployed.iter().all(Result::is_ok) { Mark::Good } else { Mark::Bad }, "");
    }
    deployed.into_iter().map(|deployed| prove(target, context, plan, deployed?)).collect()
}

/// Records what was deployed before anything else can go wrong, then asks whether it works.
fn prove(target: &'static Target, context: &Context<'_>, plan: &Plan<'_>, deployed: Deployed) -> Result<Release> {
    let home = &plan.project.home;
    let before = Record::read(home)?;
    let mut deployment = Deployment {
        target: target.name.to_owned(),
        stage: plan.stage.to_owned(),
        region: deployed.region,
        url: deployed.url,
        version: deployed.version,
        server_version: context.build.manifest.server.version.clone(),
        time: record::now(),
        commit: record::commit(home),
        bundle_bytes: plan.bundle_bytes,
        state: State::Deployed,
    };
    put(plan, &deployment)?;
    let step = ui::step(format!("{}: verify {}", deployment.place(), deployment.url));
    let report =
        live::verify(&deployment.url, context.build.manifest, plan.calls, plan.headers, plan.patience, &mut |check| {
            step.doing(&check.title)
        });
    let mark = if report.ok() { Mark::Good } else { Mark::Bad };
    step.end(mark, &pipeline::counted(&report));
    report.checks.iter().filter(|check| check.outcome == Outcome::Failed).for_each(pipeline::print_check);
    if process::interrupted() {
        bail!(process::Interrupted);
    }
    deployment.state = if report.ok() { State::Verified } else { State::Failed };
    put(plan, &deployment)?;
    let mut rolled_back_to = None;
    if !report.ok() && plan.rollback_on_failure {
        match before.before(&deployment) {
            Some(earlier) => rolled_back_to = Some(restore(target, context, plan, &deployment, Some(earlier))?),
            None => ui::say(format_args!("{}: there is no earlier deployment to go back to", deployment.place())),
        }
    }
    Ok(Release { deployment, report, rolled_back_to })
}

/// Serves an earlier deployment again and records that it does.
pub fn restore(
    target: &Target,
    context: &Context<'_>,
    plan: &Plan<'_>,
    current: &Deployment,
    to: Option<&Deployment>,
) -> Result<String> {
    let step = ui::step(format!("{}: roll back", current.place()));
    let restored = (target.cloud.rollback)(context, current, to);
    step.end(if restored.is_ok() { Mark::Good } else { Mark::Bad }, restored.as_deref().unwrap_or_default());
    let version = restored.with_context(|| format!("cannot roll back {}", current.place()))?;
    let known = Record::read(&plan.project.home)?
        .deployments
        .into_iter()
        .find(|one| one.same_place(current) && one.version.as_ref() == Some(&version));
    let base = known.unwrap_or_else(|| Deployment {
        commit: None,
        bundle_bytes: None,
        server_version: "unknown".into(),
        ..current.clone()
    });
    put(
        plan,
        &Deployment { version: Some(version.clone()), time: record::now(), state: State::RestoredByRollback, ..base },
    )?;
    Ok(version)
}

/// Several targets end at the same time; one file records them all.
fn put(plan: &Plan<'_>, deployment: &Deployment) -> Result<()> {
    static WRITING: Mutex<()> = Mutex::new(());
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    Record::put(&plan.project.home, deployment.clone())
}
