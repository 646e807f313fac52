//! Schemas that nobody would write, for the property tests.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn text() -> impl Strategy<Value = String> {
    let nasty = [
        "*/",
        "\"",
        "'",
        "`",
        "${x}",
        "\n",
        "\r\n",
        "\u{2028}",
        "\\",
        "//",
        "/*",
        "@ts-expect-error",
        "__proto__",
        "constructor",
        "]",
        "}",
        "😀",
        "\u{0}",
        "\u{202e}",
        "\u{feff}",
        "[key: string]",
        "new",
        "get",
        "0",
        "-1",
        "a",
        "b",
        "type",
        "$ref",
        "é",
        "~",
        "/",
        "%",
        "#",
        "",
    ];
    prop_oneof![
        4 => prop::sample::select(vec!["a", "b", "c"]).prop_map(String::from),
        2 => prop::sample::select(nasty.to_vec()).prop_map(String::from),
        1 => any::<String>(),
        1 => prop::collection::vec(prop::sample::select(nasty.to_vec()), 1..6).prop_map(|all| all.concat()),
    ]
}

fn instance() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..4).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4).prop_map(|all| Value::Object(all.into_iter().collect())),
        ]
    })
}

fn keywords() -> impl Strategy<Value = Value> {
    let type_ = prop::sample::select(vec!["string", "number", "integer", "boolean", "null", "array", "object"]);
    let reference = prop::sample::select(vec![
        "#",
        "#/$defs/A",
        "#/$defs/B",
        "#/$defs/C",
        "#/properties/a",
        "#/properties/b",
        "#/$defs/A/items",
        "#nope",
    ]);
    prop_oneof![
        4 => type_.clone().prop_map(|t| json!({ "type": t })),
        1 => prop::collection::vec(type_, 1..4).prop_map(|t| json!({ "type": t })),
        2 => reference.prop_map(|r| json!({ "$ref": r })),
        1 => prop::collection::vec(instance(), 1..4).prop_map(|v| json!({ "enum": v })),
        1 => instance().prop_map(|v| json!({ "const": v })),
        1 => instance().prop_map(|v| json!({ "default": v })),
        1 => prop::collection::vec(text(), 0..3).prop_map(|v| json!({ "type": "object", "required": v })),
        1 => (0..3u8).prop_map(|n| json!({ "minItems": n })),
        1 => (0..3u8).prop_map(|n| json!({ "maxItems": n, "minLength": n })),
        1 => text().prop_map(|t| json!({ "pattern": t, "format": t })),
        1 => text().prop_map(|t| json!({ t.clone(): t })),
        1 => instance().prop_map(|v| json!({ "items": v, "x-mcp-header": v })),
    ]
}

fn merged(parts: Vec<Value>) -> Value {
    let maps = parts.into_iter().filter_map(|v| v.as_object().cloned());
    Value::Object(maps.flatten().collect())
}

fn part() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => any::<bool>().prop_map(Value::from),
        8 => prop::collection::vec(keywords(), 0..3).prop_map(merged),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let one = prop_oneof![
            3 => prop::collection::vec((text(), inner.clone()), 0..4).prop_map(
                |p| json!({ "type": "object", "properties": Map::from_iter(p) })
            ),
            1 => prop::collection::vec((text(), inner.clone()), 0..3).prop_map(
                |p| json!({ "properties": Map::from_iter(p) })
            ),
            1 => prop::collection::vec((text(), inner.clone()), 1..3).prop_map(
                |p| json!({ "patternProperties": Map::from_iter(p) })
            ),
            2 => inner.clone().prop_map(|s| json!({ "additionalProperties": s })),
            2 => Just(json!({ "additionalProperties": false })),
            2 => inner.clone().prop_map(|s| json!({ "type": "array", "items": s })),
            1 => inner.clone().prop_map(|s| json!({ "items": s })),
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|s| json!({ "prefixItems": s })),
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|s| json!({ "anyOf": s })),
            1 => prop::collection::vec(inner.clone(), 1..4).prop_map(|s| json!({ "oneOf": s })),
            1 => prop::collection::vec(inner.clone(), 1..3).prop_map(|s| json!({ "allOf": s })),
            1 => inner.prop_map(|s| json!({ "not": s })),
            1 => text().prop_map(|t| json!({ "description": t })),
            2 => keywords(),
        ];
        prop::collection::vec(one, 1..4).prop_map(merged)
    })
}

pub fn schema() -> impl Strategy<Value = Value> {
    let properties = prop::collection::vec((text(), part()), 0..5);
    let draft = prop::sample::select(vec![None, None, None, Some("http://json-schema.org/draft-07/schema#")]);
    (part(), properties, part(), part(), part(), draft).prop_map(|(root, properties, a, b, c, draft)| {
        let mut root = merged(vec![root, json!({ "type": "object", "properties": Map::from_iter(properties) })]);
        root["$defs"] = json!({ "A": a, "B": b, "C": c });
        if let Some(draft) = draft {
            root["$schema"] = draft.into();
        }
        root
    })
}
