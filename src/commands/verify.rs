//! `verify`: probes a URL, or what was built on this machine.

use std::path::Path;

use anyhow::Result;

use super::{End, one};
use crate::cli::Verify;
use crate::deployments::Record;
use crate::error::Error;
use crate::manifest;
use crate::probe::{self, Check, Options, Report};
use crate::project::Project;
use crate::prompt::Mode;
use crate::ship::local;
use crate::ship::server_log;
use crate::targets::{self, Build};
use crate::toolchain::Purpose;
use crate::ui;

pub fn run(args: Verify, dir: Option<&Path>) -> Result<End> {
    let json = args.json;
    let mut on_check = |check: &Check| {
        if !json {
            local::print_check(check);
        }
    };
    let report = match (&args.url, args.target) {
        (Some(url), _) => remote(url, &args, dir, &mut on_check)?,
        (None, Some(target)) => {
            let project = Project::open(dir)?;
            let every: Vec<_> = targets::chosen(&project.manifest.targets).collect();
            let target = one(target, &every)?;
            local::declared(&args.calls.call, &project.manifest)?;
            let tools = local::tools(&[target], Purpose::Run, Mode::for_answer(false, json))?;
            let build = Build { root: &project.root, manifest: &project.manifest, tools: &tools };
            let run = local::run_locally(target, &build, &args.calls.call, &mut on_check)?;
            server_log::print(&run.log);
            ui::say(format_args!("\nran on {}", run.runtime));
            run.report
        }
        (None, None) => return Err(Error::usage("`URL` is missing").into()),
    };
    if json {
        ui::json(&report)?;
    } else {
        local::print_answers(&report);
        ui::say(format_args!("{}: {}", report.url, local::counted(&report)));
    }
    Ok(if report.ok() { End::Done } else { End::Unverified })
}

/// A URL; compared with the manifest when the command is run inside a project.
fn remote(url: &str, args: &Verify, dir: Option<&Path>, on_check: &mut dyn FnMut(&Check)) -> Result<Report> {
    let here = crate::project::find(dir);
    let project = match (&here, dir) {
        (Ok(_), _) | (Err(_), Some(_)) => Some(Project::open(dir)?),
        (Err(_), None) => None,
    };
    let manifest = project.as_ref().map(|project| &project.manifest);
    match manifest {
        Some(manifest) => local::declared(&args.calls.call, manifest)?,
        None => ui::say(format_args!("no `{}` here, so the answers are compared with nothing", manifest::FILE)),
    }
    let options = Options {
        url: url.to_owned(),
        local: probe::is_local(url),
        calls: args.calls.call.clone(),
        headers: local::bearer_header(args.calls.bearer_env.as_deref())?,
        budgets: None,
        timeout: manifest.map_or(std::time::Duration::from_secs(30), |manifest| {
            manifest.longest_timeout() + std::time::Duration::from_secs(10)
        }),
        max_body_bytes: manifest.map_or(1 << 20, |manifest| manifest.limits.max_body),
        deployments: project.as_ref().map_or_else(|| Ok(Vec::new()), |project| recorded(project, url))?,
        platforms: targets::platforms(),
    };
    local::prove(options, manifest.map(|manifest| local::contract(manifest, None)), on_check)
}

/// The versions that the record names at a URL: several where it leads to several regions, none where nothing of ours
/// is there.
fn recorded(project: &Project, url: &str) -> Result<Vec<String>> {
    let current = Record::read(&project.home)?.current(None, None);
    let there = current.into_iter().filter(|one| one.url == url || one.own_url() == url);
    Ok(there.filter_map(|one| one.version).collect())
}
