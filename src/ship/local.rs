//! The way from a project to a verified local server: tools, packages, types, build, start, probe, stop.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use super::budget;
use super::cause;
use super::local_credentials::{self, Guest};
use super::packages;
use super::passed;
use super::server_log;
use super::source_map::SourceMaps;
use crate::error::Error;
use crate::fault::Fault;
use crate::manifest::Manifest;
use crate::plan;
use crate::probe::{self, Answer, Call, Check, Contract, Era, Outcome, Report};
use crate::process::{self, Interrupted, Io, LogListener, Scratch, ServerProcess};
use crate::project::npm;
use crate::project::{self, Project};
use crate::prompt::{self, Mode};
use crate::schema::arguments;
use crate::secrets::dotenv;
use crate::targets::{self, Build, Code, Local, Start, Step, Target};
use crate::toolchain::{self, MissingTools, Needs, Purpose, Search, Toolchain};
use crate::ui::{self, Mark};

/// A server that ran on this machine and was probed.
#[derive(Serialize)]
pub struct LocalRun {
    pub target: &'static str,
    /// What ran it, in words.
    pub runtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Size>,
    /// Why it was built and not run: this machine cannot run it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_run: Option<String>,
    pub report: Report,
    /// What the server itself wrote about calls that failed.
    #[serde(skip)]
    pub log: Vec<String>,
}

impl LocalRun {
    /// Whether nothing speaks against a deployment.
    pub fn ok(&self) -> bool {
        self.not_run.is_some() || self.report.ok()
    }
}

/// Bytes of what would be uploaded.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Size {
    pub raw: u64,
}

/// Node.js and npm alone, which every project needs.
pub fn node_tools(mode: Mode) -> Result<Toolchain> {
    resolve(&[], Purpose::Run, mode)
}

