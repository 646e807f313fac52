//! The AWS API, asked through sam's own Python, so that the credentials are those of sam.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::place::Place;
use crate::error::Error;
use crate::plan;
use crate::process::{self, Cmd, Io, Scratch};
use crate::targets::deployment::{Context, EndUnknown, QUESTION};
use crate::toolchain::ToolId;

/// What asks AWS, with the libraries that `sam` brings.
pub const SCRIPT: &str = include_str!("aws.py");

/// The code of the error with which `aws.py` says that something was begun, and its end was not seen.
const UNDERWAY: &str = "Underway";

/// One call, which only reads or takes no time.
pub fn ask(context: &Context<'_>, place: &Place, operation: &str, request: Value) -> Result<Value> {
    call(context, place, operation, request, context.limit.min(QUESTION))
}

/// One call that takes as long as a deployment.
pub fn run(context: &Context<'_>, place: &Place, operation: &str, request: Value) -> Result<Value> {
    call(context, place, operation, request, context.limit)
}

fn call(context: &Context<'_>, place: &Place, operation: &str, mut request: Value, limit: Duration) -> Result<Value> {
    if let Some(account) = &place.account {
        request["account"] = json!({ "id": account.id, "role": account.role });
    }
    let question = json!({ "operation": operation, "region": place.region, "request": request });
    let asked = context.answerers.ask(&place.region, || script(context), question.to_string(), limit);
    let answer = asked.with_context(|| format!("cannot ask AWS in {place}"))?;
    let answer: Value = serde_json::from_str(&answer).context("AWS was asked, but the answer is not JSON")?;
    match answer.get("error") {
        Some(error) if error["code"] == UNDERWAY => {
            bail!(EndUnknown::error(error["message"].as_str().unwrap_or_default()))
        }
        Some(error) => {
            bail!("{}: {}", error["code"].as_str().unwrap_or("error"), error["message"].as_str().unwrap_or_default())
        }
        None => Ok(answer),
    }
}

/// Asks for the code of the second factor on the terminal; sam finds what came of it in the cache that both use.
pub fn log_in(context: &Context<'_>, region: &str) -> Result<()> {
    // Whoever was refused before may remember it.
    context.answerers.end();
    let (cmd, _script) = script(context)?;
    process::run(&cmd.args(["log_in", region]), Io::Live, None).map(drop)
}

/// `aws.py` in a separate folder, and what runs it.
fn script(context: &Context<'_>) -> Result<(Cmd, Scratch)> {
    let folder = Scratch::new()?;
    let path = folder.path().join("aws.py");
    plan::write_scratch(&path, SCRIPT)?;
    let cmd = context.build.tools.cmd_with(ToolId::Sam, &python(context)?).shown_as("python");
    Ok((cmd.arg("-I").arg(path).current_dir(context.build.root), folder))
}

/// The interpreter that runs `sam`: beside it in a virtual environment, else the one its first line names.
fn python(context: &Context<'_>) -> Result<PathBuf> {
    let sam = &context.build.tools.found(ToolId::Sam).context("`sam` was not found")?.path;
    let sam = std::fs::canonicalize(sam).unwrap_or_else(|_| sam.clone());
    let first =
        std::fs::read_to_string(&sam).ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default();
    let named =
        first.strip_prefix("#!").map(str::trim).filter(|path| path.contains("python") && Path::new(path).is_file());
    let beside = sam.with_file_name("python");
    match named {
        Some(path) => Ok(PathBuf::from(path)),
        None if beside.is_file() => Ok(beside),
        None => bail!(
            Error::new(format!("cannot tell which Python runs `{}`", sam.display()))
                .hint("run `mcp-deploy doctor --fix --target lambda` without that `sam` on PATH")
        ),
    }
}
