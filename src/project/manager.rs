//! The package manager of a project: which one it is, where its lockfile is, and its arguments.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use semver::{Version, VersionReq};
use serde_json::{Value, json};

use super::workspace;
use crate::error::Error;
use crate::files;
use crate::plan;
use crate::process::{self, Cmd, Io};
use crate::template::packages::{COMPILER, Package};
use crate::toolchain::{ToolId, Toolchain};

const FILE: &str = "package.json";

/// One of those that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Npm,
    Pnpm,
    /// 2 and newer.
    Yarn,
    YarnClassic,
    Bun,
}

impl Manager {
    /// What is typed.
    pub fn program(self) -> &'static str {
        match self {
            Manager::Npm => "npm",
            Manager::Pnpm => "pnpm",
            Manager::Yarn | Manager::YarnClassic => "yarn",
            Manager::Bun => "bun",
        }
    }

    /// For people.
    fn title(self) -> &'static str {
        match self {
            Manager::Yarn => "Yarn 2 or newer",
            Manager::YarnClassic => "Yarn 1",
            other => other.program(),
        }
    }

    fn install(self) -> &'static [&'static str] {
        if self == Manager::Npm { &["install", "--no-audit", "--no-fund"] } else { &["install"] }
    }

    fn add(self) -> &'static [&'static str] {
        match self {
            Manager::Npm => &["install", "--save-exact"],
            Manager::Pnpm => &["add", "--save-exact"],
            Manager::Yarn | Manager::YarnClassic | Manager::Bun => &["add", "--exact"],
        }
    }

    fn remove(self) -> &'static str {
        if self == Manager::Npm { "uninstall" } else { "remove" }
    }

    /// Without it Yarn 1 and pnpm add nothing to the root of a workspace.
    fn at_the_root(self) -> Option<&'static str> {
        match self {
            Manager::Pnpm => Some("--workspace-root"),
            Manager::YarnClassic => Some("-W"),
            Manager::Npm | Manager::Yarn | Manager::Bun => None,
        }
    }

    /// Variables that it gets and variables that it must not get: whatever the environment says, the compiler and
    /// the types are installed, and nothing is asked.
    fn surround(self, cmd: Cmd) -> Cmd {
        let settings: &[(&str, &str)] = match self {
            Manager::Npm => return cmd,
            // The scripts that it leaves out until they are approved: esbuild's, which esbuild does without.
            Manager::Pnpm => &[("pnpm_config_strict_dep_builds", "false"), ("npm_config_strict_dep_builds", "false")],
            Manager::Yarn => &[("YARN_ENABLE_TELEMETRY", "0")],
            // `engines` asks for the Node.js of the clouds; a newer one will do here.
            Manager::YarnClassic => &[("YARN_PRODUCTION", "false"), ("YARN_IGNORE_ENGINES", "true")],
            Manager::Bun => &[],
        };
        let cmd = cmd.env_remove("NODE_ENV").env_noise("COREPACK_ENABLE_DOWNLOAD_PROMPT", "0");
        settings.iter().fold(cmd, |cmd, (name, value)| cmd.env_noise(name, value))
    }
}

pub const LOCKFILES: [(&str, Option<Manager>); 6] = [
    ("package-lock.json", Some(Manager::Npm)),
    ("npm-shrinkwrap.json", Some(Manager::Npm)),
    ("pnpm-lock.yaml", Some(Manager::Pnpm)),
    // Of either Yarn.
    ("yarn.lock", None),
    ("bun.lock", Some(Manager::Bun)),
    ("bun.lockb", Some(Manager::Bun)),
];

/// What a manager leaves in `node_modules`.
const TRACES: [(&str, Manager); 4] = [
    (".package-lock.json", Manager::Npm),
    (".modules.yaml", Manager::Pnpm),
    (".yarn-state.yml", Manager::Yarn),
    (".yarn-integrity", Manager::YarnClassic),
];

/// How the packages of a project are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packages {
    pub manager: Manager,
    home: PathBuf,
    /// Where the lockfile is: the root of the workspace, or the project itself.
    root: PathBuf,
    /// What names the manager.
    named_by: String,
    /// The version that the project asks for.
    version: Option<String>,
}

