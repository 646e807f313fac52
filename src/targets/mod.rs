//! The clouds, one row each: what differs between them is data and a few pure functions.

pub mod cloudflare;
pub mod container;
pub mod data_loss;
pub mod deployer;
pub mod deployment;
#[cfg(test)]
pub mod fixture;
mod isolated;
pub mod lambda;
pub mod ownership;
pub mod vercel;

use std::any::Any;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use deployer::{ByHand, Deployer, Inquiry};
use isolated::Isolated;

use crate::error::Error;
use crate::manifest::targets::Facts;
use crate::manifest::{Manifest, Targets};
use crate::probe::{Gate, Platforms};
use crate::process::Cmd;
use crate::targets::deployment::Cloud;
use crate::toolchain::{Need, Needs, ToolId, Toolchain};

/// One cloud.
pub struct Target {
    /// What the manifest knows of it: its name, its title, its limits.
    pub facts: &'static Facts,
    /// Other names for it in `--target`.
    pub aliases: &'static [&'static str],
    /// What its commands run, beside what every project needs.
    pub tools: &'static Needs,
    /// Packages that `package.json` must bring for it, with the version that was run.
    pub packages: fn(&Manifest) -> &'static [(&'static str, &'static str)],
    /// What `src/generated/bundle.ts` makes for it; `None`: it does not run Node.js.
    pub bundle: Option<NodeBundle>,
    /// Whether its servers speak MCP over WebSockets too.
    pub websocket: fn(&Targets) -> bool,
    /// What its templates see under its name: a separate structure, `null` where the manifest does not name it.
    pub data: fn(&Manifest) -> serde_json::Result<Value>,
    /// Characters that its tools cannot have in the project's path.
    pub unfit_in_paths: fn(char) -> bool,
    /// What the cloud's own CLI has to do before anything can run.
    pub build: fn(&Build<'_>) -> Vec<Step>,
    /// The command that runs what was built, as the cloud would.
    pub start: fn(&Build<'_>, &Start<'_>) -> Result<Local>,
    /// How `dev` follows its local run, where that watches the sources itself; `None`: `dev` makes a new bundle of a
    /// change, and starts a server of it.
    pub watch: Option<Watch>,
    /// Whether a line of its local run is the tool's, and not from a handler or the server.
    pub is_chatter: fn(&str) -> bool,
    /// The files that would be deployed, as far as they are ours to weigh.
    pub artifact: fn(&Path) -> PathBuf,
    /// The folder with all of the JavaScript that an instance loads.
    pub scripts: fn(&Path) -> PathBuf,
    /// The command that bundles once more into a folder, and writes esbuild's metafile: what went in, and how much of
    /// it.
    pub metafile: fn(&Build<'_>, &Path, &Path) -> Result<Cmd>,
    /// What it answers itself in place of a server.
    pub gates: &'static [Gate],
    /// What makes its servers tell which version answers, where that is a setting.
    pub to_tell_versions: Option<&'static str>,
    /// How what was built gets live, and who can be asked for it then.
    pub deployer: Deployer,
}

/// A bundle for Node.js.
pub struct NodeBundle {
    /// The file that the platform starts, without `.mjs`.
    pub started: &'static str,
    /// The processor of its functions, as Node.js calls it: `x64` or `arm64`. They run Linux.
    pub cpu: fn(&Manifest) -> &'static str,
}

/// A local run that watches the sources itself.
pub struct Watch {
    /// What a line of its log says of a change.
    pub news: fn(&str) -> Option<WatchNews>,
    /// Whether an answer, by its status and body, says that a reload ended the request.
    pub restarted: fn(u16, &[u8]) -> bool,
    /// The folder in which it put the version that serves: while the next one cannot be built, it answers no request.
    pub made: fn(&Path) -> Option<PathBuf>,
}

/// What a tool says of a change that it saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchNews {
    /// The new version serves.
    Serves,
    /// It cannot be built.
    Broken,
}

impl Deref for Target {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        self.facts
    }
}

impl Target {
    /// What is asked for all that is live; an error where the target has no API.
    pub fn cloud(&self) -> Result<&Cloud> {
        match &self.deployer {
            Deployer::Api(cloud) => Ok(cloud),
            Deployer::ByHand(_) => Err(self.no_api().into()),
        }
    }

    /// What its owner does by hand; `None` where mcp-deploy deploys it.
    pub fn by_hand(&self) -> Option<&ByHand> {
        match &self.deployer {
            Deployer::Api(_) => None,
            Deployer::ByHand(by_hand) => Some(by_hand),
        }
    }

    /// Fails for a target without an API, and says what to use instead.
    pub fn can_be_asked(&self, asked: Inquiry) -> Result<()> {
        let Some(by_hand) = self.by_hand() else { return Ok(()) };
        Err(self.no_api().hint((by_hand.instead)(asked)).into())
    }

