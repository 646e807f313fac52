use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::process::{Io, ToolFailed, run};

const SAM: (ToolId, Need) = (ToolId::Sam, Need::Run);
const VERCEL: (ToolId, Need) = (ToolId::Vercel, Need::Run);
const WRANGLER: (ToolId, Need) = (ToolId::Wrangler, Need::Run);

/// A machine made of shell scripts: nothing of the real PATH but the system's basic programs.
struct Machine {
    dir: tempfile::TempDir,
    search: Search,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bin = dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        // The scripts' own needs, but no tool that happens to be installed here.
        for program in ["sh", "mkdir", "cat", "sleep", "chmod", "env", "dirname"] {
            std::os::unix::fs::symlink(which::which(program).unwrap(), bin.join(program)).unwrap();
        }
        let search = Search { path: bin.into_os_string(), cache: dir.path().join("cache") };
        Machine { dir, search }
    }

    fn file(&self, path: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn program(&self, name: &str, script: &str) -> PathBuf {
        self.file(&format!("bin/{name}"), &format!("#!/bin/sh\n{script}\n"))
    }

    fn says(&self, name: &str, version: &str) -> PathBuf {
        self.program(name, &format!("echo '{version}'"))
    }

    /// As if it had been installed into the cache.
    fn cached(&self, id: ToolId) -> PathBuf {
        let tool = id.requirement();
        let home = format!("cache/tools/{}-{}", tool.name, tool.version);
        for file in tool.files {
            self.file(&format!("{home}/{file}"), &format!("#!/bin/sh\necho {}\n", tool.version));
        }
        self.file(&format!("{home}/.installed"), tool.version);
        self.dir.path().join(home).join(tool.files[0])
    }

    /// An npm that installs Node: appends to `installs`, then runs `rest`.
    fn npm(&self, rest: &str) {
        self.program(
            "npm",
            &format!(
                "[ \"$1\" = --version ] && {{ echo 11.0.0; exit; }}\n\
                 echo \"$@\" >> {log}\n{rest}",
                log = self.dir.path().join("installs").display(),
            ),
        );
    }

    fn installs(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.path().join("installs")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    fn status(&self, id: ToolId) -> ToolStatus {
        survey(&[id], &self.search).remove(0).1
    }

    fn cache_entries(&self) -> Vec<String> {
        let entries = fs::read_dir(self.search.cache.join("tools")).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with(".lock")).collect()
    }
}

/// What npm would do for Node, into the folder it is run in.
fn makes_node(version: &str) -> String {
    makes(ToolId::Node.requirement().files[0], &format!("echo v{version}"))
}

fn makes(file: &str, script: &str) -> String {
    format!("mkdir -p \"$(dirname {file})\"\ncat > {file} <<'END'\n#!/bin/sh\n{script}\nEND\nchmod +x {file}\n")
}

fn node_works() -> String {
    makes_node(ToolId::Node.requirement().version)
}

#[test]
fn every_tool_has_one_sound_row() {
    use ToolId::*;
    for id in [Node, Npm, Sam, Vercel, Wrangler, Python, LambdaAdapter] {
        assert_eq!(REQUIREMENTS.iter().filter(|tool| tool.id == id).count(), 1, "{id:?}");
        let tool = id.requirement();
        let parse = |text| Version::parse(text).unwrap();
        assert!(parse(tool.version) >= parse(tool.minimum), "{id:?}");
        assert_eq!(tool.files.is_empty(), matches!(tool.source, Source::Host { .. }), "{id:?}");
        assert!(!tool.why.is_empty() && !tool.programs.is_empty());
    }
}

