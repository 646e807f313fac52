//! `doctor`: one table of what each cloud needs, what was found and where; `--fix` installs it privately. And which
//! packages of the project here are older than those that this version writes.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

use super::{End, chosen};
use crate::cli::Doctor;
use crate::project::pins::{self, OldPin};
use crate::targets::{self, Target};
use crate::toolchain::{self, Need, Origin, Purpose, Requirement, Search, Source, ToolId, ToolStatus};
use crate::ui::{self, Mark};

#[derive(Serialize)]
struct ToolRow<'a> {
    tool: &'a str,
    /// `ready`, `too old`, `missing`, `broken`; `older` of a package of the project.
    status: &'static str,
    optional: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    minimum: &'a str,
    /// The version that was run with this release, and that `--fix` installs.
    pinned: &'a str,
    needed_by: Vec<&'a str>,
    why: &'a str,
    /// What moves a package.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
}

pub fn run(args: Doctor, dir: Option<&Path>) -> Result<End> {
    let every: Vec<&'static Target> = targets::ALL.iter().collect();
    let wanted = if args.target.is_empty() { every.clone() } else { chosen(&args.target, &every)? };
    let search = Search::from_env()?;
    let ids: Vec<ToolId> = toolchain::REQUIREMENTS
        .iter()
        .filter(|tool| wanted.iter().any(|target| needs(target, tool).is_some()))
        .map(|tool| tool.id)
        .collect();
    let mut rows = toolchain::survey(&ids, &search);
    if args.fix {
        let wanted = |(tool, status): &&(&Requirement, ToolStatus)| {
            let asked = is_needed(tool) || (need(tool) == Need::Extra && args.with_adapter);
            asked && tool.is_provisioned() && !matches!(status, ToolStatus::Ready(_))
        };
        let wanted: Vec<_> = rows.iter().filter(wanted).map(|(tool, _)| *tool).collect();
        toolchain::provision_all(&wanted, &search)?;
        rows = toolchain::survey(&ids, &search);
    }
    let complete = rows.iter().all(|(tool, status)| matches!(status, ToolStatus::Ready(_)) || !is_needed(tool));
    let old = pins::older(dir);
    if args.json {
        let tools = rows.iter().map(|(tool, status)| row(tool, status));
        ui::json(&tools.chain(old.iter().map(pin)).collect::<Vec<_>>())?;
    } else {
        rows.iter().for_each(|(tool, status)| print(tool, status));
        old.iter().for_each(print_pin);
        match complete {
            true => ui::say("\neverything that is needed was found"),
            false => {
                ui::say("");
                hints(&rows, args.fix).iter().for_each(ui::hint);
            }
        }
    }
    Ok(if complete { End::Done } else { End::No })
}

/// What to do about the tools that are needed and were not found. What `--fix` cannot install is left to its user, and
/// so is what it has just failed to bring.
fn hints(rows: &[(&Requirement, ToolStatus)], is_fixed: bool) -> Vec<String> {
    let missing = rows.iter().filter(|(tool, status)| is_needed(tool) && !matches!(status, ToolStatus::Ready(_)));
    let (ours, theirs): (Vec<_>, Vec<_>) = missing.partition(|(tool, _)| tool.is_provisioned());
    let mut hints = Vec::new();
    if !ours.is_empty() && !is_fixed {
        hints.push("`mcp-deploy doctor --fix` installs what is missing into a private cache".to_owned());
    }
    for (tool, _) in theirs {
        let how = match tool.source {
            Source::Host { how } => how,
            _ => continue,
        };
        let (name, least) = (tool.name, tool.minimum);
        hints.push(format!("install `{name}` {least} or newer yourself: {how}"));
    }
    if is_fixed && !ours.is_empty() {
        let names = ours.iter().map(|(tool, _)| format!("`{}`", tool.name)).collect::<Vec<_>>().join(", ");
        hints.push(format!("what was installed of {names} does not work here: the reason stands above"));
    }
    hints
}

/// When a target needs a tool; `None`: never.
fn needs(target: &Target, tool: &Requirement) -> Option<Need> {
    let all = toolchain::EVERY.iter().chain(target.tools);
    all.filter(|(id, _)| *id == tool.id).map(|(_, need)| *need).min()
}

/// When the target needs it that needs it most.
fn need(tool: &Requirement) -> Need {
    targets::ALL.iter().filter_map(|target| needs(target, tool)).min().unwrap_or(Need::Extra)
}

