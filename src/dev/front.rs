//! What listens at the address of `dev` for as long as it runs, and passes each request on to the version that serves
//! then.
//!
//! A request ends on the version that it began on. While no version serves, requests wait.

use std::io::{self, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::traffic::{self, EndedRequest};
use crate::http_server::{
    AnswerHead, Conn, Head, LAST_CHUNK, Listener, ReadError, Spoke, chunk, head_after, head_bytes, pair,
};
use crate::parallel;

/// Bytes of a request that are kept to pass it on; what a server itself takes is less.
const LONGEST_REQUEST: usize = 64 << 20;
/// Bytes of an answer that are looked at to tell how it ended.
const LOOKED_AT: usize = 256 << 10;
/// How long a request waits for a version.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTIONS: usize = 256;

/// A server that runs. As long as somebody else holds it, it has requests.
pub struct RunningVersion {
    address: SocketAddr,
    /// What it was asked before and has not begun to answer, it never answers.
    lost_before: Mutex<Option<Instant>>,
}

impl RunningVersion {
    pub fn at(address: SocketAddr) -> Arc<Self> {
        Arc::new(RunningVersion { address, lost_before: Mutex::default() })
    }

    /// Requests of an earlier time that it has not begun to answer go to the version that serves then.
    pub fn lose(&self, before: Instant) {
        *self.lost_before.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
    }

    fn has_lost(&self, asked: Instant) -> bool {
        self.lost_before.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|before| asked < before)
    }
}

/// Whether an answer is the platform's word that a reload ended the request: its status and its body.
pub type Restarted = fn(u16, &[u8]) -> bool;

/// Hears of each request when it has ended.
pub type Hears = Box<dyn Fn(&EndedRequest) + Send + Sync>;

/// Dropped, it closes every connection.
pub struct DevFront {
    listener: Listener,
    shared: Arc<SharedFront>,
}

struct SharedFront {
    state: Mutex<FrontState>,
    changed: Condvar,
    hears: Hears,
    restarted: Option<Restarted>,
}

#[derive(Default)]
struct FrontState {
    version: Option<Arc<RunningVersion>>,
    /// The last call of a tool, as it came.
    call: Option<KeptRequest>,
    closed: bool,
}

#[derive(Clone)]
struct KeptRequest {
    head: Head,
    body: Vec<u8>,
}

impl DevFront {
    /// Takes the port; requests wait until a version serves.
    pub fn bind(port: u16, restarted: Option<Restarted>, hears: Hears) -> io::Result<Self> {
        let mut listener = Listener::bind(port)?;
        let shared = Arc::new(SharedFront { state: Mutex::default(), changed: Condvar::new(), hears, restarted });
        let serving = shared.clone();
        listener.serve(CONNECTIONS, move |stream, _| serving.converse(stream))?;
        Ok(DevFront { listener, shared })
    }

    /// `http://127.0.0.1:PORT`
    pub fn base(&self) -> String {
        self.listener.url()
    }

    /// From now on requests go to this version, or wait.
    pub fn serve(&self, version: Option<Arc<RunningVersion>>) {
        self.shared.state().version = version;
        self.shared.changed.notify_all();
    }

    /// Sends the last call of a tool once more; `None` where there was none. Gives the answer's result.
    pub fn call_again(&self) -> Option<thread::JoinHandle<Option<String>>> {
        let request = self.shared.state().call.clone()?;
        let address = self.listener.address();
        Some(thread::spawn(move || {
            let mut conn = Conn::new(TcpStream::connect(address).ok()?);
            conn.write(&request.bytes()).ok()?;
            let head = conn.answer_head().ok()?;
            let body = conn.answer_body(&head, &request.head.method).ok()?.collect(LOOKED_AT).ok()?;
            traffic::result(&head, &body)
        }))
    }
}

impl Drop for DevFront {
    fn drop(&mut self) {
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
    }
}

/// What becomes of a client's connection after an answer.
enum NextOnConnection {
    Stay,
    Close,
}

/// What became of a request that was passed on.
enum Passed {
    Answered {
        head: AnswerHead,
        looked_at: Vec<u8>,
        after: NextOnConnection,
    },
    /// The server or a reload ended it, and nothing of an answer was seen.
    NotAnswered,
    ClientLeft,
}

