//! Projects that several tests share, each running on every cloud's local runtime.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use super::TARGETS;
use super::child::{LONG, Running};
use super::logs::LOGS;
use super::work::{clone, copy, folder, install, mcp_deploy, write};

/// The weather example, and a tool that waits for a signal to go on.
pub static WEATHER: LazyLock<Site> = LazyLock::new(|| Site::new("weather", weather));
/// The official suite's fixtures.
pub static CONFORMANCE: LazyLock<Site> = LazyLock::new(|| Site::new("conformance", conformance));

/// Long calls and large results.
pub static PARTS: LazyLock<Site> = LazyLock::new(|| Site::new("parts", parts));

pub struct Site {
    pub root: PathBuf,
    servers: Vec<OnceLock<Server>>,
    copy: OnceLock<PathBuf>,
}

/// `mcp-deploy dev`, until the tests end.
pub struct Server {
    pub url: String,
    _dev: Running,
}

impl Site {
    /// A project that is rendered, whose packages are installed, and which has no fault.
    pub fn new(name: &str, fill: impl FnOnce(&Path)) -> Self {
        let root = folder(name).join(name);
        fill(&root);
        let _turn = Turn::of(&root);
        Running::start(mcp_deploy(&root, ["render"])).wait(LONG).expect(0);
        install(&root);
        let check = Running::start(mcp_deploy(&root, ["check", "--json"])).wait(LONG).expect(0).json();
        assert_eq!(check["types"], "passed", "{check:#}");
        Site { root, servers: TARGETS.iter().map(|_| OnceLock::new()).collect(), copy: OnceLock::new() }
    }

    /// Built and started by the first test that asks.
    pub fn server(&self, target: &str) -> &Server {
        let at = TARGETS.iter().position(|name| *name == target).expect("one of the list");
        self.servers[at].get_or_init(|| self.dev(target))
    }

    /// The project as this cloud's server has it. `wrangler dev` watches the files that it was made of, and what a
    /// build for another cloud writes among them would start it again in the middle of a call: so it has a copy.
    pub fn home(&self, target: &str) -> PathBuf {
        if target != "cloudflare" {
            return self.root.clone();
        }
        self.copy.get_or_init(|| clone(&self.root, "worker")).clone()
    }

    fn dev(&self, target: &str) -> Server {
        let home = self.home(target);
        let _turn = Turn::of(&home);
        let mut dev = Running::guarded(mcp_deploy(&home, ["dev", "--built", "--target", target, "--port", "0"]));
        let url = dev.until("the URL", LONG, |dev| dev.stdout.text().lines().next().map(str::to_owned));
        assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/mcp"), "{url}");
        Server { url, _dev: dev }
    }
}

/// Whoever builds has one until it is dropped: builds of one project share its folder, so they take turns; and of all
/// projects no more are built at once than there are cores.
pub struct Turn(PathBuf);

static BUILT: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
static OVER: Condvar = Condvar::new();

impl Turn {
    pub fn of(project: &Path) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let busy = |built: &mut HashSet<PathBuf>| built.contains(project) || built.len() >= cores;
        let built = OVER.wait_while(built(), busy);
        built.unwrap_or_else(PoisonError::into_inner).insert(project.to_owned());
        Turn(project.to_owned())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        built().remove(&self.0);
        OVER.notify_all();
    }
}

fn built() -> MutexGuard<'static, HashSet<PathBuf>> {
    BUILT.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn weather(root: &Path) {
    let parent = root.parent().expect("it was made below a folder");
    let name = root.file_name().and_then(|name| name.to_str()).expect("we named it");
    let targets = TARGETS.join(",");
    let init = ["init", name, "--example", "weather", "--target", &targets, "--yes"];
    Running::start(mcp_deploy(parent, init)).wait(LONG).expect(0);
    let add =
        ["add-tool", "wait_at", "--description", "Reports, waits for a page, reports again.", "--param", "url:string"];
    Running::start(mcp_deploy(root, add)).wait(LONG).expect(0);
    write(root.join("src/tools/wait_at.ts"), WAIT_AT);
}

/// Every step of it can be seen from outside: pages are asked for between the two reports, and left when the signal
/// aborts.
const WAIT_AT: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("wait_at", async ({ url }, ctx) => {
  await ctx.progress(1, 2, "before");
  let text = url; // a page may send it to another one
  while (text.startsWith("http:")) text = await (await fetch(text, { signal: ctx.signal })).text();
  await ctx.progress(2, 2, "after");
  return { text };
});
"#;

fn parts(root: &Path) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/parts"), root);
    write(root.join(".env"), format!("LOGS={}\n", LOGS.url));
}

pub fn conformance(root: &Path) {
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/conformance"), root);
    // Any key of 32 characters signs the state of these tests.
    write(root.join(".env"), format!("MCP_STATE_KEY={}\n", "0123456789abcdef".repeat(2)));
}

/// The one tool's answer that every client has to see.
pub fn oslo() -> Value {
    serde_json::json!({ "location": "Oslo", "temperature": -3, "units": "celsius", "conditions": "clear" })
}
