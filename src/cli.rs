//! The command line: types and help texts, no behaviour.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::deploy;
use crate::manifest::param::Param;
use crate::probe::Call;

/// Turns one tool manifest and a few TypeScript handlers into an MCP server on AWS Lambda, Vercel and Cloudflare Workers.
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
            Command::Rollback(args) => args.json,
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
    /// Take a tool out of `mcp.toml`; the handler file stays
    RemoveTool(Remove),
    /// Take a resource out of `mcp.toml`; the handler file stays
    RemoveResource(Remove),
    /// Take a prompt out of `mcp.toml`; the handler file stays
    RemovePrompt(Remove),
    Render(Render),
    Check(Check),
    Dev(Dev),
    Verify(Verify),
    Ship(Ship),
    Status(Status),
    Secrets(Secrets),
    Keys(Keys),
    Rollback(Rollback),
    Logs(Logs),
    Destroy(Destroy),
    Connect(Connect),
    Ci(Ci),
    Try(Try),
    Doctor(Doctor),
    Completions(Completions),
    Schema(Schema),
}

/// Create a new project
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy init                                       asks for everything
  mcp-deploy init weather --example weather --yes       takes the defaults for the rest
  mcp-deploy init api --description 'Orders' --target lambda --target vercel --yes")]
pub struct Init {
    /// Where; created when missing, must be empty [default: a folder with the server's name]
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

/// A cloud, or all that the manifest names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetArg {
    Lambda,
    Vercel,
    Cloudflare,
    /// Every cloud in the manifest
    All,
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
    #[arg(long, value_name = "PARAM")]
    pub param: Vec<Param>,
    /// A property of the structured result; may be repeated
    #[arg(long, value_name = "PARAM")]
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
    #[arg(long, value_name = "PARAM")]
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
    /// Print what would be written
    #[arg(long)]
    pub dry_run: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Find every fault of the manifest and the handlers at once, then type-check
#[derive(Debug, Args)]
pub struct Check {
    /// Leave out `tsc`, which needs the project's packages
    #[arg(long)]
    pub no_types: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Build for one cloud, run it locally, and render, build and restart on every change until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
The URL is printed on stdout, everything else on stderr.

Example:
  mcp-deploy dev --target cloudflare --port 8787")]
pub struct Dev {
    /// The cloud [default: the first in the manifest]
    #[arg(long, value_name = "CLOUD")]
    pub target: Option<TargetArg>,
    /// [default: a free one]
    #[arg(long)]
    pub port: Option<u16>,
    /// Do not ask; install missing tools into the private cache
    #[arg(long, short)]
    pub yes: bool,
}

/// Call a running server over MCP and compare it with the manifest
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy verify https://example.com/mcp
  mcp-deploy verify http://127.0.0.1:8787/mcp --call 'get_weather {\"location\": \"Oslo\"}'
  mcp-deploy verify --target lambda --local            starts what was built, verifies it, stops it

Exit codes: 0 every check passed; 3 a check failed.")]
pub struct Verify {
    /// The server's MCP endpoint
    #[arg(required_unless_present = "target", conflicts_with_all = ["target", "local"])]
    pub url: Option<String>,
    /// Instead of a URL: what was built for this cloud
    #[arg(long, value_name = "CLOUD", requires = "local")]
    pub target: Option<TargetArg>,
    /// Start what was built on this machine, and stop it afterwards
    #[arg(long, requires = "target")]
    pub local: bool,
    #[command(flatten)]
    pub calls: Calls,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Calls {
    /// Call a tool too: its name and its arguments as JSON; may be repeated
    #[arg(long, value_name = "NAME {JSON}")]
    pub call: Vec<Call>,
    /// The environment variable that holds an API key or access token for a deployed server
    #[arg(long, value_name = "NAME")]
    pub bearer_env: Option<String>,
}

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
    /// The clouds, comma-separated; `all` for every one in the manifest
    #[arg(long, value_name = "CLOUD", value_delimiter = ',', required = true)]
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
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub wait: u64,
    /// How many seconds a cloud's own tool may take for one step of the deployment
    #[arg(long, value_name = "SECONDS", default_value_t = deploy::LIMIT.as_secs())]
    pub timeout: u64,
    /// Print each file it would write and each command it would run
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask; install missing tools into the private cache
    #[arg(long, short)]
    pub yes: bool,
    #[command(flatten)]
    pub calls: Calls,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
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
    /// Forget a value, declared or not: take it out of `.env`, and out of the clouds' stores that are named
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

/// Give callers API keys, and take them away; for `[access] auth = "api-key"`
#[derive(Debug, Args)]
pub struct Keys {
    #[command(subcommand)]
    pub action: KeysAction,
}

#[derive(Debug, Subcommand)]
pub enum KeysAction {
    /// Make a key for a new caller and print it, once; its hash alone is kept, in the project's git-ignored `.env`
    #[command(after_help = "\
Examples:
  mcp-deploy keys add alice                            the key on stdout, everything else on stderr
  mcp-deploy keys add ci > key.txt")]
    Add {
        /// Who will call with it; handlers see it as `ctx.caller.id`
        name: String,
    },
    /// The names of all callers that have a key
    List,
    /// Take a caller's key away
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
    pub target: TargetArg,
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
    pub target: TargetArg,
    #[command(flatten)]
    pub stage: StageArg,
    /// New lines as they come, until Ctrl-C
    #[arg(long)]
    pub follow: bool,
    /// Of several regions, this one
    #[arg(long)]
    pub region: Option<String>,
}

/// Take a deployment away for good
#[derive(Debug, Args)]
pub struct Destroy {
    #[arg(long, value_name = "CLOUD")]
    pub target: TargetArg,
    #[command(flatten)]
    pub stage: StageArg,
    /// Do not ask for the name
    #[arg(long, short)]
    pub yes: bool,
}

/// Print or write the configuration with which an MCP client reaches the deployed server
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy connect --client claude-code
  mcp-deploy connect --client cursor --write          adds it to .cursor/mcp.json of the project
  mcp-deploy connect --registry                       server.json for the MCP registry")]
pub struct Connect {
    /// [default: all of them]
    #[arg(long, value_name = "CLIENT")]
    pub client: Option<Client>,
    /// Which deployment [default: the newest]
    #[arg(long, value_name = "CLOUD")]
    pub target: Option<TargetArg>,
    #[command(flatten)]
    pub stage: StageArg,
    /// Write it into the client's file in the project
    #[arg(long, requires = "client", conflicts_with = "registry")]
    pub write: bool,
    /// Print `server.json` for the MCP registry instead
    #[arg(long, conflicts_with = "client")]
    pub registry: bool,
}

/// MCP clients whose configuration `connect` knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Client {
    ClaudeCode,
    ClaudeDesktop,
    Cursor,
    Vscode,
    Windsurf,
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

#[derive(Debug, Args)]
pub struct StageArg {
    /// Which deployment of the server: `production`, or one of the manifest's `[stages]`
    #[arg(long, value_name = "NAME", default_value = "production")]
    pub stage: String,
}

/// The whole job without an account: a sample built for every cloud, run in each cloud's local runtime, the answers compared
#[derive(Debug, Args)]
pub struct Try {
    /// The clouds, comma-separated [default: all]
    #[arg(long, value_name = "CLOUD", value_delimiter = ',')]
    pub target: Vec<TargetArg>,
    /// Put the project here and keep it [default: a new temporary folder]
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Do not ask; install missing tools into the private cache
    #[arg(long, short)]
    pub yes: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Which tools are found, which version is needed and why; --fix installs pinned ones privately
#[derive(Debug, Args)]
#[command(after_help = "\
Tools are installed into a private cache ($MCP_DEPLOY_CACHE, or mcp-deploy in the user's cache folder), never globally and
never into a project.")]
pub struct Doctor {
    /// Install what is missing or too old into the private cache
    #[arg(long)]
    pub fix: bool,
    /// Only what this cloud needs; may be repeated
    #[arg(long, value_name = "CLOUD", value_delimiter = ',')]
    pub target: Vec<TargetArg>,
    /// With --fix: also the optional Lambda Web Adapter (needs Rust's cargo; takes minutes)
    #[arg(long, requires = "fix")]
    pub with_adapter: bool,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Print the completion script of a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy completions bash > ~/.local/share/bash-completion/completions/mcp-deploy
  mcp-deploy completions zsh > ~/.zfunc/_mcp-deploy
  mcp-deploy completions fish > ~/.config/fish/completions/mcp-deploy.fish")]
pub struct Completions {
    pub shell: Shell,
}

/// Print the JSON Schema of `mcp.toml`, for editors
#[derive(Debug, Args)]
#[command(after_help = "\
Example, for editors with the Taplo language server:
  mcp-deploy schema > mcp.schema.json
  then put `#:schema ./mcp.schema.json` into the first line of mcp.toml")]
pub struct Schema {}
