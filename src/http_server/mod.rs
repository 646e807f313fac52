//! HTTP/1.1 on 127.0.0.1, for stand-ins, tests and the front of `dev`. Here one blocking socket: request heads, bodies
//! (counted, chunked, with trailers) and answers; its sockets come from a [`Listener`].

mod answer;
mod listener;

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

pub use answer::{AnswerHead, Spoke};
pub use listener::{Counted, Listener, Open};

const MAX_HEAD: usize = 64 * 1024;
const MAX_HEADERS: usize = 128;
const MAX_LINE: usize = 8 * 1024;
const READ_SIZE: usize = 64 * 1024;

/// Why a request could not be read.
#[derive(Debug, PartialEq)]
pub enum ReadError {
    /// The peer went away, or said nothing for too long.
    Gone,
    /// The request is not one that can be served; the status to answer with before closing.
    Refused(u16),
}

impl From<io::Error> for ReadError {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

pub struct Conn {
    stream: TcpStream,
    buffer: Vec<u8>,
    start: usize,
}

impl Conn {
    pub fn new(stream: TcpStream) -> Self {
        // Both only cost time when they fail.
        let _ = stream.set_nodelay(true);
        acknowledge_at_once(&stream);
        Self { stream, buffer: Vec::new(), start: 0 }
    }

    pub fn set_read_timeout(&self, limit: Duration) {
        let _ = self.stream.set_read_timeout(Some(limit));
    }

    pub fn set_write_timeout(&self, limit: Duration) {
        let _ = self.stream.set_write_timeout(Some(limit.max(Duration::from_millis(1))));
    }

    pub fn peer(&self) -> String {
        self.stream.peer_addr().map_or_else(|_| "127.0.0.1".into(), |peer| peer.ip().to_string())
    }

    /// The next request, or nothing when the peer closed the connection between two.
    pub fn head(&mut self) -> Result<Option<Head>, ReadError> {
        loop {
            if let Some((head, length)) = Head::parse(&self.buffer[self.start..])? {
                self.start += length;
                return Ok(Some(head));
            }
            if self.fill()? == 0 {
                return if self.pending() == 0 { Ok(None) } else { Err(ReadError::Gone) };
            }
        }
    }

    /// The body that follows `head`.
    pub fn body(&mut self, head: &Head) -> Result<Body<'_>, ReadError> {
        let left = head.framing()?;
        let awaited = head.lists("expect", "100-continue") && left != Left::Counted(0);
        Ok(Body { conn: self, left, awaited, trailers: Vec::new() })
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// A whole answer in one write, so that a small one is one packet.
    pub fn answer(&mut self, status: u16, headers: &[(String, String)], body: &[u8]) -> io::Result<()> {
        let mut bytes = head_bytes(status, headers.iter().chain([&pair("content-length", body.len())]));
        bytes.extend_from_slice(body);
        self.write(&bytes)
    }

    /// The socket, after the end of HTTP; the peer must have waited for it.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Reads and forgets until the peer closes.
    pub fn wait_until_closed(&mut self) {
        while self.fill().is_ok_and(|read| read > 0) {
            self.start = self.buffer.len();
        }
    }

    /// Ends a connection whose request was not read to its end: closed at once, the reset would reach the peer before
    /// the answer.
    pub fn close_gently(&mut self, limit: Duration) {
        let end = Instant::now() + limit;
        let _ = self.stream.shutdown(Shutdown::Write);
        self.set_read_timeout(limit);
        while Instant::now() < end && self.fill().is_ok_and(|read| read > 0) {
            self.start = self.buffer.len();
        }
    }

    fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let length = self.buffer.len();
        self.buffer.resize(length + READ_SIZE, 0);
        let result = loop {
            match self.stream.read(&mut self.buffer[length..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.buffer.truncate(length + result.as_ref().map_or(0, |read| *read));
        acknowledge_at_once(&self.stream);
        result
    }

    /// At least one and at most `limit` bytes, as soon as there are any.
    fn take(&mut self, limit: u64) -> Result<Vec<u8>, ReadError> {
        if self.pending() == 0 && self.fill()? == 0 {
            return Err(ReadError::Gone);
        }
        let length = self.pending().min(usize::try_from(limit).unwrap_or(usize::MAX));
        let piece = self.buffer[self.start..self.start + length].to_vec();
        self.start += length;
        Ok(piece)
    }

    fn line(&mut self) -> Result<String, ReadError> {
        loop {
            let pending = &self.buffer[self.start..];
            if let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&pending[..end]).trim_end_matches('\r').to_owned();
                self.start += end + 1;
                return Ok(line);
            }
            if pending.len() > MAX_LINE {
                return Err(ReadError::Refused(400));
            }
            if self.fill()? == 0 {
                return Err(ReadError::Gone);
            }
        }
    }
}

/// The head of a request; the names of its headers in lower case.
#[derive(Clone, Debug, Default)]
pub struct Head {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub is_http_1_0: bool,
}

impl Head {
    /// The head that `bytes` begin with, and its length; nothing while it is not whole.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ReadError> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut slots);
        match request.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => Ok(Some((Head::from(&request), length))),
            Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD => Err(ReadError::Refused(431)),
            Ok(httparse::Status::Partial) => Ok(None),
            Err(httparse::Error::TooManyHeaders) => Err(ReadError::Refused(431)),
            Err(_) => Err(ReadError::Refused(400)),
        }
    }

    fn from(request: &httparse::Request) -> Self {
        let header = |header: &httparse::Header| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
        };
        Self {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
            headers: request.headers.iter().map(header).collect(),
            is_http_1_0: request.version == Some(0),
        }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn keeps_alive(&self) -> bool {
        !self.is_http_1_0 && !self.lists("connection", "close")
    }

    pub fn takes_chunks(&self) -> bool {
        !self.is_http_1_0
    }

    /// Whether a header that is a list has this member.
    pub fn lists(&self, name: &str, member: &str) -> bool {
        self.headers
            .iter()
            .filter(|(key, _)| key == name)
            .flat_map(|(_, value)| value.split(','))
            .any(|item| item.trim().eq_ignore_ascii_case(member))
    }

    fn framing(&self) -> Result<Left, ReadError> {
        let mut lengths = self.headers.iter().filter(|(key, _)| key == "content-length").map(|(_, value)| value);
        let length = lengths.next();
        match (self.get("transfer-encoding"), length) {
            (None, None) => Ok(Left::Counted(0)),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Left::Size),
            (Some(_), None) => Err(ReadError::Refused(501)),
            // Both, or two lengths, is how requests are smuggled.
            (None, Some(length)) if lengths.all(|other| other == length) => number(length, 10).map(Left::Counted),
            _ => Err(ReadError::Refused(400)),
        }
    }
}

