//! A stand-in for AWS Lambda on 127.0.0.1: a Function URL (`AuthType: NONE`, `RESPONSE_STREAM`) in front of a Lambda Runtime
//! API, enough of both for the AWS Lambda Web Adapter to serve a built function as it would in the cloud.
//!
//! There is one sandbox, and it serves one request at a time: further ones wait, as many as [`Limits::queue`], then 429.
//! A request for which no sandbox shows up within [`Limits::init`] is answered with 502; so is one whose function reports an
//! error, dies, or answers what HTTP cannot carry. An event over 6 MiB is answered with 413 and never reaches the function.
//! A function that has begun to answer and fails has the client's connection cut, which is how a stream says so.
//!
//! At the function's timeout the client gets a 504, or a cut stream, and the sandbox is taken for dead: its connections are
//! closed, upon which the adapter ends. It is for whoever started the adapter to start another; requests wait for it as
//! they do for the first. A client that leaves does not stop the function: the rest of its answer is read and dropped.
//!
//! Not done: freezing between requests, SIGTERM, a second sandbox, IAM, CORS of the URL, `requestContext.time`, the limits on
//! bandwidth and on the length of a stream. `x-forwarded-proto` and `-port` tell the truth (`http`, the local port).
//! A function that answers buffered is understood, where a URL with `RESPONSE_STREAM` would pass its JSON on. The adapter sends
//! what should be the trailers of a broken stream as a last piece of its body; here that cuts the stream.

mod event;
mod http;
#[cfg(test)]
mod tests;

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use serde_json::json;

use event::{Call, Prelude};
use http::{Body, Conn, Head, ReadError, head_bytes, pair, reason};

const REGION: &str = "us-east-1";
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
const MAX_PRELUDE: usize = 1024 * 1024;
const PRELUDE_END: [u8; 8] = [0; 8];
const STREAM_ERROR: &str = "lambda-runtime-function-error-type";
/// Pieces of an answer that may wait for a slow client before the function has to.
const PIECES: usize = 16;

/// What is bounded, and how far.
struct Limits {
    queue: usize,
    connections: usize,
    /// How long a request waits for a sandbox that is not there: the time Lambda gives one to start.
    init: Duration,
    /// How long an open connection may say nothing.
    idle: Duration,
}

const LIMITS: Limits = Limits {
    queue: 128,
    connections: 256,
    init: Duration::from_secs(10),
    idle: Duration::from_secs(65),
};

/// A Function URL in front of a Lambda Runtime API, both on 127.0.0.1. Dropped, it closes every connection and ends its threads.
pub struct RuntimeApi {
    shared: Arc<Shared>,
    url: SocketAddr,
    api: SocketAddr,
    acceptors: Vec<JoinHandle<()>>,
}

impl RuntimeApi {
    /// Listens on `url_port` (0: a free one) for clients, and on a free port for the adapter.
    pub fn start(url_port: u16, function_name: &str) -> anyhow::Result<Self> {
        Self::start_with(url_port, function_name, LIMITS)
    }

    fn start_with(url_port: u16, function_name: &str, limits: Limits) -> anyhow::Result<Self> {
        let (url_listener, url) = listen(url_port)?;
        let (api_listener, api) = listen(0)?;
        let shared = Arc::new(Shared {
            function_name: function_name.to_owned(),
            url_port: url.port(),
            limits,
            state: Mutex::new(State::new()),
            changed: Condvar::new(),
        });
        let mut runtime = Self {
            shared,
            url,
            api,
            acceptors: Vec::new(),
        };
        for (listener, side) in [(url_listener, Side::Url), (api_listener, Side::Api)] {
            let shared = Arc::clone(&runtime.shared);
            let acceptor = thread::Builder::new().spawn(move || accept(&listener, &shared, side));
            runtime
                .acceptors
                .push(acceptor.context("cannot start a thread for the local Lambda")?);
        }
        Ok(runtime)
    }

    /// Where clients call the function.
    pub fn url(&self) -> String {
        format!("http://{}", self.url)
    }

