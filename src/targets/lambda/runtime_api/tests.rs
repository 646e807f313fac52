//! Clients on one side, an adapter written here on the other, both over plain sockets.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::Value;

use super::sandbox::PRELUDE_END;
use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

#[test]
fn the_first_piece_arrives_before_the_last_is_sent() {
    let runtime = start(TIMEOUT);
    let mut client = Peer::ask(&runtime, "POST /mcp?a=b HTTP/1.1\r\nhost: x.example\r\ncontent-length: 2\r\n\r\nhi");
    let mut adapter = Peer::adapter(&runtime);
    let (id, event) = adapter.next();
    assert_eq!((&event["rawPath"], &event["rawQueryString"]), (&"/mcp".into(), &"a=b".into()));
    assert_eq!(event["headers"]["host"], "x.example");
    assert_eq!(event["body"], "aGk=");

    adapter.begin(&id, r#"{"statusCode":201,"headers":{"WWW-Authenticate":"Bearer"},"cookies":["a=1"]}"#);
    adapter.chunk(b"first");
    let head = client.head();
    assert!(head.starts_with("HTTP/1.1 201 "), "{head}");
    assert!(head.contains("\r\nx-amzn-remapped-www-authenticate: Bearer\r\n"), "{head}");
    assert!(head.contains("\r\nset-cookie: a=1\r\n"), "{head}");
    assert_eq!(client.read_chunk().unwrap(), b"first");
    adapter.chunk(b"last");
    assert_eq!(client.read_chunk().unwrap(), b"last");
    adapter.send("0\r\n\r\n");
    assert_eq!(client.read_chunk().unwrap(), b"");
    assert_eq!(adapter.status(), 202);
}

#[test]
fn a_rest_api_streams_too_and_has_words_of_its_own() {
    let runtime = RuntimeApi::start_with(LocalFront::RestApi { stage: "live" }, 0, "test", LIMITS).unwrap();
    runtime.environment(Path::new("/task"), "handler", 512, TIMEOUT);
    assert!(runtime.url().ends_with("/live"));
    let mut client =
        Peer::ask(&runtime, "POST /live/mcp?a=b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\nhi");
    let mut adapter = Peer::adapter(&runtime);
    let (id, event) = adapter.next();
    assert_eq!((&event["path"], &event["httpMethod"], &event["body"]), (&"/mcp".into(), &"POST".into(), &"hi".into()));
    adapter.begin(&id, r#"{"statusCode":401,"headers":{"WWW-Authenticate":"Bearer"}}"#);
    adapter.chunk(b"first");
    let head = client.head();
    assert!(
        head.starts_with("HTTP/1.1 401 ") && head.contains("\r\nx-amzn-remapped-www-authenticate: Bearer\r\n"),
        "{head}"
    );
    assert_eq!(client.read_chunk().unwrap(), b"first");
    adapter.chunk(b"last");
    assert_eq!(client.read_chunk().unwrap(), b"last");
    adapter.send("0\r\n\r\n");
    assert_eq!(client.read_chunk().unwrap(), b"");
    assert_eq!(adapter.status(), 202);

    client.send("GET /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    assert_eq!(client.answer(), (403, r#"{"message":"Missing Authentication Token"}"#.into()));
    client.send("GET /live/mcp HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.post(&id, "error", "{}");
    assert_eq!(client.answer(), (502, r#"{"message":"Internal server error"}"#.into()));
}

#[test]
fn a_connection_serves_several_requests_in_every_form() {
    let runtime = start(TIMEOUT);
    let mut adapter = Peer::adapter(&runtime);
    let mut client = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.post(&id, "response", r#"{"statusCode":200,"headers":{},"body":"aGk=","isBase64Encoded":true}"#);
    assert_eq!(adapter.status(), 202);
    assert_eq!(client.answer(), (200, "hi".into()));

    client.send("HEAD / HTTP/1.1\r\nhost: x\r\n\r\n");
    let (id, event) = adapter.next();
    assert_eq!(event["requestContext"]["http"]["method"], "HEAD");
    adapter.post(&id, "response", r#"{"statusCode":200,"body":"never"}"#);
    assert_eq!(adapter.status(), 202);
    assert!(!client.head().contains("transfer-encoding"));

    // The body only after the server said to go on, in chunks, with a trailer.
    client.send("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(client.head(), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nt: u\r\n\r\n");
    let (id, event) = adapter.next();
    assert_eq!(event["body"], "YWJjZA==");
    assert_eq!(event["headers"]["content-length"], "4");
    adapter.post(&id, "error", r#"{"errorMessage":"no"}"#);
    assert_eq!(adapter.status(), 202);
    assert_eq!(client.answer(), (502, r#"{"Message":"Internal Server Error"}"#.into()));

    client.send("GET / HTTP/1.0\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.post(&id, "response", r#"{"statusCode":200,"body":"to the end"}"#);
    assert!(client.head().contains("\r\nconnection: close\r\n"));
    assert_eq!(client.rest(), b"to the end");
}

#[test]
fn one_request_at_a_time() {
    let runtime = start(TIMEOUT);
    let mut adapter = Peer::adapter(&runtime);
    let mut clients = HashMap::new();
    for path in ["/a", "/b", "/c"] {
        let client = Peer::ask(&runtime, &format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n"));
        clients.insert(path.to_owned(), client);
    }
    for _ in 0..3 {
        let (id, event) = adapter.next();
        let path = event["rawPath"].as_str().unwrap().to_owned();
        adapter.begin(&id, r#"{"statusCode":200}"#);
        adapter.chunk(path.as_bytes());
        let mut client = clients.remove(&path).unwrap();
        assert!(client.head().starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(client.read_chunk().unwrap(), path.as_bytes());
        wait_for(|| runtime.shared.state().queue.len() == clients.len());
        adapter.send("0\r\n\r\n");
        assert_eq!(adapter.status(), 202);
    }
}

#[test]
fn a_client_that_leaves_does_not_stop_the_function() {
    let runtime = start(TIMEOUT);
    let mut adapter = Peer::adapter(&runtime);
    let mut client = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.begin(&id, r#"{"statusCode":200}"#);
    adapter.chunk(b"first");
    client.head();
    drop(client);
    for _ in 0..64 {
        adapter.chunk(&[b'x'; 64 * 1024]);
    }
    adapter.send("0\r\n\r\n");
    assert_eq!(adapter.status(), 202);

    let mut client = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.post(&id, "response", r#"{"statusCode":200,"body":"next"}"#);
    assert_eq!(client.answer(), (200, "next".into()));
}

#[test]
fn a_stream_that_breaks_is_cut() {
    let in_trailer = "0\r\nLambda-Runtime-Function-Error-Type: Runtime.StreamError\r\n\r\n";
    let text =
        "Lambda-Runtime-Function-Error-Type: Runtime.StreamError\r\nLambda-Runtime-Function-Error-Body: eA==\r\n";
    let in_body = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
    for end in [in_trailer, &in_body] {
        let runtime = start(TIMEOUT);
        let mut adapter = Peer::adapter(&runtime);
        let mut client = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
        let (id, _) = adapter.next();
        adapter.begin(&id, r#"{"statusCode":200}"#);
        adapter.chunk(b"half");
        adapter.send(end);
        assert_eq!(adapter.status(), 202);
        client.head();
        assert_eq!(client.rest(), b"4\r\nhalf\r\n", "no last chunk");
    }
}

#[test]
fn at_the_timeout_the_sandbox_dies_and_another_may_come() {
    let runtime = start(Duration::from_secs(1));
    let mut adapter = Peer::adapter(&runtime);
    let mut client = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    adapter.next();
    assert_eq!(client.answer(), (504, r#"{"Message":"Gateway Timeout"}"#.into()));
    assert_eq!(adapter.rest(), b"", "the sandbox is cut off");

    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut adapter = Peer::adapter(&runtime);
    let (id, _) = adapter.next();
    adapter.begin(&id, r#"{"statusCode":200}"#);
    adapter.chunk(b"half");
    client.head();
    assert_eq!(client.rest(), b"4\r\nhalf\r\n", "no last chunk");
    assert_eq!(adapter.rest(), b"");
}

#[test]
fn a_sandbox_that_dies_fails_its_request_at_once() {
    let runtime = start(TIMEOUT);
    let mut extension = Peer::adapter(&runtime);
    extension.send("POST /2020-01-01/extension/register HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}");
    assert!(extension.head().contains("\r\nlambda-extension-identifier: "));
    extension.skip_body();
    extension.send("GET /2020-01-01/extension/event/next HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut client = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut adapter = Peer::adapter(&runtime);
    adapter.next();
    drop(extension);
    assert_eq!(client.answer().0, 502);
}

#[test]
fn answers_that_make_no_sense_are_not_passed_on() {
    let runtime = start(TIMEOUT);
    let mut adapter = Peer::adapter(&runtime);
    let mut client = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.post("another", "response", "{}");
    assert_eq!(adapter.status(), 400);
    adapter.post(&id, "response", r#"{"statusCode":200,"headers":{"a":"b\r\nc: d"}}"#);
    assert_eq!(adapter.status(), 400);
    assert_eq!(client.answer().0, 502);

    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.send(&format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n"));
    adapter.send("lambda-runtime-function-response-mode: streaming\r\ntransfer-encoding: chunked\r\n\r\n");
    adapter.chunk(b"no prelude");
    adapter.send("0\r\n\r\n");
    assert_eq!(adapter.status(), 400);
    assert_eq!(client.answer().0, 502);
}

#[test]
fn what_is_too_large_or_too_much_or_malformed_is_refused() {
    let limits = Bounds { queue: 1, init: Duration::from_secs(1), ..LIMITS };
    let runtime = RuntimeApi::start_with(LocalFront::FunctionUrl, 0, "test", limits).unwrap();
    let too_large = "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 6291457\r\n\r\n";
    assert_eq!(Peer::ask(&runtime, too_large).answer().0, 413, "without asking for the body");
    let grows = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000000\r\n\r\n";
    let mut client = Peer::ask(&runtime, &(grows.to_owned() + &"x".repeat(5_000_000)));
    assert_eq!(client.answer().0, 413, "base64 makes the event larger than the body");

    for (request, status) in [
        ("POST / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\ncontent-length: +1\r\n\r\nx", 400),
        ("POST / HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n", 501),
        ("OPTIONS * HTTP/1.1\r\n\r\n", 400),
        ("nonsense\r\n\r\n", 400),
    ] {
        assert_eq!(Peer::ask(&runtime, request).answer().0, status, "{request}");
    }

    client.send("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for(|| runtime.shared.state().queue.len() == 1);
    let mut other = Peer::ask(&runtime, "GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(other.answer().0, 429);
    assert_eq!(client.answer().0, 502, "no sandbox came");
    assert!(runtime.shared.state().queue.is_empty());
}

#[test]
fn dropped_it_leaves_nothing() {
    let runtime = start(TIMEOUT);
    let mut adapter = Peer::adapter(&runtime);
    let mut idle = Peer::connect(runtime.url.address());
    let mut busy = Peer::ask(&runtime, "GET /1 HTTP/1.1\r\nhost: x\r\n\r\n");
    let (id, _) = adapter.next();
    adapter.begin(&id, r#"{"statusCode":200}"#);
    let mut waiting = Peer::ask(&runtime, "GET /2 HTTP/1.1\r\nhost: x\r\n\r\n");
    wait_for(|| runtime.shared.state().queue.len() == 1);
    busy.head();
    let shared = Arc::downgrade(&runtime.shared);
    let begun = Instant::now();
    drop(runtime);
    assert!(begun.elapsed() < PATIENCE);
    assert!(shared.upgrade().is_none(), "a thread lives on");
    for peer in [&mut idle, &mut busy, &mut waiting, &mut adapter] {
        peer.rest();
    }
}

#[test]
fn the_environment_is_that_of_the_function() {
    let runtime = start(TIMEOUT);
    let environment: HashMap<_, _> =
        runtime.environment(Path::new("/task"), "server.mjs", 512, TIMEOUT).into_iter().collect();
    let of = |name: &str| environment[name].as_str();
    assert_eq!(of("AWS_LAMBDA_RUNTIME_API"), runtime.api.address().to_string());
    assert_eq!(of("AWS_LAMBDA_FUNCTION_NAME"), "test");
    assert_eq!(of("AWS_LAMBDA_FUNCTION_MEMORY_SIZE"), "512");
    assert_eq!((of("LAMBDA_TASK_ROOT"), of("_HANDLER")), ("/task", "server.mjs"));
    let taken = RuntimeApi::start(LocalFront::FunctionUrl, runtime.url.address().port(), "test").err().unwrap();
    assert!(format!("{taken:#}").contains(&runtime.url.address().port().to_string()));
}

fn start(timeout: Duration) -> RuntimeApi {
    let runtime = RuntimeApi::start(LocalFront::FunctionUrl, 0, "test").unwrap();
    runtime.environment(Path::new("/task"), "server.mjs", 128, timeout);
    runtime
}

fn wait_for(condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
}

/// One end of a connection; every read of it ends after [`PATIENCE`].
struct Peer(BufReader<TcpStream>);

impl Peer {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    fn ask(runtime: &RuntimeApi, request: &str) -> Self {
        let mut client = Self::connect(runtime.url.address());
        client.send(request);
        client
    }

    fn adapter(runtime: &RuntimeApi) -> Self {
        Self::connect(runtime.api.address())
    }

    fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn head(&mut self) -> String {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(self.0.read_line(&mut head).unwrap(), 0, "ended in {head:?}");
        }
        head
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn read_chunk(&mut self) -> Option<Vec<u8>> {
        let length = usize::from_str_radix(&self.line(), 16).ok()?;
        let chunk = self.exactly(length);
        assert_eq!(self.line(), "");
        Some(chunk)
    }

    /// All that comes until the other end closes or resets.
    fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Err(error) = self.0.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        rest
    }

    fn answer(&mut self) -> (u16, String) {
        let head = self.head();
        let status = head[9..12].parse().unwrap();
        let mut body = Vec::new();
        if head.contains("\r\ntransfer-encoding: chunked\r\n") {
            while let Some(chunk) = self.read_chunk().filter(|chunk| !chunk.is_empty()) {
                body.extend(chunk);
            }
        } else {
            body = self.exactly(length_in(&head));
        }
        (status, String::from_utf8(body).unwrap())
    }

    fn skip_body(&mut self) {
        // The only body a test does not look at.
        let body = br#"{"functionName":"test","functionVersion":"$LATEST"}"#;
        assert_eq!(self.exactly(body.len()), body);
    }

    fn next(&mut self) -> (String, Value) {
        self.send("GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nhost: x\r\n\r\n");
        let head = self.head();
        let id = value_in(&head, "lambda-runtime-aws-request-id");
        assert!(value_in(&head, "lambda-runtime-deadline-ms").parse::<u64>().is_ok());
        let event = self.exactly(length_in(&head));
        (id, serde_json::from_slice(&event).unwrap())
    }

    fn begin(&mut self, id: &str, prelude: &str) {
        self.send(&format!("POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nhost: x\r\n"));
        self.send("Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n\r\n");
        self.chunk(prelude.as_bytes());
        self.chunk(&PRELUDE_END);
    }

    fn chunk(&mut self, data: &[u8]) {
        self.send(&format!("{:x}\r\n", data.len()));
        self.0.get_mut().write_all(data).unwrap();
        self.send("\r\n");
    }

    fn post(&mut self, id: &str, what: &str, body: &str) {
        self.send(&format!("POST /2018-06-01/runtime/invocation/{id}/{what} HTTP/1.1\r\nhost: x\r\n"));
        self.send(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    }

    fn status(&mut self) -> u16 {
        self.answer().0
    }
}

fn value_in(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no `{name}` in {head}")).to_owned()
}

fn length_in(head: &str) -> usize {
    value_in(head, "content-length").parse().unwrap()
}
