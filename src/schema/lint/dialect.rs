//! The dialects of JSON Schema that the server's validator knows.

use jsonschema::meta::MetaValidator;
use jsonschema::{Draft, draft6, draft7, draft201909, draft202012};
use serde_json::Value;

use super::words::show;
use super::{Lint, Site};

#[derive(Clone, Copy)]
pub struct Dialect {
    /// Without its scheme and a closing `#`, which the server's validator ignores too.
    uri: &'static str,
    pub draft: Draft,
    /// Compiled once and kept by the crate.
    pub meta: fn() -> MetaValidator<'static>,
}

const DIALECTS: &[Dialect] = &[
    Dialect {
        uri: "json-schema.org/draft/2020-12/schema",
        draft: Draft::Draft202012,
        meta: draft202012::meta::validator,
    },
    Dialect {
        uri: "json-schema.org/draft/2019-09/schema",
        draft: Draft::Draft201909,
        meta: draft201909::meta::validator,
    },
    Dialect { uri: "json-schema.org/draft-07/schema", draft: Draft::Draft7, meta: draft7::meta::validator },
    Dialect { uri: "json-schema.org/draft-06/schema", draft: Draft::Draft6, meta: draft6::meta::validator },
];

impl Dialect {
    fn named(uri: &str) -> Option<Dialect> {
        let uri = uri.strip_suffix('#').unwrap_or(uri);
        let bare = uri.strip_prefix("https://").or(uri.strip_prefix("http://"))?;
        DIALECTS.iter().find(|d| d.uri == bare).copied()
    }

    /// Draft 6 and 7 have no anchors but `$id`s, and ignore whatever stands beside a `$ref`.
    pub fn is_old(self) -> bool {
        matches!(self.draft, Draft::Draft7 | Draft::Draft6)
    }

    /// Elsewhere a tuple is a list in `items`.
    pub fn has_prefix_items(self) -> bool {
        self.draft == Draft::Draft202012
    }

    /// A schema that names no dialect, or one we do not know, is read as 2020-12.
    pub fn of(root: &Value) -> Dialect {
        let named = root.get("$schema").and_then(Value::as_str);
        named.and_then(Dialect::named).unwrap_or(DIALECTS[0])
    }
}

pub fn check_dialect(lint: &mut Lint, site: &Site) {
    let Some(uri) = site.value.as_str() else {
        return;
    };
    if Dialect::named(uri).is_none() {
        lint.error(
            site.at(),
            format!("`$schema` is {}, a dialect the server does not know: every request would fail", show(uri)),
            "remove it, or name `https://json-schema.org/draft/2020-12/schema`",
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::lint::SchemaRole;
    use crate::schema::lint::tests::Rows::Whole;
    use crate::schema::lint::tests::table;

    #[test]
    fn dialects() {
        table(
            Whole(SchemaRole::ToolInput),
            &[
                (r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object"}"#, &[]),
                (
                    r##"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"a":{"items":[{"type":"string"}]},"b":{"$id":"#b"},"c":{"$ref":"#b"}},"dependencies":{"a":["b"],"b":{"required":["a"]}}}"##,
                    &[],
                ),
                (r#"{"$schema":"http://json-schema.org/draft-06/schema","type":"object"}"#, &[]),
                (
                    r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"object","properties":{"again":{"$recursiveRef":"#"}}}"##,
                    &[],
                ),
                (
                    r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"object"}"#,
                    &[
                        "error /$schema: `$schema` is `http://json-schema.org/draft-04/schema#`, a dialect the server does not know: every request would fail [remove it, or name `https://json-schema.org/draft/2020-12/schema`]",
                    ],
                ),
                (
                    r#"{"$schema":5,"type":"object"}"#,
                    &["error /$schema: `$schema` must be the URI of a dialect, but is `5`"],
                ),
                (
                    r#"{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","properties":{"a":{"items":[{"type":"strng"},5]},"b":{"enum":[]}},"dependencies":{"a":[5],"c":"d","b":{"minLength":-1}}}"#,
                    &[
                        "error /properties/a/items/0/type: `strng` is not a JSON Schema type, so no value would be valid [did you mean `string`?]",
                        r#"error /properties/a/items/1: a schema must be an object, but this is `5` [write a schema such as `{ "type": "string" }`]"#,
                        "error /properties/b/enum: `enum` is empty, so no value would be valid [list the values it may have, or remove it]",
                        r#"error /dependencies/a/0: this is not valid JSON Schema: `5 is not of type "string"`"#,
                        r#"error /dependencies/c: a schema must be an object, but this is the string `d` [write a schema such as `{ "type": "string" }`]"#,
                        "error /dependencies/b/minLength: `minLength` must be a whole number of 0 or more, but is `-1`",
                    ],
                ),
                (
                    r##"{"$schema":"https://json-schema.org/draft/2019-09/schema","type":"object","$recursiveRef":"#"}"##,
                    &[
                        "error /$recursiveRef: `$recursiveRef` `#` leads back to itself without entering a property or an item: checking a value would never end [put the recursion inside `properties` or `items`]",
                    ],
                ),
            ],
        );
    }
}
