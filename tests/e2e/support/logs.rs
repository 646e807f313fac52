//! A service that keeps logs and gives them in ranges of bytes, as object stores do.

use std::fmt::Write as _;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use super::work::folder;
use crate::http::{self, Listener, Request, Response};

pub static LOGS: LazyLock<Logs> = LazyLock::new(Logs::start);

pub struct Logs {
    pub url: String,
    dir: PathBuf,
    _listener: Listener,
}

impl Logs {
    fn start() -> Self {
        let dir = folder("logs");
        let served = dir.clone();
        let listener = http::requests(move |request| serve(request, &served).into());
        Logs { url: listener.url(), dir, _listener: listener }
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

fn serve(request: &Request, dir: &Path) -> Response {
    let Ok(file) = File::open(dir.join(request.path.trim_start_matches('/'))) else { return Response::empty(404) };
    let range = request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
    let (from, to) = range.expect("only ranges are asked for");
    let (from, to): (u64, u64) = (from.parse().expect("a number"), to.parse().expect("a number"));
    let length = file.metadata().expect("an open file").len();
    if from >= length {
        return Response::empty(416);
    }
    let mut body = vec![0; usize::try_from((to + 1).min(length) - from).expect("a part fits into memory")];
    file.read_exact_at(&mut body, from).expect("a file can be read");
    Response { body, ..Response::empty(206) }
}
