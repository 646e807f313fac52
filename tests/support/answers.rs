//! Holds the answers under `--json` to their documented schema.

use serde_json::{Value, json};

/// Fails unless `answer` is what `docs/json.schema.json` says that `definition` is.
pub fn conforms(definition: &str, answer: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/json.schema.json");
    let text = std::fs::read_to_string(path).expect("the documented schema");
    let documented: Value = serde_json::from_str(&text).expect("JSON");
    assert!(documented["$defs"][definition].is_object(), "no definition `{definition}`");
    let schema = json!({ "$ref": format!("#/$defs/{definition}"), "$defs": documented["$defs"] });
    let validator = jsonschema::draft202012::new(&schema).expect("a valid schema");
    let faults: Vec<String> =
        validator.iter_errors(answer).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "not as documented: {faults:#?}\n{answer:#}");
}

/// The same, for what the command line itself says it is; an error document is one of any command.
pub fn conforms_to(line: &str, answer: &Value) {
    // What a line of each definition holds; the first that fits counts.
    const LINES: [(&[&str], &str); 13] = [
        (&["render"], "render"),
        (&["check"], "check"),
        (&["verify"], "verify"),
        (&["ship", "--dry-run"], "ship-dry-run"),
        (&["ship"], "ship"),
        (&["try"], "try"),
        (&["status"], "status"),
        (&["rollback"], "rollback"),
        (&["secrets", "list"], "secrets-list"),
        (&["keys", "list"], "keys-list"),
        (&["keys", "add"], "keys-add"),
        (&["connect"], "connect"),
        (&["doctor"], "doctor"),
    ];
    let words: Vec<&str> = line.split_whitespace().collect();
    let row = LINES.iter().find(|(needed, _)| needed.iter().all(|word| words.contains(word)));
    let (_, definition) = row.unwrap_or_else(|| panic!("no command with documented answers in `{line}`"));
    let is_error = answer["ok"] == false && answer["error"].is_string();
    conforms(if is_error { "error" } else { definition }, answer);
}
