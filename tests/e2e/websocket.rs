//! MCP over WebSockets, in workerd: the v1 client over its own transport, across hibernations; who may open one; what
//! breaks it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::LazyLock;

use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::auth::{self, ISSUER, at, token};
use crate::clients::{self, typescript};
use crate::support::child::{LONG, Running, SHORT, run};
use crate::support::mcp::{Era, ask};
use crate::support::site::{Site, oslo, weather};
use crate::support::tools::{CLIENT_V1, CLIENT_V2, KIT};
use crate::support::work::{mcp_deploy, read, write};

static OPEN: LazyLock<Site> = LazyLock::new(|| {
    Site::new("sockets", |root| {
        weather(root);
        let add = ["add-tool", "instance", "--description", "Which object answers."];
        run(mcp_deploy(root, add)).expect(0);
        write(root.join("src/tools/instance.ts"), INSTANCE);
        run(mcp_deploy(root, ["add-tool", "greet", "--description", "Greets the user by name."])).expect(0);
        write(root.join("src/tools/greet.ts"), GREET);
        run(mcp_deploy(root, ["add-tool", "count", "--description", "Counts its calls."])).expect(0);
        let mut add = mcp_deploy(root, ["add-tool", "load", "--description", "Emits pieces, then waits."]);
        add.args(["--param", "pieces:integer", "--param", "ms:integer"]);
        run(add).expect(0);
        write(root.join("src/tools/load.ts"), LOAD);
        let manifest = read(root.join("mcp.toml"));
        write(root.join("mcp.toml"), manifest.replace("[tools.count]", "[tools.count]\nstate = \"shared\""));
        only_cloudflare(root);
        write(root.join("src/tools/count.ts"), COUNT);
        with_websocket(root);
    })
});

/// Callers with an API key, one of them a former one.
static KEYS: LazyLock<(Site, [String; 2])> = LazyLock::new(|| {
    let mut keys = Vec::new();
    let site = Site::new("socket-keys", |root| {
        auth::project(root, "auth = \"api-key\"", "");
        for name in ["alice", "mallory"] {
            keys.push(run(mcp_deploy(root, ["keys", "add", name])).expect(0).stdout.trim().to_owned());
        }
        run(mcp_deploy(root, ["keys", "revoke", "mallory"])).expect(0);
        with_websocket(root);
    });
    (site, keys.try_into().expect("two keys"))
});

static TOKENS: LazyLock<Site> = LazyLock::new(|| {
    Site::new("socket-tokens", |root| {
        let access = format!(
            "auth = \"oauth\"\n[access.oauth]\nissuer = \"{}\"\naudience = \"weather-api\"\nscopes = [\"weather\"]",
            ISSUER.url
        );
        auth::project(root, &access, "scopes = [\"who:read\"]\n");
        with_websocket(root);
    })
});

/// A handler's `ctx.env` is made once in the life of an object.
const INSTANCE: &str = r#"import { tool } from "../generated/mcp.ts";

const seen: object[] = [];
export default tool("instance", async (_, ctx) => {
  await ctx.clientLog("debug", "softly");
  await ctx.clientLog("error", "loudly");
  if (!seen.includes(ctx.env)) seen.push(ctx.env);
  return { instance: seen.indexOf(ctx.env) };
});
"#;

const GREET: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("greet", (_, ctx) => {
  const user = ctx.accepted<{ name: string }>("user");
  if (user) return { greeting: `Hello, ${user.name}!` };
  const requestedSchema = { type: "object" as const, properties: { name: { type: "string" as const } }, required: ["name"] };
  return ctx.ask({ user: { method: "elicitation/create", params: { mode: "form", message: "What is your name?", requestedSchema } } });
});
"#;

const COUNT: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("count", async (_, ctx) => ({ calls: await ctx.state.update<number>("calls", (calls = 0) => calls + 1) }));
"#;

