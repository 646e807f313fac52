//! HTTP/1.1 on 127.0.0.1: a thread for each connection, whole requests in, whole answers out.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use serde_json::Value;

const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request, read to its end.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Decoded, without the query.
    pub path: String,
    /// As it came, with the query.
    pub target: String,
    pub query: Vec<(String, String)>,
    /// The names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The form of an `application/x-www-form-urlencoded` body.
    pub fn form(&self) -> Vec<(String, String)> {
        pairs(&String::from_utf8_lossy(&self.body))
    }

    /// The path between slashes.
    pub fn parts(&self) -> Vec<&str> {
        self.path.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// Does the text occur anywhere in it?
    pub fn contains(&self, text: &str) -> bool {
        let text = text.as_bytes();
        let within = |bytes: &[u8]| bytes.windows(text.len().max(1)).any(|window| window == text);
        within(self.target.as_bytes())
            || within(&self.body)
            || self.headers.iter().any(|(_, value)| within(value.as_bytes()))
    }
}

#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Response { status, headers: vec![("content-type".into(), content_type.into())], body: body.into() }
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    pub fn xml(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "text/xml", body)
    }

    pub fn empty(status: u16) -> Self {
        Response { status, headers: Vec::new(), body: Vec::new() }
    }

    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    /// `content-length` is left out where HTTP forbids a body.
    pub fn bytes(&self, for_head: bool) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {} \r\n", self.status);
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        let length_is_set = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        if self.status != 204 && self.status != 304 && !length_is_set {
            out.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        out.push_str("\r\n");
        let mut out = out.into_bytes();
        if !for_head {
            out.extend_from_slice(&self.body);
        }
        out
    }
}

/// What becomes of a request.
pub enum Reply {
    Answer(Response),
    /// The connection is cut without a word.
    Reset,
    /// Nothing is said for this long, then the connection is cut.
    Hang(Duration),
    /// These bytes, and then the connection is somebody else's.
    Upgrade(Vec<u8>, Box<dyn FnOnce(TcpStream) + Send>),
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Reply::Answer(response)
    }
}

/// Everything open, so that all of it can be closed at once.
#[derive(Clone, Default)]
pub struct Open {
    closing: Arc<AtomicBool>,
    next: Arc<AtomicU64>,
    streams: Arc<Mutex<HashMap<u64, TcpStream>>>,
}

impl Open {
    /// Counts a connection among the open ones until the result is dropped.
    pub fn add(&self, stream: &TcpStream) -> Option<Place> {
        let copy = stream.try_clone().ok()?;
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.streams).insert(id, copy);
        if self.is_closing() {
            self.cut();
        }
        Some(Place { open: self.clone(), id })
    }

    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Sleeps, but not longer than everything lives.
    pub fn sleep(&self, time: Duration) {
        let end = std::time::Instant::now() + time;
        while std::time::Instant::now() < end && !self.is_closing() {
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn cut(&self) {
        for stream in lock(&self.streams).values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

pub struct Place {
    open: Open,
    id: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        lock(&self.open.streams).remove(&self.id);
    }
}

/// Accepts connections until it is dropped; then closes them all and waits for their threads.
pub struct Listener {
    pub address: SocketAddr,
    open: Open,
    acceptor: Option<JoinHandle<()>>,
}

impl Listener {
    pub fn start(serve: impl Fn(TcpStream, &Open) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("a listener has an address");
        let open = Open::default();
        let shared = open.clone();
        let acceptor = thread::spawn(move || {
            thread::scope(|scope| {
                while !shared.is_closing() {
                    let Ok((stream, _)) = listener.accept() else { continue };
                    let (serve, shared) = (&serve, &shared);
                    scope.spawn(move || {
                        let _ = stream.set_nodelay(true);
                        if let Some(_place) = shared.add(&stream) {
                            serve(stream, shared);
                        }
                    });
                }
            });
        });
        Listener { address, open, acceptor: Some(acceptor) }
    }

    /// A server of whole requests and answers.
    pub fn requests(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(move |stream, open| serve(stream, open, &answer))
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.open.closing.store(true, Ordering::SeqCst);
        self.open.cut();
        // Nothing else ends an `accept` on every system.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(mut stream: TcpStream, open: &Open, answer: &dyn Fn(&Request) -> Reply) {
    let mut buffer = Vec::new();
    while let Ok(Some(request)) = read_request(&mut stream, &mut buffer) {
        match answer(&request) {
            Reply::Answer(response) => {
                if stream.write_all(&response.bytes(request.method == "HEAD")).is_err() {
                    return;
                }
            }
            Reply::Reset => return reset(&stream),
            Reply::Hang(time) => {
                open.sleep(time);
                return reset(&stream);
            }
            Reply::Upgrade(bytes, then) => {
                if stream.write_all(&bytes).is_ok() {
                    then(stream);
                }
                return;
            }
        }
        if request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return;
        }
    }
}

/// Closed with the answer still owed, which every client takes for a broken connection.
fn reset(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// The next request, or nothing when the peer closed the connection.
fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let Some((mut request, length)) = read_head(stream, buffer)? else {
        return Ok(None);
    };
    buffer.drain(..length);
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let chunked = request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    request.body = if chunked {
        read_chunks(stream, buffer)?
    } else {
        let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        take(stream, buffer, length)?
    };
    Ok(Some(request))
}

/// Fills `buffer` until it begins with a whole head; the length of that goes with it.
pub fn read_head(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<(Request, usize)>> {
    loop {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Request::new(&mut slots);
        match parsed.parse(buffer) {
            Ok(httparse::Status::Complete(length)) => return Ok(Some((head(&parsed), length))),
            Ok(httparse::Status::Partial) if buffer.len() < MAX_HEAD => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        if fill(stream, buffer)? == 0 {
            return Ok(None);
        }
    }
}

fn head(parsed: &httparse::Request<'_, '_>) -> Request {
    let target = parsed.path.unwrap_or_default().to_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let header = |header: &httparse::Header<'_>| {
        (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
    };
    Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: percent_decode(path),
        query: pairs(query),
        headers: parsed.headers.iter().map(header).collect(),
        target,
        body: Vec::new(),
    }
}

fn read_chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(stream, buffer)?;
        let digits = line.split(';').next().unwrap_or_default().trim().to_owned();
        let size = usize::from_str_radix(&digits, 16).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
        if size == 0 {
            while !read_line(stream, buffer)?.is_empty() {}
            return Ok(body);
        }
        body.extend(take(stream, buffer, size)?);
        read_line(stream, buffer)?;
    }
}

fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
        }
        if fill(stream, buffer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        if fill(stream, buffer)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.drain(..length).collect())
}

fn fill(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    let mut piece = [0; 16 * 1024];
    let read = stream.read(&mut piece)?;
    buffer.extend_from_slice(&piece[..read]);
    Ok(read)
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(&name.replace('+', " ")), percent_decode(&value.replace('+', " ")))
    };
    query.split('&').filter(|part| !part.is_empty()).map(pair).collect()
}

fn percent_decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}
