//! Servers that would keep a client forever: each costs a bounded number of requests and a bounded time, and is
//! reported. The clock is shortened (a request has 0.2 s); what is asserted is what was asked, and never a time.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use serde_json::{Value, json};

use super::tests::{ids, line};
use super::{Options, Outcome, Platforms, Report, run};
use crate::http_server::{Conn, Head, Listener, Open};
use crate::parallel;

const TIMEOUT: Duration = Duration::from_millis(200);
const JSON: &str = "content-type: application/json\r\n";

/// What it does, how many requests it may get, and the check that tells what it is.
const SERVERS: &[(&str, usize, &str, &str)] = &[
    ("silent", 2, "reachable", "no answer within 0.2 s"),
    ("trickles its head", 2, "reachable", "no answer within 0.2 s"),
    ("trickles a header", 2, "reachable", "no answer within 0.2 s"),
    ("trickles its body", 4, "reachable", "did not end in time"),
    ("trickles chunks", 4, "reachable", "did not end in time"),
    ("trickles a stream", 4, "modern.discover", "did not end in time"),
    ("tells of progress without end", 4, "modern.discover", "did not end in time"),
    ("continues without end", 2, "reachable", "no answer within"),
    ("has a huge header", 2, "reachable", ""),
    ("has a hundred thousand headers", 2, "reachable", ""),
    ("redirects without end", 2, "reachable", "redirect"),
    ("sends a bomb", 80, "reachable", "expected JSON"),
    ("has pages without end", 1200, "modern.tools", "did not end after 100 pages"),
    ("has a huge name", 80, "modern.discover", "`supportedVersions` is \"nnn"),
    ("has many tools", 80, "modern.prompts", "no array"),
    ("has many tools of one name", 80, "modern.tools", "is listed twice"),
    ("has a schema that is never done", 80, "modern.prompts", "no array"),
];

#[test]
fn each_ends() {
    parallel::map(SERVERS, |(what, most, check, said)| {
        let (report, requests) = probe(what);
        assert!(!report.ok(), "{what}: {report:#?}");
        assert!(requests <= *most, "{what}: {requests} requests");
        let found = line(&report, check);
        assert_eq!(found.outcome, Outcome::Failed, "{what}: {found:?}");
        assert!(found.detail.as_deref().unwrap_or("").contains(said), "{what}: {found:?}");
        let longest =
            report.checks.iter().filter_map(|check| check.detail.as_deref()).map(|detail| detail.chars().count()).max();
        assert!(longest <= Some(super::LONGEST_DETAIL + 1), "{what}: {longest:?}");
        let told = ids(&report, Outcome::Failed).len() + ids(&report, Outcome::Skipped).len();
        assert!(told > 0, "{what}");
    });
}

fn probe(what: &'static str) -> (Report, usize) {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let mut listener = Listener::bind(0).unwrap();
    let serve = move |stream: TcpStream, open: &Open| {
        let mut conn = Conn::new(stream);
        conn.set_read_timeout(Duration::from_secs(5));
        let Ok(Some(head)) = conn.head() else { return };
        counted.fetch_add(1, Ordering::SeqCst);
        let Ok(body) = conn.body(&head).and_then(|mut body| body.collect(1 << 22)) else { return };
        // The client leaves first.
        let _ = answer(what, &head, &body, conn.into_stream(), open);
    };
    listener.serve(usize::MAX, serve).unwrap();
    // Work on the answers is not part of the clock: a slow machine may need long for many tools.
    let timeout =
        if what.starts_with("has a h") || what.contains("tools") || what.contains("pages") || what.contains("schema") {
            300 * TIMEOUT
        } else {
            TIMEOUT
        };
    let options = options(format!("{}/mcp", listener.url()), timeout);
    (run(&options, None, &mut |_| {}), requests.load(Ordering::SeqCst))
}

fn options(url: String, timeout: Duration) -> Options {
    Options {
        url,
        local: true,
        calls: Vec::new(),
        headers: Vec::new(),
        budgets: None,
        timeout,
        max_body_bytes: 4096,
        deployments: Vec::new(),
        platforms: Platforms::default(),
    }
}

