//! A value that a schema accepts: what the starter of a new handler returns.

use serde_json::{Map, Value, json};

use crate::schema::typescript::string_literal;

/// `None` when no simple value passes the schema; the starter then says so instead of guessing.
pub fn of(schema: &Value) -> Option<Value> {
    let value = guess(schema, schema, 0)?;
    jsonschema::draft202012::new(schema).ok()?.is_valid(&value).then_some(value)
}

fn guess(schema: &Value, root: &Value, depth: usize) -> Option<Value> {
    if depth > 20 {
        return None;
    }
    let next = |schema: &Value| guess(schema, root, depth + 1);
    if schema == &Value::Bool(true) {
        return Some(Value::Null);
    }
    let schema = schema.as_object()?;
    for key in ["const", "default"] {
        if let Some(value) = schema.get(key) {
            return Some(value.clone());
        }
    }
    for key in ["examples", "enum"] {
        if let Some(value) = schema.get(key).and_then(|all| all.get(0)) {
            return Some(value.clone());
        }
    }
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str) {
        return next(root.pointer(pointer.strip_prefix('#')?)?);
    }
    for key in ["oneOf", "anyOf"] {
        if let Some(value) = schema.get(key).and_then(Value::as_array).and_then(|all| all.iter().find_map(next)) {
            return Some(value);
        }
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first().and_then(Value::as_str),
        kind => kind.and_then(Value::as_str),
    };
    match kind {
        Some("string") => {
            let length = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
            Some("x".repeat(usize::try_from(length.min(1000)).ok()?).into())
        }
        Some("integer" | "number") => {
            let bound = |key| schema.get(key).cloned();
            Some(
                bound("minimum")
                    .or_else(|| bound("maximum").filter(|max| max.as_f64() < Some(0.0)))
                    .unwrap_or(json!(0)),
            )
        }
        Some("boolean") => Some(json!(false)),
        Some("null") => Some(Value::Null),
        Some("array") => {
            let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(100);
            let item = schema.get("items").unwrap_or(&Value::Bool(true));
            let first = schema.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let least = usize::try_from(least).ok()?;
            (0..least).map(|at| next(first.get(at).unwrap_or(item))).collect::<Option<Vec<_>>>().map(Value::Array)
        }
        _ => {
            let required =
                schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
            let properties = required.map(|name| Some((name.to_owned(), next(schema.get("properties")?.get(name)?)?)));
            properties.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
    }
}

/// What a handler returns, as people write it in TypeScript. Of an `async` function that returns one of some words or
/// numbers, and nothing around it, the compiler forgets which one.
pub fn returned(schema: &Value, value: &Value) -> String {
    let of_some = schema.as_object().is_none_or(|schema| {
        ["enum", "const", "oneOf", "anyOf", "$ref"].into_iter().any(|key| schema.contains_key(key))
    });
    let is_scalar = value.is_string() || value.is_number() || value.is_boolean();
    let literal = literal(value);
    if of_some && is_scalar { format!("{literal} as const") } else { literal }
}

/// The value as people write it in TypeScript: `{ city: "x" }`.
pub fn literal(value: &Value) -> String {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let entries = map.iter().map(|(name, value)| format!("{}: {}", key(name), literal(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(all) => format!("[{}]", all.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::String(text) => string_literal(text),
        other => other.to_string(),
    }
}

fn key(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { name.to_owned() } else { string_literal(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_pass_their_schema() {
        let object = json!({ "type": "object", "properties": { "a": { "type": "string", "minLength": 2 }, "b": { "enum": ["x", "y"] } }, "required": ["a", "b"] });
        assert_eq!(of(&object), Some(json!({ "a": "xx", "b": "x" })));
        assert_eq!(
            of(&json!({ "type": "array", "items": { "type": "number", "minimum": 3 }, "minItems": 1 })),
            Some(json!([3]))
        );
        assert_eq!(of(&json!({ "type": "string", "pattern": "^[0-9]{4}$" })), None);
        assert_eq!(of(&json!({ "$ref": "#" })), None);
        let pair = json!({ "type": "array", "prefixItems": [{ "const": "a" }, { "type": "number" }], "items": false, "minItems": 2 });
        assert_eq!(of(&pair), Some(json!(["a", 0])));
    }

    #[test]
    fn one_of_some_words_stays_what_it_is() {
        assert_eq!(returned(&json!({ "enum": ["a", "b"] }), &json!("a")), "\"a\" as const");
        assert_eq!(returned(&json!({ "type": "string" }), &json!("")), "\"\"");
        assert_eq!(returned(&json!({ "enum": [["a"]] }), &json!(["a"])), "[\"a\"]");
    }
}
