//! Answers that arrive while the tool still works, and a client that leaves. Order is proven by a page the tool waits
//! for, not by time: what arrives before the page is given was sent before the tool went on.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use crate::support::child::SHORT;
use crate::support::gate::Gate;
use crate::support::site::WEATHER;

fn progress_arrives_while_the_tool_works(target: &str) {
    for era in [Era::Modern, Era::Legacy] {
        let gate = Gate::open();
        let mut stream = Stream::call(target, era, &gate);
        let mut waiting = gate.visitor();
        // The tool stands before the page, and its first report is here.
        assert_eq!(stream.progress(), json!([1, 2, "before"]), "{target} {era:?}");
        waiting.answer("go on");
        assert_eq!(stream.progress(), json!([2, 2, "after"]), "{target} {era:?}");
        let result = stream.next().expect("the result");
        assert_eq!(result["result"]["structuredContent"], json!({ "text": "go on" }), "{target} {era:?}");
        assert_eq!(stream.next(), None, "the stream ends with the result");
    }
}

/// The protocol's way to cancel, where the platform tells the server of it: the page is no longer asked for.
fn a_client_that_leaves_stops_the_tool(target: &str) {
    let gate = Gate::open();
    let mut stream = Stream::call(target, Era::Modern, &gate);
    let mut waiting = gate.visitor();
    assert_eq!(stream.progress(), json!([1, 2, "before"]));
    drop(stream);
    assert!(waiting.leaves(SHORT), "`ctx.signal` did not abort on {target}");
}

/// Lambda does not tell a function that its client left: the tool runs to its end, and the next request is served.
#[test]
fn on_lambda_the_tool_ends_by_itself() {
    let gate = Gate::open();
    let mut stream = Stream::call("lambda", Era::Modern, &gate);
    let mut waiting = gate.visitor();
    assert_eq!(stream.progress(), json!([1, 2, "before"]));
    drop(stream);
    let further = Gate::open();
    waiting.answer(&further.url());
    further.visitor().answer("nobody reads this");
    let next = Gate::open();
    let mut stream = Stream::call("lambda", Era::Modern, &next);
    assert_eq!(stream.progress(), json!([1, 2, "before"]));
    next.visitor().answer("go on");
    assert_eq!(stream.progress(), json!([2, 2, "after"]));
    assert_eq!(stream.next().expect("the result")["result"]["structuredContent"], json!({ "text": "go on" }));
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Era {
    Modern,
    Legacy,
}

/// The answer to one call of `wait_at`, as it comes.
struct Stream {
    lines: std::io::Lines<BufReader<ureq::BodyReader<'static>>>,
}

impl Stream {
    #[track_caller]
    fn call(target: &str, era: Era, gate: &Gate) -> Self {
        let mut meta = json!({ "progressToken": "here" });
        let version = if era == Era::Modern { "2026-07-28" } else { "2025-11-25" };
        if era == Era::Modern {
            meta["io.modelcontextprotocol/protocolVersion"] = version.into();
            meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
        }
        let params = json!({ "name": "wait_at", "arguments": { "url": gate.url() }, "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let agent = ureq::Agent::config_builder().timeout_recv_body(Some(SHORT)).build().new_agent();
        let mut request = agent.post(&WEATHER.server(target).url).content_type("application/json");
        request =
            request.header("accept", "application/json, text/event-stream").header("mcp-protocol-version", version);
        if era == Era::Modern {
            request = request.header("mcp-method", "tools/call").header("mcp-name", "wait_at");
        }
        let response = request.send(body.to_string()).expect("the server answers");
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(kind, Some("text/event-stream"), "{target}: {response:?}");
        Stream { lines: BufReader::new(response.into_body().into_reader()).lines() }
    }

    /// The next message of the stream.
    #[track_caller]
    fn next(&mut self) -> Option<Value> {
        loop {
            let line = self.lines.next()?.expect("the stream goes on");
            if let Some(data) = line.strip_prefix("data:") {
                return Some(serde_json::from_str(data.trim()).expect("each event is one message"));
            }
        }
    }

    #[track_caller]
    fn progress(&mut self) -> Value {
        let message = self.next().expect("a report");
        assert_eq!(message["method"], "notifications/progress", "{message}");
        assert_eq!(message["params"]["progressToken"], "here", "{message}");
        let params = &message["params"];
        json!([params["progress"], params["total"], params["message"]])
    }
}

crate::support::on_every_runtime!(progress_arrives_while_the_tool_works);

mod cancellation {
    use super::a_client_that_leaves_stops_the_tool;
    crate::support::on_runtimes!([vercel, cloudflare], a_client_that_leaves_stops_the_tool);
}