/// The same bytes, again and again, until the client is gone.
fn without_end(mut stream: TcpStream, open: &Open, bytes: &[u8]) -> io::Result<()> {
    for _ in 0..400 {
        if open.is_closing() {
            break;
        }
        stream.write_all(bytes)?;
        open.sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn whole(mut stream: TcpStream, status: &str, headers: &str, body: &[u8]) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}

fn answer(what: &str, head: &Head, body: &[u8], mut stream: TcpStream, open: &Open) -> io::Result<()> {
    let page = json!({ "name": "n", "version": "1.0.0" }).to_string();
    let health = head.target == "/health";
    match what {
        "silent" => {
            for _ in 0..400 {
                open.sleep(Duration::from_millis(if open.is_closing() { 0 } else { 20 }));
            }
            Ok(())
        }
        "trickles its head" => {
            stream.write_all(b"HTTP/1.1 200 ")?;
            without_end(stream, open, b"O")
        }
        "trickles a header" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nx-a: ")?;
            without_end(stream, open, b"a")
        }
        "trickles its body" => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 1000000\r\n\r\n").as_bytes())?;
            without_end(stream, open, b" ")
        }
        "trickles chunks" => {
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\n").as_bytes())?;
            without_end(stream, open, b"1\r\n \r\n")
        }
        "trickles a stream" | "tells of progress without end" if !health => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")?;
            let progress = b"data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
            without_end(stream, open, if what.starts_with("trickles") { b"d" } else { progress })
        }
        "continues without end" => without_end(stream, open, b"HTTP/1.1 100 Continue\r\n\r\n"),
        "has a huge header" => whole(stream, "200 OK", &format!("x-a: {}\r\n", "a".repeat(10 << 20)), page.as_bytes()),
        "has a hundred thousand headers" => whole(stream, "200 OK", &"x-a: a\r\n".repeat(100_000), page.as_bytes()),
        "redirects without end" => whole(stream, "302 Found", "location: /health?again\r\n", b""),
        // It would be 1 GiB of zeros for a client that unpacks it.
        "sends a bomb" => {
            whole(stream, "200 OK", &format!("{JSON}content-encoding: gzip\r\n"), &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3])
        }
        _ => respond(what, body, stream, health, &page),
    }
}

fn respond(what: &str, body: &[u8], stream: TcpStream, health: bool, page: &str) -> io::Result<()> {
    if health {
        return whole(stream, "200 OK", JSON, page.as_bytes());
    }
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let Some(result) = result(what, &request) else {
        let error = json!({ "jsonrpc": "2.0", "id": request["id"], "error": { "code": -32601, "message": "none" } });
        return whole(stream, "400 No", JSON, error.to_string().as_bytes());
    };
    let message = json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }).to_string();
    // Made once: a test's own work is not what is tried here.
    let message = match what {
        "has many tools" => message.replace("\"MANY\"", &MANY),
        "has many tools of one name" => message.replace("\"MANY\"", &SAME),
        _ => message,
    };
    whole(stream, "200 OK", JSON, message.as_bytes())
}

/// Enough that comparing each with each would never end.
const TOOLS: usize = 20_000;
static MANY: LazyLock<String> = LazyLock::new(|| tools(|at| format!("t{at}")));
static SAME: LazyLock<String> = LazyLock::new(|| tools(|_| "t".to_owned()));

fn tools(name: impl Fn(usize) -> String) -> String {
    let tool = |at| format!("{{\"name\":\"{}\",\"inputSchema\":{{}}}}", name(at));
    (0..TOOLS).map(tool).collect::<Vec<_>>().join(",")
}

