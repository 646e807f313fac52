//! `add-tool`, `add-resource`, `add-prompt`: one table in the manifest, one typed handler.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::{Map, Value};

use super::{End, dry_run, mend, report};
use crate::cli::param::Param;
use crate::cli::{AddPrompt, AddResource, AddTool, Described};
use crate::error::Error;
use crate::manifest::edit::{self, Declaration, Entries};
use crate::manifest::{Kind, names};
use crate::project::{Project, undeclared};
use crate::prompt::{self, Mode};
use crate::ship::packages;
use crate::ui;

pub fn tool(args: AddTool, dir: Option<&Path>) -> Result<End> {
    let flags = [
        ("read_only", args.read_only),
        ("destructive", args.destructive),
        ("idempotent", args.idempotent),
        ("open_world", args.open_world),
    ];
    let annotations: Map<String, Value> =
        flags.into_iter().filter(|(_, set)| *set).map(|(key, _)| (key.to_owned(), true.into())).collect();
    let mut more = Vec::new();
    if !annotations.is_empty() {
        more.push(("annotations".to_owned(), annotations.into()));
    }
    if let Some(timeout) = &args.timeout {
        more.push(("timeout".to_owned(), timeout.clone().into()));
    }
    let tables = [("input", args.param), ("output", args.output)];
    add(Kind::Tool, args.name, args.described, Vec::new(), more, tables.into(), dir)
}

pub fn resource(args: AddResource, dir: Option<&Path>) -> Result<End> {
    let project = Project::open(dir)?;
    refuse_known(&project, Kind::Resource, &args.name, args.described.dry_run)?;
    let uri = match &args.uri {
        Some(uri) => uri.clone(),
        None => prompt::text_or_flag(
            "--uri",
            "URI, or a template such as docs://{name}?",
            Some(&format!("{}://{}", project.manifest.server.name, args.name)),
            |_| None,
        )?,
    };
    let mut more = Vec::new();
    if let Some(mime_type) = &args.mime_type {
        more.push(("mime_type".to_owned(), mime_type.clone().into()));
    }
    add(Kind::Resource, args.name, args.described, vec![("uri".to_owned(), uri.into())], more, Vec::new(), dir)
}

pub fn prompt(args: AddPrompt, dir: Option<&Path>) -> Result<End> {
    add(Kind::Prompt, args.name, args.described, Vec::new(), Vec::new(), vec![("input", args.param)], dir)
}

fn add(
    kind: Kind,
    name: String,
    described: Described,
    first: Entries,
    more: Entries,
    params: Vec<(&'static str, Vec<Param>)>,
    dir: Option<&Path>,
) -> Result<End> {
    let project = Project::open(dir)?;
    refuse_known(&project, kind, &name, described.dry_run)?;
    let noun = kind.noun();
    let description = match described.description {
        Some(description) if description.trim().is_empty() => bail!(Error::usage("`--description` is empty")),
        Some(description) => description,
        None => prompt::text_or_flag("--description", "What does it do, and when is it used?", None, |text| {
            text.trim().is_empty().then(|| "assistants choose by the description".to_owned())
        })?,
    };
    let mut entries = first;
    entries.extend(described.title.map(|title| ("title".to_owned(), title.into())));
    entries.push(("description".to_owned(), description.into()));
    entries.extend(more);
    let mut tables = Vec::new();
    for (table, params) in params.into_iter().filter(|(_, params)| !params.is_empty()) {
        if let Some(twice) =
            params.iter().enumerate().find(|(at, param)| params[..*at].iter().any(|p| p.name == param.name))
        {
            bail!(Error::usage(format!("the {table} parameter `{}` is given twice", twice.1.name)));
        }
        tables.push((table, params.into_iter().map(|param| (param.name, param.entry)).collect()));
    }
    // As it is now: another command may have changed it since the questions were asked.
    let (project, alone) = Project::open_to_write(dir)?;
    refuse_known(&project, kind, &name, described.dry_run)?;
    let text = edit::add(&project.text, &Declaration { kind, name: name.clone(), entries, tables })?;
    let (plan, manifest) = project.plan_with(text)?;
    let misnamed = undeclared::notes(&project.root, &manifest);
    if described.dry_run {
        misnamed.iter().for_each(ui::hint);
        return dry_run(&plan);
    }
    let handler = kind.handler(&name);
    let kept = plan.keeps(&handler);
    let applied = plan.apply(false)?;
    report(&applied);
    misnamed.iter().for_each(ui::hint);
    ui::say(format_args!("added the {noun} `{name}` to mcp.toml"));
    match kept {
        true => ui::say(format_args!("`{handler}` was there already and is kept as it is")),
        false => ui::say(format_args!("next: write what it does in {handler}")),
    }
    // An installation takes longer than others would wait.
    drop(alone);
    packages::add_or_say(&project, &manifest, None, Mode::of(described.yes))?;
    Ok(End::Done)
}

fn refuse_known(project: &Project, kind: Kind, name: &str, dry_run: bool) -> Result<()> {
    if let Some(problem) = names::declaration(kind, name) {
        bail!(Error::usage(problem));
    }
    if let Some((_, at)) = project.manifest.declared(kind).into_iter().find(|(known, _)| *known == name) {
        if !dry_run {
            mend(project)?;
        }
        bail!("the {} `{name}` exists already (mcp.toml:{}:{}); nothing was changed", kind.noun(), at.line, at.column);
    }
    Ok(())
}
