//! `dev`: which targets, on which ports, with which tools.

use std::path::Path;

use anyhow::{Result, bail};

use super::{End, chosen, report};
use crate::cli::Dev;
use crate::dev::{self, DevSession};
use crate::error::Error;
use crate::project::Project;
use crate::prompt::Mode;
use crate::ship::local;
use crate::targets;
use crate::toolchain::Purpose;

pub fn run(args: Dev, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
    let mut targets = chosen(&args.target, &every)?;
    if args.target.is_empty() {
        targets.extend(every.first());
    }
    if targets.is_empty() {
        bail!(super::no_cloud());
    }
    if let Some(error) = targets::unfit(&targets, &project.root) {
        bail!(error);
    }
    project.has_handlers()?;
    let mode = Mode::of(args.yes);
    let port = args.port.unwrap_or(dev::PORT);
    if args.built {
        let [target] = targets[..] else {
            bail!(Error::usage("`--built` runs one target").hint("name it with `--target`"));
        };
        let tools = local::tools(&[target], Purpose::Run, mode)?;
        DevSession { root: project.root, tools, mode, report }.run_built(target, port)?;
        return Ok(End::Done);
    }
    // Before anything is installed or built.
    let lanes = dev::lanes(&project.root, &targets, port)?;
    let tools = local::tools(&targets, Purpose::Run, mode)?;
    DevSession { root: project.root, tools, mode, report }.run(lanes)?;
    Ok(End::Done)
}
