//! A tiny MCP server on the loopback, right in everything but its one quirk: each check must be able to fail.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::handshake::derive_accept_key;
use tungstenite::protocol::Role;
use tungstenite::{Message, WebSocket};

use super::Contract;
use crate::http_server::{Conn, Head, Listener, Open};

pub const LIMIT: usize = 4096;
/// In an hour, of a server with a rate limit.
pub const CALLS: u64 = 5;
pub const KEY: &str = "s3cret-key";

/// Stops with the value; every wait inside is bounded.
pub struct TestServer {
    listener: Listener,
    state: Arc<TestState>,
}

struct TestState {
    quirk: &'static str,
    spoiled: AtomicBool,
    requests: AtomicUsize,
    /// Calls on each budget.
    calls: Mutex<HashMap<String, u64>>,
}

impl TestServer {
    pub fn start(quirk: &'static str) -> TestServer {
        let state = TestState { quirk, spoiled: false.into(), requests: 0.into(), calls: Mutex::default() };
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        let mut listener = Listener::bind(0).unwrap();
        listener.serve(usize::MAX, move |stream, open| drop(serve(stream, &shared, open))).unwrap();
        TestServer { listener, state }
    }

    pub fn url(&self) -> String {
        format!("{}/mcp", self.listener.url())
    }

    pub fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }
}

struct Asked {
    head: Head,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.get(name)
    }
}