#[test]
fn statuses() {
    let machine = Machine::new();
    assert_eq!(machine.status(ToolId::Node), ToolStatus::Missing);

    let path = machine.says("node", "v20.20.2");
    let version = Some(Version::new(20, 20, 2));
    let old = FoundTool { path: path.clone(), version, origin: Origin::Path };
    assert_eq!(machine.status(ToolId::Node), ToolStatus::TooOld(old));

    machine.says("node", "v26.1.0");
    let version = Some(Version::new(26, 1, 0));
    let new = FoundTool { path: path.clone(), version, origin: Origin::Path };
    assert_eq!(machine.status(ToolId::Node), ToolStatus::Ready(new));

    machine.program("node", "echo lib.so is missing >&2; exit 127");
    let ToolStatus::Broken { path: broken, error } = machine.status(ToolId::Node) else { panic!() };
    assert_eq!(broken, path);
    assert!(error.contains("lib.so is missing"), "{error}");

    machine.says("node", "hello");
    assert!(matches!(machine.status(ToolId::Node), ToolStatus::Broken { .. }));
}

#[test]
fn what_a_person_types_starts_the_tool_that_we_use() {
    let machine = Machine::new();
    machine.says("node", "v26.1.0");
    machine.says("npm", "11.0.0");
    let typed = || Toolchain::named(&[SAM, WRANGLER], &machine.search).typed(ToolId::Wrangler, &["login"]);
    let script = machine.cached(ToolId::Wrangler);
    let node = machine.dir.path().join("bin/node");
    assert_eq!(typed(), format!("{} {} login", node.display(), script.display()));
    let sam = machine.cached(ToolId::Sam);
    let tools = Toolchain::named(&[SAM], &machine.search);
    assert_eq!(tools.typed(ToolId::Sam, &["delete", "a b"]), format!("{} delete 'a b'", sam.display()));
    machine.says("wrangler", "5.0.0");
    assert_eq!(typed(), "wrangler login");
}

#[test]
fn another_name_is_tried_when_the_first_is_too_old() {
    let machine = Machine::new();
    machine.says("python3", "Python 3.8.10");
    assert!(matches!(machine.status(ToolId::Python), ToolStatus::TooOld(_)));
    let path = machine.says("python3.13", "Python 3.13.2");
    assert_eq!(machine.status(ToolId::Python).ready().unwrap().path, path);
}

#[test]
fn a_script_is_not_started_to_learn_its_version() {
    let machine = Machine::new();
    let script = machine.file("lib/vercel/dist/vc.js", "#!/usr/bin/env node\nthrow 1\n");
    machine.file("lib/vercel/package.json", r#"{"name":"vercel","version":"62.3.4"}"#);
    std::os::unix::fs::symlink(&script, machine.dir.path().join("bin/vercel")).unwrap();
    let found = machine.status(ToolId::Vercel).ready().unwrap();
    assert_eq!(found.version, Some(Version::new(62, 3, 4)));
}

#[test]
fn the_cache_is_for_what_path_lacks() {
    let machine = Machine::new();
    let cached = machine.cached(ToolId::Node);
    let ready = |machine: &Machine| machine.status(ToolId::Node).ready().unwrap();
    assert_eq!((ready(&machine).path, ready(&machine).origin), (cached.clone(), Origin::Cache));
    machine.says("node", "v20.0.0");
    assert_eq!(ready(&machine).path, cached);
    machine.program("node", "exit 1");
    assert_eq!(ready(&machine).path, cached);
    machine.says("node", "v24.0.0");
    assert_eq!(ready(&machine).origin, Origin::Path);
}

#[test]
fn a_cached_tool_that_lost_its_files_is_broken() {
    let machine = Machine::new();
    let path = machine.cached(ToolId::Sam);
    assert_eq!(machine.status(ToolId::Sam).ready().unwrap().path, path);
    fs::remove_file(path.with_file_name("python")).unwrap();
    assert!(matches!(machine.status(ToolId::Sam), ToolStatus::Broken { .. }));
}

#[test]
fn a_toolchain_names_all_that_is_missing() {
    let machine = Machine::new();
    machine.says("node", "v20.1.0");
    machine.says("npm", "11.2.3");
    let MissingTools(missing) = Toolchain::resolve(&[SAM, WRANGLER], Purpose::Run, &machine.search).unwrap_err();
    let ids: Vec<ToolId> = missing.iter().map(|(tool, _)| tool.id).collect();
    assert_eq!(ids, [ToolId::Node, ToolId::Sam, ToolId::Wrangler]);
    let said = MissingTools(missing).to_string();
    assert!(said.contains("`node` 20.1.0 (") && said.contains("is older than 24.0.0; it runs"), "{said}");
    assert!(said.contains("\n  `sam` 1.148.0 or newer was not found; it validates"), "{said}");
}

#[test]
fn scripts_run_under_the_chosen_node_with_its_folder_first() {
    let machine = Machine::new();
    machine.says("node", "v20.1.0");
    machine.says("npm", "11.2.3");
    let script = machine.cached(ToolId::Wrangler);
    let node = machine.cached(ToolId::Node);
    let tools = Toolchain::resolve(&[WRANGLER], Purpose::Run, &machine.search).unwrap();
    // It shows what it was given instead of running anything.
    fs::write(&node, "#!/bin/sh\necho \"$@\"; echo $WRANGLER_SEND_METRICS; echo \"$PATH\"\n").unwrap();

    let cmd = tools.cmd(ToolId::Wrangler).args(["dev", "--port", "1"]);
    assert_eq!(cmd.to_string(), "wrangler dev --port 1");
    let said = run(&cmd, Io::Answer, None).unwrap().stdout;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[0], format!("{} dev --port 1", script.canonicalize().unwrap().display()));
    assert_eq!(lines[1], "false");
    let path = [node.parent().unwrap().as_os_str(), machine.search.path.as_os_str()];
    assert_eq!(OsString::from(lines[2]), path.join(std::ffi::OsStr::new(":")));
}

