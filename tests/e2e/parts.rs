//! Long calls and large results: what is sent while a tool says nothing, text in pieces, results that are too long,
//! resources in parts.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::child::{Running, SHORT, free_port, run};
use crate::support::gate::Gate;
use crate::support::logs::LOGS;
use crate::support::mcp::{Era, answer, ask, post};
use crate::support::site::{PARTS, WEATHER};
use crate::support::stream::Stream;
use crate::support::tools::KIT;
use crate::support::work::{clone, mcp_deploy, write};

/// What a result may have unless the manifest says otherwise.
const LIMIT: usize = 1 << 20;

/// Of a call that is silent for longer than anything on the way waits (30 s), bytes arrive before its end. The wait is
/// real: the server's interval cannot be set. A Lambda function serves one request at a time, so there are two instead
/// of four.
fn a_silent_call_is_kept_alive(target: &str) {
    let url = &PARTS.server(target).url;
    if target == "lambda" {
        comments_come(url, Era::Modern);
        reports_come(url, Era::Legacy);
        return;
    }
    thread::scope(|scope| {
        for era in [Era::Modern, Era::Legacy] {
            scope.spawn(move || comments_come(url, era));
            scope.spawn(move || reports_come(url, era));
        }
    });
}

fn comments_come(url: &str, era: Era) {
    let gate = Gate::open();
    let mut stream = silent(url, era, &gate, None);
    // The tool stands before its page: whatever comes now is the server's own.
    let mut waiting = gate.visitor();
    let line = stream.line().expect("the stream goes on");
    assert!(line.starts_with(':'), "{url} {era:?}: no comment, but {line:?}");
    waiting.answer("at last");
    assert_eq!(stream.result()["content"], text("at last"), "{url} {era:?}");
}

/// Whoever asked for progress has it, too: a client's own clock starts anew with it.
fn reports_come(url: &str, era: Era) {
    let gate = Gate::open();
    let mut stream = silent(url, era, &gate, Some("here"));
    let mut waiting = gate.visitor();
    assert_eq!(stream.progress(), json!([0, null, null]), "{url} {era:?}");
    waiting.answer("at last");
    // The tool's own report of no progress comes after one, and must be above it.
    assert_eq!(stream.progress(), json!([1e-9, 2, "answered"]), "{url} {era:?}");
    assert_eq!(stream.result()["content"], text("at last"), "{url} {era:?}");
}

/// A client may leave while only comments come.
fn a_client_that_leaves_a_silent_call_stops_the_tool(target: &str) {
    let url = &PARTS.server(target).url;
    let gate = Gate::open();
    let mut stream = silent(url, Era::Modern, &gate, None);
    let mut waiting = gate.visitor();
    assert!(stream.line().expect("the stream goes on").starts_with(':'));
    drop(stream);
    assert!(waiting.leaves(SHORT), "{target}: `ctx.signal` did not abort");
}

#[track_caller]
fn silent(url: &str, era: Era, gate: &Gate, token: Option<&str>) -> Stream {
    Stream::call(url, era, "silent", json!({ "url": gate.url() }), token)
}

/// What is answered soon is answered as ever: one JSON document.
fn short_calls_stay_as_they_are(target: &str) {
    let params = json!({ "name": "large", "arguments": { "size": 3 } });
    let mut response = post(&PARTS.server(target).url, Era::Modern, "tools/call", params);
    assert_eq!(response.headers()["content-type"], "application/json", "{target}");
    let answer: Value = serde_json::from_str(&response.body_mut().read_to_string().expect("a body")).expect("JSON");
    assert_eq!(answer["result"]["content"], text("xxx"), "{target}");
}

/// The first piece is here before the second one is made; together they are the result, with or without somebody to
/// hear them.
fn pieces_arrive_as_they_are_made(target: &str) {
    let url = &PARTS.server(target).url;
    for era in [Era::Modern, Era::Legacy] {
        let (first, second) = (Gate::open(), Gate::open());
        let asked = thread::scope(|scope| {
            let call = scope.spawn(|| Stream::call(url, era, "emit", json!({ "url": first.url() }), Some("here")));
            first.visitor().answer(&format!("{} one\u{20ac}", second.url()));
            let mut stream = call.join().expect("a stream");
            let mut waiting = second.visitor();
            assert_eq!(stream.progress(), json!([1, null, "one\u{20ac}"]), "{target} {era:?}");
            waiting.answer(" two");
            assert_eq!(stream.progress(), json!([2, null, "two"]), "{target} {era:?}");
            stream.result()
        });
        assert_eq!(asked["content"], text("one\u{20ac}two"), "{target} {era:?}");

        let only = Gate::open();
        let unasked = thread::scope(|scope| {
            let params = json!({ "name": "emit", "arguments": { "url": only.url() } });
            let call = scope.spawn(|| ask(url, era, "tools/call", params));
            only.visitor().answer(" all");
            call.join().expect("a result")
        });
        assert_eq!(unasked["content"], text("all"), "{target} {era:?}");
    }
}

