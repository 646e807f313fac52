//! From the text of `mcp.toml` to a [`Manifest`] and every fault in it.

use std::path::Path;

use anyhow::Context as _;
use toml_edit::Document;

use super::reader::Reader;
use super::{FILE, Manifest, beside, sections};
use crate::fault::{Fault, Position, Severity};
use crate::files;
use crate::files::merge::{self, MergeConflict};

/// What reading the manifest gave: a manifest only when no fault is an error.
pub struct Loaded {
    pub text: String,
    pub manifest: Option<Manifest>,
    pub faults: Vec<Fault>,
}

/// Reads `mcp.toml` and the schema files it names from the project folder `dir`.
pub fn load(dir: &Path) -> anyhow::Result<Loaded> {
    let path = dir.join(FILE);
    let text = files::read(dir, FILE, files::PARSED).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (manifest, faults) = parse_in(dir, &text);
    Ok(Loaded { text, manifest, faults })
}

/// What a text says as the `mcp.toml` of the project folder `dir`.
pub fn parse_in(dir: &Path, text: &str) -> (Option<Manifest>, Vec<Fault>) {
    let (manifest, faults) = parse(text, &|name| read_schema(dir, name));
    (manifest.map(|manifest| Manifest { files: beside::found(dir).0, ..manifest }), faults)
}

/// The text of a file that `input_schema` or `output_schema` names.
fn read_schema(dir: &Path, name: &str) -> Result<String, String> {
    files::read(dir, name, files::PARSED).map_err(|error| format!("cannot read `{}`: {error}", name.escape_debug()))
}

/// The pure part of [`load`]; `read` gives the text of a file named by `input_schema` or `output_schema`.
pub fn parse(text: &str, read: &dyn Fn(&str) -> Result<String, String>) -> (Option<Manifest>, Vec<Fault>) {
    // Also where the text is valid: inside of a string of several lines.
    let unmerged = unmerged(text);
    if !unmerged.is_empty() {
        return (None, unmerged);
    }
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let place = error.span().map_or(0, |span| span.start);
            let at = Position::of(text, place);
            if let Some(marker) = text.lines().nth(at.line - 1).filter(|line| merge::is_marker(line)) {
                let message = format!("`{}` is a line that git wrote for a merge conflict", clip(marker));
                let hint = Some("remove it, if the text around it is as you want it".to_owned());
                let at = Position { column: 1, ..at };
                return (None, vec![Fault { severity: Severity::Error, file: FILE.into(), at, message, hint }]);
            }
            let message = format!("not valid TOML: {}", error.message().lines().collect::<Vec<_>>().join(", "));
            let twice = error.message().starts_with("duplicate key");
            let hint = match twice {
                true => Some("this name is given further up: merge the two".to_owned()),
                false => unquoted(text, place, error.message()),
            };
            return (None, vec![Fault { severity: Severity::Error, file: FILE.into(), at, message, hint }]);
        }
    };
    let reader = Reader::new(FILE, text);
    let manifest = sections::manifest(&reader, document.as_item(), read);
    let faults = reader.into_faults();
    let sound = faults.iter().all(|fault| fault.severity == Severity::Warning);
    (manifest.filter(|_| sound), faults)
}

/// What a merge left open, each with its lines.
fn unmerged(text: &str) -> Vec<Fault> {
    let fault = |MergeConflict { first, last, .. }| Fault {
        severity: Severity::Error,
        file: FILE.into(),
        at: Position { line: first, column: 1 },
        message: format!("lines {first} to {last} are a merge conflict: git kept both versions"),
        hint: Some(
            "keep what you want of the two, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`".into(),
        ),
    };
    merge::conflicts(text).into_iter().take(MOST_CONFLICTS).map(fault).collect()
}

/// Conflicts that are reported at most.
const MOST_CONFLICTS: usize = 100;

fn clip(line: &str) -> String {
    line.chars().take(60).collect()
}

