//! Lint of the JSON Schemas in a manifest: whatever would break a server, or make a client drop a tool, is found here,
//! before anything is deployed. Pure: a schema goes in, problems come out.

mod defaults;
mod dialect;
mod headers;
#[cfg(test)]
pub(super) mod hostile;
mod index;
mod keywords;
mod meta;
mod near;
mod pattern;
mod pointer;
mod properties;
mod references;
mod regex;
#[cfg(test)]
mod tests;
mod values;
mod words;

pub(super) use dialect::Dialect;
pub(super) use index::Index;
pub(super) use keywords::names as keywords;
pub(super) use pointer::join;
pub(super) use properties::INHERITED;

use std::cell::OnceCell;
use std::collections::{BTreeMap, HashMap, HashSet};

use jsonschema::Registry;
use serde_json::{Map, Value};

use crate::fault::Severity;
use keywords::{IN_PLACE, KEYWORDS, Keyword, Shape, children, known};
use meta::invalid_places;
use near::{KEYWORD_ALIASES, nearest, schema_hint};
use pointer::position;
use words::{clip, describe, describe_inside, show};

/// What the schema describes; each has its own rules at the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaRole {
    ToolInput,
    ToolOutput,
    PromptArguments,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaProblem {
    /// JSON pointer into the schema; empty for its root.
    pub pointer: String,
    pub severity: Severity,
    pub message: String,
    pub hint: Option<String>,
}

/// Levels of arrays and objects a schema may have: a validator recurses into each.
pub const MAX_DEPTH: usize = 100;

/// Every problem of `schema`, in document order and each once.
pub fn lint(schema: &Value, role: SchemaRole) -> Vec<SchemaProblem> {
    if let Some(pointer) = too_deep(schema, 1) {
        return vec![SchemaProblem {
            pointer,
            severity: Severity::Error,
            message: format!(
                "the schema is nested more than {MAX_DEPTH} levels deep, and validators recurse into every level"
            ),
            hint: Some("flatten it, or name the part that repeats in `$defs` and refer to it with `$ref`".into()),
        }];
    }
    let Value::Object(_) = schema else {
        return vec![SchemaProblem {
            pointer: String::new(),
            severity: Severity::Error,
            message: format!("{} must be a JSON Schema object, but its root is {}", role.subject(), describe(schema)),
            hint: Some("write a schema such as `{ \"type\": \"object\" }`".into()),
        }];
    };
    let dialect = Dialect::of(schema);
    let index = Index::new(schema);
    let mut lint = Lint {
        role,
        dialect,
        root: schema,
        invalid: invalid_places(schema, dialect),
        cycles: index.cycles(IN_PLACE),
        index,
        headers: HashMap::new(),
        anchors: HashSet::new(),
        registry: OnceCell::new(),
        problems: Vec::new(),
    };
    lint.visit(schema, &SchemaPlace::root());
    lint.rest();
    lint.problems.sort_by_cached_key(|p| position(schema, &p.pointer));
    lint.problems
}

impl SchemaRole {
    fn subject(self) -> &'static str {
        match self {
            SchemaRole::ToolInput => "the input of a tool",
            SchemaRole::ToolOutput => "the output of a tool",
            SchemaRole::PromptArguments => "the arguments of a prompt",
        }
    }
}

/// The pointer of the first place in `value` that is too deep.
fn too_deep(value: &Value, depth: usize) -> Option<String> {
    let deeper = |child| too_deep(child, depth + 1);
    match value {
        Value::Array(_) | Value::Object(_) if depth > MAX_DEPTH => Some(String::new()),
        Value::Array(list) => list.iter().enumerate().find_map(|(i, child)| Some(format!("/{i}{}", deeper(child)?))),
        Value::Object(map) => map.iter().find_map(|(key, child)| Some(join("", key) + &deeper(child)?)),
        _ => None,
    }
}

struct Lint<'a> {
    role: SchemaRole,
    dialect: Dialect,
    root: &'a Value,
    index: Index<'a>,
    /// What the meta-schema refuses and nothing was said about yet: where, and its own words.
    invalid: BTreeMap<String, String>,
    /// The `$ref`s that close a cycle.
    cycles: HashSet<String>,
    /// `x-mcp-header` names seen so far: lower case to where.
    headers: HashMap<String, String>,
    anchors: HashSet<String>,
    /// The schema under a name, for a `default` whose schema holds a `$ref`.
    registry: OnceCell<Option<Registry<'a>>>,
    problems: Vec<SchemaProblem>,
}

/// Where a schema stands.
struct SchemaPlace<'a> {
    pointer: String,
    /// The keyword under which it stands: `None` at the root.
    under: Option<&'static str>,
    /// Its name, when it is a property.
    property: Option<&'a str>,
    /// Whether only `properties` lead here, as `x-mcp-header` demands.
    by_properties: bool,
    /// The `properties` of the schemas that judge the same value.
    siblings: Vec<&'a Map<String, Value>>,
}