    /// The variables Lambda sets for the adapter and for the server behind it, credentials apart. From here on `timeout` is
    /// the function's; until then it is Lambda's default of 3 seconds.
    pub fn environment(
        &self,
        task_root: &Path,
        handler: &str,
        memory_mb: u32,
        timeout: Duration,
    ) -> Vec<(String, String)> {
        self.shared.state().timeout = timeout;
        let name = &self.shared.function_name;
        vec![
            pair("AWS_LAMBDA_RUNTIME_API", self.api),
            pair("AWS_LAMBDA_FUNCTION_NAME", name),
            pair("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            pair("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_mb),
            pair("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
            pair("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{name}")),
            pair("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
            pair("AWS_REGION", REGION),
            pair("AWS_DEFAULT_REGION", REGION),
            pair("LAMBDA_TASK_ROOT", task_root.display()),
            pair("_HANDLER", handler),
            pair("LANG", "en_US.UTF-8"),
            pair("TZ", ":UTC"),
        ]
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.shared.close();
        for address in [self.url, self.api] {
            // Nothing else ends an `accept` on every system.
            let _ = TcpStream::connect_timeout(&address, Duration::from_secs(1));
        }
        for acceptor in self.acceptors.drain(..) {
            let _ = acceptor.join();
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Url,
    Api,
}

fn listen(port: u16) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .with_context(|| format!("cannot listen on `127.0.0.1:{port}` for the local Lambda"))?;
    let address = listener
        .local_addr()
        .context("cannot learn the port of the local Lambda")?;
    Ok((listener, address))
}

/// A thread for each connection, all of them ended when this returns.
fn accept(listener: &TcpListener, shared: &Shared, side: Side) {
    thread::scope(|scope| {
        while !shared.state().closed {
            let Ok((stream, _)) = listener.accept() else {
                thread::sleep(Duration::from_millis(10)); // out of descriptors: some will be free again
                continue;
            };
            let Some(admitted) = shared.admit(&stream, side) else {
                continue;
            };
            // Without a thread to spare the connection is simply closed.
            let _ = thread::Builder::new().spawn_scoped(scope, move || {
                let _admitted = admitted; // whole: capturing a field of it would let go of the place at once
                let conn = Conn::new(stream);
                match side {
                    Side::Url => serve_url(shared, conn),
                    Side::Api => serve_api(shared, conn),
                }
            });
        }
    });
}

// ---- What the two sides share ----

struct Shared {
    function_name: String,
    url_port: u16,
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    closed: bool,
    timeout: Duration,
    queue: VecDeque<(Invocation, SyncSender<Piece>)>,
    running: Option<Running>,
    /// Counts the sandboxes that died, so that what is left of one is not taken for the next.
    generation: u64,
    /// Since when no sandbox has asked for work: one that has only registered may never be ready.
    absent_since: Option<Instant>,
    connections: HashMap<u64, (Side, TcpStream)>,
    next_connection: u64,
}

/// A request on its way to the sandbox.
struct Invocation {
    id: String,
    trace_id: String,
    event: Vec<u8>,
}

/// The request the sandbox is busy with. Whoever holds `answer` and drops it before [`Piece::End`] fails the request.
struct Running {
    id: String,
    answer: Option<SyncSender<Piece>>,
}

enum Piece {
    /// The sandbox has the event, and until then to answer it.
    Taken(Instant),
    Prelude(Prelude),
    Data(Vec<u8>),
    End,
}

impl State {
    fn new() -> Self {
        Self {
            closed: false,
            timeout: Duration::from_secs(3),
            queue: VecDeque::new(),
            running: None,
            generation: 0,
            absent_since: Some(Instant::now()),
            connections: HashMap::new(),
            next_connection: 0,
        }
    }

    fn lose_sandbox(&mut self) {
        self.generation += 1;
        self.absent_since = Some(Instant::now());
        self.running = None;
    }

    fn shut_down(&self, which: impl Fn(Side) -> bool) {
        for (_, stream) in self.connections.values().filter(|(side, _)| which(*side)) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, stream: &TcpStream, side: Side) -> Option<Admitted<'_>> {
        let copy = stream.try_clone().ok()?;
        let mut state = self.state();
        let count = state
            .connections
            .values()
            .filter(|(other, _)| *other == side)
            .count();
        if state.closed || count >= self.limits.connections {
            return None;
        }
        let id = state.next_connection;
        state.next_connection += 1;
        state.connections.insert(id, (side, copy));
        Some(Admitted { shared: self, id })
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.queue.clear();
        state.running = None;
        state.shut_down(|_| true);
        self.changed.notify_all();
    }

    /// Puts an event in the queue, unless that is full.
    fn submit(&self, id: &str, trace_id: &str, event: Vec<u8>) -> Option<Receiver<Piece>> {
        let (answer, pieces) = sync_channel(PIECES);
        let mut state = self.state();
        if state.closed || state.queue.len() >= self.limits.queue {
            return None;
        }
        state.queue.push_back((
            Invocation {
                id: id.into(),
                trace_id: trace_id.into(),
                event,
            },
            answer,
        ));
        self.changed.notify_all();
        Some(pieces)
    }

    /// How long a request that waits since `since` may go on waiting for a sandbox.
    fn patience(&self, since: Instant) -> Duration {
        let absent = self.state().absent_since;
        absent.map_or(self.limits.init, |absent| {
            self.limits.init.saturating_sub(absent.max(since).elapsed())
        })
    }

    /// Takes an event back out of the queue; false when a sandbox has it after all.
    fn withdraw(&self, id: &str) -> bool {
        let mut state = self.state();
        let length = state.queue.len();
        state.queue.retain(|(invocation, _)| invocation.id != id);
        state.queue.len() < length
    }

    /// Makes an end of a sandbox that let the timeout of its function pass.
    fn kill(&self, id: &str) {
        let mut state = self.state();
        if state
            .running
            .as_ref()
            .is_some_and(|running| running.id == id)
        {
            state.lose_sandbox();
            state.shut_down(|side| side == Side::Api);
            self.changed.notify_all();
        }
    }

    /// The sandbox of `generation` is gone, by itself.
    fn lost(&self, generation: u64) {
        let mut state = self.state();
        if state.generation == generation {
            state.lose_sandbox();
            self.changed.notify_all();
        }
    }

    /// Waits for an event; nothing once the sandbox that asks is dead.
    fn next(&self) -> Option<(Invocation, Instant)> {
        let mut state = self.state();
        let generation = state.generation;
        state.absent_since = None;
        state.running = None; // asked for the next without an answer to this one
        loop {
            if state.closed || state.generation != generation {
                return None;
            }
            if let Some((invocation, answer)) = state.queue.pop_front() {
                let deadline = Instant::now() + state.timeout;
                // Room for it there is: nothing else was sent yet.
                let _ = answer.try_send(Piece::Taken(deadline));
                state.running = Some(Running {
                    id: invocation.id.clone(),
                    answer: Some(answer),
                });
                return Some((invocation, deadline));
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The way to the client of the request that runs, once.
    fn take_answer(&self, id: &str) -> Option<SyncSender<Piece>> {
        self.state()
            .running
            .as_mut()
            .filter(|running| running.id == id)?
            .answer
            .take()
    }

    fn finish(&self, id: &str) {
        self.state().running.take_if(|running| running.id == id);
    }
}

/// The place of an open connection among those that are closed at the end.
struct Admitted<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.shared.state().connections.remove(&self.id);
    }
}

// ---- The Function URL ----

fn serve_url(shared: &Shared, mut conn: Conn) {
    conn.set_read_timeout(shared.limits.idle);
    loop {
        match exchange(shared, &mut conn) {
            Ok(After::Stay) => {}
            Ok(After::Close) | Err(ReadError::Gone) => return,
            Err(ReadError::Refused(status)) => {
                if refuse(&mut conn, status, None).is_ok() {
                    conn.close_gently(Duration::from_secs(2));
                }
                return;
            }
        }
    }
}

/// What becomes of a client's connection after an answer.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Stay,
    Close,
}

/// One request and its answer.
fn exchange(shared: &Shared, conn: &mut Conn) -> Result<After, ReadError> {
    let Some(head) = conn.head()? else {
        return Ok(After::Close);
    };
    let body = conn.body(&head)?.collect(MAX_PAYLOAD)?;
    let (request_id, trace_id) = new_ids();
    let client = conn.peer();
    let call = Call {
        request_id: &request_id,
        trace_id: &trace_id,
        client: &client,
        port: shared.url_port,
        time: SystemTime::now(),
    };
    let event = event::from_request(&head, &body, &call).ok_or(ReadError::Refused(400))?;
    drop(body);
    if event.len() > MAX_PAYLOAD {
        return Ok(refuse(conn, 413, Some(&head))?);
    }
    let since = Instant::now();
    let Some(pieces) = shared.submit(&request_id, &trace_id, event) else {
        return Ok(refuse(conn, 429, Some(&head))?);
    };
    let headers = vec![
        pair("x-amzn-requestid", &request_id),
        pair("x-amzn-trace-id", &trace_id),
    ];
    let mut answer = Answer {
        conn,
        head: &head,
        headers,
        form: None,
        gone: false,
    };
    let mut deadline = None;
    loop {
        let wait = match deadline {
            Some(end) => Instant::saturating_duration_since(&end, Instant::now()),
            None => shared.patience(since),
        };
        // A function that never pauses is not to outrun its timeout.
        let piece = if wait.is_zero() {
            Err(RecvTimeoutError::Timeout)
        } else {
            pieces.recv_timeout(wait)
        };
        match piece {
            Ok(Piece::Taken(end)) => deadline = Some(end),
            Ok(Piece::Prelude(prelude)) => answer.begin(prelude, wait),
            Ok(Piece::Data(data)) => answer.send(&data),
            Ok(Piece::End) => return Ok(answer.end()),
            Err(RecvTimeoutError::Disconnected) => return Ok(answer.fail(502)),
            Err(RecvTimeoutError::Timeout) if deadline.is_some() => {
                shared.kill(&request_id);
                return Ok(answer.fail(504));
            }
            Err(RecvTimeoutError::Timeout) => {
                if shared.patience(since).is_zero() && shared.withdraw(&request_id) {
                    return Ok(answer.fail(502));
                }
            }
        }
    }
}

/// An answer of our own. Without a head the request could not be read to its end, and nothing can follow it.
fn refuse(conn: &mut Conn, status: u16, head: Option<&Head>) -> std::io::Result<After> {
    let message = if status == 502 {
        "Internal Server Error"
    } else {
        reason(status)
    };
    let body = json!({ "Message": message }).to_string();
    let after = if head.is_some_and(Head::keeps_alive) {
        After::Stay
    } else {
        After::Close
    };
    let mut headers = vec![pair("content-type", "application/json")];
    headers.extend((after == After::Close).then(|| pair("connection", "close")));
    match head.is_some_and(|head| head.method == "HEAD") {
        true => conn.write(&head_bytes(status, &headers))?,
        false => conn.answer(status, &headers, body.as_bytes())?,
    }
    Ok(after)
}

/// How the end of a body is told.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Chunks,
    UntilClosed,
    NoBody,
}

