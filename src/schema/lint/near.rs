//! What somebody may have meant.

use serde_json::Value;

use super::values::TYPES;

/// What other languages call a type.
const TYPE_ALIASES: &[(&str, &[&str])] = &[
    ("string", &["str", "text", "char", "date", "datetime"]),
    ("integer", &["int", "long", "int32", "int64", "uint"]),
    ("number", &["float", "double", "decimal"]),
    ("boolean", &["bool"]),
    ("null", &["none", "nil", "undefined"]),
    ("array", &["list", "vec", "tuple", "set"]),
    ("object", &["dict", "map", "record", "struct"]),
];

/// Keywords of other schema languages, and what JSON Schema has for them.
pub const KEYWORD_ALIASES: &[(&str, &str)] = &[
    ("nullable", "list `null` in `type`, as in `[\"string\", \"null\"]`"),
    ("optional", "leave the property out of the `required` of the object that holds it"),
    ("min", "use `minimum`, `minLength` or `minItems`"),
    ("max", "use `maximum`, `maxLength` or `maxItems`"),
    ("regex", "use `pattern`"),
    ("values", "use `enum`"),
    ("choices", "use `enum`"),
    ("desc", "use `description`"),
    ("example", "use `examples`, which is a list"),
    ("discriminator", "use a `const` property in every branch of `oneOf`"),
];

/// What to write where a schema is missing.
pub fn schema_hint(found: &Value) -> String {
    match found.as_str().and_then(nearest_type) {
        Some(name) => format!("did you mean `{{ \"type\": \"{name}\" }}`?"),
        None => "write a schema such as `{ \"type\": \"string\" }`".into(),
    }
}

pub fn nearest_type(name: &str) -> Option<&'static str> {
    let lower = name.to_lowercase();
    let same = TYPES.iter().copied().find(|t| *t == lower);
    let alias = TYPE_ALIASES.iter().find(|(_, aliases)| aliases.contains(&lower.as_str())).map(|(name, _)| *name);
    same.or(alias).or_else(|| nearest(&lower, TYPES.iter().copied()))
}

/// The candidate most like `name`, when it is near enough to be a slip.
pub fn nearest<'c>(name: &str, candidates: impl Iterator<Item = &'c str>) -> Option<&'c str> {
    let length = name.chars().count();
    if length > 200 {
        return None;
    }
    let slips = if length <= 5 { 1 } else { 2 };
    candidates
        .filter(|c| c.len() <= 4 * (length + slips))
        .map(|c| (strsim::damerau_levenshtein(name, c), c))
        .filter(|(distance, c)| *distance <= slips && *distance < c.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}