/// How to write the text without quotes, or the `True`, that broke the TOML at `place`; `None` for anything else.
fn unquoted(text: &str, place: usize, said: &str) -> Option<String> {
    let start = text.get(..place)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next()?;
    let place = place - start;
    if let Some((key, value)) = line.split_once('=').filter(|(key, _)| key.len() < place) {
        // What follows ` #` may belong to the text, but it hardly ever does.
        let value = value.split(" #").next()?.trim();
        if !value.starts_with(['"', '\'', '[', '{']) {
            return bare(value).map(|written| format!("write `{} = {written}`", key.trim()));
        }
    }
    let ends = |c: char| ",=[]{}\"'#".contains(c);
    let (before, after) = (line.get(..place)?, line.get(place..)?);
    let begin = before.rfind(ends).map_or(0, |at| at + 1);
    let word = &line[begin..place + after.find(ends).unwrap_or(after.len())];
    let is_word = said.starts_with("string values must be quoted")
        || said.starts_with("invalid ") && !line[..begin].ends_with(['"', '\'']);
    is_word.then(|| bare(word.trim())).flatten().map(|written| format!("write `{written}`"))
}

/// A value that lacks its quotes, with them; not for a number.
fn bare(value: &str) -> Option<String> {
    let lower = value.to_lowercase();
    if lower == "true" || lower == "false" {
        return Some(lower);
    }
    let digits = value.trim_start_matches(['+', '-']).chars().all(|c| c.is_ascii_digit() || c == '_' || c == '.');
    // `1.0.0` is a version.
    let is_number = digits && value.matches('.').count() < 2;
    // What JSON escapes, TOML does too.
    (!is_number).then(|| serde_json::Value::from(value).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A problem of a schema has the place of the keyword, however the schema is written.
    #[test]
    fn schema_problems_have_the_place_of_the_keyword() {
        let text = r##"
[server]
name = "s"
version = "1.0.0"
description = "d"
[targets.vercel]

[tools.x]
description = "d"
[tools.x.input]
city = { type = "string" }
units = { type = "strng" }
deep = { type = "object", properties = { a = { minLength = -1 } } }
either = { anyOf = [
  { type = "string" },
  { type = "nul" },
] }
"a/b" = { type = "string", enum = ["x",
  "x"] }
[tools.x.input.table]
type = "string"
pattern = "("
[tools.x.input.table.properties.inner]
"$ref" = "#/$defs/N"
[tools.x.output]
constructor = { type = "string" }

[tools.y]
description = "d"
[tools.y.input_schema]
type = "object"
required = ["b"]
additionalProperties = false
[tools.y.input_schema.properties]
a = { maximum = 1, minimum = 2 }
"##;
        let (manifest, faults) = parse(text.trim_start(), &|_| Err("no file".into()));
        assert!(manifest.is_none());
        let expected = [
            "mcp.toml:11:11: error: `strng` is not a JSON Schema type",
            "mcp.toml:12:48: error: `minLength` must be",
            "mcp.toml:15:12: error: `nul` is not",
            "mcp.toml:18:3: error: `enum` lists `x` twice",
            "mcp.toml:21:1: error: `pattern` `(` does not compile",
            "mcp.toml:23:1: error: `$ref` `#/$defs/N` points to nothing",
            "mcp.toml:25:1: error: property `constructor`",
            "mcp.toml:31:13: error: `required` names `b`",
            "mcp.toml:34:20: error: `minimum` `2` and `maximum` `1`",
        ];
        assert_eq!(faults.len(), expected.len());
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.to_string().starts_with(expected), "{fault}\nis not\n{expected}");
        }
    }

    /// A hundred thousand unknown keys are reported, without a hint for each.
    #[test]
    fn of_very_many_faults_the_first_are_told_and_the_others_counted() {
        let keys = |count: usize| (0..count).map(|at| format!("unknown{at} = 1\n")).collect::<String>();
        for (table, code) in [("[env]", "unknown0"), ("[limits]", "unknown key"), ("[tools.a]", "unknown key")] {
            let (manifest, faults) = parse(&format!("{table}\n{}", keys(20_000)), &|_| Err("no file".into()));
            assert!(manifest.is_none());
            assert_eq!(faults.len(), 1001, "{table}");
            let last = faults.last().unwrap();
            assert!(last.message.starts_with("there are ") && last.severity == Severity::Error, "{last}");
            assert!(faults.iter().any(|fault| fault.message.contains(code)), "{table}");
        }
        let few = parse(&format!("[limits]\n{}", keys(900)), &|_| Err("no file".into())).1;
        assert!(!few.iter().any(|fault| fault.message.starts_with("there are ")) && few.len() > 900);
    }
}
