//! `mcp.lock`: which project this is, and the hash of every generated file as we wrote it, so that an edit by hand is noticed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ring::rand::{SecureRandom as _, SystemRandom};
use toml_edit::{Document, Value};

pub const FILE: &str = "mcp.lock";

const HEADER: &str = "\
# What mcp-deploy generated, so that it notices your edits instead of overwriting them.
# Commit this file; do not edit it.
version = 1
";

/// What we wrote, and what a run that is under way is about to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lock {
    /// What tells this project from every other of the same name; a lock of 0.1.0 has none.
    pub project: Option<String>,
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
    pub fn of(project: &str, files: impl Iterator<Item = (String, Vec<String>)>) -> Self {
        Lock { project: Some(project.to_owned()), files: files.collect(), unfinished: None }
    }

    /// The project's id, or a new one.
    pub fn project_or_new(&self) -> Result<String> {
        self.project.clone().map_or_else(new_project, Ok)
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
                    "cannot use `{}`\nhint: restore it with git: its `project` marks what is deployed as yours. After a merge, take either side and run `mcp-deploy render --force`",
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
        if let Some(item) = document.as_table().get("project") {
            let id =
                item.as_str().filter(|id| is_project(id)).context("its `project` is no id that mcp-deploy made")?;
            lock.project = Some(id.to_owned());
        }
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
        if let Some(project) = &self.project {
            text.push_str(&format!(
                "# By it the clouds tell what belongs to this project: never change it.\nproject = \"{project}\"\n"
            ));
        }
        text.push_str("\n[files]\n");
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

/// 128 random bits in hexadecimal.
fn new_project() -> Result<String> {
    let mut bytes = [0; 16];
    if SystemRandom::new().fill(&mut bytes).is_err() {
        bail!("this machine gives no random numbers");
    }
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// It stands in tags and in commands.
fn is_project(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn key(path: &str) -> Value {
    Value::from(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_round_trip() {
        let id = new_project().unwrap();
        let mut lock = Lock::of(
            &id,
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
    fn a_lock_of_an_older_version_has_no_project_and_every_new_one_has_its_own() {
        let old = Lock::parse("version = 1\n[files]\n").unwrap();
        assert_eq!(old.project, None);
        let (one, other) = (old.project_or_new().unwrap(), old.project_or_new().unwrap());
        assert!(is_project(&one) && one != other);
        let lock = Lock::of(&one, std::iter::empty());
        assert_eq!(lock.project_or_new().unwrap(), one);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        assert!(Lock::parse("<<<<<<< HEAD\n").is_err());
        assert!(Lock::parse("version = 1\nproject = \"mine\"\n[files]\n").is_err());
        assert!(Lock::parse("version = 2\n[files]\n").unwrap_err().to_string().contains("newer"));
    }
}
