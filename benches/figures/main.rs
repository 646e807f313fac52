//! The figures of `docs/performance.md`, printed as Markdown tables on stdout: `cargo bench --bench figures`, or one
//! part of them: `-- program`, `-- commands`, `-- dev`, `-- ship`, `-- bundles`, `-- start-up`, `-- warm`;
//! `-- runtime` is the last three. Nothing is asserted. What is missing (tools, npm packages) is installed into
//! mcp-deploy's private cache.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bundles;
mod cli;
mod dev;
mod earlier;
mod requests;
mod servers;
mod ship;
mod startup;
mod stats;
mod warm;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::servers::StandIn;

fn main() -> Result<()> {
    // `cargo test --benches` runs it too, with another argument; figures are not a test.
    if std::env::args().any(|arg| arg == "--test") {
        return Ok(());
    }
    let bench = Bench::new()?;
    println!("{}\n", conditions());
    // `-- start-up` prints that part alone.
    let parts = ["program", "commands", "dev", "ship", "bundles", "start-up", "warm", "runtime"];
    let named: Vec<String> = std::env::args().filter(|arg| parts.contains(&arg.as_str())).collect();
    let is_wanted = |part: &str| {
        let in_runtime = ["bundles", "start-up", "warm"].contains(&part);
        named.is_empty() || named.iter().any(|name| name == part || (in_runtime && name == "runtime"))
    };
    if is_wanted("program") {
        note("program");
        earlier::print(&bench)?;
    }
    if is_wanted("commands") {
        note("commands");
        cli::print(&bench)?;
    }
    if is_wanted("dev") {
        note("dev");
        dev::print(&bench)?;
    }
    if ["ship", "bundles", "start-up", "warm"].into_iter().all(|part| !is_wanted(part)) {
        println!("Load average afterwards: {}.", load());
        return Ok(());
    }
    note("builds");
    let stand_in = StandIn::start(&bench)?;
    let projects = Projects {
        weather: bench.shipped_project("weather", "all", |manifest| manifest, &[])?,
        guarded: bench.shipped_project("guarded", "all", |manifest| stand_in.guarded(&manifest), &GUARDED)?,
        large: bench.shipped_project("large", "lambda", with_many_tools, &[])?,
    };
    if is_wanted("ship") {
        ship::print(&projects.weather)?;
    }
    if is_wanted("bundles") {
        println!("The weather example:\n");
        bundles::print(&projects.weather)?;
        println!("The same with oauth, state and a rate limit:\n");
        bundles::print(&projects.guarded)?;
    }
    if is_wanted("start-up") || is_wanted("warm") {
        let servers = servers::Servers::new(&bench, &projects, &stand_in)?;
        if is_wanted("start-up") {
            note("start-up");
            startup::print(&servers)?;
        }
        if is_wanted("warm") {
            note("warm");
            warm::print(&servers)?;
        }
    }
    println!("Load average afterwards: {}.", load());
    Ok(())
}

/// Where everything happens, and with which tools.
struct Bench {
    scratch: TempDir,
    node: PathBuf,
    workerd: PathBuf,
    wrangler: PathBuf,
    /// A folder with the packages of the usual hand-written server.
    express: PathBuf,
    /// A folder with the other servers that are compared, and their packages.
    peers: PathBuf,
}

/// The weather example, built.
struct Projects {
    weather: PathBuf,
    /// With oauth, state and a rate limit.
    guarded: PathBuf,
    /// With a thousand tools, for AWS Lambda alone.
    large: PathBuf,
}

/// The program as it is released.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mcp-deploy");
/// What `render` asks for beside oauth and DynamoDB.
const GUARDED: [&str; 2] = ["aws4fetch@1.0.20", "jose@6.2.18"];
const EXPRESS: [&str; 3] = ["express@5.3.0", "@modelcontextprotocol/sdk@1.32.2", "zod@4.6.7"];
const PEERS: [&str; 7] = [
    "@modelcontextprotocol/server@2.4.0",
    "mcp-handler@2.4.0",
    "mcp-lite@0.10.0",
    "tmcp@1.20.0",
    "@tmcp/transport-http@0.9.0",
    "@tmcp/adapter-zod@0.1.7",
    "zod@4.6.7",
];
/// The sources of the servers of others, and what they share.
const PEER_FILES: [(&str, &str); 6] = [
    ("serve.mjs", include_str!("servers/serve.mjs")),
    ("weather.mjs", include_str!("servers/weather.mjs")),
    ("sdk2.mjs", include_str!("servers/sdk2.mjs")),
    ("mcp-handler.mjs", include_str!("servers/mcp-handler.mjs")),
    ("mcp-lite.mjs", include_str!("servers/mcp-lite.mjs")),
    ("tmcp.mjs", include_str!("servers/tmcp.mjs")),
];

