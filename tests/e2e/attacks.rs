//! What an attacker sends to a built server: each is answered within seconds, and the server goes on.

use std::iter::repeat_n;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::mcp::{Era, answer, ask};
use crate::support::site::PARTS;

const ERAS: [Era; 2] = [Era::Modern, Era::Legacy];
/// The least of these attacks took 23 s before it was bounded, and some had no end.
const AT_ONCE: Duration = Duration::from_secs(10);

/// What the tool makes of it, or what is wrong with the arguments.
#[track_caller]
fn picky(url: &str, era: Era, arguments: Value) -> String {
    let result = bounded(|| ask(url, era, "tools/call", json!({ "name": "picky", "arguments": arguments })));
    result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned()
}

#[track_caller]
fn bounded<T>(attack: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = attack();
    assert!(begun.elapsed() < AT_ONCE, "it took {:?}", begun.elapsed());
    result
}

fn costs_no_more_than_its_length(target: &str) {
    let url = &PARTS.server(target).url;
    for era in ERAS {
        let many: Vec<Value> = (0..9_000).map(|at| json!({ "at": at, "of": [at] })).collect();
        assert_eq!(picky(url, era, json!({ "items": many })), "9000 things", "{target} {era:?}");
        let twice: Vec<&Value> = many.iter().chain([&many[8_000]]).collect();
        assert!(picky(url, era, json!({ "items": twice })).contains("Duplicate items at indexes 8000 and 9000"));
        assert!(picky(url, era, json!({ "word": "a".repeat(400_000) })).contains("may have 10000 characters"));
        let long = format!("http://{}!", "a".repeat(400_000));
        picky(url, era, json!({ "url": long }));
        // A schema that refers to itself twice.
        let nested = |inside: Value| (0..100).fold(inside, |inside, _| json!({ "a": inside }));
        assert_eq!(picky(url, era, json!({ "tree": nested(json!({})) })), "0 things", "{target} {era:?}");
        assert!(picky(url, era, json!({ "tree": nested(json!(1)) })).contains("does not match any subschemas"));
        let proto: Value = serde_json::from_str(r#"{"__proto__":{"items":[1]}}"#).expect("JSON");
        assert!(picky(url, era, proto).contains("__proto__"), "{target} {era:?}");
        // Nobody's template takes any of these.
        for uri in
            ["{a}".repeat(700), "logs://".repeat(290), format!("logs://{}?", "a&a=".repeat(500)), "/".repeat(2000)]
        {
            let read = bounded(|| answer(url, era, "resources/read", json!({ "uri": uri })));
            assert!(read["error"]["code"].is_i64(), "{target} {era:?}: {read}");
        }
    }
}

/// Deeper than the parser of a runtime follows without an end.
fn may_not_be_nested_without_end(target: &str) {
    let url = &PARTS.server(target).url;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let nested: String = repeat_n(open, 6_000).chain(["1"]).chain(repeat_n(close, 6_000)).collect();
        let places = [
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"picky","arguments":{{"tree":{nested}}}}}}}"#
            ),
            format!(
                r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","clientInfo":{{"name":"a","version":"1"}},"capabilities":{{"experimental":{{"a":{nested}}}}}}}}}"#
            ),
            nested.clone(),
        ];
        for body in places {
            let agent = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(AT_ONCE));
            let request = agent.build().new_agent().post(url).content_type("application/json");
            let sent = request.header("accept", "application/json, text/event-stream").send(&body);
            assert_eq!(sent.expect("an answer").status(), 400, "{target}: {}", &body[..100]);
        }
    }
    assert_eq!(picky(url, Era::Modern, json!({})), "0 things");
}

fn a_forgotten_rejection_ends_nothing(target: &str) {
    let url = &PARTS.server(target).url;
    for era in ERAS {
        let result = ask(url, era, "tools/call", json!({ "name": "forgets", "arguments": {} }));
        assert_eq!(result["content"][0]["text"], "forgotten", "{target} {era:?}");
        std::thread::sleep(Duration::from_millis(100));
        assert_eq!(picky(url, era, json!({})), "0 things", "{target} {era:?}");
    }
}

crate::support::on_every_runtime!(
    costs_no_more_than_its_length,
    may_not_be_nested_without_end,
    a_forgotten_rejection_ends_nothing,
);
