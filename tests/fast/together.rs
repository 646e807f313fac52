//! Several commands at once in one project, and an editor beside them: nobody's change is lost.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::{Run, Sandbox, assert_same, finished};

fn start(sandbox: &Sandbox, args: &[&str]) -> Child {
    let mut command = sandbox.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn end(child: Child) -> Run {
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Runs them at the same time; all of them succeed.
fn all_at_once(sandbox: &Sandbox, commands: &[&[&str]]) {
    use std::io::Write as _;
    let mut children: Vec<Child> = commands.iter().map(|args| start(sandbox, args)).collect();
    children.iter_mut().for_each(|child| child.stdin.take().unwrap().write_all(b"a value").unwrap_or_default());
    for (child, args) in children.into_iter().zip(commands) {
        let run = end(child);
        assert_eq!(run.code, 0, "{args:?}: {run:?}");
    }
    sandbox.ok(&["render", "--check"]);
}

#[test]
fn six_tools_added_at_once_are_all_there() {
    let sandbox = Sandbox::weather();
    let names = ["one", "two", "three", "four", "five", "six"];
    let commands: Vec<[&str; 4]> = names.iter().map(|name| ["add-tool", name, "--description", "d"]).collect();
    let commands: Vec<&[&str]> = commands.iter().map(<[&str; 4]>::as_slice).collect();
    all_at_once(&sandbox, &commands);
    let manifest = sandbox.read("mcp.toml");
    for name in names {
        assert!(manifest.contains(&format!("[tools.{name}]\n")), "{name} is lost:\n{manifest}");
        assert!(sandbox.path(&format!("src/tools/{name}.ts")).exists(), "{name}");
    }
}

#[test]
fn commands_of_all_kinds_at_once_lose_nothing() {
    let sandbox = Sandbox::weather();
    let more = "\n[access]\nauth = \"api-key\"\n\n[secrets]\nA = \"d\"\nB = \"d\"\n";
    sandbox.write("mcp.toml", sandbox.read("mcp.toml") + more);
    all_at_once(
        &sandbox,
        &[
            &["add-tool", "rain", "--description", "d"],
            &["add-resource", "map", "--uri", "x://map", "--description", "d"],
            &["add-prompt", "ask", "--description", "d"],
            &["remove-tool", "get_weather"],
            &["render"],
            &["keys", "add", "alice"],
            &["keys", "add", "bob"],
            &["secrets", "set", "A"],
            &["secrets", "set", "B"],
            &["connect", "--url", "https://x.example/mcp", "--client", "claude-code", "--write"],
            &["ci", "github"],
        ],
    );
    let manifest = sandbox.read("mcp.toml");
    assert!(["[tools.rain]", "[resources.map]", "[prompts.ask]"].iter().all(|table| manifest.contains(table)));
    assert!(!manifest.contains("[tools.get_weather]"));
    let values = sandbox.read(".env");
    assert!(["alice", "bob", "A='a value'", "B='a value'"].iter().all(|value| values.contains(value)), "{values}");
}

#[test]
fn of_two_inits_one_makes_the_project() {
    for args in [["init", ".", "--name", "w", "--yes"], ["init", "a/w", "--name", "w", "--yes"]] {
        let (sandbox, alone) = (Sandbox::new(), Sandbox::new());
        alone.ok(&args);
        let both = [start(&sandbox, &args), start(&sandbox, &args)].map(end);
        let mut codes = both.each_ref().map(|run| run.code);
        codes.sort_unstable();
        assert_eq!(codes, [0, 1], "{both:?}");
        assert!(both.iter().any(|run| run.stderr.contains("already holds a project")), "{both:?}");
        assert_same(&sandbox.tree(), &alone.tree(), "two at once");
    }
}

/// Whatever moment an editor saves the manifest at: what it saved stays, and nothing else is written then.
#[cfg(debug_assertions)]
#[test]
fn what_an_editor_saves_meanwhile_is_not_overwritten() {
    let before = Sandbox::weather().tree();
    let cases: [&[&str]; 2] = [&["add-tool", "rain", "--description", "d"], &["render"]];
    for args in cases {
        let mut refused = 0;
        for n in 0.. {
            let sandbox = Sandbox::with(&before);
            if args[0] == "render" {
                sandbox.write("mcp.toml", sandbox.read("mcp.toml").replace("Get the current", "Get a current"));
            }
            let old = sandbox.read("mcp.toml");
            let child = sandbox.command(args).env("MCP_DEPLOY_STOP_AT", n.to_string()).stderr(Stdio::piped()).spawn();
            let mut child = child.unwrap();
            if !has_stopped(&mut child) {
                assert_eq!(end(child).code, 0);
                break;
            }
            let committed = sandbox.read("mcp.toml") != old;
            sandbox.write("mcp.toml", format!("{old}\n# saved\n"));
            assert_eq!(finished(Command::new("kill").args(["-s", "CONT", &child.id().to_string()])).code, 0);
            let run = end(child);
            let context = format!("{args:?}, saved before change {n}: {run:?}");
            assert!(sandbox.read("mcp.toml").ends_with("\n# saved\n"), "{context}");
            if committed {
                assert_eq!(run.code, 0, "{context}");
                continue;
            }
            refused += 1;
            assert_eq!(run.code, 1, "{context}");
            assert!(
                run.stderr.contains("`mcp.toml` was changed meanwhile, so nothing was written\nhint: "),
                "{context}"
            );
            let expected = Sandbox::with(&before);
            expected.write("mcp.toml", format!("{old}\n# saved\n"));
            assert_same(&sandbox.tree(), &expected.tree(), &context);
        }
        assert!(refused > 5, "{args:?}: only {refused} moments");
    }
}

#[cfg(debug_assertions)]
fn has_stopped(child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        let state = finished(Command::new("ps").args(["-o", "stat=", "-p", &child.id().to_string()])).stdout;
        if state.trim_start().starts_with('T') {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("neither stopped nor ended");
}
