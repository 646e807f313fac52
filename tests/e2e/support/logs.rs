//! A service that keeps logs and gives them in ranges of bytes, as object stores do.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::thread;

use super::work::folder;

pub static LOGS: LazyLock<Logs> = LazyLock::new(Logs::start);

pub struct Logs {
    pub url: String,
    dir: PathBuf,
}

impl Logs {
    fn start() -> Self {
        let dir = folder("logs");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let served = dir.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let dir = served.clone();
                thread::spawn(move || serve(&stream, &dir));
            }
        });
        Logs { url, dir }
    }

    /// Writes a log of at least `bytes`: NDJSON with lines of every length, escapes and more than ASCII among them.
    pub fn write(&self, name: &str, bytes: usize) -> PathBuf {
        let mut text = String::with_capacity(bytes + 200);
        for number in 0.. {
            if text.len() >= bytes {
                break;
            }
            let filler = "a\\\"ö, ".repeat(number * 7 % 40);
            let _ = writeln!(text, "{{\"n\":{number},\"level\":\"info\",\"text\":\"{filler}\"}}");
        }
        let path = self.dir.join(name);
        std::fs::write(&path, text).expect("our own folder can be written");
        path
    }
}

/// One connection: any number of requests for a range of a file.
fn serve(stream: &TcpStream, dir: &std::path::Path) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    while let Some(first) = lines.next() {
        let range = lines
            .by_ref()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned))
            .last();
        let name = first.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
        let (status, body) = read(&dir.join(name), range.as_deref());
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        if (&*stream).write_all(head.as_bytes()).and_then(|()| (&*stream).write_all(&body)).is_err() {
            break; // nobody is there any more
        }
    }
}

fn read(path: &std::path::Path, range: Option<&str>) -> (&'static str, Vec<u8>) {
    let Ok(file) = File::open(path) else { return ("404 Not Found", Vec::new()) };
    let (from, to) = range.and_then(|range| range.split_once('-')).expect("only ranges are asked for");
    let (from, to): (u64, u64) = (from.parse().expect("a number"), to.parse().expect("a number"));
    let length = file.metadata().expect("an open file").len();
    if from >= length {
        return ("416 Range Not Satisfiable", Vec::new());
    }
    let mut body = vec![0; usize::try_from((to + 1).min(length) - from).expect("a part fits into memory")];
    file.read_exact_at(&mut body, from).expect("a file can be read");
    ("206 Partial Content", body)
}
