//! What is said, and which code we exit with, when a tool fails or the user interrupts.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::{Cmd, running};
use crate::error::{self, Error};

/// A child that did not end with exit code 0.
#[derive(Debug, Clone)]
pub struct ToolFailed {
    /// The pasteable line.
    pub command: String,
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// The limit it overran, when that is why it was stopped.
    pub limit: Option<Duration>,
    /// Its last lines, without colours.
    pub tail: String,
    /// The whole answer under `Io::Answer`: some tools put their error document there.
    pub stdout: String,
}

/// The user asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted;

const TAIL_LINES: usize = 25;
const TAIL_BYTES: usize = 4 * 1024;

impl ToolFailed {
    pub(super) fn new(cmd: &Cmd, status: ExitStatus, limit: Option<Duration>, said: &str) -> Self {
        ToolFailed {
            command: cmd.to_string(),
            code: status.code(),
            signal: status.signal(),
            limit,
            tail: tail(said),
            stdout: String::new(),
        }
    }

    pub fn exit_code(&self) -> u8 {
        // 124 is what timeout(1) answers; a server that ends too early with 0 is still our failure.
        match (self.limit, self.code, self.signal) {
            (Some(_), ..) => 124,
            (None, Some(code), _) => u8::try_from(code).ok().filter(|code| *code != 0).unwrap_or(1),
            (None, None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(1),
            (None, None, None) => 1,
        }
    }
}

impl Interrupted {
    pub fn exit_code(self) -> u8 {
        u8::try_from(128 + running::last_signal()).unwrap_or(error::INTERRUPTED)
    }
}

impl fmt::Display for ToolFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ", self.command)?;
        match (self.limit, self.code, self.signal) {
            (Some(limit), ..) => write!(f, "did not finish within {limit:?}")?,
            (None, Some(code), _) => write!(f, "ended with exit code {code}")?,
            (None, None, Some(signal)) => write!(f, "was killed by signal {signal}")?,
            (None, None, None) => write!(f, "failed")?,
        }
        if self.tail.is_empty() {
            return Ok(());
        }
        f.write_str("; its last lines:")?;
        self.tail.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl ToolFailed {
    /// Of an error that a tool is the cause of.
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error::carried(error)
    }
}

impl From<ToolFailed> for anyhow::Error {
    fn from(failed: ToolFailed) -> Self {
        Error::new(failed.to_string()).code(failed.exit_code()).carrying(failed).into()
    }
}

impl From<Interrupted> for anyhow::Error {
    fn from(interrupted: Interrupted) -> Self {
        Error::new(interrupted.to_string()).code(interrupted.exit_code()).into()
    }
}

/// The last lines that say something, in whole lines as long as they fit.
fn tail(log: &str) -> String {
    let mut room = TAIL_BYTES;
    let last = log.lines().map(str::trim_end).filter(|line| !line.is_empty()).rev().take(TAIL_LINES);
    let mut lines: Vec<String> = last
        .map_while(|line| {
            let cut: String = line.chars().take(room).collect();
            room = room.saturating_sub(line.len() + 1);
            (!cut.is_empty()).then_some(cut)
        })
        .collect();
    lines.reverse();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(raw: i32, log: &str) -> ToolFailed {
        ToolFailed::new(&Cmd::new("sam").arg("build"), ExitStatus::from_raw(raw), None, log)
    }

    #[test]
    fn says_what_failed_how_and_the_last_lines() {
        let log: String = (0..100).map(|n| format!("line {n}  \n\n")).collect();
        let said = failed(3 << 8, &log).to_string();
        assert!(said.starts_with("`sam build` ended with exit code 3; its last lines:\n    line 75\n"), "{said}");
        assert!(said.ends_with("\n    line 99"), "{said}");
        assert_eq!(failed(9, "").to_string(), "`sam build` was killed by signal 9");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let long = failed(1 << 8, &"é".repeat(100_000));
        assert_eq!(long.tail.chars().count(), TAIL_BYTES);
    }

    #[test]
    fn exit_codes() {
        assert_eq!(failed(7 << 8, "").exit_code(), 7);
        assert_eq!(failed(2, "").exit_code(), 130);
        assert_eq!(failed(0, "").exit_code(), 1);
        let error = anyhow::Error::from(failed(5 << 8, "")).context("cannot deploy");
        assert_eq!(error::exit_code(&error), 5);
        assert_eq!(ToolFailed::of(&error).and_then(|failed| failed.code), Some(5));
    }
}