#[test]
fn path_stays_as_it_is_when_it_leads_to_the_right_node() {
    let machine = Machine::new();
    machine.says("node", "v24.1.0");
    machine.says("npm", "11.2.3");
    machine.program("sam", "[ \"$1\" = --version ] && echo 1.160.0 || echo \"$PATH\"");
    let line = |tools: &Toolchain| run(&tools.cmd(ToolId::Sam).arg("build"), Io::Answer, None).unwrap().stdout;
    let own = machine.search.path.to_str().unwrap();
    let tools = Toolchain::resolve(&[SAM], Purpose::Run, &machine.search).unwrap();
    assert_eq!(line(&tools).trim(), own);
}

#[test]
fn agents_are_hidden_from_vercel() {
    let machine = Machine::new();
    machine.says("node", "v24.1.0");
    machine.says("npm", "11.2.3");
    machine.program("vercel", "[ \"$1\" = --version ] && echo 64.0.2 || echo \"[$CLAUDECODE]\"");
    let tools = Toolchain::resolve(&[VERCEL], Purpose::Run, &machine.search).unwrap();
    let said = |cmd: Cmd| run(&cmd, Io::Answer, None).unwrap().stdout;
    assert_eq!(said(tools.cmd(ToolId::Vercel)), "[]\n");
    // What a caller sets afterwards holds.
    assert_eq!(said(tools.cmd(ToolId::Vercel).env("CLAUDECODE", "1")), "[1]\n");
}

#[test]
fn what_node_has_compiled_of_a_tool_is_kept() {
    let machine = Machine::new();
    machine.program("node", "[ \"$1\" = --version ] && echo v24.1.0 || echo \"[$NODE_COMPILE_CACHE]\"");
    machine.says("npm", "11.2.3");
    machine.cached(ToolId::Wrangler);
    let tools = Toolchain::resolve(&[WRANGLER], Purpose::Run, &machine.search).unwrap();
    let said = |cmd: Cmd| run(&cmd, Io::Answer, None).unwrap().stdout;
    let own = std::env::var("NODE_COMPILE_CACHE").ok();
    let kept = own.clone().unwrap_or_else(|| machine.search.cache.join("node-compile-cache").display().to_string());
    assert_eq!(said(tools.cmd(ToolId::Wrangler)), format!("[{kept}]\n"));
    // A server is not a tool: it runs as it would in its cloud.
    assert_eq!(said(tools.cmd(ToolId::Node).arg("server.mjs")), format!("[{}]\n", own.unwrap_or_default()));
}