impl<'a> SchemaPlace<'a> {
    fn root() -> SchemaPlace<'a> {
        SchemaPlace { pointer: String::new(), under: None, property: None, by_properties: true, siblings: Vec::new() }
    }

    fn child(&self, keyword: &'static str, path: String, key: Option<&'a str>, owner: &'a Map<String, Value>) -> Self {
        let mut siblings = Vec::new();
        if IN_PLACE.contains(&keyword) {
            siblings.clone_from(&self.siblings);
            siblings.extend(owner.get("properties").and_then(Value::as_object));
        }
        SchemaPlace {
            pointer: path,
            under: Some(keyword),
            property: key.filter(|_| keyword == "properties"),
            by_properties: self.by_properties && keyword == "properties",
            siblings,
        }
    }

    fn at(&self, key: &str) -> String {
        join(&self.pointer, key)
    }

    fn is_root(&self) -> bool {
        self.under.is_none()
    }
}

impl<'a> Lint<'a> {
    fn visit(&mut self, schema: &'a Value, place: &SchemaPlace<'a>) {
        let Value::Object(map) = schema else {
            return self.visit_no_object(schema, place);
        };
        if place.is_root() {
            self.root_type(map);
        }
        self.property(map, place);
        for (key, value) in map {
            let pointer = place.at(key);
            let Some(keyword) = known(key) else {
                self.unknown_keyword(key, pointer);
                continue;
            };
            let before = self.problems.len();
            if let Some(check) = keyword.check {
                let site = Site { key: keyword.name, pointer: pointer.clone(), value, schema: map, place };
                check(self, &site);
            }
            let invalid = self.invalid.remove(&pointer).is_some();
            if invalid && self.problems.len() == before {
                self.invalid_keyword(keyword, pointer, value);
            } else {
                for (path, name, child) in children(keyword, &pointer, value) {
                    self.visit(child, &place.child(keyword.name, path, name, map));
                }
            }
        }
    }

    fn visit_no_object(&mut self, schema: &Value, place: &SchemaPlace) {
        match (schema, place.property) {
            (Value::Bool(any), Some(name)) => self.bare_property(*any, name, place),
            (Value::Bool(_), None) => {}
            (Value::Array(_), _) if place.under == Some("dependencies") => {}
            _ => {
                self.invalid.remove(&place.pointer);
                let found = describe(schema);
                let message = format!("a schema must be an object, but this is {found}");
                self.error(place.pointer.clone(), message, schema_hint(schema));
            }
        }
    }

    fn bare_property(&mut self, any: bool, name: &str, place: &SchemaPlace) {
        let hint = match any {
            true => "say what it holds with `type`, or write `{}` for anything",
            false => "leave it out, and set `additionalProperties` to `false`",
        };
        let message = format!(
            "property {} is the bare schema `{any}`, which strict clients such as the MCP Inspector refuse",
            show(name)
        );
        self.warn(place.pointer.clone(), message, hint);
    }

    /// What the walk did not come to: the meta-schema knows best.
    fn rest(&mut self) {
        for (pointer, why) in std::mem::take(&mut self.invalid) {
            let message = format!("this is not valid JSON Schema: {}", clip(&why, 200));
            self.push(pointer, Severity::Error, message, None);
        }
    }

    fn invalid_keyword(&mut self, keyword: &Keyword, pointer: String, value: &Value) {
        let hint = match (keyword.shape, value) {
            (Shape::Schema | Shape::SchemaOrList, value) if !value.is_array() => Some(schema_hint(value)),
            _ => keyword.hint.map(String::from),
        };
        let (name, wants) = (keyword.name, keyword.wants);
        let found = describe_inside(keyword, value);
        self.push(pointer, Severity::Error, format!("`{name}` must be {wants}, but is {found}"), hint);
    }

    fn unknown_keyword(&mut self, key: &str, pointer: String) {
        let plain = |s: &str| s.replace(['_', '-', ' '], "").to_lowercase();
        let alias = KEYWORD_ALIASES.iter().find(|(name, _)| *name == key);
        let same = KEYWORDS.iter().find(|k| plain(k.name) == plain(key));
        let near = same.map(|k| k.name).or_else(|| nearest(key, KEYWORDS.iter().map(|k| k.name)));
        let hint = match (alias, near) {
            (Some((_, hint)), _) => (*hint).to_string(),
            (None, Some(name)) => format!("did you mean `{name}`?"),
            (None, None) => return,
        };
        self.warn(pointer, format!("{} is not a JSON Schema keyword, so it has no effect", show(key)), hint);
    }

    fn error(&mut self, pointer: String, message: String, hint: impl Into<String>) {
        self.push(pointer, Severity::Error, message, Some(hint.into()));
    }

    fn warn(&mut self, pointer: String, message: String, hint: impl Into<String>) {
        self.push(pointer, Severity::Warning, message, Some(hint.into()));
    }

    fn push(&mut self, pointer: String, severity: Severity, message: String, hint: Option<String>) {
        self.problems.push(SchemaProblem { pointer, severity, message, hint });
    }
}

/// One keyword where it stands.
struct Site<'s, 'a> {
    key: &'static str,
    pointer: String,
    value: &'a Value,
    schema: &'a Map<String, Value>,
    place: &'s SchemaPlace<'a>,
}

impl Site<'_, '_> {
    fn at(&self) -> String {
        self.pointer.clone()
    }

    fn item(&self, i: usize) -> String {
        format!("{}/{i}", self.pointer)
    }
}
