//! The sorts of value that a schema admits.

use serde_json::{Map, Value};

use super::printer::{Printer, literals};
use crate::schema::lint::MAX_DEPTH;

/// The six sorts of JSON values, as bits.
pub type Kinds = u8;
pub const ALL: Kinds = 0b11_1111;
pub const OBJECT: Kinds = 32;
pub const ARRAY: Kinds = 16;
pub const KINDS: &[(&str, Kinds)] =
    &[("string", 1), ("number", 2), ("integer", 2), ("boolean", 4), ("null", 8), ("array", ARRAY), ("object", OBJECT)];

pub fn kind_named(name: &str) -> Kinds {
    // An unknown type is the lint's business; here it must not make a type wrong.
    KINDS.iter().find(|(known, _)| *known == name).map_or(ALL, |(_, kind)| *kind)
}

pub fn kind_of(value: &Value) -> Kinds {
    kind_named(match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

impl Printer<'_> {
    /// The sorts of value a schema admits, or more.
    pub fn kinds_of(&self, schema: &Value, depth: usize) -> Kinds {
        let map = match schema {
            Value::Bool(false) => return 0,
            Value::Object(map) if depth <= MAX_DEPTH => map,
            _ => return ALL,
        };
        let target = map.get("$ref").and_then(Value::as_str).and_then(|r| self.index.resolve(r));
        let referred = target.map_or(ALL, |pointer| self.kinds_at(pointer, depth));
        if map.contains_key("$ref") && self.dialect.is_old() {
            return referred;
        }
        let each = |key: &str| -> Option<Vec<Kinds>> {
            let list = map.get(key)?.as_array().filter(|list| !list.is_empty())?;
            Some(list.iter().map(|s| self.kinds_of(s, depth + 1)).collect())
        };
        let literals = literals(map).map_or(ALL, |all| all.iter().fold(0, |kinds, v| kinds | kind_of(v)));
        let all_of = each("allOf").into_iter().flatten().fold(ALL, |a, b| a & b);
        let one = |key| each(key).map_or(ALL, |kinds| kinds.into_iter().fold(0, |a, b| a | b));
        named_kinds(map) & literals & referred & all_of & one("anyOf") & one("oneOf")
    }

    pub fn kinds_at(&self, pointer: &str, depth: usize) -> Kinds {
        if let Some(kinds) = self.kinds.borrow().get(pointer) {
            return *kinds;
        }
        // Stands for the answer while it is worked out, should the target lead back here.
        self.kinds.borrow_mut().insert(pointer.to_string(), ALL);
        let kinds = self.index.get(pointer).map_or(ALL, |target| self.kinds_of(target, depth + 1));
        self.kinds.borrow_mut().insert(pointer.to_string(), kinds);
        kinds
    }
}

fn named_kinds(schema: &Map<String, Value>) -> Kinds {
    match schema.get("type") {
        Some(Value::String(name)) => kind_named(name),
        Some(Value::Array(names)) if !names.is_empty() => {
            let kind = |name: &Value| name.as_str().map_or(ALL, kind_named);
            names.iter().fold(0, |kinds, name| kinds | kind(name))
        }
        _ => ALL,
    }
}
