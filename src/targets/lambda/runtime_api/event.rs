//! The two JSON forms at the edge of a function: a request as an event (payload v2.0) and a response's status and
//! headers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::http_server::{Head, pair};

/// Said by one connection to the next hop only, so not part of what a function sees or says.
pub const HOP_BY_HOP: &[&str] = &[
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Renamed to `x-amzn-remapped-…` in what a function answers: reported for function URLs and REST APIs, each of them,
/// by their users.
const REMAPPED: &[&str] = &["connection", "content-length", "date", "www-authenticate"];

/// What the front of a function knows about a request beyond its bytes.
pub struct RequestContext<'a> {
    pub request_id: &'a str,
    pub trace_id: &'a str,
    pub client: &'a str,
    pub port: u16,
    pub time: SystemTime,
}

/// The event for a request; nothing for a target that is not a path.
pub fn from_request(head: &Head, body: &[u8], call: &RequestContext) -> Option<Vec<u8>> {
    let (path, query) = split_target(&head.target)?;
    let host = head.get("host").unwrap_or_default();
    let text = is_text(head.get("content-type")).then(|| std::str::from_utf8(body).ok()).flatten();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(head, body, call),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.split('.').next(),
            "http": {
                "method": head.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": call.client,
                "userAgent": head.get("user-agent"),
            },
            "requestId": call.request_id,
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": call.time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
        },
        "isBase64Encoded": !body.is_empty() && text.is_none(),
    });
    let optional = [
        ("cookies", Some(cookies(head)).filter(|cookies| !cookies.is_empty()).map(Value::from)),
        ("queryStringParameters", (!query.is_empty()).then(|| json!(parameters(query)))),
        ("body", (!body.is_empty()).then(|| text.map_or_else(|| BASE64_STANDARD.encode(body).into(), Value::from))),
    ];
    for (key, value) in optional {
        if let Some(value) = value {
            event[key] = value;
        }
    }
    serde_json::to_vec(&event).ok()
}

/// The status and the headers of an answer, as a function URL passes them on.
#[derive(Debug, PartialEq)]
pub struct Prelude {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl Prelude {
    /// From the JSON a streamed response begins with. Nothing when HTTP cannot carry what it says.
    pub fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Response>(json).ok()?.prelude()
    }