impl SharedFront {
    fn state(&self) -> MutexGuard<'_, FrontState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn converse(&self, stream: TcpStream) {
        let mut conn = Conn::new(stream);
        loop {
            let head = match conn.head() {
                Ok(Some(head)) => head,
                Ok(None) | Err(ReadError::Gone) => return,
                Err(ReadError::Refused(status)) => return refuse_gently(&mut conn, status),
            };
            if head.lists("connection", "upgrade") {
                // What follows belongs to another protocol.
                return self.tunnel(&head, conn);
            }
            match self.exchange(head, &mut conn) {
                Ok(NextOnConnection::Stay) => {}
                Ok(NextOnConnection::Close) | Err(ReadError::Gone) => return,
                Err(ReadError::Refused(status)) => return refuse_gently(&mut conn, status),
            }
        }
    }

    /// One request and its answer.
    fn exchange(&self, head: Head, conn: &mut Conn) -> Result<NextOnConnection, ReadError> {
        let body = conn.body(&head)?.collect(LONGEST_REQUEST)?;
        let request = KeptRequest { head, body };
        let started = Instant::now();
        let asked = traffic::asked(&request.head, &request.body);
        if asked.is_call {
            self.state().call = Some(request.clone());
        }
        let tell = |outcome| (self.hears)(&EndedRequest { asked: &asked, elapsed: started.elapsed(), outcome });
        while let Some(version) = self.version(started + PATIENCE) {
            let passed = self.pass(&version, &request, conn);
            if passed.is_err() {
                tell(Err("the answer broke off".to_owned()));
            }
            match passed? {
                Passed::Answered { head, looked_at, after } => {
                    tell(traffic::outcome(&head, &looked_at));
                    return Ok(after);
                }
                Passed::ClientLeft => {
                    tell(Err("the client left".to_owned()));
                    return Ok(NextOnConnection::Close);
                }
                Passed::NotAnswered => self.wait_for_another(&version),
            }
        }
        tell(Err("no version of the server runs".to_owned()));
        refuse(conn, 503, "no version of the server runs; the terminal of `mcp-deploy dev` says why")?;
        Ok(NextOnConnection::Close)
    }

    /// The version that serves, as soon as there is one.
    fn version(&self, until: Instant) -> Option<Arc<RunningVersion>> {
        let mut state = self.state();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match &state.version {
                _ if state.closed || left.is_zero() => return None,
                Some(version) => return Some(version.clone()),
                None => state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            }
        }
    }

    /// A server that reloads is asked again soon.
    fn wait_for_another(&self, than: &Arc<RunningVersion>) {
        let state = self.state();
        if state.version.as_ref().is_some_and(|version| Arc::ptr_eq(version, than)) {
            drop(self.changed.wait_timeout(state, Duration::from_millis(50)));
        }
    }

    fn pass(&self, version: &RunningVersion, request: &KeptRequest, client: &mut Conn) -> Result<Passed, ReadError> {
        let Ok(stream) = TcpStream::connect(version.address) else { return Ok(Passed::NotAnswered) };
        let mut server = Conn::new(stream);
        if server.write(&request.bytes()).is_err() {
            return Ok(Passed::NotAnswered);
        }
        let asked = Instant::now();
        match server.wait_beside(client, &|| version.has_lost(asked))? {
            Spoke::Server => {}
            Spoke::ClientLeft => return Ok(Passed::ClientLeft),
            Spoke::Nobody => return Ok(Passed::NotAnswered),
        }
        let Ok(head) = server.answer_head() else { return Ok(Passed::NotAnswered) };
        let method = &request.head.method;
        if let Some(restarted) = self.restarted.filter(|_| head.status >= 500) {
            let body = server.answer_body(&head, method)?.collect(LOOKED_AT)?;
            if restarted(head.status, &body) {
                return Ok(Passed::NotAnswered);
            }
            let whole = Relayed::new(client, &request.head, &head).whole(&body)?;
            return Ok(Passed::Answered { head, looked_at: body, after: whole });
        }
        let mut delivery = Relayed::new(client, &request.head, &head);
        delivery.begin()?;
        let mut looked_at = Vec::new();
        let mut body = server.answer_body(&head, method)?;
        loop {
            if body.conn().wait_beside(delivery.client, &|| false)? == Spoke::ClientLeft {
                return Ok(Passed::ClientLeft);
            }
            // A server that breaks off: without the end of the answer the client sees that something is missing.
            let Some(piece) = body.read()? else { break };
            if looked_at.len() < LOOKED_AT {
                looked_at.extend_from_slice(&piece);
            }
            delivery.send(&piece)?;
        }
        let after = delivery.end()?;
        Ok(Passed::Answered { head, looked_at, after })
    }

    /// Passes everything on, both ways, until one side closes.
    fn tunnel(&self, head: &Head, client: Conn) {
        let Some(version) = self.version(Instant::now() + PATIENCE) else { return };
        let Ok(mut server) = TcpStream::connect(version.address) else { return };
        let client = client.into_stream();
        let ways = (client.try_clone(), server.try_clone());
        let (Ok(mut from_client), Ok(mut to_server)) = ways else { return };
        if server.write_all(&request_head(head, &head.headers)).is_err() {
            return;
        }
        let from_client = move || {
            let _ended = io::copy(&mut from_client, &mut to_server);
            let _gone = to_server.shutdown(Shutdown::Both);
        };
        parallel::both(from_client, || {
            let _ended = io::copy(&mut server, &mut &client);
            let _gone = client.shutdown(Shutdown::Both);
        });
    }
}

