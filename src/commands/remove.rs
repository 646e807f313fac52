//! `remove-tool` and its like: takes the table out of the manifest, leaves the user's handler.

use std::path::Path;

use anyhow::{Result, bail};

use super::{End, dry_run, mend, report};
use crate::cli::Remove;
use crate::error::Error;
use crate::files;
use crate::manifest::{Kind, edit};
use crate::project::Project;
use crate::prompt::Mode;
use crate::ship::packages;
use crate::ui;

pub fn run(kind: Kind, args: Remove, dir: Option<&Path>) -> Result<End> {
    let (project, _alone) = Project::open_to_write(dir)?;
    let declared = project.manifest.declared(kind);
    let (noun, name) = (kind.noun(), &args.name);
    if !declared.iter().any(|(known, _)| known == name) {
        if !args.dry_run {
            mend(&project)?;
        }
        let error = Error::new(format!("there is no {noun} `{name}` in mcp.toml; nothing was changed"));
        bail!(match crate::manifest::nearest(name, declared.iter().map(|(known, _)| *known)) {
            Some(hint) => error.hint(hint),
            None => error,
        });
    }
    let text = edit::remove(&project.text, kind, name)?;
    let (plan, manifest) = project.plan_with(text)?;
    if args.dry_run {
        return dry_run(&plan);
    }
    report(&plan.apply(false)?);
    ui::say(format_args!("took the {noun} `{name}` out of mcp.toml"));
    let handler = kind.handler(name);
    if files::is_there(&project.root, &handler) {
        // It imports the types of what is gone.
        ui::say(format_args!(
            "`{handler}` is yours and stays; the project does not compile until you delete it or bring the {noun} back"
        ));
    }
    packages::add_or_say(&project, &manifest, Some(&handler), Mode::Refuse)?;
    Ok(End::Done)
}
