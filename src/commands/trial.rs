//! `try`: the weather example on every cloud's local runtime, the same call answered alike.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};

use super::ship::{self, Answer};
use super::{End, chosen, init};
use crate::cli::{Example, Try};
use crate::pipeline::{self, LocalRun};
use crate::probe::Call;
use crate::project::Project;
use crate::prompt::Mode;
use crate::targets::{self, Target};
use crate::template::Birth;
use crate::ui::{self, Mark};

/// The call that every cloud has to answer alike.
const TOOL: &str = "get_weather";

#[derive(Serialize)]
struct Trial {
    project: PathBuf,
    #[serde(flatten)]
    answer: Answer,
    /// Whether every cloud, in both protocol eras, answered the call with the same result.
    alike: bool,
}

pub fn run(args: Try) -> Result<End> {
    let every: Vec<&'static Target> = targets::ALL.iter().collect();
    let targets = if args.target.is_empty() { every.clone() } else { chosen(&args.target, &every)? };
    let tools = pipeline::tools(&targets, Mode::for_answer(args.yes, args.json))?;
    let root = folder(args.keep.as_deref())?;
    let birth = Birth::new("weather".into(), Example::Weather.description("weather"), &targets);
    init::plan(&root, &birth, Example::Weather)?.apply(false)?;
    ui::say(format_args!("the weather example is in {}", root.display()));
    let project = Project::open(Some(&root))?;
    let call = Call { name: TOOL.into(), arguments: json!({ "location": "Oslo" }) };
    let answer = ship::locally(&project, &tools, &targets, &[call])?;
    let alike = compare(&answer.runs);
    let trial = Trial { project: root, alike, answer };
    if args.json {
        ui::json(&trial)?;
    }
    ui::say(format_args!("\nthe project is yours to look at: {}", trial.project.display()));
    match ship::end(trial.answer)? {
        End::Done if !trial.alike => Ok(End::Unverified),
        end => Ok(end),
    }
}

/// An empty folder: the one asked for, or a new temporary one that stays.
fn folder(keep: Option<&Path>) -> Result<PathBuf> {
    let Some(keep) = keep else {
        let dir =
            tempfile::Builder::new().prefix("mcp-deploy-try-").tempdir().context("cannot create a temporary folder")?;
        return Ok(dir.keep().join("weather"));
    };
    if std::fs::read_dir(keep).is_ok_and(|mut entries| entries.next().is_some()) {
        bail!("`{}` is not empty; nothing was written\nhint: name a new folder", keep.display());
    }
    std::path::absolute(keep).with_context(|| format!("cannot use `{}`", keep.display()))
}

/// Prints the answers and tells whether they are all the same.
fn compare(runs: &[LocalRun]) -> bool {
    let mut results: Vec<(&str, Value)> = Vec::new();
    for run in runs {
        for answer in &run.report.answers {
            results.push((run.target, comparable(&answer.result)));
        }
    }
    let Some((_, first)) = results.first() else { return false };
    let different: Vec<&str> =
        results.iter().filter(|(_, result)| result != first).map(|(target, _)| *target).collect();
    let answer = first.get("structuredContent").unwrap_or(first);
    match different.as_slice() {
        [] => ui::mark(
            Mark::Good,
            format_args!(
                "`{TOOL}` answered alike {} times, on {} clouds in both protocol generations: {answer}",
                results.len(),
                runs.len()
            ),
        ),
        some => ui::mark(Mark::Bad, format_args!("`{TOOL}` was answered differently by {}", some.join(", "))),
    }
    different.is_empty()
}

/// The result without what may differ by era: the envelope's own fields.
fn comparable(result: &Value) -> Value {
    let mut result = result.clone();
    if let Some(fields) = result.as_object_mut() {
        fields.remove("_meta");
        fields.remove("resultType");
    }
    result
}
