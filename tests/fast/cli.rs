//! The command line as a user sees it: every `tests/cmd/*.md` is run, and reads as documentation.
//! Update with: TRYCMD=overwrite cargo test --test fast cli

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use crate::golden::path;
use crate::support::{Run, Sandbox, assert_same, finished};

#[test]
fn the_documented_commands_do_what_is_documented() {
    let cases = trycmd::TestCases::new();
    // Nothing of this machine: what is installed here must not show.
    cases
        .env("PATH", "/nonexistent")
        .env("MCP_DEPLOY_CACHE", "/nonexistent")
        .env("COLUMNS", "100")
        .env("NO_COLOR", "1");
    for program in ["cat", "cp", "rm"] {
        cases.register_bin(program, trycmd::schema::Bin::Path(format!("/bin/{program}").into()));
    }
    cases.case("tests/cmd/*.md");
    cases.run();
}

/// Each documented command of the program is run by some page.
#[test]
fn every_command_has_its_help_on_a_page() {
    let help = Sandbox::new().ok(&["--help"]).stdout;
    let pages = fs::read_to_string(path("tests/cmd/help.md")).unwrap();
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Lines that go on with a description are indented further.
    let names: Vec<&str> =
        commands.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        assert!(
            pages.contains(&format!("$ mcp-deploy {name} --help\n")),
            "tests/cmd/help.md lacks `mcp-deploy {name} --help`"
        );
    }
}

/// A reader that has seen enough (`| head`) does not make it fail.
#[test]
fn closed_pipes_are_no_error() {
    let sandbox = Sandbox::weather();
    sandbox.write("mcp.toml", "[tool.a]\n");
    for args in [
        &["schema"][..],
        &["completions", "bash"],
        &["--help"],
        &["check", "--no-types"],
        &["render"],
        &["init", "weather", "--yes"],
    ] {
        let expected = sandbox.run(args).code;
        for (stdout, stderr) in [(closed(), Stdio::piped()), (Stdio::piped(), closed()), (closed(), closed())] {
            let mut command: Command = sandbox.command(args);
            let output = command.stdout(stdout).stderr(stderr).spawn().unwrap().wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(!said.contains("panicked"), "{args:?}: {said}");
            // `init` has made its project the first time.
            let code = output.status.code();
            assert!(code == Some(expected) || args[0] == "init" && code == Some(1), "{args:?}: {output:?}");
        }
    }
}

/// The writing end of a pipe that nobody reads.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// The answer is on stdout alone, everything for people on stderr.
#[test]
fn stdout_holds_the_answer_alone() {
    let sandbox = Sandbox::weather();
    sandbox.write("src/tools/get_weather.ts", "");
    for (args, code) in [
        (&["check", "--no-types", "--json"][..], 1),
        (&["render", "--json"], 0),
        (&["render", "--check", "--json"], 0),
        (&["schema"], 0),
    ] {
        let Run { stdout, code: found, .. } = sandbox.run(args);
        assert!(serde_json::from_str::<serde_json::Value>(&stdout).is_ok(), "{args:?}: {stdout}");
        assert_eq!(found, code, "{args:?}");
    }
    for args in [&["check", "--no-types"][..], &["render"], &["add-tool", "x", "--description", "d"]] {
        assert_eq!(sandbox.run(args).stdout, "", "{args:?}");
    }
    let bash = finished(&mut sandbox.command(&["completions", "bash"]));
    assert!(bash.stdout.starts_with("_mcp__deploy() {") && bash.stderr.is_empty());
}

