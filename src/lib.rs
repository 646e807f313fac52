//! One tool manifest, three clouds: renders, builds, runs and proves MCP servers.

pub mod cli;
mod commands;
pub mod deployments;
mod examples;
pub mod fault;
pub mod files;
mod http_server;
pub mod manifest;
pub mod plan;
pub mod probe;
pub mod process;
mod project;
mod prompt;
pub mod schema;
pub mod secrets;
pub mod ship;
pub mod targets;
pub mod template;
pub mod toolchain;
mod ui;

use std::process::ExitCode;

use clap::Parser as _;

use commands::{AlreadyShown, End};
use project::Faulty;
use ship::release::NotReady;

/// Runs the command line and chooses the exit code: 0 done, 1 an error, 2 wrong usage, 3 not verified, else a failed tool's own.
pub fn main() -> ExitCode {
    process::install_interrupt_handler();
    let cli = cli::Cli::parse();
    let json = cli.command.is_json();
    match commands::run(cli.command, cli.dir.as_deref()) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::No) => ExitCode::from(1),
        Ok(End::Unverified) => ExitCode::from(3),
        Err(error) => {
            if !error.is::<AlreadyShown>() {
                ui::error(&error);
                if json {
                    // A program that waits for one document gets one, whatever happened.
                    let _ = ui::json(&error_document(&error));
                }
            }
            ExitCode::from(exit_code(&error))
        }
    }
}

/// What `--json` answers when there is no other answer: the error, and the list behind it where there is one.
fn error_document(error: &anyhow::Error) -> serde_json::Value {
    let mut document = serde_json::json!({ "ok": false, "error": format!("{error:#}") });
    if let Some(Faulty(faults)) = error.downcast_ref() {
        document["faults"] = serde_json::json!(faults);
    }
    if let Some(NotReady(problems)) = error.downcast_ref() {
        let problems = problems.iter().map(|(target, problem)| serde_json::json!({ "target": target, "message": problem.message, "hint": problem.hint }));
        document["problems"] = problems.collect();
    }
    document
}

fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(AlreadyShown(cause)) = error.downcast_ref::<AlreadyShown>() {
        return exit_code(cause);
    }
    if error.is::<prompt::Usage>() {
        return 2;
    }
    if error.is::<prompt::Interrupted>() {
        return 130;
    }
    if error.is::<plan::PutBack>() {
        return process::Interrupted.exit_code();
    }
    process::exit_code(error)
}
