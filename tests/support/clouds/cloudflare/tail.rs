//! `wrangler tail`: a WebSocket on which the requests to a Worker, and what it logged, arrive as they happen.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use sha1::{Digest, Sha1};

use super::super::http::{self, Listener, Reply, Response, lock};

/// Gives the events since it was asked last.
pub type Source = Box<dyn FnMut() -> Vec<Value> + Send>;

pub struct Tails {
    listener: Listener,
    sources: Arc<Mutex<HashMap<String, Source>>>,
}

const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const PROTOCOL: &str = "trace-v1";

impl Tails {
    pub fn start() -> Self {
        let sources: Arc<Mutex<HashMap<String, Source>>> = Arc::default();
        let known = Arc::clone(&sources);
        let listener = http::requests(move |request| {
            let source = lock(&known).remove(request.path.trim_start_matches('/'));
            let (Some(key), Some(source)) = (request.header("sec-websocket-key"), source) else {
                return Response::empty(404).into();
            };
            let accept = BASE64.encode(Sha1::digest(format!("{key}{GUID}")));
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                 sec-websocket-accept: {accept}\r\nsec-websocket-protocol: {PROTOCOL}\r\n\r\n"
            );
            Reply::Upgrade(head.into_bytes(), Box::new(move |stream| talk(stream, source)))
        });
        Tails { listener, sources }
    }

    /// The address at which one client may read from `source`.
    pub fn open(&self, id: &str, source: Source) -> String {
        lock(&self.sources).insert(id.to_owned(), source);
        format!("ws://{}/{id}", self.listener.address())
    }

    pub fn close(&self, id: &str) {
        lock(&self.sources).remove(id);
    }
}

/// Sends events and answers pings until the client is gone.
fn talk(mut stream: TcpStream, mut source: Source) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(100)));
    let mut buffer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => buffer.extend_from_slice(&piece[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
        while let Some((opcode, payload)) = take_frame(&mut buffer) {
            let answer = match opcode {
                8 => frame(8, &payload),
                9 => frame(10, &payload),
                _ => continue,
            };
            if stream.write_all(&answer).is_err() || opcode == 8 {
                return;
            }
        }
        for event in source() {
            if stream.write_all(&frame(1, event.to_string().as_bytes())).is_err() {
                return;
            }
        }
    }
}

fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..126 => frame.push(length as u8),
        length @ 126..0x10000 => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

/// One short frame of a client; masked or, as `wrangler` asks for in its first one, not.
fn take_frame(buffer: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (first, second) = (*buffer.first()?, *buffer.get(1)?);
    let (length, mut at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes([*buffer.get(2)?, *buffer.get(3)?])), 4),
        length => (usize::from(length), 2),
    };
    let mask = if second & 0x80 == 0 { vec![0; 4] } else { buffer.get(at..at + 4)?.to_vec() };
    at += if second & 0x80 == 0 { 0 } else { 4 };
    let payload = buffer.get(at..at + length)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    buffer.drain(..at + length);
    Some((first & 0x0f, payload))
}
