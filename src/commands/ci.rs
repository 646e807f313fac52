//! `ci github`: a workflow that checks every push and ships from the main branch, without long-lived AWS keys.

use std::path::Path;

use anyhow::{Result, bail};

use super::End;
use crate::cli::{Ci, CiSystem};
use crate::error::Error;
use crate::files::{self, Exclusive};
use crate::plan;
use crate::project::Project;
use crate::project::manager::Packages;
use crate::template;
use crate::ui;

pub fn run(args: Ci, dir: Option<&Path>) -> Result<End> {
    let CiSystem::Github = args.system;
    let project = Project::open(dir)?;
    let packages = Packages::of(&project.home)?;
    let (manager, tests) = (packages.how_to_get_it(), packages.test_line());
    for (path, text) in template::ci("github", &project.manifest, manager.as_deref(), &tests)? {
        if args.dry_run {
            ui::answer(format_args!("would create {path}"));
            continue;
        }
        let _alone = Exclusive::to_write(&project.home)?;
        if files::is_there(&project.home, &path) {
            let error = Error::new(format!("`{path}` exists and is yours; nothing was written"));
            bail!(error.hint("delete it to get a new one"));
        }
        plan::replace(&project.home, &path, &text)?;
        ui::say(format_args!("created {path}; its first lines say which variables and secrets the repository needs"));
    }
    Ok(End::Done)
}
