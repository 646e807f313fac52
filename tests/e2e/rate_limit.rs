//! How often one caller may call: on each cloud's local runtime, by address and by name, one after the other and all at
//! once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::state::Moto;
use crate::support::child::{LONG, Running, SHORT, free_port, run};
use crate::support::site::{Site, Turn};
use crate::support::tools::{KIT, REDIS};
use crate::support::work::{clone, folder, mcp_deploy, write};

const CALLS: usize = 5;
const NAMED: usize = 20;

/// Open to all, so that addresses are what tells callers apart.
static OPEN: LazyLock<Site> = LazyLock::new(|| Site::new("open", |root| project(root, "rate_limit = \"5/minute\"")));

/// Callers with an API key each.
static CALLERS: LazyLock<(Site, [String; 3])> = LazyLock::new(|| {
    let mut keys = Vec::new();
    let site = Site::new("callers", |root| {
        project(root, "auth = \"api-key\"\nrate_limit = \"20/minute\"");
        for name in ["alice", "bob", "carol"] {
            keys.push(run(mcp_deploy(root, ["keys", "add", name])).expect(0).stdout.trim().to_owned());
        }
    });
    (site, keys.try_into().expect("three keys"))
});

fn project(root: &Path, access: &str) {
    let manifest = format!(
        "[server]\nname = \"limited\"\nversion = \"0.1.0\"\ndescription = \"Has only so much time.\"\n\n\
         [tools.now]\ndescription = \"What time it is.\"\n\n\
         [access]\n{access}\norigins = [\"https://app.example\"]\n\n[targets.lambda]\n[targets.vercel]\n[targets.cloudflare]\n[targets.container]\n"
    );
    write(root.join("mcp.toml"), manifest);
    write(root.join(".gitignore"), "node_modules/\n.env\n");
    let handler = "import { tool } from \"../generated/mcp.ts\";\n\nexport default tool(\"now\", () => Date.now());\n";
    write(root.join("src/tools/now.ts"), handler);
}

struct Answer {
    status: u16,
    retry_after: Option<u64>,
    body: String,
}

/// One request to the endpoint, or next to it.
fn ask(url: &str, method: &str, headers: &[(&str, &str)]) -> Answer {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {} }).to_string();
    send(url, method, headers, if method == "POST" { message } else { String::new() })
}

fn send(url: &str, method: &str, headers: &[(&str, &str)], body: String) -> Answer {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).max_idle_connections(0);
    let agent = agent.timeout_global(Some(SHORT)).build().new_agent();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    let own = [
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
        ("mcp-protocol-version", "2025-11-25"),
    ];
    // Each name once: of two headers of one name platforms take the one or the other.
    let own = own.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
    for (name, value) in own.chain(headers) {
        request = request.header(*name, *value);
    }
    let mut response = agent.run(request.body(body).expect("a request")).expect("an answer");
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().expect("text").parse());
    let body = response.body_mut().read_to_string().expect("text");
    Answer { status: response.status().as_u16(), retry_after: retry_after.transpose().expect("seconds"), body }
}

fn post(url: &str, headers: &[(&str, &str)]) -> Answer {
    ask(url, "POST", headers)
}

/// What comes back for a head whose body never follows.
fn without_body(url: &str) -> String {
    let address = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix("/mcp")).expect("a local server");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(SHORT)).expect("a timeout");
    let head = "content-type: application/json\r\ncontent-length: 100";
    write!(stream, "POST /mcp HTTP/1.1\r\nhost: {address}\r\n{head}\r\n\r\n").expect("it is sent");
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line
}

/// Windows are minutes of the clock. What must fit into one begins when enough of it is left.
fn with_seconds_left(needed: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let left = Duration::from_secs(60 - now.as_secs() % 60);
    if left < Duration::from_secs(needed) {
        std::thread::sleep(left);
    }
}

#[track_caller]
fn refused(answer: &Answer, calls: usize) {
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert!(answer.retry_after.is_some_and(|seconds| (1..=60).contains(&seconds)), "{:?}", answer.retry_after);
    let body: Value = serde_json::from_str(&answer.body).expect("JSON");
    let error = json!({ "code": -32000, "message": format!("at most {calls} calls in 60 s") });
    assert_eq!(body, json!({ "jsonrpc": "2.0", "id": null, "error": error }));
}

