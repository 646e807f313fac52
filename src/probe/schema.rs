//! What a tool's schemas tell a client: headers to mirror, arguments that break it, an answer that does not fit.

use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Map, Value, json};

/// The `Mcp-Param-…` headers of a call: the arguments that the schema marks with `x-mcp-header`.
pub fn mirrored(tool: &Value, arguments: &Value) -> Vec<(String, String)> {
    let mut headers = Vec::new();
    collect(&tool["inputSchema"], arguments, &mut headers);
    headers
}

fn collect(schema: &Value, arguments: &Value, headers: &mut Vec<(String, String)>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let Some(argument) = arguments.get(name) else {
            continue;
        };
        let text = match argument {
            Value::String(text) => Some(text.clone()),
            Value::Number(_) | Value::Bool(_) => Some(argument.to_string()),
            _ => None,
        };
        let header = property["x-mcp-header"].as_str().map(str::to_owned);
        headers.extend(header.zip(text));
        collect(property, argument, headers);
    }
}

/// Of a hundred thousand tools without a constraint not each is looked at.
const MOST_TRIED: usize = 50;

/// A tool, and arguments its own schema refuses. Tools that only read come first: a careless server runs the call.
pub fn violation(tools: &[Value]) -> Option<(&Value, Value)> {
    let harm = |tool: &&Value| match (&tool["annotations"]["readOnlyHint"], &tool["annotations"]["destructiveHint"]) {
        (Value::Bool(true), _) => 0,
        (_, Value::Bool(false)) => 1,
        _ => 2,
    };
    let mut tools: Vec<&Value> = tools.iter().collect();
    tools.sort_by_key(harm);
    tools.into_iter().take(MOST_TRIED).find_map(|tool| Some((tool, broken(&tool["inputSchema"])?)))
}

/// A foreign schema may keep a validator busy forever: after this time its thread is abandoned.
fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    const LONGEST: Duration = Duration::from_secs(5);
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || done.send(work()).is_ok());
    result.recv_timeout(LONGEST).ok()
}

fn broken(schema: &Value) -> Option<Value> {
    let schema = schema.clone();
    in_time(move || broken_arguments(&schema)).flatten()
}

fn broken_arguments(schema: &Value) -> Option<Value> {
    let validator = jsonschema::validator_for(schema).ok()?;
    let wrong = [json!({ "mcp-deploy": [] }), json!([]), json!(0.5), json!(true), json!("\u{1}")];
    let properties = schema["properties"].as_object().into_iter().flatten();
    let mut candidates: Vec<Value> = properties
        .flat_map(|(name, _)| {
            wrong.iter().map(move |value| Value::Object(Map::from_iter([(name.clone(), value.clone())])))
        })
        .collect();
    candidates.push(json!({}));
    candidates.push(json!({ "mcp_deploy_probe": true }));
    candidates.into_iter().find(|arguments| !validator.is_valid(arguments))
}

/// Why a structured answer does not fit the output schema of its tool.
pub fn misfit(tool: &Value, structured: Option<&Value>) -> Option<String> {
    let schema = tool.get("outputSchema").filter(|schema| !schema.is_null())?;
    let Some(structured) = structured else {
        return Some("`structuredContent` is missing".to_owned());
    };
    let (schema, structured) = (schema.clone(), structured.clone());
    let judge = move || {
        let validator = jsonschema::validator_for(&schema).ok()?;
        let error = validator.iter_errors(&structured).next()?;
        Some(format!("`structuredContent{}` breaks the output schema: {error}", error.instance_path()))
    };
    in_time(judge).unwrap_or_else(|| Some("the output schema takes more than 5 s to judge the answer".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_arguments_become_headers() {
        let tool = json!({"inputSchema": {"properties": {
            "city": {"type": "string", "x-mcp-header": "City"},
            "plain": {"type": "string"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}},
        }}});
        let headers = mirrored(&tool, &json!({"city": "Oslo", "plain": "x", "deep": {"n": 4}}));
        assert_eq!(headers, [("City".to_owned(), "Oslo".to_owned()), ("N".to_owned(), "4".to_owned())]);
        assert!(mirrored(&tool, &json!({"city": null})).is_empty());
    }

    #[test]
    fn broken_arguments_are_found_where_there_is_a_constraint() {
        for schema in [
            json!({"type": "object", "properties": {"a": {"type": "string"}}}),
            json!({"type": "object", "properties": {"a": {}}, "required": ["a"]}),
            json!({"type": "object", "properties": {"a": {"enum": [1]}}}),
            json!({"type": "object", "additionalProperties": false}),
        ] {
            assert!(violation(&[json!({"name": "t", "inputSchema": schema})]).is_some(), "{schema}");
        }
        assert!(
            violation(&[json!({"name": "t", "inputSchema": {"type": "object", "properties": {"a": {}}}})]).is_none()
        );
    }

    #[test]
    fn a_tool_that_only_reads_is_chosen_first() {
        let schema = json!({"type": "object", "additionalProperties": false});
        let tools = [
            json!({"name": "wipe", "inputSchema": schema}),
            json!({"name": "read", "inputSchema": schema, "annotations": {"readOnlyHint": true}}),
        ];
        assert_eq!(violation(&tools).unwrap().0["name"], "read");
    }

    #[test]
    fn a_structured_answer_must_fit() {
        let tool = json!({"outputSchema": {"type": "object", "properties": {"t": {"type": "number"}}}});
        assert_eq!(misfit(&tool, Some(&json!({"t": 1}))), None);
        assert!(misfit(&tool, Some(&json!({"t": "x"}))).unwrap().contains("/t"));
        assert!(misfit(&tool, None).unwrap().contains("missing"));
        assert_eq!(misfit(&json!({}), None), None);
    }
}
