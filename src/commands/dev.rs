//! `dev`: one cloud's build on this machine, rebuilt and restarted when a file changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, bail};

use super::{End, one, report};
use crate::cli::Dev;
use crate::pipeline::{self, Running};
use crate::plan;
use crate::process::{self, free_port};
use crate::project::Project;
use crate::prompt::Mode;
use crate::recording::{self, Recording};
use crate::server_log;
use crate::targets::{self, Build, Target};
use crate::toolchain::Toolchain;
use crate::ui::{self, Mark};

pub fn run(args: Dev, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let root = project.root.clone();
    let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
    let target = match (args.target, every.first()) {
        (Some(cloud), _) => one(cloud, &every)?,
        (None, Some(first)) => *first,
        (None, None) => bail!(super::NO_CLOUD),
    };
    if let Some(port) = args.port.filter(|port| !process::is_free(*port)) {
        bail!(
            "port {port} of 127.0.0.1 is taken; nothing was built\nhint: stop what listens there, or leave out `--port`, which takes a free one"
        );
    }
    let tools = pipeline::tools(&[target], Mode::of(args.yes))?;
    // One port for the whole session: clients keep their URL across restarts.
    let port = args.port.map_or_else(free_port, Ok).context("no free port on 127.0.0.1")?;
    drop(project);
    let mut seen = snapshot(&root);
    let mut running = Some(start(&root, target, &tools, port)?);
    if let Some((running, _)) = &running {
        ui::answer(running.url());
    }
    while !process::interrupted() {
        std::thread::sleep(Duration::from_millis(300));
        if let Some((server, _)) = &mut running
            && let Err(error) = server.still_runs()
        {
            if process::interrupted() {
                break;
            }
            ui::error(&error);
            running = None;
        }
        let now = snapshot(&root);
        if now == seen {
            continue;
        }
        ui::say("\nchanged; building again");
        // What changes while we build is built next.
        seen = now;
        running = None;
        match start(&root, target, &tools, port) {
            Ok(started) => running = Some(started),
            Err(_) if process::interrupted() => break,
            Err(error) => ui::error(&error),
        }
    }
    Ok(End::Done)
}

/// With what was recorded for it: the cloud's tool may bundle while it runs.
fn start(root: &Path, target: &'static Target, tools: &Toolchain, port: u16) -> Result<(Running, Recording)> {
    let project = Project::open(Some(root))?;
    report(&project.plan()?.apply(false)?);
    pipeline::prepare(&project, tools)?;
    let recording = recording::make(&project, tools)?;
    let build = Build { root, manifest: &project.manifest, tools };
    pipeline::build(target, &build)?;
    let state = project.manifest.has_state().then(|| plan::local_state(root)).transpose()?;
    let running = pipeline::start(target, &build, Some(port), state.as_deref(), Some(&server_log::listener()))?;
    ui::mark(Mark::Good, format_args!("{} on {}; Ctrl-C stops it", running.url(), running.runtime()));
    if let Some(bearer) = running.bearer() {
        ui::say(format_args!("     for as long as it runs, clients may send: Authorization: Bearer {bearer}"));
    }
    Ok((running, recording))
}

/// When each of the user's files that a build reads was last changed; what the build itself writes is not among them.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut files = BTreeMap::new();
    for name in ["mcp.toml", "package.json", "tsconfig.json", ".env", "schemas", "src"] {
        watch(&root.join(name), &mut files);
    }
    files
}

fn watch(path: &Path, files: &mut BTreeMap<PathBuf, SystemTime>) {
    // A file that vanishes while we look is a change like any other.
    if path.ends_with("src/generated") {
        return;
    }
    if let Ok(entries) = std::fs::read_dir(path) {
        entries.flatten().for_each(|entry| watch(&entry.path(), files));
    } else if let Ok(modified) = std::fs::metadata(path).and_then(|meta| meta.modified()) {
        files.insert(path.to_owned(), modified);
    }
}
