//! The short form of a schema on the command line: `NAME:TYPE[?][=DEFAULT] - description`.

use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::manifest::nearest;

/// What `--help` and every error say about the form.
pub const FORM: &str = "NAME:TYPE[?][=DEFAULT][ - DESCRIPTION]";

const TYPES: [&str; 7] = ["string", "number", "integer", "boolean", "string[]", "number[]", "object"];

/// One parsed parameter: its name and its entry in `[tools.NAME.input]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    pub name: String,
    pub entry: Value,
}

impl std::str::FromStr for Param {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let hint = format!(
            "the form is `{FORM}`, such as `city:string - City name` or `units:enum(celsius,fahrenheit)=celsius`"
        );
        parse(text).map_err(|problem| Error::new(problem).hint(hint))
    }
}

fn parse(text: &str) -> Result<Param, String> {
    let (name, rest) = text.split_once(':').ok_or_else(|| format!("`{text}` has no `:` between name and type"))?;
    let name = name.trim();
    if name.is_empty() || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("`{text}` has no usable name before the `:`"));
    }
    let (head, description) = match split_description(rest) {
        Some((head, description)) => (head, Some(description.trim())),
        None => (rest, None),
    };
    let (type_part, default) = match split_default(head) {
        Some((type_part, default)) => (type_part, Some(default.trim())),
        None => (head, None),
    };
    let type_part = type_part.trim();
    let (type_name, optional) = match type_part.strip_suffix('?') {
        Some(type_name) => (type_name.trim(), true),
        None => (type_part, false),
    };
    let mut entry = schema(type_name)?;
    if let Some(description) = description {
        entry.insert("description".into(), description.into());
    }
    if let Some(default) = default {
        entry.insert(
            "default".into(),
            value(default, &entry).map_err(|problem| format!("the default of `{name}` {problem}"))?,
        );
    }
    if optional && default.is_none() {
        entry.insert("optional".into(), true.into());
    }
    Ok(Param { name: name.to_owned(), entry: entry.into() })
}

/// Splits at the first ` - ` outside the parentheses of an enum.
fn split_description(text: &str) -> Option<(&str, &str)> {
    let from = text.find("enum(").and_then(|at| text[at..].find(')').map(|end| at + end)).unwrap_or(0);
    text[from..].find(" - ").map(|at| (&text[..from + at], &text[from + at + 3..]))
}

fn split_default(text: &str) -> Option<(&str, &str)> {
    let from = text.find("enum(").and_then(|at| text[at..].find(')').map(|end| at + end)).unwrap_or(0);
    text[from..].find('=').map(|at| (&text[..from + at], &text[from + at + 1..]))
}

fn schema(type_name: &str) -> Result<Map<String, Value>, String> {
    if let Some(values) = type_name.strip_prefix("enum(") {
        let values = values.strip_suffix(')').ok_or_else(|| format!("`{type_name}` has no closing `)`"))?;
        let values: Vec<&str> = values.split(',').map(str::trim).collect();
        if values.iter().any(|value| value.is_empty()) {
            return Err(format!("`{type_name}` has an empty value"));
        }
        return Ok(Map::from_iter([("type".into(), json!("string")), ("enum".into(), json!(values))]));
    }
    let schema = match type_name {
        "string" | "number" | "integer" | "boolean" | "object" => json!({ "type": type_name }),
        "string[]" => json!({ "type": "array", "items": { "type": "string" } }),
        "number[]" => json!({ "type": "array", "items": { "type": "number" } }),
        other => {
            let hint = nearest(other, TYPES.into_iter())
                .unwrap_or_else(|| format!("known are {}, enum(a,b)", TYPES.join(", ")));
            return Err(format!("`{other}` is not a type: {hint}"));
        }
    };
    Ok(schema.as_object().cloned().unwrap_or_default())
}

fn value(text: &str, schema: &Map<String, Value>) -> Result<Value, String> {
    let type_name = schema["type"].as_str().unwrap_or_default();
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return match values.iter().find(|value| *value == text) {
            Some(value) => Ok(value.clone()),
            None => Err(format!("is `{text}`, which is not one of its values")),
        };
    }
    let parsed = match type_name {
        "string" => Some(json!(text)),
        "integer" => text.parse::<i64>().ok().map(Value::from),
        "number" => text
            .parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(|_| serde_json::from_str(text).unwrap_or_else(|_| json!(text.parse::<f64>().unwrap_or_default()))),
        "boolean" => text.parse::<bool>().ok().map(Value::from),
        "array" => serde_json::from_str(text).ok().filter(Value::is_array),
        _ => serde_json::from_str(text).ok().filter(Value::is_object),
    };
    parsed.ok_or_else(|| match type_name {
        "array" => format!("is `{text}`; write a JSON array, such as `[1, 2]`"),
        "object" => format!("is `{text}`; write a JSON object, such as `{{\"a\": 1}}`"),
        "integer" => format!("is `{text}`, which is not an integer"),
        other => format!("is `{text}`, which is not a {other}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Value {
        parse(text).unwrap().entry
    }

    #[test]
    fn truth_table() {
        let table = [
            ("city:string", json!({ "type": "string" })),
            (
                "city:string - City name - or coordinates",
                json!({ "type": "string", "description": "City name - or coordinates" }),
            ),
            ("n:integer=3 - How many", json!({ "type": "integer", "description": "How many", "default": 3 })),
            ("n:number?", json!({ "type": "number", "optional": true })),
            ("n:number=1.5", json!({ "type": "number", "default": 1.5 })),
            ("b:boolean=false", json!({ "type": "boolean", "default": false })),
            ("tags:string[]?", json!({ "type": "array", "items": { "type": "string" }, "optional": true })),
            ("xs:number[]=[1, 2]", json!({ "type": "array", "items": { "type": "number" }, "default": [1, 2] })),
            ("o:object={\"a\": 1}", json!({ "type": "object", "default": { "a": 1 } })),
            (
                "u:enum(a = b, c - d)? - which",
                json!({ "type": "string", "enum": ["a = b", "c - d"], "description": "which", "optional": true }),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(entry(text), expected, "{text}");
        }
        assert_eq!(
            entry("u:enum(celsius, fahrenheit)=celsius - Units"),
            json!({ "type": "string", "enum": ["celsius", "fahrenheit"], "description": "Units", "default": "celsius" })
        );
        assert_eq!(entry("s:string="), json!({ "type": "string", "default": "" }));
    }

    #[test]
    fn says_what_is_wrong() {
        let table = [
            ("city", "`city` has no `:` between name and type"),
            (":string", "`:string` has no usable name before the `:`"),
            (
                "n:int",
                "`int` is not a type: known are string, number, integer, boolean, string[], number[], object, enum(a,b)",
            ),
            ("n:interger", "`interger` is not a type: did you mean `integer`?"),
            ("n:integer=x", "the default of `n` is `x`, which is not an integer"),
            ("b:boolean=yes", "the default of `b` is `yes`, which is not a boolean"),
            ("e:enum(a,b)=c", "the default of `e` is `c`, which is not one of its values"),
            ("e:enum(a,,b)", "`enum(a,,b)` has an empty value"),
            ("e:enum(a", "`enum(a` has no closing `)`"),
            ("x:number[]=1", "the default of `x` is `1`; write a JSON array, such as `[1, 2]`"),
        ];
        for (text, message) in table {
            assert_eq!(parse(text).unwrap_err(), message);
        }
    }
}
