//! The program's HTTP server with whole requests in, and whole answers out.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mcp_deploy::http_server::{Conn, Head, ReadError};
pub use mcp_deploy::http_server::{Listener, Open};
use percent_encoding::percent_decode_str;
use serde_json::Value;

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
    fn new(head: Head, body: Vec<u8>) -> Self {
        let (path, query) = head.target.split_once('?').unwrap_or((&head.target, ""));
        let (path, query) = (percent_decode(path), pairs(query));
        Request { method: head.method, path, target: head.target, query, headers: head.headers, body }
    }

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

/// A server of connections on a free port, each with a separate thread.
pub fn connections(serve: impl Fn(TcpStream, &Open) + Send + Sync + 'static) -> Listener {
    let mut listener = Listener::bind(0).expect("a free port on 127.0.0.1");
    listener.serve(usize::MAX, serve).expect("a thread");
    listener
}

/// A server of whole requests and answers.
pub fn requests(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Listener {
    connections(move |stream, open| drop(serve(Conn::new(stream), open, &answer)))
}

fn serve(mut conn: Conn, open: &Open, answer: &dyn Fn(&Request) -> Reply) -> Result<(), ReadError> {
    while let Some(head) = conn.head()? {
        let body = conn.body(&head)?.collect(usize::MAX)?;
        let request = Request::new(head, body);
        match answer(&request) {
            Reply::Answer(response) => conn.write(&response.bytes(request.method == "HEAD"))?,
            Reply::Reset => {
                reset(&conn.into_stream());
                return Ok(());
            }
            Reply::Hang(time) => {
                open.sleep(time);
                reset(&conn.into_stream());
                return Ok(());
            }
            Reply::Upgrade(bytes, then) => {
                conn.write(&bytes)?;
                then(conn.into_stream());
                return Ok(());
            }
        }
        if request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            return Ok(());
        }
    }
    Ok(())
}

/// Closed with the answer still owed, which every client takes for a broken connection.
fn reset(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Both);
}

/// Fills `buffer` until it begins with a whole head; the length of that goes with it.
pub fn read_head(stream: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Option<(Head, usize)>> {
    loop {
        match Head::parse(buffer) {
            Ok(None) => {}
            Ok(Some(head)) => return Ok(Some(head)),
            Err(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
        let mut piece = [0; 16 * 1024];
        let read = stream.read(&mut piece)?;
        buffer.extend_from_slice(&piece[..read]);
        if read == 0 {
            return Ok(None);
        }
    }
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