struct Told {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

fn told(status: u16, content_type: &str, body: impl Into<String>) -> Told {
    Told { status, headers: vec![("content-type", content_type.to_owned())], body: body.into() }
}

fn error(status: u16, code: i64, message: &str) -> Told {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": code, "message": message } });
    told(status, "application/json", body.to_string())
}

impl Told {
    fn with(mut self, name: &'static str, value: &str) -> Told {
        self.headers.push((name, value.to_owned()));
        self
    }
}

fn serve(stream: TcpStream, state: &TestState, open: &Open) -> io::Result<()> {
    let mut conn = Conn::new(stream);
    conn.set_read_timeout(Duration::from_secs(5));
    let Ok(Some(head)) = conn.head() else { return Ok(()) };
    let length: usize = head.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    state.requests.fetch_add(1, Ordering::SeqCst);
    // Refused unread, like most servers do: the client may find the connection closed while it still sends.
    if length > LIMIT && state.quirk != "hostile.oversized" {
        return write(&conn.into_stream(), error(413, -32000, "too large"));
    }
    let Ok(body) = conn.body(&head).and_then(|mut body| body.collect(usize::MAX)) else { return Ok(()) };
    let (asked, stream) = (Asked { head, body }, conn.into_stream());
    if state.quirk == "hang"
        || state.quirk == "hostile.get" && asked.head.method == "GET" && asked.head.target == "/mcp"
    {
        return wait(open, || Ok(()));
    }
    let trickles = state.quirk == "trickle" && asked.body.windows(10).any(|window| window == b"tools/call");
    if trickles {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        (&stream).write_all(head.as_bytes())?;
        return wait(open, || (&stream).write_all(b": keep-alive\n\n"));
    }
    if state.quirk == "survived" && asked.body.windows(7).any(|window| window == b"no-such") {
        state.spoiled.store(true, Ordering::SeqCst);
    }
    if state.quirk == "stuck" && asked.head.target == "/mcp" {
        return wait(open, || Ok(()));
    }
    let busy = state.quirk == "busy" && state.requests.load(Ordering::SeqCst) % 20 == 2;
    if busy || state.quirk == "limited" && asked.head.target == "/mcp" {
        return write(&stream, error(429, -32000, "slow down").with("retry-after", if busy { "1" } else { "3600" }));
    }
    if let Some(refused) = limited(state, &asked) {
        return write(&stream, refused);
    }
    if state.spoiled.load(Ordering::SeqCst) && asked.body.windows(10).any(|window| window == b"tools/list") {
        return write(&stream, error(500, -32603, "broken by the last caller"));
    }
    let told = answer(state.quirk, &asked);
    // Whoever gets as far as to hear that only POST is served may open a WebSocket.
    let careless = ["websocket.origin", "auth.websocket.no-credentials"].contains(&state.quirk);
    let upgrades = speaks_websocket(state.quirk) && asked.header("upgrade") == Some("websocket");
    match upgrades && (told.status == 405 || careless) {
        true if state.quirk == "websocket.refused" => write(&stream, error(400, -32000, "not today")),
        true => converse(&stream, state.quirk, &asked),
        false => write(&stream, told),
    }
}

fn speaks_websocket(quirk: &str) -> bool {
    quirk.trim_start_matches("auth.").starts_with("websocket")
}

/// A session over a WebSocket, until the client closes it.
fn converse(mut stream: &TcpStream, quirk: &str, asked: &Asked) -> io::Result<()> {
    let key = asked.header("sec-websocket-key").unwrap_or_default();
    let accept = derive_accept_key(if quirk == "websocket.accept" { b"another" } else { key.as_bytes() });
    let protocol = if quirk == "websocket.protocol" { "" } else { "sec-websocket-protocol: mcp\r\n" };
    let head = "HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket";
    stream.write_all(format!("{head}\r\nsec-websocket-accept: {accept}\r\n{protocol}\r\n").as_bytes())?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    let gone = |error: tungstenite::Error| io::Error::other(error);
    let mut limited = false;
    loop {
        let text = match socket.read().map_err(gone)? {
            Message::Text(text) => text,
            Message::Close(_) if quirk == "websocket.lingers" => return babble(stream, PING),
            _ => continue,
        };
        let asked: Value = serde_json::from_str(&text)?;
        if asked.get("id").is_none() {
            continue;
        }
        match quirk {
            "websocket.closes" => socket.close(None).map_err(gone)?,
            "websocket.binary" => socket.send(Message::binary(vec![1])).map_err(gone)?,
            "websocket.text" => socket.send(Message::text("hello")).map_err(gone)?,
            "websocket.silent" => continue,
            "websocket.breaks" => return Ok(()),
            "websocket.notifies" => return babble(stream, NOTIFICATION),
            "websocket.pings" => return babble(stream, PING),
            "websocket.trickles" => {
                stream.write_all(&[0x01, 1, b' '])?;
                return babble(stream, &[0x00, 1, b' ']);
            }
            "websocket.limited" if !limited && asked["method"] == "tools/list" => {
                limited = true;
                let error = json!({ "code": -32000, "message": "slow down", "data": { "retryAfter": 1 } });
                let message = json!({ "jsonrpc": "2.0", "id": asked["id"], "error": error });
                socket.send(Message::text(message.to_string())).map_err(gone)?;
            }
            _ => {
                let ping = json!({ "jsonrpc": "2.0", "id": "are you there", "method": "ping" });
                socket.send(Message::text(ping.to_string())).map_err(gone)?;
                let Message::Text(pong) = socket.read().map_err(gone)? else { continue };
                let pong: Value = serde_json::from_str(&pong)?;
                if pong != json!({ "jsonrpc": "2.0", "id": "are you there", "result": {} }) {
                    return Ok(());
                }
                let id = if quirk == "websocket.other-id" { json!(-1) } else { asked["id"].clone() };
                let mut message = json!({ "jsonrpc": "2.0", "id": id });
                match dispatch(quirk, "websocket", &asked).1 {
                    Ok(result) => message["result"] = result,
                    Err((code, text)) => message["error"] = json!({ "code": code, "message": text }),
                }
                socket.send(Message::text(message.to_string())).map_err(gone)?;
            }
        }
    }
}

const PING: &[u8] = &[0x89, 0];
const NOTIFICATION: &[u8] = b"\x81\x22{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}";

/// Frames without end, as far as the client is concerned: it has to leave first.
fn babble(mut stream: &TcpStream, frame: &[u8]) -> io::Result<()> {
    for _ in 0..500 {
        stream.write_all(frame)?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A limit of [`CALLS`], and what can be wrong with it.
fn limited(state: &TestState, asked: &Asked) -> Option<Told> {
    let quirk = state
        .quirk
        .trim_start_matches("websocket.")
        .strip_prefix("rate-limit")
        .filter(|_| asked.head.target == "/mcp")?;
    let budget = asked.header("x-mcp-local-budget");
    let mut calls = state.calls.lock().unwrap();
    let calls = calls.entry(budget.unwrap_or_default().to_owned()).or_default();
    *calls += 1;
    let allowed = match quirk {
        _ if budget.is_some() => CALLS,
        ".early" => CALLS - 2,
        ".late" => CALLS + 2,
        ".none" => u64::MAX,
        _ => CALLS,
    };
    (*calls > allowed).then(|| match quirk {
        ".bare" if budget.is_none() => error(429, -32000, "slow down"),
        ".long" if budget.is_none() => error(429, -32000, "slow down").with("retry-after", "100000"),
        ".text" => told(429, "text/plain", "slow down").with("retry-after", "3600"),
        _ => error(429, -32000, "slow down").with("retry-after", "3600"),
    })
}

/// At most ten seconds, and no longer than the server lives.
fn wait(open: &Open, mut each: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..200 {
        if open.is_closing() {
            break;
        }
        each()?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn write(mut stream: &TcpStream, told: Told) -> io::Result<()> {
    let mut head =
        format!("HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n", told.status, told.body.len());
    for (name, value) in &told.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n{}", told.body).as_bytes())
}

fn answer(quirk: &str, asked: &Asked) -> Told {
    match quirk {
        "gate.platform" => return told(403, "text/plain", "").with("x-gate", "down"),
        "gate.redirect" => {
            return told(308, "text/plain", "").with("location", "https://else.example/mcp?t=x");
        }
        _ => {}
    }
    if asked.head.target == "/health" {
        return match quirk {
            "no-health" => told(404, "text/plain", "Not Found"),
            "websocket.older" => {
                let page = json!({ "name": "sample", "version": "0.9.0", "websocket": true });
                told(200, "application/json", page.to_string())
            }
            "reachable" => told(200, "application/json", json!({"name": "sample", "version": "0.9.0"}).to_string()),
            "html" => told(200, "text/html", "<html>"),
            _ => {
                let mut page = json!({ "name": "sample", "version": "1.0.0" });
                if quirk == "broken" {
                    page["broken"] = json!(["tool echo", "prompt greet"]);
                }
                if quirk == "broken-many" {
                    page["broken"] = json!(2);
                }
                if quirk == "deployment" {
                    page["deployment"] = json!("7");
                }
                if speaks_websocket(quirk) {
                    page["websocket"] = json!(true);
                }
                told(200, "application/json", page.to_string())
            }
        };
    }
    if asked.head.target != "/mcp" && quirk != "hostile.path" {
        return told(404, "text/plain", "Not Found");
    }
    if !asked.header("host").unwrap_or("").starts_with("127.0.0.1") && quirk != "hostile.host" {
        return error(403, -32000, "host");
    }
    match asked.header("origin") {
        Some(_) if quirk == "every-origin" => {
            return told(200, "application/json", "{}").with("access-control-allow-origin", "*");
        }
        Some(origin) if asked.head.method == "OPTIONS" && quirk == "hostile.preflight" => {
            return told(204, "text/plain", "").with("access-control-allow-origin", origin);
        }
        Some("null") if quirk == "hostile.origin-null" => {}
        Some("null") => return error(403, -32000, "origin"),
        Some(_) if quirk == "hostile.origin" && asked.head.method == "POST" => {}
        Some(_) => return error(403, -32000, "origin"),
        None => {}
    }
    if quirk.starts_with("auth") && asked.header("authorization") != Some("Bearer s3cret-key") {
        let refused = error(401, -32000, &format!("you sent {:?}", asked.header("authorization")));
        return if quirk == "auth.bare" { refused } else { refused.with("x-amzn-remapped-www-authenticate", "Bearer") };
    }
    match (asked.head.method.as_str(), quirk) {
        ("POST", _) => post(quirk, asked),
        ("GET", "get-stream") => told(200, "text/event-stream", ": hello\n\n"),
        ("DELETE", "hostile.delete") => told(200, "text/plain", ""),
        (_, "no-allow") => error(405, -32000, "method"),
        _ => error(405, -32000, "method").with("allow", "POST"),
    }
}

fn post(quirk: &str, asked: &Asked) -> Told {
    if asked.header("content-type") != Some("application/json") && quirk != "hostile.content-type" {
        return error(415, -32000, "content type");
    }
    let body: Value = match serde_json::from_slice(&asked.body) {
        Ok(Value::Array(_)) if quirk != "hostile.batch" => return error(400, -32600, "batch"),
        Ok(Value::Array(batch)) => batch[0].clone(),
        Ok(body) => body,
        Err(_) if quirk == "hostile.malformed" => return error(500, -32603, "oops"),
        Err(_) => return error(400, -32700, "parse"),
    };
    if body["jsonrpc"] != "2.0" && quirk != "hostile.envelope" {
        return error(400, -32600, "not JSON-RPC 2.0");
    }
    let modern = asked.header("mcp-protocol-version").is_some_and(|version| version >= "2026");
    if modern {
        if quirk == "legacy-only" {
            return error(400, -32000, "Unsupported protocol version");
        }
        if let Some(refused) = refuse_modern(quirk, asked, &body) {
            return refused;
        }
    }
    if body.get("id").is_none() {
        return told(if quirk == "legacy.initialized" { 200 } else { 202 }, "text/plain", "");
    }
    let version = if modern { "modern" } else { "legacy" };
    let (status, answer) = dispatch(quirk, version, &body);
    let id = if quirk == "other-id" { json!(-1) } else { body["id"].clone() };
    let mut message = json!({ "jsonrpc": "2.0", "id": id });
    match answer {
        Ok(result) => message["result"] = result,
        Err((code, text)) => message["error"] = json!({ "code": code, "message": text }),
    }
    if modern {
        return told(status, "application/json", message.to_string());
    }
    let noise = json!({"jsonrpc": "2.0", "method": "notifications/message", "params": {"id": body["id"]}});
    told(
        200,
        "text/event-stream; charset=utf-8",
        format!(": hi\n\ndata: {noise}\n\nevent: message\ndata: {message}\n\n"),
    )
}

fn refuse_modern(quirk: &str, asked: &Asked, body: &Value) -> Option<Told> {
    let meta = &body["params"]["_meta"];
    let version = &meta["io.modelcontextprotocol/protocolVersion"];
    let (named, header) = (body["params"]["name"].as_str(), asked.header("mcp-name"));
    let method = asked.header("mcp-method");
    let faults = [
        ("hostile.no-method-header", method.is_none(), 400, -32020),
        ("hostile.method-mismatch", method.is_some() && method != body["method"].as_str(), 400, -32020),
        ("hostile.name-mismatch", named.is_some() && header != named, 400, -32020),
        ("hostile.no-meta", meta.is_null(), 400, -32602),
        (
            "hostile.no-capabilities",
            !meta.is_null() && meta.get("io.modelcontextprotocol/clientCapabilities").is_none(),
            400,
            -32602,
        ),
        ("hostile.version", !meta.is_null() && version != "2026-07-28", 400, -32022),
        ("never", quirk == "modern-refuses", 400, -32020),
    ];
    let (_, _, status, code) = faults.into_iter().find(|(id, bad, ..)| *bad && *id != quirk)?;
    let data = json!({ "supported": if quirk == "no-supported" { json!([]) } else { json!(["2026-07-28"]) } });
    let error = json!({ "code": code, "message": "refused", "data": data });
    Some(told(status, "application/json", json!({"jsonrpc": "2.0", "id": body["id"], "error": error}).to_string()))
}

type Dispatched = (u16, Result<Value, (i64, &'static str)>);

fn dispatch(quirk: &str, era: &str, body: &Value) -> Dispatched {
    // A quirk may be of one era only.
    let is = |name: &str| quirk == name || quirk == format!("{era}.{name}");
    let capabilities = json!({ "tools": { "listChanged": is("list-changed") }, "resources": {}, "prompts": {} });
    let info = json!({ "name": if is("name") { "other" } else { "sample" }, "version": "1.0.0" });
    let method = body["method"].as_str().unwrap_or("");
    let mut result = match method {
        "initialize" if is("initialize") => return (200, Err((-32000, "not here"))),
        "initialize" => {
            json!({ "protocolVersion": body["params"]["protocolVersion"], "capabilities": capabilities, "serverInfo": info })
        }
        "server/discover" => json!({
            "supportedVersions": if is("discover") { json!(["2027-01-01"]) } else { json!(["2026-07-28"]) },
            "capabilities": capabilities, "_meta": { "io.modelcontextprotocol/serverInfo": info },
        }),
        "tools/list" => tools(&is, &body["params"]["cursor"]),
        "resources/list" if is("resources") => return (404, Err((-32601, "no resources"))),
        "resources/list" if is("resource-gone") => json!({ "resources": [] }),
        "resources/list" => json!({ "resources": contract().resources }),
        "resources/templates/list" if is("template-fault") => {
            return (500, Err((-32603, "no templates")));
        }
        "resources/templates/list" if !is("templates") => {
            return (404, Err((-32601, "no templates")));
        }
        "resources/templates/list" => {
            json!({ "resourceTemplates": [{ "uriTemplate": "x://{a}", "name": "a" }] })
        }
        "prompts/list" if is("prompts") => json!({ "prompts": null }),
        "prompts/list" => json!({ "prompts": contract().prompts }),
        "tools/call" => match call(&is, era, &body["params"]) {
            Ok(result) => result,
            Err(refused) => return refused,
        },
        _ if is("hostile.unknown-method") => return (200, Err((-32601, "no such method"))),
        _ if is("hostile.no-leak") => {
            return (404, Err((-32601, "Error: no\n    at run (file:///var/task/index.mjs:1:2)")));
        }
        _ => return (404, Err((-32601, "no such method"))),
    };
    if era == "modern" {
        if !is("no-type") {
            result["resultType"] = json!("complete");
        }
        if !is("no-ttl") {
            result["ttlMs"] = json!(0);
        }
        result["cacheScope"] = json!(if is("scope") { "world" } else { "public" });
    }
    (200, Ok(result))
}

/// Two pages.
fn tools(is: &dyn Fn(&str) -> bool, cursor: &Value) -> Value {
    let mut tools = contract().tools;
    if is("tool-changed") {
        tools[0]["inputSchema"]["properties"]["text"]["type"] = json!("number");
    }
    if is("tool-gone") {
        tools.pop();
    }
    if is("tool-twice") {
        tools.push(tools[0].clone());
    }
    if is("tool-more") {
        tools.push(json!({ "name": "more", "inputSchema": { "type": "object" } }));
    }
    match cursor.is_null() {
        true => json!({ "tools": tools[..1], "nextCursor": "two" }),
        false if is("endless") => json!({ "tools": [], "nextCursor": "two" }),
        false => json!({ "tools": tools[1..] }),
    }
}

fn call(is: &dyn Fn(&str) -> bool, era: &str, params: &Value) -> Result<Value, Dispatched> {
    let name = params["name"].as_str().unwrap_or("");
    let text = &params["arguments"]["text"];
    let failed = |why: &str| json!({ "content": [{ "type": "text", "text": why }], "isError": true });
    match name {
        "echo" | "clock" => {}
        _ if is("hostile.unknown-tool") => return Ok(failed("no such tool")),
        _ => return Err((200, Err((-32602, "no such tool")))),
    }
    if name == "echo" && !text.is_string() && !is("hostile.arguments") {
        return Ok(failed("`text` must be a string"));
    }
    if is("call-leak") {
        return Ok(failed("Error: down\n    at run (index.mjs:1:2)"));
    }
    if is("call-error") {
        let reference = if name == "clock" { format!(" (ref {:?})", std::time::Instant::now()) } else { String::new() };
        return Ok(failed(&format!("the service is down{reference}")));
    }
    let text = match name {
        "clock" => json!(format!("{:?}", std::time::Instant::now())),
        _ if is("call-era") => json!(format!("{era} {text}")),
        _ => text.clone(),
    };
    let structured = if is("call-misfit") { json!({ "text": 1 }) } else { json!({ "text": text }) };
    Ok(json!({ "content": [{ "type": "text", "text": text }], "structuredContent": structured }))
}

/// What a server without a quirk serves.
pub fn contract() -> Contract {
    let text = json!({ "type": "object", "properties": { "text": { "type": "string" } }, "required": ["text"] });
    Contract {
        name: "sample".to_owned(),
        version: "1.0.0".to_owned(),
        tools: vec![
            json!({ "name": "echo", "description": "Says it again", "inputSchema": text, "outputSchema": text }),
            json!({ "name": "clock", "title": "Clock", "inputSchema": { "type": "object" } }),
        ],
        resources: vec![json!({ "uri": "sample://a", "name": "a" })],
        resource_templates: Vec::new(),
        prompts: vec![json!({ "name": "greet", "arguments": [{ "name": "who", "required": true }] })],
        origins_configured: false,
        auth: None,
        rate_limit: None,
        websocket: None,
    }
}
