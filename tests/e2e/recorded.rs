//! Answers that were recorded while building: the same as the SDK's to the byte, given without it, and never when they are out of date.

use std::path::Path;
use std::sync::LazyLock;

use mcp_deploy::targets::lambda::runtime_api::{LocalFront, RuntimeApi};
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::clients::typescript;
use crate::conformance::{Suite, tap};
use crate::support::child::{Running, SHORT, run};
use crate::support::mcp::{Era, ask, post};
use crate::support::site::{CONFORMANCE, Site, WEATHER, conformance, oslo, weather};
use crate::support::tools::{CLIENT_V1, CLIENT_V2, KIT, PYTHON_CLIENT};
use crate::support::wire::say;
use crate::support::work::{clone, mcp_deploy, read, write};

/// The fixtures of the official suite, of which nothing can be recorded: they refuse to be imported by who records.
static UNRECORDED: LazyLock<Site> = LazyLock::new(|| {
    Site::new("unrecorded", |root| {
        conformance(root);
        prepend(&root.join("src/samples.ts"), "if (RECORDS) throw new Error(\"not while recording\");");
    })
});

/// The weather example whose handlers can be imported by who records, and by nobody else until the climate is back.
static BROKEN: LazyLock<Site> = LazyLock::new(|| {
    Site::new("broken", |root| {
        weather(root);
        prepend(
            &root.join("src/climate.ts"),
            "if (!RECORDS && !process.env[\"CLIMATE\"]) throw new Error(\"the climate is gone\");",
        );
    })
});

fn prepend(file: &Path, line: &str) {
    let records = "const RECORDS = globalThis.process?.argv[1]?.endsWith(\"record.ts\");\n";
    write(file, format!("{records}{line}\n{}", read(file)));
}

/// Every request of the official suites and of `verify`, with its hostile ones, said to both.
fn both_ways_answer_alike(target: &str) {
    let recorded = CONFORMANCE.server(target);
    let unrecorded = UNRECORDED.server(target);
    let note = unrecorded.dev.stderr.text();
    assert!(note.contains("skip record the answers") && note.contains("not while recording"), "{note}");
    let said = recorded.dev.stderr.text();
    assert!(said.contains("ok   record the answers"), "{said}");
    let tap = tap(target);
    // Whether they pass is another test's matter.
    assert!(Suite::ALL.iter().all(|suite| suite.ran(target).stdout.contains("=== SUMMARY ===")));
    let suites = tap.requests().len();
    assert!(run(mcp_deploy(&CONFORMANCE.root, ["verify", &tap.url()])).stderr.contains("still lists its tools"));
    let requests = tap.requests();
    assert!(suites > 150 && requests.len() > suites + 25, "{suites} of {} requests", requests.len());
    let mut differences = String::new();
    for request in &requests {
        let (with, without) = (say(&recorded.url, request), say(&unrecorded.url, request));
        if with != without {
            let request = String::from_utf8_lossy(&request[..request.len().min(1000)]);
            differences += &format!("--- {request}\nrecorded: {with:#?}\nfrom the SDK: {without:#?}\n");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Whoever only looks around is answered without a handler or the SDK; a call has to import them, which fails here.
fn nothing_is_imported_for_what_was_recorded(target: &str) {
    let url = &BROKEN.server(target).url;
    let names = ["get_weather", "wait_at", "plan_trip", "forecast"];
    let seen = |version: &str| json!([&[version], &names[..]].concat());
    for (era, version) in [("default", "2025-11-25"), ("auto", "2026-07-28")] {
        let mut script = typescript(&CLIENT_V2, "lists.mjs");
        script.args([url, era]);
        assert_eq!(answer(script), seen(version), "{era}");
    }
    let mut script = typescript(&CLIENT_V1, "lists-v1.mjs");
    script.arg(url);
    assert_eq!(answer(script), seen("2025-11-25"));
    for (mode, version) in [("auto", "2026-07-28"), ("legacy", "2025-11-25")] {
        let mut script = std::process::Command::new(PYTHON_CLIENT.path());
        script.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/lists.py")).args([url, mode]);
        assert_eq!(answer(script), seen(version), "{mode}");
    }
    for era in [Era::Modern, Era::Legacy] {
        // The last is a list that a handler makes. Each request tries again, and none is told more than the first.
        for (method, params) in [
            ("tools/call", json!({ "name": "get_weather", "arguments": { "location": "Oslo" } })),
            ("tools/call", json!({ "name": "get_weather", "arguments": { "location": "Oslo" } })),
            ("resources/list", json!({})),
        ] {
            let mut response = post(url, era, method, params);
            assert_eq!(response.status(), 500, "{method}");
            let body: Value = serde_json::from_str(&response.body_mut().read_to_string().expect("text")).expect("JSON");
            assert_eq!(
                body,
                json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32603, "message": "internal error" } })
            );
        }
        let tools = ask(url, era, "tools/list", json!({}));
        assert_eq!(tools["tools"][0]["name"], "get_weather", "{tools}");
    }
}

