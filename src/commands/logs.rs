//! `logs`: the cloud's own view of what the server writes.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use super::{Deployments, End};
use crate::cli::Logs;
use crate::deployments::Deployment;
use crate::error::Error;
use crate::process;
use crate::prompt::Mode;
use crate::targets::deployer::Inquiry;
use crate::ui;

pub fn run(args: Logs, dir: Option<&Path>) -> Result<End> {
    let all = Deployments::open(dir, Inquiry::Logs, args.target, &args.stage.stage, Mode::of(false))?;
    let is_wanted = |asked: &Option<String>, known: &Option<String>| asked.is_none() || asked == known;
    let wanted = |one: &&Deployment| is_wanted(&args.region, &one.region) && is_wanted(&args.account, &one.account);
    let deployment = all.current.iter().find(wanted).ok_or_else(|| {
        let places: Vec<_> = all.current.iter().map(Deployment::place).collect();
        Error::new("nothing is deployed to that place").hint(format!("it is deployed to {}", places.join(", ")))
    })?;
    all.ours()?;
    let context = all.context(&[], true);
    let cmd = (all.target.cloud()?.logs)(&context, deployment, args.follow)?;
    // Callers of the server decide what is in its log: it does not get to the terminal as it is.
    match process::run_heard(&cmd, Arc::new(|line: &str| ui::say(line))) {
        // Ctrl-C is how following ends.
        Err(error) if !(args.follow && process::interrupted()) => Err(error),
        _ => Ok(End::Done),
    }
}
