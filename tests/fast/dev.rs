//! `dev` looks for changes again and again: links neither keep it from an end nor from hearing Ctrl-C.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use mcp_deploy::http_server::{Conn, Listener, Open, pair};
use mcp_deploy::process::free_port;

use crate::support::{Sandbox, finished};

const MANIFEST: &str = "\
[server]
name = \"linked\"
version = \"1.0.0\"
description = \"d\"

[tools.get_time]
description = \"d\"

[targets.cloudflare]
";

/// Tools that build an empty Worker, tell the port where they would serve, and wait: this process answers in their
/// place.
const WRANGLER: &str = "#!/bin/sh
case \"$1\" in
--version) echo 99.0.0 ;;
deploy) mkdir -p .wrangler/dist && echo > .wrangler/dist/cloudflare.js ;;
dev) while [ \"$1\" != --port ]; do shift; done; echo \"$2\" > ../port; exec sleep 600 ;;
esac
";
const NODE: &str = "#!/bin/sh\ncase \"$1\" in --version) echo 99.0.0 ;; esac\n";

fn rendered(manifest: &str, tools: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("p/mcp.toml", manifest);
    sandbox.ok(&["--dir", "p", "render"]);
    for (tool, text) in tools {
        sandbox.write(&format!("bin/{tool}"), text);
        fs::set_permissions(sandbox.path(&format!("bin/{tool}")), fs::Permissions::from_mode(0o755)).unwrap();
    }
    sandbox.write("tmp/.keep", "");
    sandbox.install("p");
    sandbox
}

fn project() -> Sandbox {
    let sandbox = rendered(MANIFEST, &[("node", NODE), ("npm", NODE), ("wrangler", WRANGLER)]);
    // Every folder leads to every other, and out to one that has no end.
    sandbox.write("p/lib/shared.ts", "export {};\n");
    for (name, to) in [
        ("a", "."),
        ("b", "."),
        ("c", ".."),
        ("d", "tools"),
        ("tools/e", ".."),
        ("tools/f", "../.."),
        ("lib", "../lib"),
    ] {
        symlink(to, sandbox.path(&format!("p/src/{name}"))).unwrap();
    }
    symlink("/", sandbox.path("p/src/root")).unwrap();
    symlink("/dev/zero", sandbox.path("p/src/zero.ts")).unwrap();
    sandbox
}

struct Dev {
    child: Child,
    said: Receiver<String>,
    all: String,
}

impl Dev {
    /// With a gigabyte of memory.
    fn start(sandbox: &Sandbox, port: u16, how: &[&str]) -> Dev {
        let program = env!("CARGO_BIN_EXE_mcp-deploy");
        crate::signals::heed();
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "ulimit -v 1048576 && exec \"$0\" \"$@\"",
            program,
            "dev",
            "--yes",
            "--port",
            &port.to_string(),
        ]);
        command.args(how);
        command.current_dir(sandbox.path("p")).env("NO_COLOR", "1").env("MCP_DEPLOY_CACHE", sandbox.path("cache"));
        command.env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()));
        command.env("TMPDIR", sandbox.path("tmp")).env("OF_THE_SHELL", "1").env("UNITS", "of the shell");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (say, said) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| say.send(line)));
        Dev { child, said, all: String::new() }
    }

    #[track_caller]
    fn says(&mut self, words: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.contains(words) => return,
                Ok(line) => self.all += &(line + "\n"),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("no `{words}` in:\n{}", self.all)
                }
            }
        }
    }

    #[track_caller]
    fn ends_at(&mut self, signal: &str) {
        assert_eq!(finished(Command::new("kill").args(["-s", signal, &self.child.id().to_string()])).code, 0);
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < deadline, "SIG{signal} is not heard");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ended = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Answers every request as the server's health page.
fn serve(port: u16) -> Listener {
    let mut listener = Listener::bind(port).unwrap();
    let answered = |stream, _: &Open| {
        let mut conn = Conn::new(stream);
        while let Ok(Some(_)) = conn.head() {
            let head = [pair("content-type", "application/json")];
            let _gone = conn.answer(200, &head, b"{\"name\":\"linked\"}");
        }
    };
    listener.serve(usize::MAX, answered).unwrap();
    listener
}

