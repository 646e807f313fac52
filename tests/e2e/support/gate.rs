//! A page that a tool has to wait for: what happens before it is given, and after, needs no clock.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use super::child::SHORT;

/// A page on this machine that is answered when the test says so.
pub struct Gate(TcpListener);

/// The tool, waiting for its answer.
pub struct Visitor(TcpStream);

impl Gate {
    pub fn open() -> Self {
        Gate(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.0.local_addr().expect("it is bound"))
    }

    #[track_caller]
    pub fn visitor(&self) -> Visitor {
        let deadline = Instant::now() + SHORT;
        loop {
            if let Some(visitor) = self.visited() {
                return visitor;
            }
            assert!(Instant::now() < deadline, "the tool did not ask for its page");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The tool, if it stands here already.
    pub fn visited(&self) -> Option<Visitor> {
        self.0.set_nonblocking(true).expect("a socket can be set");
        let (stream, _) = self.0.accept().ok()?;
        stream.set_nonblocking(false).expect("a socket can be set");
        let mut head = BufReader::new(stream.try_clone().expect("a socket can be shared"));
        let mut line = String::new();
        while head.read_line(&mut line).expect("a request") > 2 {
            line.clear();
        }
        Some(Visitor(stream))
    }
}

impl Visitor {
    pub fn answer(&mut self, text: &str) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n";
        write!(self.0, "{head}content-length: {}\r\n\r\n{text}", text.len()).expect("the tool waits");
    }

    /// Whether it hangs up without having been answered.
    pub fn leaves(&mut self, limit: Duration) -> bool {
        self.0.set_read_timeout(Some(limit)).expect("a socket can be set");
        match self.0.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
