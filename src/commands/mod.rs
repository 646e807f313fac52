//! One file a command: arguments → plan → apply.

mod add;
mod check;
mod ci;
mod connect;
mod destroy;
mod dev;
mod docs;
mod doctor;
#[cfg(test)]
mod fourth;
mod init;
mod keys;
mod logs;
mod print;
mod remove;
mod render;
mod rollback;
mod secrets;
mod ship;
mod status;
mod test;
mod trial;
mod verify;

use std::path::Path;

use anyhow::{Result, bail};

use crate::cli::{CloudArg, Command, TargetArg};
use crate::deployments::{self, Deployment, Record};
use crate::error::Error;
use crate::manifest::Kind;
use crate::plan::{Action, Applied, Plan};
use crate::project::Project;
use crate::prompt::Mode;
use crate::ship::local;
use crate::ship::release;
use crate::targets::deployer::Inquiry;
use crate::targets::deployment::Context;
use crate::targets::ownership::ProjectMark;
use crate::targets::{self, Build, Target};
use crate::template;
use crate::toolchain::{Purpose, Toolchain};
use crate::ui;

/// How a command that did not fail ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    /// The command worked and found something: faults, or a difference.
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
        Command::Status(args) => status::run(args, dir),
        Command::Keys(args) => keys::run(args.action, dir),
        Command::Secrets(args) => secrets::run(args.action, dir),
        Command::Rollback(args) => rollback::run(args, dir),
        Command::Logs(args) => logs::run(args, dir),
        Command::Destroy(args) => destroy::run(args, dir),
        Command::Connect(args) => connect::run(args, dir),
        Command::Ci(args) => ci::run(args, dir),
        Command::Test(args) => test::run(args, dir),
        Command::Try(args) => trial::run(args),
        Command::Doctor(args) => doctor::run(args, dir),
        Command::Docs(args) => docs::run(args),
        Command::Completions(args) => print::completions(args),
        Command::Schema(_) => print::schema(),
    }
}

fn no_cloud() -> Error {
    let tables: Vec<String> = targets::ALL.iter().map(|target| format!("`[targets.{}]`", target.name)).collect();
    let (last, others) = tables.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    Error::new("the manifest names no cloud").hint(format!("add {} or {last} to `mcp.toml`", others.join(", ")))
}

/// The rows that `--target` names where there is no manifest yet: `all` stands for those that nobody has to name.
fn offered(args: &[TargetArg]) -> Result<Vec<&'static Target>> {
    let every: Vec<&'static Target> = targets::ALL.iter().collect();
    let unasked =
        || every.iter().copied().filter(|target| target.unasked).map(|target| TargetArg::One(CloudArg(target)));
    let named = args.iter().flat_map(|arg| match arg {
        TargetArg::All => unasked().collect(),
        TargetArg::One(cloud) => vec![TargetArg::One(*cloud)],
    });
    chosen(&named.collect::<Vec<_>>(), &every)
}

/// The rows that `--target` names; `all` stands for `every`.
fn chosen(args: &[TargetArg], every: &[&'static Target]) -> Result<Vec<&'static Target>> {
    let mut chosen: Vec<&'static Target> = Vec::new();
    for arg in args {
        match arg {
            TargetArg::All => chosen.extend(every),
            TargetArg::One(cloud) => chosen.push(one(*cloud, every)?),
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

/// The row of one cloud, which must be in `every`.
fn one(cloud: CloudArg, every: &[&'static Target]) -> Result<&'static Target> {
    let target = cloud.0;
    if !every.iter().any(|known| known.name == target.name) {
        let name = target.name;
        let error = Error::usage(format!("the manifest has no `[targets.{name}]`"));
        bail!(error.hint("add that line to `mcp.toml`, then run `mcp-deploy render`"));
    }
    Ok(target)
}

/// A project of one stage, one cloud of it, and that cloud's deployments: what every command on something deployed
/// needs.
struct Deployments {
    project: Project,
    target: &'static Target,
    tools: Toolchain,
    /// The current one of each region.
    current: Vec<Deployment>,
    mark: ProjectMark,
}

impl Deployments {
    fn open(dir: Option<&Path>, asked: Inquiry, cloud: CloudArg, stage: &str, mode: Mode) -> Result<Self> {
        let project = Project::open(dir)?.at_stage(stage)?;
        cloud.0.can_be_asked(asked)?;
        // What was deployed to a cloud is still there when the manifest names that cloud no more.
        let target = cloud.0;
        let record = Record::read(&project.home)?;
        let current = record.current(Some(target.name), Some(stage));
        if current.is_empty() {
            let name = target.name;
            if let Some(begun) = record.unfinished_of(name, stage) {
                let error = Error::new(format!(
                    "the first deployment of stage `{stage}` to {} began at {}, and its end was not seen: the record knows nothing else of it",
                    target.title, begun.time
                ));
                bail!(error.hint(format!("run `mcp-deploy ship --target {name}`, which goes on from there")));
            }
            let error = Error::new(format!("nothing of stage `{stage}` was deployed to {} from here", target.title));
            let record = deployments::FILE;
            bail!(error.hint(format!("run `mcp-deploy ship --target {name}`; `{record}` is the record")));
        }
        let mark = project.mark(stage)?;
        let tools = local::tools(&[target], Purpose::Deploy, mode)?;
        // Nothing is rendered: the way back must not depend on the state of the files.
        project.mirror()?;
        Ok(Deployments { project, target, tools, current, mark })
    }

    /// Fails unless what is there is this project's: nothing else is touched, or looked into.
    fn ours(&self) -> Result<()> {
        release::ours(self.target, &self.context(&[], false))
    }

    fn context<'a>(&'a self, values: &'a [(String, String)], terminal: bool) -> Context<'a> {
        let build = Build { root: &self.project.root, manifest: &self.project.manifest, tools: &self.tools };
        Context { terminal, ..Context::new(build, values, &self.current, self.mark.clone(), template::project) }
    }
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

/// `--dry-run`: what the command would do, and the end it would come to.
fn dry_run(plan: &Plan) -> Result<End> {
    preview(plan, false);
    plan.unedited()?;
    Ok(End::Done)
}

/// Every file that would be written, one a line; with force, the generated ones that were edited too.
fn preview(plan: &Plan, force: bool) {
    for change in &plan.changes {
        let word = match change.action {
            Action::Create => "create",
            Action::Update => "update",
            Action::Delete => "delete",
            Action::Conflict if force => "overwrite (yours is kept beside it)",
            Action::Conflict => "conflict (edited by hand)",
            Action::Same | Action::Keep => continue,
        };
        ui::answer(format_args!("would {word} {}", change.path));
    }
    for (path, there) in plan.ours() {
        ui::answer(format_args!("would {} {path}", if there { "update" } else { "create" }));
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