fn needed_by(tool: &Requirement) -> Vec<&'static str> {
    targets::ALL.iter().filter(|target| needs(target, tool).is_some()).map(|target| target.name).collect()
}

/// For anything that is done with a target.
fn is_needed(tool: &Requirement) -> bool {
    need(tool).is_needed_to(Purpose::Deploy)
}

fn row<'a>(tool: &'a Requirement, status: &ToolStatus) -> ToolRow<'a> {
    let (word, found) = match status {
        ToolStatus::Ready(found) => ("ready", Some(found)),
        ToolStatus::TooOld(found) => ("too old", Some(found)),
        ToolStatus::Missing => ("missing", None),
        ToolStatus::Broken { .. } => ("broken", None),
    };
    ToolRow {
        tool: tool.name,
        status: word,
        optional: !is_needed(tool),
        version: found.and_then(|found| found.version.as_ref()).map(ToString::to_string),
        path: found.map(|found| found.path.display().to_string()),
        minimum: tool.minimum,
        pinned: tool.version,
        needed_by: needed_by(tool),
        why: tool.why,
        command: None,
    }
}

const OLDER: &str = "this mcp-deploy was proven with a newer one, and writes that into new projects";

/// Not a tool, and the project works with it: something to update when there is time.
fn pin(old: &OldPin) -> ToolRow<'_> {
    ToolRow {
        tool: old.package.name,
        status: "older",
        optional: true,
        version: Some(old.found.clone()),
        path: Some("package.json".to_owned()),
        minimum: &old.found,
        pinned: old.package.version,
        needed_by: Vec::new(),
        why: OLDER,
        command: Some(&old.command),
    }
}

fn print_pin(OldPin { package, found, command }: &OldPin) {
    let name = package.name;
    ui::listed(Mark::Skipped, format_args!("{name:<15} {found} in package.json is older than {}", package.version));
    ui::answer(format_args!("     {:<15} {OLDER}: `{command}`", ""));
}

fn print(tool: &Requirement, status: &ToolStatus) {
    let least = if tool.tells_version { format!("{} or newer", tool.minimum) } else { "any version".to_owned() };
    let needed = format!("{least} for {}: {}", needed_by(tool).join(", "), tool.why);
    let version = |found: &toolchain::FoundTool| found.version.as_ref().map(ToString::to_string).unwrap_or_default();
    let (mark, found) = match status {
        ToolStatus::Ready(found) => {
            let place = if found.origin == Origin::Cache { "private cache" } else { "PATH" };
            (Mark::Good, format!("{} in {place}: {}", version(found), found.path.display()))
        }
        ToolStatus::TooOld(found) => (Mark::Bad, format!("{} is too old: {}", version(found), found.path.display())),
        ToolStatus::Missing => (Mark::Bad, "not found".to_owned()),
        ToolStatus::Broken { path, error } => (Mark::Bad, format!("does not run: {}: {error}", path.display())),
    };
    let mark = if mark == Mark::Bad && !is_needed(tool) { Mark::Skipped } else { mark };
    ui::listed(mark, format_args!("{:<15} {found}", tool.name));
    let when = match need(tool) {
        Need::Run => "",
        Need::Deploy => "only to deploy, ",
        Need::Install => "only to install another tool, ",
        Need::Extra => "optional, ",
    };
    ui::answer(format_args!("     {:<15} {when}{needed}", ""));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fix_is_not_hinted_at_where_it_was_made_or_would_not_help() {
        let row = |id: ToolId, status| (id.requirement(), status);
        let both = || [row(ToolId::Node, ToolStatus::Missing), row(ToolId::Npm, ToolStatus::Missing)];
        let (asked, fixed) = (hints(&both(), false), hints(&both(), true));
        assert!(asked[0].contains("`mcp-deploy doctor --fix`") && asked[1].starts_with("install `npm`"), "{asked:?}");
        assert!(fixed.len() == 2 && fixed.iter().all(|hint| !hint.contains("doctor --fix")), "{fixed:?}");
        let npm = hints(&[row(ToolId::Npm, ToolStatus::Missing)], false);
        assert_eq!(npm, ["install `npm` 10.0.0 or newer yourself: it comes with Node.js, see https://nodejs.org"]);
        assert!(hints(&[row(ToolId::LambdaAdapter, ToolStatus::Missing)], false).is_empty(), "it is optional");
    }
}
