//! Handlers are imported when they are needed: nothing of them is known to whoever only looks around, and one that
//! cannot be imported breaks its own tool alone.

use std::path::Path;
use std::sync::LazyLock;

use mcp_deploy::targets::lambda::runtime_api::{LocalFront, RuntimeApi};
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::clients::typescript;
use crate::support::child::{Running, SHORT, free_port, run};
use crate::support::mcp::{Era, ask, post};
use crate::support::site::{Site, WEATHER, oslo, weather};
use crate::support::tools::{CLIENT_V1, CLIENT_V2, KIT, PYTHON_CLIENT};
use crate::support::work::{clone, mcp_deploy, read, write};

/// The weather example, one of whose tools cannot be imported until the climate is back.
static BROKEN: LazyLock<Site> = LazyLock::new(|| {
    Site::new("broken", |root| {
        weather(root);
        let tool = root.join("src/tools/get_weather.ts");
        let line = "if (!globalThis.process?.env[\"CLIMATE\"]) throw new Error(\"the climate is gone\");";
        write(&tool, format!("{line}\n{}", read(&tool)));
    })
});

/// Whoever only looks around is answered; a call of what needs the climate is an error of that tool, and others go on.
fn a_handler_that_cannot_be_imported_breaks_its_own_tool(target: &str) {
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
        for _ in 0..2 {
            let called = ask(url, era, "tools/call", oslo_call());
            assert_eq!(called["isError"], true, "{called}");
            assert_eq!(called["content"][0]["text"], "the handler of the tool get_weather cannot be imported");
        }
        let trip = ask(url, era, "prompts/get", json!({ "name": "plan_trip", "arguments": { "city": "Oslo" } }));
        assert!(trip["messages"][0]["content"]["text"].as_str().is_some_and(|text| text.contains("Oslo")), "{trip}");
    }
    let verified = run(mcp_deploy(&BROKEN.root, ["verify", url]));
    let said = format!("{}{}", verified.stdout, verified.stderr);
    assert!(said.contains("cannot import the handler of the ") && said.contains("tool get_weather"), "{said}");
    assert_eq!(verified.code(), 3, "{said}");
}

fn oslo_call() -> Value {
    json!({ "name": "get_weather", "arguments": { "location": "Oslo" } })
}

/// A Lambda environment as its tests need it: the built server and the real adapter, told that they are in Lambda.
fn environment(api: &RuntimeApi, climate: Option<&str>) -> [Running; 2] {
    let folder = BROKEN.root.join("dist/lambda");
    let port = free_port();
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
    let [mut server, adapter] = environment(&api, None);
    assert_eq!(post(&url, Era::Modern, "tools/list", json!({})).status(), 200, "a list needs no import");
    let called = ask(&url, Era::Modern, "tools/call", oslo_call());
    assert_eq!(called["isError"], true, "the answer is out first: {called}");
    let log = server.stderr.clone();
    server.until("its end", SHORT, |_| log.text().contains("Lambda starts a new environment").then_some(()));
    let ended = server.wait(SHORT);
    assert_eq!(ended.code(), 1, "{ended}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        said.contains("the climate is gone") && said.contains("tool get_weather"),
        "the log has the cause: {ended}"
    );
    // Lambda resets all of the environment, and starts the next one when a request comes.
    drop(adapter);
    let _next = environment(&api, Some("back"));
    let called = ask(&url, Era::Modern, "tools/call", oslo_call());
    assert_eq!(called["structuredContent"], oslo());
}

/// The project's own entry for Node.js, unbundled.
fn serve(project: &Path, env: &[(&str, &str)]) -> (Running, String) {
    let port = free_port();
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

/// In Node.js the web's own classes bring a whole HTTP client with them, which takes a third of the time to a first
/// answer.
#[test]
fn a_first_call_loads_no_http_client() {
    let project = clone(&WEATHER.root, "light");
    write(
        project.join("src/generated/script.ts"),
        r#"const { request, ServerResponse } = process.getBuiltinModule("node:http");
const version = process.argv[2];
const seen = [];
const { end } = ServerResponse.prototype;
// At the moment of the answer.
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
        let port = free_port();
        let mut node = KIT.node(Path::new("src/generated/script.ts"));
        node.arg(version).env("PORT", port).env("LOG_LEVEL", "error").current_dir(&project);
        let expected = json!([[200, false], [404, false], [415, false], [403, false], [200, false], [200, false]]);
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

crate::support::on_every_runtime!(a_handler_that_cannot_be_imported_breaks_its_own_tool);