const LOAD: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("load", async ({ pieces, ms }, ctx) => {
  for (let piece = 0; piece < pieces; piece++) await ctx.emit("x".repeat(64 * 1024));
  await new Promise((resolve) => setTimeout(resolve, ms));
  return "done";
});
"#;

/// The other clouds would need packages for the state.
fn only_cloudflare(root: &Path) {
    let manifest = read(root.join("mcp.toml"));
    let (before, targets) = manifest.split_once("[targets.lambda]").expect("all three");
    let (_, cloudflare) = targets.split_once("[targets.cloudflare]").expect("all three");
    write(root.join("mcp.toml"), format!("{before}[targets.cloudflare]{cloudflare}"));
}

fn with_websocket(root: &Path) {
    let manifest = read(root.join("mcp.toml"));
    assert!(manifest.contains("[targets.cloudflare]"), "{manifest}");
    write(root.join("mcp.toml"), manifest.replace("[targets.cloudflare]", "[targets.cloudflare]\nwebsocket = true"));
}

/// What the v1 client sees in one of the scenes of `clients/websocket-v1.mjs`.
#[track_caller]
fn scene(site: &Site, name: &str, bearer: &str) -> Value {
    let mut script = typescript(&CLIENT_V1, "websocket-v1.mjs");
    script.args([&site.server("cloudflare").url, name]).env("BEARER", bearer);
    run(script).expect(0).json()
}

/// What comes of each connection, and how it ends.
#[track_caller]
fn talks(site: &Site, bearer: &str, talks: Value) -> Vec<Value> {
    let mut script = typescript(&CLIENT_V2, "websocket.mjs");
    script.args([&site.server("cloudflare").url, &talks.to_string()]).env("BEARER", bearer);
    let Value::Array(talks) = Running::start(script).wait(SHORT).expect(0).json() else { panic!("no list") };
    talks
}

/// A socket does not bypass the rate limit: the upgrade is a call, and each request on it is one.
#[test]
fn each_request_counts_against_the_rate_limit() {
    let site = Site::new("socket-limit", |root| {
        weather(root);
        let manifest = read(root.join("mcp.toml"));
        write(root.join("mcp.toml"), format!("{manifest}\n[access]\nrate_limit = \"3/minute\"\n"));
        only_cloudflare(root);
        with_websocket(root);
    });
    // Two windows at most, as the counting goes by the clock: six calls, one of them the upgrade.
    let ping = |id: usize| Value::from(json!({ "jsonrpc": "2.0", "id": id, "method": "ping" }).to_string());
    let mut frames: Vec<Value> = (1..=8).map(ping).collect();
    frames.push(Value::Null);
    let talk = talks(&site, "", json!([frames])).remove(0);
    let received = talk["received"].as_array().expect("a list");
    let ids: Vec<&Value> = received.iter().map(|message| &message["id"]).collect();
    assert_eq!(ids, (1..=8).collect::<Vec<_>>(), "each is answered: {talk:#}");
    assert_eq!(received[0]["result"], json!({}), "{talk:#}");
    let refused: Vec<&Value> = received.iter().filter(|message| !message["error"].is_null()).collect();
    assert!(refused.len() >= 3, "{talk:#}");
    for message in refused {
        assert_eq!(message["error"]["code"], -32000, "{talk:#}");
        assert!(message["error"]["data"]["retryAfter"].as_u64().is_some_and(|s| (1..=60).contains(&s)), "{talk:#}");
    }
}

/// Each check of `verify` that is about WebSockets, and what came of it.
fn verified(site: &Site, bearer: Option<&str>) -> Vec<(String, String)> {
    let url = &site.server("cloudflare").url;
    let mut verify = mcp_deploy(&site.root, ["verify", url, "--json"]);
    if let Some(key) = bearer {
        verify.args(["--bearer-env", "BEARER"]).env("BEARER", key);
    }
    let report = run(verify).expect(0).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = report["checks"].as_array().expect("a list").iter();
    let about = checks.filter(|check| text(&check["id"]).starts_with("websocket."));
    about.map(|check| (text(&check["id"]), text(&check["outcome"]))).collect()
}