impl Bench {
    fn new() -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("mcp-deploy-bench-").tempdir()?;
        note("tools");
        let doctor = Command::new(PROGRAM).args(["doctor", "--fix", "--json"]).stderr(Stdio::inherit()).output()?;
        let tools: serde_json::Value = serde_json::from_slice(&doctor.stdout).context("`doctor` gave no JSON")?;
        let path = |name: &str| {
            let tool = tools.as_array()?.iter().find(|tool| tool["tool"] == name)?;
            tool["path"].as_str().map(PathBuf::from)
        };
        let node = path("node").context("`doctor --fix` found no Node.js")?;
        let wrangler = path("wrangler").context("`doctor --fix` found no wrangler")?;
        let wrangler = std::fs::canonicalize(wrangler)?;
        let workerd = workerd(&wrangler).context("wrangler brings no workerd")?;
        let express = installed(&EXPRESS.join("+").replace(['@', '/'], "-"), &EXPRESS)?;
        std::fs::write(express.join("server.mjs"), include_str!("servers/express.mjs"))?;
        let peers = installed(&format!("peers-{}", PEERS[..4].join("+").replace(['@', '/'], "-")), &PEERS)?;
        for (name, source) in PEER_FILES {
            std::fs::write(peers.join(name), source)?;
        }
        std::fs::write(scratch.path().join("floor.mjs"), include_str!("servers/floor.mjs"))?;
        Ok(Bench { scratch, node, workerd, wrangler, express, peers })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The weather example with an edited manifest and further packages, built for these clouds.
    fn shipped_project(
        &self,
        folder: &str,
        targets: &str,
        edit: impl Fn(String) -> String,
        packages: &[&str],
    ) -> Result<PathBuf> {
        let project = self.path(folder);
        let example = ["--example", "weather", "--name", "weather", "--target", targets, "--yes"];
        run(program().arg("init").arg(&project).args(example))?;
        let manifest = project.join("mcp.toml");
        std::fs::write(&manifest, edit(std::fs::read_to_string(&manifest)?))?;
        run(program().arg("-C").arg(&project).arg("render"))?;
        if !packages.is_empty() {
            let npm = ["install", "--save-exact", "--no-audit", "--no-fund"];
            run(Command::new("npm").args(npm).args(packages).current_dir(&project))?;
        }
        run(program().arg("-C").arg(&project).args(["ship", "--target", targets, "--local", "--yes"]))?;
        Ok(project)
    }
}

/// A folder of the private cache with these packages.
fn installed(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let folder = cache()?.join("bench").join(name);
    if !folder.join("node_modules").exists() {
        note("the packages of the compared servers");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("package.json"), "{ \"private\": true, \"type\": \"module\" }\n")?;
        let npm = ["install", "--save-exact", "--no-audit", "--no-fund"];
        run(Command::new("npm").args(npm).args(packages).current_dir(&folder))?;
    }
    Ok(folder)
}

/// A thousand in all.
fn with_many_tools(mut manifest: String) -> String {
    for number in 1..1000 {
        manifest.push_str(&format!(
            "\n[tools.tool_{number:03}]\ndescription = \"Tool number {number}.\"\n\
             input.text = {{ type = \"string\", maxLength = 1000 }}\n\
             input.unit = {{ type = \"string\", enum = [\"a\", \"b\"], default = \"a\" }}\n\
             output.text = {{ type = \"string\" }}\n"
        ));
    }
    manifest
}

/// The runtime in the packages that wrangler lies in.
fn workerd(wrangler: &Path) -> Option<PathBuf> {
    let packages = wrangler.ancestors().find(|path| path.ends_with("node_modules"))?.join("@cloudflare");
    let mut all = std::fs::read_dir(packages).ok()?.flatten().map(|entry| entry.path().join("bin/workerd"));
    all.find(|path| path.is_file())
}

/// The private cache, as the program itself chooses it.
fn cache() -> Result<PathBuf> {
    let set = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(cache) = set("MCP_DEPLOY_CACHE") {
        return Ok(std::path::absolute(cache)?);
    }
    let home = std::env::home_dir().context("there is no home folder; set `MCP_DEPLOY_CACHE`")?;
    let below_home = if cfg!(target_os = "macos") { "Library/Caches" } else { ".cache" };
    Ok(set("XDG_CACHE_HOME").unwrap_or_else(|| home.join(below_home)).join("mcp-deploy"))
}

fn program() -> Command {
    Command::new(PROGRAM)
}

/// Runs to a good end, quietly.
fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn note(what: &str) {
    eprintln!("figures: {what}");
}

/// What a reader must know to judge the figures.
fn conditions() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let model = model.trim_start_matches([' ', '\t', ':']);
    format!("{cpus} processors ({model}), {}, load average before: {}.", std::env::consts::ARCH, load())
}

fn load() -> String {
    let load = std::fs::read_to_string(Path::new("/proc/loadavg")).unwrap_or_default();
    load.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("unknown").to_owned()
}
