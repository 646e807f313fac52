//! The project's npm packages: present, pinned as they were run, and the type check that needs them.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::manager::{self, Packages};
use super::types;
use crate::error;
use crate::fault::{Fault, Position, Severity};
use crate::files::{self, GENERATED};
use crate::manifest::Manifest;
use crate::process::{self, Cmd, Io, ToolFailed};
use crate::project::Project;
use crate::targets;
use crate::template::packages::{EVER, Package, needed};
use crate::toolchain::{ToolId, Toolchain};

const FILE: &str = "package.json";

/// Packages that the generated code imports or the clouds' builds run, and `package.json` lacks.
pub fn faults(project: &Project) -> Vec<Fault> {
    let Project { root, manifest, .. } = project;
    let fault = |severity, message, hint| Fault {
        severity,
        file: FILE.into(),
        at: Position { line: 1, column: 1 },
        message,
        hint,
    };
    let text = match files::read(root, FILE, files::ANY) {
        Ok(text) => text,
        Err(error) => {
            return vec![fault(
                Severity::Error,
                format!("cannot read `{FILE}`: {error}"),
                Some("run `mcp-deploy render`, which creates it".to_owned()),
            )];
        }
    };
    let parsed: Value = match serde_json::from_str(&text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let at = Position { line: error.line(), column: error.column() };
            return vec![Fault { at, ..fault(Severity::Error, format!("not valid JSON: {error}"), None) }];
        }
    };
    let packages = match Packages::of(&project.home) {
        Ok(packages) => packages,
        Err(error) => return vec![fault(Severity::Error, format!("{error:#}"), error::hint(&error))],
    };
    let (lacking, there): (Vec<Package>, Vec<Package>) =
        needed(manifest, &[]).into_iter().partition(|package| parsed["dependencies"][package.name].is_null());
    let mut faults: Vec<Fault> = lacking
        .iter()
        .map(|Package { name, needed_by, .. }| {
            fault(Severity::Error, format!("`dependencies` lacks `{name}`, which {needed_by} needs"), None)
        })
        .collect();
    // One command for all of them.
    if let Some(last) = faults.last_mut() {
        last.hint = Some(format!("run `{}`", packages.add_line(&lacking)));
    }
    if parsed["type"] != "module" {
        let place = text.find("\"type\"").filter(|_| !parsed["type"].is_null()).unwrap_or(0);
        let message = "`type` is not `\"module\"`, and the generated code has ES modules".to_owned();
        let hint = Some("write `\"type\": \"module\"` in `package.json`".to_owned());
        faults.insert(0, Fault { at: Position::of(&text, place), ..fault(Severity::Error, message, hint) });
    }
    for package in there {
        let Package { name, version, .. } = package;
        let found = &parsed["dependencies"][name];
        if found != version {
            let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
            let message = format!("`{name}` is `{found}`; this mcp-deploy was proven with {version}");
            faults.push(fault(Severity::Warning, message, Some(format!("run `{}`", packages.add_line(&[package])))));
        }
    }
    let superfluous = superfluous(project, &parsed, manifest, None);
    if !superfluous.is_empty() {
        let names = superfluous.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
        let message = format!(
            "`dependencies` has {names}, which the generated code needed once and nothing in the project imports"
        );
        faults.push(fault(Severity::Warning, message, Some(format!("run `{}`", packages.remove_line(&superfluous)))));
    }
    faults
}

/// What the manifest makes necessary and `package.json` lacks; nothing when nobody can tell.
pub fn lacking(project: &Project, manifest: &Manifest) -> Vec<Package> {
    let Some(parsed) = package_json(project) else { return Vec::new() };
    let mut lacking = needed(manifest, &[]);
    lacking.retain(|package| parsed["dependencies"][package.name].is_null());
    lacking
}

/// What the generated code needed once and nothing needs any more; nothing when nobody can tell. `but` is a handler
/// that was removed from the manifest.
pub fn unneeded(project: &Project, manifest: &Manifest, but: Option<&str>) -> Vec<&'static str> {
    package_json(project).map_or_else(Vec::new, |parsed| superfluous(project, &parsed, manifest, but))
}

fn package_json(project: &Project) -> Option<Value> {
    serde_json::from_str(&files::read(&project.root, FILE, files::ANY).ok()?).ok()
}

/// Packages among the dependencies that the generated code needed once, if neither it nor anything else in the project
/// does.
fn superfluous(project: &Project, package: &Value, manifest: &Manifest, but: Option<&str>) -> Vec<&'static str> {
    let needed: Vec<&str> = needed(manifest, &[]).into_iter().map(|package| package.name).collect();
    let mut found = EVER.to_vec();
    found.retain(|name| !needed.contains(name) && !package["dependencies"][*name].is_null());
    let scripts = package["scripts"].as_object().into_iter().flatten().filter_map(|(_, script)| script.as_str());
    let scripts: String = scripts.collect::<Vec<_>>().join("\n");
    found.retain(|name| !scripts.contains(name));
    if !found.is_empty() {
        let imported = imported(&project.root, &found, but);
        found.retain(|name| !imported.contains(name));
    }
    // What stays may need others beside it.
    let packages = Packages::of(&project.home).ok();
    loop {
        let others = package["dependencies"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        let others = others.filter(|name| !needed.contains(name) && !found.contains(name));
        let beside: Vec<Option<Value>> = others.map(|name| peers(&packages.as_ref()?.folder_of(name)?)).collect();
        let count = found.len();
        found.retain(|name| beside.iter().all(|peers| peers.as_ref().is_some_and(|peers| peers[*name].is_null())));
        if found.len() == count {
            return found;
        }
    }
}

