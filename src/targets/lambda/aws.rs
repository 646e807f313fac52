//! The AWS API, asked through sam's own Python, so that the credentials are those of sam.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::place::Place;
use crate::error::Error;
use crate::plan;
use crate::process::{self, Cmd, Io, Scratch};
use crate::targets::deployment::{Context, EndUnknown};
use crate::toolchain::ToolId;

/// What asks AWS, with the libraries that `sam` brings.
pub const SCRIPT: &str = include_str!("aws.py");

/// The code of the error with which `aws.py` says that something was begun, and its end was not seen.
const UNDERWAY: &str = "Underway";

/// One call, which only reads or takes no time.
pub fn ask(context: &Context<'_>, place: &Place, operation: &str, request: Value) -> Result<Value> {
    call(context, place, operation, request, |cmd| context.ask(cmd))
}

/// One call that takes as long as a deployment.
pub fn run(context: &Context<'_>, place: &Place, operation: &str, request: Value) -> Result<Value> {
    call(context, place, operation, request, |cmd| context.run_for_answer(cmd))
}

fn call(
    context: &Context<'_>,
    place: &Place,
    operation: &str,
    mut request: Value,
    run: impl FnOnce(&Cmd) -> Result<process::Outcome>,
) -> Result<Value> {
    if let Some(account) = &place.account {
        request["account"] = json!({ "id": account.id, "role": account.role });
    }
    let script = Script::new()?;
    let cmd = script.cmd(context, operation, &place.region)?.stdin(request.to_string());
    let outcome = run(&cmd).with_context(|| format!("cannot ask AWS in {place}"))?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("AWS was asked, but the answer is not JSON")?;
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
    let script = Script::new()?;
    process::run(&script.cmd(context, "log_in", region)?, Io::Live, None).map(drop)
}

/// `aws.py` in a folder of its own, as long as it is needed.
struct Script(Scratch);

impl Script {
    fn new() -> Result<Self> {
        let script = Script(Scratch::new()?);
        plan::write_scratch(&script.path(), SCRIPT)?;
        Ok(script)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("aws.py")
    }

    fn cmd(&self, context: &Context<'_>, operation: &str, region: &str) -> Result<Cmd> {
        let cmd = context.build.tools.cmd_with(ToolId::Sam, &python(context)?).shown_as("python");
        Ok(cmd.arg("-I").arg(self.path()).args([operation, region]).current_dir(context.build.root))
    }
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
                .hint("run `mcp-deploy doctor --fix --target lambda` with that `sam` taken off PATH")
        ),
    }
}
