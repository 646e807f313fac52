//! A background child, such as a cloud's local runtime: watched until it is ready, stopped with its whole group.

use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::output::{Capture, LogListener, Sink};
use super::running::{ChildRole, Running};
use super::{Cmd, GRACE, Interrupted, SETTLE, ToolFailed, interrupted, launch};

/// Lives until [`ServerProcess::stop`] or until it is dropped.
pub struct ServerProcess {
    cmd: Cmd,
    running: Running,
    capture: Capture,
}

impl ServerProcess {
    pub fn spawn(cmd: &Cmd) -> anyhow::Result<Self> {
        Self::spawn_heard(cmd, None)
    }

    /// The listener hears its log as it comes.
    pub fn spawn_heard(cmd: &Cmd, listener: Option<LogListener>) -> anyhow::Result<Self> {
        if interrupted() {
            return Err(Interrupted.into());
        }
        let mut command = cmd.to_std();
        let input = if cmd.input().is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let (running, capture) = launch(cmd, command, ChildRole::Server, Sink::Log, listener)?;
        Ok(ServerProcess { cmd: cmd.clone(), running, capture })
    }

    /// What it wrote so far, as far as it is kept.
    pub fn log(&self) -> String {
        self.capture.log()
    }

    /// Its status, when it has ended by itself.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        // It cannot be waited for only when somebody else did, and then it is gone as well.
        self.running.poll().unwrap_or_else(|_| Some(self.running.stop(Duration::ZERO)))
    }

    /// Asks `probe` until it says yes. Fails at once when the child ends or the user interrupts.
    pub fn wait_ready(&mut self, probe: &mut dyn FnMut() -> bool, limit: Duration) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.exited() {
                return Err(self.ended_early(status));
            }
            if probe() {
                return Ok(());
            }
            if interrupted() {
                return Err(Interrupted.into());
            }
            if Instant::now() >= deadline {
                let status = self.running.stop(GRACE);
                self.capture.settle(SETTLE);
                let failed = ToolFailed::new(&self.cmd, status, Some(limit), &self.log());
                return Err(anyhow::Error::from(failed).context(format!("`{}` did not become ready", self.cmd.name())));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn stop(mut self) {
        self.running.stop(GRACE);
    }

    fn ended_early(&self, status: ExitStatus) -> anyhow::Error {
        if interrupted() {
            return Interrupted.into();
        }
        self.capture.settle(SETTLE);
        let failed = ToolFailed::new(&self.cmd, status, None, &self.log());
        anyhow::Error::from(failed).context(format!("`{}` ended before it was ready", self.cmd.name()))
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.running.stop(GRACE);
    }
}
