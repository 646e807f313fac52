//! Wrong usage that the command line itself finds, as an error like any other.

use std::ffi::OsString;
use std::str::FromStr;

use clap::error::{ContextKind, ContextValue};

use crate::error::{Error, InFull};

/// An argument with a special form.
pub fn parsed<T: FromStr<Err = Error>>(text: &str) -> Result<T, InFull> {
    text.parse().map_err(InFull)
}

/// Whether a program reads the answer to a command line that cannot be understood.
pub fn wants_json(args: impl Iterator<Item = OsString>) -> bool {
    args.skip(1).take_while(|arg| arg != "--").any(|arg| arg == "--json")
}

/// The same error with its hints: the argument's own, what clap suggests, and the usage.
pub fn error(wrong: &clap::Error) -> Error {
    let refusal = std::error::Error::source(wrong).and_then(InFull::of);
    let said = |kind: ContextKind| wrong.get(kind).map(ContextValue::to_string).unwrap_or_default();
    let message = match refusal {
        Some(refusal) => {
            let (value, argument) = (said(ContextKind::InvalidValue), said(ContextKind::InvalidArg));
            format!("invalid value '{value}' for '{argument}': {refusal}")
        }
        None => message(&wrong.render().to_string()),
    };
    let near = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let near = near.into_iter().map(said).filter(|near| !near.is_empty());
    let tips = near.map(|near| format!("did you mean `{near}`?"));
    let own = refusal.and_then(|refusal| refusal.own_hint()).map(str::to_owned);
    let usage = Some(said(ContextKind::Usage).trim().to_owned()).filter(|usage| !usage.is_empty());
    let hints: Vec<String> = own.into_iter().chain(tips).chain(usage).collect();
    let error = Error::usage(message);
    if hints.is_empty() { error.hint("`mcp-deploy --help` has the usage") } else { error.hint(hints.join("\n")) }
}

/// The first paragraph, on one line: tips and the usage come after it.
fn message(rendered: &str) -> String {
    let first = rendered.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}
