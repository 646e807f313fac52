//! HTTP as bytes: a listener between a client and a server, and what it heard said again to other servers.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_deploy::parallel;

use crate::http::{self, Listener, lock};

/// Passes everything on, and keeps what clients said.
pub struct Tap {
    listener: Listener,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    /// In front of a server on this machine.
    pub fn before(url: &str) -> Self {
        let server = address(url);
        let heard: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
        let kept = heard.clone();
        let listener = http::connections(move |client, open| {
            let Ok(upstream) = TcpStream::connect(server) else { return };
            let _counted = open.add(&upstream);
            let connection = {
                let mut all = lock(&kept);
                all.push(Vec::new());
                all.len() - 1
            };
            let from_client = || pump(&client, &upstream, |bytes| lock(&kept)[connection].extend_from_slice(bytes));
            parallel::both(from_client, || pump(&upstream, &client, |_| {}));
        });
        Tap { listener, heard }
    }

    pub fn url(&self) -> String {
        format!("{}/mcp", self.listener.url())
    }

    /// Every different request so far, in the order in which it was first heard.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        let heard = lock(&self.heard);
        let mut seen = BTreeSet::new();
        let all = heard.iter().flat_map(|bytes| requests(bytes)).map(|request| uncompressed(&request));
        all.filter(|request| seen.insert(request.clone())).collect()
    }
}

/// The same request, whose answer can be read: what is compressed hides what differs each time.
fn uncompressed(request: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"\r\naccept-encoding: ";
    let head = find(request, b"\r\n\r\n").unwrap_or(0);
    let Some(at) = request[..head].windows(NAME.len()).position(|name| name.eq_ignore_ascii_case(NAME)) else {
        return request.to_vec();
    };
    let end = at + 2 + find(&request[at + 2..], b"\r\n").unwrap_or(0);
    [&request[..at], NAME, b"identity", &request[end..]].concat()
}

fn pump(mut from: &TcpStream, mut to: &TcpStream, hear: impl Fn(&[u8])) {
    let mut buffer = [0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        hear(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _gone = to.shutdown(Shutdown::Write);
}

/// Where `http://127.0.0.1:PORT/…` is.
fn address(url: &str) -> SocketAddr {
    let authority = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    authority.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// The requests of one connection, each with its body; the last may be incomplete.
fn requests(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let length = message(bytes, true).unwrap_or(bytes.len());
        all.push(bytes[..length].to_vec());
        bytes = &bytes[length..];
    }
    all
}

/// How many bytes the first message has, if it is there to its end; of an answer without a length, never.
fn message(bytes: &[u8], is_request: bool) -> Option<usize> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    if header("transfer-encoding") == Some("chunked") {
        let mut at = head;
        loop {
            let line = find(&bytes[at..], b"\r\n")?;
            let size = String::from_utf8_lossy(&bytes[at..at + line]).into_owned();
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).ok()?;
            at += line + 2 + size + 2;
            if at > bytes.len() {
                return None;
            }
            if size == 0 {
                return Some(at);
            }
        }
    }
    let without = text.starts_with("http/1.1 204") || text.starts_with("http/1.1 304");
    let length = match header("content-length").and_then(|length| length.parse().ok()) {
        Some(length) => length,
        None if is_request || without => 0,
        None => return None,
    };
    (bytes.len() >= head + length).then_some(head + length)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// An answer without what differs from one time to the next.
#[derive(Debug, PartialEq, Eq)]
pub struct WireAnswer {
    pub status: String,
    pub headers: BTreeSet<String>,
    pub body: String,
}

/// Says one request to a server, to the last byte as it was heard.
pub fn say(url: &str, request: &[u8]) -> Option<WireAnswer> {
    let mut stream = TcpStream::connect(address(url)).unwrap_or_else(|error| panic!("{url}: {error}"));
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a socket can be set");
    // A server that refuses early may not read to the end.
    let _cut = stream.write_all(request);
    let is_complete = message(request, true).is_some();
    let is_head = request.starts_with(b"HEAD ");
    let (mut bytes, mut buffer) = (Vec::new(), [0; 16 << 10]);
    // Of half a request nothing comes back: for it, a moment is enough.
    let deadline = Instant::now() + Duration::from_secs(if is_complete { 30 } else { 1 });
    while Instant::now() < deadline {
        let head = find(&bytes, b"\r\n\r\n");
        if message(&bytes, false).is_some() || (is_head && head.is_some()) {
            break;
        }
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    read(&bytes)
}

fn read(bytes: &[u8]) -> Option<WireAnswer> {
    let head = find(bytes, b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let (status, headers) = text.split_once("\r\n").unwrap_or((&text, ""));
    // Of the connection and the moment, not of the answer.
    const PASSING: [&str; 6] =
        ["date", "x-amzn-remapped-date", "connection", "keep-alive", "x-amzn-requestid", "x-amzn-trace-id"];
    let headers: BTreeSet<String> = headers
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .filter(|(name, _)| !PASSING.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let body = &bytes[head + 4..];
    let body = if headers.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_vec() };
    let body = settled(&String::from_utf8_lossy(&body));
    Some(WireAnswer { status: status.to_owned(), headers, body })
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(line) = find(body, b"\r\n") {
        let size = usize::from_str_radix(String::from_utf8_lossy(&body[..line]).trim(), 16).unwrap_or(0);
        let part = body.get(line + 2..line + 2 + size).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        whole.extend_from_slice(part);
        body = body.get(line + 2 + size + 2..).unwrap_or_default();
    }
    whole
}

/// References to the log and signed states are new each time.
fn settled(body: &str) -> String {
    let mut out = String::new();
    let mut rest = body;
    while let Some(at) = rest.find(['-', '"']) {
        let (before, from) = rest.split_at(at);
        let is_uuid = before.len() >= 8
            && before.bytes().rev().take(8).all(|byte| byte.is_ascii_hexdigit())
            && from.len() >= 28
            && from.bytes().take(28).enumerate().all(|(i, byte)| match i {
                0 | 5 | 10 | 15 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            });
        if is_uuid {
            out += &before[..before.len() - 8];
            out += "UUID";
            rest = &from[28..];
        } else if let Some(state) = from.strip_prefix("\"requestState\":\"") {
            out += before;
            out += "\"requestState\":\"";
            rest = &state[state.find('"').unwrap_or(state.len())..];
        } else {
            out += before;
            out += &from[..1];
            rest = &from[1..];
        }
    }
    out + rest
}

#[test]
fn what_differs_each_time_is_settled() {
    let body =
        r#"{"text":"internal error (ref 0af3c2de-1111-4222-8333-444455556666)","requestState":"v1.abc-d","n":-1}"#;
    assert_eq!(settled(body), r#"{"text":"internal error (ref UUID)","requestState":"","n":-1}"#);
}

#[test]
fn requests_of_a_connection_are_told_apart() {
    let bytes = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}GET /health HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nPOST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf";
    let lengths: Vec<usize> = requests(bytes).iter().map(Vec::len).collect();
    assert_eq!(lengths.len(), 4);
    assert_eq!(lengths.iter().sum::<usize>(), bytes.len());
    assert_eq!(message(&requests(bytes)[3], true), None);
}
