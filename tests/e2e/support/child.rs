//! Children: their output is read while they run, they end in time, and nothing of them is left.

use std::fmt;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

/// A port of 127.0.0.1 for a server that is yet to start.
pub fn free_port() -> String {
    mcp_deploy::process::free_port().expect("a free port").to_string()
}

/// No single command of these tests takes that long, not even on a busy machine.
pub const LONG: Duration = Duration::from_secs(600);
/// For what happens at once.
pub const SHORT: Duration = Duration::from_secs(60);

/// A child that has ended.
#[derive(Debug, Clone)]
pub struct Ran {
    line: String,
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// 128 + signal for a killed one, as a shell says it.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code(), code, "{self}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        let answer =
            serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is not JSON: {error}\n{self}"));
        // What a client or another tool says is not ours to document.
        if self.line.starts_with(env!("CARGO_BIN_EXE_mcp-deploy")) {
            crate::answers::conforms_to(&self.line, &answer);
        }
        answer
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ran { line, stdout, stderr, .. } = self;
        write!(f, "`{line}` ended with {}\n--- stdout\n{}\n--- stderr\n{}", self.code(), end(stdout), end(stderr))
    }
}

/// Runs a command to its end.
#[track_caller]
pub fn run(command: Command) -> Ran {
    Running::start(command).wait(LONG)
}

/// A child in a separate process group, which dies with this value.
pub struct Running {
    line: String,
    child: Child,
    stdin: Option<ChildStdin>,
    pub stdout: Said,
    pub stderr: Said,
}

impl Running {
    #[track_caller]
    pub fn start(command: Command) -> Self {
        Self::spawn(command, Stdio::null())
    }

    /// As [`Running::start`]; and when this process ends, however it does, the child gets SIGTERM: for values that are
    /// never dropped.
    #[track_caller]
    pub fn guarded(command: Command) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", GUARD, "sh"]).arg(command.get_program()).args(command.get_args());
        if let Some(dir) = command.get_current_dir() {
            shell.current_dir(dir);
        }
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(key, value),
                None => shell.env_remove(key),
            };
        }
        Self::holding(shell)
    }

    /// Its stdin ends when this process does.
    #[track_caller]
    pub fn holding(command: Command) -> Self {
        Self::spawn(command, Stdio::piped())
    }

    #[track_caller]
    fn spawn(mut command: Command, stdin: Stdio) -> Self {
        let line = shown(&command);
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
        let stdin = child.stdin.take();
        let stdout = Said::of(child.stdout.take().expect("piped"));
        let stderr = Said::of(child.stderr.take().expect("piped"));
        Running { line, child, stdin, stdout, stderr }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be waited for")
    }

    /// To the child alone, as `kill PID` would.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the child takes a signal");
    }

    /// Asks `done` until it has an answer; fails when the child ends before, or the time is over.
    #[track_caller]
    pub fn until<T>(&mut self, what: &str, limit: Duration, mut done: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.exited();
            if let Some(answer) = done(self) {
                return answer;
            }
            let too_late = Instant::now() >= deadline;
            if ended.is_some() || too_late {
                let why = if too_late { "not in time" } else { "it ended before" };
                let (out, err) = (self.stdout.text(), self.stderr.text());
                panic!("{}: waited for {what}: {why}\n--- stdout\n{}\n--- stderr\n{}", self.line, end(&out), end(&err));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Ran {
        let deadline = Instant::now() + limit;
        let status = loop {
            if let Some(status) = self.exited() {
                break status;
            }
            let (out, err) = (self.stdout.text(), self.stderr.text());
            assert!(Instant::now() < deadline, "{} did not end in {limit:?}\n{}\n{}", self.line, end(&out), end(&err));
            thread::sleep(Duration::from_millis(10));
        };
        self.stdout.closed(Duration::from_secs(5));
        self.stderr.closed(Duration::from_secs(5));
        Ran { line: self.line.clone(), status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

/// Its stdin ends: the child gets SIGTERM. The child ends: so do we.
const GUARD: &str = r#"
exec 3<&0
"$@" 3<&- </dev/null & child=$!
{ cat <&3; kill -TERM $child; } >/dev/null 2>&1 & watcher=$!
wait $child; code=$?
kill $watcher 2>/dev/null
exit $code
"#;

impl Drop for Running {
    fn drop(&mut self) {
        // A guarded child gets the time to stop what it started itself.
        if self.stdin.take().is_some() {
            let deadline = Instant::now() + Duration::from_secs(15);
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(20));
            }
        }
        let _gone = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _reaped = self.child.wait();
    }
}

/// What a child has written so far.
#[derive(Clone, Default)]
pub struct Said(Arc<Pipe>);

#[derive(Default)]
struct Pipe {
    read: Mutex<Read>,
    changed: Condvar,
}

#[derive(Default)]
struct Read {
    bytes: Vec<u8>,
    ended: bool,
}

impl Said {
    fn of(mut pipe: impl io::Read + Send + 'static) -> Self {
        let said = Said::default();
        let theirs = said.clone();
        thread::spawn(move || {
            let mut buffer = [0; 8192];
            loop {
                let length = pipe.read(&mut buffer).unwrap_or(0);
                let mut read = theirs.read();
                read.bytes.extend_from_slice(&buffer[..length]);
                read.ended = length == 0;
                theirs.0.changed.notify_all();
                if length == 0 {
                    return;
                }
            }
        });
        said
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.read().bytes).into_owned()
    }

    /// Waits for the end of the pipe, which a descendant may hold open.
    fn closed(&self, limit: Duration) {
        let _ = self.0.changed.wait_timeout_while(self.read(), limit, |read| !read.ended);
    }

    fn read(&self) -> MutexGuard<'_, Read> {
        self.0.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without its environment.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy());
    words.filter(|word| word != GUARD).collect::<Vec<_>>().join(" ")
}

/// The last lines: enough to see what went wrong.
fn end(text: &str) -> &str {
    let from = text.len().saturating_sub(6000);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[from..]
}

/// Processes that carry `KEY=value` in their environment: what a command started, whoever adopted it since.
pub fn carrying(mark: &str) -> Vec<String> {
    if cfg!(target_os = "linux") {
        let entries = std::fs::read_dir("/proc").expect("Linux has /proc");
        let pids = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok());
        let marked = pids.filter(|entry| {
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        });
        let line = |entry: std::fs::DirEntry| {
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            format!("{} {}", entry.file_name().to_string_lossy(), String::from_utf8_lossy(&line).replace('\0', " "))
        };
        return marked.map(line).collect();
    }
    let listed = Command::new("ps").args(["axeww", "-o", "pid=,command="]).output().expect("there is a `ps`");
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    listed.lines().filter(|line| line.split(' ').any(|word| word == mark)).map(str::to_owned).collect()
}
