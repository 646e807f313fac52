//! One set of keys: the reader, the JSON Schema and the tables of `docs/manifest.md` are held to the same.
//!
//! A key is written as its path: `*` is a name that the user chooses, `[]` an element of an array.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use toml_edit::Document;

use super::edit::toml;
use super::reader::Reader;
use super::{FILE, Kind, json_schema, sections, targets};

type KeySet = BTreeSet<String>;

/// Words of JSON Schema that our schema names for editors; the reader takes them as they are.
const OF_JSON_SCHEMA: [&str; 3] = ["type", "description", "default"];

/// Every key that the JSON Schema has, and its own schema.
fn of_schema() -> BTreeMap<String, Value> {
    let mut keys = BTreeMap::new();
    walk(&json_schema(), "", &mut keys);
    keys
}

fn walk(schema: &Value, path: &str, keys: &mut BTreeMap<String, Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    let is_property = path.ends_with(".input.*") || path.ends_with(".output.*");
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        if !(is_property && OF_JSON_SCHEMA.contains(&key.as_str())) {
            walk(inner, &below(key), keys);
            keys.insert(below(key), inner.clone());
        }
    }
    walk_if(&schema["additionalProperties"], &below("*"), keys);
    walk_if(&schema["items"], &format!("{path}[]"), keys);
    for inner in schema["anyOf"].as_array().into_iter().flatten() {
        walk(inner, path, keys);
    }
}

fn walk_if(schema: &Value, path: &str, keys: &mut BTreeMap<String, Value>) {
    if schema.is_object() {
        walk(schema, path, keys);
    }
}

/// A value that a key may have, as far as its type goes.
fn sample(schema: &Value) -> Value {
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind {
        _ if schema["enum"].is_array() => schema["enum"][0].clone(),
        _ if schema["const"].is_string() => schema["const"].clone(),
        Some("object") => json!({}),
        Some("array") => json!([]),
        Some("boolean") => json!(true),
        Some("integer") => json!(1),
        _ => json!("x"),
    }
}

/// A manifest with this key and nothing beside the way to it.
fn manifest_with(path: &str, value: Value) -> String {
    let around = path.rsplit('.').fold(value, |value, segment| {
        let (name, value) = match segment.strip_suffix("[]") {
            Some(name) => (name, json!([value])),
            None => (segment, value),
        };
        Value::Object(Map::from_iter([(name.to_owned(), value)]))
    });
    around.as_object().into_iter().flatten().map(|(key, value)| format!("{key} = {}\n", toml(value))).collect()
}

/// What the reader asks a manifest for, and what it says of it.
fn read(text: &str) -> (KeySet, Vec<String>) {
    let document = Document::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let reader = Reader::new(FILE, text);
    sections::manifest(&reader, document.as_item(), &|name| Err(format!("cannot read `{name}`")));
    let asked = reader.asked.take().into_iter().map(|path| path.replace("[0]", "[]")).collect();
    (asked, reader.into_faults().into_iter().map(|fault| fault.message).collect())
}

/// With every table that a key stands in.
fn with_tables(keys: impl IntoIterator<Item = String>) -> KeySet {
    let mut all = KeySet::new();
    for key in keys {
        let ends = key.match_indices('.').map(|(at, _)| at).chain([key.len()]);
        let paths = ends.map(|end| key[..end].trim_end_matches("[]").to_owned());
        all.extend(paths.filter(|path| !path.ends_with(".*")));
    }
    all
}

#[track_caller]
fn same(left: (&str, &KeySet), right: (&str, &KeySet)) {
    let lacking = |keys: &KeySet, others: &KeySet| keys.difference(others).cloned().collect::<Vec<_>>().join(", ");
    let (only_left, only_right) = (lacking(left.1, right.1), lacking(right.1, left.1));
    assert!(left.1 == right.1, "only {} has: {only_left}\nonly {} has: {only_right}", left.0, right.0);
}