#[test]
fn verify_asks_over_a_websocket_too() {
    let passed = |ids: &[&str]| ids.iter().map(|id| ((*id).to_owned(), "passed".to_owned())).collect::<Vec<_>>();
    assert_eq!(verified(&OPEN, None), passed(&["websocket.origin", "websocket.session"]));
    let (site, [alice, _]) = &*KEYS;
    let all = passed(&["websocket.origin", "websocket.no-credentials", "websocket.session"]);
    assert_eq!(verified(site, Some(alice)), all);
}

#[test]
fn the_v1_client_has_a_whole_session() {
    let mut expected = clients::session(clients::LEGACY);
    expected.as_object_mut().expect("an object").remove("protocol");
    expected["tools"] = json!(["get_weather", "wait_at", "instance", "greet", "count", "load"]);
    expected["server"] = json!("sockets 0.1.0");
    expected["errors"] = json!([]);
    assert_eq!(scene(&OPEN, "session", ""), expected);
}

/// The object leaves the memory, and the session goes on; a call in flight keeps its object.
#[test]
fn a_session_outlives_its_object() {
    let seen = scene(&OPEN, "hibernation", "");
    let [first, second, third] = [0, 1, 2].map(|at| seen["instances"][at].as_u64().expect("a number"));
    assert!(first != second && second != third, "it did not hibernate: {seen}");
    assert_eq!(seen["busy"][0], seen["busy"][1], "it hibernated under a call: {seen}");
    assert_eq!(seen["answer"], json!({ "text": "go on" }));
    assert_eq!(seen["tools"], 6);
    // The level that woke it is still what the client hears after the next time.
    assert_eq!(seen["heard"][0][0], "softly", "{seen}");
    assert!(
        seen["heard"][1].as_array().is_some_and(|all| !all.is_empty() && all.iter().all(|one| one == "loudly")),
        "{seen}"
    );
    assert_eq!(seen["errors"], json!([]));
}

/// What a stateless server cannot do for a client of 2025.
#[test]
fn a_tool_asks_the_user() {
    let seen = scene(&OPEN, "asked", "");
    assert_eq!(seen["answer"], json!({ "greeting": "Hello, Ada!" }), "{seen}");
    assert_eq!(seen["questions"], json!(["What is your name?"]), "{seen}");
    assert!(seen["refused"][0]["text"].as_str().is_some_and(|text| text.contains("elicitation")), "{seen}");
}

/// Two classes of Durable Objects in one Worker, and one state for both ways to it.
#[test]
fn state_is_the_same_over_both() {
    assert_eq!(scene(&OPEN, "counted", ""), json!([{ "calls": 1 }, { "calls": 2 }]));
    let url = &OPEN.server("cloudflare").url;
    let third = ask(url, Era::Modern, "tools/call", json!({ "name": "count", "arguments": {} }));
    assert_eq!(third["structuredContent"], json!({ "calls": 3 }));
}

#[test]
fn sessions_know_nothing_of_each_other() {
    let seen = scene(&OPEN, "apart", "");
    assert_eq!(seen["cancelled"], "cancelled");
    assert_eq!(seen["tool"], "left", "`ctx.signal` did not abort: {seen}");
    assert_eq!(seen["other"], json!({ "text": "go on" }));
    assert_ne!(seen["instances"][0], seen["instances"][1]);
    assert_eq!(seen["logged"], json!([[], ["softly", "loudly"]]));
}

