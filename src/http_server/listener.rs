//! Connections on 127.0.0.1, a thread for each.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The open connections, so that all of them can be closed at once.
#[derive(Clone, Default)]
pub struct Open(Arc<Connections>);

#[derive(Default)]
struct Connections {
    is_closing: AtomicBool,
    /// With the number of the next.
    streams: Mutex<(u64, HashMap<u64, TcpStream>)>,
}

impl Open {
    fn streams(&self) -> MutexGuard<'_, (u64, HashMap<u64, TcpStream>)> {
        self.0.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a connection among the open ones until the result is dropped.
    pub fn add(&self, stream: &TcpStream) -> Option<Counted> {
        self.admit(stream, usize::MAX)
    }

    /// The same, unless `most` are open.
    fn admit(&self, stream: &TcpStream, most: usize) -> Option<Counted> {
        let copy = stream.try_clone().ok()?;
        let mut streams = self.streams();
        if self.is_closing() || streams.1.len() >= most {
            return None;
        }
        let id = streams.0;
        streams.0 += 1;
        streams.1.insert(id, copy);
        Some(Counted { open: self.clone(), id })
    }

    pub fn is_closing(&self) -> bool {
        self.0.is_closing.load(Ordering::SeqCst)
    }

    /// Sleeps, but not longer than the listener lives.
    pub fn sleep(&self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end && !self.is_closing() {
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Closes the connections that are open now.
    pub fn cut(&self) {
        for stream in self.streams().1.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn close(&self) {
        let streams = self.streams();
        self.0.is_closing.store(true, Ordering::SeqCst);
        drop(streams);
        self.cut();
    }
}

/// The place of a connection among the open ones.
pub struct Counted {
    open: Open,
    id: u64,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.open.streams().1.remove(&self.id);
    }
}

/// Dropped, it closes every connection and ends its threads.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    open: Open,
    acceptor: Option<JoinHandle<()>>,
}

impl Listener {
    /// Takes a port (0: a free one). Connections wait until [`Listener::serve`].
    pub fn bind(port: u16) -> io::Result<Self> {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = socket.local_addr()?;
        Ok(Listener { socket, address, open: Open::default(), acceptor: None })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn open(&self) -> Open {
        self.open.clone()
    }

    /// Serves each connection on a separate thread, `most` at the same time; closes further ones.
    pub fn serve(&mut self, most: usize, serve: impl Fn(TcpStream, &Open) + Send + Sync + 'static) -> io::Result<()> {
        let (socket, open) = (self.socket.try_clone()?, self.open.clone());
        let acceptor = thread::Builder::new().spawn(move || accept(&socket, &open, most, &serve))?;
        self.acceptor = Some(acceptor);
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.open.close();
        if let Some(acceptor) = self.acceptor.take() {
            // Nothing else ends an `accept` on every system.
            let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
            let _ = acceptor.join();
        }
    }
}

/// Until everything closes; the threads of all connections have ended when this returns.
fn accept(socket: &TcpListener, open: &Open, most: usize, serve: &(impl Fn(TcpStream, &Open) + Sync)) {
    thread::scope(|scope| {
        while !open.is_closing() {
            let Ok((stream, _)) = socket.accept() else {
                thread::sleep(Duration::from_millis(10)); // out of descriptors: some will be free again
                continue;
            };
            let Some(counted) = open.admit(&stream, most) else {
                continue;
            };
            // Without a thread to spare the connection is closed.
            let _ = thread::Builder::new().spawn_scoped(scope, move || {
                let _counted = counted; // whole: capturing a field of it would let go of the place at once
                serve(stream, open);
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::super::Conn;
    use super::*;

    #[test]
    fn connections_are_bounded_and_end_with_the_listener() {
        let mut listener = Listener::bind(0).unwrap();
        let serve = |stream, _: &Open| {
            let mut conn = Conn::new(stream);
            while let Ok(Some(head)) = conn.head() {
                let body = conn.body(&head).and_then(|mut body| body.collect(10)).unwrap();
                conn.answer(200, &[], &body).unwrap();
            }
        };
        listener.serve(1, serve).unwrap();
        let ask = |stream: &TcpStream| {
            let (mut said, mut stream) = ([0; 64], stream);
            let _gone = io::Write::write_all(&mut stream, b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\nhi");
            stream.read(&mut said).map_or(String::new(), |read| String::from_utf8_lossy(&said[..read]).into_owned())
        };
        let one = TcpStream::connect(listener.address()).unwrap();
        assert!(ask(&one).ends_with("content-length: 2\r\n\r\nhi"));
        let another = TcpStream::connect(listener.address()).unwrap();
        assert_eq!(ask(&another), "", "there is no room for it");
        assert!(ask(&one).starts_with("HTTP/1.1 200 OK"), "a connection stays for the next request");
        let address = listener.address();
        drop(listener);
        assert_eq!(ask(&one), "");
        assert!(TcpStream::connect(address).is_err());
    }
}
