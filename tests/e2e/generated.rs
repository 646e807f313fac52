//! Generated files by themselves, in Node.js: what no client brings about at will.

use std::path::PathBuf;

use serde_json::json;

use crate::support::child::{LONG, Running, run};
use crate::support::tools::KIT;
use crate::support::work::{folder, mcp_deploy, write};

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
    let expected = json!({ "taken": true, "unread": false, "cancelled": true, "afterwards": true });
    assert_eq!(seen, expected);
}

const PIECES: &str = r#"import { EventStream } from "./runtime/http.ts";
import { createProgress } from "./runtime/progress.ts";

const PIECE = "x".repeat(2 * 1024 * 1024);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
/** Whether it comes to its end by itself; the signal never does. */
const ends = (promise) => Promise.race([promise.then(() => true), pause(500).then(() => false)]);

/** A call whose events go into a stream. */
function call() {
  const events = new EventStream(() => {});
  const notify = async (message) => {
    events.write(JSON.stringify(message));
    await events.room();
  };
  const { emit } = createProgress({ meta: { progressToken: "t" }, carrier: { notify } }, new AbortController().signal, 8 * 1024 * 1024);
  return { emit: () => ends(emit(PIECE)), events };
}

const slow = call();
void pause(50).then(() => slow.events.next());
const taken = await slow.emit();

const gone = call();
const unread = await gone.emit();
const waiting = gone.emit();
gone.events.cancel();
const cancelled = await waiting;
const afterwards = await gone.emit();
console.log(JSON.stringify({ taken, unread, cancelled, afterwards }));
process.exit(0);
"#;
