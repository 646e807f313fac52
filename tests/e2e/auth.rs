//! Who may call, on each cloud's local runtime: every kind of credential, good and bad, and where none may turn up.

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_deploy::ship::local_credentials::Issuer;
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::clients::typescript;
use crate::support::child::{LONG, Running, SHORT, free_port, run};
use crate::support::site::{Site, Turn};
use crate::support::tools::{CLIENT_V2, KIT};
use crate::support::work::{mcp_deploy, read, write};

const ERAS: [&str; 2] = ["2025-11-25", "2026-07-28"];

/// Callers with an API key, one of them a former one.
static KEYS: LazyLock<(Site, [String; 2])> = LazyLock::new(|| {
    let mut keys = Vec::new();
    let site = Site::new("keys", |root| {
        project(root, "auth = \"api-key\"", "");
        for name in ["alice", "mallory"] {
            keys.push(run(mcp_deploy(root, ["keys", "add", name])).expect(0).stdout.trim().to_owned());
        }
        run(mcp_deploy(root, ["keys", "revoke", "mallory"])).expect(0);
        assert_eq!(run(mcp_deploy(root, ["keys", "list"])).expect(0).stdout, "alice\n");
        assert!(keys.iter().all(|key| !read(root.join(".env")).contains(key)), "only hashes are kept");
    });
    (site, keys.try_into().expect("two keys"))
});

pub static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::start().expect("a port on this machine"));

/// Tokens of one issuer; every call needs a scope, and the tool another.
static TOKENS: LazyLock<Site> = LazyLock::new(|| {
    Site::new("tokens", |root| {
        let oauth = format!(
            "auth = \"oauth\"\n[access.oauth]\nissuer = \"{}\"\naudience = \"weather-api\"\nscopes = [\"weather\"]",
            ISSUER.url
        );
        project(root, &oauth, "scopes = [\"who:read\"]\n");
    })
});

pub fn project(root: &Path, access: &str, tool: &str) {
    let manifest = format!(
        "[server]\nname = \"who\"\nversion = \"0.1.0\"\ndescription = \"Tells callers who they are.\"\n\n\
         [tools.whoami]\ndescription = \"Who is calling.\"\n{tool}\
         [tools.whoami.output]\nid = {{ type = \"string\" }}\n\n\
         [access]\n{access}\n\n[targets.lambda]\n[targets.vercel]\n[targets.cloudflare]\n[targets.container]\n"
    );
    write(root.join("mcp.toml"), manifest);
    write(root.join(".gitignore"), "node_modules/\n.env\n");
    let handler = "import { tool } from \"../generated/mcp.ts\";\n\nexport default tool(\"whoami\", (_, ctx) => {\n  \
                   ctx.log(\"info\", \"called\", { caller: ctx.caller.id });\n  return { id: ctx.caller.id };\n});\n";
    write(root.join("src/tools/whoami.ts"), handler);
}

/// Seconds from now.
pub fn at(offset: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    i64::try_from(now).expect("not yet") + offset
}

/// A token that is right but for what is changed.
pub fn token(issuer: &Issuer, change: Value) -> String {
    let mut claims = json!({
        "iss": ISSUER.url, "sub": "alice", "aud": "weather-api", "exp": at(600), "scope": "weather who:read",
    });
    for (name, value) in change.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    claims.as_object_mut().expect("claims").retain(|_, value| !value.is_null());
    issuer.sign(&claims).expect("it has a key")
}

struct Answer {
    status: u16,
    /// `www-authenticate`, if it came; Lambda renames it.
    challenge: String,
    body: String,
}

