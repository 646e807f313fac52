//! A manifest with a thousand tools, all the way.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::TARGETS;
use crate::support::child::run;
use crate::support::site::Turn;
use crate::support::work::{Marked, folder, mcp_deploy, write};

const TOOLS: usize = 1000;

#[test]
fn a_thousand_tools() {
    let project = folder("large").join("large");
    write(project.join("mcp.toml"), manifest());
    let _turn = Turn::of(&project);
    run(mcp_deploy(&project, ["render"])).expect(0);
    let handlers = std::fs::read_dir(project.join("src/tools")).expect("`render` makes the starters").count();
    assert_eq!(handlers, TOOLS);
    let checked = run(mcp_deploy(&project, ["check", "--json"])).expect(0).json();
    assert_eq!((&checked["ok"], &checked["types"]), (&true.into(), &"passed".into()), "{checked:#}");

    let call = r#"tool_0999 {"text": "x", "unit": "b"}"#;
    let mut command = mcp_deploy(&project, ["ship", "--target", "all", "--local", "--json", "--call", call]);
    let marked = Marked::new(&mut command);
    let answer = run(command).expect(0).json();
    assert_eq!(answer["ok"], true, "{answer:#}");
    let runs = answer["runs"].as_array().expect("runs");
    assert_eq!(runs.iter().map(|run| run["target"].as_str().unwrap_or("")).collect::<Vec<_>>(), TARGETS);
    for run in runs {
        let checks = run["report"]["checks"].as_array().expect("checks");
        // Listed in each era, and compared with the manifest one by one.
        let thousand: BTreeSet<&str> =
            checks.iter().filter(|check| counts(check)).filter_map(|check| check["id"].as_str()).collect();
        let expected: BTreeSet<&str> = ["contract.tools", "legacy.tools", "modern.tools"].into();
        assert!(expected.is_subset(&thousand), "{}: {thousand:?}", run["target"]);
        let answers = run["report"]["answers"].as_array().expect("answers");
        assert!(answers.len() == 2 && answers.iter().all(|one| one["result"]["isError"] != true), "{answers:#?}");
    }
    marked.assert_nothing_left(&project);
}

fn counts(check: &Value) -> bool {
    check["outcome"] == "passed" && check["detail"].as_str().is_some_and(|detail| detail.starts_with("1000 tools"))
}

fn manifest() -> String {
    let mut text = String::from(
        "[server]\nname = \"large\"\nversion = \"1.0.0\"\ndescription = \"A thousand tools.\"\n\n\
         [targets.lambda]\n[targets.vercel]\n[targets.cloudflare]\n",
    );
    for number in 0..TOOLS {
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
