//! The protocol by hand, for what no client shows.

use serde_json::{Value, json};
use ureq::http::Response;

use super::child::SHORT;

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Era {
    Modern,
    Legacy,
}

impl Era {
    pub fn version(self) -> &'static str {
        match self {
            Era::Modern => "2026-07-28",
            Era::Legacy => "2025-11-25",
        }
    }
}

/// One request, as a client of that era sends it; the answer's body is still to be read.
#[track_caller]
pub fn post(url: &str, era: Era, method: &str, mut params: Value) -> Response<ureq::Body> {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    let agent = config.timeout_recv_response(Some(SHORT)).timeout_recv_body(Some(SHORT)).build().new_agent();
    let mut request = agent.post(url).content_type("application/json");
    request = request.header("accept", "application/json, text/event-stream");
    request = request.header("mcp-protocol-version", era.version());
    if era == Era::Modern {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = era.version().into();
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        request = request.header("mcp-method", method);
        if let Some(name) = params["name"].as_str().or(params["uri"].as_str()) {
            request = request.header("mcp-name", name);
        }
    }
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    request.send(message.to_string()).unwrap_or_else(|error| panic!("{method} at {url}: {error}"))
}

/// The result of one request.
#[track_caller]
pub fn ask(url: &str, era: Era, method: &str, params: Value) -> Value {
    let mut message = answer(url, era, method, params);
    assert!(message["error"].is_null(), "{method}: {message}");
    message["result"].take()
}

/// The last message that answers one request: a result, or an error.
#[track_caller]
pub fn answer(url: &str, era: Era, method: &str, params: Value) -> Value {
    let text = post(url, era, method, params).body_mut().read_to_string().expect("an answer");
    let message = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&text);
    serde_json::from_str(message.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}
