//! The official clients against the weather example, on each cloud's local runtime.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::child::{Ran, run};
use crate::support::site::{WEATHER, oslo};
use crate::support::tools::{CLIENT_V1, CLIENT_V2, INSPECTOR, KIT, PYTHON_CLIENT, TestTool};
use crate::support::work::{copy, folder};

const MODERN: &str = "2026-07-28";
pub const LEGACY: &str = "2025-11-25";

fn typescript_v2(target: &str) {
    // The default client starts with the older handshake; one that may choose takes the newer protocol.
    for (era, protocol) in [("default", LEGACY), ("auto", MODERN), (MODERN, MODERN)] {
        let mut script = typescript(&CLIENT_V2, "typescript-v2.mjs");
        script.args([&WEATHER.server(target).url, era]);
        assert_eq!(run(script).expect(0).json(), session(protocol), "{era}");
    }
}

fn typescript_v1(target: &str) {
    let mut script = typescript(&CLIENT_V1, "typescript-v1.mjs");
    script.arg(&WEATHER.server(target).url);
    assert_eq!(run(script).expect(0).json(), session(LEGACY));
}

fn python(target: &str) {
    for (mode, protocol) in [("auto", MODERN), ("legacy", LEGACY)] {
        let mut script = Command::new(PYTHON_CLIENT.path());
        script.arg(scripts().join("python.py")).args([&WEATHER.server(target).url, mode]);
        assert_eq!(run(script).expect(0).json(), session(protocol), "{mode}");
    }
}

fn inspector(target: &str) {
    let ask = |era: &str, args: &[&str]| inspect(target, era, args).expect(0).json()["result"].take();
    for era in ["legacy", "modern"] {
        let tools = inspect(target, era, &["tools/list", "--strict"]).expect(0);
        assert_eq!(names(&tools.json()["result"]["tools"]), ["get_weather", "wait_at"], "{tools}");
        assert!(!tools.stderr.contains("warning"), "{tools}");
        let called = ask(era, &["tools/call", "--tool-name", "get_weather", "--tool-arg", "location=Oslo"]);
        assert_eq!(called["structuredContent"], oslo(), "{called}");
    }
    let templates = ask("modern", &["resources/templates/list"]);
    assert_eq!(templates["resourceTemplates"][0]["uriTemplate"], "weather://{city}/forecast", "{templates}");
    let read = ask("modern", &["resources/read", "--uri", "weather://Oslo/forecast"]);
    assert_eq!(read["contents"], forecast(), "{read}");
    let prompt = ask("modern", &["prompts/get", "--prompt-name", "plan_trip", "--prompt-args", "city=Oslo"]);
    assert_eq!(prompt["messages"][0]["content"]["text"], ADVICE, "{prompt}");
    // What the tool refuses is an error for the client too.
    inspect(target, "modern", &["tools/call", "--tool-name", "get_weather", "--tool-arg", "location= "]).expect(5);
}

fn inspect(target: &str, era: &str, method: &[&str]) -> Ran {
    let mut inspector = KIT.node(&INSPECTOR.path());
    inspector.args(["--cli", &WEATHER.server(target).url, "--transport", "http", "--protocol-era", era]);
    inspector.args(["--format", "json", "--stored-auth-only", "--method"]).args(method);
    let home = folder("inspector");
    inspector.env("MCP_CATALOG_PATH", home.join("mcp.json")).current_dir(&home);
    run(inspector)
}

/// A script of ours beside the packages of one client.
pub fn typescript(client: &TestTool, script: &str) -> Command {
    let dir = folder("client");
    copy(&scripts(), &dir);
    std::os::unix::fs::symlink(client.home().join("node_modules"), dir.join("node_modules"))
        .expect("a link can be made");
    KIT.node(&dir.join(script))
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients")
}

/// What every client has to see.
pub fn session(protocol: &str) -> Value {
    json!({
        "protocol": protocol,
        "server": "weather 0.1.0",
        "tools": ["get_weather", "wait_at"],
        "answer": oslo(),
        "progress": [{ "progress": 1, "total": 2, "message": "asking about Oslo" }],
        "templates": ["weather://{city}/forecast"],
        "resources": 10,
        "resource": forecast(),
        "prompts": ["plan_trip"],
        "prompt": [ADVICE],
        "completion": ["London"],
    })
}

const ADVICE: &str = "I am going to Oslo for 3 days. Look up the weather there and tell me what to pack.";

fn forecast() -> Value {
    let text = "Oslo\ntoday: -3 °C, clear\ntomorrow: 16 °C, wind\nthe day after: -1 °C, rain\n";
    json!([{ "uri": "weather://Oslo/forecast", "mimeType": "text/plain", "text": text }])
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|entry| entry["name"].as_str()).collect()
}

crate::support::on_every_runtime!(typescript_v2, typescript_v1, python, inspector);
