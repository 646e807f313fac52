//! `render`: brings the generated files up to date, or says with `--check` that they are not.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{End, MENDED, dry_run, preview, report};
use crate::cli::Render;
use crate::plan::{Action, Plan};
use crate::project::{self, Project, undeclared};
use crate::prompt::Mode;
use crate::ship::packages;
use crate::ui;

#[derive(Serialize)]
struct RenderAnswer<'a> {
    up_to_date: bool,
    files: Vec<FileEntry<'a>>,
}

/// One file that is not, or was not, as the manifest says.
#[derive(Serialize)]
pub struct FileEntry<'a> {
    path: &'a str,
    action: Action,
}

pub fn files(plan: &Plan) -> Vec<FileEntry<'_>> {
    plan.drift().into_iter().map(|change| FileEntry { path: &change.path, action: change.action }).collect()
}

pub fn run(args: Render, dir: Option<&Path>) -> Result<End> {
    let (project, alone) = Project::open_to_write(dir)?;
    project::print(&project.warnings);
    let mode = Mode::for_answer(args.yes, args.json);
    let misnamed = undeclared::notes(&project.root, &project.manifest);
    let plan = project.plan()?;
    let drift = plan.drift();
    let note = || misnamed.iter().for_each(ui::hint);
    if args.json {
        note();
        let up_to_date = drift.is_empty();
        let answer = RenderAnswer { up_to_date, files: files(&plan) };
        if !args.check && !args.dry_run {
            plan.apply(args.force)?;
            drop(alone);
            packages::add_or_say(&project, &project.manifest, None, mode)?;
        }
        ui::json(&answer)?;
        if args.dry_run && !args.force {
            // The files tell which, so that there is an answer already.
            plan.unedited().map_err(ui::shown)?;
        }
        return Ok(if args.check && !up_to_date { End::No } else { End::Done });
    }
    if args.check {
        note();
        for change in &drift {
            let what = match change.action {
                Action::Create => "is missing",
                Action::Conflict => "was edited by hand",
                Action::Delete => "is no longer wanted",
                _ => "is not as mcp.toml says",
            };
            ui::say(format_args!("{} {what}", change.path));
        }
        if drift.is_empty() {
            ui::say("everything is as mcp.toml says");
            return Ok(End::Done);
        }
        ui::hint(match plan.conflicts().is_empty() {
            true => "run `mcp-deploy render` and commit the result",
            false => {
                "move the edit into a handler or `mcp.toml`, then run `mcp-deploy render --force`, which keeps yours as `NAME.orig`, and commit the result"
            }
        });
        return Ok(End::No);
    }
    if args.dry_run {
        note();
        if args.force {
            preview(&plan, true);
            return Ok(End::Done);
        }
        return dry_run(&plan);
    }
    let applied = plan.apply(args.force)?;
    report(&applied);
    note();
    if plan.mends() {
        ui::say(MENDED);
    } else if applied.created.is_empty() && applied.updated.is_empty() && applied.deleted.is_empty() {
        ui::say("everything is as mcp.toml says; nothing was written");
    }
    // An installation takes longer than others would wait.
    drop(alone);
    packages::add_or_say(&project, &project.manifest, None, mode)?;
    Ok(End::Done)
}