/// A Lambda environment as its tests need it: the built server and the real adapter, told that they are in Lambda.
fn environment(api: &RuntimeApi, climate: Option<&str>) -> [Running; 2] {
    let folder = BROKEN.root.join("dist/lambda");
    let port = mcp_deploy::process::free_port().expect("a free port").to_string();
    let mut variables = api.environment(&folder, "lambda.mjs", 1024, SHORT);
    let lambda = ["AWS_LWA_INVOKE_MODE=response_stream", "AWS_LWA_READINESS_CHECK_PATH=/health"];
    let lambda = lambda.iter().filter_map(|pair| pair.split_once('='));
    variables.extend(lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
    variables.extend([("AWS_LWA_PORT".into(), port), ("AWS_EXECUTION_ENV".into(), "AWS_Lambda_nodejs24.x".into())]);
    variables.extend(climate.map(|climate| ("CLIMATE".to_owned(), climate.to_owned())));
    let node = KIT.node(&folder.join("lambda.mjs"));
    [node, KIT.command(ToolId::LambdaAdapter)].map(|mut command| {
        command.envs(variables.iter().cloned()).current_dir(&folder);
        Running::start(command)
    })
}

/// In Lambda the process ends behind the answer that it could not give: the next environment imports everything anew.
#[test]
fn in_lambda_a_failed_import_ends_the_environment() {
    BROKEN.server("lambda"); // it is built
    let api = RuntimeApi::start(LocalFront::FunctionUrl, 0, "broken").expect("a local Lambda");
    let url = format!("{}/mcp", api.url());
    let weather = json!({ "name": "get_weather", "arguments": { "location": "Oslo" } });
    let [mut server, adapter] = environment(&api, None);
    assert_eq!(tools(&url).status(), 200, "what was recorded needs no import");
    let mut failed = post(&url, Era::Modern, "tools/call", weather.clone());
    assert_eq!(failed.status(), 500);
    let body: Value = serde_json::from_str(&failed.body_mut().read_to_string().expect("all of it")).expect("JSON");
    assert_eq!(body["error"], json!({ "code": -32603, "message": "internal error" }), "the answer is out first");
    let log = server.stderr.clone();
    server.until("its end", SHORT, |_| log.text().contains("Lambda starts a new environment").then_some(()));
    let ended = server.wait(SHORT);
    assert_eq!(ended.code(), 1, "{ended}");
    assert!(
        format!("{}{}", ended.stdout, ended.stderr).contains("the climate is gone"),
        "the cause is told, too: {ended}"
    );
    // Lambda resets all of the environment, and starts the next one when a request comes.
    drop(adapter);
    let _next = environment(&api, Some("back"));
    let called = ask(&url, Era::Modern, "tools/call", weather);
    assert_eq!(called["structuredContent"], oslo());
}

/// What a killed command leaves is no edit; it is not served once it is of another manifest, or of other handlers.
#[test]
fn what_is_out_of_date_is_not_served() {
    let project = clone(&WEATHER.root, "stale");
    prepend(&project.join("src/climate.ts"), "if (process.env[\"BROKEN\"]) throw new Error(\"the climate is gone\");");
    record(&project);
    let recorded = project.join("src/generated/recorded.ts");
    assert!(read(&recorded).starts_with("// Recorded by"), "{}", read(&recorded));
    run(mcp_deploy(&project, ["render", "--check"])).expect(0);
    run(mcp_deploy(&project, ["render"])).expect(0);
    assert!(read(&recorded).starts_with("// Recorded by"), "rendering leaves it");
    {
        let (_server, url) = serve(&project, &[("BROKEN", "1")]);
        assert_eq!(tools(&url).status(), 200, "the recording is served");
    }
    // Of other handlers, as the first request that loads them finds.
    let prompt = project.join("src/prompts/plan_trip.ts");
    let forecast = project.join("src/resources/forecast.ts");
    let before = [read(&prompt), read(&forecast)];
    write(
        &prompt,
        "import { prompt } from \"../generated/mcp.ts\";\n\nexport default prompt(\"plan_trip\", ({ city }) => city);\n",
    );
    write(
        &forecast,
        "import { resource } from \"../generated/mcp.ts\";\n\nexport default resource(\"forecast\", ({ city }) => city);\n",
    );
    {
        let (server, url) = serve(&project, &[]);
        let weather = json!({ "name": "get_weather", "arguments": { "location": "Oslo" } });
        ask(&url, Era::Legacy, "tools/call", weather);
        let discovered = ask(&url, Era::Modern, "server/discover", json!({}));
        assert!(discovered["capabilities"]["completions"].is_null(), "{discovered}");
        assert!(format!("{}{}", server.stdout.text(), server.stderr.text()).contains("of other handlers"));
    }
    write(&prompt, &before[0]);
    write(&forecast, &before[1]);
    let manifest = read(project.join("mcp.toml"));
    write(project.join("mcp.toml"), manifest.replace("Get the current weather", "Get today's weather"));
    run(mcp_deploy(&project, ["render"])).expect(0);
    assert!(read(&recorded).starts_with("// Recorded by"), "it is still the old one");
    {
        let (_server, url) = serve(&project, &[]);
        let described = tools(&url).body_mut().read_to_string().expect("text");
        assert!(described.contains("Get today's weather"), "{described}");
    }
    let (_server, url) = serve(&project, &[("BROKEN", "1")]);
    assert_eq!(tools(&url).status(), 500, "the old one is not used");
}

fn record(project: &Path) {
    let mut record = KIT.node(Path::new("src/generated/record.ts"));
    record.current_dir(project);
    run(record).expect(0);
}

fn tools(url: &str) -> ureq::http::Response<ureq::Body> {
    post(url, Era::Modern, "tools/list", json!({}))
}

/// The project's own entry for Node.js, unbundled.
fn serve(project: &Path, env: &[(&str, &str)]) -> (Running, String) {
    let port = mcp_deploy::process::free_port().expect("a free port").to_string();
    let mut node = KIT.node(Path::new("src/generated/lambda.ts"));
    node.env("PORT", &port).envs(env.iter().copied()).current_dir(project);
    let mut server = Running::start(node);
    let health = format!("http://127.0.0.1:{port}/health");
    server.until("the server", SHORT, |_| ureq::get(&health).call().ok());
    (server, format!("http://127.0.0.1:{port}/mcp"))
}

/// A script among the generated files of the weather example.
fn script(name: &str, text: &str) -> Value {
    let project = clone(&WEATHER.root, name);
    write(project.join("src/generated/script.ts"), text);
    let mut node = KIT.node(Path::new("src/generated/script.ts"));
    node.current_dir(&project);
    answer(node)
}

/// What a script writes.
fn answer(script: std::process::Command) -> Value {
    let ran = run(script).expect(0);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

/// `/health` names them without the SDK.
#[test]
fn the_protocol_versions_are_those_of_the_sdk() {
    let versions = script(
        "versions",
        r#"import { SUPPORTED_PROTOCOL_VERSIONS } from "@modelcontextprotocol/server";
import { LEGACY } from "./answers.ts";
import { PROTOCOL_VERSIONS } from "./server.ts";
console.log(JSON.stringify([LEGACY, SUPPORTED_PROTOCOL_VERSIONS, PROTOCOL_VERSIONS]));"#,
    );
    assert_eq!(versions[0], versions[1]);
    let discovered = ask(&WEATHER.server("lambda").url, Era::Modern, "server/discover", json!({}));
    let modern = discovered["supportedVersions"].as_array().expect("a list");
    let all: Vec<&Value> = modern.iter().chain(versions[1].as_array().expect("a list")).collect();
    assert_eq!(json!(all), versions[2]);
}

/// What a failed attempt leaves is forgotten by the next request.
#[test]
fn loading_is_tried_again() {
    let answers = script(
        "again",
        r#"import { createFetch } from "./server.ts";
let isReady = false;
const fetch = createFetch({ env: {}, hosts: [] }, async () => {
  if (!isReady) throw new Error("not yet");
  return () => async () => Response.json("mounted");
});
await fetch.load();
const call = () => fetch(new Request("http://localhost/mcp", {
  method: "POST", headers: { "content-type": "application/json", host: "localhost" }, body: "{}",
}), () => {});
const seen = [];
for (let i = 0; i < 3; i++) {
  seen.push(await call().then(async (response) => [response.status, await response.json()]));
  isReady = true;
}
console.log = () => {};
process.stdout.write(JSON.stringify(seen));
process.exit(0);"#,
    );
    let failed =
        json!([500, { "jsonrpc": "2.0", "id": null, "error": { "code": -32603, "message": "internal error" } }]);
    assert_eq!(answers, json!([failed, [200, "mounted"], [200, "mounted"]]));
}

/// In Node.js the web's own classes bring a whole HTTP client with them, which takes a third of the time to a first answer.
#[test]
fn what_was_recorded_is_answered_without_an_http_client() {
    let project = clone(&WEATHER.root, "light");
    record(&project);
    write(
        project.join("src/generated/script.ts"),
        r#"const { request, ServerResponse } = process.getBuiltinModule("node:http");
const version = process.argv[2];
const seen = [];
const { end } = ServerResponse.prototype;
// At the very moment of the answer: what comes after it may load anything.
ServerResponse.prototype.end = function (...given) {
  seen.push([this.statusCode, process.moduleLoadList.includes("NativeModule internal/deps/undici/undici")]);
  return end.apply(this, given);
};
await import("./lambda.ts");
const modern = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "0" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
async function ask(method, path, headers = {}, message = {}) {
  const accepted = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  const options = { port: process.env.PORT, host: "127.0.0.1", method, path, headers: { ...accepted, ...headers } };
  await new Promise((resolve, reject) => {
    const sent = request(options, (answer) => answer.resume().once("end", resolve)).once("error", reject);
    sent.end(method === "POST" ? JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }) : undefined);
  });
}
async function call(method, name, params = {}) {
  const named = { "mcp-method": method, ...(name && { "mcp-name": name }) };
  if (version === "2026-07-28") params._meta = modern;
  await ask("POST", "/mcp", { "mcp-protocol-version": version, ...(params._meta && named) }, { method, params });
}
while (seen.length === 0) await ask("GET", "/health").catch(() => {}); // it begins to listen
await ask("POST", "/elsewhere");
await ask("POST", "/mcp", { "content-type": "text/plain" });
await ask("POST", "/mcp", { origin: "https://evil.example" });
await call("tools/list");
await call("tools/call", "get_weather", { name: "get_weather", arguments: { location: "Oslo" } });
process.stdout.write(JSON.stringify(seen));
process.exit(0);"#,
    );
    for version in ["2026-07-28", "2025-11-25"] {
        let port = mcp_deploy::process::free_port().expect("a free port").to_string();
        let mut node = KIT.node(Path::new("src/generated/script.ts"));
        node.arg(version).env("PORT", port).env("LOG_LEVEL", "error").current_dir(&project);
        // A call is the first that needs it.
        let expected = json!([[200, false], [404, false], [415, false], [403, false], [200, false], [200, true]]);
        assert_eq!(answer(node), expected, "{version}");
    }
}

