//! `try`: the weather example on every cloud's local runtime, the same call answered alike.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::json;

use super::ship::{self, ShipAnswer};
use super::{End, init, offered};
use crate::cli::{Example, TargetArg, Try};
use crate::error::Error;
use crate::probe::Call;
use crate::process::Scratch;
use crate::project::Project;
use crate::prompt::Mode;
use crate::ship::local;
use crate::targets;
use crate::template::Birth;
use crate::toolchain::Purpose;
use crate::ui;

/// The call that every cloud has to answer alike.
const TOOL: &str = "get_weather";

#[derive(Serialize)]
struct Trial {
    project: PathBuf,
    #[serde(flatten)]
    answer: ShipAnswer,
}

pub fn run(args: Try) -> Result<End> {
    let targets = offered(if args.target.is_empty() { &[TargetArg::All] } else { &args.target })?;
    let tools = local::tools(&targets, Purpose::Run, Mode::for_answer(args.yes, args.json))?;
    let root = folder(args.keep.as_deref())?;
    if let Some(error) = targets::unfit(&targets, &root) {
        bail!(error);
    }
    let birth = Birth::new("weather".into(), Example::Weather.description("weather"), &targets);
    init::plan(&root, &birth, Example::Weather)?.apply(false)?;
    ui::say(format_args!("the weather example is in {}", root.display()));
    let project = Project::open(Some(&root))?;
    let call = Call { name: TOOL.into(), arguments: json!({ "location": "Oslo" }) };
    let answer = ship::locally(&project, &tools, &targets, &[call], true, Mode::Refuse)?;
    let trial = Trial { project: root, answer };
    if args.json {
        ui::json(&trial)?;
    }
    ui::say(format_args!("\nthe project is yours to look at: {}", trial.project.display()));
    ship::end(trial.answer)
}

/// An empty folder: the one asked for, or a new temporary one that stays.
fn folder(keep: Option<&Path>) -> Result<PathBuf> {
    let Some(keep) = keep else {
        return Ok(Scratch::kept("mcp-deploy-try-")?.join("weather"));
    };
    if std::fs::read_dir(keep).is_ok_and(|mut entries| entries.next().is_some()) {
        let error = Error::new(format!("`{}` is not empty; nothing was written", keep.display()));
        bail!(error.hint("name a new folder"));
    }
    std::path::absolute(keep).with_context(|| format!("cannot use `{}`", keep.display()))
}