fn result(what: &str, request: &Value) -> Option<Value> {
    let complete = |mut result: Value| {
        result["resultType"] = "complete".into();
        result["ttlMs"] = 0.into();
        result["cacheScope"] = "public".into();
        Some(result)
    };
    let name = if what == "has a huge name" { "n".repeat(1 << 20) } else { "n".to_owned() };
    let info = json!({ "name": name, "version": "1.0.0" });
    let tool = |name: String| json!({ "name": name, "inputSchema": { "type": "object" } });
    match request["method"].as_str()? {
        "server/discover" => {
            let versions = if what == "has a huge name" { json!(name) } else { json!(["2026-07-28"]) };
            complete(json!({ "supportedVersions": versions, "capabilities": { "tools": {} }, "serverInfo": info }))
        }
        "initialize" => {
            Some(json!({ "protocolVersion": "2025-11-25", "capabilities": { "tools": {} }, "serverInfo": info }))
        }
        "tools/list" => {
            let tools: Vec<Value> = match what {
                "has many tools" | "has many tools of one name" => vec!["MANY".into()],
                "has a schema that is never done" => vec![json!({ "name": "t", "inputSchema": doubling(40) })],
                _ => vec![tool("t".to_owned())],
            };
            let mut page = json!({ "tools": tools });
            if what == "has pages without end" {
                let at = request["params"]["cursor"].as_str().map_or(0, str::len) + 1;
                page["nextCursor"] = "x".repeat(at).into();
                page["tools"] = json!([tool(format!("t{at}"))]);
            }
            complete(page)
        }
        "prompts/list" => complete(json!({})),
        _ => None,
    }
}

/// Each level asks for the next one twice.
fn doubling(levels: usize) -> Value {
    let level = |at: usize| json!({ "allOf": [{ "$ref": format!("#/$defs/l{}", at + 1) }, { "$ref": format!("#/$defs/l{}", at + 1) }] });
    let mut defs: serde_json::Map<String, Value> = (0..levels).map(|at| (format!("l{at}"), level(at))).collect();
    defs.insert(format!("l{levels}"), json!({ "type": "object" }));
    json!({ "type": "object", "$defs": defs, "properties": { "a": { "$ref": "#/$defs/l0" } } })
}

/// Then one check fails, and the others are not made.
#[test]
fn all_of_it_has_a_time_of_its_own() {
    let options =
        Options { timeout: Duration::from_millis(1), ..options("http://127.0.0.1:9/mcp".to_owned(), TIMEOUT) };
    let client = super::client::Client::new(&options).unwrap();
    std::thread::sleep(Duration::from_millis(20));
    let faults = [client.left().unwrap_err(), client.left().unwrap_err()];
    assert!(
        faults.iter().all(|fault| fault.detail == "the server took 0.01 s in all: nothing more is asked"),
        "{faults:?}"
    );
    assert_eq!(faults.map(|fault| fault.kind), [super::FaultKind::Wrong, super::FaultKind::Lost]);
    let patient = super::client::Client::new(&Options { timeout: Duration::from_secs(800), ..options }).unwrap();
    assert!(patient.left().unwrap() > Duration::from_secs(290) && patient.left().unwrap() <= Duration::from_secs(300));
}

/// What refuses a large body is read in time, too, and never more than it may say.
#[test]
fn a_refusal_that_trickles_is_given_up() {
    let mut listener = Listener::bind(0).unwrap();
    let serve = |mut stream: TcpStream, open: &Open| {
        let _ = stream.write_all(b"HTTP/1.1 413 No\r\n\r\n").and_then(|()| without_end(stream, open, b"x"));
    };
    listener.serve(usize::MAX, serve).unwrap();
    let request = super::http::Request {
        method: "POST",
        url: format!("{}/mcp", listener.url()),
        headers: Vec::new(),
        body: Some(vec![b' '; 1 << 20]),
        id: None,
        timeout: TIMEOUT,
    };
    let reply = super::early::send(&request).unwrap();
    assert_eq!(reply.status, 413);
    // A byte each 20 ms, for 0.2 s and what a busy machine adds: of eight seconds' worth that it would say.
    assert!(reply.body.len() < 300, "{}", reply.body.len());
}
