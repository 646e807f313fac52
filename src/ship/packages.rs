//! The project's own packages, by its own package manager: all of them installed, those that the server needs added.

use std::time::Duration;

use anyhow::Result;

use super::local::{node_tools, step};
use crate::manifest::Manifest;
use crate::process::{self, Io};
use crate::project::Project;
use crate::project::manager::Packages;
use crate::project::npm;
use crate::prompt::{self, Mode};
use crate::template::packages::Package;
use crate::toolchain::Toolchain;
use crate::ui;

const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// All of them, when that is due.
pub fn install(project: &Project, tools: &Toolchain) -> Result<()> {
    let packages = Packages::of(&project.home)?;
    if packages.are_installed() {
        packages.remember();
        return Ok(());
    }
    let cmd = packages.install(tools)?;
    step(format!("install the project's packages (`{cmd}`)"), || {
        process::run(&cmd, Io::Quiet, Some(INSTALL_LIMIT))?;
        packages.installed()
    })
}

/// Adds what the manifest makes necessary and `package.json` lacks, after one question; whether it did.
pub fn add(project: &Project, tools: &dyn Fn() -> Result<Toolchain>, mode: Mode) -> Result<bool> {
    match agreed(project, &project.manifest, mode)? {
        Some((packages, lacking)) => run_add(&packages, &lacking, &tools()?).map(|()| true),
        None => Ok(false),
    }
}

/// The same for a command that goes on without them. `package.json` is the user's: what is not done is said, and so is
/// what nothing needs any more. `gone` is a handler that is no longer part of the server.
pub fn add_or_say(project: &Project, manifest: &Manifest, gone: Option<&str>, mode: Mode) -> Result<()> {
    let unneeded = npm::unneeded(project, manifest, gone);
    let lacking = npm::lacking(project, manifest);
    if unneeded.is_empty() && lacking.is_empty() {
        return Ok(());
    }
    let packages = Packages::of(&project.home)?;
    if !unneeded.is_empty() {
        ui::say(format_args!("next: {}", packages.remove_line(&unneeded)));
    }
    match agreed(project, manifest, mode)? {
        Some((packages, lacking)) => run_add(&packages, &lacking, &node_tools(mode)?),
        None if lacking.is_empty() => Ok(()),
        None => {
            ui::say(format_args!("next: {}", packages.add_line(&lacking)));
            Ok(())
        }
    }
}

/// What is lacking, where somebody wants it to be added.
fn agreed(project: &Project, manifest: &Manifest, mode: Mode) -> Result<Option<(Packages, Vec<Package>)>> {
    let lacking = npm::lacking(project, manifest);
    if lacking.is_empty() || mode == Mode::Refuse {
        return Ok(None);
    }
    let packages = Packages::of(&project.home)?;
    let question = format!("The server needs more packages. Run `{}`?", packages.add_line(&lacking));
    Ok(prompt::confirm(mode, &question)?.then_some((packages, lacking)))
}

fn run_add(packages: &Packages, lacking: &[Package], tools: &Toolchain) -> Result<()> {
    let cmd = packages.add(tools, lacking)?;
    step(format!("add packages (`{cmd}`)"), || process::run(&cmd, Io::Quiet, Some(INSTALL_LIMIT)))?;
    packages.remember();
    Ok(())
}