    fn no_api(&self) -> Error {
        Error::new(format!("{}: there is no API to ask, because mcp-deploy does not deploy there", self.title))
    }

    /// The processor for which a package's native code was copied beside the bundle, where this machine has another
    /// one.
    pub fn foreign_cpu(&self, build: &Build<'_>) -> Option<&'static str> {
        let cpu = (self.bundle.as_ref()?.cpu)(build.manifest);
        let here = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        let runs = std::env::consts::OS == "linux" && cpu == here;
        (!runs && has_native_code(&(self.scripts)(build.root).join("node_modules"))).then_some(cpu)
    }

    /// Seconds: the longest handler timeout and a margin for start-up and the answer, within the platform's own limit.
    fn function_timeout(&self, manifest: &Manifest) -> u64 {
        let seconds = manifest.longest_timeout().as_secs_f64().ceil() as u64 + 10;
        self.limits.timeout.map_or(seconds, |limit| seconds.min(limit.as_secs()))
    }
}

fn has_native_code(folder: &Path) -> bool {
    std::fs::read_dir(folder).into_iter().flatten().flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => has_native_code(&path),
            _ => path.extension().is_some_and(|ending| ending == "node"),
        }
    })
}

/// A project and the tools that build it.
pub struct Build<'a> {
    pub root: &'a Path,
    pub manifest: &'a Manifest,
    pub tools: &'a Toolchain,
}

/// The project's own esbuild, with what a cloud that runs Node.js wants of it.
pub fn bundle(build: &Build<'_>, target: &str) -> Cmd {
    build.tools.cmd(ToolId::Node).args(["src/generated/bundle.ts", target]).current_dir(build.root)
}

/// What `bundle.ts` says lies beside the bundle.
fn beside(said: &str) -> Result<Option<String>> {
    let named: Vec<&str> = said.lines().filter_map(|line| Some(line.split_once("beside the bundle: ")?.1)).collect();
    Ok((!named.is_empty()).then(|| format!("beside the bundle, in `node_modules`: {}", named.join(", "))))
}

/// One command of a build.
pub struct Step {
    pub title: &'static str,
    pub cmd: Cmd,
    pub limit: Duration,
    /// A file of the project that exists only while the command runs, unless the project has its own: name and text.
    pub while_running: Option<(&'static str, &'static str)>,
    /// A folder of the project that it fills, emptied before: what an earlier build left there is no part of this one.
    pub fills: Option<&'static str>,
    /// What its output tells of the result: an error, or something that the user should know.
    pub judged: Option<Judge>,
    /// All that its success depends on, where it only judges: what passed once is not asked again.
    pub depends_on: Option<String>,
}

/// Reads what a step said.
pub type Judge = fn(&str) -> Result<Option<String>>;

impl Step {
    pub fn new(title: &'static str, cmd: Cmd) -> Self {
        Step {
            title,
            cmd,
            limit: Duration::from_secs(600),
            while_running: None,
            fills: None,
            judged: None,
            depends_on: None,
        }
    }
}

/// Where and with what a local run starts.
pub struct Start<'a> {
    pub port: u16,
    /// A folder of this run alone, removed afterwards.
    pub scratch: &'a Path,
    /// Settings and secrets from the project's `.env`, by name.
    pub env: &'a [(String, String)],
    /// The folder for what tools keep between two requests; it may outlive the run.
    pub state: &'a Path,
    pub code: Code<'a>,
}

/// What a local run has of the project.
#[derive(Clone, Copy, Default)]
pub enum Code<'a> {
    /// What [`Target::build`] made.
    #[default]
    Built,
    /// A bundle of `dev`, with maps beside its files.
    Bundle(&'a Path),
    /// The sources, which the tool watches.
    Sources,
}

impl Start<'_> {
    /// Where a target without a store keeps the tools' state. An empty variable of that name in our own environment
    /// leaves it to the store of the cloud.
    pub fn local_state(&self, build: &Build<'_>, target: &str) -> Option<(&'static str, PathBuf)> {
        let wanted = build.manifest.has_state() && std::env::var_os(LOCAL_STATE).is_none();
        wanted.then(|| (LOCAL_STATE, self.state.join(format!("{target}.sqlite"))))
    }
}

/// The variable that names the file of a local run.
const LOCAL_STATE: &str = "MCP_LOCAL_STATE";

/// A local run that is about to start.
pub struct Local {
    /// The processes, the server itself first.
    pub commands: Vec<Cmd>,
    /// What would be uploaded: a file or a folder.
    pub bundle: PathBuf,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    /// What runs it: shown to the user and part of the report.
    pub runtime: String,
    /// A stand-in of the platform, which lives as long as the server.
    pub platform: Option<Box<dyn Any + Send>>,
    /// Where it runs, for as long.
    pub place: Option<Isolated>,
}

/// In the order of the manifest's.
pub static ALL: &[Target] = &[
    lambda::TARGET,
    vercel::TARGET,
    cloudflare::TARGET,
    container::TARGET,
    #[cfg(test)]
    fixture::TARGET,
];

