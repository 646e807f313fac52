//! A handler file under a wrong name: it is named, and nothing is built from a starter that takes its place.

use crate::support::Sandbox;

const DECLARED: &str = "src/tools/get_weather.ts";
const WRONG: &str = "src/tools/get_waether.ts";

fn misnamed(as_what: &str) -> Sandbox {
    let sandbox = Sandbox::weather();
    std::fs::rename(sandbox.path(DECLARED), sandbox.path(as_what)).unwrap();
    sandbox
}

#[test]
fn what_builds_names_the_file_and_creates_no_starter() {
    let sandbox = misnamed(WRONG);
    let before = sandbox.tree();
    let commands: [&[&str]; 6] = [
        &["check", "--no-types"],
        &["ship", "--target", "lambda", "--local", "--yes"],
        &["ship", "--target", "lambda", "--yes"],
        &["ship", "--target", "all", "--local", "--dry-run"],
        &["ship", "--target", "cloudflare", "--local", "--json"],
        &["dev", "--target", "cloudflare", "--yes"],
    ];
    for args in commands {
        let run = sandbox.run(args);
        let said = format!("{}{}", run.stdout, run.stderr);
        let missing = format!("the tool `get_weather` has no handler: `{DECLARED}` is missing");
        let hint = format!(
            "did you mean `{WRONG}`? Rename it to `{DECLARED}`; or run `mcp-deploy render`, which creates a typed starter"
        );
        assert!(run.code == 1 && said.contains(&missing) && said.contains(&hint), "{args:?}: {run:?}");
        assert_eq!(sandbox.tree(), before, "{args:?}");
    }
}

#[test]
fn a_file_of_another_name_is_named_too() {
    let sandbox = misnamed("src/tools/zebra.ts");
    // It says itself whose handler it is.
    let run = sandbox.run(&["ship", "--target", "lambda", "--local"]);
    assert!(run.code == 1 && run.stderr.contains("did you mean `src/tools/zebra.ts`?"), "{run:?}");
    sandbox.write("src/tools/zebra.ts", "const f = tool(\"get_weather\", () => ({}));\nexport default f;\n");
    let run = sandbox.run(&["ship", "--target", "lambda", "--local"]);
    assert!(run.code == 1 && run.stderr.contains("hint: nothing declares `src/tools/zebra.ts`: rename"), "{run:?}");
    std::fs::remove_file(sandbox.path("src/tools/zebra.ts")).unwrap();
    let run = sandbox.run(&["ship", "--target", "lambda", "--local"]);
    let expected = "hint: run `mcp-deploy render`, which creates a typed starter\n";
    assert!(run.code == 1 && run.stderr.contains(expected), "{run:?}");
    assert!(!sandbox.path(DECLARED).exists());
}

#[test]
fn a_starter_is_created_with_a_word_on_the_file_that_may_be_meant() {
    let sandbox = misnamed(WRONG);
    let note = format!("hint: nothing declares `{WRONG}`: if it is the handler of `get_weather`");
    for args in [&["render", "--check"][..], &["render", "--dry-run"], &["render", "--json"]] {
        let run = sandbox.run(args);
        assert!(run.stderr.contains(&note), "{args:?}: {run:?}");
        let _created_by_json = std::fs::remove_file(sandbox.path(DECLARED));
    }
    let run = sandbox.ok(&["render"]);
    assert!(run.stderr.contains(&format!("created {DECLARED}\n{note}")), "{run:?}");
    assert!(!sandbox.ok(&["render"]).stderr.contains("nothing declares"));
    sandbox.write("src/tools/get_tied.ts", "export default tool(\"get_tied\", () => ({}));\n");
    let run = sandbox.ok(&["add-tool", "get_tide", "--description", "d"]);
    assert!(run.stderr.contains("`mv src/tools/get_tied.ts src/tools/get_tide.ts`"), "{run:?}");
}

#[test]
fn at_the_root_of_a_workspace_its_projects_are_named() {
    let sandbox = Sandbox::new();
    sandbox.write("package.json", "{\"workspaces\":[\"apps/*\"]}");
    let run = sandbox.run(&["check"]);
    assert!(run.code == 1 && run.stderr.contains("hint: run `mcp-deploy init`, or name the project"), "{run:?}");
    sandbox.write("apps/images/mcp.toml", "");
    sandbox.write("other/mcp.toml", "");
    let run = sandbox.run(&["check"]);
    let hint = "hint: this is the root of a workspace; name the project in it: `--dir apps/images`\n";
    assert!(run.code == 1 && run.stderr.ends_with(hint), "{run:?}");
    let run = sandbox.run(&["--dir", ".", "check"]);
    assert!(run.code == 1 && run.stderr.contains("`--dir ./apps/images`"), "{run:?}");
}
