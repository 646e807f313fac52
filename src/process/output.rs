//! Pipes drained by threads into bounded memory, and their text made fit to show.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::command::SHORTEST_SECRET;

/// Where a pipe's bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    Log,
    Answer,
}

/// Everything a child wrote, as far as it is kept.
#[derive(Clone)]
pub(super) struct Capture {
    shared: Arc<SharedLog>,
    secrets: Arc<[String]>,
    listener: Option<LogListener>,
}

/// Hears every line of a log as it comes, without colours and secrets.
pub type LogListener = Arc<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct SharedLog {
    kept: Mutex<KeptOutput>,
    changed: Condvar,
}

#[derive(Default)]
struct KeptOutput {
    log: Vec<u8>,
    cut: bool,
    answer: Vec<u8>,
    open: usize,
    seen: u64,
}

/// How much of a log is kept.
pub(super) const KEEP: usize = 256 * 1024;
/// A line longer than this is passed on in pieces.
const LINE: usize = 8 * 1024;

impl Capture {
    pub fn new(secrets: Vec<String>) -> Self {
        let mut secrets: Vec<String> = secrets.iter().flat_map(|secret| forms(secret)).collect();
        // The longest first: one may be the beginning of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Capture { shared: Arc::default(), secrets: secrets.into(), listener: None }
    }

    pub fn heard_by(self, listener: Option<LogListener>) -> Self {
        Capture { listener, ..self }
    }

    /// Drains `pipe` to its end in a separate thread.
    pub fn drain(&self, pipe: Box<dyn Read + Send>, sink: Sink) {
        self.kept().open += 1;
        let capture = self.clone();
        std::thread::spawn(move || {
            capture.read(pipe, sink);
            capture.kept().open -= 1;
            capture.shared.changed.notify_all();
        });
    }

    /// Waits until every pipe is closed, or until none has said anything for `quiet`.
    pub fn settle(&self, quiet: Duration) {
        let mut kept = self.kept();
        while kept.open > 0 {
            let seen = kept.seen;
            let (next, wait) = self.shared.changed.wait_timeout(kept, quiet).unwrap_or_else(PoisonError::into_inner);
            kept = next;
            if wait.timed_out() && kept.seen == seen {
                return;
            }
        }
    }

    pub fn log(&self) -> String {
        let kept = self.kept();
        let start = kept.log.len().saturating_sub(KEEP);
        let mut bytes = &kept.log[start..];
        if kept.cut || start > 0 {
            // The first line is probably half a line, half a character or half a colour.
            let whole = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes = &bytes[whole..];
        }
        self.presentable(&String::from_utf8_lossy(bytes))
    }

    /// Without colours and secrets. They go first: what makes a line readable may take them apart.
    pub fn presentable(&self, text: &str) -> String {
        let hide = |text: String| self.secrets.iter().fold(text, |text, secret| text.replace(secret.as_str(), "***"));
        hide(plain(&hide(text.to_owned())))
    }

    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.kept().answer).into_owned()
    }

    /// Whole lines into the log, so that two pipes interleave readably.
    fn read(&self, mut pipe: Box<dyn Read + Send>, sink: Sink) {
        let mut buffer = [0; 16 * 1024];
        let mut partial = Vec::new();
        loop {
            let read = match pipe.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => &buffer[..read],
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            if sink == Sink::Answer {
                self.keep(sink, read);
                continue;
            }
            partial.extend_from_slice(read);
            let whole = match partial.iter().rposition(|byte| *byte == b'\n') {
                Some(at) => at + 1,
                None if partial.len() > LINE => partial.len(),
                None => 0,
            };
            self.keep(sink, &partial[..whole]);
            partial.drain(..whole);
        }
        self.keep(sink, &partial);
    }

    fn keep(&self, sink: Sink, bytes: &[u8]) {
        // Before the lock: a listener may take its time.
        if let (Sink::Log, Some(listener)) = (sink, &self.listener) {
            self.presentable(&String::from_utf8_lossy(bytes)).lines().for_each(|line| listener(line));
        }
        let mut kept = self.kept();
        kept.seen += bytes.len() as u64;
        match sink {
            Sink::Answer => kept.answer.extend_from_slice(bytes),
            Sink::Log => kept.log.extend_from_slice(bytes),
        }
        if kept.log.len() > 2 * KEEP {
            let surplus = kept.log.len() - KEEP;
            kept.log.drain(..surplus);
            kept.cut = true;
        }
    }

    fn kept(&self) -> MutexGuard<'_, KeptOutput> {
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a secret may stand in a log: as it is, a line of it alone, as JSON writes it, also JSON in JSON, and with `\u`
/// for what is not ASCII; and as URLs and forms have it.
pub fn forms(secret: &str) -> Vec<String> {
    let lines = secret.lines().filter(|line| line.trim().len() >= SHORTEST_SECRET);
    let mut forms = vec![secret.to_owned()];
    forms.extend(lines.map(str::to_owned));
    for escape in [json as fn(&str) -> String, ascii_json] {
        let once = escape(secret);
        forms.extend([escape(&once), once]);
    }
    // What each of them leaves as it is: RFC 3986, JavaScript's `encodeURIComponent` and `encodeURI`, and a form.
    for (kept, space) in [("-_.~", "%20"), ("-_.~!'()*", "%20"), ("-_.~!'()*;/?:@&=+$,#", "%20"), ("-_.*", "+")] {
        let upper = percent_encoded(secret, kept, space);
        forms.extend([lower_bytes(&upper), upper]);
    }
    forms.sort();
    forms.dedup();
    forms
}