/// What an installed package wants beside it; `None` when it is not there to be looked at.
fn peers(package: &Path) -> Option<Value> {
    let text = files::read(package, FILE, files::ANY).ok()?;
    Some(serde_json::from_str::<Value>(&text).ok()?["peerDependencies"].take())
}

/// Those of some packages that a file of the user's may import; all of them where there are too many files to look at.
fn imported<'p>(root: &Path, packages: &[&'p str], but: Option<&str>) -> Vec<&'p str> {
    const NOT_CODE: [&str; 5] = ["node_modules", "dist", ".git", "package.json", "mcp.lock"];
    let mut skipped: Vec<&str> = NOT_CODE.into_iter().chain([GENERATED]).chain(but).collect();
    skipped.extend(manager::LOCKFILES.iter().map(|(file, _)| *file));
    skipped.extend(targets::ALL.iter().flat_map(|target| target.leftovers));
    let Ok(entries) = root.read_dir() else { return packages.to_vec() };
    let names: Vec<String> = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    let starts: Vec<&str> = names.iter().map(String::as_str).filter(|name| !skipped.contains(name)).collect();
    let mut found: Vec<&str> = Vec::new();
    let whole = files::walk(root, &starts, &skipped, &mut |folder, name, _| {
        let Ok(text) = folder.read(name, files::ANY) else {
            // A picture imports nothing; of code nobody can tell.
            found.extend(packages.iter().copied().filter(|_| is_code(name)));
            return;
        };
        let imports = |package: &&&str| {
            ['"', '\''].iter().any(|quote| {
                text.contains(&format!("{quote}{package}{quote}")) || text.contains(&format!("{quote}{package}/"))
            })
        };
        let more: Vec<&str> = packages.iter().filter(imports).copied().collect();
        found.extend(more);
    });
    if whole { found } else { packages.to_vec() }
}

fn is_code(name: &str) -> bool {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["ts", "tsx", "mts", "cts", "js", "jsx", "mjs", "cjs"].contains(&ending))
}

/// `tsc`, strict and without output, from the project's own TypeScript.
pub fn type_check_command(project: &Project, tools: &Toolchain) -> Cmd {
    let package = Packages::of(&project.home).ok().and_then(|packages| packages.folder_of("typescript"));
    let package = package.unwrap_or_else(|| project.home.join("node_modules/typescript"));
    let options = ["--noEmit", "--pretty", "false"];
    tools.cmd(ToolId::Node).arg(package.join("bin/tsc")).args(options).current_dir(&project.root)
}

pub const TYPES_LIMIT: Duration = Duration::from_secs(300);

/// What `tsc` finds, each with its file and place.
pub fn type_faults(project: &Project, tools: &Toolchain) -> Result<Vec<Fault>> {
    match process::run(&type_check_command(project, tools), Io::Answer, Some(TYPES_LIMIT)) {
        Ok(_) => Ok(Vec::new()),
        Err(error) => match ToolFailed::of(&error) {
            Some(failed) => {
                let faults = compiler_faults(&failed.stdout);
                if faults.is_empty() {
                    return Err(error);
                }
                let options = || type_check_command(project, tools).arg("--showConfig");
                Ok(types::at_their_cause(&project.root, faults, options))
            }
            None => Err(error),
        },
    }
}

/// Indented lines that follow a fault lead from the whole to its cause: the last of them is shown with it.
fn compiler_faults(said: &str) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    let mut lines = said.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(mut fault) = type_fault(line) else { continue };
        let explains = |line: &&str| line.starts_with(' ');
        if let Some(cause) = std::iter::from_fn(|| lines.next_if(explains)).last() {
            fault.message = format!("{} {}", fault.message, cut(cause.trim()));
        }
        faults.push(fault);
    }
    faults
}

/// A type written out can be longer than a screen.
fn cut(line: &str) -> String {
    const SHOWN: usize = 400;
    let shown: String = line.chars().take(SHOWN).collect();
    if shown.len() < line.len() { shown + "…" } else { shown }
}

/// `src/tools/a.ts(3,5): error TS2322: Type …`
fn type_fault(line: &str) -> Option<Fault> {
    let (place, message) = line.split_once("): error ")?;
    let (file, at) = place.rsplit_once('(')?;
    let (line, column) = at.split_once(',')?;
    let at = Position { line: line.parse().ok()?, column: column.parse().ok()? };
    Some(Fault { severity: Severity::Error, file: file.to_owned(), at, message: message.to_owned(), hint: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_compilers_lines() {
        let fault = type_fault("src/tools/a(1).ts(3,5): error TS2322: Type 'string' is not assignable.").unwrap();
        assert_eq!((fault.file.as_str(), fault.at), ("src/tools/a(1).ts", Position { line: 3, column: 5 }));
        assert_eq!(fault.message, "TS2322: Type 'string' is not assignable.");
        assert!(type_fault("  Type 'x' is not assignable to type 'y'.").is_none());
    }

    #[test]
    fn tells_the_cause_with_the_fault() {
        let said = "a.ts(3,5): error TS2322: Type 'A' is not assignable to type 'B'.
  Types of property 'x' are incompatible.
    Type 'number' is not assignable to type 'string'.
b.ts(1,1): error TS1005: ';' expected.
";
        let messages: Vec<String> = compiler_faults(said).into_iter().map(|fault| fault.message).collect();
        assert_eq!(
            messages,
            [
                "TS2322: Type 'A' is not assignable to type 'B'. Type 'number' is not assignable to type 'string'.",
                "TS1005: ';' expected."
            ]
        );
        let long = format!("a.ts(1,1): error TS2322: No.\n  {}\n", "é".repeat(500));
        assert_eq!(compiler_faults(&long)[0].message, format!("TS2322: No. {}…", "é".repeat(400)));
    }
}
