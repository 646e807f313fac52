//! Generated files by themselves, in Node.js: what no client brings about at will.

use std::path::PathBuf;

use serde_json::json;

use crate::support::child::{LONG, Running, run};
use crate::support::site::WEATHER;
use crate::support::tools::KIT;
use crate::support::work::{clone, folder, mcp_deploy, read, write};

/// The weather example as it is rendered, without packages.
fn project(name: &str) -> PathBuf {
    let parent = folder(name);
    Running::start(mcp_deploy(&parent, ["init", "weather", "--example", "weather", "--yes"])).wait(LONG).expect(0);
    parent.join("weather")
}

/// A client that takes a piece while it is still being sent has taken it; nobody waits for one that is gone, nor for
/// what was not sent.
#[test]
fn a_tool_waits_for_no_more_than_what_is_unread() {
    let project = project("pace");
    let file = project.join("src/generated/pieces.ts");
    write(&file, PIECES);
    let seen = run(KIT.node(&file)).expect(0).json();
    let expected = json!({ "taken": true, "unread": false, "cancelled": true, "afterwards": true });
    assert_eq!(seen, expected);
}

/// What a starter returns is of the type of its output, whatever form that has.
#[test]
fn starters_of_any_output_compile() {
    let project = clone(&WEATHER.root, "starters");
    let tools: String = OUTPUTS
        .iter()
        .enumerate()
        .map(|(at, output)| format!("\n[tools.made_{at}]\ndescription = \"Made.\"\n{output}\n"))
        .collect();
    let manifest = read(project.join("mcp.toml"));
    write(project.join("mcp.toml"), format!("{manifest}{tools}"));
    run(mcp_deploy(&project, ["render"])).expect(0);
    run(mcp_deploy(&project, ["add-tool", "asked", "--description", "Asked.", "--output", "mode:enum(a,b)"])).expect(0);
    assert!(read(project.join("src/tools/asked.ts")).contains("return { mode: \"a\" };"));
    let check = run(mcp_deploy(&project, ["check", "--json"])).expect(0).json();
    assert_eq!(check["types"], "passed", "{check:#}");
}

