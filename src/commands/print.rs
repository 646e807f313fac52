//! `completions` and `schema`: what other programs read.

use anyhow::Result;
use clap::CommandFactory as _;

use super::End;
use crate::cli::{Cli, Completions};
use crate::manifest;
use crate::ui;

pub fn completions(args: Completions) -> Result<End> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mcp-deploy", &mut script);
    ui::answer(String::from_utf8_lossy(&script).trim_end());
    Ok(End::Done)
}

pub fn schema() -> Result<End> {
    ui::json(&manifest::json_schema())?;
    Ok(End::Done)
}
