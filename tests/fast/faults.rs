//! Every fault of a manifest, with its exact place, words and hint: the cases are in `tests/faults.txt`.

use mcp_deploy::fault::Severity;
use mcp_deploy::manifest::parse;

use crate::{editor, golden};

const FILE: &str = "tests/faults.txt";
const SERVER: &str = "\n[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n";
/// Between a case's manifest and what is said of it.
const SAID: &str = "----\n";

/// What assistants refuse, though it is valid.
const REFUSED: &str = r##"{
  "$schema": "http://json-schema.org/draft-07/schema#",
  "type": "object",
  "properties": {
    "at": { "$ref": "#/definitions/At", "title": "At" },
    "level": { "enum": [1, 2] }
  },
  "anyOf": [{ "required": ["at"] }],
  "definitions": { "At": { "type": "array" } }
}"##;

fn read(name: &str) -> Result<String, String> {
    match name {
        "broken.json" => Ok("{ \"type\": ".into()),
        "list.json" => Ok("[]".into()),
        "good.json" => Ok("{ \"type\": \"object\" }".into()),
        "refused.json" => Ok(REFUSED.into()),
        _ => Err(format!("cannot read `{name}`: No such file or directory (os error 2)")),
    }
}

fn said(manifest: &str) -> String {
    let sound = if manifest.contains("[server") || manifest.is_empty() { "" } else { SERVER };
    let (parsed, faults) = parse(&format!("{manifest}{sound}"), &read);
    if parsed.is_some() {
        editor::accepts(&format!("{manifest}{sound}"));
    }
    let errors = faults.iter().any(|fault| fault.severity == Severity::Error);
    assert_eq!(parsed.is_none(), errors, "a manifest with errors must not be used, one without must:\n{manifest}");
    assert!(faults.is_sorted_by_key(|fault| fault.at), "not in the order of the file:\n{manifest}");
    faults.iter().map(|fault| format!("{fault}\n")).collect()
}

#[test]
fn faults_are_told_exactly() {
    let text = golden::read(FILE);
    let (head, cases) = text.split_once("==== ").expect("no case");
    let mut told = head.to_owned();
    for case in cases.split("\n==== ") {
        let (name, body) = case.split_once('\n').expect("a case without a manifest");
        let manifest = body.split(SAID).next().unwrap_or_default().trim_end();
        let manifest = if manifest.is_empty() { String::new() } else { format!("{manifest}\n") };
        let said = said(&manifest);
        assert!(!said.is_empty(), "nothing is said of the case `{name}`");
        told.push_str(&format!("==== {name}\n{manifest}{SAID}{said}\n"));
    }
    golden::compare(FILE, told.trim_end().to_owned() + "\n");
}
