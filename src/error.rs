//! The error of a failed command: what failed, its causes, what to do next, where, and how the program ends by it.
//!
//! Errors travel as [`anyhow::Error`]. Each [`Error`] in the chain of causes may say a part of this; the functions here
//! put it together.

use std::any::Any;
use std::fmt;

use serde_json::{Value, json};

use crate::fault::Position;

/// The exit code of wrong usage.
pub const USAGE: u8 = 2;
/// A server runs, but verification failed.
pub const UNVERIFIED: u8 = 3;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// One error, made where it happens: `Error::new("…").hint("…")`. A cause is added with [`Error::because`] and not with
/// anyhow's `context`, which hides what it is given.
#[derive(Debug)]
pub struct Error(Box<Parts>);

#[derive(Debug, Default)]
struct Parts {
    message: String,
    hint: Option<String>,
    place: Option<(String, Position)>,
    /// The cause's own, or 1, when there is none.
    code: Option<u8>,
    cause: Option<anyhow::Error>,
    /// Lists that the document under `--json` has too, by their keys.
    lists: Vec<(&'static str, Value)>,
    /// What the code that handles it goes by.
    carried: Option<Box<dyn Any + Send + Sync>>,
    is_shown: bool,
}

impl Error {
    /// What failed, and why.
    pub fn new(message: impl Into<String>) -> Self {
        Error(Box::new(Parts { message: message.into(), ..Parts::default() }))
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(message).code(USAGE)
    }

    /// An error that was printed when it happened; only its exit code is still to come.
    pub fn shown(error: anyhow::Error) -> Self {
        let mut shown = Error::new(error.to_string()).because(error);
        shown.0.is_shown = true;
        shown
    }

    /// What to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Where in a file.
    pub fn at(mut self, file: impl Into<String>, position: Position) -> Self {
        self.0.place = Some((file.into(), position));
        self
    }

    /// The exit code.
    pub fn code(mut self, code: u8) -> Self {
        self.0.code = Some(code);
        self
    }

    /// The error that led to this one.
    pub fn because(mut self, cause: impl Into<anyhow::Error>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    /// A list for the document under `--json`.
    pub fn list(mut self, key: &'static str, list: Value) -> Self {
        self.0.lists.push((key, list));
        self
    }

    /// With something to be found by [`carried`].
    pub fn carrying(mut self, what: impl Any + Send + Sync) -> Self {
        self.0.carried = Some(Box::new(what));
        self
    }

    /// Its hint, and not those of its causes.
    pub fn own_hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.cause.as_ref().map(AsRef::as_ref)
    }
}

/// An error whose message has its hint, for a library that prints it as it is.
#[derive(Debug)]
pub struct InFull(pub Error);

impl InFull {
    /// The error in what the library hands back.
    pub fn of<'a>(cause: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
        cause.downcast_ref::<InFull>().map(|told| &told.0)
    }
}

impl fmt::Display for InFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.own_hint() {
            Some(hint) => write!(f, "{}\nhint: {hint}", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

impl std::error::Error for InFull {}

/// The errors of ours in a chain of causes, the outermost first.
fn ours(error: &anyhow::Error) -> impl Iterator<Item = &Parts> {
    error.chain().filter_map(|cause| cause.downcast_ref::<Error>()).map(|error| &*error.0)
}

/// What to do next, the outermost first.
pub fn hints(error: &anyhow::Error) -> impl Iterator<Item = &str> {
    ours(error).filter_map(|error| error.hint.as_deref())
}

/// The same for a document: one text, a line each.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    let hints: Vec<&str> = hints(error).collect();
    (!hints.is_empty()).then(|| hints.join("\n"))
}

/// How the program ends: the code of the outermost that has one, else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    ours(error).find_map(|error| error.code).unwrap_or(1)
}

/// Whether it was printed when it happened.
pub fn is_shown(error: &anyhow::Error) -> bool {
    ours(error).any(|error| error.is_shown)
}

/// What one of the errors carries.
pub fn carried<T: 'static>(error: &anyhow::Error) -> Option<&T> {
    ours(error).find_map(|error| error.carried.as_ref()?.downcast_ref())
}

/// What `--json` answers when there is no other answer.
pub fn document(error: &anyhow::Error) -> Value {
    let mut document = json!({ "ok": false, "error": format!("{error:#}") });
    if let Some(hint) = hint(error) {
        document["hint"] = hint.into();
    }
    if let Some((file, position)) = ours(error).find_map(|error| error.place.as_ref()) {
        document["file"] = json!(file);
        document["line"] = json!(position.line);
        document["column"] = json!(position.column);
    }
    for (key, list) in ours(error).flat_map(|error| &error.lists) {
        document[key] = list.clone();
    }
    document
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn every_error_of_the_chain_has_its_say() {
        let inner = Error::new("inner").hint("mend it").code(7).carrying(5_u16).list("faults", json!([1]));
        let middle = anyhow::Error::new(inner).context("middle");
        let outer =
            Error::new("outer").hint("look there").at("mcp.lock", Position { line: 3, column: 4 }).because(middle);
        let error = Err::<(), _>(anyhow::Error::new(outer)).context("all").unwrap_err();
        assert_eq!(format!("{error:#}"), "all: outer: middle: inner");
        assert_eq!(hints(&error).collect::<Vec<_>>(), ["look there", "mend it"]);
        assert_eq!((exit_code(&error), carried::<u16>(&error), carried::<u8>(&error)), (7, Some(&5), None));
        let said = json!({
            "ok": false,
            "error": "all: outer: middle: inner",
            "hint": "look there\nmend it",
            "file": "mcp.lock",
            "line": 3,
            "column": 4,
            "faults": [1],
        });
        assert_eq!(document(&error), said);
        assert!(!is_shown(&error));
        let shown = anyhow::Error::new(Error::shown(error));
        assert!(is_shown(&shown));
        assert_eq!(exit_code(&shown), 7);
    }

    #[test]
    fn exit_codes() {
        let wrong = anyhow::Error::new(Error::usage("wrong").because(Error::new("cause").code(7)));
        assert_eq!(exit_code(&wrong), 2);
        assert_eq!(exit_code(&anyhow::anyhow!("x")), 1);
        assert_eq!(exit_code(&Error::new("x").into()), 1);
    }
}
