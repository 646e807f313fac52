//! The JSON Schema of `mcp.toml`, for editors. The program itself checks more, and says it better.

use serde_json::{Value, json};

use super::about::AUDIENCES;
use super::sections::ANNOTATIONS;
use super::settings::LEVELS;
use super::targets;

pub fn json_schema() -> Value {
    let duration = json!({ "type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h)$", "description": "A number and a unit: 500ms, 25s, 2m, 1h." });
    let icons = json!({
        "type": "array",
        "description": "Pictures for clients that show them.",
        "items": closed(json!({ "src": text("https:// or data:"), "mime_type": text("Such as image/png."), "sizes": { "type": "array", "items": { "type": "string" } }, "theme": { "enum": ["light", "dark"] } }), &["src"]),
    });
    let properties = json!({
        "type": "object",
        "description": "One key a property, its value JSON Schema. `optional = true` makes it optional, and so does a default.",
        "additionalProperties": { "type": "object", "properties": { "type": true, "description": { "type": "string" }, "default": true, "optional": { "type": "boolean" } } },
    });
    let whole = json!({ "description": "A whole JSON Schema, or the path of a JSON file with one.", "type": ["object", "string"] });
    let scopes = json!({ "type": "array", "items": { "type": "string" }, "description": "OAuth scopes that a token must grant." });
    let state = json!({
        "description": "Whose the values are that the handler keeps in ctx.state.",
        "anyOf": [{ "enum": ["caller", "shared"] }, closed(json!({ "handle": text("The parameter that holds the handle.") }), &["handle"])],
    });
    let env = json!({
        "type": "object",
        "description": "Plain settings; committed and readable.",
        "properties": { "LOG_LEVEL": { "enum": LEVELS, "description": "The lowest level that ctx.log writes." } },
        "additionalProperties": { "type": "string" },
    });
    let annotations = ANNOTATIONS.iter().map(|(key, hint)| {
        ((*key).to_owned(), json!({ "type": "boolean", "description": format!("The MCP annotation {hint}.") }))
    });
    let annotations = Value::Object(annotations.collect());
    let of_resource = closed(
        json!({
            "audience": { "type": "array", "items": { "enum": AUDIENCES }, "description": "Whom it is for." },
            "priority": { "type": "number", "minimum": 0, "maximum": 1, "description": "From 0, of no weight, to 1, as good as required." },
            "last_modified": text("A date and a time of ISO 8601, such as 2026-11-28T15:00:00Z."),
        }),
        &[],
    );
    let meta = json!({ "type": "object", "description": "Sent as _meta, as it is written." });
    let described = |more: Value, required: &[&str]| {
        let mut all = json!({ "title": text("A name for people."), "description": text("What it does and when to use it; assistants choose by this."), "icons": icons, "meta": meta });
        merge(&mut all, more);
        json!({ "type": "object", "additionalProperties": closed(all, required) })
    };
    let targets = targets::ALL.iter().map(|target| (target.name.to_owned(), target.json_schema()));
    let targets = Value::Object(targets.collect());
    let mut schema = closed(
        json!({
            "server": closed(json!({
                "name": { "type": "string", "pattern": "^[a-z]([a-z0-9-]{0,52}[a-z0-9])?$", "description": "Also the server's name on each cloud." },
                "version": text("Three numbers, such as 1.0.0."),
                "title": text("A name for people."),
                "description": text("What the server offers, in one sentence."),
                "instructions": text("How an assistant should use the server's tools together."),
                "website_url": { "type": "string", "pattern": "^https://" },
                "icons": icons,
            }), &["name", "version", "description"]),
            "limits": closed(json!({
                "timeout": duration,
                "max_body": { "type": ["string", "integer"], "description": "Bytes of a request body: 512KiB, 1MiB or a number." },
                "max_result": { "type": ["string", "integer"], "description": "Bytes of a result, as JSON: 1MiB when not named." },
                "bundle_kb": { "type": "integer", "minimum": 1, "description": "The most that the bundled JavaScript may have, in kB, minified." },
                "max_input_elements": { "type": "integer", "minimum": 1, "description": "Values in a tool's arguments." },
            }), &[]),
            "build": closed(json!({
                "external": { "type": "array", "items": { "type": "string" }, "description": "npm packages that are copied beside the bundle for Node.js, and not bundled; those with native code are found without it." },
            }), &[]),
            "cache": closed(json!({ "ttl": duration, "scope": { "enum": ["public", "private"] } }), &[]),
            "tools": described(json!({
                "annotations": closed(annotations, &[]),
                "timeout": duration, "scopes": scopes, "state": state, "input": properties, "input_schema": whole, "output": properties, "output_schema": whole,
            }), &["description"]),
            "resources": described(json!({ "uri": text("A URI, or a template such as docs://{name}."), "mime_type": text("Such as text/markdown."), "annotations": of_resource }), &["uri", "description"]),
            "prompts": described(json!({ "input": properties, "input_schema": whole }), &["description"]),
            "env": env,
            "secrets": { "type": "object", "description": "Names and descriptions; never values.", "additionalProperties": { "anyOf": [
                { "type": "string" },
                closed(json!({ "description": text("What it is and where to get it."), "optional": { "type": "boolean", "description": "Handlers do without it: undefined when it is not set." } }), &["description"]),
            ] } },
            "access": closed(json!({
                "origins": { "type": "array", "items": { "type": "string" }, "description": "Browser origins that may call, such as https://app.example; none by default." },
                "hosts": { "type": "array", "items": { "type": "string" }, "description": "Host names it answers for besides the cloud's own." },
                "auth": { "enum": ["none", "api-key", "oauth"], "description": "How callers prove who they are; open to all when not named." },
                "rate_limit": { "type": "string", "pattern": "^[0-9]+ ?/ ?(second|minute|hour|day|[0-9]+ ?(s|m|h))$", "description": "Calls of one caller in a window: 60/minute, 1000/hour, 10/10s; none when not named." },
                "rate_limit_failure": { "enum": ["open", "closed"], "description": "While nobody can count: let all in (open, when not named), or none." },
                "oauth": closed(json!({
                    "issuer": one_or_more(json!({ "type": "string", "pattern": "^https?://" }), "The `iss` of the tokens that count; a list for several issuers."),
                    "audience": one_or_more(json!({ "type": "string" }), "The `aud` of tokens for this server: its URL, or its name at the issuer; a list where they differ."),
                    "client_ids": { "type": "array", "items": { "type": "string" }, "description": "Clients whose tokens are valid though they name the client instead of an audience (Amazon Cognito)." },
                    "scopes": scopes,
                    "jwks_uri": { "type": "string", "pattern": "^https?://", "description": "The issuer's keys; its metadata names them when not set." },
                }), &["issuer"]),
            }), &[]),
            "targets": closed(targets.clone(), &[]),
            "stages": {
                "type": "object",
                "description": "Further deployments of the same server, and what differs in them.",
                "additionalProperties": closed(json!({ "env": env, "targets": closed(targets, &[]) }), &[]),
            },
        }),
        &["server"],
    );
    merge(&mut schema, json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mcp.toml" }));
    schema
}

fn one_or_more(one: Value, description: &str) -> Value {
    json!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }], "description": description })
}

/// A string, and what it says.
pub(super) fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

/// An object that has these properties and no others.
pub(super) fn closed(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

fn merge(into: &mut Value, from: Value) {
    if let (Some(into), Value::Object(from)) = (into.as_object_mut(), from) {
        into.extend(from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_valid_schema() {
        assert!(jsonschema::meta::is_valid(&json_schema()));
    }
}