#[test]
fn dev_refuses_a_taken_port_before_it_builds() {
    let sandbox = Sandbox::weather();
    let before = sandbox.tree();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let run = sandbox.run(&["dev", "--target", "cloudflare", "--port", &port]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{run:?}");
    assert!(
        run.stderr.starts_with(&format!("error: port {port} of 127.0.0.1 is taken; nothing was built\nhint: ")),
        "{run:?}"
    );
    let last = sandbox.run(&["dev", "--target", "lambda,cloudflare", "--port", "65535"]);
    assert!(last.code == 2 && last.stderr.contains("there are not enough ports for 2 targets"), "{last:?}");
    assert_same(&sandbox.tree(), &before, "nothing was built");
}

#[test]
fn a_required_secret_that_is_missing_is_marked_so() {
    let sandbox = Sandbox::weather();
    let manifest = sandbox.read("mcp.toml");
    sandbox.write("mcp.toml", manifest + "\n[secrets]\nWEATHER_NEEDED = \"Needed\"\nWEATHER_EXTRA = { description = \"Extra\", optional = true }\n");
    let listed = sandbox.run(&["secrets", "list"]);
    assert_eq!(listed.code, 1, "{listed:?}");
    assert!(listed.stdout.contains("FAIL WEATHER_NEEDED"), "{listed:?}");
    assert!(listed.stdout.contains("skip WEATHER_EXTRA"), "{listed:?}");
    // What a message says of one that goes is true of it.
    let optional = sandbox.ok(&["secrets", "remove", "WEATHER_EXTRA"]).stderr;
    assert!(optional.contains("it is optional") && !optional.contains("asks for it"), "{optional}");
    let needed = sandbox.ok(&["secrets", "remove", "WEATHER_NEEDED"]).stderr;
    assert!(needed.contains("or the next `ship` asks for it"), "{needed}");
}

/// What a dry run says is what the run itself would say, and both end alike.
#[test]
fn a_dry_run_refuses_what_the_run_would() {
    let sandbox = Sandbox::weather();
    sandbox.write("vercel.json", "{}");
    sandbox.write("template.yaml", "{}");
    let before = sandbox.tree();
    let lines = [
        &["render"][..],
        &["add-tool", "x", "--description", "d"],
        &["add-resource", "x", "--uri", "x://y", "--description", "d"],
        &["add-prompt", "x", "--description", "d"],
        &["remove-tool", "get_weather"],
        &["ship", "--target", "all", "--local"],
    ];
    for line in lines {
        let dry = sandbox.run(&[line, &["--dry-run"]].concat());
        assert_eq!(dry.code, 1, "{line:?}: {dry:?}");
        assert!(dry.stderr.contains("2 generated files were edited by hand"), "{line:?}: {dry:?}");
        assert!(dry.stdout.contains("would conflict (edited by hand) vercel.json\n"), "{line:?}: {dry:?}");
        if line[0] != "ship" {
            let run = sandbox.run(line);
            assert_eq!((run.code, run.stderr), (dry.code, dry.stderr), "{line:?}");
        }
    }
    for line in [&["render"][..], &["ship", "--target", "all", "--local"]] {
        let dry = sandbox.run(&[line, &["--dry-run", "--json"]].concat());
        let answer: serde_json::Value = serde_json::from_str(&dry.stdout).unwrap();
        assert_eq!((dry.code, &answer["files"][0]["action"]), (1, &"conflict".into()), "{dry:?}");
    }
    let forced = sandbox.ok(&["render", "--dry-run", "--force"]);
    assert!(forced.stdout.contains("would overwrite (yours is kept beside it) vercel.json\n"), "{forced:?}");
    assert_same(&sandbox.tree(), &before, "nothing was written");
}

/// One message, before the compiler has three.
#[test]
fn the_handler_of_something_else_is_told_once() {
    let sandbox = Sandbox::weather();
    let handler = sandbox.read("src/tools/get_weather.ts");
    sandbox.write("src/tools/get_weather.ts", handler.replace("tool(\"get_weather\"", "tool(\"get_wether\""));
    let check = sandbox.run(&["check"]);
    let expected = "src/tools/get_weather.ts:4:21: error: this is the handler of the tool `get_weather`, and it exports that of the tool `get_wether`
  hint: write `export default tool(\"get_weather\", …)`
1 error; types were not checked\n";
    assert_eq!((check.code, check.stderr.as_str()), (1, expected));
}

#[test]
fn what_drifted_is_counted_by_what_happened_to_it() {
    let sandbox = Sandbox::weather();
    for path in ["mcp.ts", "runtime/server.ts", "types.ts"] {
        fs::remove_file(sandbox.path(&format!("src/generated/{path}"))).unwrap();
    }
    let changed = sandbox.read("mcp.toml").replacen("0.1.0", "0.1.1", 1);
    sandbox.write("mcp.toml", changed.replace("[targets.vercel]\n", ""));
    let check = sandbox.run(&["check", "--no-types"]).stderr;
    assert!(
        check.contains("src/generated/mcp.ts:1:1: error: this generated file is missing, like 2 others\n"),
        "{check}"
    );
    assert!(check.contains(": error: this generated file is no longer wanted, like 3 others\n"), "{check}");
    assert!(check.contains(": error: this generated file is not as mcp.toml says, like "), "{check}");
}

#[test]
fn a_cloud_goes_by_the_name_that_people_try() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init", "w", "--target", "aws", "--yes"]);
    assert!(sandbox.path("w/template.yaml").exists() && !sandbox.path("w/vercel.json").exists());
    let all = sandbox.run(&["verify", "--target", "all", "--local"]);
    let values = "[possible values: lambda, vercel, cloudflare, container]";
    assert!(all.code == 2 && all.stderr.contains(values), "{all:?}");
}