/// One request of an era: `tools/list`, or a call of the tool.
fn ask(url: &str, era: &str, method: &str, headers: &[(&str, &str)]) -> Answer {
    let mut params = if method == "tools/call" { json!({ "name": "whoami", "arguments": {} }) } else { json!({}) };
    let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
    let mut request = agent
        .post(url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", era);
    if era == ERAS[1] {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientInfo": { "name": "e2e", "version": "0.0.0" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        request = request.header("mcp-method", method);
        if method == "tools/call" {
            request = request.header("mcp-name", "whoami");
        }
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let mut response = request.send(body).expect("an answer");
    let names = ["www-authenticate", "x-amzn-remapped-www-authenticate"];
    let challenge = names.iter().find_map(|name| response.headers().get(*name));
    let challenge = challenge.map(|value| value.to_str().expect("text").to_owned());
    let body = response.body_mut().read_to_string().expect("text");
    Answer { status: response.status().as_u16(), challenge: challenge.unwrap_or_default(), body }
}

#[track_caller]
fn refused(url: &str, what: &str, headers: &[(&str, &str)], status: u16, challenge: &str) {
    for era in ERAS {
        let answer = ask(url, era, "tools/call", headers);
        assert_eq!(answer.status, status, "{what}, {era}: {}", answer.body);
        assert!(answer.challenge.contains(challenge), "{what}, {era}: {}", answer.challenge);
        let told = format!("{}{}", answer.challenge, answer.body);
        let credentials = headers.iter().filter(|(name, _)| *name != "origin");
        let sent = credentials.map(|(_, value)| value.trim_start_matches("Bearer "));
        assert!(
            sent.filter(|value| value.len() > 8).all(|value| !told.contains(value)),
            "{what}: it was logged: {told}"
        );
    }
}

#[track_caller]
fn welcome(url: &str, headers: &[(&str, &str)], caller: &str) {
    for era in ERAS {
        assert_eq!(ask(url, era, "tools/list", headers).status, 200, "{era}");
        let answer = ask(url, era, "tools/call", headers);
        assert!(answer.status == 200 && answer.body.contains(caller), "{era}: {} {}", answer.status, answer.body);
    }
}

/// The official client with the header, in both eras.
#[track_caller]
fn official(url: &str, bearer: &str, caller: &str) {
    for era in ERAS {
        let mut script = typescript(&CLIENT_V2, "bearer.mjs");
        script.args([url, era]).env("BEARER", bearer);
        assert_eq!(run(script).expect(0).json(), json!({ "tools": ["whoami"], "caller": { "id": caller } }), "{era}");
    }
}

fn api_keys(target: &str) {
    let (site, [alice, former]) = &*KEYS;
    let url = &site.server(target).url;
    let bearer = |key: &str| format!("Bearer {key}");
    refused(url, "none", &[], 401, "Bearer realm=\"who\"");
    refused(url, "bad", &[("authorization", "Bearer mcp_bad-key")], 401, "invalid_token");
    refused(url, "another scheme", &[("authorization", &format!("Basic {alice}"))], 401, "Bearer");
    refused(url, "a part of it", &[("authorization", &bearer(&alice[..alice.len() - 1]))], 401, "invalid_token");
    refused(url, "revoked", &[("authorization", &bearer(former))], 401, "invalid_token");
    refused(url, "revoked, the other header", &[("x-api-key", former)], 401, "invalid_token");
    // The page of a stranger is refused before anybody looks at its key.
    let page = [("origin", "https://evil.example"), ("authorization", &bearer(alice))];
    refused(url, "a foreign origin", &page, 403, "");
    welcome(url, &[("authorization", &bearer(alice))], "alice");
    welcome(url, &[("x-api-key", alice)], "alice");
    official(url, alice, "alice");
}

fn oauth(target: &str) {
    let url = &TOKENS.server(target).url;
    let (base, _) = url.rsplit_once('/').expect("…/mcp");
    let page = format!("resource_metadata=\"{base}/.well-known/oauth-protected-resource/mcp\"");
    let stranger = Issuer::start().expect("a port on this machine");
    let good = token(&ISSUER, json!({}));
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", good.split('.').nth(1).expect("claims"));
    refused(url, "none", &[], 401, &page);
    refused(url, "none", &[], 401, "scope=\"weather\"");
    for (what, bad) in [
        ("no token", "mcp_bad-token".to_owned()),
        ("changed", format!("{}A{}", &good[..good.len() - 20], &good[good.len() - 19..])),
        ("unsigned", unsigned),
        ("signed with a key that is revoked", token(&stranger, json!({}))),
        ("expired", token(&ISSUER, json!({ "exp": at(-60) }))),
        ("without an end", token(&ISSUER, json!({ "exp": null }))),
        ("not yet valid", token(&ISSUER, json!({ "nbf": at(600) }))),
        ("for another audience", token(&ISSUER, json!({ "aud": "https://other.example/mcp" }))),
        ("of another issuer", token(&stranger, json!({ "iss": stranger.url }))),
        ("of nobody", token(&ISSUER, json!({ "sub": null }))),
        ("of a number", token(&ISSUER, json!({ "sub": 7 }))),
        ("of an object", token(&ISSUER, json!({ "sub": { "toString": "alice" } }))),
    ] {
        refused(url, what, &[("authorization", &format!("Bearer {bad}"))], 401, "error=\"invalid_token\"");
    }
    let forged = format!("Bearer {}", token(&ISSUER, json!({ "scope": "a\", evil=\"\r\nx-evil: 1" })));
    for era in ERAS {
        let answer = ask(url, era, "tools/call", &[("authorization", &forged)]);
        assert!(answer.status == 403 && !answer.challenge.contains("evil"), "{era}: {}", answer.challenge);
    }
    let poor = format!("Bearer {}", token(&ISSUER, json!({ "scope": "other" })));
    refused(url, "without the scope", &[("authorization", &poor)], 403, "error=\"insufficient_scope\"");
    refused(url, "without the scope", &[("authorization", &poor)], 403, "scope=\"weather\"");
    // The tool's own scope: the list is open, the call is not.
    let some = format!("Bearer {}", token(&ISSUER, json!({ "scope": "weather" })));
    for era in ERAS {
        assert_eq!(ask(url, era, "tools/list", &[("authorization", &some)]).status, 200, "{era}");
    }
    refused(url, "without the tool's scope", &[("authorization", &some)], 403, "scope=\"weather who:read\"");
    refused(url, "without the tool's scope", &[("authorization", &some)], 403, &page);
    let caller = format!("{}#alice", ISSUER.url);
    welcome(url, &[("authorization", &format!("Bearer {good}"))], &caller);
    let listed = token(&ISSUER, json!({ "aud": ["weather-api", "x"], "scope": null, "scp": ["weather", "who:read"] }));
    welcome(url, &[("authorization", &format!("Bearer {listed}"))], &caller);
    official(url, &good, &caller);
    for path in ["", "/mcp"] {
        let url = format!("{base}/.well-known/oauth-protected-resource{path}");
        let mut response = ureq::get(&url).call().expect("it is open to all");
        assert_eq!(response.headers().get("access-control-allow-origin").expect("for web pages"), "*");
        let page = response.body_mut().read_to_string().expect("text");
        let page: Value = serde_json::from_str(&page).expect("JSON");
        assert_eq!(page["authorization_servers"], json!([ISSUER.url]));
        assert_eq!(page["scopes_supported"], json!(["weather", "who:read"]));
        assert_eq!(page["resource"], format!("{base}/mcp"));
    }
}

/// The servers' own words, all of them: who called stands there, with what does not.
#[test]
fn no_credential_in_any_log() {
    let (site, [alice, former]) = &*KEYS;
    site.server("lambda");
    let port = free_port();
    let env = read(site.root.join(".env"));
    let hashes = env.trim().strip_prefix("MCP_API_KEYS='").and_then(|rest| rest.strip_suffix('\'')).expect("hashes");
    let mut lambda = KIT.node(&site.root.join("dist/lambda/lambda.mjs"));
    lambda.env("AWS_LWA_PORT", &port).env("MCP_API_KEYS", hashes);
    logged(Running::start(lambda), &port, [alice, former], hashes);
    let port = free_port();
    let mut wrangler = KIT.command(ToolId::Wrangler);
    wrangler.args(["dev", "--ip", "127.0.0.1", "--inspector-port", "0", "--infer-origin-from-routes=false"]);
    wrangler.args(["--port", &port, "--log-level", "debug"]).current_dir(&site.root);
    let _turn = Turn::of(&site.root);
    logged(Running::guarded(wrangler), &port, [alice, former], hashes);
}

fn logged(mut server: Running, port: &str, keys: [&String; 2], hashes: &str) {
    let (url, health) = (format!("http://127.0.0.1:{port}/mcp"), format!("http://127.0.0.1:{port}/health"));
    server.until("its health page", LONG, |_| ureq::get(&health).call().ok());
    for key in keys {
        for headers in [("authorization", format!("Bearer {key}")), ("x-api-key", key.clone())] {
            ask(&url, ERAS[1], "tools/call", &[(headers.0, &headers.1)]);
        }
    }
    let said = |server: &Running| server.stdout.text() + &server.stderr.text();
    server.until("the handler's line", SHORT, |server| said(server).contains("alice").then_some(()));
    std::thread::sleep(Duration::from_millis(200));
    let said = said(&server);
    let hash = hashes.split('"').nth(3).expect("the first hash");
    for secret in [keys[0], keys[1], hash] {
        assert!(!said.contains(secret), "a credential is in the log:\n{said}");
    }
}

crate::support::on_every_runtime!(api_keys, oauth);
