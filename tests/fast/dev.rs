//! `dev` looks for changes again and again: links neither keep it from an end nor from hearing Ctrl-C.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

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

/// Tools that build an empty Worker, and wait where they would serve: this process answers in their place.
const WRANGLER: &str = "#!/bin/sh
case \"$1\" in
--version) echo 99.0.0 ;;
deploy) mkdir -p .wrangler/dist && echo > .wrangler/dist/cloudflare.js ;;
dev) exec sleep 600 ;;
esac
";
const NODE: &str = "#!/bin/sh\ncase \"$1\" in --version) echo 99.0.0 ;; esac\n";

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("p/mcp.toml", MANIFEST);
    sandbox.ok(&["--dir", "p", "render"]);
    for (tool, text) in [("node", NODE), ("npm", NODE), ("wrangler", WRANGLER)] {
        sandbox.write(&format!("bin/{tool}"), text);
        fs::set_permissions(sandbox.path(&format!("bin/{tool}")), fs::Permissions::from_mode(0o755)).unwrap();
    }
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
    fn start(sandbox: &Sandbox, port: u16) -> Dev {
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
        command.current_dir(sandbox.path("p")).env("NO_COLOR", "1").env("MCP_DEPLOY_CACHE", sandbox.path("cache"));
        command.env("PATH", format!("{}:/usr/bin:/bin", sandbox.path("bin").display()));
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
fn serve(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _asked = stream.read(&mut [0; 4096]);
            let _answered = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\nconnection: close\r\n\r\n{\"name\":\"linked\"}");
        }
    });
}

#[test]
fn linked_folders_end_and_so_does_dev() {
    for signal in ["INT", "TERM"] {
        let sandbox = project();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut dev = Dev::start(&sandbox, port);
        dev.says("cloudflare: build");
        serve(port);
        dev.says("Ctrl-C stops it");
        // A linked folder of the project's own is watched like any other.
        sandbox.write("p/lib/shared.ts", "export const more = 1;\n");
        dev.says("changed; building again");
        assert!(!dev.all.contains("too many files"), "{}", dev.all);
        dev.ends_at(signal);
    }
}
