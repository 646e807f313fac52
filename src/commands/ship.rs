//! `ship`: check → render → packages → types → build → run and verify here → deploy → verify live, for several clouds.

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::render::{FileEntry, files};
use super::{End, chosen, no_cloud, preview, report};
use crate::cli::Ship;
use crate::deployments::{self, Record};
use crate::error::{self, Error};
use crate::files::Exclusive;
use crate::manifest::Manifest;
use crate::parallel;
use crate::probe::{Call, Report};
use crate::process;
use crate::project::manager::Packages;
use crate::project::npm;
use crate::project::{self, Project};
use crate::prompt::{self, Mode};
use crate::secrets::dotenv;
use crate::ship::comparison;
use crate::ship::local::{self, LocalRun};
use crate::ship::release::{self, GET_THEIRS, Release, ReleasePlan, Stranger};
use crate::ship::server_log;
use crate::targets::deployer::{HandOver, Way};
use crate::targets::deployment::Context;
use crate::targets::{self, Build, Target};
use crate::template;
use crate::toolchain::{Purpose, Search, Toolchain};
use crate::ui::{self, Mark};

/// What `ship --json` answers.
#[derive(Serialize)]
pub struct ShipAnswer {
    pub ok: bool,
    /// Local runs, one a cloud.
    pub runs: Vec<LocalRun>,
    /// What is live now; empty under `--local`.
    pub releases: Vec<Release>,
    /// What was proven here, and its owner brings live.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub handed_over: Vec<HandOver>,
    /// At domains that lead to several regions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<Report>,
    /// Clouds of which something failed before it could be verified, with the reason.
    pub failures: Vec<Failure>,
    /// Whether all live servers list the same tools; absent when fewer than two were deployed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parity: Option<bool>,
    /// Whether all servers, here and live, answered each call alike; absent when there was nothing to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alike: Option<bool>,
}

impl ShipAnswer {
    /// Says whether all of it went well.
    fn new(runs: Vec<LocalRun>, live: Live, failures: Vec<Failure>, alike: Option<bool>) -> Self {
        let Live { releases, handed_over, domains, parity } = live;
        let reports = releases.iter().map(|release| &release.report).chain(&domains);
        let verified = runs.iter().all(LocalRun::ok) && reports.into_iter().all(Report::ok);
        let ok = failures.is_empty() && verified && parity != Some(false) && alike != Some(false);
        ShipAnswer { ok, runs, releases, handed_over, domains, failures, parity, alike }
    }
}

/// What an upload adds to it.
#[derive(Default)]
struct Live {
    releases: Vec<Release>,
    handed_over: Vec<HandOver>,
    domains: Vec<Report>,
    parity: Option<bool>,
}

#[derive(Serialize)]
pub struct Failure {
    pub target: &'static str,
    pub error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(skip)]
    pub cause: anyhow::Error,
}

impl Failure {
    pub fn new(target: &Target, cause: anyhow::Error) -> Self {
        ui::error(&cause);
        Failure { target: target.name, error: format!("{cause:#}"), hint: error::hint(&cause), cause }
    }
}

pub fn run(args: Ship, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    project::print(&project.warnings);
    let project = project.at_stage(&args.stage.stage)?;
    let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
    if every.is_empty() {
        bail!(no_cloud());
    }
    let targets = if args.target.is_empty() { vec![only(&every)?] } else { chosen(&args.target, &every)? };
    if let Some(error) = targets::unfit(&targets, &project.home).filter(|_| !args.is_prebuilt()) {
        bail!(error);
    }
    local::declared(&args.calls.call, &project.manifest)?;
    local::accepted(&args.calls.call, &project.manifest)?;
    if !args.is_prebuilt() {
        project.has_handlers()?;
    }
    if args.dry_run {
        return dry_run(&project, &targets, &args);
    }
    let mode = Mode::for_answer(args.yes, args.json);
    let purpose = if args.local { Purpose::Run } else { Purpose::Deploy };
    let tools = local::tools(&targets, purpose, mode)?;
    let answer = match args.local {
        true => {
            project.mirror()?;
            locally(&project, &tools, &targets, &args.calls.call, !args.no_compare, mode)?
        }
        false => live(&project, &tools, &targets, &args, mode)?,
    };
    if args.json {
        ui::json(&answer)?;
    } else {
        let mut urls: Vec<_> = answer.releases.iter().map(|release| &release.deployment.url).collect();
        urls.dedup(); // one domain of several regions
        urls.into_iter().for_each(ui::answer);
        answer.handed_over.iter().for_each(|handed| ui::answer(handed.folder.display()));
    }
    end(answer)
}