impl KeptRequest {
    /// As it is passed on: whole, and on a connection that is used once.
    fn bytes(&self) -> Vec<u8> {
        let mut headers = passed_on(&self.head.headers);
        if !self.body.is_empty() || self.head.get("content-length").is_some() {
            headers.push(pair("content-length", self.body.len()));
        }
        headers.push(pair("connection", "close"));
        let mut bytes = request_head(&self.head, &headers);
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Headers that concern one connection alone.
const OF_A_CONNECTION: [&str; 6] =
    ["connection", "keep-alive", "content-length", "transfer-encoding", "expect", "proxy-connection"];

fn passed_on(headers: &[(String, String)]) -> Vec<(String, String)> {
    headers.iter().filter(|(name, _)| !OF_A_CONNECTION.contains(&name.as_str())).cloned().collect()
}

fn request_head(head: &Head, headers: &[(String, String)]) -> Vec<u8> {
    head_after(format!("{} {} HTTP/1.1\r\n", head.method, head.target), headers)
}

/// An answer on its way to the client.
struct Relayed<'a> {
    client: &'a mut Conn,
    status: u16,
    headers: Vec<(String, String)>,
    has_body: bool,
    keeps_alive: bool,
    takes_chunks: bool,
}

impl<'a> Relayed<'a> {
    fn new(client: &'a mut Conn, asked: &Head, answer: &AnswerHead) -> Self {
        let mut headers = passed_on(&answer.headers);
        let has_body = !answer.is_all(&asked.method);
        let keeps_alive = asked.keeps_alive() && (asked.takes_chunks() || !has_body);
        if !keeps_alive {
            headers.push(pair("connection", "close"));
        }
        Relayed { client, status: answer.status, headers, has_body, keeps_alive, takes_chunks: asked.takes_chunks() }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.has_body && self.takes_chunks {
            self.headers.push(pair("transfer-encoding", "chunked"));
        }
        self.client.write(&head_bytes(self.status, &self.headers))
    }

    fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        if !self.takes_chunks {
            return self.client.write(piece);
        }
        self.client.write(&chunk(piece))
    }

    fn end(self) -> io::Result<NextOnConnection> {
        if self.has_body && self.takes_chunks {
            self.client.write(LAST_CHUNK)?;
        }
        Ok(if self.keeps_alive { NextOnConnection::Stay } else { NextOnConnection::Close })
    }

    fn whole(mut self, body: &[u8]) -> io::Result<NextOnConnection> {
        self.begin()?;
        if self.has_body && !body.is_empty() {
            self.send(body)?;
        }
        self.end()
    }
}

/// An error of the front itself, in the form of the protocol.
fn refuse(conn: &mut Conn, status: u16, message: &str) -> io::Result<()> {
    let body = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32603, "message": message } }).to_string();
    conn.answer(status, &[pair("content-type", "application/json"), pair("connection", "close")], body.as_bytes())
}

fn refuse_gently(conn: &mut Conn, status: u16) {
    if refuse(conn, status, "the request is not one that can be passed on").is_ok() {
        conn.close_gently(Duration::from_secs(2));
    }
}