impl Packages {
    /// Of the project in `home`. An error where its files name several managers, or one that is not known.
    pub fn of(home: &Path) -> Result<Self> {
        let home = std::path::absolute(home).with_context(|| format!("cannot use `{}`", home.display()))?;
        let root = workspace::root_of(&home).unwrap_or_else(|| home.clone());
        let folders = if root == home { vec![&root] } else { vec![&root, &home] };
        let found = |manager, named_by: &str, version| {
            Ok(Packages { manager, home: home.clone(), root: root.clone(), named_by: named_by.to_owned(), version })
        };
        for folder in &folders {
            if let Some((manager, version)) = declared(folder)? {
                return found(manager, "`packageManager` in `package.json`", version);
            }
        }
        for folder in &folders {
            if let Some((manager, file)) = locked(folder)? {
                return found(manager, &format!("`{file}`"), None);
            }
        }
        if files::is_there(&root, workspace::PNPM_FILE) {
            return found(Manager::Pnpm, &format!("`{}`", workspace::PNPM_FILE), None);
        }
        found(Manager::Npm, "no lockfile of another", None)
    }

    /// The command that installs all of them, as it is shown.
    pub fn install_line(&self) -> Cmd {
        Cmd::new(self.manager.program()).args(self.manager.install()).current_dir(&self.home)
    }

    pub fn add_line(&self, packages: &[Package]) -> String {
        Cmd::new(self.manager.program()).args(self.add_arguments(packages)).to_string()
    }

    pub fn remove_line(&self, packages: &[&str]) -> String {
        format!("{} {} {}", self.manager.program(), self.manager.remove(), packages.join(" "))
    }

    /// The command that installs all of them.
    pub fn install(&self, tools: &Toolchain) -> Result<Cmd> {
        self.cmd(tools, self.manager.install())
    }

    /// The command that runs the project's own tests.
    pub fn test(&self, tools: &Toolchain) -> Result<Cmd> {
        let arguments: &[&str] = if self.manager == Manager::Npm { &["test"] } else { &["run", "test"] };
        Ok(self.program(tools)?.args(arguments))
    }

    /// The command that adds these to the project's own.
    pub fn add(&self, tools: &Toolchain, packages: &[Package]) -> Result<Cmd> {
        Ok(self.cmd(tools, &[])?.args(self.add_arguments(packages)))
    }

    fn add_arguments(&self, packages: &[Package]) -> Vec<String> {
        let names = packages.iter().map(|Package { name, version, .. }| format!("{name}@{version}"));
        let root = self.manager.at_the_root().filter(|_| self.root == self.home && workspace::is_root(&self.root));
        self.manager.add().iter().copied().chain(root).map(str::to_owned).chain(names).collect()
    }

    /// Fails before anything is installed where the manager is not there, is another one of its name, or would install
    /// no `node_modules`.
    fn cmd(&self, tools: &Toolchain, arguments: &[&str]) -> Result<Cmd> {
        let cmd = self.program(tools)?.args(arguments);
        if let Manager::Yarn | Manager::YarnClassic = self.manager {
            self.is_the_yarn(tools)?;
        }
        Ok(cmd)
    }

    fn program(&self, tools: &Toolchain) -> Result<Cmd> {
        let name = self.manager.program();
        let cmd = match (self.manager, self.own_yarn()) {
            (Manager::Npm, _) => tools.cmd(ToolId::Npm),
            (_, Some(script)) => tools.other(name, &script),
            (_, None) => match tools.which(name) {
                Some(path) => tools.other(name, &path),
                None => bail!(self.lacking("is not on `PATH`")),
            },
        };
        Ok(self.manager.surround(cmd).current_dir(&self.home))
    }

