//! The MCP client: sends requests of either era, reads JSON and event streams, and gives up in time.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::{HandshakeError, WebSocket};
use ureq::Agent;
use ureq::http::{Request as HttpRequest, Uri};
use ureq::unversioned::transport::TransportAdapter;

use super::attacks::CREDENTIALS;
use super::http::{self, Reply, Request, header_value};
use super::sse::Events;
use super::{CheckFault, Era, Gate, Options, diagnose, early, schema};

const MAX_ANSWER: usize = 64 << 20;
/// A server that is down for so many requests in a row is not asked again: each would cost a whole timeout.
const PATIENCE: u32 = 3;
/// The time for an answer other than that of a tool, whatever the tools' time limits.
const PROMPT: Duration = Duration::from_secs(30);
/// So many times that long is all that a server gets, and what it has to say in that time.
const TIMES: u32 = 10;
const MOST_READ: usize = 256 << 20;
/// Seconds, and how many times, that a rate limit is waited for.
pub const LONGEST_WAIT: u64 = 60;
const WAITS: u32 = 3;

/// As the generated server names it.
const SUBPROTOCOL: &str = "mcp";
pub type Socket = WebSocket<TransportAdapter>;

pub struct Client {
    uri: Uri,
    agent: Agent,
    headers: Vec<(String, String)>,
    /// For a tool call.
    timeout: Duration,
    /// For everything else.
    pub prompt: Duration,
    /// How long all of it may take, and since when; waiting for a rate limit does not count.
    limit: Duration,
    started: Instant,
    waited: Cell<Duration>,
    /// Bytes of all answers.
    read: Cell<usize>,
    next_id: Cell<u64>,
    session: RefCell<Option<String>>,
    lost: Cell<u32>,
    waits: Cell<u32>,
    budgets: Option<String>,
    budget: Cell<u32>,
    /// Whether the protocol has answered anything yet.
    answered: Cell<bool>,
    /// What a rate limit said, the last time.
    refused: RefCell<Option<Reply>>,
    /// Whether it was said already that nothing can be asked.
    told: Cell<bool>,
    gates: Vec<Gate>,
}

/// A JSON-RPC error is an answer, not a fault.
#[derive(Debug)]
pub struct RpcError {
    pub status: u16,
    pub code: i64,
    pub message: String,
}

impl RpcError {
    pub fn shown(&self) -> String {
        format!("{} {} (HTTP {})", self.code, http::quoted(&self.message), self.status)
    }
}

impl Client {
    pub fn new(options: &Options) -> Result<Client, CheckFault> {
        let uri = http::parse(&options.url)?;
        for (name, value) in &options.headers {
            let sendable = HttpRequest::get("/").header(name, value).body(()).is_ok();
            if !sendable {
                return Err(CheckFault::unreached(format!("the header `{name}` cannot be sent"))
                    .hint("a header has a name of letters, digits and `-`, and a value without line breaks"));
            }
        }
        let config = http::agent_config(&uri);
        let prompt = options.timeout.min(PROMPT);
        let calls = u32::try_from(options.calls.len()).unwrap_or(u32::MAX);
        Ok(Client {
            uri,
            agent: config.build().into(),
            headers: options.headers.clone(),
            timeout: options.timeout,
            prompt,
            // A call is made in both generations, and once more where they differ.
            limit: TIMES * prompt + 3 * options.timeout * calls,
            started: Instant::now(),
            waited: Cell::default(),
            read: Cell::new(0),
            next_id: Cell::new(1),
            session: RefCell::new(None),
            lost: Cell::new(0),
            waits: Cell::new(0),
            budgets: options.budgets.clone(),
            budget: Cell::new(0),
            answered: Cell::new(false),
            refused: RefCell::new(None),
            told: Cell::new(false),
            gates: options.platforms.gates.clone(),
        })
    }

    /// What an answer means that is not the one asked for.
    pub fn unexpected(&self, reply: &Reply) -> CheckFault {
        let is_credential =
            |(name, _): &(String, String)| CREDENTIALS.iter().any(|known| known.eq_ignore_ascii_case(name));
        let has_credentials = self.headers.iter().any(is_credential);
        diagnose::unexpected(reply, &self.gates, &diagnose::SentWith { uri: &self.uri, has_credentials })
    }

    /// Whether it comes from what stands before the server.
    pub fn gate(&self, reply: &Reply) -> Option<CheckFault> {
        diagnose::gate(reply, &self.gates)
    }