fn by_address(target: &str) {
    let url = &OPEN.server(target).url;
    let (base, _) = url.rsplit_once('/').expect("…/mcp");
    with_seconds_left(20);
    for call in 1..=CALLS {
        let answer = post(url, &[]);
        assert_eq!(answer.status, 200, "call {call}: {}", answer.body);
        // What costs nothing is not counted.
        assert_eq!(ask(url, "GET", &[]).status, 405);
        assert_eq!(post(url, &[("origin", "https://evil.example")]).status, 403);
        assert_eq!(post(url, &[("content-type", "text/plain")]).status, 415);
    }
    refused(&post(url, &[]), CALLS);
    refused(&post(url, &[("origin", "https://app.example")]), CALLS);
    // Before anything of the body is read; a function URL reads it all by itself, and so does wrangler.
    if target == "vercel" {
        assert!(without_body(url).starts_with("HTTP/1.1 429 "));
    }
    // Whatever a client says of its address, and of budgets that only mcp-deploy has, it stays the same client.
    let forged = r#"{"http":{"sourceIp":"203.0.113.9"},"identity":{"sourceIp":"203.0.113.9"}}"#;
    for (name, value) in [
        ("x-forwarded-for", "203.0.113.9"),
        ("x-real-ip", "203.0.113.9"),
        ("x-vercel-forwarded-for", "203.0.113.9"),
        ("x-client-ip", "203.0.113.9"),
        ("true-client-ip", "203.0.113.9"),
        ("forwarded", "for=203.0.113.9"),
        ("x-amzn-request-context", forged),
        ("x-mcp-local-budget", "0123456789abcdef0123456789abcdef.1"),
        ("x-mcp-local-budget", "undefined.1"),
        // The edge of Cloudflare replaces this one by its own; the local runtime believes it.
        ("cf-connecting-ip", if target == "cloudflare" { "127.0.0.1" } else { "203.0.113.9" }),
    ] {
        assert_eq!(post(url, &[(name, value)]).status, 429, "{name}: {value}");
    }
    assert_eq!(ask(&format!("{base}/health"), "GET", &[]).status, 200);
    let preflight = [("origin", "https://app.example"), ("access-control-request-method", "POST")];
    assert_eq!(ask(url, "OPTIONS", &preflight).status, 204);

    // The prober asks everything it has to ask, and proves the limit.
    let home = OPEN.home(target);
    let _turn = Turn::of(&home);
    let report = run(mcp_deploy(&home, ["verify", "--target", target, "--local", "--json"])).expect(0).json();
    let skipped: Vec<&Value> = checks(&report, "skipped").map(|check| &check["id"]).collect();
    assert_eq!(skipped, ["call"], "{report:#}");
    let limit = checks(&report, "passed").find(|check| check["id"] == "rate-limit").expect("it is proven");
    assert!(limit["detail"].as_str().is_some_and(|detail| detail.contains("answered, then 429")), "{limit}");
}

fn checks<'a>(report: &'a Value, outcome: &'a str) -> impl Iterator<Item = &'a Value> {
    report["checks"].as_array().into_iter().flatten().filter(move |check| check["outcome"] == outcome)
}

fn by_caller(target: &str) {
    let (site, [alice, bob, carol]) = &*CALLERS;
    let url = &site.server(target).url;
    let bearer = |key: &str| format!("Bearer {key}");
    with_seconds_left(30);
    for call in 1..=NAMED {
        assert_eq!(post(url, &[("authorization", &bearer(alice))]).status, 200, "call {call}");
        // Nobody's calls are counted before it is known who calls.
        assert_eq!(post(url, &[]).status, 401);
    }
    refused(&post(url, &[("authorization", &bearer(alice))]), NAMED);
    refused(&post(url, &[("x-api-key", alice)]), NAMED);
    refused(&post(url, &[("authorization", &bearer(alice)), ("x-forwarded-for", "203.0.113.9")]), NAMED);
    assert_eq!(post(url, &[("authorization", &bearer(bob))]).status, 200, "the other one has calls of his own");
    // A batch is as many calls as it holds.
    let pings: Vec<Value> = (0..2 * NAMED).map(|id| json!({ "jsonrpc": "2.0", "id": id, "method": "ping" })).collect();
    refused(&send(url, "POST", &[("authorization", &bearer(bob))], Value::from(pings).to_string()), NAMED);
    // Cloudflare promises no exactness.
    let most = if target == "cloudflare" { NAMED + NAMED / 10 } else { NAMED };
    let answered = burst(&[url], &[("authorization", &bearer(carol))]);
    assert!((NAMED..=most).contains(&answered), "{answered} of 100 calls at once were let through");
}