#[test]
fn provisioning_installs_the_pinned_version_once() {
    let machine = Machine::new();
    machine.npm(&node_works());
    let mut told = Vec::new();
    let found = provision(ToolId::Node, &machine.search, &mut |line| told.push(line.to_owned())).unwrap();
    assert_eq!(found.origin, Origin::Cache);
    assert_eq!(found.version, Some(Version::new(24, 19, 0)));
    assert!(found.path.starts_with(machine.search.cache.join("tools/node-24.19.0")));
    assert_eq!(told, ["installing node 24.19.0"]);
    assert_eq!(machine.cache_entries(), ["node-24.19.0"]);
    let manifest = fs::read_to_string(machine.search.cache.join("tools/node-24.19.0/package.json")).unwrap();
    assert!(manifest.contains(":\"24.19.0\"}"), "{manifest}");
    assert!(machine.installs()[0].starts_with("install --prefix=. --no-global --ignore-scripts "));

    provision(ToolId::Node, &machine.search, &mut |_| ()).unwrap();
    assert_eq!(machine.installs().len(), 1);
    assert_eq!(machine.status(ToolId::Node).ready(), Some(found));
}

#[test]
fn a_failed_installation_leaves_nothing() {
    let table = [
        (format!("{}echo getaddrinfo ENOTFOUND >&2; exit 1", node_works()), "the package registry cannot be reached"),
        ("exit 0".to_owned(), "cannot install `node` 24.19.0"),
        (makes_node("24.0.1"), "cannot install `node` 24.19.0"),
        (makes_node("24.19.0\nexit 1"), "cannot install `node` 24.19.0"),
    ];
    for (script, said) in table {
        let machine = Machine::new();
        machine.npm(&script);
        let error = provision(ToolId::Node, &machine.search, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains(said), "{error:#}");
        assert_eq!(machine.cache_entries(), [""; 0], "{script}");
        assert_eq!(machine.status(ToolId::Node), ToolStatus::Missing);
    }
}

#[test]
fn the_installers_exit_code_is_kept() {
    let machine = Machine::new();
    machine.npm("echo npm error code E404 >&2; exit 9");
    let error = provision(ToolId::Node, &machine.search, &mut |_| ()).unwrap_err();
    assert_eq!(ToolFailed::of(&error).unwrap().code, Some(9));
    assert!(error.to_string().contains("does not have this version"), "{error}");
}

#[test]
fn a_lost_installation_is_cleared_away() {
    let machine = Machine::new();
    machine.npm(&node_works());
    machine.file("cache/tools/.node-24.19.0-abc/tool/half", "");
    machine.file("cache/tools/node-24.19.0/half", "");
    provision(ToolId::Node, &machine.search, &mut |_| ()).unwrap();
    assert_eq!(machine.cache_entries(), ["node-24.19.0"]);
    assert!(!machine.search.cache.join("tools/node-24.19.0/half").exists());
}

#[test]
fn many_at_once_install_once() {
    let machine = Arc::new(Machine::new());
    machine.npm(&format!("sleep 0.5\n{}", node_works()));
    let waited = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut count = |line: &str| {
                    waited.fetch_add(
                        usize::from(line.starts_with("waiting for the installation of node")),
                        Ordering::Relaxed,
                    );
                };
                provision(ToolId::Node, &machine.search, &mut count).unwrap();
            });
        }
    });
    assert_eq!(machine.installs().len(), 1);
    assert_eq!(waited.load(Ordering::Relaxed), 3);
}