/// The answer to a client, who may leave before its end.
struct Answer<'a> {
    conn: &'a mut Conn,
    head: &'a Head,
    headers: Vec<(String, String)>,
    form: Option<Form>,
    gone: bool,
}

impl Answer<'_> {
    fn begin(&mut self, prelude: Prelude, patience: Duration) {
        let form = match prelude.status {
            204 | 304 => Form::NoBody,
            _ if self.head.method == "HEAD" => Form::NoBody,
            _ if self.head.takes_chunks() => Form::Chunks,
            _ => Form::UntilClosed,
        };
        self.form = Some(form);
        self.headers
            .extend((form == Form::Chunks).then(|| pair("transfer-encoding", "chunked")));
        self.headers
            .extend((!self.head.keeps_alive()).then(|| pair("connection", "close")));
        // A client that stops reading holds the function up, and no longer than that may run.
        self.conn.set_write_timeout(patience);
        self.write(&head_bytes(
            prelude.status,
            self.headers.iter().chain(&prelude.headers),
        ));
    }

    fn send(&mut self, data: &[u8]) {
        match self.form {
            Some(Form::Chunks) => {
                let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
                chunk.extend_from_slice(data);
                chunk.extend_from_slice(b"\r\n");
                self.write(&chunk);
            }
            Some(Form::UntilClosed) => self.write(data),
            Some(Form::NoBody) | None => {}
        }
    }

    fn end(mut self) -> After {
        if self.form == Some(Form::Chunks) {
            self.write(b"0\r\n\r\n");
        }
        if self.gone || !self.head.keeps_alive() {
            After::Close
        } else {
            After::Stay
        }
    }

    fn fail(self, status: u16) -> After {
        match self.form {
            None => refuse(self.conn, status, Some(self.head)).unwrap_or(After::Close),
            Some(Form::NoBody) => self.end(),
            Some(_) => After::Close, // without the last chunk: the client sees that something is missing
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.gone = self.gone || self.conn.write(bytes).is_err();
    }
}

