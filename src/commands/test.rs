//! `test`: the project's own tests, on the Node.js that every other command uses.

use std::path::Path;

use anyhow::Result;

use super::End;
use crate::cli::Test;
use crate::process::{self, Io};
use crate::project::manager::Packages;
use crate::project::{self, Project};
use crate::prompt::Mode;
use crate::ship::{local, packages};

pub fn run(args: Test, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    project::print(&project.warnings);
    let tools = local::node_tools(Mode::of(args.yes))?;
    packages::install(&project, &tools)?;
    process::run(&Packages::of(&project.home)?.test(&tools)?, Io::Live, None)?;
    Ok(End::Done)
}
