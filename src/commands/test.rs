//! `test`: the project's own tests, on the Node.js that every other command uses.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};

use super::End;
use crate::cli::Test;
use crate::error::Error;
use crate::process::{self, Interrupted, ToolFailed};
use crate::project::manager::Packages;
use crate::project::{self, Project};
use crate::prompt::Mode;
use crate::ship::{local, packages};
use crate::ui;

pub fn run(args: Test, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    project::print(&project.warnings);
    let tools = local::node_tools(Mode::of(args.yes))?;
    packages::install(&project, &tools)?;
    let cmd = Packages::of(&project.home)?.test(&tools)?;
    match process::run_heard(&cmd, Arc::new(|line: &str| ui::say(line))) {
        Ok(_) => Ok(End::Done),
        Err(_) if process::interrupted() => bail!(Interrupted),
        // What they said stands above.
        Err(error) => match ToolFailed::of(&error) {
            Some(failed) => bail!(Error::new(format!("`{cmd}` failed")).code(failed.exit_code())),
            None => Err(error),
        },
    }
}