#[test]
fn what_an_installation_needs_is_installed_first() {
    let machine = Machine::new();
    machine.says("node", "v20.0.0");
    // The fake Node says its version, or runs the fake script.
    let node = makes(ToolId::Node.requirement().files[0], "[ \"$1\" = --version ] && echo v24.19.0 || sh \"$@\"");
    let wrangler = makes(ToolId::Wrangler.requirement().files[0], "echo 4.164.0");
    machine.npm(&format!("case $(cat package.json) in *wrangler*)\n{wrangler};;\n*)\n{node};; esac"));
    let found = provision(ToolId::Wrangler, &machine.search, &mut |_| ()).unwrap();
    assert_eq!(found.version, Some(Version::new(4, 164, 0)));
    let mut entries = machine.cache_entries();
    entries.sort();
    assert_eq!(entries, ["node-24.19.0", "wrangler-4.164.0"]);
}

#[test]
fn tools_are_installed_side_by_side() {
    let machine = Machine::new();
    let node = machine.cached(ToolId::Node);
    fs::write(node, "#!/bin/sh\n[ \"$1\" = --version ] && echo v24.19.0 || sh \"$@\"\n").unwrap();
    let tools = [ToolId::Vercel, ToolId::Wrangler].map(ToolId::requirement);
    let made = tools.map(|tool| makes(tool.files[0], &format!("echo {}", tool.version))).concat();
    // Neither goes on before the other has begun.
    let begun = machine.file("begun/.keep", "").with_file_name("");
    let meet = format!(
        "echo > {0}$$\nfor second in 0 1 2 3 4 5 6 7 8 9; do set -- {0}*; [ $# = 2 ] && break; sleep 1; done\n[ $# = 2 ] || exit 1\n",
        begun.display()
    );
    machine.npm(&(meet + &made));
    provision_all(&tools, &machine.search).unwrap();
    assert!(tools.iter().all(|tool| matches!(machine.status(tool.id), ToolStatus::Ready(_))));
}

#[test]
fn what_cannot_be_installed_says_how_to_get_it() {
    let machine = Machine::new();
    let error = format!("{:#}", provision(ToolId::Node, &machine.search, &mut |_| ()).unwrap_err());
    assert!(error.contains("`npm` 10.0.0 or newer is needed") && error.contains("https://nodejs.org"), "{error}");
    let error = format!("{:#}", provision(ToolId::LambdaAdapter, &machine.search, &mut |_| ()).unwrap_err());
    assert!(error.contains("https://rustup.rs"), "{error}");
    assert_eq!(machine.cache_entries(), [""; 0]);
}

#[test]
fn a_python_tool_names_the_folder_it_was_moved_to() {
    let machine = Machine::new();
    let python = "[ \"$1\" = --version ] && { echo Python 3.12.1; exit; }\n\
        if [ \"$2\" = venv ]; then mkdir -p \"$3/bin\"; { echo '#!/bin/sh'; cat \"$0.body\"; } > \"$3/bin/python\"; \
        chmod +x \"$3/bin/python\"; echo \"command = $3\" > \"$3/pyvenv.cfg\"; fi";
    let path = machine.program("python3", python);
    let body = "bin=$(dirname \"$0\"); { echo \"#!$bin/python\"; echo version 1.170.0; } > \"$bin/sam\"\n\
        case \"$1\" in */sam) echo SAM CLI, version 1.170.0;; esac; chmod +x \"$bin/sam\"\n";
    fs::write(path.with_extension("body"), body).unwrap();
    let found = provision(ToolId::Sam, &machine.search, &mut |_| ()).unwrap();
    let home = machine.search.cache.join("tools/sam-1.170.0");
    assert_eq!(found.path, home.join("bin/sam"));
    let first = fs::read_to_string(&found.path).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(first, format!("#!{}", home.join("bin/python").display()));
    assert_eq!(fs::read_to_string(home.join("pyvenv.cfg")).unwrap(), format!("command = {}\n", home.display()));
    assert_eq!(machine.cache_entries(), ["sam-1.170.0"]);
}
