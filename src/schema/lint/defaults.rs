//! A `default` must be a value that its own schema takes.

use jsonschema::Registry;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::words::clip;
use super::{Lint, Site};

pub fn check_default(lint: &mut Lint, site: &Site) {
    if let Some(why) = refusal(lint, site) {
        lint.error(
            site.at(),
            format!("`default` does not match its own schema: {}", clip(&why, 200)),
            "correct the default, or the schema it is in",
        );
    }
}

/// Why the schema refuses its `default`. One that does not compile has other problems, which are reported elsewhere.
fn refusal(lint: &Lint, site: &Site) -> Option<String> {
    let options = jsonschema::options().with_draft(lint.dialect.draft).offline();
    let first = |validator: &jsonschema::Validator| Some(validator.iter_errors(site.value).next()?.to_string());
    if holds(site.schema, &["$dynamicRef", "$recursiveRef"]) {
        return None;
    }
    if !holds(site.schema, &["$ref"]) {
        return first(&options.build(&Value::Object(site.schema.clone())).ok()?);
    }
    if !lint.cycles.is_empty() {
        return None;
    }
    let prepare = || Registry::new().add(WHOLE, lint.root).ok()?.prepare().ok();
    let registry = lint.registry.get_or_init(prepare).as_ref()?;
    let place = json!({ "$ref": format!("{WHOLE}#{}", utf8_percent_encode(&site.place.pointer, FRAGMENT)) });
    first(&options.with_registry(registry).build(&place).ok()?)
}

/// What is encoded of a pointer in a URL's fragment.
const FRAGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'~');

/// What the schema is called when one of its parts is compiled.
const WHOLE: &str = "mcp-deploy:schema";

fn holds(schema: &Map<String, Value>, keys: &[&str]) -> bool {
    schema.iter().any(|(key, value)| {
        let below = |v: &Value| v.as_object().is_some_and(|map| holds(map, keys));
        keys.contains(&key.as_str()) || below(value) || value.as_array().is_some_and(|list| list.iter().any(below))
    })
}

#[cfg(test)]
mod tests {
    use crate::schema::lint::SchemaRole;
    use crate::schema::lint::tests::Rows::Whole;
    use crate::schema::lint::tests::table;

    #[test]
    fn defaults() {
        table(
            Whole(SchemaRole::ToolInput),
            &[
                (
                    r##"{"type":"object","properties":{"a":{"type":"string","default":"x"},"b":{"enum":["x",null],"default":null},"c/~ d":{"$ref":"#/$defs/N","default":1},"e":{"type":"string","format":"date","default":"today"}},"$defs":{"N":{"type":"number"}}}"##,
                    &[],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","default":5}}}"#,
                    &[
                        r#"error /properties/a/default: `default` does not match its own schema: `5 is not of type "string"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"enum":["celsius","fahrenheit"],"default":"kelvin"}}}"#,
                    &[
                        r#"error /properties/a/default: `default` does not match its own schema: `"kelvin" is not one of "celsius" or "fahrenheit"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"type":"string","pattern":"^\\d+$","default":"abc"}}}"#,
                    &[
                        r#"error /properties/a/default: `default` does not match its own schema: `"abc" does not match "^\d+$"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r##"{"type":"object","properties":{"c/~ d":{"$ref":"#/$defs/N","default":"x"}},"$defs":{"N":{"type":"number"}}}"##,
                    &[
                        r#"error /properties/c~1~0 d/default: `default` does not match its own schema: `"x" is not of type "number"` [correct the default, or the schema it is in]"#,
                    ],
                ),
                (
                    r#"{"type":"object","properties":{"a":{"properties":{"deep":{"maximum":3,"default":4}}}}}"#,
                    &[
                        "error /properties/a/properties/deep/default: `default` does not match its own schema: `4 is greater than the maximum of 3` [correct the default, or the schema it is in]",
                    ],
                ),
            ],
        );
    }
}
