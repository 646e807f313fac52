//! Each rule has what it refuses, and what is nearly that.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::lint::{SchemaRole, lint};
use super::{RULES, refused, too_many, unpopular};

/// An input, and each place with the rule that refuses it.
const SCHEMAS: &[(&str, &[(&str, &str)])] = &[
    // Two forms of one argument.
    (
        r#"{"type":"object","properties":{"yaml":{"type":"string"},"file":{"type":"string"}},"oneOf":[{"required":["yaml"]},{"required":["file"]}]}"#,
        &[("root-union", "/oneOf")],
    ),
    (r#"{"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]},{}]}"#, &[("root-union", "/anyOf")]),
    (r##"{"type":"object","allOf":[{"$ref":"#/$defs/A"}],"$defs":{"A":{}}}"##, &[("root-union", "/allOf")]),
    (r#"{"type":"object","properties":{"x":{"anyOf":[{"type":"string"},{"type":"object"}]}}}"#, &[]),
    (r#"{"type":"object","properties":{"oneOf":{"type":"string"},"allOf":{"type":"string"}}}"#, &[]),
    (r#"{"type":"object","not":{"minProperties":9}}"#, &[("root-value", "/not")]),
    (r#"{"type":"object","const":{}}"#, &[("root-value", "/const"), ("number-enum", "/const")]),
    (r#"{"type":"object","enum":[{}]}"#, &[("root-value", "/enum"), ("number-enum", "/enum")]),
    (r#"{"type":"object","properties":{"x":{"not":{"type":"null"}}}}"#, &[]),
    (r#"{"type":"object","properties":{"tags":{"type":"array"}}}"#, &[("array-items", "/properties/tags")]),
    (
        r#"{"type":"object","properties":{"rows":{"type":"array","items":{"type":"array"}}}}"#,
        &[("array-items", "/properties/rows/items")],
    ),
    (
        r#"{"type":"object","properties":{"pair":{"type":"array","prefixItems":[{"type":"string"}]}}}"#,
        &[("array-items", "/properties/pair")],
    ),
    (r#"{"type":"object","properties":{"x":{"type":["array","null"]}}}"#, &[("array-items", "/properties/x")]),
    (
        r##"{"type":"object","properties":{"x":{"$ref":"#/$defs/L"}},"$defs":{"L":{"type":"array"}}}"##,
        &[("array-items", "/$defs/L")],
    ),
    (r#"{"type":"object","properties":{"tags":{"type":"array","items":{}},"array":{"type":"string"}}}"#, &[]),
    (
        r#"{"type":"object","properties":{"level":{"type":"number","enum":[0.5,0.9]},"hops":{"anyOf":[{"const":1},{"const":2}]}}}"#,
        &[
            ("number-enum", "/properties/level/enum"),
            ("number-enum", "/properties/hops/anyOf/0/const"),
            ("number-enum", "/properties/hops/anyOf/1/const"),
        ],
    ),
    (r#"{"type":"object","properties":{"x":{"enum":["a",null]}}}"#, &[("number-enum", "/properties/x/enum")]),
    (r#"{"type":"object","properties":{"x":{"const":true}}}"#, &[("number-enum", "/properties/x/const")]),
    (
        r#"{"type":"object","properties":{"x":{"type":"array","items":{"enum":[1]}}}}"#,
        &[("number-enum", "/properties/x/items/enum")],
    ),
    (r#"{"type":"object","properties":{"x":{"enum":["1","2"]},"y":{"const":"a"},"const":{"minimum":1}}}"#, &[]),
    (r#"{"type":"object","properties":{"x":{"enum":["a",""]}}}"#, &[("empty-enum", "/properties/x/enum/1")]),
    (
        r#"{"type":"object","properties":{"x":{"type":"array","items":{"enum":["","a"]}}}}"#,
        &[("empty-enum", "/properties/x/items/enum/0")],
    ),
    (r#"{"type":"object","properties":{"x":{"enum":[" "]},"y":{"const":""}}}"#, &[]),
    (r#"{"type":"object","properties":{"a[]":{}}}"#, &[("property-name", "/properties/a[]")]),
    (
        r#"{"type":"object","properties":{"Start<":{},"größe":{}}}"#,
        &[("property-name", "/properties/Start<"), ("property-name", "/properties/größe")],
    ),
    (
        r#"{"type":"object","properties":{"a2345678901234567890123456789012345678901234567890123456789012345":{}}}"#,
        &[("property-name", "/properties/a2345678901234567890123456789012345678901234567890123456789012345")],
    ),
    // Deeper ones are not looked at.
    (r#"{"type":"object","properties":{"a.b-c_1":{"type":"object","properties":{"ö":{}}}}}"#, &[]),
    (r#"{"type":"object","properties":{"x":{"pattern":"^(?!null$)"}}}"#, &[("lookaround", "/properties/x/pattern")]),
    (r#"{"type":"object","properties":{"x":{"pattern":"a(?<=a)b"}}}"#, &[("lookaround", "/properties/x/pattern")]),
    (
        r#"{"type":"object","properties":{"x":{"type":"object","patternProperties":{"^(?=a)":{}}}}}"#,
        &[("lookaround", "/properties/x/patternProperties/^(?=a)")],
    ),
    (r#"{"type":"object","properties":{"x":{"pattern":"\\(?=a|[(?=]"}}}"#, &[]),
    (r#"{"type":"object","properties":{"x":{"pattern":"^\\p{L}+$"}}}"#, &[("python-pattern", "/properties/x/pattern")]),
    (r#"{"type":"object","properties":{"x":{"pattern":"(?<y>a)"}}}"#, &[("python-pattern", "/properties/x/pattern")]),
    (r#"{"type":"object","properties":{"x":{"pattern":"[^]"}}}"#, &[("python-pattern", "/properties/x/pattern")]),
    (
        r#"{"type":"object","properties":{"x":{"pattern":"\\u{1f600}"}}}"#,
        &[("python-pattern", "/properties/x/pattern")],
    ),
    (r#"{"type":"object","properties":{"x":{"pattern":"^[^\\]p{}]\\\\p\\d\\u00e9(?:a)$"}}}"#, &[]),
    (r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object"}"#, &[("old-dialect", "/$schema")]),
    (r#"{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"object"}"#, &[("old-dialect", "/$schema")]),
    (r#"{"$schema":"http://json-schema.org/draft-06/schema","type":"object"}"#, &[("old-dialect", "/$schema")]),
    (r#"{"$schema":"https://json-schema.org/draft/2020-12/schema#","type":"object"}"#, &[]),
    (
        r#"{"type":"object","properties":{"x":{"type":"string","properties":{"a":{}}}}}"#,
        &[("no-object", "/properties/x/properties")],
    ),
    (
        r#"{"type":"object","properties":{"x":{"type":"array","items":{},"required":["a"]}}}"#,
        &[("no-object", "/properties/x/required")],
    ),
    (r#"{"type":"object","properties":{"x":{"properties":{"a":{}},"required":["a"]}}}"#, &[]),
    (
        r#"{"type":"object","properties":{"x":{"type":"object","properties":{"a":{}},"anyOf":[{"required":["a"]}]}}}"#,
        &[("required-unknown", "/properties/x/anyOf/0/required/0")],
    ),
    (
        r#"{"type":"object","required":["total"],"additionalProperties":{"type":"number"}}"#,
        &[("required-unknown", "/required/0")],
    ),
    // What the lint says of it already.
    (r#"{"type":"object","properties":{"a":{}},"required":["b"]}"#, &[]),
    (r#"{"type":"object","properties":{"a":{}},"if":{"required":["a"]},"then":{"required":["b"]}}"#, &[]),
    (
        r##"{"type":"object","properties":{"x":{"$ref":"#/$defs/A","title":"X"}},"$defs":{"A":{"type":"string"}}}"##,
        &[("beside-ref", "/properties/x/$ref")],
    ),
    (
        r##"{"type":"object","properties":{"x":{"$ref":"#/$defs/A","description":"x","default":"a"}},"$defs":{"A":{"type":"string"}}}"##,
        &[],
    ),
    (
        r##"{"type":"object","properties":{"x":{"$ref":"#/$defs/N"}},"$defs":{"N":{"type":"object","properties":{"next":{"$ref":"#/$defs/N"}}}}}"##,
        &[("ref-circle", "/$defs/N/properties/next/$ref")],
    ),
    (
        r##"{"type":"object","properties":{"below":{"type":"array","items":{"$ref":"#"}}}}"##,
        &[("ref-circle", "/properties/below/items/$ref")],
    ),
    (
        r##"{"type":"object","properties":{"x":{"$ref":"#/$defs/A"},"y":{"$ref":"#/$defs/A"}},"$defs":{"A":{"$ref":"#/$defs/B"},"B":{}}}"##,
        &[],
    ),
];

/// Server, tool and description, and the rules that refuse them.
fn named() -> Vec<(&'static str, String, String, &'static [&'static str])> {
    let (name, text) = (|length| "n".repeat(length), |length| "d".repeat(length));
    vec![
        ("s", name(58), text(2048), &[]),
        ("s", name(59), text(1), &["name-cursor"]),
        ("weather-of-the-world", name(40), text(1), &["name-cursor"]),
        ("weather-of-the-world", name(39), text(1), &[]),
        ("s", name(64), text(1), &["name-cursor"]),
        ("s", name(65), text(1), &["name-length"]),
        ("s", "far.away".into(), text(1), &["name-dot"]),
        ("s", "far-away_1".into(), text(1), &[]),
        ("s", "a".into(), text(2049), &["description-length"]),
        ("s", "a".into(), "😀".repeat(1025), &["description-length"]),
    ]
}

/// The rules that were seen to refuse something.
fn seen() -> BTreeSet<&'static str> {
    let mut seen: BTreeSet<&'static str> = SCHEMAS.iter().flat_map(|(_, found)| *found).map(|(id, _)| *id).collect();
    seen.extend(named().iter().flat_map(|(.., ids)| *ids));
    seen.extend(too_many(1000).map(|rule| rule.id));
    seen
}

fn id(message: &str) -> &'static str {
    RULES.iter().find(|rule| rule.says == message).map(|rule| rule.id).unwrap()
}

#[test]
fn each_place_is_told_with_its_rule() {
    for (text, expected) in SCHEMAS {
        let schema: Value = serde_json::from_str(text).unwrap();
        let told = lint(&schema, SchemaRole::ToolInput);
        let mut found: Vec<(&str, String)> = refused(&schema, SchemaRole::ToolInput, &told)
            .iter()
            .map(|problem| (id(&problem.message), problem.pointer.clone()))
            .collect();
        found.iter_mut().for_each(|(_, place)| *place = place.replace("~1", "/"));
        let expected: Vec<(&str, String)> = expected.iter().map(|(id, place)| (*id, (*place).to_owned())).collect();
        assert_eq!(found, expected, "{text}");
        assert!(refused(&schema, SchemaRole::PromptArguments, &[]).is_empty());
        let of_output = refused(&schema, SchemaRole::ToolOutput, &[]);
        assert!(of_output.iter().all(|problem| id(&problem.message) == "old-dialect"), "{text}: {of_output:?}");
    }
}

#[test]
fn names_and_numbers() {
    for (server, tool, description, expected) in named() {
        let found: Vec<&str> = unpopular(server, &tool, &description).iter().map(|rule| rule.id).collect();
        assert_eq!(found, expected, "{server} {tool}");
    }
    for (tools, expected) in
        [(100, &[][..]), (101, &["tools-100"]), (128, &["tools-100"]), (129, &["tools-100", "tools-128"])]
    {
        assert_eq!(too_many(tools).map(|rule| rule.id).collect::<Vec<_>>(), expected, "{tools}");
    }
}

/// A rule that nothing was seen to break could be wrong about everything.
#[test]
fn every_rule_is_seen_and_names_who_says_so() {
    let seen = seen();
    let page = include_str!("../../../docs/clients.md");
    let mut ids = BTreeSet::new();
    for rule in RULES {
        assert!(seen.contains(rule.id), "`{}` refuses nothing here", rule.id);
        assert!(ids.insert(rule.id), "`{}` is there twice", rule.id);
        assert!(rule.source.starts_with("https://"), "{}", rule.id);
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", rule.id)));
        let row = row.unwrap_or_else(|| panic!("docs/clients.md has no row `{}`", rule.id));
        assert!(row.contains(rule.source) && row.contains(rule.date), "docs/clients.md says otherwise: {row}");
        assert!(rule.date.len() == 10 && rule.date.starts_with("202"), "{}", rule.id);
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, RULES.len(), "docs/clients.md has rows of no rule");
}
