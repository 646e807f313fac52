use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::schema::lint::hostile::schema;

fn input(schema: &Value) -> String {
    types_of(schema, "Tools[\"t\"]", "input", true, 0).0
}

fn defs(schema: &Value) -> Option<String> {
    types_of(schema, "Tools[\"t\"]", "input", true, 0).1
}

#[test]
fn a_schema_becomes_a_type() {
    let table = [
        (json!(true), "unknown"),
        (json!(false), "never"),
        (json!({}), "unknown"),
        (json!({ "description": "x" }), "unknown"),
        (json!({ "type": "string", "minLength": 1 }), "string"),
        (json!({ "type": "integer" }), "number"),
        (json!({ "type": ["string", "null"] }), "string | null"),
        (json!({ "type": ["integer", "number"] }), "number"),
        (json!({ "type": "strng" }), "unknown"),
        (json!({ "enum": ["a", 1, null, true] }), "\"a\" | 1 | null | true"),
        (json!({ "type": "string", "enum": ["a", 1] }), "\"a\""),
        (json!({ "enum": [] }), "never"),
        (json!({ "const": { "a": [1, "b"], "c": {} } }), "{ a: [1, \"b\"]; c: Record<string, never> }"),
        (json!({ "const": "\u{2028}\"\n`${}*/" }), "\"\\u2028\\\"\\n`${}*/\""),
        (json!({ "type": "array" }), "unknown[]"),
        (json!({ "type": "array", "items": { "type": "string" } }), "string[]"),
        (json!({ "type": "array", "items": { "type": ["string", "null"] } }), "(string | null)[]"),
        (json!({ "type": "array", "items": { "enum": ["a", "b"] }, "uniqueItems": true }), "(\"a\" | \"b\")[]"),
        (json!({ "type": "array", "items": false }), "never[]"),
        (
            json!({ "type": "array", "prefixItems": [{ "type": "string" }, { "type": ["number", "null"] }] }),
            "[string?, (number | null)?, ...unknown[]]",
        ),
        (json!({ "type": "array", "prefixItems": [{ "type": "string" }], "items": false, "minItems": 1 }), "[string]"),
        (json!({ "type": "array", "prefixItems": [{}, {}], "maxItems": 2, "minItems": 1 }), "[unknown, unknown?]"),
        (
            json!({ "type": "array", "prefixItems": [{ "type": "null" }], "items": { "enum": [1, 2] } }),
            "[null?, ...(1 | 2)[]]",
        ),
        (json!({ "type": "object" }), "{ [key: string]: unknown }"),
        (json!({ "type": "object", "additionalProperties": false }), "Record<string, never>"),
        (
            json!({ "type": "object", "additionalProperties": { "type": ["number", "null"] } }),
            "{ [key: string]: number | null }",
        ),
        (
            json!({ "type": "object", "additionalProperties": false, "patternProperties": { "^x": {} } }),
            "{ [key: string]: unknown }",
        ),
        (json!({ "anyOf": [{ "type": "string" }, { "type": "number" }] }), "string | number"),
        (json!({ "oneOf": [{ "type": "string" }, {}] }), "unknown"),
        (json!({ "anyOf": [{ "type": "string" }, { "type": "string", "minLength": 2 }, false] }), "string"),
        (json!({ "allOf": [{ "type": "string" }, { "minLength": 2 }] }), "string"),
        (json!({ "allOf": [{ "type": "string" }, { "type": "number" }] }), "never"),
        (json!({ "type": ["string", "number"], "anyOf": [{ "type": "string" }, { "type": "null" }] }), "string"),
        (json!({ "type": "string", "not": { "const": "x" }, "if": {}, "then": false }), "string"),
        (json!({ "$ref": "#/$defs/Missing" }), "unknown"),
        (json!({ "$ref": "https://example.com/x" }), "unknown"),
        (json!({ "$ref": "#" }), "unknown"),
        (
            json!({ "minItems": 1, "items": { "type": "string" } }),
            "string | number | boolean | null | string[] | { [key: string]: unknown }",
        ),
    ];
    for (schema, expected) in table {
        assert_eq!(input(&schema), expected, "{schema}");
    }
}