/// A tool that emits much is held back by a client that does not read: what it has emitted would be held in memory.
fn a_slow_client_is_waited_for(target: &str) {
    let url = &PARTS.server(target).url;
    for era in [Era::Modern, Era::Legacy] {
        let gate = Gate::open();
        // Far more than all buffers on the way have room for.
        let arguments = json!({ "size": 64 << 10, "pieces": 1600, "url": gate.url() });
        let mut stream = Stream::call(url, era, "flood", arguments, Some("here"));
        thread::sleep(Duration::from_secs(4));
        assert!(gate.visited().is_none(), "{target} {era:?}: the tool did not wait");
        for piece in 1..=1600 {
            assert_eq!(stream.progress()[0], piece, "{target} {era:?}");
        }
        gate.visitor().answer("on");
        assert_eq!(stream.result()["content"], text("done"), "{target} {era:?}");
    }
}

/// What does not fit is never left out without a word, and a link leads to it where the tool knows one.
fn a_full_result_says_so(target: &str) {
    let url = &PARTS.server(target).url;
    for era in [Era::Modern, Era::Legacy] {
        let fill = |how: &str| {
            let arguments = json!({ "size": 1000, "pieces": 2000, "how": how });
            ask(url, era, "tools/call", json!({ "name": "fill", "arguments": arguments }))
        };
        let linked = fill("link");
        let [kept, note, link] = blocks(&linked);
        let length = kept["text"].as_str().expect("text").len();
        assert!(length % 1000 == 0 && length > LIMIT * 9 / 10 && length < LIMIT, "{length}");
        let rest = format!("logs://filled?offset={length}");
        assert_eq!((&link["type"], &link["uri"]), (&"resource_link".into(), &rest.clone().into()), "{link}");
        let expected = format!(
            "[This is the first part: a result may have {LIMIT} bytes (limits.max_result). The rest is the resource {rest}]"
        );
        assert_eq!(note["text"], expected.into_boxed_str().as_ref());

        for (how, dropped) in [("stop", 1000), ("all", 2_000_000 - length)] {
            let cut = fill(how);
            let [kept, note] = blocks(&cut);
            assert_eq!(kept["text"].as_str().map(str::len), Some(length));
            let expected = format!(
                "[Cut off here: a result may have {LIMIT} bytes (limits.max_result), and {dropped} more were left out. Ask for less at a time]"
            );
            assert_eq!(note["text"], expected.into_boxed_str().as_ref());
        }
    }
}

/// In the words of whoever asked for it: a tool's model, a reader of a resource.
fn a_result_that_is_too_long_is_an_error_that_says_so(target: &str) {
    let url = &PARTS.server(target).url;
    for era in [Era::Modern, Era::Legacy] {
        let large = |size: usize, text: &str| {
            let arguments = json!({ "size": size, "text": text });
            ask(url, era, "tools/call", json!({ "name": "large", "arguments": arguments }))
        };
        let around = json!({ "content": [{ "type": "text", "text": "" }] }).to_string().len();
        let longest = large(LIMIT - around, "x");
        assert_eq!(longest["content"][0]["text"].as_str().map(str::len), Some(LIMIT - around), "{target} {era:?}");
        // One byte more; and too many bytes in half as many characters.
        for (size, text) in [(LIMIT - around + 1, "x"), (LIMIT / 2, "ö")] {
            let refused = large(size, text);
            let bytes = size * text.len() + around;
            assert_eq!((&refused["isError"], message(&refused)), (&true.into(), &too_long(bytes)), "{target} {era:?}");
        }
        let read = answer(url, era, "resources/read", json!({ "uri": format!("large://{LIMIT}") }));
        let said = read["error"]["message"].as_str().expect("an error");
        assert!(said.starts_with("the result is too long: ") && said.contains("(limits.max_result)"), "{read}");
        // It goes on as if nothing had been.
        assert_eq!(large(2, "x")["content"], text("xx"), "{target} {era:?}");
    }
}

fn too_long(bytes: usize) -> Value {
    format!("the result is too long: {bytes} bytes, and this server sends {LIMIT} at most (limits.max_result); ask for less, or for one part after the other").into()
}