    pub fn shown(&self) -> String {
        http::display(&self.uri.to_string())
    }

    pub fn sibling(&self, name: &str) -> String {
        http::sibling(&self.uri, name)
    }

    /// A request without a body to some URL.
    pub fn bare(&self, method: &'static str, url: &str) -> Request {
        let headers = self.headers.clone();
        Request { method, url: url.to_owned(), headers, body: None, id: None, timeout: self.prompt }
    }

    pub fn endpoint(&self, method: &'static str) -> Request {
        self.bare(method, &self.uri.to_string())
    }

    /// The request that opens a WebSocket for MCP.
    pub fn upgrade(&self) -> Request {
        let key = tungstenite::handshake::client::generate_key();
        let headers = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", &key),
            ("sec-websocket-protocol", SUBPROTOCOL),
        ];
        headers.iter().fold(self.endpoint("GET"), |request, (name, value)| request.with(name, value))
    }

    /// The same, and the WebSocket that comes of it; or the answer of a server that opens none. On a separate budget: a
    /// refusal for want of one would have to be waited for.
    pub fn open(&self) -> Result<Result<Socket, Reply>, CheckFault> {
        self.next_budget();
        let request = self.on_budget(&self.upgrade());
        let scheme = if self.uri.scheme_str() == Some("https") { "wss" } else { "ws" };
        let authority = self.uri.authority().map_or("", |authority| authority.as_str());
        let host = authority.rsplit('@').next().unwrap_or("");
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut builder = HttpRequest::builder().uri(format!("{scheme}://{host}{path}")).header("host", host);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let request = builder.body(()).map_err(|_| unsendable())?;
        let connection = http::connect(&self.uri, self.left()?.min(self.prompt))?;
        let answer = match tungstenite::client::client(request, connection) {
            Ok((socket, _)) => return Ok(Ok(socket)),
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => answer,
            Err(HandshakeError::Failure(error)) => return Err(CheckFault::wrong(format!("no WebSocket: {error}"))),
            Err(HandshakeError::Interrupted(_)) => {
                return Err(CheckFault::wrong("no answer to the request for a WebSocket"));
            }
        };
        let (parts, body) = answer.into_parts();
        let body = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
        let json = serde_json::from_str(&body).ok().filter(Value::is_object);
        Ok(Err(Reply { status: parts.status.as_u16(), headers: parts.headers, body, json, cut: None }))
    }

    /// A correct request of an era, its envelope and headers included.
    pub fn request(&self, era: Era, method: &str, params: Value) -> Request {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let mut message = self.message(era, method, params);
        message["id"] = json!(id);
        let mut request = self.post(era, method, &message);
        request.id = Some(id);
        request
    }

    pub fn notification(&self, era: Era, method: &str) -> Request {
        self.post(era, method, &self.message(era, method, json!({})))
    }

    fn message(&self, era: Era, method: &str, mut params: Value) -> Value {
        if era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": era.version(),
                "io.modelcontextprotocol/clientInfo": client_info(),
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        if params.as_object().is_some_and(|params| !params.is_empty()) {
            message["params"] = params;
        }
        message
    }

    fn post(&self, era: Era, method: &str, message: &Value) -> Request {
        let mut request = self.endpoint("POST").body(message.to_string());
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
        ];
        if method != "initialize" {
            headers.push(("mcp-protocol-version".to_owned(), era.version().to_owned()));
        }
        match era {
            Era::Modern => {
                headers.push(("mcp-method".to_owned(), method.to_owned()));
                let name = message.pointer("/params/name").or_else(|| message.pointer("/params/uri"));
                if let Some(name) = name.and_then(Value::as_str) {
                    headers.push(("mcp-name".to_owned(), header_value(name)));
                }
            }
            Era::Legacy => {
                headers.extend(self.session.borrow().clone().map(|id| ("mcp-session-id".to_owned(), id)));
            }
        }
        for (name, value) in headers {
            request = request.with(&name, &value);
        }
        // The user's own headers win.
        for (name, value) in &self.headers {
            request = request.with(name, value);
        }
        request
    }

    /// `tools/call`, with the headers that the tool's schema asks to be mirrored.
    pub fn tool_call(&self, era: Era, name: &str, arguments: &Value, tool: Option<&Value>) -> Request {
        let mut request = self.request(era, "tools/call", json!({ "name": name, "arguments": arguments }));
        request.timeout = self.timeout;
        if era == Era::Modern {
            for (header, value) in schema::mirrored(tool.unwrap_or(&Value::Null), arguments) {
                request = request.with(&format!("mcp-param-{header}"), &header_value(&value));
            }
        }
        request
    }

    /// Asks and expects a JSON-RPC answer: a result or an error.
    pub fn call(&self, era: Era, method: &str, params: Value) -> Result<Result<Value, RpcError>, CheckFault> {
        self.answer(self.request(era, method, params))
    }

    pub fn answer(&self, request: Request) -> Result<Result<Value, RpcError>, CheckFault> {
        let reply = self.send(&request)?;
        if let Some(session) = reply.header("mcp-session-id") {
            *self.session.borrow_mut() = Some(session.to_owned());
        }
        let Some(mut json) = reply.json.clone() else {
            return Err(self.unexpected(&reply));
        };
        // Not from the protocol: from what stands before it, or of a server that fails at everything.
        let is_refused = matches!(reply.status, 401 | 403 | 500..) && !self.answered.get();
        if is_refused {
            return Err(self.unexpected(&reply));
        }
        if let Some(code) = reply.rpc_code() {
            let message = json["error"]["message"].as_str().unwrap_or("").to_owned();
            return Ok(Err(RpcError { status: reply.status, code, message }));
        }
        if reply.status != 200 || json.get("result").is_none() {
            return Err(self.unexpected(&reply));
        }
        if json["jsonrpc"] != "2.0" || json["id"].as_u64() != request.id {
            return Err(CheckFault::wrong("the answer has another `id` than the request, or is not `jsonrpc` 2.0"));
        }
        self.answered.set(true);
        Ok(Ok(json["result"].take()))
    }

    /// Sends as it is. A rate limit is waited for, a few times and not long; what it keeps from being asked is skipped.
    pub fn send(&self, request: &Request) -> Result<Reply, CheckFault> {
        if self.lost.get() >= PATIENCE {
            return Err(CheckFault::lost(format!("the server gave no answer {PATIENCE} times in a row")));
        }
        let mut fresh = false;
        loop {
            let reply = self.once(&self.on_budget(request)).inspect_err(|_| self.lost.set(self.lost.get() + 1))?;
            // One that trickles until its time is up costs as much as one that is silent.
            self.lost.set(if reply.cut.is_some() { self.lost.get() + 1 } else { 0 });
            let Some(seconds) = reply.retry_after().filter(|_| reply.status == 429) else { return Ok(reply) };
            if self.has_budgets() && !fresh {
                self.next_budget();
                fresh = true;
            } else if seconds <= LONGEST_WAIT && self.waits.get() < WAITS {
                *self.refused.borrow_mut() = Some(reply);
                self.waits.set(self.waits.get() + 1);
                std::thread::sleep(Duration::from_secs(seconds));
                self.waited.set(self.waited.get() + Duration::from_secs(seconds));
            } else {
                return Err(self.limited(reply, seconds));
            }
        }
    }

    /// A server that answers nothing else is not proven; one that did is only not proven any further.
    fn limited(&self, reply: Reply, seconds: u64) -> CheckFault {
        *self.refused.borrow_mut() = Some(reply);
        let detail = format!("429: the rate limit is reached, for {seconds} s more");
        match !self.answered.get() && !self.told.replace(true) {
            true => CheckFault::wrong(detail).hint("try again then"),
            false => CheckFault::skip(detail),
        }
    }

    pub fn has_budgets(&self) -> bool {
        self.budgets.is_some()
    }

    /// What a rate limit said, if the server's was met.
    pub fn refused(&self) -> Option<Reply> {
        self.refused.borrow().clone()
    }

    fn next_budget(&self) {
        self.budget.set(self.budget.get() + 1);
    }

    /// Counted apart from the calls of everybody else.
    fn on_budget(&self, request: &Request) -> Request {
        let budget = self.budgets.iter().map(|secret| format!("{secret}.{}", self.budget.get()));
        budget.fold(request.clone(), |request, budget| request.with("x-mcp-local-budget", &budget))
    }

    /// What is left of the time for all of it. Where nothing is, one check fails, and the others are not made.
    pub fn left(&self) -> Result<Duration, CheckFault> {
        let left = (self.limit + self.waited.get()).saturating_sub(self.started.elapsed());
        let spent = match (left.is_zero(), self.read.get() > MOST_READ) {
            (true, _) => format!("the server took {} s in all", self.limit.as_secs_f32()),
            (_, true) => format!("the server sent more than {} MiB in all", MOST_READ >> 20),
            _ => return Ok(left),
        };
        let detail = format!("{spent}: nothing more is asked");
        Err(match self.told.replace(true) {
            true => CheckFault::lost(detail),
            false => CheckFault::wrong(detail),
        })
    }

    /// A large body may be refused unread, which looks like a broken connection from here.
    pub fn once(&self, request: &Request) -> Result<Reply, CheckFault> {
        let large = request.body.as_ref().is_some_and(|body| body.len() > 16 << 10);
        let request = &Request { timeout: request.timeout.min(self.left()?), ..request.clone() };
        self.ask(request).or_else(|fault| {
            let again = match self.uri.scheme_str() {
                _ if !large => None,
                Some("http") => early::send(request),
                _ => self.ask(&request.clone().with("expect", "100-continue")).ok(),
            };
            again.ok_or(fault)
        })
    }

    /// The server gets another chance, after the requests that may have hurt it.
    pub fn forgive(&self) {
        self.lost.set(0);
    }

    fn ask(&self, request: &Request) -> Result<Reply, CheckFault> {
        let deadline = Instant::now() + request.timeout;
        let mut builder = HttpRequest::builder().method(request.method).uri(&request.url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        // What fails here was made of checked parts; `Display` of it could hold a header.
        let sent = match &request.body {
            Some(body) => {
                let built = builder.body(body.as_slice()).map_err(|_| unsendable())?;
                self.agent.run(self.agent.configure_request(built).timeout_global(Some(request.timeout)).build())
            }
            None => {
                let built = builder.body(()).map_err(|_| unsendable())?;
                self.agent.run(self.agent.configure_request(built).timeout_global(Some(request.timeout)).build())
            }
        };
        let response = sent.map_err(|error| diagnose::transport(&error, &self.uri, request.timeout))?;
        let (parts, body) = response.into_parts();
        let mut reply =
            Reply { status: parts.status.as_u16(), headers: parts.headers, body: String::new(), json: None, cut: None };
        let stream = reply.is("text/event-stream");
        // A stream nobody asked for is not read: it may never end.
        if !stream || request.id.is_some() {
            let length = read(&mut reply, body.into_reader(), stream, request.id, deadline)?;
            self.read.set(self.read.get() + length);
        }
        if !stream {
            reply.json = serde_json::from_str(&reply.body).ok().filter(Value::is_object);
        }
        Ok(reply)
    }
}

