//! `.env` has one reading: Node.js's own.

use std::collections::BTreeMap;

use mcp_deploy::fault::Severity;
use mcp_deploy::secrets::dotenv;
use serde_json::{Value, json};

use crate::support::child::run;
use crate::support::site::WEATHER;
use crate::support::tools::KIT;
use crate::support::work::{clone, folder, mcp_deploy, read, write};

const PARSE: &str = r#"import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
console.log(JSON.stringify(JSON.parse(readFileSync(process.argv[2], "utf8")).map((text) => parseEnv(text))));
"#;

/// What makes readers disagree, in all orders.
const PIECES: [&str; 28] = [
    "A",
    "B_1",
    "=",
    "=",
    "=",
    " ",
    "\t",
    "\n",
    "\n",
    "\r\n",
    "'",
    "\"",
    "`",
    "#",
    " #",
    "\\n",
    "\\",
    "$",
    "${A}",
    "x",
    "y z",
    "export ",
    "\u{a0}",
    "\r",
    "é",
    "A='x'\n",
    "B=",
    "{\"k\":1}",
];

/// Every text of these pieces is made by counting, so that each run asks the same.
fn texts() -> Vec<String> {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("it is below a usize")
    };
    let mut text = || {
        let lines = (0..=next(3)).map(|_| {
            let name = ["A", "B_1", "C.d", "export A"][next(4)];
            let value: String = (0..next(6)).map(|_| PIECES[next(PIECES.len())]).collect();
            format!("{name}={value}\n")
        });
        let plain: String = lines.collect();
        let wild: String = (0..next(9)).map(|_| PIECES[next(PIECES.len())]).collect();
        if next(4) == 0 { wild } else { plain }
    };
    (0..40_000).map(|_| text()).collect()
}

#[test]
fn what_is_accepted_is_what_node_reads() {
    let dir = folder("dotenv");
    let texts = texts();
    write(dir.join("texts.json"), json!(texts).to_string());
    write(dir.join("parse.mjs"), PARSE);
    let mut node = KIT.node(&dir.join("parse.mjs"));
    node.arg(dir.join("texts.json"));
    let theirs: Vec<BTreeMap<String, String>> = serde_json::from_str(&run(node).expect(0).stdout).expect("JSON");
    let mut accepted = 0;
    for (text, theirs) in texts.iter().zip(theirs) {
        let (entries, faults) = dotenv::parse(text, ".env");
        if faults.iter().all(|fault| fault.severity != Severity::Error) {
            let ours: BTreeMap<_, _> = entries.into_iter().map(|entry| (entry.name, entry.value)).collect();
            assert_eq!(ours, theirs, "{text:?}");
            accepted += usize::from(!ours.is_empty());
        }
    }
    assert!(accepted > 5_000, "{accepted} of {} were accepted", texts.len());
}

const SHOW: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("show", (_input, { env }) => JSON.stringify([VALUES]));
"#;

/// Values, and how they stand in `.env`.
const VALUES: [(&str, &str); 14] = [
    ("pa$$word$HOME", "pa$$word$HOME"),
    ("${HOME}\\$x", "${HOME}\\$x"),
    ("abc#def", "'abc#def'"),
    ("postgres://u:p%40ss@db.example:5432/x?a=b#frag", "\"postgres://u:p%40ss@db.example:5432/x?a=b#frag\""),
    (r#"{"type":"service_account","key":"a\nb"}"#, r#"{"type":"service_account","key":"a\nb"}"#),
    ("abcd efgh ijkl mnop", "abcd efgh ijkl mnop"),
    ("C:\\new\\table", "C:\\new\\table"),
    ("two\nlines", "\"two\\nlines\""),
    ("\nbegins with a line end", "'\nbegins with a line end'"),
    ("ends with a # and a \\", "'ends with a # and a \\'"),
    ("it's \"all\" #1", "`it's \"all\" #1`"),
    ("a'b\"c`d", "a'b\"c`d"),
    (" spaces ", "' spaces '"),
    ("$(whoami)\t%PATH%", "$(whoami)\t%PATH%"),
];

#[test]
fn every_local_run_has_the_value_that_is_written() {
    let project = clone(&WEATHER.root, "dotenv-values");
    let weather = read(project.join("mcp.toml")).replace("[targets.lambda]\nregions = [\"us-east-1\"]\n", "");
    let mut manifest = weather + "\n[tools.show]\ndescription = \"Shows the secrets.\"\n\n[secrets]\n";
    let mut env = String::new();
    for (at, (_, written)) in VALUES.iter().enumerate() {
        manifest += &format!("KEY_{at} = {{ description = \"a key\", optional = true }}\n");
        env += &format!("KEY_{at}={written}\n");
    }
    write(project.join("mcp.toml"), manifest);
    write(
        project.join("src/tools/show.ts"),
        SHOW.replace("VALUES", &(0..VALUES.len()).map(|at| format!("env.KEY_{at}, ")).collect::<String>()),
    );
    write(project.join(".env"), env);
    // What wrangler would read as well.
    write(project.join(".env.local"), "KEY_0=local\n");
    write(project.join(".dev.vars"), "KEY_0=vars\n");
    let ship = ["ship", "--target", "vercel,cloudflare", "--local", "--json", "--call", "show {}"];
    let shipped = run(mcp_deploy(&project, ship));
    let answer: Value = serde_json::from_str(&shipped.stdout).expect("one document");
    let expected = json!(VALUES.map(|(value, _)| value)).to_string();
    let runs = answer["runs"].as_array().unwrap_or_else(|| panic!("{answer}"));
    assert_eq!(runs.len(), 2, "{answer}");
    for one in runs {
        assert_eq!(one["report"]["answers"][0]["result"]["content"][0]["text"], *expected, "{}", one["target"]);
    }
    assert_eq!(shipped.code(), 0, "{}", shipped.stderr);
}
