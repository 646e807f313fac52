//! A project folder on the disk: where it is, what its manifest says, what its handlers lack.

mod beside;
mod code;
mod handlers;
pub mod manager;
pub mod npm;
pub mod pins;
mod reached;
mod specifiers;
mod types;
mod unbundled;
pub mod undeclared;
mod workspace;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

use crate::error::Error;
use crate::fault::{Fault, Severity};
use crate::files::{self, Exclusive, STAGES};
use crate::manifest::{self, Loaded, Manifest};
use crate::plan::{self, Plan};
use crate::secrets::dotenv;
use crate::targets::ownership::ProjectMark;
use crate::template;
use crate::ui;
use reached::Reached;

/// What is wrong with the user's code and packages, as far as that shows without the compiler.
pub fn code_faults(project: &Project) -> Vec<Fault> {
    let Project { root, manifest, .. } = project;
    let mut faults = handlers::faults(root, manifest);
    faults.extend(npm::faults(project));
    let reached = Reached::of(root, manifest);
    faults.extend(beside::faults(root, manifest, &reached));
    faults.extend(specifiers::faults(root, &reached));
    faults.extend(unbundled::faults(root, manifest, &reached));
    faults
}

/// A project that has errors; they were printed already.
pub fn faulty(faults: &[Fault]) -> Error {
    let count = errors(faults);
    let s = if count == 1 { "" } else { "s" };
    Error::new(format!("the project has {count} error{s}")).list("faults", json!(faults))
}

/// A project whose manifest is sound.
pub struct Project {
    /// Where it is rendered and built.
    pub root: PathBuf,
    /// Where the user's `mcp.toml`, packages and records are: `root` itself, but for a stage that differs.
    pub home: PathBuf,
    pub text: String,
    pub manifest: Manifest,
    pub warnings: Vec<Fault>,
}

/// What a stage's copy does without: it is built anew, found upwards, or ours.
fn not_mirrored() -> Vec<&'static str> {
    let of_targets = manifest::targets::ALL.iter().flat_map(|target| target.leftovers).copied();
    ["node_modules", ".git", ".mcp-deploy", dotenv::FILE].into_iter().chain(of_targets).collect()
}

/// The folder given with `--dir`, else the nearest one upwards that holds a manifest.
pub fn find(dir: Option<&Path>) -> Result<PathBuf> {
    if let Some(dir) = dir {
        if dir.join(manifest::FILE).is_file() {
            // Tools run in it, and paths below it are handed to them.
            return std::fs::canonicalize(dir).with_context(|| format!("cannot use `{}`", dir.display()));
        }
        let error = Error::new(format!("no `mcp.toml` in `{}`", dir.display()));
        let hint = member_hint(dir, dir);
        bail!(
            error.hint(
                hint.unwrap_or_else(|| "run `mcp-deploy init` there, or name another folder with `--dir`".into())
            )
        );
    }
    let here = std::env::current_dir().context("cannot tell the current folder")?;
    let found = here.ancestors().find(|dir| dir.join(manifest::FILE).is_file());
    found.map(Path::to_owned).ok_or_else(|| {
        Error::new(format!("no `mcp.toml` in `{}` or any folder above it", here.display()))
            .hint(
                member_hint(&here, Path::new(""))
                    .unwrap_or_else(|| "run `mcp-deploy init`, or name the project with `--dir`".into()),
            )
            .into()
    })
}

/// Names the projects of the workspace whose root `folder` is, each below `shown`.
fn member_hint(folder: &Path, shown: &Path) -> Option<String> {
    const MOST: usize = 5;
    let members = workspace::members_with(folder, manifest::FILE);
    let dirs = members.iter().map(|member| format!("`--dir {}`", shown.join(member).display()));
    let named: Vec<String> = dirs.take(MOST).collect();
    let more = if members.len() > MOST { format!(" and {} more", members.len() - MOST) } else { String::new() };
    (!named.is_empty())
        .then(|| format!("this is the root of a workspace; name the project in it: {}{more}", named.join(", ")))
}

impl Project {
    /// Reads the project; a manifest with errors is reported in full and ends the command.
    pub fn open(dir: Option<&Path>) -> Result<Self> {
        let root = find(dir)?;
        let Loaded { text, manifest, faults } = manifest::load(&root)?;
        match manifest {
            Some(manifest) => Ok(Project { home: root.clone(), root, text, manifest, warnings: faults }),
            None => {
                print(&faults);
                bail!(faulty(&faults))
            }
        }
    }