/// The answer to a request for a WebSocket: its status, and all of its text if it is refused.
#[track_caller]
fn handshake(url: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let host = url.trim_start_matches("http://").trim_end_matches("/mcp");
    let mut stream = TcpStream::connect(host).expect("the server listens");
    stream.set_read_timeout(Some(SHORT)).expect("a socket can be set");
    let given = |name: &str| headers.iter().any(|(header, _)| header.eq_ignore_ascii_case(name));
    let mut head = "GET /mcp HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        .to_owned();
    if !given("host") {
        head.push_str(&format!("host: {host}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).expect("the server reads");
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).expect("an answer");
        answer.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(read > 0, "no head: {text}");
            continue;
        };
        let status: u16 = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if status == 101 || length.is_some_and(|length| body.len() >= length) {
            return (status, text);
        }
        assert!(read > 0, "half an answer: {text}");
    }
}

const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "mcp");

#[test]
fn only_who_may_come_in_gets_a_socket() {
    let url = &OPEN.server("cloudflare").url;
    let (status, head) = handshake(url, &[("sec-websocket-protocol", "other, mcp")]);
    assert!(status == 101 && head.contains("\r\nsec-websocket-protocol: mcp\r\n"), "{head}");
    for protocol in [&[][..], &[("sec-websocket-protocol", "mcp2")], &[("sec-websocket-protocol", "MCP")]] {
        let (status, text) = handshake(url, protocol);
        assert!(status == 400 && text.contains("subprotocol must be mcp"), "{text}");
    }
    for (header, value) in [("origin", "https://evil.example"), ("origin", "null"), ("host", "evil.example")] {
        let (status, text) = handshake(url, &[PROTOCOL, (header, value)]);
        assert!(status == 403 && text.contains("is not allowed"), "{header}: {value}: {text}");
    }
    assert_eq!(handshake(url, &[PROTOCOL, ("origin", "http://localhost:3000")]).0, 101);
    // The same URL over HTTP is what it was.
    let called =
        ask(url, Era::Modern, "tools/call", json!({ "name": "get_weather", "arguments": { "location": "Oslo" } }));
    assert_eq!(called["structuredContent"], oslo());
    let plain = ureq::get(url).config().http_status_as_error(false).build().call().expect("an answer");
    assert_eq!((plain.status().as_u16(), plain.headers()["allow"].to_str().expect("text")), (405, "POST"));
}

/// Each call in the works holds memory of the one object that serves the connection.
#[test]
fn calls_at_a_time_are_bounded() {
    let seen = limits("crowd");
    let refused = seen["refused"].as_array().expect("a list");
    assert_eq!((refused.len(), &seen["answered"]), (8, &json!(32)), "{seen:#}");
    let error =
        json!({ "code": -32000, "message": "at most 32 requests at a time on one connection: wait for an answer" });
    assert!(refused.iter().all(|one| *one == error), "{seen:#}");
    assert_eq!(seen["afterwards"], json!([{ "type": "text", "text": "done" }]), "{seen:#}");
}

/// A repeated id would stand for one of many calls in the works.
#[test]
fn an_id_is_used_once_at_a_time() {
    let seen = limits("repeated");
    let error = json!({ "code": -32600, "message": "a request with this id is not answered yet" });
    assert_eq!(seen["errors"], json!(vec![error; 39]), "{seen:#}");
    assert_eq!(seen["again"], json!([{ "type": "text", "text": "done" }]), "{seen:#}");
}

/// What a client has not read would be held in the object's memory: its answer to a ping says that it has read what
/// came before.
#[test]
fn a_slow_client_is_waited_for() {
    let seen = limits("flood");
    let held = seen["held"].as_array().expect("a list");
    // 64 pieces of 64 KiB, and a MiB at a time.
    assert_eq!(held.len(), 4, "{seen:#}");
    assert!(held.iter().all(|pair| pair[0] == pair[1]), "the tool did not wait: {seen:#}");
    assert_eq!(seen["pieces"], 64, "{seen:#}");
    assert_eq!(seen["content"], json!([{ "type": "text", "text": "done" }]), "{seen:#}");
}

/// What comes of a scene of `clients/websocket-limits.mjs`.
#[track_caller]
fn limits(scene: &str) -> Value {
    let mut script = typescript(&CLIENT_V2, "websocket-limits.mjs");
    script.args([&OPEN.server("cloudflare").url, scene]);
    Running::start(script).wait(LONG).expect(0).json()
}

