//! The command line: types and help texts, no behaviour.

mod deployed;
mod local;
pub mod param;
mod project;
pub mod usage;

use std::fmt;
use std::path::PathBuf;
use std::sync::LazyLock;

use clap::builder::PossibleValue;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::probe::Call;
use crate::targets::{self, Target};

pub use deployed::*;
pub use local::*;
pub use project::*;
use usage::parsed;

/// Turns one tool manifest and a few TypeScript handlers into an MCP server on AWS Lambda, Vercel and Cloudflare
/// Workers.
#[derive(Debug, Parser)]
#[command(name = "mcp-deploy", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "\
Examples:
  mcp-deploy try                                  see it work on all three clouds' local runtimes, no account needed
  mcp-deploy init weather --example weather       a new project
  mcp-deploy add-tool get_time --description 'Current time' --param 'zone:string - IANA time zone'
  mcp-deploy ship --target all --local            check, render, build, run and verify

Exit codes: 0 done; 1 an error; 2 wrong usage; 3 the server runs but verification failed; otherwise the failed tool's own code.")]
pub struct Cli {
    /// The project folder [default: the nearest folder upwards that holds an `mcp.toml`]
    #[arg(long, short = 'C', global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

impl Command {
    /// Whether a program reads the answer.
    pub fn is_json(&self) -> bool {
        match self {
            Command::Render(args) => args.json,
            Command::Check(args) => args.json,
            Command::Verify(args) => args.json,
            Command::Ship(args) => args.json,
            Command::Status(args) => args.json,
            Command::Secrets(Secrets { action: SecretsAction::List { json, .. } }) => *json,
            Command::Keys(KeysArgs { action: KeysAction::Add { json, .. } | KeysAction::List { json } }) => *json,
            Command::Rollback(args) => args.json,
            Command::Connect(args) => args.json,
            Command::Try(args) => args.json,
            Command::Doctor(args) => args.json,
            _ => false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(Init),
    AddTool(AddTool),
    AddResource(AddResource),
    AddPrompt(AddPrompt),
    /// Remove a tool from `mcp.toml`; the handler file stays
    RemoveTool(Remove),
    /// Remove a resource from `mcp.toml`; the handler file stays
    RemoveResource(Remove),
    /// Remove a prompt from `mcp.toml`; the handler file stays
    RemovePrompt(Remove),
    Render(Render),
    Check(CheckArgs),
    Dev(Dev),
    Test(Test),
    Verify(Verify),
    Ship(Ship),
    Status(Status),
    Secrets(Secrets),
    Keys(KeysArgs),
    Rollback(Rollback),
    Logs(Logs),
    Destroy(Destroy),
    Connect(Connect),
    Ci(Ci),
    Try(Try),
    Doctor(Doctor),
    Docs(Docs),
    Completions(Completions),
    Schema(Schema),
}

/// One target: its row.
#[derive(Clone, Copy)]
pub struct CloudArg(pub &'static Target);

impl fmt::Debug for CloudArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

impl ValueEnum for CloudArg {
    fn value_variants<'a>() -> &'a [Self] {
        static EVERY: LazyLock<Vec<CloudArg>> = LazyLock::new(|| targets::ALL.iter().map(CloudArg).collect());
        &EVERY
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.name).aliases(self.0.aliases))
    }
}

/// A target, or all that the manifest names.
#[derive(Debug, Clone, Copy)]
pub enum TargetArg {
    One(CloudArg),
    All,
}

impl ValueEnum for TargetArg {
    fn value_variants<'a>() -> &'a [Self] {
        static EVERY: LazyLock<Vec<TargetArg>> = LazyLock::new(|| {
            let targets = CloudArg::value_variants().iter().copied();
            targets.map(TargetArg::One).chain([TargetArg::All]).collect()
        });
        &EVERY
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            TargetArg::One(target) => target.to_possible_value(),
            TargetArg::All => Some(PossibleValue::new("all").help("Every cloud in the manifest")),
        }
    }
}

#[derive(Debug, Args)]
pub struct Calls {
    /// Call a tool too: its name and its arguments as JSON; may be repeated
    #[arg(long, value_name = "NAME {JSON}", value_parser = parsed::<Call>)]
    pub call: Vec<Call>,
    /// The environment variable that holds an API key or access token for a deployed server
    #[arg(long, value_name = "NAME", conflicts_with = "local")]
    pub bearer_env: Option<String>,
}

#[derive(Debug, Args)]
pub struct StageArg {
    /// Which deployment of the server: `production`, or one of the manifest's `[stages]`
    #[arg(long, value_name = "NAME", default_value = "production")]
    pub stage: String,
}
