//! Answers that are known before any request: recorded from the SDK itself with the project's own handlers, and part of
//! what a command builds, runs and deploys.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::plan::{self, Stub};
use crate::process::{self, Cmd, Io};
use crate::project::Project;
use crate::template;
use crate::toolchain::{ToolId, Toolchain};
use crate::ui::{self, Mark};

/// For as long as it lives, builds of the project have the answers.
pub struct Recording {
    _stub: Stub,
}

/// Records them. A handler that cannot be imported here, for want of a secret or whatever else, is no fault of the build: then
/// the server loads the SDK before its first answer, and a line says so.
pub fn make(project: &Project, tools: &Toolchain) -> Result<Recording> {
    let files = template::project(&project.manifest)?;
    let (_, stub) = files.0.get(plan::RECORDED).context("no template gives the file of the recorded answers")?;
    let recording = Recording { _stub: Stub::back(&project.root, stub) };
    let cmd = command(&project.root, tools);
    let step = ui::step(format!("record the answers known before any request (`{cmd}`)"));
    match process::run(&cmd, Io::Quiet, Some(LIMIT)) {
        Ok(_) => step.end(Mark::Good, ""),
        Err(error) if process::interrupted() => return Err(error),
        Err(error) => {
            // What an earlier run that was killed left there is not of these handlers.
            drop(recording);
            let recording = Recording { _stub: Stub::back(&project.root, stub) };
            step.end(Mark::Skipped, "not possible here, so the server loads the SDK before its first answer");
            ui::say(format_args!("     {}", reason(&error)));
            return Ok(recording);
        }
    }
    Ok(recording)
}

pub fn command(root: &Path, tools: &Toolchain) -> Cmd {
    let cmd = tools.cmd(ToolId::Node).arg("src/generated/record.ts").current_dir(root);
    // Of the project's packages, so among them: the half of the time that Node.js would need to compile them again.
    let compiled = root.join("node_modules");
    match compiled.is_dir() {
        true => cmd
            .env_noise("NODE_COMPILE_CACHE", compiled.join(".cache/node"))
            .env_noise("NODE_COMPILE_CACHE_PORTABLE", "1"),
        false => cmd,
    }
}

/// It imports some files and answers some requests; a handler may do more while it is imported.
const LIMIT: Duration = Duration::from_secs(60);

/// The line of a JavaScript error that names it, else the first of all.
fn reason(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let named = |line: &&str| line.trim_start().split_once(": ").is_some_and(|(name, _)| name.ends_with("Error"));
    text.lines().find(named).or_else(|| text.lines().next()).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_error_s_own_line() {
        let tail = "file:///p/src/tools/a.ts:3\nthrow new Error(1)\n      ^\n\nError: no key\n    at file:///p/src/tools/a.ts:3:7\n\nNode.js v24";
        assert_eq!(reason(&anyhow::anyhow!("{tail}")), "Error: no key");
        assert_eq!(reason(&anyhow::anyhow!("it took too long")), "it took too long");
    }
}
