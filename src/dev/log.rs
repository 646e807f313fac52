//! What a server writes, as a person at a terminal reads it: without the noise of the tool around it, and with the
//! user's own lines in stacks.

use std::path::Path;

use serde_json::{Map, Value};

use crate::ship::server_log;
use crate::ship::source_map;

/// The lines for one line of a log; none for a tool's own.
pub fn shown(line: &str, root: &Path, is_chatter: fn(&str) -> bool) -> Vec<String> {
    if let Some(own) = server_log::own(line)
        && let Ok(Value::Object(said)) = serde_json::from_str(own)
    {
        return entry(said, root);
    }
    if line.trim().is_empty() || is_chatter(line) {
        return Vec::new();
    }
    if source_map::is_frame(line) {
        return source_map::own_frame(root, line).map(|frame| format!("    {frame}")).into_iter().collect();
    }
    vec![line.trim_end().to_owned()]
}

/// `error tool get_weather: internal error {"ref":"11-a"}`, and below it the error that it tells of.
fn entry(mut said: Map<String, Value>, root: &Path) -> Vec<String> {
    said.remove("timestamp");
    let mut take = |key: &str| match said.remove(key) {
        Some(Value::String(text)) => text,
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let (level, message, what, error) = (take("level"), take("message"), take("what"), take("error"));
    let what = if what.is_empty() { what } else { format!("{what}: ") };
    let rest = if said.is_empty() { String::new() } else { format!(" {}", Value::Object(said)) };
    let mut lines = vec![format!("{level} {what}{message}{rest}")];
    let (frames, words): (Vec<&str>, Vec<&str>) = error.lines().partition(|line| source_map::is_frame(line));
    lines.extend(words.iter().filter(|line| !line.is_empty()).map(|line| format!("  {line}")));
    lines.extend(frames.iter().filter_map(|line| Some(format!("    {}", source_map::own_frame(root, line)?))));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_as_a_person_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let bundle = dir.path().join("a.mjs");
        let map = r#"{"version":3,"sources":["src/tools/a.ts"],"mappings":"AAAA"}"#;
        std::fs::write(dir.path().join("a.mjs.map"), map).unwrap();
        let shown = |line: &str| shown(line, dir.path(), |line| line.starts_with("noise"));
        assert_eq!(shown("hello"), ["hello"]);
        assert!(shown("noise").is_empty() && shown(" ").is_empty());
        assert!(shown("    at f (node:internal/x:1:2)").is_empty());
        assert_eq!(shown(&format!("    at f (file://{}:1:1)", bundle.display())), ["    at f (src/tools/a.ts:1:1)"]);
        let line = format!(
            r#"{{"timestamp":"t","level":"error","message":"internal error","ref":"1","what":"tool a","error":"Error: no\n    at run (file://{}:1:1)\n    at node:x:1:2"}}"#,
            bundle.display()
        );
        let lines = ["error tool a: internal error {\"ref\":\"1\"}", "  Error: no", "    at run (src/tools/a.ts:1:1)"];
        assert_eq!(shown(&format!("✘ [ERROR] {line}")), lines);
    }
}
