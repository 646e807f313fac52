//! MCP over a WebSocket: a session on it is the server that answers over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::Message;

use super::client::{Client, LONGEST_WAIT, Socket, client_info};
use super::contract::difference;
use super::eras::{EraServer, LEGACY_VERSIONS, LISTS, List, MAX_PAGES, count, identity, settle};
use super::http::{allow, quoted};
use super::{CheckFault, Contract, Era, Probe};

pub fn run(probe: &mut Probe, client: &Client, legacy: Option<&EraServer>) {
    let contract = probe.contract;
    match (probe.websocket, contract.and_then(|contract| contract.websocket)) {
        (true, _) => probe.check("websocket.session", TITLE, || session(client, contract, legacy)),
        (false, Some(true)) => probe.check("websocket.session", TITLE, || {
            Err(CheckFault::wrong("the manifest has `websocket = true`, and `/health` says nothing of WebSockets")
                .hint("an older or another server answers here: deploy again, or check the URL"))
        }),
        (false, _) => {}
    }
}

const TITLE: &str = "speaks MCP over a WebSocket (`initialize`), and lists the same there";

fn session(client: &Client, contract: Option<&Contract>, legacy: Option<&EraServer>) -> Result<String, CheckFault> {
    let mut session =
        Session { socket: open(client)?, timeout: client.left()?.min(client.prompt), next_id: 0, waited: false };
    let hello = json!({ "protocolVersion": Era::Legacy.version(), "capabilities": {}, "clientInfo": client_info() });
    let welcome = session.ask("initialize", hello)?;
    let mut faults = identity(&welcome["serverInfo"], contract);
    if !LEGACY_VERSIONS.contains(&welcome["protocolVersion"].as_str().unwrap_or("")) {
        faults.push(format!("`protocolVersion` is {}", welcome["protocolVersion"]));
    }
    session.say(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
    let mut seen = Vec::new();
    for (at, list) in LISTS.iter().enumerate() {
        // A server with resources need not have templates of them.
        let over_http = legacy.and_then(|server| server.lists[at].as_ref());
        if welcome["capabilities"].get(list.capability).is_none() || over_http.is_some_and(Vec::is_empty) {
            continue;
        }
        let entries = session.list(list)?;
        if let Some(found) = over_http.and_then(|http| difference(&json!(http), &json!(entries))) {
            faults.push(format!("its {}s: {}", list.what, found.shown("over HTTP", "over the WebSocket")));
        }
        seen.push(count(entries.len(), list.what));
    }
    session.end()?;
    settle(faults, seen.join(", "))
}

/// A rate limit is waited for once.
fn open(client: &Client) -> Result<Socket, CheckFault> {
    let mut refused = match client.open()? {
        Ok(socket) => return Ok(socket),
        Err(reply) => reply,
    };
    if let Some(seconds) = refused.retry_after().filter(|_| refused.status == 429) {
        wait(seconds)?;
        refused = match client.open()? {
            Ok(socket) => return Ok(socket),
            Err(reply) => reply,
        };
    }
    let fault = client.unexpected(&refused);
    Err(CheckFault::wrong(format!("no WebSocket, but {}", fault.detail))
        .hint("an upgrade with the subprotocol `mcp` and good credentials is answered with 101"))
}

fn wait(seconds: u64) -> Result<(), CheckFault> {
    if seconds > LONGEST_WAIT {
        return Err(CheckFault::skip(format!("the rate limit is reached, for {seconds} s more")));
    }
    std::thread::sleep(Duration::from_secs(seconds));
    Ok(())
}

struct Session {
    socket: Socket,
    /// Of all of it, so that a server that never stops talking is left; waiting for a rate limit does not count.
    timeout: Duration,
    next_id: u64,
    waited: bool,
}

impl Session {
    /// The result of a request; fails for an error. Waits once for a rate limit.
    fn ask(&mut self, method: &str, params: Value) -> Result<Value, CheckFault> {
        loop {
            self.next_id += 1;
            let id = self.next_id;
            self.say(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))?;
            let mut answer = self.answer_to(id, method)?;
            let Some(error) = answer.get("error") else { return Ok(answer["result"].take()) };
            match error["data"]["retryAfter"].as_u64() {
                Some(seconds) if !std::mem::replace(&mut self.waited, true) => {
                    wait(seconds)?;
                    allow(self.socket.get_mut(), self.timeout);
                }
                Some(seconds) => {
                    return Err(CheckFault::skip(format!("the rate limit is reached, for {seconds} s more")));
                }
                None => {
                    let message = quoted(error["message"].as_str().unwrap_or(""));
                    return Err(CheckFault::wrong(format!("`{method}` is answered with {} {message}", error["code"])));
                }
            }
        }
    }

    fn answer_to(&mut self, id: u64, method: &str) -> Result<Value, CheckFault> {
        loop {
            let text = match self.socket.read().map_err(|error| self.broken(method, &error))? {
                Message::Text(text) => text,
                Message::Close(frame) => {
                    let why = frame.map_or_else(|| "without a code".to_owned(), |frame| frame.to_string());
                    return Err(CheckFault::wrong(format!("closed instead of an answer to `{method}`: {why}")));
                }
                Message::Binary(_) => {
                    return Err(CheckFault::wrong(format!("`{method}` is answered with binary data")));
                }
                _ => continue,
            };
            let message: Value = serde_json::from_str(&text)
                .map_err(|_| CheckFault::wrong(format!("the answer to `{method}` is not JSON: {}", quoted(&text))))?;
            let is_answer = message.get("result").is_some() || message.get("error").is_some();
            match message.get("method") {
                // Notifications are not for us; of the server's requests, a ping is to be answered.
                Some(asked) if asked == "ping" => {
                    self.say(&json!({ "jsonrpc": "2.0", "id": message["id"], "result": {} }))?;
                }
                Some(_) => {}
                None if message["jsonrpc"] == "2.0" && message["id"] == id && is_answer => return Ok(message),
                None => {
                    return Err(CheckFault::wrong(format!("`{method}` got no answer to it, but {}", quoted(&text))));
                }
            }
        }
    }

    /// All pages.
    fn list(&mut self, list: &List) -> Result<Vec<Value>, CheckFault> {
        let mut entries = Vec::new();
        let mut params = json!({});
        for _ in 0..MAX_PAGES {
            let page = self.ask(list.method, params)?;
            let found = page[list.key].as_array();
            entries.extend(
                found
                    .ok_or_else(|| CheckFault::wrong(format!("`{}` has no array `{}`", list.method, list.key)))?
                    .clone(),
            );
            match page.get("nextCursor").filter(|cursor| !cursor.is_null()) {
                Some(cursor) => params = json!({ "cursor": cursor }),
                None => return Ok(entries),
            }
        }
        Err(CheckFault::wrong(format!("`{}` did not end after {MAX_PAGES} pages", list.method)))
    }

    fn say(&mut self, message: &Value) -> Result<(), CheckFault> {
        self.socket.send(Message::text(message.to_string())).map_err(|error| self.broken("a message", &error))
    }

    /// In order: the server answers that it closes, too.
    fn end(mut self) -> Result<(), CheckFault> {
        self.socket.close(None).map_err(|error| self.broken("the end", &error))?;
        loop {
            match self.socket.read() {
                Ok(_) => {}
                Err(tungstenite::Error::ConnectionClosed) => return Ok(()),
                Err(error) => return Err(self.broken("the end", &error)),
            }
        }
    }

    fn broken(&self, what: &str, error: &tungstenite::Error) -> CheckFault {
        if timed_out(error) {
            let limit = self.timeout.as_secs_f32();
            return CheckFault::wrong(format!("the session was given up at {what}: it did not end within {limit} s"));
        }
        CheckFault::wrong(format!("the WebSocket broke at {what}: {error}"))
    }
}

fn timed_out(error: &tungstenite::Error) -> bool {
    let tungstenite::Error::Io(error) = error else { return false };
    error.get_ref().is_some_and(|inner| matches!(inner.downcast_ref(), Some(ureq::Error::Timeout(_))))
}