#[test]
fn verify_names_what_is_missing() {
    for (line, missing) in [
        (&["verify", "--local"][..], "  --target <CLOUD>\n"),
        (&["verify", "--target", "lambda"], "  --local\n"),
        (&["verify"], "  <URL>\n"),
    ] {
        let run = Sandbox::new().run(line);
        let expected = format!(
            "error: the following required arguments were not provided:\n{missing}\nUsage: mcp-deploy verify [OPTIONS] <URL>\n"
        );
        assert!(run.code == 2 && run.stderr.starts_with(&expected), "{line:?}: {run:?}");
    }
}

#[test]
fn the_only_target_of_a_manifest_need_not_be_named() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init", "w", "--target", "cloudflare", "--yes"]);
    let named = sandbox.ok(&["-C", "w", "ship", "--target", "cloudflare", "--local", "--dry-run"]);
    let unnamed = sandbox.ok(&["-C", "w", "ship", "--local", "--dry-run"]);
    assert!(named.stdout.contains("wrangler deploy --dry-run"), "{named:?}");
    assert_eq!(unnamed.stdout, named.stdout);
}

/// As git leaves two branches that both rendered: the project's own text is merged, generated files are not.
#[test]
fn after_a_merge_generated_files_are_written_again() {
    let sandbox = Sandbox::weather();
    let expected = sandbox.tree();
    let merged = |text: &str, line: &str| {
        let other = line.replace('1', "2");
        text.replacen(line, &format!("<<<<<<< HEAD\n{line}\n=======\n{other}\n>>>>>>> other"), 1)
    };
    for path in ["src/generated/manifest.ts", "template.yaml", "mcp.lock"] {
        let text = sandbox.read(path);
        let with_1 = |line: &&str| line.contains('1') && !line.starts_with("project") && !line.starts_with("version");
        let line = text.lines().find(with_1).unwrap();
        sandbox.write(path, merged(&text, line));
    }
    let check = sandbox.run(&["check", "--no-types"]);
    assert!(check.code == 1 && !check.stderr.contains("edited by hand"), "{check:?}");
    sandbox.ok(&["render"]);
    assert_same(&sandbox.tree(), &expected, "no conflict, and no copy of what git wrote");

    let manifest = sandbox.read("mcp.toml");
    sandbox.write("mcp.toml", merged(&manifest, "version = \"0.1.0\""));
    let check = sandbox.run(&["check", "--no-types"]).stderr;
    assert!(check.contains("are a merge conflict: git kept both versions\n  hint: keep what you want"), "{check}");
}