/// `/health` tells which deployment answers, where the cloud gives it a name.
#[test]
fn health_tells_the_deployment() {
    let seen = script(
        "health",
        r#"process.env["VERCEL_DEPLOYMENT_ID"] = "dpl_1";
const { default: vercel } = await import("./vercel.ts");
const { default: cloudflare } = await import("./cloudflare.ts");
const ask = () => new Request("http://localhost/health");
const context = { waitUntil: () => {} };
const answers = [vercel.fetch(ask()), cloudflare.fetch(ask(), { version: { id: "v1" } }, context)];
const seen = await Promise.all(answers.map(async (answer) => (await answer).json()));
process.stdout.write(JSON.stringify(seen));
process.exit(0);
export {};"#,
    );
    let health = |deployment: Value| {
        let versions = ["2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05", "2024-10-07"];
        let mut health = json!({ "status": "ok", "name": "weather", "version": "0.1.0", "protocolVersions": versions });
        if !deployment.is_null() {
            health["deployment"] = deployment;
        }
        health
    };
    assert_eq!(seen, json!([health("dpl_1".into()), health("v1".into())]));
    for (env, deployment) in [(vec![("AWS_LAMBDA_FUNCTION_VERSION", "7")], "7".into()), (vec![], Value::Null)] {
        let (_server, url) = serve(&WEATHER.root, &env);
        let mut answer = ureq::get(url.replace("/mcp", "/health")).call().expect("it is alive");
        let answer: Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("text")).expect("JSON");
        assert_eq!(answer, health(deployment));
    }
}

crate::support::on_every_runtime!(both_ways_answer_alike, nothing_is_imported_for_what_was_recorded);
