//! The walk as a whole, and what the tests of the rules share.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::hostile::schema;
use super::*;
use Rows::{Property, Whole};

/// What the rows of a table are: whole schemas, or the schema of a property `p` of a tool's input.
#[derive(Clone, Copy)]
pub enum Rows {
    Whole(SchemaRole),
    Property,
}

/// Schema → what is said about it, each as `severity pointer: message [hint]`.
pub fn table(rows: Rows, cases: &[(&str, &[&str])]) {
    for (text, expected) in cases {
        let schema: Value = serde_json::from_str(text).unwrap();
        let (schema, role, prefix) = match rows {
            Whole(role) => (schema, role, ""),
            Property => {
                (json!({ "type": "object", "properties": { "p": schema } }), SchemaRole::ToolInput, "/properties/p")
            }
        };
        let said: Vec<String> = lint(&schema, role).iter().map(|p| tell(p, prefix)).collect();
        assert_eq!(&said, expected, "{text}");
    }
}

fn tell(problem: &SchemaProblem, prefix: &str) -> String {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let pointer = problem.pointer.strip_prefix(prefix).unwrap_or(&problem.pointer);
    let hint = problem.hint.as_ref().map_or(String::new(), |hint| format!(" [{hint}]"));
    format!("{severity} {pointer}: {}{hint}", problem.message)
}

