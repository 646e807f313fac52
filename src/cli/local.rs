//! The commands that run something on this machine, and what other programs read.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use super::{Calls, CloudArg, TargetArg};

/// Run it here, and let what runs follow every change of the files, until Ctrl-C
#[derive(Debug, Args)]
#[command(after_help = "\
A new version takes over when it answers; what cannot be built leaves the one before it. The URLs are printed on stdout,
everything else on stderr.

Examples:
  mcp-deploy dev                                  the first target of the manifest, at http://127.0.0.1:8787/mcp
  mcp-deploy dev --target all                     all of them, at ports 8787, 8788, …
  mcp-deploy dev --target lambda --built          the build that `ship` would deploy, which follows no change")]
pub struct Dev {
    /// The targets, comma-separated [default: the first in the manifest]
    #[arg(long, value_name = "CLOUD", value_delimiter = ',')]
    pub target: Vec<TargetArg>,
    /// The port of the first target; the others have those after it. 0: any free ones [default: 8787]
    #[arg(long)]
    pub port: Option<u16>,
    /// Run the whole build of one target, as `ship --local` does, and follow no change
    #[arg(long)]
    pub built: bool,
    /// Do not ask; install missing tools into the private cache
    #[arg(long, short)]
    pub yes: bool,
}

/// Call a running server over MCP and compare it with the manifest
#[derive(Debug, Args)]
#[command(override_usage = "\
mcp-deploy verify [OPTIONS] <URL>
       mcp-deploy verify [OPTIONS] --target <CLOUD> --local")]
#[command(after_help = "\
Examples:
  mcp-deploy verify https://example.com/mcp
  mcp-deploy verify http://127.0.0.1:8787/mcp --call 'get_weather {\"location\": \"Oslo\"}'
  mcp-deploy verify --target lambda --local            starts what was built, verifies it, stops it

Exit codes: 0 every check passed; 3 a check failed.")]
pub struct Verify {
    /// The server's MCP endpoint
    #[arg(required_unless_present_any = ["target", "local"], conflicts_with_all = ["target", "local"])]
    pub url: Option<String>,
    /// Instead of a URL: what was built for this cloud
    #[arg(long, value_name = "CLOUD", requires = "local")]
    pub target: Option<CloudArg>,
    /// Start what was built on this machine, and stop it afterwards
    #[arg(long, requires = "target")]
    pub local: bool,
    #[command(flatten)]
    pub calls: Calls,
    /// One JSON document on stdout
    #[arg(long)]
    pub json: bool,
}

/// Build a sample for every cloud, run it in each cloud's local runtime and compare the answers; needs no account
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

/// Run the project's own tests (`npm test`) on the Node.js that the other commands use
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 every test passed; otherwise that of the tests.")]
pub struct Test {
    /// Do not ask; install missing tools into the private cache
    #[arg(long, short)]
    pub yes: bool,
}

/// Print the manual of this version, page by page, as Markdown
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mcp-deploy docs                       the names of all pages
  mcp-deploy docs manifest
  mcp-deploy docs commands/ship")]
pub struct Docs {
    /// The name of a page [default: a list of all]
    pub page: Option<String>,
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
