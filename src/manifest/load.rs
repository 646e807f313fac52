//! From the text of `mcp.toml` to a [`Manifest`] and every fault in it.

use std::path::Path;

use anyhow::Context as _;
use toml_edit::Document;

use super::fault::{Fault, Position, Severity};
use super::reader::Reader;
use super::{FILE, Manifest, sections};

/// What reading the manifest gave: a manifest only when no fault is an error.
pub struct Loaded {
    pub text: String,
    pub manifest: Option<Manifest>,
    pub faults: Vec<Fault>,
}

/// Reads `mcp.toml` and the schema files it names from the project folder `dir`.
pub fn load(dir: &Path) -> anyhow::Result<Loaded> {
    let path = dir.join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let (manifest, faults) = parse(&text, &|name| {
        std::fs::read_to_string(dir.join(name)).map_err(|error| format!("cannot read `{name}`: {error}"))
    });
    Ok(Loaded { text, manifest, faults })
}

/// The pure part of [`load`]; `read` gives the text of a file named by `input_schema` or `output_schema`.
pub fn parse(text: &str, read: &dyn Fn(&str) -> Result<String, String>) -> (Option<Manifest>, Vec<Fault>) {
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = Position::of(text, error.span().map_or(0, |span| span.start));
            let message = format!("not valid TOML: {}", error.message().lines().collect::<Vec<_>>().join(", "));
            let twice = error.message().starts_with("duplicate key");
            let hint = twice.then(|| "this name was given already, further up: make one of the two".to_owned());
            return (None, vec![Fault { severity: Severity::Error, file: FILE.into(), at, message, hint }]);
        }
    };
    let reader = Reader::new(FILE, text);
    let manifest = sections::manifest(&reader, document.as_item(), read);
    let faults = reader.into_faults();
    let sound = faults.iter().all(|fault| fault.severity == Severity::Warning);
    (manifest.filter(|_| sound), faults)
}