/// A request id and a trace id, in the forms of Lambda and X-Ray.
fn new_ids() -> (String, String) {
    let random = || RandomState::new().build_hasher().finish();
    let (a, b, c) = (random(), random(), random());
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    );
    (
        id,
        format!("Root=1-{now:08x}-{:08x}{c:016x};Sampled=0", b >> 32),
    )
}

// ---- The Runtime API ----

fn serve_api(shared: &Shared, mut conn: Conn) {
    while let Ok(Some(head)) = conn.head() {
        let path = head.target.split('?').next().unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let served = match (head.method.as_str(), parts.as_slice()) {
            ("GET", ["2018-06-01", "runtime", "invocation", "next"]) => {
                hand_over(shared, &mut conn, &head)
            }
            ("POST", ["2018-06-01", "runtime", "invocation", id, "response"]) => {
                respond(shared, &mut conn, &head, id)
            }
            ("POST", ["2018-06-01", "runtime", "invocation", id, "error"]) => {
                report(shared, &mut conn, &head, id)
            }
            ("POST", ["2018-06-01", "runtime", "init", "error"])
            | ("POST", ["2020-01-01", "extension", "init" | "exit", "error"]) => {
                give_up(shared, &mut conn, &head)
            }
            ("POST", ["2020-01-01", "extension", "register"]) => register(shared, &mut conn, &head),
            ("GET", ["2020-01-01", "extension", "event", "next"]) => {
                // No events ever come, as the adapter asks for none; so its end is what ends this.
                let generation = shared.state().generation;
                conn.wait_until_closed();
                return shared.lost(generation);
            }
            _ => drained(&mut conn, &head).and_then(|()| reject(&mut conn, 404, "UnknownPath")),
        };
        if served.is_err() {
            return;
        }
    }
}

