//! A refusal sent before the body was read: most servers close right after it, and a client that is still sending
//! would see a broken pipe instead of the answer.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::http::{Reply, Request};

/// Sends over plain HTTP in small pieces, and stops as soon as something comes back. None where nothing does.
pub fn send(request: &Request) -> Option<Reply> {
    let uri: Uri = request.url.parse().ok()?;
    let deadline = Instant::now() + request.timeout;
    let host = uri.host()?.trim_matches(['[', ']']);
    let address = (host, uri.port_u16().unwrap_or(80)).to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, request.timeout).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(1))).ok()?;
    write_in_time(&mut stream, head(request, &uri).as_bytes(), deadline)?;
    for piece in request.body.as_deref().unwrap_or_default().chunks(64 << 10) {
        let answered = stream.peek(&mut [0]).is_ok();
        if answered || write_in_time(&mut stream, piece, deadline).is_none() {
            break;
        }
    }
    parse(&read_head(&mut stream, deadline.max(Instant::now() + Duration::from_millis(100))))
}

/// The limit of a socket is one for each step: who takes a byte at a time would never meet it.
fn write_in_time(stream: &mut TcpStream, mut bytes: &[u8], deadline: Instant) -> Option<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?)).ok()?;
        let written = stream.write(bytes).ok().filter(|written| *written > 0)?;
        bytes = &bytes[written..];
    }
    Some(())
}

fn left(deadline: Instant) -> Option<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    (!left.is_zero()).then_some(left)
}

fn head(request: &Request, uri: &Uri) -> String {
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = uri.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or(""));
    let length = request.body.as_ref().map_or(0, Vec::len);
    let mut head = format!("{} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {length}\r\n", request.method);
    for (name, value) in &request.headers {
        head += &format!("{name}: {value}\r\n");
    }
    head + "connection: close\r\n\r\n"
}

/// What the refusal says fits into the first packets; a reset after them is expected.
fn read_head(stream: &mut TcpStream, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    while let Some(left) = left(deadline).filter(|_| bytes.len() <= 64 << 10) {
        let read = stream.set_read_timeout(Some(left)).and_then(|()| stream.read(&mut piece));
        let Ok(length @ 1..) = read else { break };
        bytes.extend_from_slice(&piece[..length]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn parse(text: &str) -> Option<Reply> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let name: Option<HeaderName> = name.parse().ok();
        let value: Option<HeaderValue> = value.trim().parse().ok();
        headers.extend(name.zip(value));
    }
    Some(Reply {
        status,
        headers,
        body: body.to_owned(),
        json: serde_json::from_str(body).ok().filter(Value::is_object),
        cut: None,
    })
}