#[test]
fn an_object_lists_its_properties() {
    let schema = json!({
        "type": "object",
        "required": ["location", "two words"],
        "additionalProperties": false,
        "properties": {
            "location": { "type": "string", "description": "City name\nor coordinates" },
            "units": { "enum": ["celsius", "fahrenheit"], "default": "celsius" },
            "two words": { "type": "boolean", "description": "Ends */ early" },
            "near": {
                "type": "object",
                "properties": { "days": { "type": "integer", "default": 1, "description": "@ts-ignore" } },
            },
        },
    });
    let expected = r#"{
  /**
   * City name
   * or coordinates
   */
  location: string;
  units: "celsius" | "fahrenheit";
  /** Ends *\/ early */
  "two words": boolean;
  near?: {
    /** @ ts-ignore */
    days?: number;
  };
}"#;
    assert_eq!(input(&schema), expected);
    let before = types_of(&schema, "Tools[\"t\"]", "input", false, 0).0;
    assert_eq!(before, expected.replace("units:", "units?:"));
    let deeper = types_of(&schema, "Tools[\"t\"]", "input", true, 2).0;
    assert_eq!(deeper, expected.replace('\n', "\n    "));
}

#[test]
fn an_index_signature_never_contradicts_a_member() {
    let number = json!({ "type": "number" });
    let total = |required: &[&str], property: Value| {
        input(&json!({
            "type": "object", "required": required, "properties": { "total": property }, "additionalProperties": number,
        }))
    };
    let same = "{\n  total: number;\n  [key: string]: number;\n}";
    assert_eq!(total(&["total"], number.clone()), same);
    let optional = "{\n  total?: number;\n  [key: string]: unknown;\n}";
    assert_eq!(total(&[], number.clone()), optional);
    let other = "{\n  total: string;\n  [key: string]: unknown;\n}";
    assert_eq!(total(&["total"], json!({ "type": "string" })), other);
    let unlisted = json!({ "type": "object", "required": ["total"], "additionalProperties": number });
    assert_eq!(input(&unlisted), same);
}

/// An index signature would let a misspelt name pass.
#[test]
fn only_a_schema_that_asks_for_one_gets_an_index_signature() {
    let a = json!({ "type": "string" });
    let table = [
        (json!({ "properties": { "a": a } }), "{\n  a?: string;\n}"),
        (json!({ "required": ["b"] }), "{\n  b: unknown;\n}"),
        (json!({ "properties": { "a": a }, "additionalProperties": false }), "{\n  a?: string;\n}"),
        (
            json!({ "properties": { "a": a }, "additionalProperties": true }),
            "{\n  a?: string;\n  [key: string]: unknown;\n}",
        ),
        (
            json!({ "properties": { "a": a }, "additionalProperties": {} }),
            "{\n  a?: string;\n  [key: string]: unknown;\n}",
        ),
        (
            json!({ "properties": { "a": a }, "patternProperties": { "^x-": a } }),
            "{\n  a?: string;\n  [key: string]: unknown;\n}",
        ),
        (json!({ "properties": {} }), "{ [key: string]: unknown }"),
        (json!({ "properties": {}, "additionalProperties": false }), "Record<string, never>"),
    ];
    for (mut schema, expected) in table {
        schema["type"] = "object".into();
        assert_eq!(input(&schema), expected, "{schema}");
    }
}