#[test]
fn what_is_no_message_is_answered_or_ends_it() {
    let ping = json!({ "jsonrpc": "2.0", "id": "p", "method": "ping" }).to_string();
    let batch = format!("[{ping}]");
    let huge = json!({
        "jsonrpc": "2.0", "id": 1, "method": "initialize",
        "params": { "protocolVersion": "2025-11-25", "capabilities": { "experimental": { "x": { "much": "x".repeat(20_000) } } }, "clientInfo": { "name": "x", "version": "1" } },
    });
    let seen = talks(
        &OPEN,
        "",
        json!([
            ["{", "[]", "1", "{\"jsonrpc\":\"2.0\"}", batch, ping, null],
            [{ "binary": 3 }],
            [ping, { "text": (1 << 20) + 1 }],
            [{ "wide": (1 << 19) + 1 }],
            [huge.to_string()],
            [null],
        ]),
    );
    let codes: Vec<_> = seen.iter().map(|talk| talk["closed"]["code"].as_u64().expect("a code")).collect();
    assert_eq!(codes, [1000, 1003, 1009, 1009, 1009, 1000], "{seen:#?}");
    assert!(seen.iter().all(|talk| talk["closed"]["wasClean"] == true), "{seen:#?}");
    let received = seen[0]["received"].as_array().expect("a list");
    let errors: Vec<_> = received.iter().map(|answer| &answer["error"]["code"]).collect();
    assert_eq!(json!(errors), json!([-32700, -32600, -32600, -32600, -32600, null]), "{received:#?}");
    assert_eq!(received[5], json!({ "jsonrpc": "2.0", "id": "p", "result": {} }));
}

#[test]
fn a_key_opens_it_and_its_caller_stays() {
    let (site, [alice, former]) = &*KEYS;
    let url = &site.server("cloudflare").url;
    let bearer = |key: &str| format!("Bearer {key}");
    for headers in [&[PROTOCOL][..], &[PROTOCOL, ("authorization", &bearer(former))]] {
        let (status, text) = handshake(url, headers);
        assert!(status == 401 && text.contains("www-authenticate: bearer"), "{text}");
    }
    // Only the Worker talks to the object.
    let (status, _) = handshake(url, &[PROTOCOL, ("mcp-caller", "%7B%22clientId%22%3A%22alice%22%7D")]);
    assert_eq!(status, 401);
    let page = [PROTOCOL, ("origin", "https://evil.example"), ("authorization", &bearer(alice))];
    assert_eq!(handshake(url, &page).0, 403);
    assert_eq!(handshake(url, &[PROTOCOL, ("x-api-key", alice)]).0, 101);
    assert_eq!(scene(site, "whoami", alice), json!({ "id": "alice" }));
}

/// A session is as good as its key: revoked or renewed, and it is over.
#[test]
fn a_revoked_key_ends_its_sessions() {
    let (site, [alice, _]) = &*KEYS;
    let env = read(site.root.join(".env"));
    let hashes = env.trim().strip_prefix("MCP_API_KEYS='").and_then(|rest| rest.strip_suffix('\'')).expect("hashes");
    let script = "const { apiKeys } = await import(process.argv[2]);
        const core = (keys) => ({ manifest: { server: { name: 's' } }, env: { MCP_API_KEYS: JSON.stringify(keys) } });
        const keys = JSON.parse(process.env.HASHES);
        const headers = new Headers({ 'x-api-key': process.env.KEY });
        const { authenticate, isStillGood } = apiKeys();
        const caller = await authenticate({ headers }, core(keys));
        const renewed = { ...keys, alice: '0'.repeat(64) };
        const kept = structuredClone(caller);
        console.log(JSON.stringify([keys, {}, renewed].map((keys) => isStillGood(kept, core(keys)))));";
    let file = site.root.join("revoked.mjs");
    write(&file, script);
    let mut node = KIT.node(&file);
    node.arg(site.root.join("src/generated/runtime/api-keys.ts")).env("HASHES", hashes).env("KEY", alice);
    assert_eq!(run(node).expect(0).json(), json!([true, false, false]));
}

