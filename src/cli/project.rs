//! The commands that make, change and check a project.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::param::Param;
use super::{TargetArg, parsed};

/// Create a new project
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy init                                       asks for everything
  mcp-deploy init weather --example weather --yes       takes the defaults for the rest
  mcp-deploy init api --description 'Orders' --target lambda --target vercel --yes")]
pub struct Init {
    /// Where; created when missing, may hold only what a new repository has [default: a folder with the server's name]
    #[arg(value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// The server's name, also its name on each cloud (a-z 0-9 -) [default: from the folder]
    #[arg(long)]
    pub name: Option<String>,
    /// What the server offers, in one sentence
    #[arg(long)]
    pub description: Option<String>,
    /// A cloud to render for; may be repeated [default: all]
    #[arg(long, value_name = "CLOUD", value_delimiter = ',')]
    pub target: Vec<TargetArg>,
    /// What to start from [default: weather]
    #[arg(long, value_name = "EXAMPLE")]
    pub example: Option<Example>,
    /// Do not ask; take the defaults
    #[arg(long, short)]
    pub yes: bool,
    /// Print what would be written
    #[arg(long)]
    pub dry_run: bool,
}

/// Projects to start from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// A tool, a resource template and a prompt; calls nobody
    Weather,
    /// A REST API: a search, a resource for each repository, a token, rate limits
    Github,
    /// A table of DynamoDB on AWS, queried from any cloud
    Dynamodb,
    /// A CloudWatch log group: searched, followed, read as NDJSON
    LogAnalytics,
    /// Work of a minute: progress, cancellation, a question to the user
    LongOperation,
    /// Tools that keep something between two calls
    Counter,
    /// No tool yet
    Empty,
}

/// Add a tool: a table in `mcp.toml` and a typed handler in `src/tools`
#[derive(Debug, Args)]
#[command(after_help = "\
A parameter is `NAME:TYPE[?][=DEFAULT][ - DESCRIPTION]`. TYPE is string, number, integer, boolean, string[], number[],
object or enum(a,b); `?` makes it optional, and so does a default.

Examples:
  mcp-deploy add-tool get_time --description 'Current time in a time zone' --param 'zone:string - IANA time zone' --read-only
  mcp-deploy add-tool convert --description 'Convert a temperature' \\
      --param 'value:number' --param 'to:enum(celsius,fahrenheit)=celsius' --output 'value:number'")]
pub struct AddTool {
    /// The tool's name, such as `get_time`
    pub name: String,
    #[command(flatten)]
    pub described: Described,
    /// An input parameter; may be repeated
    #[arg(long, value_name = "PARAM", value_parser = parsed::<Param>)]
    pub param: Vec<Param>,
    /// A property of the structured result; may be repeated
    #[arg(long, value_name = "PARAM", value_parser = parsed::<Param>)]
    pub output: Vec<Param>,
    /// How long it may run, such as `25s` or `2m`
    #[arg(long, value_name = "DURATION")]
    pub timeout: Option<String>,
    /// It changes nothing
    #[arg(long)]
    pub read_only: bool,
    /// It may delete or overwrite
    #[arg(long, conflicts_with = "read_only")]
    pub destructive: bool,
    /// Calling it twice is the same as calling it once
    #[arg(long)]
    pub idempotent: bool,
    /// It reaches things outside the server
    #[arg(long)]
    pub open_world: bool,
}

/// Add a resource: a fixed URI or a template, and its handler in `src/resources`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy add-resource guide --uri docs://guide --description 'How to use this server' --mime-type text/markdown
  mcp-deploy add-resource page --uri 'docs://{name}' --description 'One page of the documentation'")]
pub struct AddResource {
    /// The resource's name, such as `guide`
    pub name: String,
    /// A URI, or a template such as `docs://{name}`
    #[arg(long)]
    pub uri: Option<String>,
    #[command(flatten)]
    pub described: Described,
    /// Such as `text/markdown` or `application/json`
    #[arg(long, value_name = "TYPE")]
    pub mime_type: Option<String>,
}

/// Add a prompt and its handler in `src/prompts`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  mcp-deploy add-prompt plan_trip --description 'Plan a trip' --param 'city:string - Where to'")]
pub struct AddPrompt {
    /// The prompt's name, such as `plan_trip`
    pub name: String,
    #[command(flatten)]
    pub described: Described,
    /// An argument; always a string; may be repeated
    #[arg(long, value_name = "PARAM", value_parser = parsed::<Param>)]
    pub param: Vec<Param>,
}

#[derive(Debug, Args)]
pub struct Described {
    /// What it does and when to use it; assistants choose by this
    #[arg(long)]
    pub description: Option<String>,
    /// A name for people
    #[arg(long)]
    pub title: Option<String>,
    /// Do not ask; add the npm packages that the server needs
    #[arg(long, short)]
    pub yes: bool,
    /// Print what would be written
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Remove {
    pub name: String,
    /// Print what would be written
    #[arg(long)]
    pub dry_run: bool,
}

/// Re-render what is generated from `mcp.toml`, and create the starter of every handler that is missing
#[derive(Debug, Args)]
pub struct Render {
    /// Write nothing; exit 1 when something is not as the manifest says (for CI)
    #[arg(long, conflicts_with_all = ["force", "dry_run"])]
    pub check: bool,
    /// Overwrite generated files that were edited by hand, keeping yours as NAME.orig
    #[arg(long)]
    pub force: bool,
    /// Do not ask; add the npm packages that the server needs
    #[arg(long, short, conflicts_with_all = ["check", "dry_run"])]
    pub yes: bool,
    /// Print what would be written
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Find every fault of the manifest and the handlers at once, then type-check
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Leave out `tsc`, which needs the project's packages
    #[arg(long)]
    pub no_types: bool,
    /// Do not ask; add the npm packages that the server needs
    #[arg(long, short, conflicts_with = "no_types")]
    pub yes: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Write a workflow for continuous integration
#[derive(Debug, Args)]
pub struct Ci {
    pub system: CiSystem,
    /// Print what would be written
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CiSystem {
    /// `.github/workflows/mcp-deploy.yml`: checks every push, ships from the main branch
    Github,
}
