//! What a request and its answer say to a person: the method, the tool, the client, and how it ended.

use std::time::Duration;

use serde_json::Value;

use crate::http_server::{AnswerHead, Head};
use crate::ui;

/// What was asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Requested {
    /// `tools/call get_weather`, or the method and path of HTTP.
    pub what: String,
    /// `claude-code 2.1.0`
    pub client: Option<String>,
    pub is_call: bool,
}

/// A request that has ended.
pub struct EndedRequest<'a> {
    pub asked: &'a Requested,
    pub elapsed: Duration,
    /// The error in words.
    pub outcome: Result<(), String>,
}

/// The key below `_meta` where clients of 2026 name themselves.
const CLIENT_INFO: &str = "io.modelcontextprotocol/clientInfo";
/// Characters of an error.
const SHOWN: usize = 300;

pub fn asked(head: &Head, body: &[u8]) -> Requested {
    let message: Value = serde_json::from_slice(body).unwrap_or_default();
    let params = &message["params"];
    let Some(method) = message["method"].as_str() else {
        let path = head.target.split('?').next().unwrap_or_default();
        return Requested { what: format!("{} {path}", head.method), client: agent(head), is_call: false };
    };
    let named = params["name"].as_str().or_else(|| params["uri"].as_str());
    let what = named.map_or_else(|| method.to_owned(), |named| format!("{method} {named}"));
    let client = [&params["_meta"][CLIENT_INFO], &params["clientInfo"]].into_iter().find_map(client);
    Requested { what, client: client.or_else(|| agent(head)), is_call: method == "tools/call" }
}

fn client(info: &Value) -> Option<String> {
    let name = info["name"].as_str()?;
    Some(info["version"].as_str().map_or_else(|| name.to_owned(), |version| format!("{name} {version}")))
}

/// `node`, `curl/8.5.0`: what a program says of itself that does not name itself over MCP.
fn agent(head: &Head) -> Option<String> {
    head.get("user-agent").and_then(|agent| agent.split_whitespace().next()).map(str::to_owned)
}

/// How an exchange ended.
pub fn outcome(head: &AnswerHead, body: &[u8]) -> Result<(), String> {
    let answer = message(head, body);
    let said = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(answer) = &answer {
        if let Some(error) = answer.get("error").filter(|error| !error.is_null()) {
            let text = said(&error["message"]).or_else(|| said(error)).unwrap_or_else(|| error.to_string());
            return Err(ui::shorten(&text, SHOWN));
        }
        if answer["result"]["isError"] == true {
            let text = said(&answer["result"]["content"][0]["text"]);
            return Err(ui::shorten(text.as_deref().unwrap_or("the tool reports an error"), SHOWN));
        }
    }
    if head.status < 400 { Ok(()) } else { Err(format!("HTTP {}", head.status)) }
}

/// What a tool answered, as a line.
pub fn result(head: &AnswerHead, body: &[u8]) -> Option<String> {
    let result = message(head, body)?.get("result")?.clone();
    Some(ui::shorten(&result.get("structuredContent").unwrap_or(&result).to_string(), SHOWN))
}

/// The answer of a body that is JSON, or the last message of one that is a stream of events.
fn message(head: &AnswerHead, body: &[u8]) -> Option<Value> {
    let kind = head.get("content-type").unwrap_or_default();
    if !kind.starts_with("text/event-stream") {
        return serde_json::from_slice(body).ok();
    }
    let text = String::from_utf8_lossy(body);
    let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
    let mut messages = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    messages.rfind(|message| message.get("result").is_some() || message.get("error").is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn head(headers: &[(&str, &str)]) -> Head {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Head { method: "POST".into(), target: "/mcp?x=1".into(), headers, ..Head::default() }
    }

    #[test]
    fn a_request_is_named_by_what_it_asks_for_and_who_asks() {
        let agent = head(&[("user-agent", "curl/8.5.0 (x)")]);
        let by = |params: Value, method: &str| {
            let asked = asked(&agent, json!({ "method": method, "params": params }).to_string().as_bytes());
            (asked.what, asked.client.unwrap_or_default())
        };
        let pair = |what: &str, client: &str| (what.to_owned(), client.to_owned());
        let meta = json!({ "name": "get_a", "_meta": { CLIENT_INFO: { "name": "claude-code", "version": "2.1" } } });
        assert_eq!(by(meta, "tools/call"), pair("tools/call get_a", "claude-code 2.1"));
        assert_eq!(by(json!({ "clientInfo": { "name": "x" } }), "initialize"), pair("initialize", "x"));
        assert_eq!(by(json!({ "uri": "a://b" }), "resources/read"), pair("resources/read a://b", "curl/8.5.0"));
        let none = asked(&head(&[]), b"no json");
        assert_eq!(none, Requested { what: "POST /mcp".into(), client: None, is_call: false });
    }

    #[test]
    fn an_answer_is_known_by_its_last_message() {
        let of = |status: u16, kind: &str, body: &str| {
            let head = AnswerHead { status, headers: vec![("content-type".into(), kind.into())] };
            outcome(&head, body.as_bytes())
        };
        let (json, stream) = ("application/json", "text/event-stream; charset=utf-8");
        assert_eq!(of(200, json, r#"{"result":{}}"#), Ok(()));
        assert_eq!(of(202, json, ""), Ok(()));
        assert_eq!(of(404, "text/plain", "x"), Err("HTTP 404".into()));
        assert_eq!(of(200, json, r#"{"error":{"code":1,"message":"no such tool"}}"#), Err("no such tool".into()));
        let events = "event: message\ndata: {\"method\":\"notifications/progress\"}\n\ndata: {\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"no place\"}]}}\n\n";
        assert_eq!(of(200, stream, events), Err("no place".into()));
        assert_eq!(of(200, stream, ": heartbeat\n\n"), Ok(()));
    }
}
