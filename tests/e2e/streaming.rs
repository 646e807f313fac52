//! Answers that arrive while the tool still works, and a client that leaves. Order is proven by a page the tool waits
//! for, not by time: what arrives before the page is given was sent before the tool went on.

use serde_json::json;

use crate::support::child::{Running, SHORT, free_port};
use crate::support::gate::Gate;
use crate::support::mcp::Era;
use crate::support::site::WEATHER;
use crate::support::stream::Stream;
use crate::support::tools::KIT;

fn progress_arrives_while_the_tool_works(target: &str) {
    let url = &WEATHER.server(target).url;
    for era in [Era::Modern, Era::Legacy] {
        let gate = Gate::open();
        let mut stream = wait_at(url, era, &gate);
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

/// The protocol's way to cancel, where the platform tells the server of it.
fn a_client_that_leaves_stops_the_tool(target: &str) {
    stops_when_the_client_leaves(&WEATHER.server(target).url);
}

/// Lambda's bundle tells its tools too, where somebody tells it: without Lambda around it.
#[test]
fn a_client_that_leaves_the_bare_bundle_stops_the_tool() {
    WEATHER.server("lambda");
    let port = free_port();
    let mut node = KIT.node(&WEATHER.root.join("dist/lambda/lambda.mjs"));
    node.env("AWS_LWA_PORT", &port);
    let mut bundle = Running::start(node);
    let health = format!("http://127.0.0.1:{port}/health");
    bundle.until("the server", SHORT, |_| ureq::get(&health).call().ok());
    stops_when_the_client_leaves(&format!("http://127.0.0.1:{port}/mcp"));
}

#[track_caller]
fn stops_when_the_client_leaves(url: &str) {
    let gate = Gate::open();
    let mut stream = wait_at(url, Era::Modern, &gate);
    let mut waiting = gate.visitor();
    assert_eq!(stream.progress(), json!([1, 2, "before"]));
    drop(stream);
    assert!(waiting.leaves(SHORT), "`ctx.signal` did not abort");
}

/// Lambda does not tell a function that its client left: the tool runs to its end, and the next request is served.
#[test]
fn on_lambda_the_tool_ends_by_itself() {
    let url = &WEATHER.server("lambda").url;
    let gate = Gate::open();
    let mut stream = wait_at(url, Era::Modern, &gate);
    let mut waiting = gate.visitor();
    assert_eq!(stream.progress(), json!([1, 2, "before"]));
    drop(stream);
    let further = Gate::open();
    waiting.answer(&further.url());
    further.visitor().answer("nobody reads this");
    let next = Gate::open();
    let mut stream = wait_at(url, Era::Modern, &next);
    assert_eq!(stream.progress(), json!([1, 2, "before"]));
    next.visitor().answer("go on");
    assert_eq!(stream.progress(), json!([2, 2, "after"]));
    assert_eq!(stream.next().expect("the result")["result"]["structuredContent"], json!({ "text": "go on" }));
}

#[track_caller]
fn wait_at(url: &str, era: Era, gate: &Gate) -> Stream {
    Stream::call(url, era, "wait_at", json!({ "url": gate.url() }), Some("here"))
}

crate::support::on_every_runtime!(progress_arrives_while_the_tool_works);

mod cancellation {
    use super::a_client_that_leaves_stops_the_tool;
    crate::support::on_runtimes!([vercel, cloudflare], a_client_that_leaves_stops_the_tool);
}
