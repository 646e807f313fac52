//! The figures of `docs/performance.md`, printed as Markdown tables on stdout: `cargo bench --bench figures`, or one part of them:
//! `-- program`, `-- commands`, `-- ship`, `-- bundles`, `-- start-up`.
//! Nothing is asserted. What is missing (tools, npm packages) is installed into mcp-deploy's private cache.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bundles;
mod cli;
mod earlier;
mod ship;
mod startup;
mod stats;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

fn main() -> Result<()> {
    // `cargo test --benches` runs it too, with an argument of its own; figures are no test.
    if std::env::args().any(|arg| arg == "--test") {
        return Ok(());
    }
    let bench = Bench::new()?;
    println!("{}\n", conditions());
    // `-- start-up` prints that part alone.
    let parts = ["program", "commands", "ship", "bundles", "start-up"];
    let named: Vec<String> = std::env::args().filter(|arg| parts.contains(&arg.as_str())).collect();
    let is_wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    if is_wanted("program") {
        note("program");
        earlier::print(&bench)?;
    }
    if is_wanted("commands") {
        note("commands");
        cli::print(&bench)?;
    }
    if ["ship", "bundles", "start-up"].into_iter().all(|part| !is_wanted(part)) {
        println!("Load average afterwards: {}.", load());
        return Ok(());
    }
    note("builds");
    let project = bench.shipped_project("weather", "")?;
    if is_wanted("ship") {
        ship::print(&project)?;
    }
    if is_wanted("bundles") {
        bundles::print(&project)?;
    }
    if is_wanted("start-up") {
        note("start-up");
        let stub = bench.shipped_project("unrecorded", UNRECORDED)?;
        startup::print(&bench, &project, &stub)?;
    }
    println!("Load average afterwards: {}.", load());
    Ok(())
}

/// Where everything happens, and with which tools.
struct Bench {
    scratch: TempDir,
    node: PathBuf,
    workerd: PathBuf,
    /// A folder with the packages of the usual hand-written server.
    express: PathBuf,
}

/// The program as it is released.
const PROGRAM: &str = env!("CARGO_BIN_EXE_mcp-deploy");
/// A line that keeps a handler from being imported by `record.ts`: nothing is recorded then, and nothing else is different.
const UNRECORDED: &str =
    "if (globalThis.process?.argv[1]?.endsWith(\"record.ts\")) throw new Error(\"not while recording\");\n";
const EXPRESS: [&str; 3] = ["express@5.3.0", "@modelcontextprotocol/sdk@1.32.2", "zod@4.6.7"];

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
        let workerd = workerd(&std::fs::canonicalize(wrangler)?).context("wrangler brings no workerd")?;
        let express = cache()?.join("bench").join(EXPRESS.join("+").replace(['@', '/'], "-"));
        if !express.join("node_modules").exists() {
            note("the packages of the hand-written server");
            std::fs::create_dir_all(&express)?;
            std::fs::write(express.join("package.json"), "{ \"private\": true, \"type\": \"module\" }\n")?;
            let npm = ["install", "--save-exact", "--no-audit", "--no-fund"];
            run(Command::new("npm").args(npm).args(EXPRESS).current_dir(&express))?;
        }
        std::fs::write(express.join("server.mjs"), include_str!("servers/express.mjs"))?;
        std::fs::write(scratch.path().join("floor.mjs"), include_str!("servers/floor.mjs"))?;
        Ok(Bench { scratch, node, workerd, express })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// The weather example, with this before its climate, built for every cloud.
    fn shipped_project(&self, folder: &str, line: &str) -> Result<PathBuf> {
        let project = self.path(folder);
        let example = ["--example", "weather", "--name", "weather", "--yes"];
        run(program().arg("init").arg(&project).args(example))?;
        let climate = project.join("src/climate.ts");
        std::fs::write(&climate, format!("{line}{}", std::fs::read_to_string(&climate)?))?;
        run(program().arg("-C").arg(&project).args(["ship", "--target", "all", "--local", "--yes"]))?;
        Ok(project)
    }
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
