//! What the APIs of all clouds share: every request is recorded, and any of them can be made to fail.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::{self, Listener, Reply, Request, Response, lock};

/// One cloud's API.
pub trait Cloud: Send + Sync + 'static {
    fn answer(&self, request: &Request) -> Reply;
    /// An error in the form in which this cloud reports errors.
    fn error(&self, request: &Request, status: u16) -> Response;
}

/// The API behind an address on 127.0.0.1, until it is dropped.
pub struct Api {
    listener: Listener,
    log: Arc<Mutex<Vec<Request>>>,
    /// So many of them are as if nobody had asked.
    forgotten: AtomicUsize,
    faults: Arc<Mutex<Vec<Fault>>>,
}

impl Api {
    pub fn start(cloud: Arc<dyn Cloud>) -> Self {
        let log = Arc::new(Mutex::new(Vec::new()));
        let faults = Arc::new(Mutex::new(Vec::new()));
        let (to_log, to_fail) = (Arc::clone(&log), Arc::clone(&faults));
        let listener = http::requests(move |request| {
            lock(&to_log).push(request.clone());
            let struck = strike(&mut lock(&to_fail), request);
            if struck.as_ref().is_some_and(|(_, after)| *after) {
                match cloud.answer(request) {
                    // A refusal changes nothing: the tool does what is missing, and asks again.
                    Reply::Answer(refusal) if refusal.status >= 400 => return refusal.into(),
                    _ => {}
                }
            }
            match struck.map(|(kind, _)| kind) {
                Some(Kind::Status(status)) => cloud.error(request, status).into(),
                Some(Kind::RetryAfter(seconds)) => cloud.error(request, 429).with("retry-after", seconds).into(),
                Some(Kind::Answer(response)) => response.into(),
                Some(Kind::Hang(time)) => Reply::Hang(time),
                Some(Kind::Reset) => Reply::Reset,
                Some(Kind::Call(call)) => {
                    call();
                    Reply::Reset
                }
                None => cloud.answer(request),
            }
        });
        Api { listener, log, forgotten: AtomicUsize::new(0), faults }
    }

    pub fn url(&self) -> String {
        self.listener.url()
    }

    /// Everything asked so far, the oldest first.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.log)[self.forgotten.load(Ordering::SeqCst)..].to_vec()
    }

    /// The forgotten ones, too.
    pub fn every_request(&self) -> Vec<Request> {
        lock(&self.log).clone()
    }

    /// `POST /path` for each request, in order: what a test of a sequence compares.
    pub fn calls(&self) -> Vec<String> {
        self.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
    }

    /// The requests in which the text occurs, wherever: how a test shows that a secret went to one place only.
    pub fn requests_with(&self, text: &str) -> Vec<Request> {
        self.requests().into_iter().filter(|request| request.contains(text)).collect()
    }

    pub fn forget_requests(&self) {
        self.forgotten.store(lock(&self.log).len(), Ordering::SeqCst);
    }

    /// From now on requests fail as described; several faults are tried in the order in which they were added.
    pub fn fail(&self, fault: Fault) {
        lock(&self.faults).push(fault);
    }

    pub fn heal(&self) {
        lock(&self.faults).clear();
    }
}

/// How it fails, and whether what was asked for is done before.
fn strike(faults: &mut Vec<Fault>, request: &Request) -> Option<(Kind, bool)> {
    let at = faults.iter().position(|fault| fault.meets(request))?;
    if faults[at].skip > 0 {
        faults[at].skip -= 1;
        return None;
    }
    let (kind, after) = (faults[at].kind.clone(), faults[at].after);
    if let Some(left) = &mut faults[at].left {
        *left -= 1;
        if *left == 0 {
            faults.remove(at);
        }
    }
    Some((kind, after))
}

/// How an API fails, and at which requests: at all of them until told otherwise.
#[derive(Clone)]
pub struct Fault {
    kind: Kind,
    skip: usize,
    after: bool,
    method: Option<String>,
    path: Option<String>,
    body: Vec<String>,
    left: Option<usize>,
}

#[derive(Clone)]
enum Kind {
    Status(u16),
    RetryAfter(u32),
    Answer(Response),
    Hang(Duration),
    Reset,
    /// Something happens elsewhere, and the connection is cut.
    Call(Arc<dyn Fn() + Send + Sync>),
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Fault { kind, skip: 0, after: false, method: None, path: None, body: Vec::new(), left: None }
    }

    /// An error answer as the cloud words it.
    pub fn status(status: u16) -> Self {
        Self::new(Kind::Status(status))
    }

    /// 429 with `Retry-After`.
    pub fn retry_after(seconds: u32) -> Self {
        Self::new(Kind::RetryAfter(seconds))
    }

    /// An answer of the test's own.
    pub fn answer(response: Response) -> Self {
        Self::new(Kind::Answer(response))
    }

    /// Silence for so long, then a cut connection.
    pub fn hang(time: Duration) -> Self {
        Self::new(Kind::Hang(time))
    }

    pub fn reset() -> Self {
        Self::new(Kind::Reset)
    }

    /// Something happens, such as the end of whoever asks.
    pub fn call(call: impl Fn() + Send + Sync + 'static) -> Self {
        Self::new(Kind::Call(Arc::new(call)))
    }

    /// What was asked for is done, and then it fails.
    pub fn after_the_deed(mut self) -> Self {
        self.after = true;
        self
    }

    /// So many requests that it would meet are let through before.
    pub fn skip(mut self, count: usize) -> Self {
        self.skip = count;
        self
    }

    /// Only at requests of this method whose path holds `path`.
    pub fn at(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path = Some(path.to_owned());
        self
    }

    /// Only at requests whose body holds `text`, such as the action of a form API; more than one must all be there.
    pub fn with_body(mut self, text: &str) -> Self {
        self.body.push(text.to_owned());
        self
    }

    /// Only so many times.
    pub fn times(mut self, times: usize) -> Self {
        self.left = Some(times.max(1));
        self
    }

    fn meets(&self, request: &Request) -> bool {
        self.method.as_ref().is_none_or(|method| *method == request.method)
            && self.path.as_ref().is_none_or(|path| request.path.contains(path.as_str()))
            && self.body.iter().all(|text| String::from_utf8_lossy(&request.body).contains(text.as_str()))
    }
}
