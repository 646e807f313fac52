//! The table of hostile requests: what is sent, and the exact refusal it must get.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::client::Client;
use super::http::{Reply, Request};
use super::{CheckFault, Era, diagnose, schema};

const FOREIGN_HOST: &str = "mcp-deploy-probe.invalid";
const FOREIGN_ORIGIN: &str = "https://mcp-deploy-probe.invalid";
const NO_SUCH_NAME: &str = "mcp-deploy-no-such-thing";
/// A `GET` that opens a stream shows itself by not ending.
const PROMPTLY: Duration = Duration::from_secs(5);

/// One hostile request and its judge. `build` gives the reason where there is nothing to send.
pub struct Attack {
    pub id: &'static str,
    pub title: &'static str,
    pub needs: Precondition,
    pub build: fn(&Scene) -> Result<Request, CheckFault>,
    pub judge: fn(&Scene, &Reply) -> Result<(), CheckFault>,
    pub hint: &'static str,
}

#[derive(PartialEq)]
pub enum Precondition {
    Nothing,
    Modern,
    Local,
    Credentials,
    WebSocket,
    WebSocketCredentials,
}

pub struct Scene<'a> {
    pub client: &'a Client,
    pub era: Era,
    pub tools: &'a [Value],
    pub max_body_bytes: u64,
    pub origins_configured: bool,
}

impl Scene<'_> {
    /// A harmless request that would be answered; the attacks spoil it.
    fn harmless(&self) -> Request {
        self.client.request(self.era, "tools/list", json!({}))
    }

    fn envelope(&self, request: &Request) -> Value {
        request.body.as_deref().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default()
    }
}

