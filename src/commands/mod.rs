//! One file a command: arguments → plan → apply.

mod add;
mod check;
mod dev;
mod doctor;
mod init;
mod print;
mod remove;
mod render;
mod ship;
mod trial;
mod verify;

use std::path::Path;

use anyhow::Result;

use crate::cli::{Command, TargetArg};
use crate::manifest::Kind;
use crate::plan::{Action, Applied, Plan};
use crate::project::Project;
use crate::prompt::Usage;
use crate::targets::{self, Target};
use crate::ui;

pub use ship::AlreadyShown;

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    /// The command worked and its answer is no: faults were found, something drifted.
    No,
    /// Something runs, but verification failed.
    Unverified,
}

pub fn run(command: Command, dir: Option<&Path>) -> Result<End> {
    match command {
        Command::Init(args) => init::run(args, dir),
        Command::AddTool(args) => add::tool(args, dir),
        Command::AddResource(args) => add::resource(args, dir),
        Command::AddPrompt(args) => add::prompt(args, dir),
        Command::RemoveTool(args) => remove::run(Kind::Tool, args, dir),
        Command::RemoveResource(args) => remove::run(Kind::Resource, args, dir),
        Command::RemovePrompt(args) => remove::run(Kind::Prompt, args, dir),
        Command::Render(args) => render::run(args, dir),
        Command::Check(args) => check::run(args, dir),
        Command::Dev(args) => dev::run(args, dir),
        Command::Verify(args) => verify::run(args, dir),
        Command::Ship(args) => ship::run(args, dir),
        Command::Try(args) => trial::run(args),
        Command::Doctor(args) => doctor::run(args),
        Command::Completions(args) => print::completions(args),
        Command::Schema(_) => print::schema(),
    }
}

/// The rows that `--target` names; `all` stands for `every`.
fn chosen(args: &[TargetArg], every: &[&'static Target]) -> Result<Vec<&'static Target>> {
    let mut chosen: Vec<&'static Target> = Vec::new();
    for arg in args {
        match targets::by_arg(*arg) {
            None => chosen.extend(every),
            Some(target) if every.iter().any(|known| known.name == target.name) => chosen.push(target),
            Some(target) => {
                let name = target.name;
                return Err(Usage(format!("the manifest has no `[targets.{name}]`\nhint: add that line to `mcp.toml`, then run `mcp-deploy render`")).into());
            }
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    chosen.retain(|target| {
        !seen.contains(&target.name) && {
            seen.push(target.name);
            true
        }
    });
    Ok(chosen)
}

/// Puts the files of a run right that was killed in the middle, for commands that have nothing else to write.
fn mend(project: &Project) -> Result<()> {
    let plan = project.plan()?;
    if plan.mends() {
        report(&plan.apply(false)?);
        ui::say(MENDED);
    }
    Ok(())
}

const MENDED: &str = "an earlier run was interrupted; its files are put right";

/// `--dry-run`: every file that would be written, one a line.
fn preview(plan: &Plan) {
    for change in &plan.changes {
        let word = match change.action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Conflict => "conflict (edited by hand)",
            Action::Same | Action::Keep => continue,
        };
        ui::answer(format_args!("would {word} {}", change.path));
    }
    if plan.writes_manifest() {
        ui::answer(format_args!("would update {}", crate::manifest::FILE));
    }
}

/// What was written, one line a file.
fn report(applied: &Applied) {
    let lists = [
        ("created", &applied.created),
        ("updated", &applied.updated),
        ("deleted", &applied.deleted),
        ("your version is in", &applied.originals),
    ];
    for (word, paths) in lists {
        for path in paths {
            ui::say(format_args!("{word} {path}"));
        }
    }
}
