//! Runs the program in separate folders and looks at what is there afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A folder that is removed at the end of the test.
pub struct Sandbox(TempDir);

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code, or 128 + the signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Every file with its bytes and every folder (with a `/` behind it), by path.
pub type Tree = BTreeMap<String, Vec<u8>>;

impl Sandbox {
    pub fn new() -> Self {
        Sandbox(tempfile::Builder::new().prefix("mcp-deploy-test-").tempdir().unwrap())
    }

    /// With the weather project for all three clouds in it.
    pub fn weather() -> Self {
        let sandbox = Sandbox::new();
        sandbox.ok(&["init", ".", "--name", "weather", "--yes"]);
        sandbox
    }

    pub fn with(files: &Tree) -> Self {
        let sandbox = Sandbox::new();
        for (path, bytes) in files {
            match path.strip_suffix('/') {
                Some(dir) => fs::create_dir_all(sandbox.path(dir)).unwrap(),
                None => {
                    fs::create_dir_all(sandbox.path(path).parent().unwrap()).unwrap();
                    fs::write(sandbox.path(path), bytes).unwrap();
                }
            }
        }
        sandbox
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn root(&self) -> &Path {
        self.0.path()
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    /// As after an installation: a folder for each package that the project asks for, in its version.
    pub fn install(&self, project: &str) {
        let package: serde_json::Value = serde_json::from_str(&self.read(&format!("{project}/package.json"))).unwrap();
        for list in ["dependencies", "devDependencies"] {
            for (name, version) in package[list].as_object().unwrap() {
                let text = serde_json::json!({ "name": name, "version": version }).to_string();
                self.write(&format!("{project}/node_modules/{name}/package.json"), text);
            }
        }
    }

    pub fn tree(&self) -> Tree {
        tree_of(self.root())
    }

    pub fn command(&self, args: &[&str]) -> Command {
        crate::signals::heed();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-deploy"));
        command.args(args).current_dir(self.root()).stdin(Stdio::null());
        command.env_remove("MCP_DEPLOY_KILL_AT").env("NO_COLOR", "1");
        command
    }

    pub fn run(&self, args: &[&str]) -> Run {
        finished(&mut self.command(args))
    }

    /// Runs what must succeed. A manifest that it succeeds with, an editor accepts too.
    #[track_caller]
    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
        if let Ok(manifest) = fs::read_to_string(self.path("mcp.toml")) {
            crate::editor::accepts(&manifest);
        }
        run
    }

    /// Kills the program before its n-th change to the disk; `None` when it made no more than n.
    pub fn killed_at(&self, n: usize, args: &[&str]) -> Option<()> {
        let run = finished(self.command(args).env("MCP_DEPLOY_KILL_AT", n.to_string()));
        assert!(matches!(run.code, 0 | 134), "{args:?} at {n}: {run:?}");
        (run.code == 134).then_some(())
    }
}

pub fn finished(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().or(output.status.signal().map(|signal| 128 + signal)).unwrap();
    Run { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub fn tree_of(dir: &Path) -> Tree {
    let mut tree = Tree::new();
    collect(dir, "", &mut tree);
    tree
}

/// The tree with one id in every lock: each project has another random one.
pub fn without_ids(mut tree: Tree) -> Tree {
    for (_, bytes) in tree.iter_mut().filter(|(path, _)| *path == "mcp.lock" || path.ends_with("/mcp.lock")) {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        let line = |line: &str| {
            if project_id(line).is_some() { format!("project = \"{ANY_ID}\"\n") } else { format!("{line}\n") }
        };
        *bytes = text.lines().map(line).collect::<String>().into_bytes();
    }
    tree
}

/// As a golden tree has it.
pub const ANY_ID: &str = "00000000000000000000000000000000";

/// The id in a line of a lock that names one.
pub fn project_id(line: &str) -> Option<&str> {
    line.strip_prefix("project = \"")?.strip_suffix('"')
}

fn collect(dir: &Path, prefix: &str, tree: &mut Tree) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{path}/"), tree);
            tree.insert(path + "/", Vec::new());
        } else {
            tree.insert(path, fs::read(entry.path()).unwrap());
        }
    }
}

/// Names what differs, and how, instead of printing two whole trees. Any two projects have different ids.
#[track_caller]
pub fn assert_same(found: &Tree, expected: &Tree, context: &str) {
    let (found, expected) = (&without_ids(found.clone()), &without_ids(expected.clone()));
    let paths: std::collections::BTreeSet<&String> = found.keys().chain(expected.keys()).collect();
    let differences: Vec<String> = paths
        .into_iter()
        .filter_map(|path| match (found.get(path), expected.get(path)) {
            (Some(found), Some(expected)) if found == expected => None,
            (Some(_), Some(_)) => Some(format!("{path} differs")),
            (Some(_), None) => Some(format!("{path} should not be there")),
            (None, _) => Some(format!("{path} is missing")),
        })
        .collect();
    assert!(differences.is_empty(), "{context}:\n  {}", differences.join("\n  "));
}

/// Every Rust source below `src/`, with its path below it.
pub fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    assert!(found.len() > 100, "{} sources", found.len());
    found
}