pub const ATTACKS: [Attack; 24] = [
    Attack {
        id: "hostile.origin",
        title: "refuses a foreign `Origin`",
        needs: Precondition::Nothing,
        build: |scene| Ok(scene.harmless().with("origin", FOREIGN_ORIGIN)),
        judge: refused_origin,
        hint: "any web page could call this server from a visitor's browser: check `Origin`, and answer 403",
    },
    Attack {
        id: "hostile.origin-null",
        title: "refuses the `Origin` `null`",
        needs: Precondition::Nothing,
        build: |scene| Ok(scene.harmless().with("origin", "null")),
        judge: refused_origin,
        hint: "sandboxed frames and local files send it: check `Origin`, and answer 403",
    },
    Attack {
        id: "hostile.preflight",
        title: "grants no foreign origin a preflight",
        needs: Precondition::Nothing,
        build: |scene| {
            let request = scene.client.endpoint("OPTIONS").with("origin", FOREIGN_ORIGIN);
            Ok(request
                .with("access-control-request-method", "POST")
                .with("access-control-request-headers", "content-type, authorization"))
        },
        judge: |scene, reply| match reply.header("access-control-allow-origin") {
            None => Ok(()),
            Some("*") if scene.origins_configured => Err(every_origin()),
            Some(granted) => Err(CheckFault::wrong(format!("`access-control-allow-origin: {granted}` was granted"))),
        },
        hint: "name the allowed origins one by one, and never echo the one that asks",
    },
    Attack {
        id: "hostile.host",
        title: "refuses a foreign `Host`",
        needs: Precondition::Local,
        build: |scene| Ok(scene.harmless().with("host", FOREIGN_HOST)),
        judge: |_, reply| match reply.status {
            429 => Err(CheckFault::wrong("429 says nothing of the `Host`")),
            400..=499 => Ok(()),
            _ => Err(CheckFault::wrong(format!("expected a status from 400 to 499, got {}", reply.summary()))),
        },
        hint: "a page can rebind its own name to this machine: check `Host` on a local server",
    },
    Attack {
        id: "hostile.no-credentials",
        title: "refuses a call without credentials",
        needs: Precondition::Credentials,
        build: |scene| Ok(CREDENTIALS.iter().fold(scene.harmless(), |request, name| request.without(name))),
        judge: refused_credentials,
        hint: "without credentials the answer is 401 with `www-authenticate`, so that clients know what to send",
    },
    Attack {
        id: "websocket.origin",
        title: "opens no WebSocket for a foreign `Origin`",
        needs: Precondition::WebSocket,
        build: |scene| Ok(promptly(scene.client.upgrade().with("origin", FOREIGN_ORIGIN))),
        judge: |scene, reply| match reply.status {
            101 if scene.origins_configured => Err(every_origin()),
            _ => expect(reply, 403, None),
        },
        hint: "check the Origin before the upgrade: browsers let any page open a WebSocket to any server",
    },
    Attack {
        id: "websocket.no-credentials",
        title: "opens no WebSocket without credentials",
        needs: Precondition::WebSocketCredentials,
        build: |scene| {
            let upgrade = promptly(scene.client.upgrade());
            Ok(CREDENTIALS.iter().fold(upgrade, |request, name| request.without(name)))
        },
        judge: refused_credentials,
        hint: "ask for credentials before the upgrade, as for every request",
    },
    Attack {
        id: "hostile.get",
        title: "refuses `GET` at once",
        needs: Precondition::Nothing,
        build: |scene| Ok(promptly(scene.client.endpoint("GET").with("accept", "text/event-stream"))),
        judge: refused_method,
        hint: "an open stream is billed until the platform ends it: answer 405 with `Allow: POST`",
    },
    Attack {
        id: "hostile.delete",
        title: "refuses `DELETE`",
        needs: Precondition::Nothing,
        build: |scene| Ok(scene.client.endpoint("DELETE")),
        judge: refused_method,
        hint: "there are no sessions to end: answer 405 with `Allow: POST`",
    },
    Attack {
        id: "hostile.content-type",
        title: "refuses a body that is not declared as JSON",
        needs: Precondition::Nothing,
        build: |scene| Ok(scene.harmless().with("content-type", "text/plain")),
        judge: |_, reply| expect(reply, 415, None),
        hint: "browsers send `text/plain` without a preflight: answer 415",
    },
    Attack {
        id: "hostile.malformed",
        title: "refuses malformed JSON",
        needs: Precondition::Nothing,
        build: |scene| Ok(scene.harmless().body(r#"{"jsonrpc":"2.0","id":1,"method":"#)),
        judge: |_, reply| expect(reply, 400, Some(-32700)),
        hint: "answer 400 with the JSON-RPC error -32700",
    },
    Attack {
        id: "hostile.batch",
        title: "refuses a batch",
        needs: Precondition::Modern,
        build: |scene| {
            let request = scene.harmless();
            let batch = json!([scene.envelope(&request)]);
            Ok(request.body(batch.to_string()))
        },
        judge: |_, reply| expect(reply, 400, Some(-32600)),
        hint: "a body is exactly one request or notification: answer 400 with -32600",
    },
    Attack {
        id: "hostile.oversized",
        title: "refuses a body above its limit",
        needs: Precondition::Nothing,
        build: |scene| {
            let request = scene.harmless();
            let mut body = request.body.clone().unwrap_or_default();
            let length = usize::try_from(scene.max_body_bytes.saturating_add(1)).unwrap_or(usize::MAX);
            if length > 64 << 20 {
                return Err(CheckFault::skip("the limit is above 64 MiB, which is too much to send"));
            }
            // White space after the JSON: a server without a limit answers as usual.
            body.resize(length.max(body.len()), b' ');
            Ok(request.body(body))
        },
        judge: |_, reply| expect(reply, 413, None),
        hint: "limit the body before it is parsed, and answer 413",
    },
    Attack {
        id: "hostile.path",
        title: "has nothing at an unknown path",
        needs: Precondition::Nothing,
        build: |scene| {
            let mut request = scene.harmless();
            request.url = scene.client.sibling(NO_SUCH_NAME);
            Ok(request)
        },
        judge: |_, reply| expect(reply, 404, None),
        hint: "answer 404 everywhere but at the endpoint and the health page",
    },
    Attack {
        id: "hostile.unknown-tool",
        title: "refuses an unknown tool",
        needs: Precondition::Nothing,
        build: |scene| match scene.tools {
            // To call one is then no method at all.
            [] => Err(CheckFault::skip("it has no tools")),
            _ => Ok(scene.client.tool_call(scene.era, NO_SUCH_NAME, &json!({}), None)),
        },
        judge: |_, reply| expect(reply, 200, Some(-32602)),
        hint: "answer with the JSON-RPC error -32602",
    },
    Attack {
        id: "hostile.arguments",
        title: "refuses arguments that break the tool's schema",
        needs: Precondition::Nothing,
        build: |scene| {
            let none = || CheckFault::skip("no tool has a schema that arguments can break");
            let (tool, arguments) = schema::violation(scene.tools).ok_or_else(none)?;
            Ok(scene.client.tool_call(scene.era, tool["name"].as_str().unwrap_or(""), &arguments, Some(tool)))
        },
        judge: |_, reply| {
            let refused = reply.json.as_ref().is_some_and(|json| json["result"]["isError"] == true);
            match refused {
                true => expect(reply, 200, None),
                false => Err(CheckFault::wrong(format!("expected 200 with `isError: true`, got {}", reply.summary()))),
            }
        },
        hint: "validate against the schema, and answer with a result, so that the model can correct itself",
    },
    Attack {
        id: "hostile.unknown-method",
        title: "refuses an unknown method",
        needs: Precondition::Modern,
        build: |scene| Ok(scene.client.request(Era::Modern, NO_SUCH_NAME, json!({}))),
        judge: |_, reply| expect(reply, 404, Some(-32601)),
        hint: "answer 404 with the JSON-RPC error -32601",
    },
    Attack {
        id: "hostile.version",
        title: "refuses an unknown protocol version and names its own",
        needs: Precondition::Modern,
        build: |scene| {
            let request = scene.harmless();
            let mut message = scene.envelope(&request);
            message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2099-01-01");
            Ok(request.body(message.to_string()).with("mcp-protocol-version", "2099-01-01"))
        },
        judge: |_, reply| {
            expect(reply, 400, Some(-32022))?;
            let supported = reply.json.as_ref().and_then(|json| json.pointer("/error/data/supported"));
            match supported.and_then(Value::as_array).is_some_and(|list| list.contains(&json!(Era::Modern.version()))) {
                true => Ok(()),
                false => Err(CheckFault::wrong("400 with -32022, but `data.supported` does not name 2026-07-28")),
            }
        },
        hint: "clients choose another version from `data.supported`: answer 400 with -32022 and the list",
    },
    Attack {
        id: "hostile.no-method-header",
        title: "refuses a request without `Mcp-Method`",
        needs: Precondition::Modern,
        build: |scene| Ok(scene.harmless().without("mcp-method")),
        judge: |_, reply| expect(reply, 400, Some(-32020)),
        hint: "headers are what gateways go by, so they must be there: answer 400 with -32020",
    },
    Attack {
        id: "hostile.method-mismatch",
        title: "refuses an `Mcp-Method` other than the body's",
        needs: Precondition::Modern,
        build: |scene| Ok(scene.harmless().with("mcp-method", "server/discover")),
        judge: |_, reply| expect(reply, 400, Some(-32020)),
        hint: "a gateway would have judged another method: answer 400 with -32020",
    },
    Attack {
        id: "hostile.name-mismatch",
        title: "refuses an `Mcp-Name` other than the body's",
        needs: Precondition::Modern,
        build: |scene| {
            let request = scene.client.tool_call(Era::Modern, NO_SUCH_NAME, &json!({}), None);
            Ok(request.with("mcp-name", "another-name"))
        },
        judge: |_, reply| expect(reply, 400, Some(-32020)),
        hint: "a gateway would have judged another tool: answer 400 with -32020",
    },
    Attack {
        id: "hostile.no-meta",
        title: "refuses a request without `_meta`",
        needs: Precondition::Modern,
        build: |scene| without_meta(scene, |params| params.remove("_meta")),
        judge: |_, reply| expect(reply, 400, Some(-32602)),
        hint: "every request names its version and capabilities: answer 400 with -32602",
    },
    Attack {
        id: "hostile.no-capabilities",
        title: "refuses a `_meta` without the client's capabilities",
        needs: Precondition::Modern,
        build: |scene| {
            without_meta(scene, |params| {
                params["_meta"].as_object_mut()?.remove("io.modelcontextprotocol/clientCapabilities")
            })
        },
        judge: |_, reply| expect(reply, 400, Some(-32602)),
        hint: "every request names its version and capabilities: answer 400 with -32602",
    },
    Attack {
        id: "hostile.envelope",
        title: "refuses a message that is not JSON-RPC 2.0",
        needs: Precondition::Nothing,
        build: |scene| {
            let request = scene.harmless();
            let mut message = scene.envelope(&request);
            message["jsonrpc"] = json!("1.0");
            Ok(request.body(message.to_string()))
        },
        judge: |_, reply| expect(reply, 400, Some(-32600)),
        hint: "answer 400 with the JSON-RPC error -32600",
    },
];

/// What opens the door of a server that asks for credentials.
pub const CREDENTIALS: [&str; 2] = ["authorization", "x-api-key"];

fn expect(reply: &Reply, status: u16, code: Option<i64>) -> Result<(), CheckFault> {
    if reply.status == status && code.is_none_or(|code| reply.rpc_code() == Some(code)) {
        return Ok(());
    }
    let code = code.map(|code| format!(" with the JSON-RPC error {code}")).unwrap_or_default();
    Err(CheckFault::wrong(format!("expected {status}{code}, got {}", reply.summary())))
}

fn refused_origin(scene: &Scene, reply: &Reply) -> Result<(), CheckFault> {
    let open = reply.status == 200 && reply.header("access-control-allow-origin") == Some("*");
    if open && scene.origins_configured {
        return Err(every_origin());
    }
    expect(reply, 403, None)
}

fn refused_credentials(_: &Scene, reply: &Reply) -> Result<(), CheckFault> {
    expect(reply, 401, None)?;
    match diagnose::challenge(reply).is_empty() {
        false => Ok(()),
        true => Err(CheckFault::wrong("401, but without `www-authenticate`")),
    }
}

fn promptly(mut request: Request) -> Request {
    request.timeout = request.timeout.min(PROMPTLY);
    request
}

fn every_origin() -> CheckFault {
    CheckFault::skip("the server lets every origin in, and the manifest does configure origins")
}

fn refused_method(_: &Scene, reply: &Reply) -> Result<(), CheckFault> {
    expect(reply, 405, None)?;
    match reply.header("allow") {
        Some(_) => Ok(()),
        None => Err(CheckFault::wrong("405, but without `Allow`")),
    }
}

fn without_meta(scene: &Scene, remove: fn(&mut Map<String, Value>) -> Option<Value>) -> Result<Request, CheckFault> {
    let request = scene.harmless();
    let mut message = scene.envelope(&request);
    if let Some(params) = message["params"].as_object_mut() {
        remove(params);
    }
    Ok(request.body(message.to_string()))
}
