//! `dev`: one cloud's build on this machine, rebuilt and restarted when a file changes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};

use super::{End, one, report};
use crate::cli::Dev;
use crate::error::Error;
use crate::files::{self, GENERATED};
use crate::plan;
use crate::process::{self, free_port};
use crate::project::Project;
use crate::prompt::Mode;
use crate::ship::local::{self, LocalServers};
use crate::ship::server_log;
use crate::targets::{self, Build, Target};
use crate::toolchain::{Purpose, Toolchain};
use crate::ui::{self, Mark};

pub fn run(args: Dev, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let root = project.root.clone();
    let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
    let target = match (args.target, every.first()) {
        (Some(cloud), _) => one(cloud, &every)?,
        (None, Some(first)) => *first,
        (None, None) => bail!(super::no_cloud()),
    };
    if let Some(error) = targets::unfit(&[target], &root) {
        bail!(error);
    }
    project.has_handlers()?;
    if let Some(port) = args.port.filter(|port| !process::is_free(*port)) {
        let error = Error::new(format!("port {port} of 127.0.0.1 is taken; nothing was built"));
        bail!(error.hint("stop what listens there, or leave out `--port`, which takes a free one"));
    }
    let tools = local::tools(&[target], Purpose::Run, Mode::of(args.yes))?;
    // One port for the whole session: clients keep their URL across restarts.
    let port = args.port.map_or_else(free_port, Ok).context("no free port on 127.0.0.1")?;
    drop(project);
    let mut seen = snapshot(&root);
    let mode = Mode::of(args.yes);
    let mut running = Some(start(&root, target, &tools, port, mode)?);
    if let Some(running) = &running {
        ui::answer(running.url());
    }
    if !seen.whole && !process::interrupted() {
        ui::say(
            "there are too many files below `src` and `schemas` to watch them all: a change of some is not noticed",
        );
    }
    while !process::interrupted() {
        std::thread::sleep(Duration::from_millis(300));
        if let Some(server) = &mut running
            && let Err(error) = server.still_runs()
        {
            if process::interrupted() {
                break;
            }
            ui::error(&error);
            running = None;
        }
        let now = snapshot(&root);
        if now == seen || process::interrupted() {
            continue;
        }
        ui::say("\nchanged; building again");
        // What changes while we build is built next.
        seen = now;
        running = None;
        match start(&root, target, &tools, port, mode) {
            Ok(started) => running = Some(started),
            Err(_) if process::interrupted() => break,
            Err(error) => ui::error(&error),
        }
    }
    Ok(End::Done)
}

fn start(root: &Path, target: &'static Target, tools: &Toolchain, port: u16, mode: Mode) -> Result<LocalServers> {
    let (project, alone) = Project::open_to_write(Some(root))?;
    report(&project.plan_to_build()?.apply(false)?);
    drop(alone);
    local::prepare(&project, tools, mode)?;
    let build = Build { root, manifest: &project.manifest, tools };
    local::build(target, &build)?;
    let state = project.manifest.has_state().then(|| plan::local_state(root)).transpose()?;
    let running = local::start(target, &build, Some(port), state.as_deref(), Some(&server_log::listener()))?;
    ui::mark(Mark::Good, format_args!("{} on {}; Ctrl-C stops it", running.url(), running.runtime()));
    if let Some(bearer) = running.bearer() {
        ui::say(format_args!("     for as long as it runs, clients may send: Authorization: Bearer {bearer}"));
    }
    Ok(running)
}

/// When each of the user's files that a build reads was last changed; what the build itself writes is not among them.
#[derive(Default, PartialEq)]
struct Snapshot {
    files: BTreeMap<String, SystemTime>,
    /// Whether these are all of them.
    whole: bool,
}

fn snapshot(root: &Path) -> Snapshot {
    let mut files = BTreeMap::new();
    let watched = ["mcp.toml", "package.json", "tsconfig.json", ".env", "schemas", "src"];
    // A file that vanishes while we look is a change like any other.
    let whole = files::walk(root, &watched, &[GENERATED], &mut |_, name, found| {
        if let Ok(modified) = found.modified() {
            files.insert(name.to_owned(), modified.into_std());
        }
    });
    Snapshot { files, whole }
}
