//! Deploys built targets: preflight, upload, live verification, record, and the way back when it fails.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::json;

use super::adoption;
use super::local;
use crate::deployments::{self, Commit, Deployment, DeploymentState, Record, Unfinished};
use crate::error::{self, Error};
use crate::parallel;
use crate::probe::{Call, Check, Report};
use crate::process;
use crate::project::Project;
use crate::prompt::{self, Mode};
use crate::ship::live;
use crate::targets::Target;
use crate::targets::data_loss;
use crate::targets::deployment::{Context, Deployed, Problem, end_is_unknown};
use crate::targets::ownership::{Found, Takes, Whose};
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
    /// Why it could not be rolled back, though it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_hint: Option<String>,
    /// There is one that worked, to go back to.
    #[serde(skip)]
    pub has_earlier: bool,
}

/// How a deployment is to be made.
pub struct ReleasePlan<'a> {
    pub project: &'a Project,
    pub stage: &'a str,
    pub calls: &'a [Call],
    /// What proves who we are to a live server, if it asks.
    pub headers: &'a [(String, String)],
    /// How long a new address may take to come alive.
    pub patience: Duration,
    pub rollback_on_failure: bool,
    pub bundle_bytes: Option<u64>,
    /// What is deployed, as git knows it.
    pub commit: Option<&'a Commit>,
    /// Served, not in the record, and to be replaced all the same.
    pub accepted: &'a [Stranger],
}

/// A version that the record does not name at its place: somebody else deployed or rolled back since.
#[derive(Debug, Clone, PartialEq)]
pub struct Stranger {
    pub place: Deployment,
    pub serves: String,
}

impl<'a> ReleasePlan<'a> {
    fn questions(&self, deployments: &'a [String]) -> live::Questions<'a> {
        live::Questions { deployments, calls: self.calls, headers: self.headers, patience: self.patience }
    }
}

impl std::fmt::Display for Stranger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (place, serves) = (self.place.place(), &self.serves);
        let recorded = self.place.version.as_deref().unwrap_or("none");
        write!(
            f,
            "{place} serves version {serves}, and the record says {recorded}: somebody else deployed, or rolled back"
        )
    }
}

/// Compares what is served with the record. The health page is asked first, and the cloud where that does not tell;
/// what neither tells is ours. After a deployment whose end was not seen any version may be ours.
pub fn strangers(target: &Target, context: &Context<'_>, record: &Record, stage: &str) -> Vec<Stranger> {
    if record.unfinished_of(target.name, stage).is_some() {
        return Vec::new();
    }
    let recorded = record.current(Some(target.name), Some(stage));
    let served = served(target, context, &recorded);
    let compared = recorded.into_iter().zip(served).filter(|(place, _)| place.version.is_some());
    let other = |(place, serves): (Deployment, Option<String>)| Some(Stranger { serves: serves?, place });
    compared.filter_map(other).filter(|one| one.place.version.as_ref() != Some(&one.serves)).collect()
}

/// What is served at each place; `None` where nobody tells.
pub fn served(target: &Target, context: &Context<'_>, places: &[Deployment]) -> Vec<Option<String>> {
    let told = live::pulses(places).into_iter().map(|pulse| pulse.ok().and_then(|pulse| pulse.deployment));
    let ask =
        |place: &Deployment| (target.cloud().ok()?.serving)(context, place).ok().and_then(|serving| serving.version);
    places.iter().zip(told).map(|(place, told)| told.or_else(|| ask(place))).collect()
}

