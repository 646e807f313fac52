//! Children that are alive, the signals that reach them, and their end: nothing they started outlives them.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, test_kill_process_group, waitid,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::{GRACE, watchdog};

/// How a child hears of an interruption.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChildRole {
    /// In our group, so the terminal's Ctrl-C reaches it by itself.
    Foreground,
    /// In its own group, to which the same signal is passed on; we wait for it.
    Job,
    /// In its own group, which is asked to end.
    Server,
}

/// A child that has not been reaped yet.
pub(super) struct Running {
    child: Child,
    entry: ChildEntry,
    status: Option<ExitStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ChildEntry {
    pid: Pid,
    role: ChildRole,
}

static ALIVE: Mutex<Vec<ChildEntry>> = Mutex::new(Vec::new());
static SIGNALS: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicI32 = AtomicI32::new(SIGINT);

/// Has the user asked us to stop?
pub fn interrupted() -> bool {
    SIGNALS.load(Ordering::Relaxed) > 0
}

pub(super) fn last_signal() -> i32 {
    LAST.load(Ordering::Relaxed)
}

/// From now on the first Ctrl-C (or SIGTERM, SIGHUP) is passed on and noted, and the second kills everything at once.
pub fn install_interrupt_handler() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // What our parent told us to ignore (nohup, a shell's `&`) stays ignored.
        let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !ignored(*signal));
        if let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) {
            std::thread::spawn(move || signals.forever().for_each(on_signal));
        }
    });
}

impl Running {
    pub fn spawn(command: &mut Command, role: ChildRole) -> io::Result<Self> {
        if role != ChildRole::Foreground {
            command.process_group(0);
        }
        // Locked until it is listed: a signal in between would miss it.
        let mut alive = alive();
        let child = spawn_patiently(command)?;
        let pid = Pid::from_child(&child);
        let entry = ChildEntry { pid, role };
        watchdog::watch(entry.number());
        alive.push(entry);
        Ok(Running { child, entry, status: None })
    }

    pub fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Its status, when it has ended; whatever is left of its group is killed then.
    pub fn poll(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_some() || !self.has_ended()? {
            return Ok(self.status);
        }
        // In this order: until it is reaped its id belongs to nobody else, so the signal cannot hit a stranger.
        let mut alive = alive();
        self.entry.kill_all();
        watchdog::forget(self.entry.number());
        alive.retain(|entry| *entry != self.entry);
        self.status = Some(self.child.wait()?);
        Ok(self.status)
    }

    /// Waits for its end; nothing when the deadline comes first.
    pub fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<ExitStatus>> {
        let mut pause = Duration::from_millis(1);
        let mut told = None;
        loop {
            if let Some(status) = self.poll()? {
                return Ok(Some(status));
            }
            // Not every tool obeys the first signal, least of all while it waits for an answer of its API.
            if self.entry.role == ChildRole::Job
                && interrupted()
                && told.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS
            {
                return Ok(Some(self.stop(GRACE)));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    /// SIGTERM to the group, up to `grace` for it to obey, SIGKILL to what is left.
    pub fn stop(&mut self, grace: Duration) -> ExitStatus {
        if self.status.is_none() {
            self.entry.send(Signal::TERM);
        }
        match self.wait(Some(Instant::now() + grace)) {
            Ok(Some(status)) => status,
            _ => self.kill(),
        }
    }

    fn kill(&mut self) -> ExitStatus {
        let mut alive = alive();
        self.entry.kill_all();
        if self.entry.role == ChildRole::Foreground {
            self.entry.send(Signal::KILL);
        }
        watchdog::forget(self.entry.number());
        alive.retain(|entry| *entry != self.entry);
        let status = self.child.wait().unwrap_or_else(|_| ExitStatus::from_raw(SIGKILL));
        *self.status.insert(status)
    }

    fn has_ended(&self) -> io::Result<bool> {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        loop {
            match waitid(WaitId::Pid(self.entry.pid), look) {
                Ok(state) => return Ok(state.is_some()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.kill();
        }
    }
}

/// How long a tool may take to obey an interruption before it is asked to end.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);

const SIGKILL: i32 = 9;

impl ChildEntry {
    /// As kill(1) takes it.
    fn number(self) -> i32 {
        let pid = self.pid.as_raw_nonzero().get();
        if self.role == ChildRole::Foreground { pid } else { -pid }
    }

    /// To the child's group, if it has one. A child that has ended already does not count as an error.
    fn send(self, signal: Signal) {
        let sent = match self.role {
            ChildRole::Foreground => kill_process(self.pid, signal),
            ChildRole::Job | ChildRole::Server => kill_process_group(self.pid, signal),
        };
        let _gone = sent;
    }

    /// SIGKILL to all that is left of the child's group.
    fn kill_all(self) {
        if self.role != ChildRole::Foreground && test_kill_process_group(self.pid).is_ok() {
            self.send(Signal::KILL);
        }
    }

    fn interrupt(self, signal: i32) {
        match self.role {
            ChildRole::Server => self.send(Signal::TERM),
            ChildRole::Foreground if signal == SIGINT => {}
            ChildRole::Foreground | ChildRole::Job => self.send(Signal::from_named_raw(signal).unwrap_or(Signal::TERM)),
        }
    }
}

/// A program written a moment ago is "busy" as long as some other child is between its fork and its exec.
fn spawn_patiently(command: &mut Command) -> io::Result<Child> {
    for _ in 0..50 {
        match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {}
            spawned => return spawned,
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    command.spawn()
}

fn on_signal(signal: i32) {
    let alive = alive();
    LAST.store(signal, Ordering::Relaxed);
    if SIGNALS.fetch_add(1, Ordering::Relaxed) == 0 {
        alive.iter().for_each(|entry| entry.interrupt(signal));
        return;
    }
    alive.iter().for_each(|entry| entry.send(Signal::KILL));
    // Still locked, so nothing new can start.
    std::process::exit(128 + signal);
}

fn alive() -> MutexGuard<'static, Vec<ChildEntry>> {
    ALIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Linux tells; elsewhere nothing counts as ignored.
fn ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
