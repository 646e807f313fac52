//! A stand-in for AWS Lambda on 127.0.0.1: a Function URL (`AuthType: NONE`, `RESPONSE_STREAM`), or a REST API of API
//! Gateway (a Lambda proxy integration that streams), in front of a Lambda Runtime API: enough of them for the AWS
//! Lambda Web Adapter to serve a built function as it would in the cloud.
//!
//! There is one sandbox, and it serves one request at a time: further ones wait, 128 at most, then 429. A request that
//! finds no sandbox for 10 seconds, the time Lambda gives one to start, is answered with 502; so is one whose function
//! reports an error, dies, or answers what HTTP cannot carry. An event over 6 MiB is answered with 413 and never
//! reaches the function. A function that has begun to answer and fails has the client's connection cut, which is how a
//! stream says so.
//!
//! At the function's timeout the client gets a 504, or a cut stream, and the sandbox is taken for dead: its connections
//! are closed, upon which the adapter ends. It is for whoever started the adapter to start another; requests wait for
//! it as they do for the first. A client that leaves does not stop the function: the rest of its answer is read and
//! dropped.
//!
//! Not done: freezing between requests, SIGTERM, a second sandbox, IAM, throttling, CORS of the URL,
//! `requestContext.time`, the limits on bandwidth and on the length of a stream. `x-forwarded-proto` and `-port` tell
//! the truth (`http`, the local port). A function that answers buffered is understood, where a URL with
//! `RESPONSE_STREAM` may pass its JSON on. The adapter sends what should be the trailers of a broken stream as a last
//! piece of its body; here that cuts the stream.

mod event;
mod function_url;
mod rest;
mod sandbox;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use crate::http_server::{Conn, Listener, Open, pair};
use anyhow::Context as _;
use event::Prelude;

const REGION: &str = "us-east-1";
const MAX_PAYLOAD: usize = 6 * 1024 * 1024;
/// Pieces of an answer that may wait for a slow client before the function has to.
const PIECES: usize = 16;

/// What is bounded, and how far.
struct Bounds {
    queue: usize,
    connections: usize,
    /// How long a request waits for a sandbox that is not there: the time Lambda gives one to start.
    init: Duration,
    /// How long an open connection may say nothing.
    idle: Duration,
}

const LIMITS: Bounds =
    Bounds { queue: 128, connections: 256, init: Duration::from_secs(10), idle: Duration::from_secs(65) };

/// What clients reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LocalFront {
    FunctionUrl,
    /// At its own address the name of its stage is the first part of every path.
    RestApi {
        stage: &'static str,
    },
}

/// A front and a Lambda Runtime API, both on 127.0.0.1. Dropped, it closes every connection and ends its threads.
pub struct RuntimeApi {
    shared: Arc<LocalLambda>,
    url: Listener,
    api: Listener,
}

impl RuntimeApi {
    /// Listens on `url_port` (0: a free one) for clients, and on a free port for the adapter.
    pub fn start(front: LocalFront, url_port: u16, function_name: &str) -> anyhow::Result<Self> {
        Self::start_with(front, url_port, function_name, LIMITS)
    }

    fn start_with(front: LocalFront, url_port: u16, function_name: &str, limits: Bounds) -> anyhow::Result<Self> {
        let (mut url, mut api) = (listen(url_port)?, listen(0)?);
        let most = limits.connections;
        let shared = Arc::new(LocalLambda {
            front,
            function_name: function_name.to_owned(),
            url_port: url.address().port(),
            limits,
            sandboxes: api.open(),
            state: Mutex::new(Traffic::new()),
            changed: Condvar::new(),
        });
        let no_thread = "cannot start a thread for the local Lambda";
        let of_clients = Arc::clone(&shared);
        url.serve(most, move |stream, _| function_url::serve(&of_clients, Conn::new(stream))).context(no_thread)?;
        let of_sandboxes = Arc::clone(&shared);
        api.serve(most, move |stream, _| sandbox::serve(&of_sandboxes, Conn::new(stream))).context(no_thread)?;
        Ok(Self { shared, url, api })
    }

    /// Where clients call the function.
    pub fn url(&self) -> String {
        match self.shared.front {
            LocalFront::FunctionUrl => self.url.url(),
            LocalFront::RestApi { stage } => format!("{}/{stage}", self.url.url()),
        }
    }