fn read(
    reply: &mut Reply,
    mut body: impl std::io::Read,
    stream: bool,
    id: Option<u64>,
    deadline: Instant,
) -> Result<usize, CheckFault> {
    let mut bytes = Vec::new();
    let mut events = Events::default();
    let mut piece = vec![0; 16 << 10];
    reply.cut = loop {
        if Instant::now() >= deadline {
            break Some("it did not end in time".to_owned());
        }
        let length = match body.read(&mut piece) {
            Ok(0) => break None,
            Ok(length) => length,
            Err(_) if Instant::now() >= deadline => {
                break Some("it did not end in time".to_owned());
            }
            Err(error) => break Some(format!("the connection broke: {error}")),
        };
        bytes.extend_from_slice(&piece[..length]);
        if bytes.len() > MAX_ANSWER {
            return Err(CheckFault::wrong(format!("the answer is longer than {} MiB", MAX_ANSWER >> 20)));
        }
        if stream {
            reply.json = events.push(&piece[..length]).iter().find_map(|event| answer_to(event, id));
            if reply.json.is_some() {
                break None;
            }
        }
    };
    reply.body = String::from_utf8_lossy(&bytes).into_owned();
    Ok(bytes.len())
}

/// Notifications, and the answers to others, are not for us; an error may come without an id.
fn answer_to(event: &str, id: Option<u64>) -> Option<Value> {
    let message: Value = serde_json::from_str(event).ok()?;
    let ours = message.get("id").and_then(Value::as_u64) == id;
    let answers = message.get("result").is_some() || message.get("error").is_some();
    let nameless = message.get("error").is_some() && message.get("id").is_none_or(Value::is_null);
    (answers && ours || nameless).then_some(message)
}

pub fn client_info() -> Value {
    json!({ "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") })
}

fn unsendable() -> CheckFault {
    CheckFault::wrong("the request cannot be built")
}
