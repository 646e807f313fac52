//! Data that a deployment would take away: shown, and confirmed by name; `--yes` alone does not.

use std::sync::{Mutex, PoisonError};

use anyhow::{Result, bail};

use super::deployment::Context;
use super::ownership::Takes;
use crate::error::Error;
use crate::prompt::{self, Mode};
use crate::ui;

/// Something that holds data, and would be gone or empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// What `--allow-data-loss` names: a logical name in a template, or a class.
    pub name: String,
    /// ``the table `Orders` … in eu-west-1 is deleted``
    pub what: String,
}

/// Carried by an error: nobody allowed it, so nothing was changed, that much is known.
#[derive(Debug)]
pub struct Refused;

/// Fails unless each loss is allowed, by its name on the command line or typed on the terminal.
pub fn confirm(context: &Context<'_>, losses: &[Loss]) -> Result<()> {
    // Several clouds and regions may ask at the same time.
    static ASKING: Mutex<()> = Mutex::new(());
    let _alone = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    losses.iter().for_each(|loss| ui::say(format_args!("data would be lost: {}", loss.what)));
    if context.takes == Takes::Foreign && !losses.is_empty() {
        let error = Error::new("the takeover would lose data; nothing was changed");
        bail!(error.hint("ship under another `name` or stage, or move the data first").carrying(Refused));
    }
    let mut open: Vec<&str> = Vec::new();
    for loss in losses.iter().filter(|loss| !context.allow_data_loss.contains(&loss.name)) {
        if !open.contains(&loss.name.as_str()) {
            open.push(&loss.name);
        }
    }
    for name in &open {
        if !context.asks {
            let flags: Vec<String> = open.iter().map(|name| format!("--allow-data-loss {name}")).collect();
            let hint = format!("if it may go for good, add `{}`; `--yes` does not confirm it", flags.join(" "));
            let error = Error::new("data would be lost, and nobody allowed it; nothing was changed");
            bail!(error.hint(hint).carrying(Refused));
        }
        let question = format!("Type `{name}` to delete it with all its data");
        let typed = ui::alone(|| prompt::text(Mode::Ask, "--allow-data-loss", &question, None, |_| None))?;
        if typed != *name {
            bail!(Error::new(format!("`{typed}` is not `{name}`; nothing was changed")).carrying(Refused));
        }
    }
    Ok(())
}