#[test]
fn parts_are_put_together() {
    let schema = json!({
        "type": "object",
        "properties": { "a": { "type": "string" } },
        "additionalProperties": false,
        "anyOf": [{ "required": ["a"] }, { "maxProperties": 0 }],
    });
    assert_eq!(input(&schema), "{\n  a?: string;\n}");
    let schema = json!({
        "$defs": { "Base": { "type": "object", "required": ["id"], "properties": { "id": { "type": "string" } } } },
        "allOf": [{ "$ref": "#/$defs/Base" }, { "properties": { "x": { "type": "number" } } }],
    });
    let expected = "Tools[\"t\"][\"defs\"][\"Base\"] & {\n  x?: number;\n}";
    assert_eq!(input(&schema), expected);
    let schema = json!({
        "type": ["object", "null"],
        "oneOf": [{ "type": "null" }, { "properties": { "x": { "const": 1 } }, "required": ["x"] }],
    });
    assert_eq!(input(&schema), "null | {\n  x: 1;\n}");
}

#[test]
fn references_are_paths_into_the_owner() {
    let schema = json!({
        "type": "object",
        "properties": {
            "node": { "$ref": "#/$defs/Node" },
            "nodes": { "type": "array", "items": { "$ref": "#/$defs/Node" } },
            "again": { "$ref": "#" },
            "alias": { "$ref": "#/properties/nodes" },
            "anchored": { "$ref": "#named" },
            "odd": { "$ref": "#/$defs/a~1b%22" },
        },
        "additionalProperties": false,
        "$defs": {
            "Node": {
                "type": "object",
                "description": "A node",
                "properties": { "next": { "$ref": "#/$defs/Node" } },
                "additionalProperties": false,
            },
            "N2": { "$anchor": "named", "type": "string" },
            "a/b\"": { "type": "null" },
        },
    });
    let expected = r##"{
  node?: Tools["t"]["defs"]["Node"];
  nodes?: Tools["t"]["defs"]["Node"][];
  again?: Tools["t"]["input"];
  alias?: Tools["t"]["defs"]["#/properties/nodes"];
  anchored?: Tools["t"]["defs"]["N2"];
  odd?: Tools["t"]["defs"]["a/b\""];
}"##;
    assert_eq!(input(&schema), expected);
    let expected = r##"{
  /** A node */
  Node: {
    next?: Tools["t"]["defs"]["Node"];
  };
  N2: string;
  "a/b\"": null;
  "#/properties/nodes": Tools["t"]["defs"]["Node"][];
}"##;
    assert_eq!(defs(&schema).as_deref(), Some(expected));
    assert_eq!(defs(&json!({ "type": "object" })), None);
    let output = types_of(&schema, "Tools[\"t\"]", "output", false, 0).0;
    assert!(output.contains(r#"node?: Tools["t"]["outputDefs"]["Node"] | undefined;"#), "{output}");
    assert_eq!(defs_member("output"), "outputDefs");
}

/// Defaults are applied to the outermost value only.
#[test]
fn a_value_inside_has_no_defaults_applied() {
    let schema = json!({
        "type": "object",
        "properties": { "depth": { "type": "number", "default": 1 }, "inner": { "$ref": "#" } },
        "additionalProperties": false,
    });
    let expected = "{\n  depth: number;\n  inner?: Tools[\"t\"][\"defs\"][\"#\"];\n}";
    assert_eq!(input(&schema), expected);
    let expected = "{\n  \"#\": {\n    depth?: number;\n    inner?: Tools[\"t\"][\"defs\"][\"#\"];\n  };\n}";
    assert_eq!(defs(&schema).as_deref(), Some(expected));
}

/// TypeScript refuses a member that needs itself to be known.
#[test]
fn circular_types_are_cut() {
    let schema = json!({ "$defs": {
        "Json": { "anyOf": [
            { "type": "string" },
            { "type": "array", "items": { "$ref": "#/$defs/Json" } },
            { "type": "object", "additionalProperties": { "$ref": "#/$defs/Json" } },
        ] },
        "Loop": { "$ref": "#/$defs/Loop" },
    } });
    let expected =
        "{\n  Json: string | unknown[] | { [key: string]: Tools[\"t\"][\"defs\"][\"Json\"] };\n  Loop: unknown;\n}";
    assert_eq!(defs(&schema).as_deref(), Some(expected));
}

#[test]
fn older_drafts_read_differently() {
    let draft7 = "http://json-schema.org/draft-07/schema#";
    let table = [
        (
            json!({ "$schema": draft7, "type": "array", "items": [{ "type": "string" }], "additionalItems": false }),
            "[string?]",
        ),
        (json!({ "$schema": draft7, "type": "array", "prefixItems": [{ "type": "string" }] }), "unknown[]"),
        (
            json!({ "$schema": draft7, "$ref": "#/definitions/S", "type": "number", "definitions": { "S": {} } }),
            "Tools[\"t\"][\"defs\"][\"S\"]",
        ),
        (json!({ "type": "array", "items": [{ "type": "string" }] }), "unknown[]"),
    ];
    for (schema, expected) in table {
        assert_eq!(input(&schema), expected, "{schema}");
    }
}

#[test]
fn maps_of_members() {
    assert_eq!(object_type(&[], 0), "Record<string, never>");
    let entries = [
        ("LOG_LEVEL".to_string(), Some("How much".to_string()), "string".to_string()),
        ("a-b".to_string(), None, "number".to_string()),
    ];
    assert_eq!(object_type(&entries, 0), "{\n  /** How much */\n  LOG_LEVEL: string;\n  \"a-b\": number;\n}");
}

#[test]
fn a_wide_intersection_is_cut_before_typescript_gives_up() {
    let wide = json!({ "anyOf": (0..400).map(|i| json!({ "type": "object", "required": [format!("p{i}")] })).collect::<Vec<_>>() });
    let text = input(&json!({ "allOf": [wide, { "anyOf": [{ "required": ["q"] }, { "required": ["r"] }] }] }));
    assert!(text.contains(" & "));
    let text = input(&json!({ "allOf": [wide, { "oneOf": wide["anyOf"] , "type": "object" }, wide] }));
    assert!(!text.contains(" & "), "{}", text.len());
}

#[test]
fn no_depth_overflows_the_stack() {
    // `json!` itself would recurse.
    let around = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_string(), value)]));
    let mut schema = json!({ "type": "string" });
    for _ in 0..20_000 {
        let items = around("items", around("anyOf", Value::Array(vec![schema])));
        schema = items;
        schema["type"] = "array".into();
    }
    let printed = input(&schema);
    // Dropping it would recurse too.
    std::mem::forget(schema);
    assert!(printed.starts_with("unknown[][]"), "{printed}");
}

/// Outside strings and comments every bracket has its partner.
fn balanced(text: &str) -> bool {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skip = match c {
            '"' => match string_end(rest) {
                Some(end) => end,
                None => return false,
            },
            '/' => match rest.find("*/") {
                Some(end) if rest.starts_with("/**") => end + 2,
                _ => return false,
            },
            _ => c.len_utf8(),
        };
        match c {
            '{' | '[' | '(' | '<' => open.push(c),
            '}' | ']' | ')' | '>' => {
                let partner = open.pop();
                if !matches!((partner, c), (Some('{'), '}') | (Some('['), ']') | (Some('('), ')') | (Some('<'), '>')) {
                    return false;
                }
            }
            _ => {}
        }
        rest = &rest[skip..];
    }
    open.is_empty()
}

fn string_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(i + 1),
            '\n' => return None,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_the_schema_the_type_is_well_formed(schema in schema(), applied: bool) {
        let printed = types_of(&schema, "Tools[\"t\"]", "input", applied, 1).0;
        prop_assert!(balanced(&printed), "{printed}");
        let printed = types_of(&schema, "Tools[\"t\"]", "input", applied, 1).1.unwrap_or_default();
        prop_assert!(balanced(&printed), "{printed}");
    }
}
