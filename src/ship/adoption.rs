//! What is not marked as ours: refused, or marked after somebody said so.

use anyhow::{Result, bail};

use crate::prompt::{self, Mode};
use crate::targets::deployment::Problem;
use crate::targets::ownership::{Found, Whose};
use crate::ui;

/// Why it is left alone; none when it may be taken over.
pub fn problem(found: &Found, mode: Mode, adopt: Option<&str>) -> Option<Problem> {
    let what = &found.what;
    match (found.whose, adopt) {
        (Whose::Ours, _) => None,
        (Whose::Recorded, _) if mode != Mode::Refuse => None,
        (Whose::Recorded, _) => Some(Problem::new(
            format!("{what} was deployed from here by an older version, and has no mark that says so"),
            "add `--yes`, which marks it, or ship once on a terminal",
        )),
        (Whose::Foreign, None) => Some(found.refusal()),
        (Whose::Foreign, Some(_)) if !found.lost.is_empty() => Some(Problem::new(
            format!("{what} cannot be taken over, because data would be lost: {}", found.lost.join("; ")),
            "ship under another `name` or stage, or move the data first",
        )),
        // Inquiry for on a terminal.
        (Whose::Foreign, Some("")) if mode == Mode::Ask => None,
        (Whose::Foreign, Some(name)) if name == found.name => None,
        (Whose::Foreign, Some(name)) => Some(Problem::new(
            format!("`--adopt` names `{name}`, and {what} is called `{}`", found.name),
            format!("name what is to be taken over: `--adopt {}`", found.name),
        )),
    }
}

/// The one question for what the record knows, and the name, typed, for what it does not.
pub fn confirm(unmarked: &[Found], mode: Mode, adopt: Option<&str>) -> Result<()> {
    let (recorded, foreign): (Vec<_>, Vec<_>) = unmarked.iter().partition(|one| one.whose == Whose::Recorded);
    let names: Vec<&str> = recorded.iter().map(|one| one.what.as_str()).collect();
    if !names.is_empty() {
        let names = names.join(" and ");
        let question =
            format!("{names}: deployed from here by an older version, without a mark. Mark as this project's?");
        if !prompt::confirm(mode, &question)? {
            bail!("not confirmed; nothing was changed");
        }
        ui::say(format_args!("marked with this deployment: {names}"));
    }
    let mut typed: Vec<&str> = Vec::new();
    for one in foreign {
        ui::say(format_args!("taking over {}: {}", one.what, one.signs.join("; ")));
        one.changes.iter().for_each(|change| ui::say(format_args!("     {change}")));
        if adopt != Some("") || typed.contains(&one.name.as_str()) {
            continue;
        }
        let answer = prompt::text(mode, "--adopt", &format!("Type `{}` to take it over", one.name), None, |_| None)?;
        if answer != one.name {
            bail!("`{answer}` is not `{}`; nothing was changed", one.name);
        }
        typed.push(&one.name);
    }
    Ok(())
}
