//! A manifest with many tools, all the way.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::TARGETS;
use crate::support::child::run;
use crate::support::site::Turn;
use crate::support::work::{Marked, folder, mcp_deploy, write};

/// With the least room for them: a Worker is one file, which has to start within a second.
#[test]
fn two_hundred_tools() {
    all_the_way(200, &["cloudflare"]);
}

#[test]
#[ignore = "long: `cargo bench --bench long -- tools`"]
fn a_thousand_tools() {
    all_the_way(1000, TARGETS);
}

fn all_the_way(tools: usize, targets: &[&str]) {
    let project = folder("large").join("large");
    write(project.join("mcp.toml"), manifest(tools));
    let _turn = Turn::of(&project);
    run(mcp_deploy(&project, ["render"])).expect(0);
    let handlers = std::fs::read_dir(project.join("src/tools")).expect("`render` makes the starters").count();
    assert_eq!(handlers, tools);
    let checked = run(mcp_deploy(&project, ["check", "--json"])).expect(0).json();
    assert_eq!((&checked["ok"], &checked["types"]), (&true.into(), &"passed".into()), "{checked:#}");

    let call = format!(r#"tool_{:04} {{"text": "x", "unit": "b"}}"#, tools - 1);
    let chosen = targets.join(",");
    let mut command = mcp_deploy(&project, ["ship", "--target", &chosen, "--local", "--json", "--call", &call]);
    let marked = Marked::new(&mut command);
    let answer = run(command).expect(0).json();
    assert_eq!(answer["ok"], true, "{answer:#}");
    let runs = answer["runs"].as_array().expect("runs");
    assert_eq!(runs.iter().map(|run| run["target"].as_str().unwrap_or("")).collect::<Vec<_>>(), targets);
    for run in runs {
        let checks = run["report"]["checks"].as_array().expect("checks");
        // Listed in each era, and compared with the manifest one by one.
        let counted: BTreeSet<&str> =
            checks.iter().filter(|check| counts(check, tools)).filter_map(|check| check["id"].as_str()).collect();
        let expected: BTreeSet<&str> = ["contract.tools", "legacy.tools", "modern.tools"].into();
        assert!(expected.is_subset(&counted), "{}: {counted:?}", run["target"]);
        let answers = run["report"]["answers"].as_array().expect("answers");
        assert!(answers.len() == 2 && answers.iter().all(|one| one["result"]["isError"] != true), "{answers:#?}");
    }
    marked.assert_nothing_left(&project);
}

fn counts(check: &Value, tools: usize) -> bool {
    let told = format!("{tools} tools");
    check["outcome"] == "passed" && check["detail"].as_str().is_some_and(|detail| detail.starts_with(&told))
}

fn manifest(tools: usize) -> String {
    let mut text = String::from(
        "[server]\nname = \"large\"\nversion = \"1.0.0\"\ndescription = \"Many tools.\"\n\n\
         [targets.lambda]\n[targets.vercel]\n[targets.cloudflare]\n[targets.container]\n",
    );
    for number in 0..tools {
        let _ = write!(
            text,
            "\n[tools.tool_{number:04}]\ndescription = \"Does thing number {number}.\"\n\n\
             [tools.tool_{number:04}.input]\ntext = {{ type = \"string\", description = \"What to do it with\" }}\n\
             count = {{ type = \"integer\", minimum = 0, default = {number} }}\n\
             unit = {{ type = \"string\", enum = [\"a\", \"b\"] }}\n\n\
             [tools.tool_{number:04}.output]\ntext = {{ type = \"string\" }}\ncount = {{ type = \"integer\" }}\n",
        );
    }
    text
}