/// Why a project cannot be built where it is, for one of these or at all; `None`: it can.
pub fn unfit(targets: &[&Target], root: &Path) -> Option<Error> {
    let shown = root.display();
    let Some(path) = root.to_str() else {
        let why = format!("the path of the project, `{shown}`, is not UTF-8, which Node.js cannot work in");
        return Some(Error::new(why).hint("rename the folder"));
    };
    let of_all = path.contains('\\').then(|| ("the TypeScript compiler".to_owned(), '\\'));
    let of_one = |target: &&Target| {
        let unfit = path.chars().find(|c| (target.unfit_in_paths)(*c))?;
        Some((format!("the build for {}", target.title), unfit))
    };
    let (whose, unfit) = of_all.or_else(|| targets.iter().find_map(of_one))?;
    let unfit = if unfit.is_control() { "a control character".to_owned() } else { format!("`{unfit}`") };
    let why = format!("the path of the project, `{shown}`, has {unfit} in it, which {whose} cannot work with");
    Some(Error::new(why).hint("rename the folder, or move the project"))
}

/// What the commands of these run.
pub fn tools(targets: &[&Target]) -> Vec<(ToolId, Need)> {
    targets.iter().flat_map(|target| target.tools).copied().collect()
}

/// What all of them tell the prober.
pub fn platforms() -> Platforms {
    Platforms {
        gates: ALL.iter().flat_map(|target| target.gates).copied().collect(),
        to_tell_versions: ALL.iter().filter_map(|target| target.to_tell_versions).collect(),
    }
}

/// The clouds that the manifest names, in the order of [`ALL`].
pub fn chosen(targets: &Targets) -> impl Iterator<Item = &'static Target> {
    ALL.iter().filter(|target| (target.chosen)(targets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::targets;
    use crate::probe::Reply;

    #[test]
    fn every_cloud_of_the_manifest_has_its_row() {
        let names = |facts: &mut dyn Iterator<Item = &'static Facts>| facts.map(|facts| facts.name).collect::<Vec<_>>();
        assert_eq!(names(&mut ALL.iter().map(|target| target.facts)), names(&mut targets::ALL.iter().copied()));
    }

    #[test]
    fn each_gate_is_known_by_its_answer() {
        let html = ("content-type", "text/html; charset=utf-8");
        let json = ("content-type", "application/json");
        let aws = r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: x"}"#;
        for (reply, hint, lasting) in [
            (
                Reply::of(401, &[html, ("set-cookie", "_vercel_sso_nonce=x; Path=/")], "<!doctype html>"),
                "protection disable",
                true,
            ),
            (Reply::of(302, &[("location", "https://vercel.com/sso-api?url=x")], ""), "protection disable", true),
            (Reply::of(401, &[html], "<script>_vercel_sso_nonce</script>"), "protection disable", true),
            (Reply::of(404, &[("x-vercel-error", "DEPLOYMENT_NOT_FOUND")], ""), "no deployment", false),
            (Reply::of(500, &[("x-vercel-error", "FUNCTION_INVOCATION_FAILED")], ""), "vercel logs", false),
            (Reply::of(403, &[json], aws), "lambda:InvokeFunctionUrl", false),
            (Reply::of(403, &[json], r#"{"Message":"Forbidden"}"#), "lambda:InvokeFunction", false),
            (Reply::of(403, &[json], r#"{"message":"Missing Authentication Token"}"#), "stage", false),
            (Reply::of(502, &[json], r#"{"message": "Internal server error"}"#), "sam logs", false),
            (Reply::of(500, &[("content-type", "text/plain")], "error code: 1101"), "wrangler tail", true),
            (Reply::of(500, &[html], "<span class=\"cf-error-code\">1102</span>"), "wrangler tail", false),
            (Reply::of(500, &[html], "failed [code: 10021]"), "wrangler deploy", true),
            (Reply::of(404, &[], "error code: 1042"), "workers.dev", false),
            (Reply::of(530, &[html], "error code: 1033"), "cloudflared", false),
            (
                Reply::of(302, &[("location", "https://a.cloudflareaccess.com/cdn-cgi/access/login/b")], ""),
                "bypass",
                true,
            ),
            (Reply::of(403, &[html, ("cf-mitigated", "challenge")], "<title>Just a moment...</title>"), "a rule", true),
        ] {
            let gated = platforms().gates.iter().find_map(|gate| gate(&reply));
            let gated = gated.unwrap_or_else(|| panic!("no gate seen in {reply:?}"));
            assert!(gated.hint.contains(hint) && gated.lasting == lasting, "{gated:?}");
        }
        for body in [r#"{"error":"x"}"#, "Not Found", "error 11015"] {
            let reply = Reply::of(404, &[], body);
            assert!(platforms().gates.iter().all(|gate| gate(&reply).is_none()), "{body}");
        }
    }
}
