//! The keywords of JSON Schema: where schemas stand in each, and which rule judges it.

use serde_json::Value;

use super::defaults::check_default;
use super::dialect::check_dialect;
use super::headers::check_header;
use super::pointer::join;
use super::properties::check_required;
use super::references::{check_anchor, check_id, check_reference};
use super::regex::{check_pattern, check_pattern_properties};
use super::values::{check_enum, check_format, check_lower_bound, check_type};
use super::{Lint, Site};

/// Where the schemas are in a keyword's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Value,
    Schema,
    List,
    Map,
    /// `items` and its like: one schema, or in older drafts a list.
    SchemaOrList,
}
use Shape::{List, Map as SchemaMap, Schema, SchemaOrList, Value as Plain};

pub type Rule = fn(&mut Lint, &Site);

pub struct Keyword {
    pub name: &'static str,
    pub shape: Shape,
    /// Ends the sentence "`name` must be …".
    pub wants: &'static str,
    /// What to do when it is not.
    pub hint: Option<&'static str>,
    pub check: Option<Rule>,
}

const fn keyword(name: &'static str, shape: Shape, wants: &'static str) -> Keyword {
    Keyword { name, shape, wants, hint: None, check: None }
}

impl Keyword {
    const fn hint(self, hint: &'static str) -> Keyword {
        Keyword { hint: Some(hint), ..self }
    }

    const fn check(self, check: Rule) -> Keyword {
        Keyword { check: Some(check), ..self }
    }
}

const SCHEMA: &str = "a schema";
const STRING: &str = "a string";
const NUMBER: &str = "a number";
const COUNT: &str = "a whole number of 0 or more";
const BOOL: &str = "`true` or `false`";
const SCHEMAS: &str = "a list of at least one schema";
const MAP: &str = "an object that maps names to schemas";
const ANCHOR: &str = "a name of letters, digits, `-`, `_` and `.`";
const LIMIT: &str = "write the limit itself; `true` beside `minimum` or `maximum` is draft 4";
const REQUIRED: &str = "list the names in the `required` of the object that has the properties";

pub static KEYWORDS: &[Keyword] = &[
    keyword("$schema", Plain, "the URI of a dialect").check(check_dialect),
    keyword("$id", Plain, "a URI reference without a fragment").check(check_id),
    keyword("id", Plain, STRING),
    keyword("$ref", Plain, "a reference such as `#/$defs/NAME`").check(check_reference),
    keyword("$dynamicRef", Plain, "a reference such as `#NAME`").check(check_reference),
    keyword("$recursiveRef", Plain, "`#`").check(check_reference),
    keyword("$recursiveAnchor", Plain, BOOL),
    keyword("$anchor", Plain, ANCHOR).check(check_anchor),
    keyword("$dynamicAnchor", Plain, ANCHOR),
    keyword("$vocabulary", Plain, "an object that maps URIs to `true` or `false`"),
    keyword("$comment", Plain, STRING),
    keyword("$defs", SchemaMap, MAP),
    keyword("definitions", SchemaMap, MAP),
    keyword("type", Plain, "the name of a type, or a list of different ones").check(check_type),
    keyword("enum", Plain, "a list of values").check(check_enum),
    keyword("const", Plain, "any value"),
    keyword("title", Plain, STRING),
    keyword("description", Plain, STRING),
    keyword("default", Plain, "any value").check(check_default),
    keyword("examples", Plain, "a list of values").hint("put the example in `[…]`"),
    keyword("deprecated", Plain, BOOL),
    keyword("readOnly", Plain, BOOL),
    keyword("writeOnly", Plain, BOOL),
    keyword("format", Plain, STRING).check(check_format),
    keyword("pattern", Plain, "a regular expression in a string").check(check_pattern),
    keyword("minLength", Plain, COUNT).check(check_lower_bound),
    keyword("maxLength", Plain, COUNT),
    keyword("contentEncoding", Plain, STRING),
    keyword("contentMediaType", Plain, STRING),
    keyword("contentSchema", Schema, SCHEMA),
    keyword("minimum", Plain, NUMBER).check(check_lower_bound),
    keyword("maximum", Plain, NUMBER),
    keyword("exclusiveMinimum", Plain, NUMBER).hint(LIMIT).check(check_lower_bound),
    keyword("exclusiveMaximum", Plain, NUMBER).hint(LIMIT),
    keyword("multipleOf", Plain, "a number above 0"),
    keyword("properties", SchemaMap, MAP),
    keyword("patternProperties", SchemaMap, "an object that maps patterns to schemas").check(check_pattern_properties),
    keyword("additionalProperties", Schema, SCHEMA),
    keyword("unevaluatedProperties", Schema, SCHEMA),
    keyword("propertyNames", Schema, SCHEMA),
    keyword("required", Plain, "a list of different names").hint(REQUIRED).check(check_required),
    keyword("minProperties", Plain, COUNT).check(check_lower_bound),
    keyword("maxProperties", Plain, COUNT),
    keyword("dependentRequired", Plain, "an object that maps names to lists of different names"),
    keyword("dependentSchemas", SchemaMap, MAP),
    keyword("dependencies", SchemaMap, "an object that maps names to schemas or lists of names"),
    keyword("items", SchemaOrList, SCHEMA).hint("list the schemas of a tuple in `prefixItems`"),
    keyword("prefixItems", List, SCHEMAS),
    keyword("additionalItems", Schema, SCHEMA),
    keyword("unevaluatedItems", Schema, SCHEMA),
    keyword("contains", Schema, SCHEMA),
    keyword("minContains", Plain, COUNT).check(check_lower_bound),
    keyword("maxContains", Plain, COUNT),
    keyword("minItems", Plain, COUNT).check(check_lower_bound),
    keyword("maxItems", Plain, COUNT),
    keyword("uniqueItems", Plain, BOOL),
    keyword("allOf", List, SCHEMAS),
    keyword("anyOf", List, SCHEMAS),
    keyword("oneOf", List, SCHEMAS),
    keyword("not", Schema, SCHEMA),
    keyword("if", Schema, SCHEMA),
    keyword("then", Schema, SCHEMA),
    keyword("else", Schema, SCHEMA),
    keyword("x-mcp-header", Plain, "the name of a header").check(check_header),
];

/// Keywords that apply their schemas to the very value at hand, so that a `$ref` cycle through them never ends.
pub const IN_PLACE: &[&str] =
    &["allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas", "dependencies"];

/// What they are called.
pub fn names() -> Vec<&'static str> {
    KEYWORDS.iter().map(|keyword| keyword.name).collect()
}

pub fn known(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|k| k.name == name)
}

/// The schemas right below a keyword: pointer, name in a map, schema.
pub fn children<'a>(keyword: &Keyword, pointer: &str, value: &'a Value) -> Vec<(String, Option<&'a str>, &'a Value)> {
    match (keyword.shape, value) {
        (SchemaMap, Value::Object(map)) => {
            let named = map.iter().map(|(k, v)| (join(pointer, k), Some(k.as_str()), v));
            named.collect()
        }
        (List | SchemaOrList, Value::Array(list)) => {
            let numbered = list.iter().enumerate().map(|(i, v)| (format!("{pointer}/{i}"), None, v));
            numbered.collect()
        }
        (Schema | SchemaOrList, value) => vec![(pointer.to_string(), None, value)],
        _ => Vec::new(),
    }
}