/// Variables of the query may be absent, in any order; any other makes the address unknown.
fn a_resource_is_read_in_parts(target: &str) {
    let url = &PARTS.server(target).url;
    let path = LOGS.write(&format!("app-{target}"), 100_000);
    let whole = std::fs::read_to_string(path).expect("we wrote it");
    let uri = |query: &str| json!({ "uri": format!("logs://app-{target}{query}") });
    for era in [Era::Modern, Era::Legacy] {
        let read = |query: &str| ask(url, era, "resources/read", uri(query))["contents"][0].take();
        let all = read("");
        assert_eq!(all["text"], *whole, "{target} {era:?}");
        assert_eq!(all["mimeType"], "application/x-ndjson");
        assert!(all["_meta"].is_null(), "the last part leads nowhere: {}", all["_meta"]);

        let first = read("?limit=1000");
        let next = first["_meta"]["nextOffset"].as_u64().expect("there is more");
        assert_eq!(first["text"].as_str().map(|text| (text.len() as u64, text.ends_with('\n'))), Some((next, true)));
        let middle = read(&format!("?limit=2000&offset={next}"));
        assert!(whole[usize::try_from(next).expect("small")..].starts_with(middle["text"].as_str().expect("text")));
        assert_eq!(read(&format!("?offset={next}"))["text"], whole[usize::try_from(next).expect("small")..]);
        assert_eq!(read("?offset=999999")["text"], "");

        let refused = |query: &str| answer(url, era, "resources/read", uri(query))["error"]["message"].take();
        for bad in ["?offset=-1", "?offset=1e3", "?offset=", "?offset=99999999999999999999"] {
            assert_eq!(refused(bad), "offset must be a whole number from 0 on", "{bad}");
        }
        assert_eq!(refused("?limit=0"), "limit must be a whole number from 1 on");
        assert_eq!(refused("?limit=5"), "the line at 0 is longer than 5 bytes: ask with a larger limit");
        for unknown in ["?ofset=5", "?offset=1&offset=2", "?offset", "?offset=%zz"] {
            let said = refused(unknown).as_str().unwrap_or_default().to_lowercase();
            assert!(said.contains("not found"), "{target} {era:?} {unknown}: {said}");
        }
    }
}

/// 140 MB, to the end, through a process for which 128 MiB are enough.
#[test]
fn a_large_log_is_read_to_its_end_in_little_memory() {
    PARTS.server("lambda");
    let path = LOGS.write("large", 140_000_000);
    let log = File::open(path).expect("we wrote it");
    let length = log.metadata().expect("it is open").len();

    let port = free_port();
    // Half of the memory for V8's heap, which is what Node.js takes of it by itself where there is no more.
    let mut node = KIT.node(Path::new("--max-heap-size=64"));
    node.arg(PARTS.root.join("dist/lambda/lambda.mjs"));
    node.env("AWS_LWA_PORT", &port).env("LOGS", &LOGS.url);
    let mut bundle = Running::start(node);
    let health = format!("http://127.0.0.1:{port}/health");
    bundle.until("the server", SHORT, |_| ureq::get(&health).call().ok());

    let url = format!("http://127.0.0.1:{port}/mcp");
    let (mut offset, mut parts) = (0, 0_u64);
    loop {
        let uri = format!("logs://large?offset={offset}");
        let read = ask(&url, Era::Modern, "resources/read", json!({ "uri": uri }));
        let contents = &read["contents"][0];
        let text = contents["text"].as_str().expect("text").as_bytes();
        let mut original = vec![0; text.len()];
        log.read_exact_at(&mut original, offset).expect("the log has what was read");
        assert!(original == text, "the part at {offset} is another one");
        parts += 1;
        match contents["_meta"]["nextOffset"].as_u64() {
            Some(next) => {
                assert_eq!(next, offset + text.len() as u64, "no hole between two parts");
                offset = next;
            }
            None => {
                assert_eq!(offset + text.len() as u64, length, "the last part ends with the log");
                break;
            }
        }
    }
    let peak = peak_kib(bundle.id());
    assert!(peak < 128 << 10, "it took {peak} KiB for {parts} parts");
}