/// A literal beside an output schema is one, however a handler returns it; a wrong one is an error, and so is a
/// misspelt name.
#[test]
fn literals_of_outputs_compile() {
    let project = clone(&WEATHER.root, "literals");
    let manifest = read(project.join("mcp.toml"));
    let tools = "
[tools.job]
description = \"State of a job.\"
[tools.job.input]
id = { type = \"string\" }
[tools.job.output]
status = { type = \"string\", enum = [\"ok\", \"failed\"] }
items = { type = \"array\", items = { type = \"object\", properties = { kind = { type = \"string\", enum = [\"a\", \"b\"] }, n = { type = \"integer\" } }, required = [\"kind\"], additionalProperties = false } }
[tools.person]
description = \"A person.\"
[tools.person.input]
id = { type = \"string\" }
[tools.person.output]
name = { type = \"string\" }
email = { type = \"string\", optional = true }
[tools.plain]
description = \"Anything.\"
";
    write(project.join("mcp.toml"), format!("{manifest}{tools}"));
    run(mcp_deploy(&project, ["render"])).expect(0);
    write(project.join("src/literals.ts"), LITERALS);
    let check = run(mcp_deploy(&project, ["check", "--json"])).expect(0).json();
    assert_eq!(check["types"], "passed", "{check:#}");
}

const LITERALS: &str = r#"import { tool } from "./generated/mcp.ts";

interface Row { name: string; email?: string | undefined }
const find = (id: string): Row => ({ name: id, email: id === "a" ? "a@example.com" : undefined });

export const right = [
  tool("job", async ({ id }) => {
    if (!id) return { status: "failed", items: [] };
    return { status: "ok", items: [{ kind: "a", n: id.length }] };
  }),
  tool("job", ({ id }) => {
    if (!id) return { status: "failed", items: [] };
    return { status: "ok", items: [{ kind: "a", n: id.length }] };
  }),
  tool("job", async ({ id }) => ({ status: "ok", items: [...id].map((x) => ({ kind: "b", n: x.length })) })),
  tool("job", ({ id }) => ({ status: "ok", items: [...id].map((x) => ({ kind: "b", n: x.length })) })),
  tool("job", async () => ({ content: [{ type: "text", text: "x" }], isError: true })),
  tool("job", () => ({ content: [{ type: "image", data: "", mimeType: "image/png" }], structuredContent: { status: "ok", items: [] } })),
  tool("plain", () => ({ content: [{ type: "audio", data: "", mimeType: "audio/wav" }] })),
  tool("person", ({ id }) => {
    const { name, email } = find(id);
    return { name, email };
  }),
];

export const wrong = [
  // @ts-expect-error: no such status
  tool("job", async ({ id }) => {
    if (!id) return { status: "okk", items: [] };
    return { status: "ok", items: [] };
  }),
  // @ts-expect-error: no such kind
  tool("job", ({ id }) => ({ status: "ok", items: [{ kind: "c", n: id.length }] })),
  // @ts-expect-error: no such kind
  tool("job", async ({ id }) => ({ status: "ok", items: [...id].map((x) => ({ kind: "c", n: x.length })) })),
  // @ts-expect-error: no such block
  tool("job", async () => ({ content: [{ type: "texts", text: "x" }], isError: true })),
  // @ts-expect-error: a misspelt name
  tool("job", async () => ({ status: "ok", item: [] })),
  // @ts-expect-error: a misspelt name
  tool("person", () => ({ nme: "x" })),
];
"#;

const OUTPUTS: [&str; 16] = [
    r#"output = { mode = { enum = ["a", "b"] } }"#,
    r#"output = { kind = { const = "x" }, one = { const = 1 }, no = { const = false } }"#,
    r#"output = { list = { type = "array", minItems = 2, items = { type = "object", properties = { mode = { enum = ["a", "b"] }, at = { type = "integer", minimum = 3 } }, required = ["mode"] } } }"#,
    r#"output = { pair = { type = "array", prefixItems = [{ enum = ["a"] }, { type = "number" }], items = false, minItems = 2 } }"#,
    r#"output = { value = { oneOf = [{ type = "object", properties = { kind = { const = "circle" }, r = { type = "number" } }, required = ["kind", "r"] }, { type = "object", properties = { kind = { const = "square" } }, required = ["kind"] }] } }"#,
    r#"output = { value = { type = ["string", "null"] }, other = { anyOf = [{ type = "null" }, { enum = ["a", 1, true] }] } }"#,
    r#"output = { value = { type = "string", pattern = "^[0-9]{4}$" } }"#,
    r#"output = { value = { type = "string", optional = true } }"#,
    r#"output = { value = { type = "object", additionalProperties = { enum = ["a", "b"] } }, any = {} }"#,
    r#"output = { "a-b" = { type = "string" }, "class" = { type = "string" }, "1" = { type = "number" }, "é'\"" = { enum = ["x'\"\n"] } }"#,
    r#"output = { value = { enum = ["a", 1, true] }, big = { type = "number", minimum = 1e21 }, defaulted = { enum = ["a", "b"], default = "b" } }"#,
    r#"output_schema = { type = "array", items = { enum = ["a", "b"] }, minItems = 1 }"#,
    r#"output_schema = { enum = ["a", "b"] }"#,
    r#"output_schema = { type = "string" }"#,
    r#"output_schema = { type = ["integer", "null"] }"#,
    r##"output_schema = { type = "object", required = ["node"], properties = { node = { "$ref" = "#/$defs/Node" } }, "$defs" = { Node = { type = "object", properties = { mode = { enum = ["a", "b"] }, next = { "$ref" = "#/$defs/Node" } }, required = ["mode"] } } }"##,
];

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
