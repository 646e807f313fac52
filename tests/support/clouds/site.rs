//! A public address: whatever is deployed there now answers, streamed in both directions; or what a broken deployment
//! gives.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::http::{self, Listener, Open, Response, lock, read_head};

/// What answers at an address.
#[derive(Clone, Debug)]
pub enum Route {
    /// Nothing was deployed yet.
    Nothing(Response),
    /// A process on this machine.
    Running(SocketAddr),
    /// Deployed, but it only says this.
    Broken(Response),
}

/// What goes wrong at an address, whatever is deployed there.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outage {
    #[default]
    None,
    /// Connections are cut without an answer: an address that never comes alive.
    Dead,
    /// The same for the first so many requests: an address that takes its time.
    DeadFor(usize),
}

/// An address whose route changes with every deployment.
pub struct Site {
    route: Mutex<Route>,
    outage: Arc<Mutex<Outage>>,
    /// What the cloud's front adds to every request.
    headers: Vec<(String, String)>,
    requests: Mutex<Vec<String>>,
}

impl Site {
    pub fn new(route: Route, outage: &Arc<Mutex<Outage>>, headers: &[(&str, &str)]) -> Arc<Self> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Arc::new(Site { route: Mutex::new(route), outage: Arc::clone(outage), headers, requests: Mutex::default() })
    }

    pub fn show(&self, route: Route) {
        *lock(&self.route) = route;
    }

    /// `POST /mcp` for each request that arrived.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.requests).clone()
    }

    /// Serves one connection: one request, then it closes, so that the next one meets what is deployed then.
    pub fn serve(
        &self,
        mut reader: impl Read + Send,
        mut writer: impl Write,
        hang_up: impl Fn(),
        open: &Open,
    ) -> io::Result<()> {
        let mut buffer = Vec::new();
        let Some((head, length)) = read_head(&mut reader, &mut buffer)? else {
            return Ok(());
        };
        lock(&self.requests).push(format!("{} {}", head.method, head.target));
        if self.is_dead() {
            return Ok(());
        }
        let route = lock(&self.route).clone();
        let address = match route {
            Route::Running(address) => address,
            Route::Nothing(response) | Route::Broken(response) => {
                return say(&mut writer, &response, head.method == "HEAD");
            }
        };
        let Ok(mut backend) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else {
            return say(&mut writer, &Response::new(502, "text/plain", "Bad Gateway\n"), false);
        };
        let _place = open.add(&backend);
        let _ = backend.set_nodelay(true);
        let added: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let upgrade = head.get("upgrade").is_some();
        backend.write_all(&if upgrade {
            with(&buffer[..length], &added)
        } else {
            closing(&buffer[..length], &added)
        })?;
        backend.write_all(&buffer[length..])?;
        thread::scope(|scope| {
            let mut to = backend.try_clone()?;
            scope.spawn(move || {
                if pump(&mut reader, &mut to) {
                    // The client is gone, and the server has to hear of it.
                    let _ = to.shutdown(Shutdown::Both);
                }
            });
            let answered = answer(&mut backend, &mut writer);
            hang_up();
            answered
        })
    }

    fn is_dead(&self) -> bool {
        let mut outage = lock(&self.outage);
        match &mut *outage {
            Outage::None => false,
            Outage::Dead => true,
            Outage::DeadFor(left) => {
                *left -= 1;
                if *left == 0 {
                    *outage = Outage::None;
                }
                true
            }
        }
    }
}

/// A site at a separate `http://` address.
pub struct Front {
    listener: Listener,
}

impl Front {
    pub fn start(site: Arc<Site>) -> Self {
        Front {
            listener: http::connections(move |stream, open| {
                let Ok(reader) = stream.try_clone() else { return };
                let hang_up = || close_gently(&stream);
                let _ = site.serve(reader, &stream, hang_up, open);
            }),
        }
    }

    pub fn url(&self) -> String {
        self.listener.url()
    }
}

/// The end of what we send; the peer closes then. Closed at once, a reset could overtake the answer.
pub fn close_gently(stream: &TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
}

fn say(writer: &mut impl Write, response: &Response, for_head: bool) -> io::Result<()> {
    writer.write_all(&response.clone().with("connection", "close").bytes(for_head))?;
    writer.flush()?;
    Ok(())
}

/// Copies until the client ends (true), or the server takes no more (false): it may have answered already, and a client
/// that is still sending reads that only if somebody takes the rest.
fn pump(reader: &mut impl Read, to: &mut TcpStream) -> bool {
    let mut piece = [0; 16 * 1024];
    loop {
        match reader.read(&mut piece) {
            Ok(0) | Err(_) => return true,
            Ok(read) if to.write_all(&piece[..read]).is_err() => {
                while matches!(reader.read(&mut piece), Ok(1..)) {}
                return false;
            }
            Ok(_) => {}
        }
    }
}

/// The answer as it comes, with `connection: close` in its head.
fn answer(backend: &mut TcpStream, writer: &mut impl Write) -> io::Result<()> {
    let mut start = Vec::new();
    let mut piece = [0; 16 * 1024];
    let end = loop {
        let read = backend.read(&mut piece)?;
        if read == 0 {
            return writer.write_all(&start);
        }
        start.extend_from_slice(&piece[..read]);
        if let Some(end) = start.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    // A WebSocket goes on from here.
    let switched = start.starts_with(b"HTTP/1.1 101");
    writer.write_all(&if switched { start[..end].to_vec() } else { closing(&start[..end], "") })?;
    writer.write_all(&start[end..])?;
    writer.flush()?;
    loop {
        let read = backend.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        writer.write_all(&piece[..read])?;
        writer.flush()?;
    }
}

/// A head with more headers.
fn with(head: &[u8], added: &str) -> Vec<u8> {
    let end = head.len() - "\r\n".len();
    [&head[..end], added.as_bytes(), b"\r\n"].concat()
}

/// A head whose connection ends after it, with more headers.
fn closing(head: &[u8], added: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.trim_end().split("\r\n");
    let mut out = format!("{}\r\n", lines.next().unwrap_or_default());
    for line in lines {
        let name = line.split(':').next().unwrap_or_default();
        if !name.eq_ignore_ascii_case("connection") && !name.eq_ignore_ascii_case("keep-alive") {
            out.push_str(&format!("{line}\r\n"));
        }
    }
    out.push_str(added);
    out.push_str("connection: close\r\n\r\n");
    out.into_bytes()
}