fn register(shared: &Shared, conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    drained(conn, head)?;
    shared.state().absent_since = None;
    let body =
        json!({ "functionName": shared.function_name, "functionVersion": "$LATEST" }).to_string();
    Ok(conn.answer(
        200,
        &[
            json_type(),
            pair("lambda-extension-identifier", new_ids().0),
        ],
        body.as_bytes(),
    )?)
}

fn hand_over(shared: &Shared, conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    drained(conn, head)?;
    let (invocation, deadline) = shared.next().ok_or(ReadError::Gone)?;
    let left = deadline.saturating_duration_since(Instant::now());
    let deadline = (SystemTime::now() + left)
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |end| end.as_millis());
    let arn = format!(
        "arn:aws:lambda:{REGION}:000000000000:function:{}",
        shared.function_name
    );
    let headers = [
        json_type(),
        pair("lambda-runtime-aws-request-id", &invocation.id),
        pair("lambda-runtime-deadline-ms", deadline),
        pair("lambda-runtime-invoked-function-arn", arn),
        pair("lambda-runtime-trace-id", &invocation.trace_id),
    ];
    let handed = conn.answer(200, &headers, &invocation.event);
    if handed.is_err() {
        shared.finish(&invocation.id);
    }
    Ok(handed?)
}

fn respond(shared: &Shared, conn: &mut Conn, head: &Head, id: &str) -> Result<(), ReadError> {
    let Some(answer) = shared.take_answer(id) else {
        drained(conn, head)?;
        return reject(conn, 400, "InvalidRequestID");
    };
    let streamed = head.get("lambda-runtime-function-response-mode") == Some("streaming");
    let mut body = conn.body(head)?;
    let relayed = if streamed {
        relay_stream(&mut body, &answer)
    } else {
        relay_buffered(&mut body, &answer)
    };
    drop(answer);
    shared.finish(id);
    match relayed {
        Ok(()) => accepted(conn),
        Err(Failure::Gone) => Err(ReadError::Gone),
        Err(Failure::Response(kind)) => {
            body.drain()?;
            reject(conn, if kind == TOO_LARGE { 413 } else { 400 }, kind)
        }
    }
}

