//! What programs read under `--json`, held to the documented schema.

use crate::answers::{conforms, conforms_to};
use crate::support::Sandbox;

/// What the command line itself refuses is an answer too.
#[test]
fn wrong_usage_is_a_document() {
    let project = Sandbox::weather();
    for (line, message, hint) in [
        ("render --jsn --json", "unexpected argument '--jsn' found", "did you mean `--json`?\nUsage: "),
        ("rendr --json", "unrecognized subcommand 'rendr'", "did you mean `render`?\nUsage: "),
        ("keys --json", "unexpected argument '--json' found", "Usage: mcp-deploy keys"),
        ("logs --json", "unexpected argument '--json' found", "Usage: mcp-deploy logs"),
        (
            "keys add --json",
            "the following required arguments were not provided: <NAME>",
            "Usage: mcp-deploy keys add --json <NAME>",
        ),
        (
            "ship --target moon --json",
            "invalid value 'moon' for '--target <CLOUD>' [possible values: lambda, vercel, cloudflare, container, all]",
            "`mcp-deploy --help`",
        ),
        ("verify --call {} --json", "invalid value '{}' for '--call <NAME {JSON}>': ", ""),
    ] {
        let run = project.run(&line.split(' ').collect::<Vec<_>>());
        let answer = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {run:?}"));
        conforms("error", &answer);
        assert_eq!((run.code, &answer["ok"]), (2, &false.into()), "{line}");
        let (told, next) = (answer["error"].as_str().unwrap(), answer["hint"].as_str().unwrap());
        assert!(told.starts_with(message) && next.starts_with(hint), "{line}: {answer:#}");
        assert!(!told.contains("hint") && !told.contains("error:"), "{line}: {told}");
        assert!(run.stderr.starts_with("error: "), "{line}: {run:?}");
    }
    for line in ["render --jsn", "secrets set --yes -- --json", "--help", "--version"] {
        let run = project.run(&line.split(' ').collect::<Vec<_>>());
        assert!(!run.stdout.starts_with('{'), "{line}: {run:?}");
    }
}

#[test]
fn answers_are_as_documented() {
    let project = Sandbox::weather();
    let answered = |line: &str| {
        let run = project.run(&line.split(' ').collect::<Vec<_>>());
        let answer = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{line}: {error}: {run:?}"));
        conforms_to(line, &answer);
        (run.code, answer)
    };
    for line in [
        "render --json",
        "render --check --json",
        "check --no-types --json",
        "status --json",
        "secrets list --json",
        "doctor --json",
        "ship --target all --local --dry-run --json",
        "connect --url http://127.0.0.1:8787/mcp --json",
        "connect --url http://127.0.0.1:8787/mcp --client cursor --write --json",
    ] {
        answered(line);
    }
    let package = project.read("package.json");
    project.write("package.json", package.replace("\"typescript\": \"7", "\"typescript\": \"6"));
    let (_, rows) = answered("doctor --json");
    let old: Vec<_> = rows.as_array().unwrap().iter().filter(|row| row["status"] == "older").collect();
    assert!(old.len() == 1 && old[0]["tool"] == "typescript", "{rows}");
    assert_eq!(old[0]["command"], "npm install --save-exact typescript@7.0.2 -D");
    let told = project.run(&["doctor"]).stdout;
    assert!(told.contains("typescript      6.0.2 in package.json is older than 7.0.2"), "{told}");
    project.write("package.json", package);
    assert!(!project.run(&["doctor"]).stdout.contains("older"));
    let asks_for_keys = project.read("mcp.toml").replace("[env]", "[access]\nauth = \"api-key\"\n\n[env]");
    project.write("mcp.toml", asks_for_keys);
    let (code, added) = answered("keys add alice --json");
    assert!(code == 0 && added["key"].as_str().unwrap().starts_with("mcp_"), "{added}");
    assert_eq!(answered("keys list --json").1["keys"], serde_json::json!([{ "name": "alice" }]));
    let (_, connected) = answered("connect --url http://127.0.0.1:8787/mcp --json");
    assert_eq!(
        (&connected["key_variable"], connected["clients"].as_array().map(Vec::len)),
        (&"WEATHER_MCP_KEY".into(), Some(5))
    );
    project.ok(&["render"]);
    project.write("src/generated/types.ts", "edited");
    for (line, expected, hint) in [
        ("render --json", 1, "move the edit into a handler"),
        ("ship --target lambda --local --stage nowhere --json", 2, "add `[stages.nowhere]`"),
        ("rollback --target lambda --yes --json", 1, "run `mcp-deploy ship --target lambda`"),
        ("connect --json", 1, "run `mcp-deploy ship --target CLOUD`"),
        ("connect --url http://127.0.0.1:8787 --json", 2, "the MCP endpoint is `http://127.0.0.1:8787/mcp`"),
        ("verify --target lambda --local --call now --json", 2, "it declares `get_weather`"),
    ] {
        let (code, error) = answered(line);
        assert_eq!((code, &error["ok"]), (expected, &false.into()), "{line}");
        assert!(error["hint"].as_str().is_some_and(|told| told.starts_with(hint)), "{line}: {error}");
        assert!(!error["error"].as_str().unwrap().contains("hint"), "{line}: {error}");
    }
    project.write(".mcp-deploy/deployments.json", "{\n  \"version\": one");
    let (code, error) = answered("status --json");
    assert_eq!((code, &error["hint"]), (1, &"restore it with git".into()), "{error}");
    let place = (&error["file"], &error["line"], &error["column"]);
    assert_eq!(place, (&".mcp-deploy/deployments.json".into(), &2.into(), &14.into()), "{error}");
    std::fs::remove_file(project.path(".mcp-deploy/deployments.json")).unwrap();
    std::fs::remove_file(project.path("src/generated/types.ts")).unwrap();
    assert_eq!(answered("render --check --json").0, 1);
    std::fs::write(project.path("mcp.toml"), "[server]\nnome = \"x\"\n").unwrap();
    let (code, check) = answered("check --json");
    assert_eq!((code, &check["ok"]), (1, &false.into()));
    assert!(check["faults"].as_array().unwrap().len() > 2, "{check}");
    for line in [
        "render --json",
        "ship --target lambda --local --json",
        "verify --target lambda --local --json",
        "keys list --json",
        "connect --json",
    ] {
        let (code, error) = answered(line);
        assert_eq!((code, &error["ok"]), (1, &false.into()), "{line}");
    }
}