#[test]
fn the_reader_asks_for_what_the_schema_has() {
    let schema = of_schema();
    let mut asked = KeySet::new();
    for (path, value) in &schema {
        let text = manifest_with(path, sample(value));
        let (keys, faults) = read(&text);
        let unknown = faults.iter().find(|fault| fault.contains("unknown key"));
        assert_eq!(unknown, None, "the schema allows what the reader does not know:\n{text}");
        asked.extend(keys);
    }
    assert!(schema.len() > 150 && schema.contains_key("tools.*.annotations.read_only"), "{:?}", schema.keys());
    same(("the reader", &with_tables(asked)), ("the schema", &with_tables(schema.into_keys())));
}

#[test]
fn the_reader_takes_the_words_that_the_schema_lists() {
    let mut lists = 0;
    for (path, schema) in of_schema() {
        let Some(words) = schema["enum"].as_array() else { continue };
        lists += 1;
        let refused = |word: &Value| {
            let (_, faults) = read(&manifest_with(&path, word.clone()));
            faults.iter().any(|fault| fault.contains("it must be one of"))
        };
        let taken: Vec<&Value> = words.iter().filter(|word| !refused(word)).collect();
        assert!(taken.len() == words.len() && refused(&json!("no such word")), "{path}: {words:?}, of which {taken:?}");
    }
    assert!(lists > 5, "{lists}");
}

/// The keys of the tables below one heading of `docs/manifest.md`: relative to the tables in the heading, or whole.
fn of_docs(text: &str) -> KeySet {
    let (mut sections, mut keys, mut in_table) = (Vec::new(), Vec::new(), false);
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            let heading = heading.trim_start_matches('#').trim();
            let kind = Kind::ALL.into_iter().find(|kind| kind.plural().eq_ignore_ascii_case(heading));
            sections = match kind {
                Some(kind) => vec![format!("{}.*", kind.plural())],
                None => heading.split('`').filter_map(table_name).collect(),
            };
        }
        let Some(first) = line.strip_prefix('|').and_then(|rest| rest.split('|').next()).map(str::trim) else {
            in_table = false;
            continue;
        };
        in_table |= first == "key";
        for key in first.split('`').skip(1).step_by(2).filter(|_| in_table) {
            let key = key.replace("NAME", "*");
            let root = key.split('.').next();
            if sections.iter().any(|section| section.split('.').next() == root) {
                keys.push(key);
            } else {
                keys.extend(sections.iter().map(|section| format!("{section}.{key}")));
            }
        }
    }
    // What every cloud has.
    let (every, mut keys): (Vec<String>, Vec<String>) = keys.into_iter().partition(|key| key.starts_with("targets.*"));
    for key in every {
        keys.extend(targets::ALL.iter().map(|target| key.replacen('*', target.name, 1)));
    }
    with_tables(keys)
}

/// `tools.*` of `[tools.NAME]`; `None` if it is not a table's name.
fn table_name(span: &str) -> Option<String> {
    Some(span.strip_prefix('[')?.strip_suffix(']')?.replace("NAME", "*"))
}

/// A stage has the same keys as the manifest, and the documentation says so in one row.
const OF_STAGES: [&str; 2] = ["stages.*.env", "stages.*.targets"];

#[test]
fn the_documentation_has_what_the_schema_has() {
    let schema = with_tables(of_schema().into_keys());
    for stage in OF_STAGES {
        let main = stage.trim_start_matches("stages.*.");
        let below = |table: &str| -> KeySet {
            schema.iter().filter_map(|key| key.strip_prefix(&format!("{table}."))).map(str::to_owned).collect()
        };
        same((stage, &below(stage)), (main, &below(main)));
    }
    let schema: KeySet = schema
        .into_iter()
        .filter(|key| !OF_STAGES.iter().any(|stage| key.strip_prefix(stage).is_some_and(|rest| rest.starts_with('.'))))
        .collect();
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/manifest.md")).expect("readable");
    let text = text + targets::fixture::DOCS;
    same(("docs/manifest.md", &of_docs(&text)), ("the schema", &schema));
}