/// What is still to come of a body.
#[derive(Debug, PartialEq)]
enum Left {
    Counted(u64),
    Size,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    /// Of an answer: as long as its connection is open.
    UntilClosed,
    Nothing,
}

pub struct Body<'a> {
    conn: &'a mut Conn,
    left: Left,
    /// The client sends nothing before the server asks it to continue.
    awaited: bool,
    trailers: Vec<String>,
}

impl Body<'_> {
    /// The next piece as soon as it is there; a piece is never longer than the chunk it came in.
    pub fn read(&mut self) -> Result<Option<Vec<u8>>, ReadError> {
        if std::mem::take(&mut self.awaited) && self.conn.pending() == 0 {
            self.conn.write(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        loop {
            self.left = match self.left {
                Left::Nothing | Left::Counted(0) => return Ok(None),
                Left::UntilClosed if self.conn.pending() == 0 && self.conn.fill()? == 0 => Left::Nothing,
                Left::UntilClosed => {
                    let piece = self.conn.take(u64::MAX)?;
                    self.left = Left::UntilClosed;
                    return Ok(Some(piece));
                }
                Left::Counted(length) => {
                    let piece = self.conn.take(length)?;
                    self.left = Left::Counted(length - piece.len() as u64);
                    return Ok(Some(piece));
                }
                Left::Size => {
                    let line = self.conn.line()?;
                    match number(line.split(';').next().unwrap_or_default().trim(), 16)? {
                        0 => Left::Trailers,
                        length => Left::Chunk(length),
                    }
                }
                Left::Chunk(length) => {
                    let piece = self.conn.take(length)?;
                    let rest = length - piece.len() as u64;
                    self.left = if rest == 0 { Left::ChunkEnd } else { Left::Chunk(rest) };
                    return Ok(Some(piece));
                }
                Left::ChunkEnd if self.conn.line()?.is_empty() => Left::Size,
                Left::ChunkEnd => return Err(ReadError::Refused(400)),
                Left::Trailers => match self.conn.line()? {
                    line if line.is_empty() => Left::Nothing,
                    _ if self.trailers.len() == MAX_HEADERS => return Err(ReadError::Refused(431)),
                    line => {
                        let name = line.split(':').next().unwrap_or_default();
                        self.trailers.push(name.trim().to_ascii_lowercase());
                        Left::Trailers
                    }
                },
            }
        }
    }

    /// The whole body, or 413 as soon as it is known to be longer than `limit`.
    pub fn collect(&mut self, limit: usize) -> Result<Vec<u8>, ReadError> {
        if matches!(self.left, Left::Counted(length) if length > limit as u64) {
            return Err(ReadError::Refused(413));
        }
        let mut whole = Vec::new();
        while let Some(piece) = self.read()? {
            if whole.len() + piece.len() > limit {
                return Err(ReadError::Refused(413));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole)
    }

    /// Where it is read from.
    pub fn conn(&self) -> &Conn {
        self.conn
    }

    pub fn drain(&mut self) -> Result<(), ReadError> {
        while self.read()?.is_some() {}
        Ok(())
    }

    pub fn has_trailer(&self, name: &str) -> bool {
        self.trailers.iter().any(|trailer| trailer == name)
    }
}

pub fn pair(name: &str, value: impl ToString) -> (String, String) {
    (name.to_owned(), value.to_string())
}

pub fn head_bytes<'a>(status: u16, headers: impl IntoIterator<Item = &'a (String, String)>) -> Vec<u8> {
    head_after(format!("HTTP/1.1 {status} {}\r\n", reason(status)), headers)
}

/// A head whose first line is written already.
pub fn head_after<'a>(first: String, headers: impl IntoIterator<Item = &'a (String, String)>) -> Vec<u8> {
    let mut head = first;
    for (name, value) in headers {
        head.push_str(name);
        head.push_str(": ");
        head.push_str(value);
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A piece of a chunked body.
pub fn chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The end of a chunked body.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The words for the statuses answered here; those of a function may do without, as HTTP allows.
pub fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        404 => "Not Found",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

fn number(digits: &str, radix: u32) -> Result<u64, ReadError> {
    // `from_str_radix` alone would take a sign.
    let plain = digits.chars().all(|digit| digit.is_digit(radix));
    u64::from_str_radix(digits, radix).ok().filter(|_| plain).ok_or(ReadError::Refused(400))
}

/// A client that sends one message in several small writes waits for our acknowledgement between them, which the kernel
/// otherwise delays by 40 ms. The setting does not last: it is renewed after every read.
fn acknowledge_at_once(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}
