//! Where a schema has what a rule is about.

use serde_json::{Map, Value};

use super::super::lint::{Index, SchemaRole, join, keywords};

type SchemaObject = Map<String, Value>;
/// The places below a schema, as JSON pointers from it.
type Places = fn(&SchemaObject) -> Vec<String>;

/// What a rule looks at.
pub enum Finds {
    /// The root of a tool's input.
    Root(Places),
    /// Each schema in a tool's input.
    Anywhere(Places),
    /// The roots of a tool's input and output.
    InputOrOutput(Places),
    /// References in a tool's input that lead back to where they stand.
    Circle,
    /// What a tool is called.
    Name(fn(&Name) -> bool),
    /// How many tools there are.
    MoreThan(usize),
}

/// What a tool is called, and by whom.
pub struct Name<'a> {
    pub server: &'a str,
    pub tool: &'a str,
    pub description: &'a str,
}

impl Finds {
    /// Every place in a schema, as JSON pointers from its root.
    pub fn places(&self, index: &Index, role: SchemaRole) -> Vec<String> {
        let is_input = role == SchemaRole::ToolInput;
        let root = |places: Places| index.get("").and_then(Value::as_object).map(places).unwrap_or_default();
        match self {
            Finds::Root(places) if is_input => root(*places),
            Finds::InputOrOutput(places) => root(*places),
            Finds::Anywhere(places) if is_input => {
                let schemas = index.schemas().filter_map(|(pointer, schema)| Some((pointer, schema.as_object()?)));
                let below = schemas.filter(|(pointer, _)| !is_ignored(pointer));
                below.flat_map(|(at, schema)| places(schema).into_iter().map(move |p| format!("{at}{p}"))).collect()
            }
            Finds::Circle if is_input => {
                let mut closing: Vec<String> = index.cycles(&keywords()).into_iter().collect();
                closing.sort();
                closing.iter().map(|pointer| join(pointer, "$ref")).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Conditions, which no assistant reads, and the parts of a union at the root, which is reported as a whole.
fn is_ignored(pointer: &str) -> bool {
    let first = pointer.split('/').nth(1);
    let conditions = ["if", "then", "else", "not", "dependentSchemas"];
    first.is_some_and(|first| UNIONS.contains(&first)) || pointer.split('/').any(|part| conditions.contains(&part))
}

const UNIONS: [&str; 3] = ["oneOf", "anyOf", "allOf"];

fn keys(schema: &SchemaObject, keys: &[&str]) -> Vec<String> {
    let found = schema.keys().filter(|key| keys.contains(&key.as_str()));
    found.map(|key| join("", key)).collect()
}

/// Whether a keyword has a value like this: then it is the place.
fn key(schema: &SchemaObject, key: &str, is_refused: impl Fn(&Value) -> bool) -> Option<String> {
    schema.get(key).filter(|value| is_refused(value)).map(|_| join("", key))
}

pub fn root_union(schema: &SchemaObject) -> Vec<String> {
    keys(schema, &UNIONS)
}

pub fn root_value(schema: &SchemaObject) -> Vec<String> {
    keys(schema, &["enum", "const", "not"])
}

pub fn array_items(schema: &SchemaObject) -> Vec<String> {
    let is_array = match schema.get("type") {
        Some(Value::String(name)) => name == "array",
        Some(Value::Array(names)) => names.iter().any(|name| name == "array"),
        _ => false,
    };
    if is_array && !schema.contains_key("items") { vec![String::new()] } else { Vec::new() }
}

pub fn number_enum(schema: &SchemaObject) -> Vec<String> {
    let in_enum = key(schema, "enum", |values| {
        values.as_array().is_some_and(|values| values.iter().any(|value| !value.is_string()))
    });
    in_enum.into_iter().chain(key(schema, "const", |value| !value.is_string())).collect()
}

pub fn empty_enum(schema: &SchemaObject) -> Vec<String> {
    let values = schema.get("enum").and_then(Value::as_array).into_iter().flatten().enumerate();
    values.filter(|(_, value)| *value == "").map(|(at, _)| format!("/enum/{at}")).collect()
}

pub fn property_name(schema: &SchemaObject) -> Vec<String> {
    let is_taken = |name: &str| {
        (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
    };
    let names = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    names.filter(|name| !is_taken(name)).map(|name| join("/properties", name)).collect()
}

/// The `pattern` of a schema and those of its `patternProperties`, where they are like this.
fn patterns(schema: &SchemaObject, is_refused: fn(&str) -> bool) -> Vec<String> {
    let own = key(schema, "pattern", |pattern| pattern.as_str().is_some_and(is_refused));
    let of_names = schema.get("patternProperties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let of_names = of_names.filter(|pattern| is_refused(pattern)).map(|pattern| join("/patternProperties", pattern));
    own.into_iter().chain(of_names).collect()
}

pub fn lookaround(schema: &SchemaObject) -> Vec<String> {
    patterns(schema, |pattern| pieces(pattern).iter().any(|piece| matches!(piece, PatternPiece::Look)))
}

pub fn python_pattern(schema: &SchemaObject) -> Vec<String> {
    patterns(schema, |pattern| pieces(pattern).iter().any(|piece| matches!(piece, PatternPiece::NotPython)))
}

/// What of a pattern is of interest here.
enum PatternPiece {
    Look,
    NotPython,
}

/// Reads a pattern that JavaScript can compile.
fn pieces(pattern: &str) -> Vec<PatternPiece> {
    let mut found = Vec::new();
    let mut in_class = false;
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        let begins = |with: &[&str]| with.iter().any(|with| rest.starts_with(with));
        let mut length = c.len_utf8();
        match c {
            '\\' => {
                if begins(&["\\p", "\\P", "\\u{", "\\c", "\\k"]) {
                    found.push(PatternPiece::NotPython);
                }
                length += rest[1..].chars().next().map_or(0, char::len_utf8);
            }
            ']' => in_class = false,
            '[' if !in_class => {
                if begins(&["[]", "[^]"]) {
                    found.push(PatternPiece::NotPython);
                }
                in_class = true;
            }
            '(' if !in_class && begins(&["(?=", "(?!", "(?<=", "(?<!"]) => found.push(PatternPiece::Look),
            '(' if !in_class && begins(&["(?<"]) => found.push(PatternPiece::NotPython),
            _ => {}
        }
        rest = &rest[length..];
    }
    found
}

pub fn old_dialect(schema: &SchemaObject) -> Vec<String> {
    let is_new = |uri: &str| {
        let bare = uri.split_once("://").map_or(uri, |(_, bare)| bare);
        bare.trim_end_matches('#') == "json-schema.org/draft/2020-12/schema"
    };
    key(schema, "$schema", |uri| uri.as_str().is_some_and(|uri| !is_new(uri))).into_iter().collect()
}

pub fn no_object(schema: &SchemaObject) -> Vec<String> {
    match schema.get("type") {
        Some(Value::String(name)) if name != "object" => keys(schema, &["properties", "required"]),
        _ => Vec::new(),
    }
}

pub fn required_unknown(schema: &SchemaObject) -> Vec<String> {
    if !no_object(schema).is_empty() {
        return Vec::new();
    }
    let described = schema.get("properties").and_then(Value::as_object);
    let names = schema.get("required").and_then(Value::as_array).into_iter().flatten().enumerate();
    let is_unknown =
        |name: &Value| name.as_str().is_some_and(|name| described.is_none_or(|all| !all.contains_key(name)));
    names.filter(|(_, name)| is_unknown(name)).map(|(at, _)| format!("/required/{at}")).collect()
}

pub fn beside_ref(schema: &SchemaObject) -> Vec<String> {
    let allowed = |key: &str| key.starts_with('$') || ["description", "default"].contains(&key);
    match schema.contains_key("$ref") && schema.keys().any(|key| !allowed(key)) {
        true => vec!["/$ref".to_owned()],
        false => Vec::new(),
    }
}
