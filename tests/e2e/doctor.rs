//! `doctor` on a machine that has next to nothing. That `--fix` works is proven by every other test: it provides their
//! tools.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::support::child::run;
use crate::support::work::{bare, folder, write};

#[test]
fn names_what_is_missing_and_why() {
    let ran = run(poor_machine(&["doctor"])).expect(1);
    let said = &ran.stdout;
    assert!(said.contains("20.20.2 is too old"), "{ran}");
    for tool in ["npm", "sam", "vercel", "wrangler"] {
        let line = said.lines().find(|line| line.split_whitespace().any(|word| word == tool));
        assert!(line.is_some_and(|line| line.contains("not found")), "{tool}: {ran}");
    }
    assert_eq!(
        ran.stderr.trim(),
        "hint: `mcp-deploy doctor --fix` installs what is missing into a private cache\n\
         hint: install `npm` 10.0.0 or newer yourself: it comes with Node.js, see https://nodejs.org",
        "{ran}"
    );
}

#[test]
fn tells_machines_the_same() {
    let rows = run(poor_machine(&["doctor", "--json"])).expect(1).json();
    let status = |tool: &str| rows.as_array()?.iter().find(|row| row["tool"] == tool)?["status"].as_str();
    assert_eq!(status("node"), Some("too old"), "{rows:#}");
    for tool in ["npm", "sam", "vercel", "wrangler"] {
        assert_eq!(status(tool), Some("missing"), "{rows:#}");
    }
    // One cloud needs less.
    let rows = run(poor_machine(&["doctor", "--json", "--target", "cloudflare"])).expect(1).json();
    let tools: Vec<&str> = rows.as_array().into_iter().flatten().filter_map(|row| row["tool"].as_str()).collect();
    assert_eq!(tools, ["node", "npm", "wrangler"], "{rows:#}");
}

/// Nothing is half installed when what the installation needs is not there: no npm, so nothing at all.
#[test]
fn fix_says_what_it_cannot_do() {
    let machine = poor_machine(&["doctor", "--fix"]);
    let cache = cache_of(&machine);
    let ran = run(machine).expect(1);
    assert!(ran.stderr.contains("npm") && ran.stderr.contains("nodejs.org"), "{ran}");
    let left = std::fs::read_dir(cache.join("tools")).into_iter().flatten().flatten();
    let left: Vec<_> =
        left.map(|entry| entry.file_name()).filter(|name| !name.to_string_lossy().ends_with(".lock")).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// An empty cache, and a PATH with nothing but an old Node.
fn poor_machine(args: &[&str]) -> Command {
    let machine = folder("machine");
    let node = machine.join("bin/node");
    write(&node, "#!/bin/sh\necho v20.20.2\n");
    std::fs::set_permissions(&node, std::fs::Permissions::from_mode(0o755)).expect("our own file");
    let mut doctor = bare(&machine, args);
    doctor.env("PATH", machine.join("bin")).env("MCP_DEPLOY_CACHE", machine.join("cache"));
    doctor
}

fn cache_of(command: &Command) -> PathBuf {
    let set = command.get_envs().find(|(key, _)| *key == "MCP_DEPLOY_CACHE");
    set.and_then(|(_, value)| value).map(PathBuf::from).expect("it was set")
}