    /// Yarn itself, where the project has it in its folder: `yarnPath` in `.yarnrc.yml`.
    fn own_yarn(&self) -> Option<PathBuf> {
        if self.manager != Manager::Yarn {
            return None;
        }
        let settings = files::read(&self.root, ".yarnrc.yml", files::PARSED).ok()?;
        let path = settings.lines().find_map(|line| line.strip_prefix("yarnPath:"))?;
        let path = self.root.join(path.trim().trim_matches(['"', '\'']));
        path.is_file().then_some(path)
    }

    fn is_the_yarn(&self, tools: &Toolchain) -> Result<()> {
        let ask = |arguments: &[&str]| -> Result<String> {
            let said = process::run(&self.program(tools)?.args(arguments), Io::Answer, Some(PATIENCE))?;
            Ok(said.stdout.lines().next_back().unwrap_or_default().trim().to_owned())
        };
        let version = ask(&["--version"])?;
        if version.starts_with("1.") != (self.manager == Manager::YarnClassic) {
            bail!(self.lacking(&format!("is {version} on `PATH`")));
        }
        if self.manager == Manager::Yarn && ask(&["config", "get", "nodeLinker"])? == "pnp" {
            let why = "Yarn would install the project's packages for Plug'n'Play, without the folder `node_modules` that the clouds' tools read; nothing was installed";
            let folder = self.root.display();
            bail!(Error::new(why).hint(format!("write `nodeLinker: node-modules` into `{folder}/.yarnrc.yml`")));
        }
        Ok(())
    }

    fn lacking(&self, is: &str) -> Error {
        let Packages { manager, named_by, version, .. } = self;
        let name = manager.program();
        let wanted = version.as_ref().map_or_else(|| manager.title().to_owned(), |version| format!("{name} {version}"));
        let why = format!(
            "the project's packages are installed with {wanted} ({named_by}), and `{name}` {is}; nothing was installed"
        );
        let global = format!("`npm install --global {}`", self.pinned());
        // Corepack has no Bun.
        let how = if *manager == Manager::Bun { global } else { format!("`corepack enable {name}`, or {global}") };
        Error::new(why).hint(format!("run {how}"))
    }

    /// What npm's registry calls it, in the version that the project asks for.
    fn pinned(&self) -> String {
        let (package, newest) = match self.manager {
            Manager::Yarn => ("@yarnpkg/cli-dist", ""),
            Manager::YarnClassic => ("yarn", "@1"),
            other => (other.program(), ""),
        };
        self.version.as_ref().map_or_else(|| format!("{package}{newest}"), |version| format!("{package}@{version}"))
    }

    /// The command that installs it, on a machine that has Node.js alone; npm comes with that.
    pub fn how_to_get_it(&self) -> Option<String> {
        (self.manager != Manager::Npm).then(|| format!("npm install --global {}", self.pinned()))
    }

    /// The same for a shell, where a project may have none.
    pub fn test_line(&self) -> String {
        match self.manager {
            Manager::Npm => "npm test --if-present".to_owned(),
            other => format!("{} run test", other.program()),
        }
    }

    /// Whether all that `package.json` asks for is there, and nothing has changed since it was looked at last.
    pub fn are_installed(&self) -> bool {
        let Some((lacking, fit)) = self.state() else { return false };
        lacking.is_empty()
            && match self.remembered() {
                None => fit,
                // A version that is replaced on purpose (`overrides`) does not fit, and is as it was then.
                Some(known) => known == self.fingerprint() || self.has_run_since(),
            }
    }

    /// Whether the manager itself has noted an installation after the last change of what decides it.
    fn has_run_since(&self) -> bool {
        let changed = |file: PathBuf| std::fs::metadata(file).and_then(|meta| meta.modified()).ok();
        let note = TRACES.iter().find(|(_, manager)| *manager == self.manager);
        let noted = note.and_then(|(file, _)| changed(self.root.join("node_modules").join(file)));
        let files = || LOCKFILES.iter().map(|(file, _)| *file).chain([FILE, workspace::PNPM_FILE]);
        let last = [&self.home, &self.root]
            .into_iter()
            .flat_map(|folder| files().filter_map(|file| changed(folder.join(file))));
        noted.is_some_and(|noted| last.max().is_none_or(|last| last <= noted))
    }