/// A hundred calls at once, spread over some servers: how many of them were answered. All others were refused.
fn burst(urls: &[&str], headers: &[(&str, &str)]) -> usize {
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let calls: Vec<_> =
            (0..100).map(|at| scope.spawn(move || post(urls[at % urls.len()], headers).status)).collect();
        calls.into_iter().map(|call| call.join().expect("an answer")).collect()
    });
    let count = |status| statuses.iter().filter(|seen| **seen == status).count();
    assert_eq!(count(200) + count(429), 100, "{statuses:?}");
    count(200)
}

crate::support::on_every_runtime!(by_address, by_caller);

// ---- without mcp-deploy, as in the cloud ----

/// The entry of one cloud as it stands in the project: Node.js runs TypeScript.
struct Entry {
    running: Running,
    url: String,
}

impl Entry {
    fn start(root: &Path, target: &str, env: &[(&str, &str)]) -> Entry {
        let port = free_port();
        let entry = root.join(format!("src/generated/{target}.ts"));
        let mut command = match target {
            "lambda" => KIT.node(&entry),
            "container" => KIT.node(&entry),
            _ => launched(&entry, &port),
        };
        command.env("AWS_LWA_PORT", &port).env("PORT", &port).current_dir(root).envs(env.iter().copied());
        let mut running = Running::start(command);
        let health = format!("http://127.0.0.1:{port}/health");
        running.until("its health page", SHORT, |_| ureq::get(&health).call().ok());
        Entry { running, url: format!("http://127.0.0.1:{port}/mcp") }
    }

    /// Until something stands in its log.
    fn logged(&mut self, text: &str) -> String {
        let said = |server: &Running| server.stdout.text() + &server.stderr.text();
        self.running.until(text, SHORT, |server| Some(said(server)).filter(|said| said.contains(text)))
    }
}

/// What the launcher takes for a built function.
fn launched(entry: &Path, port: &str) -> Command {
    let function = folder("function");
    write(function.join(".vc-config.json"), json!({ "handler": entry, "runtime": "nodejs24.x" }).to_string());
    let launcher = function.join("launcher.mjs");
    write(&launcher, mcp_deploy::targets::vercel::LAUNCHER);
    let mut command = KIT.node(&launcher);
    command.arg(&function).arg(port);
    command
}

/// The open project with another `[access]`.
fn rendered(name: &str, access: &str) -> PathBuf {
    let root = clone(&OPEN.root, name);
    project(&root, access);
    run(mcp_deploy(&root, ["render"])).expect(0);
    root
}

const SECRET: &str = "s3cret-token-of-the-store";

