//! What a handler makes of a secret, no log line of the generated server shows.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::child::run;
use crate::support::site::WEATHER;
use crate::support::tools::KIT;
use crate::support::work::{clone, mcp_deploy, read, write};

const LEAK: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("leak", (_, ctx) => {
  const secret = ctx.env.UPSTREAM;
  ctx.log("info", `asking with ${secret}`, { nested: { keys: [secret, 7] }, body: JSON.stringify({ key: secret }), cause: new Error(secret), [secret]: { [`x-${secret}`]: 1 } });
  const bytes = (text: string) => Buffer.from(text);
  const forms = [encodeURIComponent(secret), new URLSearchParams({ secret }).toString(), encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
    ...["", "u:", "me:"].flatMap((user) => [bytes(user + secret).toString("base64"), bytes(`${user}${secret}@`).toString("base64url")])];
  ctx.log("info", "other forms", { forms });
  throw new Error(`the upstream refused ${JSON.stringify({ key: secret })}`);
});
"#;

/// The portable server on its own: nothing cleans up behind it.
const CALL: &str = r#"import { createApp } from "./app.ts";
import { toFetch } from "./runtime/web.ts";
const fetch = toFetch(createApp({ variables: process.env, hosts: [] }));
const request = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "leak", arguments: {} } };
const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25" };
const response = await fetch(new Request("http://localhost/mcp", { method: "POST", headers, body: JSON.stringify(request) }), () => {});
await response.text();
process.exit(0);
"#;

#[test]
fn the_servers_own_log_hides_them() {
    let project = clone(&WEATHER.root, "secrets");
    let manifest = read(project.join("mcp.toml"));
    write(
        project.join("mcp.toml"),
        format!(
            "{manifest}\n[secrets]\nBEGINNING = \"Another secret begins as this one.\"\nUPSTREAM = \"What the upstream asks for.\"\n"
        ),
    );
    run(mcp_deploy(&project, ["add-tool", "leak", "--description", "Logs too much."])).expect(0);
    write(project.join("src/tools/leak.ts"), LEAK);
    write(project.join("src/generated/call.ts"), CALL);
    for secret in
        ["plain-secret", "with \"quotes\"", "back\\slash\\", "two\nlines\tand a tab", "Grüße 😀 \u{7}\u{2028}!"]
    {
        let mut node = KIT.node(Path::new("src/generated/call.ts"));
        let beginning: String = secret.chars().take(6).collect();
        node.env("UPSTREAM", secret).env("BEGINNING", beginning).current_dir(&project);
        let ran = run(node).expect(0);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let lines: Vec<Value> = said.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert_eq!(lines.len(), 3, "each line is JSON: {said}");
        assert_eq!(lines[0]["message"], "asking with ***", "{said}");
        assert_eq!(lines[0]["nested"], json!({ "keys": ["***", 7] }), "{said}");
        assert_eq!(lines[0]["body"], r#"{"key":"***"}"#, "{said}");
        assert!(lines[0]["cause"].as_str().is_some_and(|cause| cause.starts_with("Error: ***\n")), "{said}");
        let refused = "Error: the upstream refused {\"key\":\"***\"}\n";
        assert_eq!(lines[0]["***"], json!({ "x-***": 1 }), "{said}");
        let forms = lines[1]["forms"].as_array().expect("forms");
        assert_eq!(forms.len(), 9, "{said}");
        // Beside it at most the characters that depend on what stands beside it.
        for form in forms.iter().filter_map(serde_json::Value::as_str) {
            assert!(form.contains("***") && form.len() <= "secret=***".len(), "{secret}: {form}");
        }
        assert!(lines[2]["error"].as_str().is_some_and(|error| error.starts_with(refused)), "{said}");
        let inside = |text: &str| text.contains(secret) || text.contains(&json!(secret).to_string()[1..]);
        assert!(!lines.iter().any(|line| inside(&line.to_string())), "{said}");
    }
}