/// With stand-ins of Node.js and npm: the second says what it was asked for, and fails as tests do.
#[test]
fn test_runs_the_tests_of_the_project_and_ends_as_they_do() {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init", "w", "--yes"]);
    sandbox.install("w");
    let program = |name: &str, script: &str| {
        sandbox.write(&format!("bin/{name}"), format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(sandbox.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("node", "echo v24.19.0");
    let npm = |code: u8| {
        let case =
            format!("case $1 in --version) echo 11.0.0;; *) echo \"asked: $*; $(node)\"; pwd; exit {code};; esac");
        program("npm", &case);
        let mut command = sandbox.command(&["-C", "w", "test"]);
        let path = format!("{}:/usr/bin:/bin", sandbox.path("bin").display());
        finished(command.env("PATH", path).env("MCP_DEPLOY_CACHE", sandbox.path("cache")))
    };
    let passed = npm(0);
    assert_eq!((passed.code, passed.stdout.as_str()), (0, ""), "{passed:?}");
    assert!(passed.stderr.contains("asked: test; v24.19.0\n"), "{passed:?}");
    assert!(passed.stderr.contains("/w\n"), "{passed:?}");
    let failed = npm(7);
    assert!(failed.code == 7 && failed.stderr.ends_with("npm test` failed\n"), "{failed:?}");
    assert_eq!(failed.stderr.matches("asked: test").count(), 1, "{failed:?}");
}

/// What the program prints is what this checkout's pages say.
#[test]
fn docs_prints_the_manual() {
    let sandbox = Sandbox::new();
    let list = sandbox.ok(&["docs"]).stdout;
    assert!(list.contains("commands/ship") && list.contains("\nmanifest "), "{list}");
    for line in list.lines() {
        let page = line.split_whitespace().next().unwrap();
        let printed = sandbox.ok(&["docs", page]).stdout;
        let written = crate::golden::read(&format!("docs/{page}.md"));
        assert!(printed.trim_end() == written.trim_end(), "{page} is not as it is printed");
    }
    let wrong = sandbox.run(&["docs", "nothing-like-it"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("hint: `mcp-deploy docs` lists the pages"), "{wrong:?}");
}

#[test]
fn init_leaves_what_a_new_repository_has_as_it_is() {
    let init = ["init", ".", "--name", "w", "--yes"];
    let sandbox = Sandbox::new();
    let files = [
        (".git/HEAD", "ref: refs/heads/main\n"),
        (".gitignore", "/node_modules\ndist/\n"),
        ("LICENSE", "MIT\n"),
        ("Readme.md", "# Mine\n"),
    ];
    files.iter().for_each(|(path, text)| sandbox.write(path, text));
    let run = sandbox.ok(&init);
    for (path, text) in files {
        assert_eq!(sandbox.read(path), text);
    }
    let readmes = sandbox.tree().into_keys().filter(|path| path.eq_ignore_ascii_case("readme.md")).count();
    assert_eq!(readmes, 1);
    assert!(run.stderr.contains("kept .gitignore as it was\nhint: add to `.gitignore`"), "{run:?}");
    assert!(run.stderr.contains("`.env`, `.env.*`") && !run.stderr.contains("`dist/`"), "{run:?}");
    assert!(!run.stderr.contains("`node_modules/`"), "{run:?}");
    assert_eq!(sandbox.read(".gitattributes").lines().count(), 2);
    for path in ["src/a.ts", "README/a.md", "package.json"] {
        let sandbox = Sandbox::new();
        sandbox.write(".git/HEAD", "ref");
        sandbox.write(path, "");
        let run = sandbox.run(&init);
        assert!(run.code == 1 && run.stderr.contains("is not empty; nothing was written"), "{path}: {run:?}");
    }
}

/// What an agent reads is true: the commands are there, and so are the keys of the answers.
#[test]
fn the_commands_for_agents_are_there() {
    let sandbox = Sandbox::weather();
    let text = sandbox.read("AGENTS.md");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("mcp-deploy ")).collect();
    assert_eq!(lines.len(), 6, "{text}");
    for line in lines {
        let words = line.split(" #").next().unwrap().split_whitespace().skip(1);
        let (command, flags): (Vec<&str>, Vec<&str>) = words.partition(|word| !word.starts_with("--"));
        let help = sandbox.ok(&[command[0], "--help"]).stdout;
        assert!(flags.iter().all(|flag| help.contains(flag)), "{line}: {help}");
    }
    let check = sandbox.run(&["check", "--no-types", "--json"]).stdout;
    let answer: serde_json::Value = serde_json::from_str(&check).unwrap();
    let keys: Vec<&String> = answer.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["ok", "faults", "types"]);
    sandbox.ok(&["docs", "writing-handlers"]);
}