    /// Remembers what is there, so that a change of it is seen. Nothing but time is lost without it.
    pub fn remember(&self) {
        let found = self.fingerprint();
        if self.remembered().as_ref() != Some(&found) {
            if let Ok(folder) = files::Folder::open(&self.home)
                && folder.own(CACHE).is_ok_and(|there| there.is_some_and(|there| there.is_file()))
            {
                let _ = folder.remove_file(CACHE);
            }
            let _ = plan::replace(&self.home, REMEMBERED, &found);
        }
    }

    /// Fails where an installation that ended well left something out.
    pub fn installed(&self) -> Result<()> {
        let Some((lacking, _)) = self.state() else { return Ok(()) };
        let Some(first) = lacking.first() else {
            self.remember();
            return Ok(());
        };
        let line = self.install_line();
        let folder = self.root.display();
        let error = Error::new(format!("`{line}` ended well, and `{first}` is not below `{folder}/node_modules`"));
        bail!(error.hint(match self.asked_for(first) {
            true => "a setting leaves packages out, such as `omit=dev` in a `.npmrc` or `production` in `bunfig.toml`: remove it".to_owned(),
            false => format!("`{FILE}` does not ask for it: run `{} -D`", self.add_line(&[COMPILER])),
        }))
    }

    /// Packages that are lacking, and whether the others have the versions that are asked for. `None`: `package.json`
    /// cannot be read.
    fn state(&self) -> Option<(Vec<String>, bool)> {
        let package = package(&self.home)?;
        let listed = ["dependencies", "devDependencies"].map(|list| package[list].as_object());
        let (mut lacking, mut fit) = (Vec::new(), true);
        for (name, wanted) in listed.into_iter().flatten().flatten() {
            match self.folder_of(name) {
                None => lacking.push(name.clone()),
                Some(folder) => fit &= has_version(&folder, wanted.as_str().unwrap_or_default()),
            }
        }
        // A workspace may have it for all of its members.
        if self.folder_of(COMPILER.name).is_none() && !lacking.iter().any(|name| name == COMPILER.name) {
            lacking.push(COMPILER.name.to_owned());
        }
        Some((lacking, fit))
    }

    fn asked_for(&self, name: &str) -> bool {
        let package = package(&self.home).unwrap_or_default();
        ["dependencies", "devDependencies"].iter().any(|list| !package[*list][name].is_null())
    }

    /// Where a package is installed for the project: found upwards, as Node.js does it, to the workspace's root.
    pub fn folder_of(&self, name: &str) -> Option<PathBuf> {
        let above = self.home.ancestors().take_while(|folder| folder.starts_with(&self.root));
        above.map(|folder| folder.join("node_modules").join(name)).find(|folder| folder.is_dir())
    }

    fn remembered(&self) -> Option<String> {
        files::read(&self.home, REMEMBERED, files::PARSED).ok()
    }

    /// Of all that decides what is installed.
    fn fingerprint(&self) -> String {
        let mut all = String::new();
        let folders = if self.root == self.home { vec![&self.home] } else { vec![&self.home, &self.root] };
        for folder in folders {
            let package = package(folder).unwrap_or_default();
            all += &json!(DECIDING.map(|key| &package[key])).to_string();
            for file in LOCKFILES.iter().map(|(file, _)| *file).chain([workspace::PNPM_FILE]) {
                let bytes = files::Folder::open(folder).and_then(|folder| folder.read_bytes(file, files::ANY));
                all += &bytes.map_or_else(|_| String::new(), |bytes| String::from_utf8_lossy(&bytes).into_owned());
            }
        }
        plan::hash(&all)
    }
}

/// In the folder where the runtime's `packages.ts` installs packages for another processor.
const REMEMBERED: &str = "node_modules/.cache/mcp-deploy/installed";
/// Was that file itself.
const CACHE: &str = "node_modules/.cache/mcp-deploy";
const DECIDING: [&str; 7] = [
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "overrides",
    "resolutions",
    "workspaces",
];
/// For Yarn to say something of itself; Corepack may have to fetch it first.
const PATIENCE: Duration = Duration::from_secs(120);