fn percent_encoded(text: &str, kept: &str, space: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match char::from(byte) {
            ' ' => out.push_str(space),
            c if c.is_ascii_alphanumeric() || kept.contains(c) && c.is_ascii() => out.push(c),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// With `%2f` for `%2F`.
fn lower_bytes(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| format!("{out}%{}{}", part[..2].to_ascii_lowercase(), &part[2..]))
}

/// The text as JSON has it between the quotes.
fn json(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn ascii_json(text: &str) -> String {
    let units = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>();
    json(text).chars().map(|c| if c.is_ascii() { c.to_string() } else { units(c) }).collect()
}

/// The text as it would stay on a screen: no escape sequences, no control characters, a redrawn line only once.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut line = 0;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\n' => {
                out.push('\n');
                line = out.len();
            }
            '\r' if matches!(chars.peek(), Some('\n') | None) => {}
            '\r' => out.truncate(line),
            '\t' => out.push('\t'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

fn skip_escape(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match chars.next() {
        Some('[') => {
            chars.find(|c| ('@'..='~').contains(c));
        }
        // Titles and links end with BEL or ESC \.
        Some(']' | 'P' | '_' | '^') => {
            let mut last = ' ';
            chars.find(|c| {
                let end = *c == '\u{7}' || (last == '\u{1b}' && *c == '\\');
                last = *c;
                end
            });
        }
        Some('(' | ')' | '#') => {
            chars.next();
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_redraws_are_gone() {
        let table = [
            ("\u{1b}[1;31merror\u{1b}[0m: x", "error: x"),
            ("\u{1b}]8;;https://a.dev\u{1b}\\link\u{1b}]8;;\u{7}!", "link!"),
            ("a\r\nb\r\n", "a\nb\n"),
            ("10%\r50%\r100%\n", "100%\n"),
            ("\u{1b}[2K\u{1b}[1Gdone\u{1b}[?25h", "done"),
            ("\u{1b}(Bx\u{7}\ty", "x\ty"),
            ("ends \u{1b}", "ends "),
        ];
        for (raw, shown) in table {
            assert_eq!(plain(raw), shown, "{raw:?}");
        }
    }

    #[test]
    fn only_the_end_of_a_long_log_is_kept() {
        let capture = Capture::new(Vec::new());
        let text: String = (0..200_000).map(|n| format!("line {n}\n")).collect();
        capture.drain(Box::new(std::io::Cursor::new(text)), Sink::Log);
        capture.settle(Duration::from_secs(5));
        let log = capture.log();
        assert!(log.len() <= KEEP && log.len() > KEEP - 20);
        assert!(log.starts_with("line ") && log.ends_with("line 199999\n"));
        assert!(capture.kept().log.capacity() < 8 * KEEP);
    }

    #[test]
    fn a_listener_hears_whole_lines_without_secrets() {
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let hearing = heard.clone();
        let listener: LogListener = Arc::new(move |line: &str| hearing.lock().unwrap().push(line.to_owned()));
        let capture = Capture::new(vec!["hunter2".into()]).heard_by(Some(listener));
        let (one, other): (&[u8], &[u8]) = (b"a=hun", b"ter2\nb\nlast");
        capture.drain(Box::new(one.chain(other)), Sink::Log);
        capture.settle(Duration::from_secs(5));
        assert_eq!(*heard.lock().unwrap(), ["a=***", "b", "last"]);
        assert_eq!(capture.log(), "a=***\nb\nlast");
    }

    #[test]
    fn secrets_are_blotted_out() {
        let capture = Capture::new(vec!["hunter2-long".into(), "hunter2".into()]);
        capture.drain(Box::new(std::io::Cursor::new("a=hunter2-long b=hunt\u{1b}[1mer2\n")), Sink::Log);
        capture.settle(Duration::from_secs(5));
        assert_eq!(capture.log(), "a=*** b=***\n");
    }

    #[test]
    fn secrets_are_blotted_out_as_urls_have_them() {
        let secret = "pass/w\u{f6}rd +(!)%";
        let forms = [
            "pass%2Fw%C3%B6rd%20%2B%28%21%29%25",
            "pass%2fw%c3%b6rd%20%2b%28%21%29%25",
            "pass%2Fw%C3%B6rd%20%2B(!)%25",
            "pass/w%C3%B6rd%20+(!)%25",
            "pass%2Fw%C3%B6rd+%2B%28%21%29%25",
        ];
        let capture = Capture::new(vec![secret.into()]);
        let log: String = forms.iter().map(|form| format!("https://a.example/?key={form}&b={form}\n")).collect();
        capture.drain(Box::new(std::io::Cursor::new(log)), Sink::Log);
        capture.settle(Duration::from_secs(5));
        assert!(capture.log().lines().all(|line| line == "https://a.example/?key=***&b=***"), "{}", capture.log());
        assert!(!percent_encoded("é", "é", "+").contains('é'));
    }

    #[test]
    fn secrets_are_blotted_out_as_json_writes_them() {
        let secret = "pass\"wörd\\\nand 😀 more";
        let line = serde_json::json!({ "error": secret }).to_string();
        let inner = serde_json::json!({ "body": line, "key": 1 }).to_string();
        let ascii = r#"{"error":"pass\"w\u00f6rd\\\nand \ud83d\ude00 more"}"#;
        let log = format!("{line}\n{inner}\n{ascii}\nraw {secret}!\nthe end: and 😀 more\n");
        let capture = Capture::new(vec![secret.into()]);
        capture.drain(Box::new(std::io::Cursor::new(log)), Sink::Log);
        capture.settle(Duration::from_secs(5));
        let shown = [
            r#"{"error":"***"}"#,
            r#"{"body":"{\"error\":\"***\"}","key":1}"#,
            r#"{"error":"***"}"#,
            "raw ***!",
            "the end: ***",
        ];
        assert_eq!(capture.log().lines().collect::<Vec<_>>(), shown);
    }
}
