//! The main path as a user walks it, and what a user sees when something is wrong.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::child::run;
use crate::support::site::{Turn, WEATHER, oslo};
use crate::support::tools::KIT;
use crate::support::work::{Marked, clone, folder, mcp_deploy, read, write};

const CALL: &str = r#"get_weather {"location": "Oslo"}"#;

/// The one run of it from an empty cache, and the one that CI makes.
#[test]
fn try_shows_three_clouds_that_answer_alike() {
    let project = folder("try").join("sample");
    let path = project.to_str().expect("our own folder");
    let mut command = mcp_deploy(&folder("elsewhere"), ["try", "--yes", "--json", "--keep", path]);
    // As on a fresh machine, with nobody to ask: the README's first command.
    command.env("MCP_DEPLOY_CACHE", folder("cache")).stdin(std::process::Stdio::null());
    let marked = Marked::new(&mut command);
    let _turn = Turn::of(&project);
    let answer = run(command).expect(0).json();
    assert_eq!(answer["ok"], true, "{answer:#}");
    assert_eq!(answer["alike"], true, "{answer:#}");
    assert_eq!(answer["project"], path);
    assert_eq!(targets(&answer["runs"]), ["lambda", "vercel", "cloudflare"]);
    for (run, runtime) in runs(&answer).zip(["Lambda Web Adapter", "launcher", "workerd"]) {
        assert!(run["runtime"].as_str().is_some_and(|shown| shown.contains(runtime)), "{}", run["runtime"]);
        let counts = &run["report"]["counts"];
        assert_eq!((&counts["failed"], &counts["skipped"]), (&0.into(), &0.into()), "{counts}");
        assert!(counts["passed"].as_u64() > Some(40), "{counts}");
        assert!(run["bundle"]["raw"].as_u64().is_some_and(|bytes| bytes > 50_000 && bytes < 1_000_000), "{run:#}");
        let answers: Vec<&Value> = run["report"]["answers"].as_array().into_iter().flatten().collect();
        assert_eq!(answers.len(), 2, "once in each era");
        assert!(answers.iter().all(|answer| answer["result"]["structuredContent"] == oslo()), "{answers:#?}");
    }
    marked.assert_nothing_left(&project);
    // The project is complete: nothing is left to render.
    run(mcp_deploy(&project, ["render", "--check"])).expect(0);
}

#[test]
fn a_type_error_is_listed_with_its_place() {
    let project = clone(&WEATHER.root, "type-error");
    let handler = project.join("src/tools/get_weather.ts");
    let text = read(&handler);
    let line = text.lines().count() + 1;
    write(&handler, text + "export const wrong: number = \"warm\";\n");
    let mut command = mcp_deploy(&project, ["ship", "--target", "all", "--local"]);
    let marked = Marked::new(&mut command);
    let ran = run(command).expect(1);
    let place = format!("src/tools/get_weather.ts:{line}:14");
    assert!(ran.stderr.contains(&place) && ran.stderr.contains("TS2322"), "{place}: {ran}");
    for built in ["dist", ".vercel", ".wrangler"] {
        assert!(!project.join(built).exists(), "nothing is built from what is wrong: {built}");
    }
    marked.assert_nothing_left(&project);
}

#[test]
fn a_wrong_result_is_found_when_the_tool_is_called() {
    let project = clone(&WEATHER.root, "wrong-result");
    let handler = project.join("src/tools/get_weather.ts");
    let text = read(&handler);
    let wrong = text.replace("return { location, temperature,", "return { location, temperature: \"warm\" as never,");
    assert_ne!(wrong, text);
    write(&handler, wrong);
    let mut command = mcp_deploy(&project, ["ship", "--target", "cloudflare", "--local", "--json", "--call", CALL]);
    let marked = Marked::new(&mut command);
    let _turn = Turn::of(&project);
    let ran = run(command).expect(3);
    let answer = ran.json();
    assert_eq!(answer["ok"], false);
    let checks = answer["runs"][0]["report"]["checks"].as_array().expect("checks");
    let failed: Vec<&Value> = checks.iter().filter(|check| check["outcome"] == "failed").collect();
    // Once, though both eras fail for it.
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert!(
        failed.iter().all(|check| check["title"].as_str().is_some_and(|title| title.contains("get_weather"))),
        "{failed:#?}"
    );
    assert!(ran.stderr.contains("get_weather"), "{ran}");
    assert!(!ran.stderr.contains("get_weather answered"), "{ran}");
    assert!(ran.stderr.contains("1 failed; 2 checks could not be made"), "{ran}");
    assert!(!ran.stderr.contains("skip "), "{ran}");
    marked.assert_nothing_left(&project);
}

/// The exit code is the failed tool's own.
#[test]
fn one_cloud_that_fails_does_not_stop_the_others() {
    let project = clone(&WEATHER.root, "one-fails");
    let mut command =
        mcp_deploy(&project, ["ship", "--target", "lambda,cloudflare", "--local", "--json", "--call", CALL]);
    command.env("PATH", path_with_broken_sam());
    let marked = Marked::new(&mut command);
    let _turn = Turn::of(&project);
    let ran = run(command).expect(7);
    let answer = ran.json();
    assert_eq!(answer["ok"], false);
    assert_eq!(targets(&answer["failures"]), ["lambda"]);
    assert_eq!(targets(&answer["runs"]), ["cloudflare"]);
    assert_eq!(answer["runs"][0]["report"]["counts"]["failed"], 0, "{answer:#}");
    // What the tool said is what the user sees.
    assert!(ran.stderr.contains("the linter is on strike") && ran.stderr.contains("sam validate"), "{ran}");
    marked.assert_nothing_left(&project);
}

/// A project that is linked to Vercel stays linked.
#[test]
fn a_users_own_link_to_vercel_survives() {
    let project = clone(&WEATHER.root, "linked");
    let link = project.join(".vercel/project.json");
    let own = "{\"projectId\":\"prj_123\",\"orgId\":\"team_123\",\"settings\":{}}";
    write(&link, own);
    let _turn = Turn::of(&project);
    run(mcp_deploy(&project, ["ship", "--target", "vercel", "--local"])).expect(0);
    assert_eq!(read(&link), own);
}

fn runs(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["runs"].as_array().into_iter().flatten()
}

fn targets(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|entry| entry["target"].as_str()).collect()
}

/// Says it is SAM, and cannot validate.
fn path_with_broken_sam() -> std::ffi::OsString {
    let dir: PathBuf = folder("broken-sam");
    let script = "#!/bin/sh\ncase $1 in\n  --version) echo 'SAM CLI, version 1.170.0';;\n  \
                  validate) echo 'the linter is on strike' >&2; exit 7;;\nesac\n";
    write(dir.join("sam"), script);
    std::fs::set_permissions(dir.join("sam"), std::fs::Permissions::from_mode(0o755)).expect("our own file");
    let dirs = std::iter::once(dir).chain(std::env::split_paths(&KIT.search.path));
    std::env::join_paths(dirs).expect("it was a PATH before")
}