    /// From the JSON that is a whole buffered response, with its body.
    pub fn parse_buffered(json: &[u8]) -> Option<(Self, Vec<u8>)> {
        let mut response: Response = serde_json::from_slice(json).ok()?;
        let body = response.body.take().unwrap_or_default();
        let body = match response.is_base64_encoded {
            true => BASE64_STANDARD.decode(body).ok()?,
            false => body.into_bytes(),
        };
        Some((response.prelude()?, body))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    status_code: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

impl Response {
    fn prelude(self) -> Option<Prelude> {
        let mut headers = Vec::new();
        for (name, value) in self.headers {
            let name = name.to_ascii_lowercase();
            let name = match REMAPPED.contains(&name.as_str()) {
                true => format!("x-amzn-remapped-{name}"),
                false if HOP_BY_HOP.contains(&name.as_str()) => continue,
                false => name,
            };
            let values = if let Value::Array(values) = value { values } else { vec![value] };
            for value in values {
                headers.push((name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
        }
        headers.extend(self.cookies.iter().map(|cookie| pair("set-cookie", cookie)));
        let sound = (200..600).contains(&self.status_code) && headers.iter().all(is_sound);
        sound.then_some(Prelude { status: self.status_code, headers })
    }
}

fn is_sound((name, value): &(String, String)) -> bool {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty()
        && name.bytes().all(in_name)
        && value.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 127)
}

/// Path and query of a request target in either of its two forms.
pub fn split_target(target: &str) -> Option<(&str, &str)> {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => &rest[rest.find('/')?..],
        _ => target,
    };
    path.starts_with('/').then(|| path.split_once('?').unwrap_or((path, "")))
}

fn headers(head: &Head, body: &[u8], call: &RequestContext) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &head.headers {
        if HOP_BY_HOP.contains(&name.as_str()) || matches!(name.as_str(), "content-length" | "cookie") {
            continue;
        }
        headers.entry(name.clone()).and_modify(|all| *all = format!("{all},{value}")).or_insert_with(|| value.clone());
    }
    if !body.is_empty() || head.get("content-length").is_some() {
        headers.insert("content-length".into(), body.len().to_string());
    }
    headers.extend([
        pair("x-amzn-trace-id", call.trace_id),
        pair("x-forwarded-for", call.client),
        pair("x-forwarded-port", call.port),
        pair("x-forwarded-proto", "http"),
    ]);
    headers
}

fn cookies(head: &Head) -> Vec<&str> {
    let lines = head.headers.iter().filter(|(name, _)| name == "cookie");
    lines.flat_map(|(_, value)| value.split(';')).map(str::trim).filter(|cookie| !cookie.is_empty()).collect()
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let mut parameters = BTreeMap::<String, String>::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let value = decode(value);
        let entry = parameters.entry(decode(name));
        entry.and_modify(|all| *all = format!("{all},{value}")).or_insert(value);
    }
    parameters
}

pub fn decode(part: &str) -> String {
    percent_decode_str(&part.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn is_text(content_type: Option<&str>) -> bool {
    let kind = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let listed = ["application/json", "application/javascript", "application/xml"].contains(&kind.as_str());
    listed || kind.starts_with("text/") || kind.ends_with("+json") || kind.ends_with("+xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(target: &str, headers: &[(&str, &str)]) -> Head {
        let headers = headers.iter().map(|(name, value)| pair(name, value)).collect();
        Head { method: "POST".into(), target: target.into(), headers, ..Head::default() }
    }

    fn event(head: &Head, body: &[u8]) -> Value {
        let call = RequestContext {
            request_id: "r",
            trace_id: "t",
            client: "127.0.0.1",
            port: 80,
            time: SystemTime::UNIX_EPOCH,
        };
        serde_json::from_slice(&from_request(head, body, &call).unwrap()).unwrap()
    }

    #[test]
    fn a_request_becomes_an_event() {
        let headers = [
            ("host", "mcp.example:8443"),
            ("accept", "a"),
            ("accept", "b"),
            ("cookie", "x=1; y=2"),
            ("cookie", "z=3"),
            ("connection", "keep-alive"),
            ("content-type", "application/json; charset=utf-8"),
            ("x-forwarded-for", "6.6.6.6"),
        ];
        let event = event(&head("/a%20b/c?q=1&q=2&r=%C3%A9+f", &headers), "{\"é\":1}".as_bytes());
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["rawPath"], "/a%20b/c");
        assert_eq!(event["rawQueryString"], "q=1&q=2&r=%C3%A9+f");
        assert_eq!(event["queryStringParameters"], json!({"q": "1,2", "r": "é f"}));
        assert_eq!(event["cookies"], json!(["x=1", "y=2", "z=3"]));
        assert_eq!(event["body"], "{\"é\":1}");
        assert_eq!(event["isBase64Encoded"], false);
        assert_eq!(event["requestContext"]["http"]["method"], "POST");
        assert_eq!(event["requestContext"]["domainName"], "mcp.example:8443");
        let expected = json!({
            "accept": "a,b", "content-length": "8", "content-type": "application/json; charset=utf-8",
            "host": "mcp.example:8443", "x-amzn-trace-id": "t", "x-forwarded-for": "127.0.0.1",
            "x-forwarded-port": "80", "x-forwarded-proto": "http",
        });
        assert_eq!(event["headers"], expected);
    }

    #[test]
    fn a_body_that_is_not_text_is_encoded() {
        for (kind, body, encoded) in [
            ("application/octet-stream", &b"abc"[..], true),
            ("application/json", b"\xff", true),
            ("application/x-www-form-urlencoded", b"a=1", true),
            ("application/vnd.api+json", b"{}", false),
            ("Text/Plain", b"abc", false),
        ] {
            let event = event(&head("/", &[("content-type", kind)]), body);
            assert_eq!(event["isBase64Encoded"], encoded, "{kind}");
        }
        let without = event(&head("/", &[]), b"");
        assert_eq!((&without["body"], &without["isBase64Encoded"]), (&Value::Null, &Value::Bool(false)));
    }

    #[test]
    fn targets_have_two_forms() {
        assert_eq!(split_target("/a?b=http://c"), Some(("/a", "b=http://c")));
        assert_eq!(split_target("http://host:1/a?b"), Some(("/a", "b")));
        assert_eq!(split_target("/x/http://c"), Some(("/x/http://c", "")));
        assert_eq!(split_target("*"), None);
        assert_eq!(split_target("host:443"), None);
    }

    #[test]
    fn an_answer_loses_and_renames_headers_as_on_a_function_url() {
        let json = json!({
            "statusCode": 401,
            "headers": {"WWW-Authenticate": "Bearer", "content-length": "3", "keep-alive": "timeout=5", "x-a": ["1", "2"]},
            "cookies": ["a=1", "b=2"],
        });
        let prelude = Prelude::parse(json.to_string().as_bytes()).unwrap();
        assert_eq!(prelude.status, 401);
        let expected = [
            ("x-amzn-remapped-www-authenticate", "Bearer"),
            ("x-amzn-remapped-content-length", "3"),
            ("x-a", "1"),
            ("x-a", "2"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ];
        assert_eq!(prelude.headers, expected.map(|(name, value)| pair(name, value)));
    }

    #[test]
    fn an_answer_http_cannot_carry_is_refused() {
        for json in [
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 101}"#,
            r#"{"headers": {}}"#,
            r#"{"statusCode": 200, "headers": {"a": "b\r\nc: d"}}"#,
            r#"{"statusCode": 200, "headers": {"a b": "c"}}"#,
            r#"{"statusCode": 200, "cookies": ["a\n"]}"#,
            "nonsense",
        ] {
            assert_eq!(Prelude::parse(json.as_bytes()), None, "{json}");
        }
    }

    #[test]
    fn a_buffered_answer_has_its_body_decoded() {
        let parse = |json: Value| Prelude::parse_buffered(json.to_string().as_bytes()).map(|(_, body)| body);
        assert_eq!(parse(json!({"statusCode": 200, "body": "abc"})), Some(b"abc".to_vec()));
        let encoded = json!({"statusCode": 200, "body": "YWJj", "isBase64Encoded": true});
        assert_eq!(parse(encoded), Some(b"abc".to_vec()));
        assert_eq!(parse(json!({"statusCode": 200, "body": "!", "isBase64Encoded": true})), None);
        assert_eq!(parse(json!({"statusCode": 204, "body": null})), Some(Vec::new()));
    }
}