/// Text in pieces is not a value: with an output schema it takes both, and the error says so.
#[test]
fn beside_an_output_schema_pieces_need_a_value() {
    let project = clone(&WEATHER.root, "emitted");
    let handler = project.join("src/tools/get_weather.ts");
    let value = r#"{ location, temperature: 1, units: "celsius" as const, conditions: "clear" }"#;
    let returning = |what: &str, returned: &str| {
        let text = format!(
            "import {{ tool }} from \"../generated/mcp.ts\";\n\nexport default tool(\"get_weather\", async ({{ location }}, ctx) => {{\n  \
             await ctx.emit(\"piece\");\n  void location;\n  {returned}\n}});\n"
        );
        write(&handler, text);
        let checked = run(mcp_deploy(&project, ["check"]));
        assert_eq!(checked.code() == 0, what == "both", "{returned}: {checked}");
        checked
    };
    for nothing in ["return ctx.emitted();", "return;"] {
        let checked = returning("nothing", nothing);
        assert!(checked.stderr.contains("src/tools/get_weather.ts"), "{checked}");
        let (content, log) = called(&project);
        assert!(
            content["content"][0]["text"].as_str().is_some_and(|text| text.starts_with("internal error")),
            "{content}"
        );
        assert!(log.contains("return the value itself, or `{ ...ctx.emitted(), structuredContent: value }`"), "{log}");
    }
    returning("both", &format!("return {{ ...ctx.emitted(), structuredContent: {value} }};"));
    let (both, _) = called(&project);
    assert_eq!(both["content"], text("piece"), "{both}");
    assert_eq!(both["structuredContent"]["temperature"], 1, "{both}");
    returning("both", &format!("return {value};"));
    let (alone, _) = called(&project);
    assert_eq!(alone["structuredContent"]["temperature"], 1, "{alone}");
    assert!(!alone["content"].to_string().contains("piece"), "{alone}");
}

/// The result of the weather tool's handlers as they are, and what was logged.
fn called(project: &Path) -> (Value, String) {
    write(project.join("src/generated/call.ts"), CALL);
    let mut node = KIT.node(Path::new("src/generated/call.ts"));
    node.current_dir(project);
    let ran = run(node).expect(0);
    let answer = ran.stdout.lines().find_map(|line| line.strip_prefix("ANSWER ")).expect("an answer");
    let answer: Value = serde_json::from_str(answer).expect("JSON");
    (answer["result"].clone(), format!("{}{}", ran.stdout, ran.stderr))
}

const CALL: &str = r#"import { createApp } from "./app.ts";
import { toFetch } from "./runtime/web.ts";
const fetch = toFetch(createApp({ variables: process.env, hosts: [] }));
const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "get_weather", arguments: { location: "Oslo" } } };
const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25" };
const response = await fetch(new Request("http://localhost/mcp", { method: "POST", headers, body: JSON.stringify(request) }), (promise) => void promise.then(() => console.log("WAITED")));
console.log("ANSWER " + (await response.text()).split("\n").find((line) => line.startsWith("data:"))?.slice(5));
process.exit(0);
"#;

#[test]
fn work_behind_an_answer_is_kept_alive_for_older_clients_too() {
    let project = clone(&WEATHER.root, "wait-until");
    let text = r#"import { tool } from "../generated/mcp.ts";

export default tool("get_weather", ({ location, units }, ctx) => {
  ctx.waitUntil(Promise.resolve());
  return { location, temperature: 1, units, conditions: "clear" };
});
"#;
    write(project.join("src/tools/get_weather.ts"), text);
    let (answer, log) = called(&project);
    assert_eq!(answer["structuredContent"]["temperature"], 1, "{answer}");
    assert!(log.contains("WAITED"), "{log}");
}

/// The most memory that a process ever had.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says so");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn text(text: &str) -> Value {
    json!([{ "type": "text", "text": text }])
}

fn message(result: &Value) -> &Value {
    &result["content"][0]["text"]
}

#[track_caller]
fn blocks<const N: usize>(result: &Value) -> [&Value; N] {
    let all: Vec<&Value> = result["content"].as_array().expect("content").iter().collect();
    let kinds: Vec<_> = all.iter().map(|block| &block["type"]).collect();
    all.try_into().unwrap_or_else(|_| panic!("{kinds:?}"))
}

crate::support::on_every_runtime!(
    a_silent_call_is_kept_alive,
    short_calls_stay_as_they_are,
    pieces_arrive_as_they_are_made,
    a_slow_client_is_waited_for,
    a_full_result_says_so,
    a_result_that_is_too_long_is_an_error_that_says_so,
    a_resource_is_read_in_parts,
);

mod cancellation {
    use super::a_client_that_leaves_a_silent_call_stops_the_tool;
    crate::support::on_runtimes!([vercel, cloudflare], a_client_that_leaves_a_silent_call_stops_the_tool);
}