#[test]
fn shapes() {
    table(
        Property,
        &[
            (r#"{"minLength":0,"items":true,"anyOf":[{}],"examples":[1],"exclusiveMinimum":5,"required":[]}"#, &[]),
            (
                r#""string""#,
                &[
                    r#"error : a schema must be an object, but this is the string `string` [did you mean `{ "type": "string" }`?]"#,
                ],
            ),
            (
                "5",
                &[
                    r#"error : a schema must be an object, but this is `5` [write a schema such as `{ "type": "string" }`]"#,
                ],
            ),
            (
                r#"["string"]"#,
                &[
                    r#"error : a schema must be an object, but this is a list [write a schema such as `{ "type": "string" }`]"#,
                ],
            ),
            (
                r#"{"items":"integer"}"#,
                &[
                    r#"error /items: `items` must be a schema, but is the string `integer` [did you mean `{ "type": "integer" }`?]"#,
                ],
            ),
            (
                r#"{"not":5}"#,
                &[r#"error /not: `not` must be a schema, but is `5` [write a schema such as `{ "type": "string" }`]"#],
            ),
            (
                r#"{"properties":{"inner":"text"}}"#,
                &[
                    r#"error /properties/inner: a schema must be an object, but this is the string `text` [did you mean `{ "type": "string" }`?]"#,
                ],
            ),
            (
                r#"{"allOf":[5]}"#,
                &[
                    r#"error /allOf/0: a schema must be an object, but this is `5` [write a schema such as `{ "type": "string" }`]"#,
                ],
            ),
            (
                r#"{"minLength":-1}"#,
                &["error /minLength: `minLength` must be a whole number of 0 or more, but is `-1`"],
            ),
            (
                r#"{"maxLength":1.5}"#,
                &["error /maxLength: `maxLength` must be a whole number of 0 or more, but is `1.5`"],
            ),
            (
                r#"{"required":true}"#,
                &[
                    "error /required: `required` must be a list of different names, but is `true` [list the names in the `required` of the object that has the properties]",
                ],
            ),
            (
                r#"{"required":["a","a"]}"#,
                &[
                    r#"error /required: `required` must be a list of different names, but is `["a","a"]` [list the names in the `required` of the object that has the properties]"#,
                ],
            ),
            (
                r#"{"items":[{"type":"string"}]}"#,
                &[
                    "error /items: `items` must be a schema, but is a list [list the schemas of a tuple in `prefixItems`]",
                ],
            ),
            (
                r#"{"exclusiveMinimum":true}"#,
                &[
                    "error /exclusiveMinimum: `exclusiveMinimum` must be a number, but is `true` [write the limit itself; `true` beside `minimum` or `maximum` is draft 4]",
                ],
            ),
            (r#"{"anyOf":[]}"#, &["error /anyOf: `anyOf` must be a list of at least one schema, but is an empty list"]),
            (r#"{"multipleOf":0}"#, &["error /multipleOf: `multipleOf` must be a number above 0, but is `0`"]),
            (
                r#"{"properties":[]}"#,
                &["error /properties: `properties` must be an object that maps names to schemas, but is an empty list"],
            ),
            (
                r#"{"additionalProperties":"no"}"#,
                &[
                    r#"error /additionalProperties: `additionalProperties` must be a schema, but is the string `no` [write a schema such as `{ "type": "string" }`]"#,
                ],
            ),
            (
                r#"{"examples":"x"}"#,
                &[
                    "error /examples: `examples` must be a list of values, but is the string `x` [put the example in `[…]`]",
                ],
            ),
            (r#"{"description":5}"#, &["error /description: `description` must be a string, but is `5`"]),
            (r#"{"enum":"a"}"#, &["error /enum: `enum` must be a list of values, but is the string `a`"]),
            (r#"{"pattern":5}"#, &["error /pattern: `pattern` must be a regular expression in a string, but is `5`"]),
            (
                r#"{"uniqueItems":"yes"}"#,
                &["error /uniqueItems: `uniqueItems` must be `true` or `false`, but is the string `yes`"],
            ),
            (
                r#"{"$anchor":"1 2"}"#,
                &[
                    "error /$anchor: `$anchor` must be a name of letters, digits, `-`, `_` and `.`, but is the string `1 2`",
                ],
            ),
            (
                r#"{"dependentRequired":{"a":"b"}}"#,
                &[
                    r#"error /dependentRequired: `dependentRequired` must be an object that maps names to lists of different names, but is `{"a":"b"}`"#,
                ],
            ),
        ],
    );
}

#[test]
fn unknown_keywords() {
    table(
        Property,
        &[
            (r#"{"x-internal":1,"widget":"slider","$comment":"x","deprecated":true,"contentEncoding":"base64"}"#, &[]),
            (
                r#"{"descripton":"x"}"#,
                &[
                    "warning /descripton: `descripton` is not a JSON Schema keyword, so it has no effect [did you mean `description`?]",
                ],
            ),
            (
                r#"{"minlength":3}"#,
                &[
                    "warning /minlength: `minlength` is not a JSON Schema keyword, so it has no effect [did you mean `minLength`?]",
                ],
            ),
            (
                r#"{"max_length":3}"#,
                &[
                    "warning /max_length: `max_length` is not a JSON Schema keyword, so it has no effect [did you mean `maxLength`?]",
                ],
            ),
            (
                r#"{"Title":"x"}"#,
                &["warning /Title: `Title` is not a JSON Schema keyword, so it has no effect [did you mean `title`?]"],
            ),
            (
                r#"{"enums":["a"]}"#,
                &["warning /enums: `enums` is not a JSON Schema keyword, so it has no effect [did you mean `enum`?]"],
            ),
            (
                r#"{"x-mcp-headr":"A"}"#,
                &[
                    "warning /x-mcp-headr: `x-mcp-headr` is not a JSON Schema keyword, so it has no effect [did you mean `x-mcp-header`?]",
                ],
            ),
            (
                r#"{"nullable":true}"#,
                &[
                    r#"warning /nullable: `nullable` is not a JSON Schema keyword, so it has no effect [list `null` in `type`, as in `["string", "null"]`]"#,
                ],
            ),
            (
                r#"{"optional":true}"#,
                &[
                    "warning /optional: `optional` is not a JSON Schema keyword, so it has no effect [leave the property out of the `required` of the object that holds it]",
                ],
            ),
            (
                r#"{"example":"x"}"#,
                &[
                    "warning /example: `example` is not a JSON Schema keyword, so it has no effect [use `examples`, which is a list]",
                ],
            ),
            (
                r#"{"min":1}"#,
                &[
                    "warning /min: `min` is not a JSON Schema keyword, so it has no effect [use `minimum`, `minLength` or `minItems`]",
                ],
            ),
            (
                r#"{"regex":"x"}"#,
                &["warning /regex: `regex` is not a JSON Schema keyword, so it has no effect [use `pattern`]"],
            ),
        ],
    );
}

#[test]
fn hostile_texts() {
    table(
        Property,
        &[
            (
                r#"{"type":"a`b\n\"c\\"}"#,
                &[
                    r#"error /type: `a'b\n"c\` is not a JSON Schema type, so no value would be valid [use one of `string`, `number`, `integer`, `boolean`, `null`, `array`, `object`]"#,
                ],
            ),
            (
                r#"{"type":"\u202e0123456789012345678901234567890123456789012345678901234567890123456789"}"#,
                &[
                    r#"error /type: `\u{202e}01234567890123456789012345678901234567890123456789012345678…` is not a JSON Schema type, so no value would be valid [use one of `string`, `number`, `integer`, `boolean`, `null`, `array`, `object`]"#,
                ],
            ),
            (
                r##"{"$ref":"#/\ud83d\ude00`"}"##,
                &["error /$ref: `$ref` `#/😀'` points to nothing in this schema [define it in `$defs`]"],
            ),
            (
                r#"{"pattern":"[\n"}"#,
                &[
                    r#"error /pattern: `pattern` `[\n` does not compile in JavaScript with the `u` flag: unbalanced bracket [try it as `new RegExp(pattern, "u")`]"#,
                ],
            ),
        ],
    );
}

#[test]
fn problems_come_in_document_order() {
    let schema = json!({
        "type": "object",
        "required": ["b"],
        "properties": {
            "z": { "maxLength": 1, "minLength": 2, "type": "strng" },
            "a": { "properties": { "constructor": {} }, "pattern": "(" },
        },
    });
    let places: Vec<_> = lint(&schema, SchemaRole::ToolInput).into_iter().map(|p| p.pointer).collect();
    let expected = [
        "/required/0",
        "/properties/z/minLength",
        "/properties/z/type",
        "/properties/a/properties/constructor",
        "/properties/a/pattern",
    ];
    assert_eq!(places, expected);
}

fn nested(levels: usize) -> Value {
    let around = |key: &str, value: Value| Value::Object(Map::from_iter([(key.to_string(), value)]));
    let inner = (1..levels).fold(json!({}), |schema, _| around("items", schema));
    let mut schema = inner;
    schema["type"] = "object".into();
    schema
}

#[test]
fn depth_is_limited() {
    assert_eq!(lint(&nested(MAX_DEPTH), SchemaRole::ToolInput), []);
    for levels in [MAX_DEPTH + 1, 50_000] {
        let schema = nested(levels);
        let problems = lint(&schema, SchemaRole::ToolInput);
        // Dropping it would recurse.
        std::mem::forget(schema);
        let said: Vec<_> = problems.iter().map(|p| tell(p, &"/items".repeat(MAX_DEPTH))).collect();
        let expected = "error : the schema is nested more than 100 levels deep, and validators recurse into every level \
                        [flatten it, or name the part that repeats in `$defs` and refer to it with `$ref`]";
        assert_eq!(said, [expected]);
    }
}

#[test]
fn long_chains_and_patterns_are_no_trouble() {
    let link = |i: usize| (format!("d{i}"), json!({ "$ref": format!("#/$defs/d{}", i + 1) }));
    let mut chain: Map<String, Value> = (0..3_000).map(link).collect();
    chain.insert("d3000".into(), json!({ "type": "string" }));
    let schema =
        json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/d0", "default": "x" } }, "$defs": chain });
    assert_eq!(lint(&schema, SchemaRole::ToolInput), []);
    for pattern in ["(".repeat(100_000), "(a{1000}){1000}{1000}".into(), "[a-z]".repeat(10_000)] {
        let schema = json!({ "type": "object", "patternProperties": { pattern.clone(): {} }, "pattern": pattern });
        lint(&schema, SchemaRole::ToolInput);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn whatever_the_schema_the_lint_says_each_thing_once(schema in schema()) {
        for role in [SchemaRole::ToolInput, SchemaRole::ToolOutput, SchemaRole::PromptArguments] {
            let problems = lint(&schema, role);
            prop_assert_eq!(&problems, &lint(&schema, role));
            for (i, problem) in problems.iter().enumerate() {
                prop_assert!(!problem.message.contains('\n'));
                prop_assert!(schema.pointer(&problem.pointer).is_some());
                prop_assert!(!problems[..i].contains(problem));
            }
        }
    }
}
