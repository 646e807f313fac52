//! Merges `[targets.NAME.overrides]` into the rendered files of the clouds, and keeps what is written around it.
//! Tables are merged; arrays and all else replace.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

use super::yaml;
use crate::manifest::targets::overrides::merge;
use crate::manifest::targets::{self, Format, Targets};
use crate::plan::FileSet;

pub fn apply(targets: &Targets, files: &mut FileSet) -> Result<()> {
    for cloud in targets::ALL {
        let Some(overrides) = (cloud.overrides)(targets).filter(|overrides| !overrides.is_empty()) else { continue };
        let path = cloud.file;
        let merge = match cloud.format {
            Format::Json => into_json,
            Format::Yaml => into_yaml,
        };
        let (_, text) = files.0.get_mut(path).with_context(|| format!("`{path}` was not rendered"))?;
        *text = merge(text, overrides).with_context(|| format!("cannot merge the overrides into `{path}`"))?;
    }
    Ok(())
}

/// JSON with comments on separate lines: each stays above the key that it stands above, if that is an outer one.
fn into_json(text: &str, overrides: &Map<String, Value>) -> Result<String> {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let plain: Vec<&str> = text.lines().filter(|line| !is_comment(line)).collect();
    let mut value: Map<String, Value> = serde_json::from_str(&plain.join("\n"))?;
    merge(&mut value, overrides.clone());
    let mut lines: Vec<String> = serde_json::to_string_pretty(&value)?.lines().map(str::to_owned).collect();
    let mut comments: Vec<&str> = Vec::new();
    for line in text.lines() {
        if is_comment(&line) {
            comments.push(line);
        } else if !comments.is_empty() {
            // `{` for those at the very top, else `  "key":`.
            let start = line.find("\":").map_or(line, |end| &line[..end + 2]);
            if let Some(at) = lines.iter().position(|line| line.starts_with(start)) {
                lines.splice(at..at, comments.iter().map(|comment| (*comment).to_owned()));
            }
            comments.clear();
        }
    }
    Ok(lines.join("\n") + "\n")
}

/// YAML as our template writes it: blocks, one key a line. Only the lines of what changes are touched.
fn into_yaml(text: &str, overrides: &Map<String, Value>) -> Result<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let end = lines.len();
    block(&mut lines, 0, end, 0, overrides)?;
    Ok(lines.join("\n") + "\n")
}

/// Merges into the block whose keys begin at column `indent` of the lines `start..end`; gives its new end.
fn block(
    lines: &mut Vec<String>,
    start: usize,
    mut end: usize,
    indent: usize,
    overrides: &Map<String, Value>,
) -> Result<usize> {
    for (key, value) in overrides {
        let Some(at) = (start..end).find(|at| is_key(&lines[*at], indent, key)) else {
            let after = last_line(lines, start, end) + 1;
            let new = written(key, value, indent);
            end += new.len();
            lines.splice(after..after, new);
            continue;
        };
        let below = (at + 1..end).find(|below| ends(&lines[*below], indent)).unwrap_or(end);
        let last = last_line(lines, at, below) + 1;
        let inner = (at + 1..last).find(|inner| is_content(&lines[*inner]));
        let is_table = inner.is_some_and(|inner| !lines[inner].trim_start().starts_with("- "));
        match (value, inner) {
            (Value::Object(table), Some(inner)) if is_table && !table.is_empty() => {
                let deeper = indent_of(&lines[inner]);
                if deeper <= indent {
                    bail!("`{key}` in line {} is not written as a block", at + 1);
                }
                end = end - last + block(lines, at + 1, last, deeper, table)?;
            }
            _ => {
                let inline = lines[at].split_once(": ").and_then(|(_, rest)| serde_json::from_str(rest).ok());
                let value = match (inline, value) {
                    (Some(Value::Object(mut inline)), Value::Object(table)) => {
                        merge(&mut inline, table.clone());
                        Value::Object(inline)
                    }
                    (_, value) => value.clone(),
                };
                let new = written(key, &value, indent);
                end = end - (last - at) + new.len();
                lines.splice(at..last, new);
            }
        }
    }
    Ok(end)
}

