//! A page that a tool has to wait for: what happens before it is given, and after, needs no clock.

use std::io::Read;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use mcp_deploy::http_server::{Conn, pair};

use super::child::SHORT;
use crate::http::{self, Listener, lock};

/// A page on this machine that is answered when the test says so.
pub struct Gate {
    listener: Listener,
    visitors: Mutex<Receiver<Visitor>>,
}

/// The tool, waiting for its answer.
pub struct Visitor(TcpStream);

impl Gate {
    pub fn open() -> Self {
        let (say, visitors) = channel();
        let listener = http::connections(move |stream, _| {
            let mut conn = Conn::new(stream);
            // A client that leaves without a request does not count.
            if let Ok(Some(_)) = conn.head() {
                let _nobody_waits = say.send(Visitor(conn.into_stream()));
            }
        });
        Gate { listener, visitors: Mutex::new(visitors) }
    }

    pub fn url(&self) -> String {
        format!("{}/", self.listener.url())
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
        lock(&self.visitors).try_recv().ok()
    }
}

impl Visitor {
    pub fn answer(&mut self, text: &str) {
        let head = [pair("content-type", "text/plain"), pair("connection", "close")];
        let mut conn = Conn::new(self.0.try_clone().expect("a socket can be shared"));
        conn.answer(200, &head, text.as_bytes()).expect("the tool waits");
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
