//! The commands that deploy, and those about what is deployed.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

use super::{Calls, CloudArg, StageArg, TargetArg};
use crate::targets::deployment;

/// Check, render, build, run the build locally and verify it, deploy it, and verify it live
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy ship --target lambda                      prints the URL on stdout
  mcp-deploy ship --target all --stage staging --rollback-on-failure
  mcp-deploy ship --target cloudflare --local
  mcp-deploy ship --target lambda,vercel --local --call 'get_weather {\"location\": \"Oslo\"}'
  mcp-deploy ship --target all --local --dry-run       prints every file and every command, does nothing")]
pub struct Ship {
    /// The clouds, comma-separated; `all` for every one in the manifest [default: the only one there]
    #[arg(long, value_name = "CLOUD", value_delimiter = ',')]
    pub target: Vec<TargetArg>,
    /// Stop before the deployment: needs no account
    #[arg(long)]
    pub local: bool,
    #[command(flatten)]
    pub stage: StageArg,
    /// When the live checks fail, serve the previous deployment again
    #[arg(long, conflicts_with = "local")]
    pub rollback_on_failure: bool,
    /// How many seconds a new address may take to come alive
    #[arg(long, value_name = "SECONDS", default_value_t = 60, conflicts_with = "local")]
    pub wait: u64,
    /// How many seconds a cloud's own tool may take for one step of the deployment
    #[arg(long, value_name = "SECONDS", default_value_t = deployment::LIMIT.as_secs(), conflicts_with = "local")]
    pub timeout: u64,
    /// Take over what has the same name and is not this project's; without a value the name is asked for
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", conflicts_with = "local")]
    pub adopt: Option<String>,
    /// Confirm that this resource, or class, may be deleted with its data; may be repeated
    #[arg(long, value_name = "RESOURCE", conflicts_with = "local", value_parser = NonEmptyStringValueParser::new())]
    pub allow_data_loss: Vec<String>,
    /// Print each file it would write and each command it would run
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; install missing tools into the private cache
    #[arg(long, short)]
    pub yes: bool,
    /// What the last run built is deployed as it is: the tests of what fails in a deployment need not build each time
    #[cfg(debug_assertions)]
    #[arg(long, hide = true, conflicts_with_all = ["local", "dry_run"])]
    prebuilt: bool,
    #[command(flatten)]
    pub calls: Calls,
    /// Do not fail when servers answer a `--call` differently: for answers that change by themselves
    #[arg(long, requires = "call")]
    pub no_compare: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

impl Ship {
    /// Whether what the last run built is deployed without building and proving it here. A release always does both.
    #[cfg(debug_assertions)]
    pub fn is_prebuilt(&self) -> bool {
        self.prebuilt
    }

