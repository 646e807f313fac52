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

/// What we wrote, and what a run that is under way is about to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// Hashes of generated files by path. A finished run leaves one a file; while a run is under way a file may be the
    /// old or the new one.
    files: BTreeMap<String, Vec<String>>,
    /// Only while a run is under way, or after it was killed.
    pub unfinished: Option<Unfinished>,
}

/// A run whose commit point is the new `mcp.toml`: as long as the old one stands, the run did not happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// Hash of `mcp.toml` before the run; `None` when there was none.
    pub manifest: Option<String>,
    /// Files that the run creates for the user: theirs from the commit on, ours to undo before.
    pub born: BTreeMap<String, String>,
}

impl Lock {
    pub fn of(files: impl Iterator<Item = (String, Vec<String>)>) -> Self {
        Lock { files: files.collect(), unfinished: None }
    }

    pub fn known(&self, path: &str) -> &[String] {
        self.files.get(path).map_or(&[], Vec::as_slice)
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
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
            lock.files.insert(path.to_owned(), hashes);
        }
        if let Some(item) = document.as_table().get("unfinished") {
            let born =
                item.get("born").and_then(|born| born.as_table_like()).context("it has no `[unfinished.born]`")?;
            let born = born.iter().filter_map(|(path, hash)| Some((path.to_owned(), hash.as_str()?.to_owned())));
            let manifest = item.get("manifest").and_then(|hash| hash.as_str()).map(str::to_owned);
            lock.unfinished = Some(Unfinished { manifest, born: born.collect() });
        }
        Ok(lock)
    }

    pub fn text(&self) -> String {
        let mut text = HEADER.to_owned();
        for (path, hashes) in &self.files {
            let hashes = match hashes.as_slice() {
                [one] => format!("\"{one}\""),
                several => {
                    format!("[{}]", several.iter().map(|hash| format!("\"{hash}\"")).collect::<Vec<_>>().join(", "))
                }
            };
            text.push_str(&format!("{} = {hashes}\n", key(path)));
        }
        if let Some(unfinished) = &self.unfinished {
            text.push_str(
                "\n# A run was interrupted here: the next `mcp-deploy render`, or the same command again, mends it.\n",
            );
            text.push_str("[unfinished]\n");
            text.extend(unfinished.manifest.iter().map(|hash| format!("manifest = \"{hash}\"\n")));
            text.push_str("[unfinished.born]\n");
            text.extend(unfinished.born.iter().map(|(path, hash)| format!("{} = \"{hash}\"\n", key(path))));
        }
        text
    }
}

fn key(path: &str) -> Value {
    Value::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip() {
        let mut lock = Lock::of(
            [("src/a.ts".to_owned(), vec!["1f".to_owned()]), ("odd \"name\"".to_owned(), vec!["a".into(), "b".into()])]
                .into_iter(),
        );
        assert_eq!(Lock::parse(&lock.text()).unwrap(), lock);
        for manifest in [None, Some("2e".to_owned())] {
            let born = [("src/tools/b.ts".to_owned(), "3d".to_owned())].into();
            lock.unfinished = Some(Unfinished { manifest, born });
            assert_eq!(Lock::parse(&lock.text()).unwrap(), lock);
        }
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        assert!(Lock::parse("<<<<<<< HEAD\n").is_err());
        assert!(Lock::parse("version = 2\n[files]\n").unwrap_err().to_string().contains("newer"));
    }
}