fn package(folder: &Path) -> Option<Value> {
    serde_json::from_str(&files::read(folder, FILE, files::ANY).ok()?).ok()
}

/// Whether an installed package is the required one, as far as its version shows: a registry's version does.
fn has_version(folder: &Path, wanted: &str) -> bool {
    let version = || package(folder)?["version"].as_str()?.parse::<Version>().ok();
    match (Version::parse(wanted), wanted.starts_with(['^', '~']).then(|| VersionReq::parse(wanted))) {
        (Ok(exactly), _) => version().is_some_and(|version| version == exactly),
        (_, Some(Ok(range))) => version().is_some_and(|version| range.matches(&version)),
        _ => true,
    }
}

/// What `package.json` says itself: `"packageManager": "pnpm@12.21.0+sha512.…"`, or `devEngines`.
fn declared(folder: &Path) -> Result<Option<(Manager, Option<String>)>> {
    let package = package(folder).unwrap_or_default();
    let engine = &package["devEngines"]["packageManager"];
    let engine = if engine.is_array() { &engine[0] } else { engine };
    let (key, name, version) = match (package["packageManager"].as_str(), engine["name"].as_str()) {
        (Some(named), _) => {
            let (name, version) = named.split_once('@').map_or((named, None), |(name, rest)| (name, Some(rest)));
            ("packageManager", name, version.and_then(|version| version.split('+').next()))
        }
        (None, Some(name)) => ("devEngines.packageManager", name, engine["version"].as_str()),
        (None, None) => return Ok(None),
    };
    let classic = version.is_some_and(|version| {
        let number = version.trim_start_matches(|c: char| !c.is_ascii_digit());
        number == "1" || number.starts_with("1.")
    });
    let manager = match name {
        "npm" => Manager::Npm,
        "pnpm" => Manager::Pnpm,
        "yarn" if classic => Manager::YarnClassic,
        "yarn" => Manager::Yarn,
        "bun" => Manager::Bun,
        other => {
            let why = format!("`{key}` in `{}` names `{other}`, which is not known here", folder.join(FILE).display());
            bail!(Error::new(why).hint("npm, pnpm, yarn and bun are"))
        }
    };
    let exact = version.filter(|version| Version::parse(version).is_ok());
    Ok(Some((manager, exact.map(str::to_owned))))
}

/// What the lockfile of a folder says; of several, that whose packages are installed.
fn locked(folder: &Path) -> Result<Option<(Manager, &'static str)>> {
    let mut found: Vec<(Manager, &'static str)> = Vec::new();
    for (file, manager) in LOCKFILES {
        if folder.join(file).is_file() {
            let manager = manager.unwrap_or_else(|| yarn_of(folder));
            if found.iter().all(|(known, _)| *known != manager) {
                found.push((manager, file));
            }
        }
    }
    if found.len() > 1 {
        let traced = TRACES.iter().filter(|(file, _)| folder.join("node_modules").join(file).is_file());
        let traced: Vec<Manager> = traced.map(|(_, manager)| *manager).collect();
        if let [one] = traced.as_slice()
            && let Some(known) = found.iter().find(|(manager, _)| manager == one)
        {
            return Ok(Some(*known));
        }
        let files = found.iter().map(|(_, file)| format!("`{file}`")).collect::<Vec<_>>().join(" and ");
        let why = format!("`{}` has lockfiles of several package managers: {files}", folder.display());
        bail!(Error::new(why).hint("delete those that are not used, or name the manager in `package.json`: `\"packageManager\": \"NAME@VERSION\"`"));
    }
    Ok(found.first().copied())
}

/// The two have lockfiles of one name. An empty one is how a project of the newer one begins.
fn yarn_of(folder: &Path) -> Manager {
    let text = files::read(folder, "yarn.lock", files::ANY).unwrap_or_default();
    let newer = text.trim().is_empty() || text.lines().any(|line| line == "__metadata:");
    if newer { Manager::Yarn } else { Manager::YarnClassic }
}
