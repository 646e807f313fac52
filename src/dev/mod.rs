//! `dev`: servers of this machine that follow the files. A new version is built and started beside the one that serves,
//! and takes over when it answers; where a tool watches the sources itself, it is the tool's work.

mod front;
mod lane;
mod log;
mod traffic;
mod types;
mod watch;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::error::Error;
use crate::parallel;
use crate::plan::Applied;
use crate::process;
use crate::project::Project;
use crate::prompt::Mode;
use crate::secrets::dotenv;
use crate::ship::{local, packages};
use crate::targets::{Build, Code, Target};
use crate::toolchain::Toolchain;
use crate::ui::{self, KeyPresses, Mark};
use lane::{Lane, LaneStarter};
use types::TypeCheck;
use watch::Snapshot;

/// The port of the first target, unless another one is named.
pub const PORT: u16 = 8787;
/// How often the files are looked at. A look at a thousand of them takes a few milliseconds.
const TURN: Duration = Duration::from_millis(50);

/// What `dev` runs.
pub struct DevSession {
    pub root: PathBuf,
    pub tools: Toolchain,
    pub mode: Mode,
    /// Prints the files that were written.
    pub report: fn(&Applied),
}

/// One for each target, the first at `port` and the others at those after it; with port 0 each at a free one.
pub fn lanes(root: &Path, targets: &[&'static Target], port: u16) -> Result<Vec<Lane>> {
    let open = |(port, target): (u16, &&'static Target)| {
        Lane::open(target, port, root, targets.len() > 1).map_err(|_| taken(port))
    };
    let ports: Vec<u16> = (port..=u16::MAX).take(targets.len()).map(|next| if port == 0 { 0 } else { next }).collect();
    if ports.len() < targets.len() {
        let error = Error::usage(format!("after port {port} there are not enough ports for {} targets", targets.len()));
        bail!(error.hint("name a smaller one with `--port`"));
    }
    ports.into_iter().zip(targets).map(open).collect()
}

fn taken(port: u16) -> anyhow::Error {
    let error = Error::new(format!("port {port} of 127.0.0.1 is taken; nothing was built"));
    error.hint("stop what listens there, or name another port with `--port`").into()
}

impl DevSession {
    /// Until the user ends it.
    pub fn run(self, mut lanes: Vec<Lane>) -> Result<()> {
        let mut seen = Snapshot::of(&self.root);
        let project = self.rendered()?;
        local::prepare_untyped(&project, &self.tools, self.mode)?;
        name_secrets_without_value(&project)?;
        self.renew(&project, &mut lanes, true)?;
        for lane in &lanes {
            lane.introduce();
        }
        let mut types = TypeCheck::start(&self.root, &self.tools);
        if !seen.is_whole {
            ui::say(
                "there are too many files below `src` and `schemas` to watch them all: some changes are not noticed",
            );
        }
        let mut keys = KeyPresses::listen();
        ui::say(if keys.are_heard() { "t calls the last tool again, q ends" } else { "Ctrl-C ends" });
        while !process::interrupted() {
            match keys.wait(TURN) {
                Some('q') => break,
                Some('t') => lanes.iter().for_each(Lane::call_again),
                _ => {}
            }
            lanes.iter_mut().for_each(|lane| lane.look_after(&self));
            types.tell();
            let now = Snapshot::of(&self.root);
            let changed = seen.changed(&now);
            if changed.is_empty() || process::interrupted() {
                continue;
            }
            seen = now;
            ui::say(format_args!("\nchanged: {}", listed(&changed)));
            if let Err(error) = self.follow(&changed, &mut lanes) {
                // What is saved in pieces is built again at once, and then speaks for itself.
                if seen.changed(&Snapshot::of(&self.root)).is_empty() && !process::interrupted() {
                    ui::error(&error);
                    ui::say("the version before the change goes on");
                }
            }
            types.again();
        }
        Ok(())
    }

    /// The same of the build that would be deployed, which follows no change.
    pub fn run_built(self, target: &'static Target, port: u16) -> Result<()> {
        if !process::is_free(port) {
            bail!(taken(port));
        }
        let project = self.rendered()?;
        local::prepare(&project, &self.tools, self.mode)?;
        let build = Build { root: &project.root, manifest: &project.manifest, tools: &self.tools };
        local::build(target, &build)?;
        let (starter, _) = LaneStarter::new(target, &project.root, String::new());
        let mut servers = starter.begin(&build, Code::Built, (port > 0).then_some(port))?;
        lane::introduce(&servers, &servers.url());
        ui::say("Ctrl-C ends");
        while !process::interrupted() {
            thread::sleep(TURN);
            if let Err(error) = servers.still_runs()
                && !process::interrupted()
            {
                bail!(error);
            }
        }
        Ok(())
    }

    /// The project as its files are now, and what is generated of them.
    fn rendered(&self) -> Result<Project> {
        let (project, _alone) = Project::open_to_write(Some(&self.root))?;
        (self.report)(&project.plan_to_build()?.apply(false)?);
        Ok(project)
    }

    /// Brings a change into what runs; what cannot be built leaves everything as it is.
    fn follow(&self, changed: &[String], lanes: &mut [Lane]) -> Result<()> {
        let project = self.rendered()?;
        if changed.iter().any(|file| file == "package.json") {
            packages::install(&project, &self.tools)?;
        }
        self.renew(&project, lanes, false)
    }

    /// A new version of each lane that needs one from us, side by side.
    fn renew(&self, project: &Project, lanes: &mut [Lane], first: bool) -> Result<()> {
        let build = Build { root: &project.root, manifest: &project.manifest, tools: &self.tools };
        let settings = lane::settings(&build)?;
        let due: Vec<usize> = (0..lanes.len())
            .filter(|at| lanes[*at].starter.target.watch.is_none() || !lanes[*at].runs_with(&settings))
            .collect();
        let parts: Vec<_> = due.iter().map(|at| lanes[*at].starter.clone()).collect();
        let started = parallel::map(&parts, |starter| starter.start(&build));
        let mut failed = None;
        for (at, started) in due.into_iter().zip(started) {
            match started {
                Ok((running, time)) => lanes[at].take_over(running, &settings, (!first).then_some(time)),
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

/// The first few of them.
fn listed(files: &[String]) -> String {
    const MOST: usize = 3;
    let shown = files.iter().take(MOST).map(String::as_str).collect::<Vec<_>>().join(", ");
    match files.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What handlers will miss is said at the start.
fn name_secrets_without_value(project: &Project) -> Result<()> {
    let there = dotenv::local(&project.root, &project.manifest)?;
    for secret in &project.manifest.secrets {
        if !there.iter().any(|(name, _)| *name == secret.name) {
            let name = &secret.name;
            ui::mark(Mark::Skipped, format_args!("the secret `{name}` has no value here; `.env` may give it one"));
        }
    }
    Ok(())
}