    /// The same, to write to it by what it says now: until the lock is dropped no other process does.
    pub fn open_to_write(dir: Option<&Path>) -> Result<(Self, Exclusive)> {
        let alone = Exclusive::to_write(&find(dir)?)?;
        Ok((Self::open(dir)?, alone))
    }

    /// The project as one stage deploys it. A stage that differs is rendered in a separate copy, which
    /// [`Project::mirror`] makes.
    pub fn at_stage(self, stage: &str) -> Result<Self> {
        let Some(manifest) = self.manifest.staged(stage) else {
            let known: Vec<_> = self.manifest.stages.iter().map(|stage| format!("`{}`", stage.name)).collect();
            let known =
                if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
            let error = Error::usage(format!("the manifest has no stage `{stage}`; {known}"));
            bail!(error.hint(format!("add `[stages.{stage}]` to `mcp.toml`")));
        };
        if !self.manifest.stages.iter().any(|known| known.name == stage) {
            return Ok(self);
        }
        Ok(Project { root: self.home.join(STAGES).join(stage), manifest, ..self })
    }

    /// What marks everything that a stage deploys as this project's. A lock of 0.1.0 gets its id now.
    pub fn mark(&self, stage: &str) -> Result<ProjectMark> {
        if plan::project_id(&self.home)?.is_none() && std::env::var_os("CI").is_some_and(|ci| ci != "false") {
            let why = "`mcp.lock` has no `project` yet, and one that is made here would be lost with this checkout";
            bail!(Error::new(why).hint("run `mcp-deploy render` on your machine and commit `mcp.lock`"));
        }
        let project = plan::ensure_project_id(&self.home)?;
        Ok(ProjectMark { project, stage: stage.to_owned(), name: self.manifest.server.name.clone() })
    }

    /// Brings a stage's copy up to date with the project; there is nothing to do for one that does not differ.
    pub fn mirror(&self) -> Result<()> {
        if self.root == self.home {
            return Ok(());
        }
        let _alone = Exclusive::to_write(&self.home)?;
        let copy = self.root.strip_prefix(&self.home).ok().and_then(Path::to_str).context("the stage has no folder")?;
        files::mirror(&self.home, copy, &not_mirrored())?;
        // An older project's own `.gitignore` may not know of them.
        plan::replace(&self.home, &format!("{STAGES}/.gitignore"), "*\n")?;
        // A second copy of secrets would be one too many.
        plan::link_file(&self.home, &self.root, dotenv::FILE)
    }

    /// What the manifest asks for, compared with the disk.
    pub fn plan(&self) -> Result<Plan> {
        Plan::new(&self.root, &|lacks| template::lacking(&self.manifest, lacks), Some(&self.text), None)
    }

    /// The same for a changed manifest text, which is then written too; the text must be sound. What the change brings
    /// of warnings is printed. With it, the manifest as it is then.
    pub fn plan_with(&self, text: String) -> Result<(Plan, Manifest)> {
        let (manifest, faults) = manifest::parse_in(&self.root, &text);
        let Some(manifest) = manifest else {
            print(&faults);
            let count = errors(&faults);
            bail!(
                "the change would leave the manifest with {count} error{}, so nothing was written (lines are those of the changed text)",
                if count == 1 { "" } else { "s" }
            );
        };
        let known = |fault: &&Fault| self.warnings.iter().all(|warning| warning.message != fault.message);
        faults.iter().filter(known).for_each(ui::fault);
        let plan = Plan::new(&self.root, &|lacks| template::lacking(&manifest, lacks), Some(&self.text), Some(text))?;
        Ok((plan, manifest))
    }

    /// [`Project::plan`] for a build: a handler that is missing is an error, and no starter takes its place. A starter
    /// returns made-up values, which must not be deployed because a file was misnamed.
    pub fn plan_to_build(&self) -> Result<Plan> {
        self.has_handlers()?;
        self.plan()
    }

    /// Fails where a declared handler is missing; each one is printed.
    pub fn has_handlers(&self) -> Result<()> {
        // The files of a stage are those of the project.
        let faults = handlers::missing(&self.home, &self.manifest);
        if faults.is_empty() {
            return Ok(());
        }
        print(&faults);
        bail!(faulty(&faults))
    }
}

pub fn errors(faults: &[Fault]) -> usize {
    faults.iter().filter(|fault| fault.severity == Severity::Error).count()
}

pub fn print(faults: &[Fault]) {
    faults.iter().for_each(ui::fault);
}
