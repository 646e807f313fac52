//! Rules for keywords whose values hold no schema: types, enumerations, formats, bounds.

use std::collections::HashSet;

use serde_json::Value;

use super::near::{nearest, nearest_type};
use super::words::{show, show_value};
use super::{Lint, Site};

pub const TYPES: &[&str] = &["string", "number", "integer", "boolean", "null", "array", "object"];

/// Formats the server's validator checks, then the standard ones it takes as a remark.
const FORMATS: &[&str] = &[
    "date",
    "time",
    "date-time",
    "duration",
    "uri",
    "uri-reference",
    "uri-template",
    "url",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "regex",
    "uuid",
    "json-pointer",
    "json-pointer-uri-fragment",
    "relative-json-pointer",
    "idn-email",
    "idn-hostname",
    "iri",
    "iri-reference",
];

/// Lower bound, its upper bound, and whether the two may be equal.
const BOUNDS: &[(&str, &str, bool)] = &[
    ("minimum", "maximum", true),
    ("minimum", "exclusiveMaximum", false),
    ("exclusiveMinimum", "maximum", false),
    ("exclusiveMinimum", "exclusiveMaximum", false),
    ("minLength", "maxLength", true),
    ("minItems", "maxItems", true),
    ("minProperties", "maxProperties", true),
    ("minContains", "maxContains", true),
];

pub fn check_type(lint: &mut Lint, site: &Site) {
    let names = match site.value {
        Value::Array(names) => names.as_slice(),
        one => std::slice::from_ref(one),
    };
    for (i, name) in names.iter().enumerate() {
        let Some(name) = name.as_str().filter(|n| !TYPES.contains(n)) else {
            continue;
        };
        let hint = match nearest_type(name) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use one of `{}`", TYPES.join("`, `")),
        };
        lint.error(
            if site.value.is_array() { site.item(i) } else { site.at() },
            format!("{} is not a JSON Schema type, so no value would be valid", show(name)),
            hint,
        );
    }
}

pub fn check_enum(lint: &mut Lint, site: &Site) {
    let Some(values) = site.value.as_array() else {
        return;
    };
    if values.is_empty() {
        lint.error(
            site.at(),
            "`enum` is empty, so no value would be valid".into(),
            "list the values it may have, or remove it",
        );
    }
    // `1` and `1.0` are one number.
    let plain = |value: &Value| value.as_f64().map_or_else(|| value.clone(), Value::from);
    let mut seen = HashSet::new();
    for (i, value) in values.iter().enumerate() {
        if !seen.insert(plain(value)) {
            lint.error(
                site.item(i),
                format!("`enum` lists {} twice, which some validators refuse", show_value(value)),
                "remove one of the two",
            );
        }
    }
}

pub fn check_format(lint: &mut Lint, site: &Site) {
    let Some(name) = site.value.as_str().filter(|name| !FORMATS.contains(name)) else {
        return;
    };
    let hint = match nearest(name, FORMATS.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "use a `pattern`, or say it in the `description`".into(),
    };
    lint.warn(site.at(), format!("{} is not a format the server knows, so nothing checks it", show(name)), hint);
}

