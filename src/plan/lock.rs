//! `mcp.lock`: the hash of every generated file as we wrote it, so that an edit by hand is noticed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use toml_edit::{Document, Value};

pub const FILE: &str = "mcp.lock";

const HEADER: &str = "\
# What mcp-deploy generated, so that it notices your edits instead of overwriting them.
# Commit this file; do not edit it.
version = 1

[files]
";

/// Hashes by path. A finished run leaves one a file; while a run is under way a file may be the old or the new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock(BTreeMap<String, Vec<String>>);

impl Lock {
    pub fn of(files: impl Iterator<Item = (String, Vec<String>)>) -> Self {
        Lock(files.collect())
    }

    pub fn known(&self, path: &str) -> &[String] {
        self.0.get(path).map_or(&[], Vec::as_slice)
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn read(root: &Path) -> Result<Self> {
        let path = root.join(FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).with_context(|| {
                format!(
                    "cannot use `{}`\nhint: restore it with git, or delete it and run `mcp-deploy render --force`",
                    path.display()
                )
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let document = Document::parse(text)?;
        if document.as_table().get("version").and_then(|item| item.as_integer()) != Some(1) {
            bail!("its version is not 1: a newer mcp-deploy wrote it");
        }
        let files =
            document.as_table().get("files").and_then(|item| item.as_table_like()).context("it has no `[files]`")?;
        let mut lock = Lock::default();
        for (path, item) in files.iter() {
            let hashes = match item.as_value() {
                Some(Value::String(hash)) => vec![hash.value().clone()],
                Some(Value::Array(all)) => all.iter().filter_map(|hash| Some(hash.as_str()?.to_owned())).collect(),
                _ => bail!("the entry of `{path}` is neither a hash nor a list of hashes"),
            };
            lock.0.insert(path.to_owned(), hashes);
        }
        Ok(lock)
    }

    pub fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for (path, hashes) in &self.0 {
            let hashes = match hashes.as_slice() {
                [one] => format!("\"{one}\""),
                several => {
                    format!("[{}]", several.iter().map(|hash| format!("\"{hash}\"")).collect::<Vec<_>>().join(", "))
                }
            };
            text.push_str(&format!("{} = {hashes}\n", Value::from(path.as_str())));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip() {
        let lock = Lock::of(
            [("src/a.ts".to_owned(), vec!["1f".to_owned()]), ("odd \"name\"".to_owned(), vec!["a".into(), "b".into()])]
                .into_iter(),
        );
        assert_eq!(Lock::parse(&lock.text()).unwrap(), lock);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        assert!(Lock::parse("<<<<<<< HEAD\n").is_err());
        assert!(Lock::parse("version = 2\n[files]\n").unwrap_err().to_string().contains("newer"));
    }
}
