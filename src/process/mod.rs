//! Runs other programs: shown as one pasteable line, drained while they run, stopped with everything they started.
//! The only module that starts a child; it prints nothing and returns what happened.

mod answering;
mod command;
mod failure;
mod git;
mod output;
mod running;
mod scratch;
mod server;
pub mod watchdog;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;

pub use answering::Answerers;
pub use command::Cmd;
pub use failure::{Interrupted, ToolFailed};
pub use git::git;
pub use output::{LogListener, forms, plain};
pub use running::{install_interrupt_handler, interrupted};
pub use scratch::Scratch;
pub use server::ServerProcess;

use output::{Capture, Sink};
use running::{ChildRole, Running};

/// What happens to a child's input and output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Io {
    /// Nothing is shown; both pipes are drained while it runs, and kept for the error.
    Quiet,
    /// The child owns the terminal. Its stdout goes to our stderr, because our stdout is the answer.
    Live,
    /// Stdout is the answer and is kept whole; stderr is drained and kept for the error.
    Answer,
}

/// A child that ended with exit code 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub code: Option<i32>,
    /// Only under [`Io::Answer`].
    pub stdout: String,
    /// What it wrote, both pipes in the order they were read, without colours and secrets; only the end when it is
    /// long.
    pub log: String,
}

/// How long a child may take to obey SIGTERM before it gets SIGKILL.
const GRACE: Duration = Duration::from_secs(3);
/// How long to wait for the end of a pipe that an escaped descendant still holds open.
const SETTLE: Duration = Duration::from_millis(500);

/// Runs `cmd` to its end. A non-zero exit, a signal or an overrun `limit` is a [`ToolFailed`].
pub fn run(cmd: &Cmd, io: Io, limit: Option<Duration>) -> anyhow::Result<Ended> {
    if interrupted() {
        return Err(Interrupted.into());
    }
    let (running, capture) = start(cmd, io)?;
    ended(cmd, running, &capture, limit)
}

/// The same for a child that shows something as it comes and may ask on the terminal: `listener` hears its lines.
pub fn run_heard(cmd: &Cmd, listener: LogListener) -> anyhow::Result<Ended> {
    if interrupted() {
        return Err(Interrupted.into());
    }
    let mut command = cmd.to_std();
    command.stdin(Stdio::inherit()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let role = if io::stdin().is_terminal() { ChildRole::Foreground } else { ChildRole::Job };
    let (running, capture) = launch(cmd, command, role, Sink::Log, Some(listener))?;
    ended(cmd, running, &capture, None)
}

fn ended(cmd: &Cmd, mut running: Running, capture: &Capture, limit: Option<Duration>) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let ended = running.wait(limit.map(|limit| started + limit));
    let ended = ended.with_context(|| format!("cannot wait for `{}`", cmd.name()))?;
    let overrun = ended.is_none();
    let status = match ended {
        Some(status) => status,
        None => running.stop(GRACE),
    };
    capture.settle(SETTLE);

    let (log, stdout) = (capture.log(), capture.answer());
    if status.success() && !overrun {
        return Ok(Ended { code: status.code(), stdout, log });
    }
    // What a signal meets before it expects one ends with 1, such as Python while it starts.
    if interrupted() && status.code() == Some(1) {
        return Err(Interrupted.into());
    }
    let limit = limit.filter(|_| overrun);
    let said = if log.trim().is_empty() { capture.presentable(&stdout) } else { log };
    Err(ToolFailed { stdout, ..ToolFailed::new(cmd, status, limit, &said) }.into())
}

/// A TCP port of the loopback interface that nobody listens on. Never hands out the same one twice.
///
/// It lies below the ports that systems hand out by themselves: until its server listens, minutes of building may pass.
pub fn free_port() -> io::Result<u16> {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    const PORTS: std::ops::Range<u16> = 20_000..32_000;
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Two programs that look at the same time should not look at the same place.
    let from = RandomState::new().hash_one(std::process::id()) as usize % PORTS.len();
    for port in PORTS.cycle().skip(from).take(PORTS.len()) {
        if !given.contains(&port) && is_free(port) {
            given.insert(port);
            return Ok(port);
        }
    }
    Err(io::ErrorKind::AddrInUse.into())
}

/// Whether a server could listen on this port of the loopback interface.
pub fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn start(cmd: &Cmd, io: Io) -> anyhow::Result<(Running, Capture)> {
    let mut command = cmd.to_std();
    wire(&mut command, cmd, io).with_context(|| format!("cannot prepare `{}`", cmd.name()))?;
    let terminal = io == Io::Live && io::stdin().is_terminal();
    // On a terminal only the foreground group may read it, so a live child shares ours and gets Ctrl-C by itself.
    let role = if terminal { ChildRole::Foreground } else { ChildRole::Job };
    launch(cmd, command, role, if io == Io::Answer { Sink::Answer } else { Sink::Log }, None)
}

fn wire(command: &mut Command, cmd: &Cmd, io: Io) -> io::Result<()> {
    match io {
        Io::Quiet | Io::Answer => {
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        }
        Io::Live => {
            command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
            command.stdout(our_stderr()?);
        }
    }
    if cmd.input().is_some() {
        command.stdin(Stdio::piped());
    }
    Ok(())
}

#[cfg(unix)]
fn our_stderr() -> io::Result<Stdio> {
    use std::os::fd::AsFd;
    Ok(io::stderr().as_fd().try_clone_to_owned()?.into())
}

fn launch(
    cmd: &Cmd,
    mut command: Command,
    role: ChildRole,
    stdout: Sink,
    listener: Option<LogListener>,
) -> anyhow::Result<(Running, Capture)> {
    let mut running = Running::spawn(&mut command, role).with_context(|| cannot_run(cmd))?;
    let capture = Capture::new(cmd.secrets()).heard_by(listener);
    let (input, out, err) = running.pipes();
    if let (Some(mut pipe), Some(bytes)) = (input, cmd.input()) {
        let bytes = bytes.to_vec();
        // A child that ends without reading closes the pipe; its exit code tells the story then.
        std::thread::spawn(move || pipe.write_all(&bytes).is_ok());
    }
    if let Some(pipe) = out {
        capture.drain(Box::new(pipe) as Box<dyn Read + Send>, stdout);
    }
    if let Some(pipe) = err {
        capture.drain(Box::new(pipe), Sink::Log);
    }
    Ok((running, capture))
}

fn cannot_run(cmd: &Cmd) -> String {
    match cmd.dir() {
        Some(dir) if !dir.is_dir() => format!("cannot run `{}`: there is no folder `{}`", cmd.name(), dir.display()),
        _ => format!("cannot run `{}` (`{}`)", cmd.name(), cmd.program().display()),
    }
}

#[cfg(test)]
mod tests;
