//! Fills in a missing argument: asks on a terminal, takes the default under `--yes`, else names the flag.

use anyhow::{Result, bail};
use dialoguer::console::Term;
use dialoguer::theme::ColorfulTheme;
use dialoguer::{Confirm, Input, MultiSelect, Password, Select};

use crate::error::{self, Error};
use crate::ui::visible;
use crate::{process, ui};

/// How missing arguments are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `--yes`
    Defaults,
    Ask,
    /// No terminal and no `--yes`.
    Refuse,
}

impl Mode {
    pub fn of(yes: bool) -> Self {
        match (yes, ui::interactive()) {
            (true, _) => Mode::Defaults,
            (false, true) => Mode::Ask,
            (false, false) => Mode::Refuse,
        }
    }

    /// The same for a command whose answer a program reads: under `--json` nobody is asked.
    pub fn for_answer(yes: bool, json: bool) -> Self {
        match Mode::of(yes) {
            Mode::Ask if json => Mode::Refuse,
            mode => mode,
        }
    }
}

/// There is nobody to be asked for it.
fn missing(flag: &str) -> Error {
    Error::usage(format!("`{flag}` is missing, and there is no terminal to ask for it"))
}

fn missing_without_yes(flag: &str) -> anyhow::Error {
    missing(flag).hint(format!("add `{flag}`, or `--yes` to take the defaults")).into()
}

/// A line of text that `valid` accepts (it says why not).
pub fn text(
    mode: Mode,
    flag: &str,
    question: &str,
    default: Option<&str>,
    valid: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    match (mode, default) {
        (Mode::Defaults, Some(default)) => Ok(default.to_owned()),
        (Mode::Ask, default) => guarded(|| {
            let theme = ColorfulTheme::default();
            let mut input = Input::<String>::with_theme(&theme)
                .with_prompt(visible(question))
                .validate_with(|text: &String| valid(text).map_or(Ok(()), |why| Err(visible(&why).into_owned())));
            if let Some(default) = default {
                input = input.default(default.to_owned());
            }
            input.interact_text()
        }),
        (Mode::Refuse, _) => Err(missing_without_yes(flag)),
        (Mode::Defaults, None) => bail!(Error::usage(format!("`{flag}` is missing and has no default"))),
    }
}

/// The same for a command without `--yes`: what it asks for has no default that anybody would want unseen.
pub fn text_or_flag(
    flag: &str,
    question: &str,
    default: Option<&str>,
    valid: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    if !ui::interactive() {
        bail!(missing(flag).hint(format!("add `{flag}`")));
    }
    text(Mode::Ask, flag, question, default, valid)
}

/// One of `choices`, by its index.
pub fn choice(mode: Mode, flag: &str, question: &str, choices: &[String], default: usize) -> Result<usize> {
    match mode {
        Mode::Defaults => Ok(default),
        Mode::Refuse => Err(missing_without_yes(flag)),
        Mode::Ask => guarded(|| {
            Select::with_theme(&ColorfulTheme::default())
                .with_prompt(visible(question))
                .items(choices.iter().map(|choice| visible(choice)))
                .default(default)
                .interact()
        }),
    }
}

/// At least one of `choices`, by index; those that are `marked` are the default.
pub fn several(mode: Mode, flag: &str, question: &str, choices: &[String], marked: &[bool]) -> Result<Vec<usize>> {
    match mode {
        Mode::Defaults => Ok((0..choices.len()).filter(|at| marked[*at]).collect()),
        Mode::Refuse => Err(missing_without_yes(flag)),
        Mode::Ask => loop {
            let theme = ColorfulTheme::default();
            let select = MultiSelect::with_theme(&theme).with_prompt(visible(question));
            let select = select.items(choices.iter().map(|choice| visible(choice))).defaults(marked);
            let chosen = guarded(|| select.interact())?;
            if !chosen.is_empty() {
                return Ok(chosen);
            }
            ui::say("choose at least one (space marks, enter confirms)");
        },
    }
}

/// Yes or no; without a terminal always no.
pub fn confirm(mode: Mode, question: &str) -> Result<bool> {
    match mode {
        Mode::Defaults => Ok(true),
        Mode::Refuse => Ok(false),
        Mode::Ask => {
            let theme = ColorfulTheme::default();
            guarded(|| Confirm::with_theme(&theme).with_prompt(visible(question)).default(true).interact())
        }
    }
}

/// Ctrl-C at a prompt leaves the cursor hidden: show it, whatever happened.
fn guarded<T>(ask: impl FnOnce() -> dialoguer::Result<T>) -> Result<T> {
    let answer = ask();
    let _ = Term::stderr().show_cursor();
    // A signal that came from elsewhere, or between two prompts.
    if process::interrupted() {
        return Err(interrupted());
    }
    answer.map_err(|dialoguer::Error::IO(error)| match error.kind() {
        std::io::ErrorKind::Interrupted => interrupted(),
        _ => anyhow::Error::new(error).context("cannot ask on this terminal"),
    })
}

/// Ctrl-C before anything was done.
fn interrupted() -> anyhow::Error {
    Error::new("interrupted; nothing was written").code(error::INTERRUPTED).into()
}

/// A value that is not shown while it is typed.
pub fn secret(question: &str) -> Result<String> {
    guarded(|| Password::with_theme(&ColorfulTheme::default()).with_prompt(visible(question)).interact())
}
