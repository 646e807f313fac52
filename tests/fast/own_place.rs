//! What `check` says of the user's files without a compiler: once, and at their place; and options that would do
//! nothing are refused.

use crate::support::Sandbox;

fn check(sandbox: &Sandbox) -> String {
    sandbox.run(&["check", "--no-types"]).stderr
}

#[test]
fn a_project_of_other_modules_is_one_fault() {
    for (other, place) in [("", "1:1"), ("  \"type\": \"commonjs\",\n", "5:3"), ("  \"type\": true,\n", "5:3")] {
        let sandbox = Sandbox::weather();
        let package = sandbox.read("package.json").replace("  \"type\": \"module\",\n", other);
        sandbox.write("package.json", package);
        let said = check(&sandbox);
        let expected =
            format!("package.json:{place}: error: `type` is not `\"module\"`, and the generated code has ES modules\n");
        assert!(said.starts_with(&expected) && said.contains("\n1 error"), "{said}");
    }
}

#[test]
fn an_import_that_only_a_bundler_resolves_is_a_warning() {
    let sandbox = Sandbox::weather();
    let handler = sandbox.read("src/tools/get_weather.ts").replace("../climate.ts", "../climate.js");
    sandbox.write("src/tools/get_weather.ts", handler);
    sandbox.write("src/climate.ts", format!("{}import \"@/more.ts\";\n", sandbox.read("src/climate.ts")));
    let config = sandbox
        .read("tsconfig.json")
        .replace("\"strict\": true", "\"strict\": true, \"paths\": { \"@/*\": [\"./src/*\"] }");
    sandbox.write("tsconfig.json", config);
    let said = check(&sandbox);
    let script = "src/tools/get_weather.ts:1:27: warning: `../climate.js` is found by a bundler alone: `npm start` and `npm test` fail with it
  hint: write `../climate.ts`, the name of the file\n";
    assert!(said.contains(script), "{said}");
    // The module that is named so is not followed under that name.
    let handler = sandbox.read("src/tools/get_weather.ts").replace("../climate.js", "../climate.ts");
    sandbox.write("src/tools/get_weather.ts", handler);
    let said = check(&sandbox);
    assert!(
        said.contains("warning: `@/more.ts` is found by `paths` of `tsconfig.json`, which Node.js does not read"),
        "{said}"
    );
    assert!(said.contains("\n1 warning"), "{said}");
}

#[test]
fn faults_of_a_dotenv_have_their_line_and_name_and_no_value() {
    let sandbox = Sandbox::weather();
    sandbox.write(".env", "A=1\nKEY=hunter2#hunter3\nOTHER='hunter4\n");
    let said = check(&sandbox);
    assert!(said.contains(".env:2:12: error: the value of `KEY` has a `#`"), "{said}");
    assert!(
        said.contains(".env:3:7: error: the value of `OTHER` begins with the quote ', which is not closed"),
        "{said}"
    );
    assert!(!said.contains("hunter") && said.contains("\n2 errors"), "{said}");
    for command in
        [&["ship", "--target", "vercel", "--local", "--yes"][..], &["secrets", "list"], &["secrets", "list", "--json"]]
    {
        let run = sandbox.run(command);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(run.code != 0 && !said.contains("hunter"), "{command:?}: {said}");
    }
    let refused = sandbox.run(&["secrets", "list"]).stderr;
    assert!(
        refused.contains(".env:2:12: the value of `KEY`") && refused.contains("1 other line is at fault, too"),
        "{refused}"
    );
}

#[test]
fn a_secret_with_two_values_is_an_error_wherever_it_is_needed() {
    let sandbox = Sandbox::weather();
    sandbox.write("mcp.toml", sandbox.read("mcp.toml") + "\n[secrets]\nPATH = \"a key\"\n");
    sandbox.write(".env", "# one\nPATH=hunter2\n");
    let said = check(&sandbox);
    let expected =
        ".env:2:1: error: the secret `PATH` has one value in `.env` and another in this shell's environment\n";
    assert!(said.contains(expected) && said.contains("unset PATH"), "{said}");
    let listed = sandbox.run(&["secrets", "list"]);
    assert!(listed.code == 1 && listed.stderr.contains("the secret `PATH` has one value"), "{listed:?}");
}

#[test]
fn an_option_that_would_do_nothing_is_wrong_usage() {
    let sandbox = Sandbox::weather();
    let table: [&[&str]; 6] = [
        &["ship", "--target", "vercel", "--local", "--wait", "5"],
        &["ship", "--target", "vercel", "--local", "--timeout", "5"],
        &["ship", "--target", "vercel", "--local", "--bearer-env", "KEY"],
        &["verify", "--target", "vercel", "--local", "--bearer-env", "KEY"],
        &["secrets", "list", "--stage", "staging"],
        &["secrets", "remove", "KEY", "--stage", "staging"],
    ];
    sandbox.write("mcp.toml", sandbox.read("mcp.toml") + "\n[stages.staging]\n");
    for command in table {
        let run = sandbox.run(command);
        assert!(run.code == 2 && run.stderr.starts_with("error: "), "{command:?}: {run:?}");
    }
}