    #[cfg(not(debug_assertions))]
    pub fn is_prebuilt(&self) -> bool {
        false
    }
}

/// What is deployed where, and whether it answers
#[derive(Debug, Args)]
pub struct Status {
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Set, list and push the secrets that the manifest declares; values are never shown
#[derive(Debug, Args)]
pub struct Secrets {
    #[command(subcommand)]
    pub action: SecretsAction,
}

#[derive(Debug, Subcommand)]
pub enum SecretsAction {
    /// Keep a value in the project's git-ignored `.env`: asked for on a terminal, else read from stdin
    #[command(after_help = "\
Examples:
  mcp-deploy secrets set WEATHER_API_KEY
  mcp-deploy secrets set WEATHER_API_KEY < key.txt")]
    Set {
        /// A name in `[secrets]`
        name: String,
    },
    /// Which secrets are declared, set here, and set on a cloud
    List {
        /// Ask these clouds too, comma-separated
        #[arg(long, value_name = "CLOUD", value_delimiter = ',')]
        target: Vec<TargetArg>,
        #[command(flatten)]
        stage: StageArg,
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
    /// Forget a value, declared or not: remove it from `.env` and from the stores of the named clouds
    #[command(after_help = "\
Examples:
  mcp-deploy secrets remove OLD_KEY
  mcp-deploy secrets remove OLD_KEY --target all")]
    Remove {
        /// A name, which `[secrets]` need not declare any more
        name: String,
        /// The clouds, comma-separated; `all` for every one in the manifest
        #[arg(long, value_name = "CLOUD", value_delimiter = ',')]
        target: Vec<TargetArg>,
        #[command(flatten)]
        stage: StageArg,
        /// Do not ask; install missing tools into the private cache
        #[arg(long, short)]
        yes: bool,
    },
    /// Put the local values into the clouds' own stores
    Push {
        /// The clouds, comma-separated; `all` for every one in the manifest
        #[arg(long, value_name = "CLOUD", value_delimiter = ',', required = true)]
        target: Vec<TargetArg>,
        #[command(flatten)]
        stage: StageArg,
        /// Do not ask; install missing tools into the private cache
        #[arg(long, short)]
        yes: bool,
    },
}

/// Make, list and revoke the API keys of callers; for `[access] auth = "api-key"`
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    pub action: KeysAction,
}

#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Make a key for a new caller and print it once; only its hash is kept, in the project's git-ignored `.env`
    #[command(after_help = "\
Examples:
  mcp-deploy keys add alice                            the key on stdout, everything else on stderr
  mcp-deploy keys add ci > key.txt")]
    Add {
        /// Who will call with it; handlers see it as `ctx.caller.id`
        name: String,
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
    /// The names of all callers that have a key
    List {
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
    /// Revoke a caller's key
    Revoke {
        /// A name that `list` shows
        name: String,
    },
}

/// Serve an earlier deployment again
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy rollback --target lambda                 the deployment before the current one, in every region
  mcp-deploy rollback --target lambda --to 7          a version that `mcp-deploy status` or the record names")]
pub struct Rollback {
    #[arg(long, value_name = "CLOUD")]
    pub target: CloudArg,
    #[command(flatten)]
    pub stage: StageArg,
    /// The cloud's own identifier of the version to serve
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Show what the deployed server logs
#[derive(Debug, Args)]
pub struct Logs {
    #[arg(long, value_name = "CLOUD")]
    pub target: CloudArg,
    #[command(flatten)]
    pub stage: StageArg,
    /// New lines as they come, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// Of several regions, this one
    #[arg(long)]
    pub region: Option<String>,
    /// Of several AWS accounts that a stack set deploys to, this one
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
}

/// Delete a deployment for good
#[derive(Debug, Args)]
pub struct Destroy {
    #[arg(long, value_name = "CLOUD")]
    pub target: CloudArg,
    #[command(flatten)]
    pub stage: StageArg,
    /// Do not ask for the name
    #[arg(long, short)]
    pub yes: bool,
}

/// Print or write the configuration with which an MCP client reaches the server
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy connect --client claude-code
  mcp-deploy connect --client cursor --write          adds it to .cursor/mcp.json of the project
  mcp-deploy connect --url http://127.0.0.1:8787/mcp  for the server of `mcp-deploy dev`
  mcp-deploy connect --registry                       server.json for the MCP registry")]
pub struct Connect {
    /// [default: all of them]
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<ClientArg>,
    /// Which deployment [default: the newest]
    #[arg(long, value_name = "CLOUD")]
    pub target: Option<CloudArg>,
    #[command(flatten)]
    pub stage: StageArg,
    /// Instead of a deployment: the MCP endpoint of a server that runs elsewhere, or on this machine
    #[arg(long, conflicts_with_all = ["target", "stage"])]
    pub url: Option<String>,
    /// Write it into the client's file in the project
    #[arg(long, requires = "client", conflicts_with = "registry")]
    pub write: bool,
    /// Print `server.json` for the MCP registry instead
    #[arg(long, conflicts_with = "client")]
    pub registry: bool,
    /// One JSON document on stdout, with every client's configuration in it
    #[arg(long, conflicts_with = "registry")]
    pub json: bool,
}

/// MCP clients whose configuration `connect` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClientArg {
    ClaudeCode,
    ClaudeDesktop,
    Cursor,
    Vscode,
    Windsurf,
}
