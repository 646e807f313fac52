//! `adapter = "mcp-handler"`: the official SDK serves the same handlers, behind the same front. So it is the judge of
//! the runtime, too: every request of the official suites and of `verify` is said to both.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::conformance::{Suite, tap};
use crate::support::child::run;
use crate::support::mcp::{Era, ask};
use crate::support::site::{CONFORMANCE, Site, conformance, oslo, weather};
use crate::support::wire::{WireAnswer, say};
use crate::support::work::{mcp_deploy, read, write};

fn with_adapter(root: &std::path::Path) {
    let manifest = root.join("mcp.toml");
    let text = read(&manifest);
    assert!(text.contains("[targets.vercel]\n"), "{text}");
    write(manifest, text.replace("[targets.vercel]\n", "[targets.vercel]\nadapter = \"mcp-handler\"\n"));
    // For an existing project the command names the packages that it lacks.
    let packages = root.join("package.json");
    if packages.exists() {
        let with =
            "\"dependencies\": {\n    \"@modelcontextprotocol/server\": \"2.4.0\",\n    \"mcp-handler\": \"2.4.0\",";
        write(&packages, read(&packages).replacen("\"dependencies\": {", with, 1));
    }
}

/// The fixtures of the official suites on the SDK.
static OFFICIAL: LazyLock<Site> = LazyLock::new(|| {
    Site::new("official", |root| {
        conformance(root);
        with_adapter(root);
    })
});

static WEATHER: LazyLock<Site> = LazyLock::new(|| {
    Site::new("adapted", |root| {
        weather(root);
        with_adapter(root);
    })
});

#[test]
fn the_adapter_serves_the_same_handlers() {
    let url = &WEATHER.server("vercel").url;
    let arguments = json!({ "name": "get_weather", "arguments": { "location": "Oslo" } });
    for era in [Era::Modern, Era::Legacy] {
        assert_eq!(ask(url, era, "tools/call", arguments.clone())["structuredContent"], oslo());
    }
    let verified = run(mcp_deploy(&WEATHER.root, ["verify", url]));
    assert_eq!(verified.code(), 0, "{verified}");
}

/// What the two answer differently on purpose: completions are advertised wherever there is something to complete, and
/// not only where a handler does it. `told` leaves them out of the capabilities.
const INTENDED: &str = "\"completion/complete\"";

#[test]
fn the_runtime_answers_as_the_sdk_does() {
    let (ours, official) = (&CONFORMANCE.server("vercel").url, &OFFICIAL.server("vercel").url);
    let tap = tap("vercel");
    // Whether they pass is another test's matter.
    assert!(Suite::ALL.iter().all(|suite| suite.ran("vercel").stdout.contains("=== SUMMARY ===")));
    let suites = tap.requests().len();
    let verified = run(mcp_deploy(&CONFORMANCE.root, ["verify", &tap.url()]));
    assert!(verified.stderr.contains("still lists its tools"), "{verified}");
    let requests = tap.requests();
    assert!(suites > 150 && requests.len() > suites + 25, "{suites} of {} requests", requests.len());
    let (mut differences, mut intended) = (String::new(), 0);
    for request in &requests {
        let answers = [say(ours, request), say(official, request)].map(|answer| answer.as_ref().map(told));
        if answers[0] == answers[1] {
            continue;
        }
        let request = String::from_utf8_lossy(&request[..request.len().min(1500)]);
        match request.contains(INTENDED) {
            true => intended += 1,
            false => differences += &format!("--- {request}\nours: {:#?}\nthe SDK: {:#?}\n", answers[0], answers[1]),
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(intended * 20 <= requests.len(), "{intended} of {} answers differ on purpose", requests.len());
}

/// The status, and what the messages are; of an error its code, since the words are each server's own.
fn told(answer: &WireAnswer) -> (String, Vec<Value>) {
    let body = answer.body.trim();
    let texts: Vec<&str> = match body.starts_with('{') || body.starts_with('[') {
        true => vec![body],
        false => body.lines().filter_map(|line| line.strip_prefix("data: ")).collect(),
    };
    let messages = texts.iter().map(|text| {
        let mut message: Value = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
        if let Some(error) = message.get_mut("error") {
            *error = error["code"].clone();
        }
        if let Some(capabilities) = message.pointer_mut("/result/capabilities").and_then(Value::as_object_mut) {
            capabilities.remove("completions");
        }
        message
    });
    (answer.status.clone(), messages.collect())
}
