//! What a REST API of API Gateway makes of a request: an event with payload v1.0.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::event::{HOP_BY_HOP, RequestContext, decode, split_target};
use crate::http_server::Head;

/// The event for a request; nothing where the API has no route. `stage` is the first part of the path at the API's own
/// address, and no part of it behind a custom domain.
pub fn from_request(head: &Head, body: &[u8], stage: &str, call: &RequestContext) -> Option<Vec<u8>> {
    let (full, query) = split_target(&head.target)?;
    let host = head.get("host").unwrap_or_default();
    let path = if is_own_address(host) { full.strip_prefix('/')?.strip_prefix(stage)? } else { full };
    // `/{proxy+}` is any path but the root.
    let proxy = path.strip_prefix('/').filter(|proxy| !proxy.is_empty())?;
    let (single, multi) = headers(head, call);
    let (first, all) = parameters(query);
    let millis =
        call.time.duration_since(std::time::SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let event = json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": head.method,
        "headers": single,
        "multiValueHeaders": multi,
        "queryStringParameters": first,
        "multiValueQueryStringParameters": all,
        "pathParameters": { "proxy": proxy },
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "deploymentId": "local",
            "domainName": host,
            "domainPrefix": host.split('.').next(),
            "extendedRequestId": call.request_id,
            "httpMethod": head.method,
            "identity": { "sourceIp": call.client, "userAgent": head.get("user-agent") },
            "path": full,
            "protocol": "HTTP/1.1",
            "requestId": call.request_id,
            "requestTimeEpoch": millis,
            "resourceId": "local",
            "resourcePath": "/{proxy+}",
            "stage": stage,
        },
        // An API without binary media types takes every body for text.
        "body": (!body.is_empty()).then(|| String::from_utf8_lossy(body)),
        "isBase64Encoded": false,
    });
    serde_json::to_vec(&event).ok()
}

/// `….execute-api.REGION.amazonaws.com`, or this machine, which stands in for it.
fn is_own_address(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.contains(".execute-api.") || name == "localhost" || name.parse::<std::net::Ipv4Addr>().is_ok()
}

type Multi = BTreeMap<String, Vec<String>>;

/// The last of each name, and all of each.
fn headers(head: &Head, call: &RequestContext) -> (Map<String, Value>, Multi) {
    let mut all = Multi::new();
    for (name, value) in head.headers.iter().filter(|(name, _)| !HOP_BY_HOP.contains(&name.as_str())) {
        all.entry(name.clone()).or_default().push(value.clone());
    }
    all.remove("content-length");
    let own = [
        ("x-amzn-trace-id", call.trace_id.to_owned()),
        ("x-forwarded-for", call.client.to_owned()),
        ("x-forwarded-port", call.port.to_string()),
        ("x-forwarded-proto", "http".to_owned()),
    ];
    all.extend(own.map(|(name, value)| (name.to_owned(), vec![value])));
    let last = all.iter().map(|(name, values)| (name.clone(), json!(values.last())));
    (last.collect(), all)
}

/// The same of a query; `null` without one.
fn parameters(query: &str) -> (Option<Map<String, Value>>, Option<Multi>) {
    if query.is_empty() {
        return (None, None);
    }
    let mut all = Multi::new();
    for part in query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        all.entry(decode(name)).or_default().push(decode(value));
    }
    (Some(all.iter().map(|(name, values)| (name.clone(), json!(values.last()))).collect()), Some(all))
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::http_server::pair;

    fn event(target: &str, headers: &[(&str, &str)], body: &[u8]) -> Option<Value> {
        let headers = headers.iter().map(|(name, value)| pair(name, value)).collect();
        let head = Head { method: "POST".into(), target: target.into(), headers, ..Head::default() };
        let call = RequestContext {
            request_id: "r",
            trace_id: "t",
            client: "127.0.0.1",
            port: 80,
            time: SystemTime::UNIX_EPOCH,
        };
        Some(serde_json::from_slice(&from_request(&head, body, "live", &call)?).unwrap())
    }

    #[test]
    fn a_request_becomes_an_event() {
        let headers = [
            ("host", "x.execute-api.us-east-1.amazonaws.com"),
            ("accept", "a"),
            ("accept", "b"),
            ("cookie", "x=1; y=2"),
        ];
        let event = event("/live/mcp?q=1&q=2&r=%C3%A9+f", &headers, "{\"é\":1}".as_bytes()).unwrap();
        assert_eq!((&event["path"], &event["requestContext"]["path"]), (&json!("/mcp"), &json!("/live/mcp")));
        assert_eq!(event["pathParameters"], json!({ "proxy": "mcp" }));
        assert_eq!(event["queryStringParameters"], json!({ "q": "2", "r": "é f" }));
        assert_eq!(event["multiValueQueryStringParameters"], json!({ "q": ["1", "2"], "r": ["é f"] }));
        assert_eq!(
            (&event["headers"]["accept"], &event["multiValueHeaders"]["accept"]),
            (&json!("b"), &json!(["a", "b"]))
        );
        assert_eq!(event["headers"]["cookie"], "x=1; y=2");
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!("{\"é\":1}"), &json!(false)));
    }

    #[test]
    fn the_stage_is_in_the_path_of_the_apis_own_address() {
        let of = |host: &str, target: &str| event(target, &[("host", host)], b"").map(|event| event["path"].clone());
        let own = "x.execute-api.eu-west-1.amazonaws.com";
        for (host, target, path) in [
            (own, "/live/mcp", Some("/mcp")),
            (own, "/live/.well-known/a", Some("/.well-known/a")),
            (own, "/mcp", None),
            (own, "/live", None),
            (own, "/live/", None),
            (own, "/lively/mcp", None),
            ("127.0.0.1:3000", "/live/health", Some("/health")),
            ("mcp.example.com", "/mcp", Some("/mcp")),
            ("mcp.example.com", "/live/mcp", Some("/live/mcp")),
            ("mcp.example.com", "/", None),
        ] {
            assert_eq!(of(host, target), path.map(Value::from), "{host}{target}");
        }
    }
}
