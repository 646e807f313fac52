//! `check`: every fault of manifest, handlers and types, each with its place.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::End;
use crate::cli::CheckArgs;
use crate::fault::{Fault, Position, Severity};
use crate::manifest;
use crate::plan::{Action, Change, Owner};
use crate::project::npm;
use crate::project::{self, Project, errors};
use crate::prompt::Mode;
use crate::secrets::dotenv;
use crate::ship::{local, packages};
use crate::targets::{self, Target};
use crate::ui;

#[derive(Serialize)]
struct CheckAnswer<'a> {
    ok: bool,
    faults: &'a [Fault],
    /// `passed`, `failed` or `not run`.
    types: &'static str,
}

pub fn run(args: CheckArgs, dir: Option<&Path>) -> Result<End> {
    let root = project::find(dir)?;
    let loaded = manifest::load(&root)?;
    let mut faults = loaded.faults;
    let mut types = "not run";
    if let Some(manifest) = loaded.manifest {
        let project = Project { home: root.clone(), root, text: loaded.text, manifest, warnings: Vec::new() };
        // What `render` puts right comes first: it may be the cause of the rest.
        faults.extend(drift(&project)?);
        faults.extend(unfit(&project));
        let mode = Mode::for_answer(args.yes, args.json);
        if !args.no_types && errors(&faults) == 0 {
            packages::add(&project, &|| local::node_tools(mode), mode)?;
        }
        faults.extend(project::code_faults(&project));
        if !args.no_types && errors(&faults) == 0 {
            types = "passed";
            let tools = local::node_tools(mode)?;
            packages::install(&project, &tools)?;
            let found = npm::type_faults(&project, &tools)?;
            if !found.is_empty() {
                types = "failed";
                faults.extend(found);
            }
        }
        faults.extend(dotenv::faults(&project.root, &project.manifest)?);
    }
    let count = errors(&faults);
    if args.json {
        ui::json(&CheckAnswer { ok: count == 0, faults: &faults, types })?;
    } else {
        project::print(&faults);
        let warnings = faults.len() - count;
        let types = if types == "not run" { "; types were not checked" } else { "" };
        ui::say(format_args!("{}{types}", summary(count, warnings)));
    }
    Ok(if count == 0 { End::Done } else { End::No })
}

/// What is wrong with the place of the project: of a target alone, it is a warning.
fn unfit(project: &Project) -> Option<Fault> {
    let targets: Vec<&Target> = targets::chosen(&project.manifest.targets).collect();
    let error = targets::unfit(&targets, &project.home)?;
    let is_of_all = targets::unfit(&[], &project.home).is_some();
    Some(Fault {
        severity: if is_of_all { Severity::Error } else { Severity::Warning },
        file: manifest::FILE.to_owned(),
        at: Position { line: 1, column: 1 },
        message: error.to_string(),
        hint: error.own_hint().map(str::to_owned),
    })
}

fn summary(errors: usize, warnings: usize) -> String {
    let plural = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, 0) => "no faults".into(),
        (errors, 0) => plural(errors, "error"),
        (0, warnings) => plural(warnings, "warning"),
        (errors, warnings) => format!("{}, {}", plural(errors, "error"), plural(warnings, "warning")),
    }
}

/// Generated files that are not as the manifest says: the types would be those of another manifest. One fault a kind
/// for what `render` puts right, one for each that was edited by hand.
fn drift(project: &Project) -> Result<Vec<Fault>> {
    let plan = project.plan()?;
    let fault = |file: &str, message: String, hint: &str| Fault {
        severity: Severity::Error,
        file: file.to_owned(),
        at: Position { line: 1, column: 1 },
        message,
        hint: Some(hint.to_owned()),
    };
    let drift = plan.drift();
    let generated: Vec<&&Change> = drift.iter().filter(|change| change.owner == Owner::Generated).collect();
    let are = |action: Action| generated.iter().filter(move |change| change.action == action);
    let mut faults: Vec<Fault> = are(Action::Conflict)
        .map(|change| {
            let hint = "move the edit into a handler or `mcp.toml`, then run `mcp-deploy render --force`";
            fault(&change.path, "this generated file was edited by hand".into(), hint)
        })
        .collect();
    let kinds = [
        (Action::Create, "is missing"),
        (Action::Update, "is not as mcp.toml says"),
        (Action::Delete, "is no longer wanted"),
    ];
    for (action, what) in kinds {
        let Some(first) = are(action).next() else { continue };
        let like = match are(action).count() - 1 {
            0 => String::new(),
            1 => ", like 1 other".to_owned(),
            others => format!(", like {others} others"),
        };
        faults.push(fault(&first.path, format!("this generated file {what}{like}"), "run `mcp-deploy render`"));
    }
    Ok(faults)
}
