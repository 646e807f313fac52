//! The other side of a connection: what a server answers to a request that was passed on to it.

use std::io;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Body, Conn, Left, MAX_HEAD, MAX_HEADERS, ReadError, number};

/// The head of an answer; the names of its headers in lower case.
#[derive(Clone, Debug)]
pub struct AnswerHead {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

impl AnswerHead {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether no body follows it, whatever its headers say.
    pub fn is_all(&self, method: &str) -> bool {
        method == "HEAD" || matches!(self.status, 100..=199 | 204 | 304)
    }

    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, ReadError> {
        let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut answer = httparse::Response::new(&mut slots);
        let length = match answer.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() <= MAX_HEAD => return Ok(None),
            _ => return Err(ReadError::Gone),
        };
        let header = |header: &httparse::Header| {
            (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned())
        };
        let headers = answer.headers.iter().map(header).collect();
        Ok(Some((AnswerHead { status: answer.code.unwrap_or_default(), headers }, length)))
    }
}

/// Who spoke first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoke {
    Server,
    /// The client has closed its connection.
    ClientLeft,
    /// Neither, until nobody wanted to wait any more.
    Nobody,
}

impl Conn {
    /// The head of the next answer, past those that only announce one. [`ReadError::Gone`] where the server ends
    /// without an answer.
    pub fn answer_head(&mut self) -> Result<AnswerHead, ReadError> {
        loop {
            match AnswerHead::parse(&self.buffer[self.start..])? {
                Some((head, length)) => {
                    self.start += length;
                    if head.status == 101 || head.status >= 200 {
                        return Ok(head);
                    }
                }
                None if self.fill()? == 0 => return Err(ReadError::Gone),
                None => {}
            }
        }
    }

    /// The body that follows the head of an answer.
    pub fn answer_body(&mut self, head: &AnswerHead, method: &str) -> Result<Body<'_>, ReadError> {
        let chunked = head.get("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        let left = match head.get("content-length") {
            _ if head.is_all(method) => Left::Nothing,
            _ if chunked => Left::Size,
            Some(length) => Left::Counted(number(length, 10)?),
            None => Left::UntilClosed,
        };
        Ok(Body { conn: self, left, awaited: false, trailers: Vec::new() })
    }

    /// Waits until this server says something, `client` closes its connection, or it is `over`.
    pub fn wait_beside(&self, client: &Conn, over: &dyn Fn() -> bool) -> io::Result<Spoke> {
        if self.pending() > 0 {
            return Ok(Spoke::Server);
        }
        let turn = Timespec::try_from(Duration::from_millis(100)).map_err(io::Error::other)?;
        let mut is_quiet = client.pending() == 0;
        loop {
            let mut both = [PollFd::new(&self.stream, PollFlags::IN), PollFd::new(&client.stream, PollFlags::IN)];
            let watched = if is_quiet { &mut both[..] } else { &mut both[..1] };
            match poll(watched, Some(&turn)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if !both[0].revents().is_empty() {
                return Ok(Spoke::Server);
            }
            if over() {
                return Ok(Spoke::Nobody);
            }
            if is_quiet && !both[1].revents().is_empty() {
                match client.stream.peek(&mut [0]) {
                    // The next request may come before the answer to this one.
                    Ok(read) if read > 0 => is_quiet = false,
                    _ => return Ok(Spoke::ClientLeft),
                }
            }
        }
    }
}
