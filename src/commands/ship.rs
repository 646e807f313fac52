//! `ship`: check → render → packages → types → build → start → verify → stop, for one or several clouds.

use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;

use super::{End, chosen, preview, report};
use crate::cli::Ship;
use crate::packages;
use crate::pipeline::{self, LocalRun};
use crate::probe::{Call, Outcome};
use crate::project::{self, Project};
use crate::prompt::Mode;
use crate::targets::{self, Build, Target};
use crate::toolchain::{Search, Toolchain};
use crate::ui::{self, Mark};

/// What `ship --json` answers.
#[derive(Serialize)]
pub struct Answer {
    pub ok: bool,
    pub runs: Vec<LocalRun>,
    /// Clouds that failed before they could be verified, with the reason.
    pub failures: Vec<Failure>,
}

#[derive(Serialize)]
pub struct Failure {
    pub target: &'static str,
    pub error: String,
    #[serde(skip)]
    pub cause: anyhow::Error,
}

pub fn run(args: Ship, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
    let targets = chosen(&args.target, &every)?;
    if targets.is_empty() {
        bail!(
            "the manifest names no cloud\nhint: add `[targets.lambda]`, `[targets.vercel]` or `[targets.cloudflare]` to `mcp.toml`"
        );
    }
    project::print(&project.warnings);
    if args.dry_run {
        return dry_run(&project, &targets, args.local);
    }
    if !args.local {
        bail!(
            "deploying to an account comes with the next release; nothing was done\nhint: `mcp-deploy ship --local` does everything up to the deployment"
        );
    }
    let tools = pipeline::tools(&targets, Mode::of(args.yes))?;
    let answer = locally(&project, &tools, &targets, &args.calls.call)?;
    if args.json {
        ui::json(&answer)?;
    }
    end(answer)
}

/// The whole local way for every target; one that fails does not stop the others.
pub fn locally(project: &Project, tools: &Toolchain, targets: &[&'static Target], calls: &[Call]) -> Result<Answer> {
    report(&project.plan()?.apply(false)?);
    pipeline::prepare(project, tools)?;
    let build = Build { root: &project.root, manifest: &project.manifest, tools };
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for target in targets {
        match one(target, &build, calls) {
            Ok(run) => runs.push(run),
            Err(cause) if crate::process::interrupted() => return Err(cause),
            Err(cause) => {
                ui::error(&cause);
                failures.push(Failure { target: target.name, error: format!("{cause:#}"), cause });
            }
        }
    }
    let ok = failures.is_empty() && runs.iter().all(|run| run.report.ok());
    if targets.len() > 1 {
        summary(targets, &runs);
    }
    Ok(Answer { ok, runs, failures })
}

fn one(target: &'static Target, build: &Build<'_>, calls: &[Call]) -> Result<LocalRun> {
    pipeline::build(target, build)?;
    let step = ui::step(format!("{}: run and verify", target.name));
    let run = pipeline::run_locally(target, build, calls, &mut |check| step.doing(&check.title))?;
    let mark = if run.report.ok() { Mark::Good } else { Mark::Bad };
    step.end(mark, &format!("{} ({})", pipeline::counted(&run.report), run.runtime));
    run.report.checks.iter().filter(|check| check.outcome == Outcome::Failed).for_each(pipeline::print_check);
    Ok(run)
}

fn summary(targets: &[&'static Target], runs: &[LocalRun]) {
    ui::say("");
    for target in targets {
        match runs.iter().find(|run| run.target == target.name) {
            Some(run) => {
                let mark = if run.report.ok() { Mark::Good } else { Mark::Bad };
                let size = run.bundle.map(|size| format!(", {} kB", size.raw.div_ceil(1000))).unwrap_or_default();
                ui::mark(mark, format_args!("{:<20} {}{size}", target.title, pipeline::counted(&run.report)));
            }
            None => ui::mark(Mark::Bad, format_args!("{:<20} failed before it could be verified", target.title)),
        }
    }
}

/// A failed tool's exit code goes before a failed verification.
pub fn end(answer: Answer) -> Result<End> {
    match answer.failures.into_iter().next() {
        Some(failure) => Err(anyhow::Error::new(AlreadyShown(failure.cause))),
        None if answer.ok => Ok(End::Done),
        None => Ok(End::Unverified),
    }
}

/// An error that was printed when it happened; only its exit code is still to come.
#[derive(Debug)]
pub struct AlreadyShown(pub anyhow::Error);

impl std::error::Error for AlreadyShown {}

impl std::fmt::Display for AlreadyShown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Every file that would be written, every command that would be run; touches nothing.
fn dry_run(project: &Project, targets: &[&'static Target], local: bool) -> Result<End> {
    preview(&project.plan()?);
    let names: Vec<&str> = targets.iter().map(|target| target.name).collect();
    let tools = Toolchain::named(&names, &Search::from_env()?);
    if let Some(cmd) = packages::install_command(&project.root, &tools) {
        ui::answer(format_args!("would run  {cmd}"));
    }
    ui::answer(format_args!("would run  {}", packages::type_check_command(&project.root, &tools)));
    let build = Build { root: &project.root, manifest: &project.manifest, tools: &tools };
    for target in targets {
        for step in (target.build)(&build) {
            ui::answer(format_args!("would run  {}", step.cmd));
        }
        ui::answer(format_args!(
            "would run  what was built for {} on a free port, verify it and stop it",
            target.title
        ));
    }
    if !local {
        ui::say("deploying to an account comes with the next release");
    }
    Ok(End::Done)
}