const TOO_LARGE: &str = "Function.ResponseSizeTooLarge";
const NO_PRELUDE: &str = "Function.InvalidResponse";

/// Why an answer did not reach its end.
enum Failure {
    Gone,
    Response(&'static str),
}

impl From<ReadError> for Failure {
    fn from(_: ReadError) -> Self {
        Self::Gone
    }
}

/// A prelude, eight NULs, and the body as it comes. Without a client the pieces go nowhere, and are read all the same.
fn relay_stream(body: &mut Body, answer: &SyncSender<Piece>) -> Result<(), Failure> {
    let mut start = Vec::new();
    let prelude_length = loop {
        start.extend(body.read()?.ok_or(Failure::Response(NO_PRELUDE))?);
        match start
            .windows(PRELUDE_END.len())
            .position(|window| window == PRELUDE_END)
        {
            Some(length) => break length,
            None if start.len() > MAX_PRELUDE => return Err(Failure::Response(NO_PRELUDE)),
            None => {}
        }
    };
    let prelude = Prelude::parse(&start[..prelude_length]).ok_or(Failure::Response(NO_PRELUDE))?;
    let _ = answer.send(Piece::Prelude(prelude));
    let mut next = Some(start.split_off(prelude_length + PRELUDE_END.len()));
    while let Some(piece) = next {
        // Held back until it is known to be the last; every other piece goes on at once.
        let suspect = says_error(&piece).then(|| body.read()).transpose()?;
        if suspect == Some(None) {
            return Ok(());
        }
        if !piece.is_empty() {
            let _ = answer.send(Piece::Data(piece));
        }
        next = if let Some(read) = suspect {
            read
        } else {
            body.read()?
        };
    }
    if !body.has_trailer(STREAM_ERROR) {
        let _ = answer.send(Piece::End);
    }
    Ok(())
}

/// The adapter's way to say that the server behind it broke off (see the top of this module).
fn says_error(piece: &[u8]) -> bool {
    piece
        .get(..STREAM_ERROR.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(STREAM_ERROR.as_bytes()))
}

fn relay_buffered(body: &mut Body, answer: &SyncSender<Piece>) -> Result<(), Failure> {
    let whole = body.collect(MAX_PAYLOAD).map_err(|error| match error {
        ReadError::Refused(413) => Failure::Response(TOO_LARGE),
        _ => Failure::Gone,
    })?;
    let (prelude, data) = Prelude::parse_buffered(&whole).ok_or(Failure::Response(NO_PRELUDE))?;
    for piece in [Piece::Prelude(prelude), Piece::Data(data), Piece::End] {
        if !matches!(&piece, Piece::Data(data) if data.is_empty()) {
            let _ = answer.send(piece);
        }
    }
    Ok(())
}

fn report(shared: &Shared, conn: &mut Conn, head: &Head, id: &str) -> Result<(), ReadError> {
    let known = shared.take_answer(id).is_some();
    shared.finish(id);
    drained(conn, head)?;
    if known {
        accepted(conn)
    } else {
        reject(conn, 400, "InvalidRequestID")
    }
}

fn give_up(shared: &Shared, conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    drained(conn, head)?;
    let generation = shared.state().generation;
    shared.lost(generation);
    accepted(conn)
}

fn accepted(conn: &mut Conn) -> Result<(), ReadError> {
    Ok(conn.answer(202, &[json_type()], br#"{"status":"OK"}"#)?)
}

fn reject(conn: &mut Conn, status: u16, kind: &str) -> Result<(), ReadError> {
    let body = json!({ "errorMessage": reason(status), "errorType": kind }).to_string();
    Ok(conn.answer(status, &[json_type()], body.as_bytes())?)
}

fn drained(conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    conn.body(head)?.drain()
}

fn json_type() -> (String, String) {
    pair("content-type", "application/json")
}
