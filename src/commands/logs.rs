//! `logs`: the cloud's own view of what the server writes.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{Deployments, End};
use crate::cli::Logs;
use crate::process::{self, Io};
use crate::prompt::Mode;

pub fn run(args: Logs, dir: Option<&Path>) -> Result<End> {
    let all = Deployments::open(dir, args.target, &args.stage.stage, Mode::of(false))?;
    let wanted = |region: &Option<String>| args.region.is_none() || *region == args.region;
    let deployment = all.current.iter().find(|one| wanted(&one.region)).with_context(|| {
        let regions: Vec<_> = all.current.iter().filter_map(|one| one.region.clone()).collect();
        format!("nothing is deployed to that region\nhint: it is deployed to {}", regions.join(", "))
    })?;
    let context = all.context(&[], true);
    let cmd = (all.target.cloud.logs)(&context, deployment, args.follow)?;
    match process::run(&cmd, Io::Live, None) {
        // Ctrl-C is how following ends.
        Err(error) if !(args.follow && process::interrupted()) => Err(error),
        _ => Ok(End::Done),
    }
}
