//! Everything a person reads goes to stderr, the answer to stdout; spinners on a terminal, plain lines elsewhere.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dialoguer::console::{Style, StyledObject, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::{self, Error};

/// All spinners, so that several pieces of work can go on side by side and lines find their place above them.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// One line to the person.
pub fn say(line: impl Display) {
    // A closed pipe (`2>&1 | head`) is the reader's decision, not an error; `eprintln!` would panic.
    let _ = SPINNERS.suspend(|| writeln!(std::io::stderr().lock(), "{line}"));
}

/// Asks while nothing else is shown.
pub fn alone<T>(ask: impl FnOnce() -> T) -> T {
    SPINNERS.suspend(ask)
}

/// The answer of the command, for a person or a program.
pub fn answer(line: impl Display) {
    let mut out = std::io::stdout().lock();
    // As in `say`.
    let _ = writeln!(out, "{line}");
}

/// The answer of the command under `--json`: one document.
pub fn json(document: &impl Serialize) -> anyhow::Result<()> {
    answer(serde_json::to_string_pretty(document)?);
    Ok(())
}

/// The one error of a failed command: what failed, its causes, then the hints of all of them.
pub fn error(failed: &anyhow::Error) {
    let mark = style("error:").for_stderr().red().bold();
    for (depth, cause) in failed.chain().enumerate() {
        let message = cause.to_string();
        match depth {
            0 => say(format_args!("{mark} {message}")),
            _ => say(format_args!("  {}", message.trim_end().replace('\n', "\n  "))),
        }
    }
    error::hints(failed).for_each(hint);
}

/// What to do next.
pub fn hint(hint: impl Display) {
    say(format_args!("hint: {hint}"));
}

/// The same below a [`mark`] that is not good.
pub fn hint_below(hint: impl Display) {
    say(format_args!("     hint: {hint}"));
}

/// The same beside an answer that was given: what is left of the error is its exit code.
pub fn shown(failed: impl Into<anyhow::Error>) -> Error {
    let failed = failed.into();
    error(&failed);
    Error::shown(failed)
}

/// Whether a person is there to be asked.
pub fn interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// How a step or a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Good,
    Bad,
    Skipped,
}

impl Mark {
    fn shown(self) -> StyledObject<&'static str> {
        let (symbol, colour) = match self {
            Mark::Good => ("ok  ", Style::new().green()),
            Mark::Bad => ("FAIL", Style::new().red().bold()),
            Mark::Skipped => ("skip", Style::new().yellow()),
        };
        colour.apply_to(symbol)
    }
}

/// One finished line: `ok   title`.
pub fn mark(mark: Mark, title: impl Display) {
    say(format_args!("{} {title}", mark.shown().for_stderr()));
}

/// The same line of a list that was asked for: it is the answer.
pub fn listed(mark: Mark, title: impl Display) {
    answer(format_args!("{} {title}", mark.shown()));
}

/// Work in progress; it must be ended with [`StepLine::end`].
pub struct StepLine {
    title: String,
    bar: Option<ProgressBar>,
    started: Instant,
}

pub fn step(title: impl Into<String>) -> StepLine {
    let title = title.into();
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = SPINNERS.add(ProgressBar::new_spinner().with_message(title.clone()));
        if let Ok(look) = ProgressStyle::with_template("{spinner:.cyan}    {wide_msg} {elapsed:.dim}") {
            bar.set_style(look);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    });
    StepLine { title, bar, started: Instant::now() }
}

impl StepLine {
    /// What the step is doing right now; shown on a terminal only.
    pub fn doing(&self, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}: {what}", self.title));
        }
    }

    pub fn end(mut self, how: Mark, detail: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        mark(how, format_args!("{}{detail} {}", self.title, style(format!("({seconds:.1} s)")).for_stderr().dim()));
    }
}

impl Drop for StepLine {
    fn drop(&mut self) {
        // A step that an error ended early: the error itself is printed by the caller.
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