/// A pair of bounds is reported at the lower one.
pub fn check_lower_bound(lint: &mut Lint, site: &Site) {
    for (_, high, may_be_equal) in BOUNDS.iter().filter(|(low, ..)| *low == site.key) {
        let Some(upper) = site.schema.get(*high) else {
            continue;
        };
        let (Some(min), Some(max)) = (site.value.as_f64(), upper.as_f64()) else {
            continue;
        };
        if min > max || (min == max && !may_be_equal) {
            lint.error(
                site.at(),
                format!(
                    "`{}` {} and `{high}` {} leave no valid value",
                    site.key,
                    show_value(site.value),
                    show_value(upper)
                ),
                "swap the two, or correct one of them",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::schema::lint::tests::Rows::Property;
    use crate::schema::lint::tests::table;

    #[test]
    fn types() {
        table(
            Property,
            &[
                (r#"{"type":"string"}"#, &[]),
                (r#"{"type":["string","null"]}"#, &[]),
                (
                    r#"{"type":"strng"}"#,
                    &[
                        "error /type: `strng` is not a JSON Schema type, so no value would be valid [did you mean `string`?]",
                    ],
                ),
                (
                    r#"{"type":"int"}"#,
                    &[
                        "error /type: `int` is not a JSON Schema type, so no value would be valid [did you mean `integer`?]",
                    ],
                ),
                (
                    r#"{"type":"zebra"}"#,
                    &[
                        "error /type: `zebra` is not a JSON Schema type, so no value would be valid [use one of `string`, `number`, `integer`, `boolean`, `null`, `array`, `object`]",
                    ],
                ),
                (
                    r#"{"type":["string","nul"]}"#,
                    &[
                        "error /type/1: `nul` is not a JSON Schema type, so no value would be valid [did you mean `null`?]",
                    ],
                ),
                (
                    r#"{"type":5}"#,
                    &["error /type: `type` must be the name of a type, or a list of different ones, but is `5`"],
                ),
                (
                    r#"{"type":[]}"#,
                    &[
                        "error /type: `type` must be the name of a type, or a list of different ones, but is an empty list",
                    ],
                ),
                (
                    r#"{"type":["string","string"]}"#,
                    &[
                        r#"error /type: `type` must be the name of a type, or a list of different ones, but is `["string","string"]`"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn enums() {
        table(
            Property,
            &[
                (r#"{"enum":["a","b",1,"1",null]}"#, &[]),
                (
                    r#"{"enum":[]}"#,
                    &[
                        "error /enum: `enum` is empty, so no value would be valid [list the values it may have, or remove it]",
                    ],
                ),
                (
                    r#"{"enum":["x","y","x"]}"#,
                    &["error /enum/2: `enum` lists `x` twice, which some validators refuse [remove one of the two]"],
                ),
                (
                    r#"{"enum":[1,1.0]}"#,
                    &["error /enum/1: `enum` lists `1.0` twice, which some validators refuse [remove one of the two]"],
                ),
                (
                    r#"{"enum":[{"a":1,"b":2},{"b":2,"a":1}]}"#,
                    &[
                        r#"error /enum/1: `enum` lists `{"b":2,"a":1}` twice, which some validators refuse [remove one of the two]"#,
                    ],
                ),
            ],
        );
    }

    #[test]
    fn formats() {
        table(
            Property,
            &[
                (r#"{"format":"date-time"}"#, &[]),
                (r#"{"format":"iri"}"#, &[]),
                (
                    r#"{"format":"date-tme"}"#,
                    &[
                        "warning /format: `date-tme` is not a format the server knows, so nothing checks it [did you mean `date-time`?]",
                    ],
                ),
                (
                    r#"{"format":"int64"}"#,
                    &[
                        "warning /format: `int64` is not a format the server knows, so nothing checks it [use a `pattern`, or say it in the `description`]",
                    ],
                ),
                (
                    r#"{"format":"__proto__"}"#,
                    &[
                        "warning /format: `__proto__` is not a format the server knows, so nothing checks it [use a `pattern`, or say it in the `description`]",
                    ],
                ),
            ],
        );
    }

    #[test]
    fn bounds() {
        table(
            Property,
            &[
                (
                    r#"{"minimum":3,"maximum":3,"minLength":1,"maxLength":2,"exclusiveMinimum":1,"exclusiveMaximum":4}"#,
                    &[],
                ),
                (
                    r#"{"minimum":5,"maximum":3}"#,
                    &[
                        "error /minimum: `minimum` `5` and `maximum` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minLength":5,"maxLength":3}"#,
                    &[
                        "error /minLength: `minLength` `5` and `maxLength` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minItems":5,"maxItems":3}"#,
                    &[
                        "error /minItems: `minItems` `5` and `maxItems` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minProperties":5,"maxProperties":3}"#,
                    &[
                        "error /minProperties: `minProperties` `5` and `maxProperties` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minContains":5,"maxContains":3}"#,
                    &[
                        "error /minContains: `minContains` `5` and `maxContains` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"exclusiveMinimum":3,"maximum":3}"#,
                    &[
                        "error /exclusiveMinimum: `exclusiveMinimum` `3` and `maximum` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"minimum":3,"exclusiveMaximum":3}"#,
                    &[
                        "error /minimum: `minimum` `3` and `exclusiveMaximum` `3` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
                (
                    r#"{"exclusiveMinimum":2.5,"exclusiveMaximum":2.5}"#,
                    &[
                        "error /exclusiveMinimum: `exclusiveMinimum` `2.5` and `exclusiveMaximum` `2.5` leave no valid value [swap the two, or correct one of them]",
                    ],
                ),
            ],
        );
    }
}
