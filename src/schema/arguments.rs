//! Whether a tool takes the arguments of a call.

use serde_json::Value;

use crate::ui;

/// Reasons that are given at most.
const MOST: usize = 20;
/// Characters of one reason.
const LONGEST: usize = 200;

/// Why a tool with this input schema refuses the arguments; empty where it takes them. Formats are left to the server,
/// as is a schema that does not compile here.
pub fn refusals(schema: &Value, arguments: &Value) -> Vec<String> {
    let options = jsonschema::options().should_validate_formats(false).offline();
    let Ok(validator) = options.build(schema) else { return Vec::new() };
    let arguments = with_defaults(schema, arguments);
    let reason = |error: jsonschema::ValidationError<'_>| {
        let place = error.instance_path().to_string();
        let at = if place.is_empty() { String::new() } else { format!("`{place}`: ") };
        format!("{at}{}", ui::shorten(&error.to_string(), LONGEST))
    };
    validator.iter_errors(&arguments).take(MOST).map(reason).collect()
}

/// The defaults of top-level properties are filled in before the server looks.
fn with_defaults(schema: &Value, arguments: &Value) -> Value {
    let mut filled = arguments.clone();
    let Value::Object(given) = &mut filled else { return filled };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(default) = property.get("default") {
            given.entry(name.as_str()).or_insert_with(|| default.clone());
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_reason_has_its_place() {
        let schema = json!({
            "type": "object",
            "properties": {
                "city": { "type": "string" },
                "days": { "type": "integer", "default": 3 },
                "at": { "type": "string", "format": "date" },
                "inner": { "$ref": "#/$defs/Inner" },
            },
            "required": ["city", "days"],
            "additionalProperties": false,
            "$defs": { "Inner": { "type": "object", "properties": { "n": { "maximum": 3 } } } },
        });
        assert!(refusals(&schema, &json!({ "city": "Oslo", "at": "today", "inner": { "n": 3 } })).is_empty());
        let wrong = json!({ "city": 5, "inner": { "n": 4 }, "extra": 1 });
        assert_eq!(
            refusals(&schema, &wrong),
            [
                "`/city`: 5 is not of type \"string\"",
                "`/inner/n`: 4 is greater than the maximum of 3",
                "Additional properties are not allowed ('extra' was unexpected)",
            ]
        );
        assert_eq!(refusals(&schema, &json!({})), ["\"city\" is a required property"]);
        let long = refusals(&schema, &json!({ "city": ["x".repeat(1000)] }));
        assert!(long.len() == 1 && long[0].chars().count() < 220, "{long:?}");
    }

    #[test]
    fn what_does_not_compile_here_is_left_to_the_server() {
        assert!(refusals(&json!({ "$ref": "https://example.com/schema" }), &json!({ "a": 1 })).is_empty());
        let many: serde_json::Map<_, _> = (0..100).map(|at| (at.to_string(), json!(1))).collect();
        let strings = json!({ "additionalProperties": { "type": "string" } });
        assert_eq!(refusals(&strings, &many.into()).len(), MOST);
    }
}