/// Preflight found problems; they were printed.
fn not_ready(problems: &[(&'static str, Problem)]) -> Error {
    let s = if problems.len() == 1 { "" } else { "s" };
    let listed = problems
        .iter()
        .map(|(target, problem)| json!({ "target": target, "message": problem.message, "hint": problem.hint }));
    Error::new(format!("{} problem{s} found before anything was built or deployed", problems.len()))
        .list("problems", listed.collect())
}

/// Asks every cloud whether a deployment can work, and whose what is there already is; prints all problems at once.
/// What is to be marked as ours that is not yet.
pub fn preflight(targets: &[&'static Target], context: &Context<'_>, mode: Mode, adopt: Option<&str>) -> Result<Takes> {
    if targets.is_empty() {
        return Ok(Takes::Nothing);
    }
    let step = ui::step("preflight: credentials, names, owners, secrets");
    let ask = |target: &Target| match target.cloud() {
        Ok(cloud) => (cloud.preflight)(context),
        Err(error) => (vec![Problem::of(&error, error.to_string(), "")], Vec::new()),
    };
    let mut asked = parallel::map(targets, |target| ask(target));
    let may_be_touched = |found: &[Found]| found.iter().all(|one| adoption::problem(one, mode, adopt).is_none());
    let is_clear = asked.iter().all(|(problems, found)| problems.is_empty() && may_be_touched(found));
    step.end(if is_clear { Mark::Good } else { Mark::Bad }, "");
    if process::interrupted() {
        bail!(process::Interrupted);
    }
    for (target, (problems, found)) in targets.iter().zip(&mut asked) {
        if mode == Mode::Ask && problems.iter().any(|problem| problem.login) && log_in(target, context)? {
            (*problems, *found) = ask(target);
        }
    }
    let mut problems: Vec<(&'static str, Problem)> = Vec::new();
    let (mut unmarked, mut losses) = (Vec::new(), Vec::new());
    for (target, (own, found)) in targets.iter().zip(asked) {
        problems.extend(own.into_iter().map(|problem| (target.name, problem)));
        losses.extend(found.iter().flat_map(|one| one.losses.iter().cloned()));
        for one in found.into_iter().filter(|one| one.whose != Whose::Ours) {
            match adoption::problem(&one, mode, adopt) {
                Some(problem) => problems.push((target.name, problem)),
                None => unmarked.push(one),
            }
        }
    }
    for (target, problem) in &problems {
        ui::mark(Mark::Bad, format_args!("{target}: {}", problem.message));
        ui::hint_below(&problem.hint);
    }
    if !problems.is_empty() {
        bail!(not_ready(&problems));
    }
    adoption::confirm(&unmarked, mode, adopt)?;
    data_loss::confirm(context, &losses)?;
    Ok(match unmarked.iter().map(|one| one.whose).collect::<Vec<_>>() {
        all if all.contains(&Whose::Foreign) => Takes::Foreign,
        all if all.is_empty() => Takes::Nothing,
        _ => Takes::Recorded,
    })
}

/// Fails unless everything that has the names of a deployment is this project's.
pub fn ours(target: &Target, context: &Context<'_>) -> Result<()> {
    let found = (target.cloud()?.found)(context)
        .with_context(|| format!("cannot ask {} whose it is; nothing was touched", target.title))?;
    match found.iter().find(|one| one.whose == Whose::Foreign) {
        None => Ok(()),
        Some(foreign) => {
            let hint = format!(
                "if it is yours, restore `mcp.lock` with git: its `project` is the mark. `mcp-deploy ship --target {} --adopt {}` takes it over",
                target.name, foreign.name
            );
            bail!(Error::new(format!("{}; nothing was touched", foreign.refusal().message)).hint(hint))
        }
    }
}

/// The cloud's own login owns the terminal; true when it was run.
fn log_in(target: &Target, context: &Context<'_>) -> Result<bool> {
    let login = &target.cloud()?.login;
    if !prompt::confirm(Mode::Ask, &format!("{}: {}", target.title, login.question))? {
        return Ok(false);
    }
    (login.run)(context)?;
    Ok(true)
}

/// Deploys one target that was built and verified locally; one result a region, and account.
pub fn release(target: &'static Target, context: &Context<'_>, plan: &ReleasePlan<'_>) -> Vec<Result<Release>> {
    match deploy(target, context, plan) {
        Ok(deployed) => deployed.into_iter().map(|deployment| prove(target, context, plan, deployment?)).collect(),
        Err(error) => vec![Err(error)],
    }
}

/// Everything that was deployed is in the record before anything else can go wrong.
fn deploy(target: &'static Target, context: &Context<'_>, plan: &ReleasePlan<'_>) -> Result<Vec<Result<Deployment>>> {
    let home = &plan.project.home;
    // Before the build it was asked already: this is who came in between.
    let found = strangers(target, context, &Record::read(home)?, plan.stage);
    if let Some(stranger) = found.iter().find(|stranger| !plan.accepted.contains(stranger)) {
        bail!(Error::new(format!("{stranger} while this was built; nothing was deployed")).hint(GET_THEIRS));
    }
    let cloud = target.cloud()?;
    Record::begin(home, begun(target, plan.stage, plan.commit, false))?;
    let step = (!context.terminal).then(|| ui::step(format!("{}: deploy", target.name)));
    let doing = |what: &str| {
        if let Some(step) = &step {
            step.doing(what);
        }
    };
    let results = (cloud.deploy)(context, &doing);
    if let Some(step) = step {
        step.end(if results.iter().all(Result::is_ok) { Mark::Good } else { Mark::Bad }, "");
    }
    let is_open = results.iter().any(|result| result.as_ref().is_err_and(end_is_unknown));
    let mut deployments = Vec::new();
    for result in results {
        let deployment = result.map(|deployed| entry(target, context, plan, deployed));
        if let Ok(deployment) = &deployment {
            Record::put(home, deployment.clone())?;
        }
        deployments.push(deployment);
    }
    if is_open {
        let (name, title) = (target.name, target.title);
        let known = !Record::read(home)?.current(Some(name), Some(plan.stage)).is_empty();
        let back = if known { format!(", or `mcp-deploy rollback --target {name}`") } else { String::new() };
        ui::say(format_args!(
            "{name}: stopped in the middle: {title} may serve what it served before, or the new version"
        ));
        ui::hint_below(format_args!("`mcp-deploy status` tells what it serves; ship again{back}"));
    } else {
        Record::finish(home, target.name, plan.stage)?;
    }
    Ok(deployments)
}

/// What to do when somebody else deployed.
pub const GET_THEIRS: &str =
    "`git pull` brings their record, if they committed it; `mcp-deploy ship --yes` ships over what they deployed";

fn begun(target: &Target, stage: &str, commit: Option<&Commit>, rollback: bool) -> Unfinished {
    let (target, stage) = (target.name.to_owned(), stage.to_owned());
    Unfinished { target, stage, time: deployments::now(), commit: commit.cloned(), rollback }
}

fn entry(target: &Target, context: &Context<'_>, plan: &ReleasePlan<'_>, deployed: Deployed) -> Deployment {
    Deployment {
        target: target.name.to_owned(),
        stage: plan.stage.to_owned(),
        region: deployed.region,
        account: deployed.account,
        stack_set: deployed.stack_set,
        url: deployed.url,
        direct: deployed.direct,
        version: deployed.version,
        server_version: context.build.manifest.server.version.clone(),
        time: deployments::now(),
        commit: plan.commit.cloned(),
        bundle_bytes: plan.bundle_bytes,
        state: DeploymentState::Deployed,
    }
}

/// Asks whether it works, and goes back when it does not and that was asked for.
fn prove(
    target: &Target,
    context: &Context<'_>,
    plan: &ReleasePlan<'_>,
    mut deployment: Deployment,
) -> Result<Release> {
    let home = &plan.project.home;
    let step = ui::step(format!("{}: verify {}", deployment.place(), deployment.own_url()));
    let on_check = &mut |check: &Check| step.doing(&check.title);
    let deployments: Vec<String> = deployment.version.iter().cloned().collect();
    let (url, manifest) = (deployment.own_url(), context.build.manifest);
    let proof = live::verify(url, manifest, Some(target), &plan.questions(&deployments), on_check)?;
    let report = proof.report;
    let mark = if report.ok() { Mark::Good } else { Mark::Bad };
    step.end(mark, &local::counted(&report));
    local::print_answers(&report);
    local::print_unpassed(&report);
    if proof.waited_in_vain && !report.ok() {
        let seconds = plan.patience.as_secs();
        ui::say(format_args!("     it did not come alive within {seconds} s; `--wait SECONDS` gives it more time"));
    }
    deployment.state = if report.ok() { DeploymentState::Verified } else { DeploymentState::Failed };
    Record::put(home, deployment.clone())?;
    let has_earlier = Record::read(home)?.before(&deployment, deployment.version.as_deref()).is_some();
    let mut release =
        Release { deployment, report, rolled_back_to: None, rollback_error: None, rollback_hint: None, has_earlier };
    if !release.report.ok() && plan.rollback_on_failure {
        let record = Record::read(home)?;
        // What the record does not know (a fresh checkout), the cloud itself may.
        let earlier = record.before(&release.deployment, release.deployment.version.as_deref());
        let served = release.deployment.version.as_deref();
        match restore(target, context, plan.project, &release.deployment, served, earlier) {
            Ok(version) => release.rolled_back_to = Some(version),
            Err(error) if process::interrupted() => return Err(error),
            Err(error) => {
                ui::error(&error);
                release.rollback_error = Some(format!("{error:#}"));
                release.rollback_hint = error::hint(&error);
            }
        }
    }
    Ok(release)
}

/// Asks at every domain that leads to several regions, each of which was verified at its own address.
pub fn domains(context: &Context<'_>, plan: &ReleasePlan<'_>, releases: &[Release]) -> Result<Vec<Report>> {
    let shared = releases.iter().map(|release| &release.deployment).filter(|deployment| deployment.direct.is_some());
    let urls: BTreeSet<&str> = shared.map(|deployment| deployment.url.as_str()).collect();
    let ask = |url: &str| {
        let step = ui::step(format!("verify {url}"));
        let on_check = &mut |check: &Check| step.doing(&check.title);
        let behind = releases.iter().map(|release| &release.deployment).filter(|deployment| deployment.url == url);
        let deployments: Vec<String> = behind.filter_map(|deployment| deployment.version.clone()).collect();
        let proof = live::verify(url, context.build.manifest, None, &plan.questions(&deployments), on_check)?;
        let report = proof.report;
        step.end(if report.ok() { Mark::Good } else { Mark::Bad }, &local::counted(&report));
        local::print_unpassed(&report);
        Ok(report)
    };
    urls.into_iter().map(ask).collect()
}

/// Serves an earlier deployment again in place of `served`, and records that it does.
pub fn restore(
    target: &Target,
    context: &Context<'_>,
    project: &Project,
    current: &Deployment,
    served: Option<&str>,
    to: Option<&Deployment>,
) -> Result<String> {
    let step = ui::step(format!("{}: roll back", current.place()));
    let restored = (target.cloud()?.rollback)(context, current, to);
    step.end(if restored.is_ok() { Mark::Good } else { Mark::Bad }, restored.as_deref().unwrap_or_default());
    let version = restored.with_context(|| format!("cannot roll back {}", current.place()))?;
    let known = Record::read(&project.home)?
        .deployments
        .into_iter()
        .find(|one| one.same_place(current) && one.version.as_ref() == Some(&version));
    let base = known.unwrap_or_else(|| Deployment {
        commit: None,
        bundle_bytes: None,
        server_version: "unknown".into(),
        ..current.clone()
    });
    Record::leave(&project.home, current, served)?;
    let restored = Deployment {
        version: Some(version.clone()),
        time: deployments::now(),
        state: DeploymentState::RestoredByRollback,
        ..base
    };
    Record::put(&project.home, restored)?;
    Ok(version)
}

/// Marks a way back as begun before the cloud is touched; one that was begun before, and of which the end was not seen,
/// stays so.
pub fn begin_rollback(target: &Target, home: &Path, stage: &str, record: &Record) -> Result<()> {
    match record.unfinished_of(target.name, stage) {
        Some(_) => Ok(()),
        None => Record::begin(home, begun(target, stage, None, true)),
    }
}