/// The target of a manifest that names one.
fn only(every: &[&'static Target]) -> Result<&'static Target> {
    let [target] = every else {
        let names: Vec<&str> = every.iter().map(|target| target.name).collect();
        let error =
            Error::usage(format!("the manifest has {} targets, and `--target` names none of them", names.len()));
        bail!(error.hint(format!("add `--target {}`, or one of them, or `--target all`", names.join(","))));
    };
    Ok(*target)
}

/// The whole local way for every target; one that fails does not stop the others.
pub fn locally(
    project: &Project,
    tools: &Toolchain,
    targets: &[&'static Target],
    calls: &[Call],
    comparing: bool,
    mode: Mode,
) -> Result<ShipAnswer> {
    report(&project.plan_to_build()?.apply(false)?);
    local::prepare(project, tools, mode)?;
    let build = Build { root: &project.root, manifest: &project.manifest, tools };
    let (mut runs, mut failures) = (Vec::new(), Vec::new());
    for target in targets {
        match one(target, &build, calls) {
            Ok(run) => runs.push(run),
            Err(cause) if process::interrupted() => return Err(cause),
            Err(cause) => failures.push(Failure::new(target, cause)),
        }
    }
    if targets.len() > 1 {
        summary(targets, &runs);
    }
    let alike = comparing.then(|| comparison::compare(&here(&runs))).flatten();
    Ok(ShipAnswer::new(runs, Live::default(), failures, alike))
}

fn here(runs: &[LocalRun]) -> Vec<(String, &Report)> {
    runs.iter().map(|run| (format!("{} here", run.target), &run.report)).collect()
}

/// The local way, then each cloud that passed it is deployed, side by side, and verified live.
fn live(
    project: &Project,
    tools: &Toolchain,
    targets: &[&'static Target],
    args: &Ship,
    mode: Mode,
) -> Result<ShipAnswer> {
    let _alone = Exclusive::to_deploy(&project.home)?;
    // One that cannot be read could not be written after the deployment either.
    let record = Record::read(&project.home)?;
    let recorded = record.current(None, Some(&args.stage.stage));
    let headers = local::bearer_header(args.calls.bearer_env.as_deref())?;
    let values = dotenv::values(&project.home, &project.manifest)?;
    let mark = project.mark(&args.stage.stage)?;
    let build = Build { root: &project.root, manifest: &project.manifest, tools };
    let mut context = Context {
        terminal: ui::interactive() && !args.json && is_shown(targets, &project.manifest),
        limit: Duration::from_secs(args.timeout),
        asks: mode == Mode::Ask,
        allow_data_loss: &args.allow_data_loss,
        ..Context::new(build, &values, &recorded, mark, template::project)
    };
    project.mirror()?;
    let by_api: Vec<&'static Target> = targets.iter().copied().filter(|target| target.by_hand().is_none()).collect();
    context.takes = match release::preflight(&by_api, &context, mode, args.adopt.as_deref()) {
        Ok(takes) => takes,
        Err(error) => {
            // A secret without a value may have one under another name.
            for (written, meant) in dotenv::slips(&project.home, &project.manifest)? {
                ui::mark(Mark::Skipped, format_args!("`.env` has `{written}`: did you mean `{meant}`?"));
            }
            return Err(error);
        }
    };
    let accepted = others(&by_api, &context, &record, &args.stage.stage, mode)?;
    if !args.is_prebuilt() {
        report(&project.plan_to_build()?.apply(false)?);
        local::prepare(project, tools, mode)?;
    }
    let (mut runs, mut ready, mut failures) = (Vec::new(), Vec::new(), Vec::new());
    for target in targets {
        if args.is_prebuilt() {
            ready.push((*target, None));
            continue;
        }
        let steps = match target.by_hand() {
            Some(_) => Ok(Vec::new()),
            None => target.cloud().and_then(|cloud| (cloud.prepare)(&context)),
        };
        let prepared =
            steps.and_then(|steps| steps.iter().try_for_each(|step| local::run_step(target, &project.root, step)));
        match prepared.and_then(|()| one(target, &context.build, &args.calls.call)) {
            Ok(run) => {
                if run.ok() {
                    ready.push((*target, run.bundle.map(|size| size.raw)));
                }
                runs.push(run);
            }
            Err(cause) if process::interrupted() => return Err(cause),
            Err(cause) => failures.push(Failure::new(target, cause)),
        }
    }
    if !args.no_compare && comparison::compare(&here(&runs)) == Some(false) {
        ui::say("nothing was deployed");
        return Ok(ShipAnswer::new(runs, Live::default(), failures, Some(false)));
    }
    let commit = deployments::commit(&project.home);
    let plan = |bundle_bytes| ReleasePlan {
        project,
        stage: &args.stage.stage,
        calls: &args.calls.call,
        headers: &headers,
        patience: Duration::from_secs(args.wait),
        rollback_on_failure: args.rollback_on_failure,
        bundle_bytes,
        commit: commit.as_ref(),
        accepted: &accepted,
    };
    let (context, plan) = (&context, &plan);
    let hand_over = |(target, _): &(&'static Target, _)| Some((target.by_hand()?.hand_over)(&context.build));
    let handed_over: Vec<HandOver> = ready.iter().filter_map(hand_over).collect();
    ready.retain(|(target, _)| target.by_hand().is_none());
    let results =
        parallel::map(&ready, |(target, bundle)| (*target, release::release(target, context, &plan(*bundle))));
    if process::interrupted() {
        bail!(process::Interrupted);
    }
    let mut releases = Vec::new();
    for (target, results) in results {
        for result in results {
            match result {
                Ok(release) => releases.push(release),
                Err(cause) => failures.push(Failure::new(target, cause)),
            }
        }
    }
    let domains = release::domains(context, &plan(None), &releases)?;
    let parity = parity(&releases);
    live_summary(targets, &runs, &releases, &failures, parity);
    handed_over.iter().for_each(print_handed_over);
    let mut servers = here(&runs);
    servers.extend(releases.iter().map(|release| (release.deployment.place(), &release.report)));
    servers.extend(domains.iter().map(|report| (report.url.clone(), report)));
    let alike = (!args.no_compare && servers.len() > runs.len()).then(|| comparison::compare(&servers)).flatten();
    Ok(ShipAnswer::new(runs, Live { releases, handed_over, domains, parity }, failures, alike))
}

/// The end of the way, for people.
fn print_handed_over(HandOver { target, folder, ways }: &HandOver) {
    ui::say(format_args!("\n{target}: nothing was deployed. All that the image needs is in {}\n", folder.display()));
    for Way { to, commands, note } in ways {
        ui::say(format_args!("{to}:"));
        commands.iter().for_each(|command| ui::say(format_args!("  {command}")));
        note.iter().for_each(ui::hint_below);
    }
    ui::hint("when it runs: `mcp-deploy verify URL`");
}

/// Whether the tool of the only target shows what it does.
fn is_shown(targets: &[&'static Target], manifest: &Manifest) -> bool {
    matches!(targets, [only] if only.cloud().is_ok_and(|cloud| (cloud.is_shown)(manifest)))
}

/// What somebody else deployed since the record was written: told before anything is built, and replaced when that is
/// wanted.
fn others(
    targets: &[&'static Target],
    context: &Context<'_>,
    record: &Record,
    stage: &str,
    mode: Mode,
) -> Result<Vec<Stranger>> {
    let found = targets.iter().flat_map(|target| release::strangers(target, context, record, stage));
    let found: Vec<Stranger> = found.collect();
    for stranger in &found {
        match mode {
            Mode::Defaults => ui::say(format_args!("{stranger}; it is shipped over")),
            Mode::Ask | Mode::Refuse => ui::mark(Mark::Bad, stranger),
        }
    }
    if found.is_empty() {
        return Ok(found);
    }
    match mode {
        Mode::Refuse => {
            bail!(
                Error::new("the record does not match what is served; nothing was built or deployed").hint(GET_THEIRS)
            )
        }
        mode if !prompt::confirm(mode, "Ship over it?")? => {
            bail!(Error::new("not confirmed; nothing was built or deployed").hint(GET_THEIRS))
        }
        _ => Ok(found),
    }
}

fn one(target: &'static Target, build: &Build<'_>, calls: &[Call]) -> Result<LocalRun> {
    local::build(target, build)?;
    let step = ui::step(format!("{}: run and verify here", target.name));
    let run = local::run_locally(target, build, calls, &mut |check| step.doing(&check.title))?;
    let mark = mark(&run);
    step.end(mark, &format!("{} ({})", local::counted(&run.report), run.runtime));
    local::print_answers(&run.report);
    local::print_unpassed(&run.report);
    server_log::print(&run.log);
    Ok(run)
}

fn mark(run: &LocalRun) -> Mark {
    match (&run.not_run, run.ok()) {
        (Some(_), _) => Mark::Skipped,
        (None, true) => Mark::Good,
        (None, false) => Mark::Bad,
    }
}

fn summary(targets: &[&'static Target], runs: &[LocalRun]) {
    ui::say("");
    for target in targets {
        match runs.iter().find(|run| run.target == target.name) {
            Some(run) => {
                let mark = mark(run);
                let size = run.bundle.map(|size| format!(", {} kB", size.raw.div_ceil(1000))).unwrap_or_default();
                ui::mark(mark, format_args!("{:<20} {}{size}", target.title, local::counted(&run.report)));
            }
            None => ui::mark(Mark::Bad, format_args!("{:<20} failed before it could be verified", target.title)),
        }
    }
}

/// Whether the live `tools/list` answers are all the same.
fn parity(releases: &[Release]) -> Option<bool> {
    let (first, rest) = releases.split_first()?;
    let tools = first.report.tools.as_ref();
    (!rest.is_empty()).then(|| tools.is_some() && rest.iter().all(|release| release.report.tools.as_ref() == tools))
}

fn live_summary(
    targets: &[&'static Target],
    runs: &[LocalRun],
    releases: &[Release],
    failures: &[Failure],
    parity: Option<bool>,
) {
    ui::say("");
    for target in targets {
        for release in releases.iter().filter(|release| release.deployment.target == target.name) {
            let mark = if release.report.ok() { Mark::Good } else { Mark::Bad };
            let (place, url) = (release.deployment.place(), &release.deployment.url);
            let back = outcome(release);
            ui::mark(mark, format_args!("{place:<24} {url} {}{back}", local::counted(&release.report)));
        }
        let refused = runs.iter().find(|run| run.target == target.name && !run.ok());
        if let Some(run) = refused {
            let counted = local::counted(&run.report);
            ui::mark(
                Mark::Bad,
                format_args!("{:<24} not deployed: what was built failed here ({counted})", target.name),
            );
        }
        for _ in failures.iter().filter(|failure| failure.target == target.name) {
            ui::mark(Mark::Bad, format_args!("{:<24} failed; the reason is above", target.name));
        }
    }
    match parity {
        Some(true) => ui::mark(Mark::Good, "all of them list the same tools"),
        Some(false) => ui::mark(Mark::Bad, "they do not list the same tools"),
        None => {}
    }
}

/// What became of a release, and the way on when it is broken.
fn outcome(release: &Release) -> String {
    match (&release.rolled_back_to, &release.rollback_error) {
        (Some(version), _) => format!("; rolled back to {version}"),
        (None, Some(_)) => "; not rolled back, the broken version is live".to_owned(),
        (None, None) if release.report.ok() => String::new(),
        (None, None) if release.has_earlier => {
            format!("; live, but broken: `mcp-deploy rollback --target {}` goes back", release.deployment.target)
        }
        (None, None) => {
            "; live, but broken: the record has nothing to go back to, so mend it and ship again".to_owned()
        }
    }
}

/// The worst of the failed tools' exit codes outranks a failed verification.
pub fn end(answer: ShipAnswer) -> Result<End> {
    match answer.failures.into_iter().max_by_key(|failure| error::exit_code(&failure.cause)) {
        Some(failure) => bail!(Error::shown(failure.cause)),
        None if answer.ok => Ok(End::Done),
        None => Ok(End::Unverified),
    }
}

/// What `ship --dry-run --json` answers.
#[derive(Serialize)]
struct Intended<'a> {
    files: Vec<FileEntry<'a>>,
    /// In their order; for an upload there is none yet.
    commands: Vec<String>,
}

/// Every file that would be written, every command that would be run; touches nothing.
fn dry_run(project: &Project, targets: &[&'static Target], args: &Ship) -> Result<End> {
    let plan = project.plan()?;
    let tools = Toolchain::named(&targets::tools(targets), &Search::from_env()?);
    let build = Build { root: &project.root, manifest: &project.manifest, tools: &tools };
    let packages = Packages::of(&project.home)?;
    let due = (!packages.are_installed()).then(|| packages.install_line().to_string());
    let mut commands: Vec<String> = due.into_iter().collect();
    commands.push(npm::type_check_command(project, &tools).to_string());
    let built = |target: &Target| (target.build)(&build).iter().map(|step| step.cmd.to_string()).collect::<Vec<_>>();
    if args.json {
        commands.extend(targets.iter().flat_map(|target| built(target)));
        ui::json(&Intended { files: files(&plan), commands })?;
        plan.unedited().map_err(ui::shown)?;
        return Ok(End::Done);
    }
    preview(&plan, false);
    plan.unedited()?;
    let run = |what: &dyn Display| ui::answer(format_args!("would run  {what}"));
    commands.iter().for_each(|cmd| run(cmd));
    for target in targets {
        built(target).iter().for_each(|cmd| run(cmd));
        run(&format_args!("what was built for {} on a free port, verify it and stop it", target.title));
    }
    for target in targets.iter().filter(|_| !args.local) {
        match target.by_hand() {
            None => ui::answer(format_args!("would deploy it to {}, verify it live and record it", target.title)),
            Some(_) => ui::answer(format_args!("would say how what was built for {} gets live", target.title)),
        }
    }
    Ok(End::Done)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::deployments::{Deployment, DeploymentState};
    use crate::probe::Counts;

    fn release(tools: Option<&str>) -> Release {
        let deployment = Deployment {
            target: "lambda".into(),
            stage: "production".into(),
            region: None,
            account: None,
            stack_set: None,
            url: "https://x/mcp".into(),
            direct: None,
            version: None,
            server_version: "0.1.0".into(),
            time: String::new(),
            commit: None,
            bundle_bytes: None,
            state: DeploymentState::Verified,
        };
        let tools = tools.map(|name| vec![json!({ "name": name })]);
        let counts = Counts { passed: 1, ..Counts::default() };
        let report = Report { url: String::new(), checks: Vec::new(), answers: Vec::new(), tools, counts };
        Release {
            deployment,
            report,
            rolled_back_to: None,
            rollback_error: None,
            rollback_hint: None,
            has_earlier: false,
        }
    }

    #[test]
    fn a_failure_has_its_hint_apart() {
        let cause = Error::new("no URL").hint("set `domains`").because(Error::new("wrangler").code(7));
        let failure = Failure::new(&targets::ALL[0], cause.into());
        let target = targets::ALL[0].name;
        assert_eq!(json!(failure), json!({ "target": target, "error": "no URL: wrangler", "hint": "set `domains`" }));
        let of = |failures| ShipAnswer::new(Vec::new(), Live::default(), failures, None);
        assert_eq!(end(of(Vec::new())).unwrap(), End::Done);
        let failed = end(of(vec![failure])).unwrap_err();
        assert_eq!((error::exit_code(&failed), error::is_shown(&failed)), (7, true));
    }

    #[test]
    fn parity_is_between_two_that_told_their_tools() {
        let table: [(&[Option<&str>], Option<bool>); 5] = [
            (&[], None),
            (&[Some("a")], None),
            (&[Some("a"), Some("a"), Some("a")], Some(true)),
            (&[Some("a"), Some("b")], Some(false)),
            (&[None, None], Some(false)),
        ];
        for (tools, expected) in table {
            let releases: Vec<_> = tools.iter().map(|tools| release(*tools)).collect();
            assert_eq!(parity(&releases), expected, "{tools:?}");
        }
    }

    #[test]
    fn a_broken_release_goes_back_where_there_is_something_to_go_back_to() {
        let broken = |has_earlier| {
            let mut release = release(Some("a"));
            release.report.counts.failed = 1;
            Release { has_earlier, ..release }
        };
        assert_eq!(outcome(&release(Some("a"))), "");
        assert!(outcome(&broken(true)).contains("`mcp-deploy rollback --target lambda` goes back"));
        let first = outcome(&broken(false));
        assert!(first.contains("nothing to go back to") && !first.contains("mcp-deploy rollback"), "{first}");
        let failed = Release { rollback_error: Some("no".into()), ..broken(true) };
        assert_eq!(outcome(&failed), "; not rolled back, the broken version is live");
        let back = Release { rolled_back_to: Some("7".into()), ..broken(true) };
        assert_eq!(outcome(&back), "; rolled back to 7");
    }
}