fn is_content(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with('#')
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// A line that no longer belongs to a key at column `indent`.
fn ends(line: &str, indent: usize) -> bool {
    is_content(line) && indent_of(line) <= indent
}

/// Comments and blank lines at the end of a block belong to what follows.
fn last_line(lines: &[String], start: usize, end: usize) -> usize {
    (start..end).rev().find(|at| is_content(&lines[*at])).unwrap_or(start)
}

fn is_key(line: &str, indent: usize, key: &str) -> bool {
    let begins = |key: &str| line[indent..].strip_prefix(key).is_some_and(|rest| rest == ":" || rest.starts_with(": "));
    is_content(line) && indent_of(line) == indent && (begins(key) || begins(&scalar(key)))
}

/// Tables as blocks, everything in them as JSON, which is YAML.
fn written(key: &str, value: &Value, indent: usize) -> Vec<String> {
    let key = format!("{}{}:", " ".repeat(indent), scalar(key));
    match value {
        Value::Object(table) if !table.is_empty() => {
            let inner = table.iter().flat_map(|(key, value)| written(key, value, indent + 2));
            std::iter::once(key).chain(inner).collect()
        }
        value => vec![format!("{key} {}", yaml(value))],
    }
}

/// A key needs no quotes when it cannot be taken for anything but a word.
fn scalar(key: &str) -> String {
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let word = key.starts_with(|c: char| c.is_ascii_alphabetic())
        && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !words.contains(&key.to_ascii_lowercase().as_str());
    if word { key.to_owned() } else { yaml(&Value::from(key)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saphyr::{LoadableYamlNode as _, Yaml};
    use serde_json::json;

    const YAML: &str = "\
# At the top.
Description: \"x\"

Resources:
  A:
    Type: T
    Properties:
      # About the list.
      List:
        - one
        - Two: 2
      Scalar: !Ref B
      Inline: {\"a\": 1}
      Nested:
        Deep: 1

  # About B.
  B:
    Type: U
Outputs:
  Z:
    Value: '200'
";

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().cloned().expect("a table")
    }

    #[test]
    fn only_the_lines_of_what_changes_are_touched() {
        let overrides = object(json!({
            "Resources": {
                "A": { "Properties": {
                    "List": ["three"],
                    "Scalar": { "Fn::Sub": "${B}" },
                    "Inline": { "b": "\u{85}" },
                    "Nested": { "Deep": 2, "no": false },
                    "Added": { "Deeper": { "x y": [1, { "a": null }] }, "Empty": {} },
                } },
                "C": { "Type": "V" },
            },
            "Outputs": { "Z": { "Value": "201" } },
            "Conditions": {},
        }));
        let expected = "\
# At the top.
Description: \"x\"

Resources:
  A:
    Type: T
    Properties:
      # About the list.
      List: [\"three\"]
      Scalar:
        \"Fn::Sub\": \"${B}\"
      Inline:
        a: 1
        b: \"\\u0085\"
      Nested:
        Deep: 2
        \"no\": false
      Added:
        Deeper:
          \"x y\": [1,{\"a\":null}]
        Empty: {}

  # About B.
  B:
    Type: U
  C:
    Type: \"V\"
Outputs:
  Z:
    Value: \"201\"
Conditions: {}
";
        let merged = into_yaml(YAML, &overrides).unwrap();
        assert_eq!(merged, expected);
        assert_eq!(into_yaml(&merged, &overrides).unwrap(), merged, "the same again changes nothing");
        assert!(Yaml::load_from_str(&merged).is_ok());
    }

    #[test]
    fn comments_stay_above_their_keys() {
        let text = "// top\n{\n  \"a\": { \"b\": 1 },\n  // of c\n  \"c\": [1, 2]\n}\n";
        let merged = into_json(text, &object(json!({ "a": { "d": "\"//\n" }, "c": [], "e": true }))).unwrap();
        let expected = "// top\n{\n  \"a\": {\n    \"b\": 1,\n    \"d\": \"\\\"//\\n\"\n  },\n  // of c\n  \"c\": [],\n  \"e\": true\n}\n";
        assert_eq!(merged, expected);
    }
}
