//! A Worker with WebSocket sessions: shipped, talked to at its public address, and shipped without them.

use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::setting::{CLOUDFLARE_URL as URL, Setting};
use crate::support::{run, tools, with};

/// A session as a client of 2025 has it: each answer is waited for.
const SESSION: &str = r#"
const socket = new WebSocket(process.argv[1].replace(/^http/, "ws"), "mcp");
const next = () => new Promise((resolve, reject) => {
  socket.onmessage = ({ data }) => resolve(JSON.parse(data));
  socket.onclose = ({ code, reason }) => reject(new Error(`closed: ${code} ${reason}`));
});
await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: () => reject(new Error("refused")) }));
const ask = (id, method, params) => {
  const answer = next();
  socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
  return answer;
};
const clientInfo = { name: "tests", version: "0" };
const { result } = await ask(1, "initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
socket.send(JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }));
const called = await ask(2, "tools/call", { name: "get_weather", arguments: { location: "Oslo" } });
socket.onclose = null;
socket.close();
console.log(JSON.stringify({ protocol: result.protocolVersion, temperature: called.result.structuredContent.temperature }));
"#;

fn session(setting: &Setting) -> Result<Value, String> {
    let node = tools().cmd(ToolId::Node).args(["--input-type=module", "--eval", SESSION, URL]);
    let node = with(node, &setting.edge.environment());
    let ca = setting.project.home().join("ca.pem");
    std::fs::create_dir_all(setting.project.home()).expect("a folder");
    std::fs::write(&ca, setting.edge.ca_pem()).expect("a file");
    let node = node.env_noise("NODE_USE_ENV_PROXY", "1").env_noise("NODE_EXTRA_CA_CERTS", ca);
    let outcome = run(&node).map_err(|failed| failed.tail)?;
    serde_json::from_str(&outcome.stdout).map_err(|error| error.to_string())
}

#[test]
fn sessions_are_shipped_and_taken_back() {
    let setting = Setting::new();
    setting.ok("ship --target cloudflare");
    let temperature = setting.temperature(URL);
    assert_eq!(setting.cloudflare.exports("weather"), Value::Null);
    assert!(session(&setting).is_err_and(|error| error.contains("refused")), "there are none yet");

    setting.project.replace("mcp.toml", "[targets.cloudflare]", "[targets.cloudflare]\nwebsocket = true");
    setting.ok("ship --target cloudflare");
    let live = json!({ "McpSession": { "type": "durable-object", "storage": "sqlite" } });
    assert_eq!(setting.cloudflare.exports("weather"), live);
    assert_eq!(session(&setting), Ok(json!({ "protocol": "2025-11-25", "temperature": temperature })));
    assert_eq!(setting.temperature(URL), temperature);
    // Through the proxy, and with a certificate that only this machine trusts.
    let report: Value = serde_json::from_str(&setting.ok(&format!("verify {URL} --json")).stdout).expect("JSON");
    let proven = |id: &str| {
        report["checks"].as_array().into_iter().flatten().any(|check| check["id"] == id && check["outcome"] == "passed")
    };
    assert!(proven("websocket.session") && proven("websocket.origin"), "{report:#}");

    setting.project.replace("mcp.toml", "websocket = true", "websocket = false");
    setting.ok("ship --target cloudflare");
    let deleted = json!({ "McpSession": { "type": "durable-object", "state": "deleted" } });
    assert_eq!(setting.cloudflare.exports("weather"), deleted);
    assert!(session(&setting).is_err_and(|error| error.contains("refused")), "they are gone");
    assert_eq!(setting.temperature(URL), temperature);
    assert_eq!(setting.edge.refused(), Vec::<String>::new());
}
