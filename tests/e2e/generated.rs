//! Generated files by themselves, in Node.js: what no client brings about at will.

use std::path::PathBuf;

use mcp_deploy::process::free_port;
use serde_json::{Value, json};

use crate::support::child::{LONG, Running, SHORT, run};
use crate::support::tools::KIT;
use crate::support::work::{folder, mcp_deploy, read, write};

/// The weather example as it is rendered, without packages.
fn project(name: &str) -> PathBuf {
    let parent = folder(name);
    Running::start(mcp_deploy(&parent, ["init", "weather", "--example", "weather", "--yes"])).wait(LONG).expect(0);
    parent.join("weather")
}

/// A client that takes a piece while it is still being sent has taken it; nobody waits for one that is gone, nor for what was not sent.
#[test]
fn a_tool_waits_for_no_more_than_what_is_unread() {
    let project = project("pace");
    let file = project.join("src/generated/pieces.ts");
    write(&file, PIECES);
    let seen = run(KIT.node(&file)).expect(0).json();
    let expected = json!({ "taken": true, "unread": false, "cancelled": true, "afterwards": true, "unsent": true });
    assert_eq!(seen, expected);
}

const PIECES: &str = r#"import { paced } from "./pace.ts";
import { createProgress } from "./progress.ts";

const PIECE = "x".repeat(2 * 1024 * 1024);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Whether it comes to its end by itself; the signal never does. */
const ends = (promise) => Promise.race([promise.then(() => true), pause(500).then(() => false)]);

/** A call whose events come out of `reader`. */
async function call(notify) {
  let events;
  const req = new Request("http://localhost/mcp");
  const body = new ReadableStream({ start: (controller) => void (events = controller) });
  const { body: answer } = await paced(req, async () => new Response(body, { headers: { "content-type": "text/event-stream" } }));
  const sdk = { mcpReq: { _meta: { progressToken: "t" }, notify: () => notify(() => events.enqueue(new Uint8Array(1))) }, http: { req } };
  const { emit } = createProgress(sdk, new AbortController().signal);
  return { emit: () => ends(emit(PIECE)), reader: answer.getReader() };
}
const atOnce = async (send) => send();

const slow = await call(async (send) => {
  send();
  await pause(50); // the client has it, and waits for the next one
});
void slow.reader.read().then(() => slow.reader.read());
const taken = await slow.emit();

const gone = await call(atOnce);
const unread = await gone.emit();
const waiting = gone.emit();
await gone.reader.cancel();
const cancelled = await waiting;
const afterwards = await gone.emit();

const broken = await call(() => Promise.reject(new Error("not connected")));
const unsent = (await broken.emit()) && (await broken.emit());
console.log(JSON.stringify({ taken, unread, cancelled, afterwards, unsent }));
process.exit(0);
"#;

/// An answer that the platform does not take is a failure like any other: logged, masked, and the connection goes on.
#[test]
fn an_answer_that_cannot_be_written_is_a_masked_failure() {
    let project = project("unwritable");
    let server = project.join("src/generated/server.ts");
    let text = read(&server);
    let broken = text.replace("\"text/plain;charset=UTF-8\"", "\"text/\\nhidden\"");
    assert_ne!(text, broken);
    write(&server, broken);
    let masked = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32603, "message": "internal error" } });

    let port = free_port().expect("a free port").to_string();
    let mut node = KIT.node(&project.join("src/generated/lambda.ts"));
    node.env("AWS_LWA_PORT", &port);
    let mut lambda = Running::start(node);
    let health = format!("http://127.0.0.1:{port}/health");
    lambda.until("the server", SHORT, |_| ureq::get(&health).call().ok());
    let asked = ureq::get(format!("http://127.0.0.1:{port}/")).config().http_status_as_error(false).build().call();
    let mut answer = asked.expect("an answer");
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["content-type"]),
        (500, &"application/json".parse().expect("a value"))
    );
    let body: Value = serde_json::from_str(&answer.body_mut().read_to_string().expect("a body")).expect("JSON");
    assert_eq!(body, masked);
    lambda.until("the log", SHORT, |lambda| {
        lambda.stderr.text().contains("\"message\":\"request failed\"").then_some(())
    });

    let file = project.join("src/generated/ask.ts");
    write(&file, ASK);
    let ran = run(KIT.node(&file)).expect(0);
    assert_eq!(ran.json(), json!({ "status": 500, "body": masked }));
    assert!(ran.stderr.contains("\"message\":\"request failed\""), "{ran}");
}

/// On Vercel and Cloudflare the answer becomes a `Response`.
const ASK: &str = r#"import { createFetch } from "./server.ts";
const response = await createFetch({ env: {}, hosts: [] })(new Request("http://localhost/"), () => {});
console.log(JSON.stringify({ status: response.status, body: await response.json() }));
process.exit(0);
"#;