/// The line that a tool writes into a file when it is started.
#[track_caller]
fn written(sandbox: &Sandbox, file: &str, dev: &Dev) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match fs::read_to_string(sandbox.path(file)) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(Instant::now() < deadline, "no `{file}`:\n{}", dev.all),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn linked_folders_end_and_so_does_dev() {
    for signal in ["INT", "TERM"] {
        let sandbox = project();
        let mut dev = Dev::start(&sandbox, free_port().unwrap(), &[]);
        let _server = serve(written(&sandbox, "port", &dev).trim().parse().unwrap());
        dev.says("Ctrl-C ends");
        // A linked folder of the project's own is watched like any other.
        sandbox.write("p/lib/shared.ts", "export const more = 1;\n");
        dev.says("changed: lib/shared.ts");
        assert!(!dev.all.contains("too many files"), "{}", dev.all);
        dev.ends_at(signal);
    }
}

/// Builds a function for Lambda, and where that would serve tells where it runs, and with what.
const NODE_OF_LAMBDA: &str = "#!/bin/sh
case \"$*\" in
--version) echo 99.0.0 ;;
*bundle.ts*) mkdir -p dist/lambda/chunks && echo > dist/lambda/lambda.mjs && echo > dist/lambda/chunks/a.mjs ;;
*lambda.mjs) env > \"${0%/*}/../environment\" && echo \"$*\" > \"${0%/*}/../arguments\" && pwd -P > \"${0%/*}/../folder\" && exec sleep 600 ;;
esac
";
const SAM: &str = "#!/bin/sh\ncase \"$1\" in --version) echo SAM CLI, version 99.0.0 ;; esac\n";

/// Where it runs, and that it cannot be written to, is of no use when it stays forever.
#[test]
fn a_killed_run_leaves_no_folder() {
    let manifest = MANIFEST.replace("cloudflare]", "lambda]") + "\n[env]\nUNITS = \"metric\"\n";
    let sandbox = rendered(&manifest, &[("node", NODE_OF_LAMBDA), ("npm", NODE), ("sam", SAM)]);
    let port = free_port().unwrap();
    let mut dev = Dev::start(&sandbox, port, &["--built"]);
    dev.says("lambda: build");
    let _server = serve(port);
    dev.says("Ctrl-C ends");
    let code = std::path::PathBuf::from(written(&sandbox, "folder", &dev).trim_end());
    let folder = code.parent().unwrap();
    assert!(
        code.join("chunks/a.mjs").is_file() && folder.file_name().unwrap().to_str().unwrap().starts_with("mcp-deploy-")
    );
    let of_the_run =
        || fs::read_dir(sandbox.path("tmp")).unwrap().flatten().filter(|entry| entry.path().is_dir()).count();
    assert!(of_the_run() > 0, "its own folder");
    has_the_environment_of_lambda(&sandbox.read("environment"));
    // Node.js 25 and newer refuse the network where writing is restricted.
    let arguments = sandbox.read("arguments");
    assert_eq!(arguments.contains("--permission"), arguments.contains("--allow-net"), "{arguments}");

    dev.ends_at("KILL");
    let deadline = Instant::now() + Duration::from_secs(20);
    while folder.exists() || of_the_run() > 0 {
        assert!(Instant::now() < deadline, "`{}` or another folder stays", folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn has_the_environment_of_lambda(text: &str) {
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    assert_eq!((value("UNITS"), value("OF_THE_SHELL")), (Some("of the shell"), None), "{text}");
    assert_eq!(
        (value("TZ"), value("HOME"), value("NODE_ENV")),
        (Some(":UTC"), Some("/home/sbx_user1051"), Some("production"))
    );
    // No more than the cloud sets and this machine's network asks for; `_` and the like are the shell's own.
    let names = text.lines().filter_map(|line| Some(line.split_once('=')?.0));
    let known =
        ["HOME", "LANG", "TZ", "NODE_ENV", "PATH", "PWD", "TMPDIR", "UNITS", "LD_LIBRARY_PATH", "_", "SHLVL", "OLDPWD"];
    let starts = ["AWS_", "LAMBDA_", "MCP_DEPLOY_", "MCP_LOCAL_", "NODE_EXTRA_CA_CERTS", "NODE_USE_", "SSL_CERT_"];
    let is_known = |name: &&str| {
        known.contains(name)
            || starts.iter().any(|start| name.starts_with(start))
            || name.to_lowercase().ends_with("_proxy")
    };
    assert_eq!(names.filter(|name| !is_known(name)).collect::<Vec<_>>(), [""; 0]);
}