/// A store at an address where nobody listens.
fn nowhere() -> [(&'static str, String); 7] {
    let nobody = format!("http://127.0.0.1:{}", free_port());
    [
        ("MCP_TABLE", "table".into()),
        ("AWS_ENDPOINT_URL", nobody.clone()),
        ("AWS_REGION", "us-east-1".into()),
        ("AWS_ACCESS_KEY_ID", "key".into()),
        ("AWS_SECRET_ACCESS_KEY", SECRET.into()),
        ("UPSTASH_REDIS_REST_URL", nobody),
        ("UPSTASH_REDIS_REST_TOKEN", SECRET.into()),
    ]
}

#[test]
fn while_nobody_can_count_all_are_let_in_or_none() {
    let open = rendered("let-in", "rate_limit = \"1/minute\"");
    let closed = rendered("shut-out", "rate_limit = \"1/minute\"\nrate_limit_failure = \"closed\"");
    let nowhere = nowhere();
    let nowhere: Vec<(&str, &str)> = nowhere.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for target in ["lambda", "vercel", "container"] {
        for env in [nowhere.as_slice(), &[]] {
            let mut server = Entry::start(&open, target, env);
            let begun = Instant::now();
            for _ in 0..10 {
                assert_eq!(post(&server.url, &[]).status, 200);
            }
            let most = 1 + usize::try_from(begun.elapsed().as_secs() / 5).expect("seconds");
            let said = server.logged("the calls cannot be counted");
            let told = said.matches("the calls cannot be counted").count();
            assert!(told <= most, "each time, not once in a while: {said}");
            assert!(!said.contains(SECRET) && !said.contains("127.0.0.1\""), "{said}");

            let mut server = Entry::start(&closed, target, env);
            for _ in 0..10 {
                let answer = post(&server.url, &[]);
                assert_eq!((answer.status, answer.retry_after), (503, Some(5)), "{}", answer.body);
                let body: Value = serde_json::from_str(&answer.body).expect("JSON");
                assert_eq!(body["error"]["message"], "calls cannot be counted at the moment");
            }
            let (base, _) = server.url.rsplit_once('/').expect("…/mcp");
            assert_eq!(ask(&format!("{base}/health"), "GET", &[]).status, 200);
            let said = server.logged("the calls cannot be counted");
            assert!(!said.contains(SECRET), "{said}");
        }
    }
}

/// A Worker whose configuration lost its binding: workerd itself cannot be made to fail.
#[test]
fn without_its_binding_a_worker_cannot_count() {
    let root = rendered("unbound", "rate_limit = \"1/minute\"\nrate_limit_failure = \"closed\"");
    let config = root.join("wrangler.jsonc");
    let text = crate::support::work::read(&config);
    assert!(text.contains("\"MCP_RATE_LIMIT\""));
    write(&config, text.replace("\"MCP_RATE_LIMIT\"", "\"ANOTHER\""));
    let port = free_port();
    let mut wrangler = KIT.command(mcp_deploy::toolchain::ToolId::Wrangler);
    wrangler.args(["dev", "--ip", "127.0.0.1", "--inspector-port", "0", "--port", &port]).current_dir(&root);
    let _turn = Turn::of(&root);
    let mut server = Running::guarded(wrangler);
    let health = format!("http://127.0.0.1:{port}/health");
    server.until("its health page", LONG, |_| ureq::get(&health).call().ok());
    let answer = post(&format!("http://127.0.0.1:{port}/mcp"), &[]);
    assert_eq!((answer.status, answer.retry_after), (503, Some(5)), "{}", answer.body);
    server.until("its log", SHORT, |server| {
        let said = server.stdout.text() + &server.stderr.text();
        said.contains("the Worker has no binding MCP_RATE_LIMIT").then_some(())
    });
}

/// As if the adapter had said who calls.
#[test]
fn of_ipv6_a_network_is_one_client() {
    let env = [("MCP_LOCAL_RATE_LIMIT", "1"), ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")];
    let server = Entry::start(&OPEN.root, "lambda", &env);
    let status = |context: Value| post(&server.url, &[("x-amzn-request-context", &context.to_string())]).status;
    let from = |address: &str| status(json!({ "http": { "sourceIp": address } }));
    with_seconds_left(20);
    for address in ["2001:db8::1", "2001:db8::2", "2001:db8::a:b:c:d", "2001:db8:0:0:a::", "2001:db8:0:0:1:2:3:4"] {
        assert_eq!(from(address), 200, "{address}");
    }
    assert_eq!(from("2001:db8::ffff"), 429);
    for another in ["2001:db8:0:1::1", "2001:db8:1::1", "2001:0:0:db8::1", "::1", "192.0.2.1"] {
        assert_eq!(from(another), 200, "{another}");
    }
    for _ in 1..CALLS {
        assert_eq!(from("::ffff:192.0.2.1"), 200);
    }
    assert_eq!(from("192.0.2.1"), 429, "the same one in the notation of IPv6");
    // API Gateway's form of it; and whoever has no address shares one budget with all others that have none.
    assert_eq!(status(json!({ "identity": { "sourceIp": "192.0.2.1" } })), 429);
    for _ in 0..CALLS {
        assert_eq!(status(json!({})), 200);
    }
    assert_eq!(status(Value::Null), 429);
}

/// Two processes, as two instances of a function, and a hundred calls at once: exactly the limit gets through.
fn exact(root: &Path, target: &str, env: &[(&str, &str)]) {
    for last in [false, false, true] {
        let mut servers = [Entry::start(root, target, env), Entry::start(root, target, env)];
        let urls = servers.each_ref().map(|server| server.url.clone());
        with_seconds_left(40);
        let answered = burst(&[&urls[0], &urls[1]], &[]);
        // On a machine too busy for the store to answer in time, calls were let in as the manifest says: that proves
        // nothing.
        let busy = servers.iter_mut().any(|server| server.logged("").contains("cannot be counted"));
        if busy && !last {
            with_seconds_left(60); // in the next window
            continue;
        }
        assert_eq!(answered, CALLS);
        // Neither of them has seen all of it, and both know.
        for server in &mut servers {
            refused(&post(&server.url, &[]), CALLS);
            let said = server.logged("the rate limit is reached");
            assert_eq!(said.matches("the rate limit is reached").count(), 1, "{said}");
        }
        return;
    }
}

#[test]
fn dynamodb_is_exact() {
    let moto = Moto::start(&OPEN.root);
    let env = moto.env();
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    exact(&OPEN.root, "lambda", &env);
}

#[test]
fn sqlite_is_exact() {
    let file = folder("volume").join("counts.sqlite");
    exact(&OPEN.root, "container", &[("MCP_STATE_FILE", file.to_str().expect("a plain path"))]);
}

/// Each proxy adds to the end of a list: what a client puts before that changes nothing.
#[test]
fn behind_a_proxy_the_last_entry_is_the_client() {
    let root = clone(&OPEN.root, "proxied");
    project(&root, "rate_limit = \"5/minute\"");
    let manifest = crate::support::work::read(root.join("mcp.toml"));
    let named = "[targets.container]\nclient_address = \"X-Forwarded-For\"\n";
    write(root.join("mcp.toml"), manifest.replace("[targets.container]\n", named));
    run(mcp_deploy(&root, ["render"])).expect(0);
    let file = root.join("counts.sqlite");
    let server = Entry::start(&root, "container", &[("MCP_STATE_FILE", file.to_str().expect("a plain path"))]);
    let from = |list: &str| post(&server.url, &[("x-forwarded-for", list)]).status;
    with_seconds_left(20);
    for (call, list) in
        ["192.0.2.1", "8.8.8.8, 192.0.2.1", "192.0.2.1:4000", "a,192.0.2.1:1", " 192.0.2.1 "].iter().enumerate()
    {
        assert_eq!(from(list), 200, "call {call}");
    }
    assert_eq!(from("203.0.113.9, 192.0.2.1"), 429);
    assert_eq!(from("192.0.2.1, 203.0.113.9"), 200, "another client");
    // Who comes past the proxy is who connects.
    assert_eq!(post(&server.url, &[("x-real-ip", "192.0.2.1")]).status, 200);
}

#[test]
fn redis_is_exact() {
    let mut redis = Command::new(REDIS.path());
    redis.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/upstash.py")).arg(SECRET);
    let mut redis = Running::start(redis);
    let port = redis.until("its port", SHORT, |redis| redis.stdout.text().lines().next().map(str::to_owned));
    let url = format!("http://127.0.0.1:{port}");
    let own = [("UPSTASH_REDIS_REST_URL", url.as_str()), ("UPSTASH_REDIS_REST_TOKEN", SECRET)];
    exact(&OPEN.root, "vercel", &own);
    // A database that does not know us is one that cannot count.
    let mut wrong = Entry::start(&OPEN.root, "vercel", &[own[0], ("UPSTASH_REDIS_REST_TOKEN", "another-token")]);
    assert_eq!(post(&wrong.url, &[]).status, 200);
    assert!(!wrong.logged("EVAL: Unauthorized").contains("another-token"));
}
