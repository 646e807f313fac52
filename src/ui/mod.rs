//! Everything a person reads goes to stderr, the answer to stdout; spinners on a terminal, plain lines elsewhere.
//!
//! This is the only way to the terminal, and what is printed may be from others: [`write_line`] lets nothing of it
//! through that a terminal would obey.

mod keys;
mod visible;

use std::fmt::Display;
use std::io::{IsTerminal as _, Write};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use dialoguer::console::{Style, StyledObject, style};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::error::{self, Error};
use crate::fault::Fault;
pub use keys::KeyPresses;
pub use visible::{flat, shorten, visible};

/// All spinners, so that several pieces of work can go on side by side and lines find their place above them.
static SPINNERS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// One line, or several: what is `ours` before and after it is written as it is, with its colours.
fn write_line(to: &mut dyn Write, ours: impl Display, text: impl Display, after: impl Display) {
    // A closed pipe (`2>&1 | head`) is the reader's decision, not an error; `eprintln!` would panic.
    let _ = writeln!(to, "{ours}{}{after}", visible(&text.to_string()));
}

fn write_below_spinners(ours: impl Display, text: impl Display, after: impl Display) {
    SPINNERS.suspend(|| write_line(&mut std::io::stderr().lock(), ours, text, after));
}

/// One line to the person.
pub fn say(line: impl Display) {
    write_below_spinners("", line, "");
}

/// Asks while nothing else is shown.
pub fn alone<T>(ask: impl FnOnce() -> T) -> T {
    SPINNERS.suspend(ask)
}

/// The answer of the command, for a person or a program.
pub fn answer(line: impl Display) {
    write_line(&mut std::io::stdout().lock(), "", line, "");
}

/// The answer of the command under `--json`: one document.
pub fn json(document: &impl Serialize) -> anyhow::Result<()> {
    answer(visible::visible_json(&serde_json::to_string_pretty(document)?));
    Ok(())
}

/// What clap has to say, with its colours: of arguments that are [`visible`].
pub fn usage(wrong: &clap::Error) {
    // Nobody may be there to read it.
    let _ = wrong.print();
}

/// From now on a panic is printed like an error.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let mark = style("error:").for_stderr().red().bold();
        write_below_spinners(mark, format_args!(" this is a bug in mcp-deploy: it {panic}"), "");
        hint("please report it with the command that you ran");
        let trace = std::backtrace::Backtrace::capture();
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            say(trace);
        }
    }));
}

/// The one error of a failed command: what failed, its causes, then the hints of all of them.
pub fn error(failed: &anyhow::Error) {
    let mark = style("error:").for_stderr().red().bold();
    for (depth, cause) in failed.chain().enumerate() {
        let message = cause.to_string();
        match depth {
            0 => write_below_spinners(&mark, format_args!(" {message}"), ""),
            _ => say(format_args!("  {}", message.trim_end().replace('\n', "\n  "))),
        }
    }
    error::hints(failed).for_each(hint);
}

/// One fault, of a manifest whose names and values may contain line ends.
pub fn fault(fault: &Fault) {
    let (told, hint) = fault.lines();
    say(flat(&told));
    hint.iter().for_each(|hint| say(flat(hint)));
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
    write_below_spinners(mark.shown().for_stderr(), format_args!(" {title}"), "");
}

/// The same line of a list that was asked for: it is the answer.
pub fn listed(mark: Mark, title: impl Display) {
    write_line(&mut std::io::stdout().lock(), mark.shown(), format_args!(" {title}"), "");
}

/// Work in progress; it must be ended with [`StepLine::end`].
pub struct StepLine {
    title: String,
    bar: Option<ProgressBar>,
    started: Instant,
}

pub fn step(title: impl Into<String>) -> StepLine {
    let title = flat(&title.into()).into_owned();
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
            bar.set_message(format!("{}: {}", self.title, flat(what)));
        }
    }

    pub fn end(mut self, how: Mark, detail: &str) {
        let seconds = self.started.elapsed().as_secs_f64();
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        let seconds = style(format!(" ({seconds:.1} s)")).for_stderr().dim();
        write_below_spinners(how.shown().for_stderr(), format_args!(" {}{detail}", self.title), seconds);
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    /// The test below runs this one alone, as a separate program.
    #[test]
    fn panicking_program() {
        if std::env::var_os("UI_PANICS").is_some() {
            super::tell_panics();
            panic!("a\u{1b}[2J\u{202e}b");
        }
    }

    #[test]
    fn a_panic_is_told_like_an_error() {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "ui::tests::panicking_program", "--nocapture"]).env("UI_PANICS", "1");
        let said = String::from_utf8(program.env_remove("RUST_BACKTRACE").output().unwrap().stderr).unwrap();
        assert!(said.contains("error: this is a bug in mcp-deploy: it panicked at"), "{said:?}");
        assert!(said.lines().any(|line| line == "a\\u{1b}[2J\\u{202e}b"), "{said:?}");
        assert!(said.lines().any(|line| line.starts_with("hint: please report it")), "{said:?}");
        assert!(!said.contains('\u{202e}') && !said.contains("\u{1b}[2J"), "{said:?}");
    }
}
