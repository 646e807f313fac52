//! One tool manifest, three clouds: renders, builds, runs and proves MCP servers.

pub mod cli;
mod commands;
pub mod deployments;
mod dev;
pub mod error;
mod examples;
pub mod fault;
pub mod files;
pub mod http_server;
pub mod manifest;
pub mod parallel;
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

use commands::End;

/// Runs the command line and chooses the exit code: 0 done, 1 an error, 2 wrong usage, 3 not verified, else a failed
/// tool's own.
pub fn main() -> ExitCode {
    process::install_interrupt_handler();
    ui::tell_panics();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) => return misused(&as_visible(wrong)),
    };
    let json = cli.command.is_json();
    match commands::run(cli.command, cli.dir.as_deref()) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::No) => ExitCode::from(1),
        Ok(End::Unverified) => ExitCode::from(error::UNVERIFIED),
        Err(failed) => {
            if !error::is_shown(&failed) {
                ui::error(&failed);
                if json {
                    // A program that waits for one document gets one, whatever happened.
                    let _ = ui::json(&error::document(&failed));
                }
            }
            ExitCode::from(error::exit_code(&failed))
        }
    }
}

/// The same error of the same arguments as far as a terminal may show them: clap repeats what was typed, or what a
/// shell put there.
fn as_visible(wrong: clap::Error) -> clap::Error {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    match args.iter().all(|arg| ui::flat(arg) == *arg) {
        true => wrong,
        false => cli::Cli::try_parse_from(args.iter().map(|arg| ui::flat(arg).into_owned())).err().unwrap_or(wrong),
    }
}

/// The end of a command line that cannot be understood, or that asks for help.
fn misused(wrong: &clap::Error) -> ExitCode {
    ui::usage(wrong);
    if !wrong.use_stderr() {
        return ExitCode::SUCCESS;
    }
    let error = cli::usage::error(wrong).into();
    if cli::usage::wants_json(std::env::args_os()) {
        let _ = ui::json(&error::document(&error));
    }
    ExitCode::from(error::exit_code(&error))
}