/// The tools that a command of this purpose runs for these clouds; missing ones are installed into the private cache
/// after one question.
pub fn tools(targets: &[&'static Target], purpose: Purpose, mode: Mode) -> Result<Toolchain> {
    resolve(&targets::tools(targets), purpose, mode)
}

fn resolve(needs: &Needs, purpose: Purpose, mode: Mode) -> Result<Toolchain> {
    toolchain::has_a_home()?;
    let search = Search::from_env()?;
    let missing = match Toolchain::resolve(needs, purpose, &search) {
        Ok(tools) => return Ok(tools),
        Err(missing) => missing,
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = missing.0.into_iter().partition(|(tool, _)| tool.is_provisioned());
    if !theirs.is_empty() {
        return Err(MissingTools(theirs).into());
    }
    let listed = ours.iter().map(|(tool, _)| format!("{} {}", tool.name, tool.version)).collect::<Vec<_>>().join(", ");
    if !prompt::confirm(mode, &format!("Install {listed} into mcp-deploy's private cache?"))? {
        let error = Error::new(MissingTools(ours).to_string());
        bail!(error.hint("run `mcp-deploy doctor --fix`, which installs them into a private cache, or add `--yes`"));
    }
    let ours: Vec<_> = ours.iter().map(|(tool, _)| *tool).collect();
    toolchain::provision_all(&ours, &search)?;
    Toolchain::resolve(needs, purpose, &search).map_err(Into::into)
}

/// Packages installed, handlers and types in order; faults are printed and end the command.
pub fn prepare(project: &Project, tools: &Toolchain, mode: Mode) -> Result<()> {
    prepare_untyped(project, tools, mode)?;
    let step = ui::step("check types");
    let faults = npm::type_faults(project, tools);
    let sound = faults.as_ref().is_ok_and(|faults| project::errors(faults) == 0);
    step.end(if sound { Mark::Good } else { Mark::Bad }, "");
    stop_at(faults?)
}

/// The same without the type check.
pub fn prepare_untyped(project: &Project, tools: &Toolchain, mode: Mode) -> Result<()> {
    if packages::add(project, &|| Ok(tools.clone()), mode)? {
        project.mirror()?;
    }
    let mut faults = project::code_faults(project);
    faults.extend(dotenv::faults(&project.root, &project.manifest)?);
    stop_at(faults)?;
    packages::install(project, tools)
}

fn stop_at(faults: Vec<Fault>) -> Result<()> {
    project::print(&faults);
    match project::errors(&faults) {
        0 => Ok(()),
        _ => bail!(project::faulty(&faults)),
    }
}

/// One line for one piece of work.
pub(super) fn step<T>(title: impl Into<String>, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let step = ui::step(title);
    let done = work();
    step.end(if done.is_ok() { Mark::Good } else { Mark::Bad }, "");
    done
}

/// Everything the cloud's own CLI does before something can run; fails when the result is above the manifest's budget.
pub fn build(target: &Target, build: &Build<'_>) -> Result<()> {
    (target.build)(build).iter().try_for_each(|part| run_step(target, build.root, part))?;
    match build.manifest.limits.bundle_kb {
        Some(budget) => step(format!("{}: weigh the bundle (at most {budget} kB)", target.name), || {
            budget::check(target, build, budget)
        }),
        None => Ok(()),
    }
}

/// One command, with a line for it.
pub fn run_step(target: &Target, root: &Path, part: &Step) -> Result<()> {
    let title = format!("{}: {} (`{}`)", target.name, part.title, part.cmd);
    if part.depends_on.as_deref().is_some_and(passed::before) {
        ui::mark(Mark::Good, format_args!("{title}: unchanged since it passed"));
        return Ok(());
    }
    let told = step(title, || {
        let _file = part.while_running.map(|(name, text)| plan::while_running(root, name, text)).transpose()?;
        part.fills.map(|folder| plan::clear_folder(root, folder)).transpose()?;
        let ended = process::run(&part.cmd, Io::Quiet, Some(part.limit))?;
        part.judged.map_or(Ok(None), |judge| judge(&format!("{}\n{}", ended.log, ended.stdout)))
    })?;
    told.iter().for_each(|told| ui::say(format_args!("     {}: {told}", target.name)));
    part.depends_on.iter().for_each(|what| passed::remember(what));
    Ok(())
}

/// What was built for one cloud, running on this machine until it is dropped.
pub struct LocalServers {
    target: &'static Target,
    servers: Vec<ServerProcess>,
    local: Local,
    guest: Guest,
    _scratch: Scratch,
}

/// How `dev` starts a server otherwise than a local run does.
#[derive(Default)]
pub struct Starting<'a> {
    /// By default a free one.
    pub port: Option<u16>,
    /// The folder for what tools keep; by default one that goes away with the run.
    pub state: Option<&'a Path>,
    /// Hears the log.
    pub listener: Option<LogListener>,
    pub code: Code<'a>,
}

/// Starts what was built, and waits until it answers.
pub fn start(target: &'static Target, build: &Build<'_>, starting: &Starting<'_>) -> Result<LocalServers> {
    let artifact = (target.artifact)(build.root);
    if matches!(starting.code, Code::Built) && !artifact.exists() {
        let (title, name) = (target.title, target.name);
        let error = Error::new(format!("nothing was built for {title}: `{}` is missing", artifact.display()));
        bail!(error.hint(format!("run `mcp-deploy ship --target {name} --local`")));
    }
    if let Some(cpu) = target.foreign_cpu(build) {
        ui::mark(Mark::Skipped, format_args!("{}: what imports it fails here", foreign_code(cpu)));
    }
    let scratch = Scratch::new()?;
    let mut env = dotenv::local(build.root, build.manifest)?;
    let foreign =
        |name: &str| build.manifest.secrets.iter().any(|secret| secret.name == name && !secret.concerns(target.name));
    env.retain(|(name, _)| !foreign(name));
    let guest = Guest::of(build.manifest, &env)?;
    env.retain(|(name, _)| guest.env.iter().all(|(ours, _)| ours != name));
    env.extend(guest.env.iter().cloned());
    let port = starting.port.map_or_else(process::free_port, Ok).context("no free port on 127.0.0.1")?;
    let fleeting = scratch.path().join("state");
    let state = starting.state.unwrap_or(&fleeting);
    let start = Start { port, scratch: scratch.path(), env: &env, state, code: starting.code };
    let local = (target.start)(build, &start)?;
    let servers = local.commands.iter().map(|cmd| ServerProcess::spawn_heard(cmd, starting.listener.clone()));
    let servers = servers.collect::<Result<Vec<_>>>()?;
    let mut running = LocalServers { target, servers, local, guest, _scratch: scratch };
    let health = format!("{}/health", running.local.base);
    if let Some(server) = running.servers.first_mut() {
        let ready = server.wait_ready(&mut || probe::healthy_as(&health, &build.manifest.server.name), READY);
        ready.map_err(|error| cause::at_start(error, &server.log(), &SourceMaps::new(target, build)))?;
    }
    Ok(running)
}

impl LocalServers {
    /// The MCP endpoint.
    pub fn url(&self) -> String {
        format!("{}/mcp", self.local.base)
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.local.base.strip_prefix("http://")?.split('/').next()?.parse().ok()
    }

    /// The path of the MCP endpoint.
    pub fn path(&self) -> &str {
        let after = self.local.base.strip_prefix("http://").unwrap_or_default();
        after.find('/').map_or("", |at| &after[at..])
    }

    /// What a client must send, where it must prove who it is; it counts for this run alone.
    pub fn bearer(&self) -> Option<&str> {
        self.guest.bearer.as_deref()
    }

    /// What runs it, in words.
    pub fn runtime(&self) -> &str {
        &self.local.runtime
    }

    /// Fails when one of its processes ended by itself.
    pub fn still_runs(&mut self) -> Result<()> {
        for server in &mut self.servers {
            if let Some(status) = server.exited() {
                bail!("the server ended ({status}); its last lines:\n{}", server.log());
            }
        }
        Ok(())
    }
}

/// Why packages beside a bundle do not load on this machine.
fn foreign_code(cpu: &str) -> String {
    let here = format!("this machine is {} on {}", std::env::consts::OS, std::env::consts::ARCH);
    format!("native code of its packages is for Linux on {cpu}, and {here}")
}

/// Starts what was built, probes it and stops it.
pub fn run_locally(
    target: &'static Target,
    build: &Build<'_>,
    calls: &[Call],
    on_check: &mut dyn FnMut(&Check),
) -> Result<LocalRun> {
    if let Some(cpu) = target.foreign_cpu(build) {
        let reason = format!("{}: it is built, and was not run here", foreign_code(cpu));
        let report = Report::skipped("rest", "everything", &reason);
        let bundle = weigh(&(target.scripts)(build.root)).ok().map(|raw| Size { raw });
        let runtime = "not run".to_owned();
        return Ok(LocalRun { target: target.name, runtime, bundle, not_run: Some(reason), report, log: Vec::new() });
    }
    let mut running = start(target, build, &Starting::default())?;
    let options = probe::Options {
        url: running.url(),
        local: true,
        calls: calls.to_vec(),
        headers: running.guest.headers(),
        budgets: running.guest.budget.clone(),
        timeout: build.manifest.longest_timeout() + Duration::from_secs(10),
        max_body_bytes: build.manifest.limits.max_body,
        deployments: Vec::new(),
        platforms: targets::platforms(),
    };
    // Told when all is known: the first that fails may have its cause in a later line of the log.
    let mut report = prove(options, Some(contract(build.manifest, Some(target))), &mut |_| {})?;
    let ended = running.servers.iter_mut().find_map(ServerProcess::exited);
    let said: String = running.servers.iter().map(ServerProcess::log).collect();
    cause::explain(&mut report, &said, ended, &SourceMaps::new(target, build));
    report.checks.iter().filter(|check| !check.follows).for_each(on_check);
    let log = server_log::about_failed(&report, &said);
    let bundle = weigh(&running.local.bundle).ok().map(|raw| Size { raw });
    let runtime = running.local.runtime.clone();
    Ok(LocalRun { target: running.target.name, runtime, bundle, not_run: None, report, log })
}

/// Probes a server until it is done or the user interrupts, who need not wait for an answer that is still to come.
pub fn prove(options: probe::Options, contract: Option<Contract>, on_check: &mut dyn FnMut(&Check)) -> Result<Report> {
    let (say, said) = mpsc::channel();
    let probing = thread::spawn(move || {
        // Nobody listens any more after an interruption.
        probe::run(&options, contract.as_ref(), &mut |check| drop(say.send(check.clone())))
    });
    loop {
        let next = said.recv_timeout(Duration::from_millis(50));
        // First of all: what fails from then on fails because the servers were told to end.
        if process::interrupted() {
            bail!(Interrupted);
        }
        match next {
            Ok(check) => on_check(&check),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    probing.join().map_err(|panic| std::panic::resume_unwind(panic))
}

/// A cloud's local runtime has to compile and start; on a busy machine that takes its time.
const READY: Duration = Duration::from_secs(90);

fn weigh(path: &Path) -> std::io::Result<u64> {
    // Links may lead anywhere, and in circles.
    let found = std::fs::symlink_metadata(path)?;
    if !found.is_dir() {
        // What wrangler writes beside a Worker, and uploads none of.
        let is_beside = path.extension().is_some_and(|ending| ending == "map") || path.ends_with("dist/README.md");
        return Ok(if is_beside { 0 } else { found.len() });
    }
    std::fs::read_dir(path)?.map(|entry| weigh(&entry?.path())).sum()
}

/// The header of `--bearer-env`: the token comes from the environment, because arguments can be seen by others.
pub fn bearer_header(variable: Option<&str>) -> Result<Vec<(String, String)>> {
    let Some(name) = variable else { return Ok(Vec::new()) };
    match std::env::var(name) {
        Ok(token) if !token.trim().is_empty() => Ok(vec![local_credentials::bearer(token.trim())]),
        _ => bail!(Error::usage(format!("the environment variable `{name}` of `--bearer-env` is not set"))),
    }
}

/// Fails when a call is to a tool that the manifest does not declare.
pub fn declared(calls: &[Call], manifest: &Manifest) -> Result<()> {
    let tools: Vec<&str> = manifest.tools.iter().map(|tool| tool.name.as_str()).collect();
    let Some(call) = calls.iter().find(|call| !tools.contains(&call.name.as_str())) else { return Ok(()) };
    let hint = crate::manifest::nearest(&call.name, tools.iter().copied()).unwrap_or_else(|| match tools.as_slice() {
        [] => "it declares no tool; `mcp-deploy add-tool NAME` adds one".to_owned(),
        tools => format!("it declares `{}`", tools.join("`, `")),
    });
    bail!(Error::usage(format!("the manifest declares no tool `{}`, which `--call` names", call.name)).hint(hint))
}

/// Fails when the tool of a call would refuse its arguments. Every tool is declared.
pub fn accepted(calls: &[Call], manifest: &Manifest) -> Result<()> {
    for Call { name, arguments } in calls {
        let Some(tool) = manifest.tools.iter().find(|tool| tool.name == *name) else { continue };
        let reasons = arguments::refusals(&tool.input, arguments);
        if !reasons.is_empty() {
            let why = format!("the arguments of `{name}` in `--call` do not match its input schema:");
            let error = Error::usage(why + &reasons.iter().map(|why| format!("\n  {why}")).collect::<String>());
            bail!(error.hint("correct them, or the schema in `mcp.toml`; nothing was built"));
        }
    }
    Ok(())
}

/// What the manifest promises a client, of this cloud where it is known which one answers.
pub fn contract(manifest: &Manifest, target: Option<&Target>) -> Contract {
    Contract {
        name: manifest.server.name.clone(),
        version: manifest.server.version.clone(),
        tools: manifest.tool_entries(),
        resources: manifest.resource_entries(false),
        resource_templates: manifest.resource_entries(true),
        prompts: manifest.prompt_entries(),
        origins_configured: !manifest.access.origins.is_empty(),
        auth: manifest.access.auth.kind(),
        rate_limit: manifest.access.rate_limit,
        websocket: target.map(|target| (target.websocket)(&manifest.targets)),
    }
}

/// One line a check, the reason under a failed one.
pub fn print_check(check: &Check) {
    let mark = match check.outcome {
        Outcome::Passed => Mark::Good,
        Outcome::Failed => Mark::Bad,
        Outcome::Skipped => Mark::Skipped,
    };
    let title = ui::flat(&check.title);
    match (&check.outcome, &check.detail) {
        (Outcome::Passed, _) | (_, None) => ui::mark(mark, title),
        (_, Some(detail)) => ui::mark(mark, format_args!("{title}: {}", ui::flat(detail))),
    }
    if let Some(hint) = &check.hint {
        ui::hint_below(ui::flat(hint));
    }
}

/// The checks behind the numbers of failed and skipped ones.
pub fn print_unpassed(report: &Report) {
    let told = |check: &&Check| check.outcome != Outcome::Passed && !check.follows;
    report.checks.iter().filter(told).for_each(print_check);
}

/// What the tools answered to `--call`; the two protocol eras give the same, so one of them is enough to read.
pub fn print_answers(report: &Report) {
    // What a tool reports as its error stands in the check that failed for it.
    let read = |answer: &&Answer| answer.era == Era::Modern && answer.result["isError"] != true;
    for answer in report.answers.iter().filter(read) {
        let result = answer.result.get("structuredContent").unwrap_or(&answer.result);
        ui::say(format_args!("     {} answered {}", answer.name, shortened(&result.to_string())));
    }
}

/// As much of an answer as a person reads.
pub fn shortened(text: &str) -> String {
    let cut = text.char_indices().nth(ANSWER_SHOWN).map_or(text.len(), |(at, _)| at);
    let more = if cut < text.len() { "… (all of it with `--json`)" } else { "" };
    format!("{}{more}", &text[..cut])
}

/// Characters.
const ANSWER_SHOWN: usize = 400;

/// `38 passed, 1 failed, 2 skipped`.
pub fn counted(report: &Report) -> String {
    let counts = &report.counts;
    let mut parts = vec![format!("{} passed", counts.passed)];
    let following = report.following();
    for (count, word) in [(counts.failed, "failed"), (counts.skipped - following, "skipped")] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    let counted = parts.join(", ");
    match following {
        0 => counted,
        1 => format!("{counted}; 1 check could not be made"),
        more => format!("{counted}; {more} checks could not be made"),
    }
}