#[test]
fn tokens_open_it_for_as_long_as_they_last() {
    let url = &TOKENS.server("cloudflare").url;
    let good = token(&ISSUER, json!({}));
    let poor = token(&ISSUER, json!({ "scope": "other" }));
    let (status, text) = handshake(url, &[PROTOCOL, ("authorization", &format!("Bearer {poor}"))]);
    assert!(status == 403 && text.contains("insufficient_scope"), "{text}");
    assert_eq!(scene(&TOKENS, "whoami", &good), json!({ "id": format!("{}#alice", ISSUER.url) }));
    // The tool's own scope is asked for with every call.
    let some = token(&ISSUER, json!({ "scope": "weather" }));
    let list = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }).to_string();
    let call =
        json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": { "name": "whoami", "arguments": {} } });
    let seen = &talks(&TOKENS, &some, json!([[list, call.to_string(), null]]))[0];
    assert_eq!(seen["received"][0]["result"]["tools"][0]["name"], "whoami", "{seen}");
    let error = json!({ "code": -32000, "message": "the access token needs the scopes weather who:read" });
    assert_eq!(seen["received"][1], json!({ "jsonrpc": "2.0", "id": 2, "error": error }), "{seen}");
    // Its end closes the connection, although nobody says anything.
    let short = token(&ISSUER, json!({ "exp": at(4) }));
    let seen = &talks(&TOKENS, &short, json!([[list]]))[0];
    assert_eq!(seen["received"][0]["result"]["tools"][0]["name"], "whoami", "{seen}");
    let closed = json!({ "code": 1008, "reason": "the credentials are no longer valid", "wasClean": true });
    assert_eq!(seen["closed"], closed, "{seen}");
}

/// What is off costs nothing: not a byte of it is rendered. Off again, wrangler deletes the class.
#[test]
fn wrangler_takes_each_of_its_states() {
    OPEN.server("cloudflare");
    let copy = crate::support::work::clone(&OPEN.root, "socket-states");
    let root = copy.as_path();
    let manifest = read(root.join("mcp.toml"));
    let mut sizes = Vec::new();
    for (line, exports) in [
        ("", ""),
        ("websocket = true\n", "\"McpSession\": { \"type\": \"durable-object\", \"storage\": \"sqlite\" }"),
        ("websocket = false\n", "\"McpSession\": { \"type\": \"durable-object\", \"state\": \"deleted\" }"),
    ] {
        write(root.join("mcp.toml"), manifest.replace("websocket = true\n", line));
        run(mcp_deploy(root, ["render"])).expect(0);
        let on = line.contains("true");
        assert_eq!(root.join("src/generated/runtime/session.ts").exists(), on, "{line}");
        let config = read(root.join("wrangler.jsonc"));
        assert!(config.contains(exports) && config.contains("McpSession") != exports.is_empty(), "{config}");
        let mut wrangler = KIT.command(ToolId::Wrangler);
        wrangler.args(["deploy", "--dry-run", "--outdir", "dist", "--env="]).current_dir(root);
        let built = Running::start(wrangler).wait(LONG).expect(0);
        assert!(!format!("{}{}", built.stdout, built.stderr).contains("WARNING"), "{built}");
        let bundle = std::fs::read(root.join("dist/cloudflare.js")).expect("the bundle");
        assert_eq!(String::from_utf8_lossy(&bundle).contains("McpSession"), on, "{line}");
        sizes.push(bundle.len());
    }
    assert_eq!(sizes[0], sizes[2], "off is off");
    let grown = sizes[1] - sizes[0];
    // 6.1 kB when this was written.
    assert!(grown < 7_500, "it adds {grown} bytes");
}
