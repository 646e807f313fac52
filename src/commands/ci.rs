//! `ci github`: a workflow that checks every push and ships from the main branch, without long-lived AWS keys.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

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
    let repository = files::repository_of(&project.home).filter(|root| *root != project.home);
    let inside = repository.and_then(|root| project.home.strip_prefix(root).ok());
    let inside = inside.map(|inside| inside.to_str().context("the path of the project is not UTF-8")).transpose()?;
    // mcp-deploy writes nothing outside of the project.
    let misplaced = |path: &str| {
        if let Some(root) = repository {
            let place = root.join(path);
            ui::hint(format_args!(
                "GitHub reads workflows only at the root of the repository: move `{path}` to `{}`",
                place.display()
            ));
        }
    };
    for (path, text) in template::ci("github", &project.manifest, manager.as_deref(), &tests, inside)? {
        if args.dry_run {
            ui::answer(format_args!("would create {path}"));
            misplaced(&path);
            continue;
        }
        let _alone = Exclusive::to_write(&project.home)?;
        if files::is_there(&project.home, &path) {
            let error = Error::new(format!("`{path}` exists and is yours; nothing was written"));
            bail!(error.hint("delete it to get a new one"));
        }
        plan::replace(&project.home, &path, &text)?;
        ui::say(format_args!("created {path}; its first lines say which variables and secrets the repository needs"));
        misplaced(&path);
    }
    Ok(End::Done)
}