    /// The same without a path.
    pub fn address(&self) -> SocketAddr {
        self.url.address()
    }

    /// The variables Lambda sets for the adapter and for the server behind it, credentials apart. From here on
    /// `timeout` is the function's; until then it is Lambda's default of 3 seconds.
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
            pair("AWS_LAMBDA_RUNTIME_API", self.api.address()),
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
        // Whoever waits for the other side stops; the listeners end what is left.
        self.shared.close();
    }
}

fn listen(port: u16) -> anyhow::Result<Listener> {
    Listener::bind(port).with_context(|| format!("cannot listen on `127.0.0.1:{port}` for the local Lambda"))
}

struct LocalLambda {
    front: LocalFront,
    function_name: String,
    url_port: u16,
    limits: Bounds,
    /// The connections of the Runtime API.
    sandboxes: Open,
    state: Mutex<Traffic>,
    changed: Condvar,
}

struct Traffic {
    closed: bool,
    timeout: Duration,
    queue: VecDeque<(Invocation, SyncSender<Piece>)>,
    running: Option<Busy>,
    /// Counts the sandboxes that died, so that what is left of one is not taken for the next.
    generation: u64,
    /// Since when no sandbox has asked for work: one that has only registered may never be ready.
    absent_since: Option<Instant>,
}

/// A request on its way to the sandbox.
struct Invocation {
    id: String,
    trace_id: String,
    event: Vec<u8>,
}

/// The request the sandbox is busy with. Whoever holds `answer` and drops it before [`Piece::End`] fails the request.
struct Busy {
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

impl Traffic {
    fn new() -> Self {
        Self {
            closed: false,
            timeout: Duration::from_secs(3),
            queue: VecDeque::new(),
            running: None,
            generation: 0,
            absent_since: Some(Instant::now()),
        }
    }

    fn lose_sandbox(&mut self) {
        self.generation += 1;
        self.absent_since = Some(Instant::now());
        self.running = None;
    }
}

impl LocalLambda {
    fn state(&self) -> MutexGuard<'_, Traffic> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.queue.clear();
        state.running = None;
        self.changed.notify_all();
        // Before its listener ends: the clients' threads wait for these.
        self.sandboxes.cut();
    }

    /// Puts an event in the queue, unless that is full.
    fn submit(&self, id: &str, trace_id: &str, event: Vec<u8>) -> Option<Receiver<Piece>> {
        let (answer, pieces) = sync_channel(PIECES);
        let mut state = self.state();
        if state.closed || state.queue.len() >= self.limits.queue {
            return None;
        }
        state.queue.push_back((Invocation { id: id.into(), trace_id: trace_id.into(), event }, answer));
        self.changed.notify_all();
        Some(pieces)
    }

    /// How long a request that waits since `since` may go on waiting for a sandbox.
    fn patience(&self, since: Instant) -> Duration {
        let absent = self.state().absent_since;
        absent.map_or(self.limits.init, |absent| self.limits.init.saturating_sub(absent.max(since).elapsed()))
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
        if state.running.as_ref().is_some_and(|running| running.id == id) {
            state.lose_sandbox();
            self.sandboxes.cut();
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
                state.running = Some(Busy { id: invocation.id.clone(), answer: Some(answer) });
                return Some((invocation, deadline));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The way to the client of the request that runs, once.
    fn take_answer(&self, id: &str) -> Option<SyncSender<Piece>> {
        self.state().running.as_mut().filter(|running| running.id == id)?.answer.take()
    }

    fn finish(&self, id: &str) {
        self.state().running.take_if(|running| running.id == id);
    }
}

/// A request id and a trace id, in the forms of Lambda and X-Ray.
fn new_ids() -> (String, String) {
    let random = || RandomState::new().build_hasher().finish();
    let (a, b, c) = (random(), random(), random());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let id = format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xffff,
        a & 0xfff,
        0x8000 | ((b >> 48) & 0x3fff),
        b & 0xffff_ffff_ffff
    );
    (id, format!("Root=1-{now:08x}-{:08x}{c:016x};Sampled=0", b >> 32))
}
