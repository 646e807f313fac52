//! Folders of this run alone, and the program itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use super::child::{Running, carrying};
use super::tools;
use crate::packages::link_tree;

/// Removed when the tests end, however they do; kept with `MCP_DEPLOY_E2E_KEEP=1`.
pub static WORK: LazyLock<Work> = LazyLock::new(Work::new);

pub struct Work {
    root: PathBuf,
    _janitor: Option<Running>,
}

impl Work {
    fn new() -> Self {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e");
        std::fs::create_dir_all(&parent).expect("cargo's folder for tests can be written");
        let root = tempfile::Builder::new().prefix("run-").tempdir_in(&parent).expect("a new folder").keep();
        let keep = std::env::var_os("MCP_DEPLOY_E2E_KEEP").is_some_and(|keep| !keep.is_empty());
        let _janitor = (!keep).then(|| {
            let mut janitor = Command::new("sh");
            // A server that is just being stopped may still write; it has a few seconds.
            janitor.args(["-c", JANITOR, "sh"]).arg(&root);
            Running::holding(janitor)
        });
        Work { root, _janitor }
    }
}

const JANITOR: &str = r#"cat; for pause in 0 1 4 10 20; do sleep $pause; rm -rf "$1" && break; done >/dev/null 2>&1"#;

/// A new folder whose name begins with `name`.
pub fn folder(name: &str) -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let dir = WORK.root.join(format!("{name}-{}", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::create_dir(&dir).expect("our own folder can be written");
    dir
}

/// A manifest must be one that an editor accepts.
pub fn write(path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
    let path = path.as_ref();
    if path.ends_with(mcp_deploy::manifest::FILE) {
        crate::editor::accepts(std::str::from_utf8(text.as_ref()).expect("a manifest is UTF-8"));
    }
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("our own folder can be written");
    std::fs::write(path, text).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

/// Copies a folder and everything below it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("our own folder can be written");
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("cannot read {}: {error}", from.display())) {
        let entry = entry.expect("a folder can be read to its end");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}

/// The program, with its tools in place: `mcp-deploy ARGS` in `dir`.
pub fn mcp_deploy<const N: usize>(dir: &Path, args: [&str; N]) -> Command {
    let mut command = bare(dir, &args);
    command.env("MCP_DEPLOY_CACHE", &tools::KIT.search.cache);
    command
}

/// The program as it is.
pub fn bare(dir: &Path, args: &[&str]) -> Command {
    crate::signals::heed();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-deploy"));
    command.args(args).current_dir(dir);
    // What was fetched once is good enough: versions are pinned.
    command.env("npm_config_prefer_offline", "true");
    command
}

/// A command whose descendants and temporary files can be found again.
pub struct Marked {
    mark: String,
    tmp: PathBuf,
}

impl Marked {
    pub fn new(command: &mut Command) -> Self {
        let tmp = folder("tmp");
        let mark = format!("MCP_DEPLOY_E2E={}", tmp.display());
        command.env("MCP_DEPLOY_E2E", &tmp).env("TMPDIR", &tmp);
        Marked { mark, tmp }
    }

    /// The command lines of what runs of it.
    pub fn running(&self) -> Vec<String> {
        carrying(&self.mark)
    }

    /// After its end: no process, none of our temporary files, no file that only pretends.
    #[track_caller]
    pub fn assert_nothing_left(&self, project: &Path) {
        // What was killed takes a moment to vanish.
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.running().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(self.running(), [""; 0], "processes are left");
        let names = std::fs::read_dir(&self.tmp).expect("it is ours").flatten().map(|entry| entry.file_name());
        let ours: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("mcp-deploy")).collect();
        assert!(ours.is_empty(), "temporary files are left: {ours:?}");
        let fake = project.join(".vercel/project.json");
        assert!(!fake.exists(), "`{}` is left", fake.display());
    }
}

/// The project's packages; projects that want the same ones share an installation.
pub fn install(project: &Path) {
    static INSTALLED: Mutex<BTreeMap<String, PathBuf>> = Mutex::new(BTreeMap::new());
    let package: Value = serde_json::from_str(&read(project.join("package.json"))).expect("JSON");
    let wanted = json!([package["dependencies"], package["devDependencies"]]).to_string();
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(first) = installed.get(&wanted) {
        link_tree(&first.join("node_modules"), &project.join("node_modules"));
        std::fs::copy(first.join("package-lock.json"), project.join("package-lock.json")).expect("a copy");
        return;
    }
    let mut npm = tools::KIT.command(ToolId::Npm);
    npm.args(["install", "--no-audit", "--no-fund"]).current_dir(project);
    super::child::run(npm).expect(0);
    installed.insert(wanted, project.to_owned());
}

/// A separate project, packages included; what was built stays behind.
pub fn clone(project: &Path, name: &str) -> PathBuf {
    let copy = folder(name);
    let mut cp = Command::new("cp");
    // Links stay links, and times stay as they are: npm's packages count as installed.
    cp.arg("-a");
    for entry in std::fs::read_dir(project).expect("a project is a folder").flatten() {
        let name = entry.file_name();
        if !["dist", ".vercel", ".wrangler", "node_modules"].iter().any(|own| name == *own) {
            cp.arg(entry.path());
        }
    }
    cp.arg(&copy);
    super::child::run(cp).expect(0);
    if project.join("node_modules").is_dir() {
        link_tree(&project.join("node_modules"), &copy.join("node_modules"));
    }
    copy
}
