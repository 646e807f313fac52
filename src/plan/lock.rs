//! `mcp.lock`: which project this is, and the hash of every generated file as we wrote it, so that an edit by hand is
//! noticed.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ring::rand::{SecureRandom as _, SystemRandom};
use toml_edit::{Document, Value};

use crate::error::Error;
use crate::fault::Position;
use crate::files;
use crate::files::merge::{self, MergeSide};
use crate::manifest::targets;

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
    pub unfinished: Option<UnfinishedRun>,
    /// It is what two sides of a merge wrote, and git's lines are still in the file.
    is_unmerged: bool,
}

/// A run whose commit point is the new `mcp.toml`: as long as the old one stands, the run did not happen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// Hash of `mcp.toml` before the run; `None` when there was none.
    pub manifest: Option<String>,
    /// Files that the run creates for the user: theirs from the commit on, ours to undo before.
    pub born: BTreeMap<String, String>,
}

impl Lock {
    pub fn of(project: &str, files: impl Iterator<Item = (String, Vec<String>)>) -> Self {
        Lock { project: Some(project.to_owned()), files: files.collect(), ..Lock::default() }
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
        match files::read(root, FILE, files::PARSED) {
            Ok(text) => Self::parse(&text).map_err(|why| {
                let hint = "restore it with git: its `project` marks what is deployed as yours. After a merge, take either side and run `mcp-deploy render --force`";
                Error::new(format!("cannot use `{}`", path.display())).hint(hint).because(why).into()
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        }
    }

    /// Of a merge that is not resolved yet it is what either side wrote.
    fn parse(text: &str) -> Result<Self> {
        if merge::conflicts(text).is_empty() {
            return Self::parse_one(text);
        }
        let mut lock = Self::parse_one(&merge::one_side(text, MergeSide::Ours))?;
        let theirs = Self::parse_one(&merge::one_side(text, MergeSide::Theirs))?;
        if lock.project != theirs.project {
            bail!("a merge left it with two values of `project`");
        }
        for (path, hashes) in theirs.files {
            let known = lock.files.entry(path).or_default();
            known.extend(hashes.into_iter().filter(|hash| !known.contains(hash)).collect::<Vec<_>>());
        }
        lock.is_unmerged = true;
        Ok(lock)
    }

    fn parse_one(text: &str) -> Result<Self> {
        let document = Document::parse(text).map_err(|why| {
            let at = Position::of(text, why.span().map_or(0, |span| span.start));
            Error::new(why.to_string()).at(FILE, at)
        })?;
        if document.as_table().get("version").and_then(|item| item.as_integer()) != Some(1) {
            bail!("its version is not 1: a newer mcp-deploy wrote it");
        }
        let files =
            document.as_table().get("files").and_then(|item| item.as_table_like()).context("it has no `[files]`")?;
        let mut lock = Lock::default();
        if let Some(item) = document.as_table().get("project") {
            let id =
                item.as_str().filter(|id| is_project(id)).context("its `project` is not an id that mcp-deploy made")?;
            lock.project = Some(id.to_owned());
        }
        for (path, item) in files.iter() {
            let hashes = match item.as_value() {
                Some(Value::String(hash)) => vec![hash.value().clone()],
                Some(Value::Array(all)) => all.iter().filter_map(|hash| Some(hash.as_str()?.to_owned())).collect(),
                _ => bail!("the entry of `{}` is neither a hash nor a list of hashes", path.escape_debug()),
            };
            if !is_generated(path) {
                bail!("its entry `{}` names no file that mcp-deploy generates", path.escape_debug());
            }
            lock.files.insert(path.to_owned(), hashes);
        }
        if let Some(item) = document.as_table().get("unfinished") {
            let born =
                item.get("born").and_then(|born| born.as_table_like()).context("it has no `[unfinished.born]`")?;
            let born: BTreeMap<_, _> =
                born.iter().filter_map(|(path, hash)| Some((path.to_owned(), hash.as_str()?.to_owned()))).collect();
            if let Some(path) = born.keys().find(|path| !is_born(path)) {
                bail!("its entry `{}` names no file that mcp-deploy creates", path.escape_debug());
            }
            let manifest = item.get("manifest").and_then(|hash| hash.as_str()).map(str::to_owned);
            lock.unfinished = Some(UnfinishedRun { manifest, born });
        }
        let unfinished =
            lock.unfinished.iter().flat_map(|unfinished| unfinished.manifest.iter().chain(unfinished.born.values()));
        if let Some(hash) = lock.files.values().flatten().chain(unfinished).find(|hash| !is_hash(hash)) {
            bail!("its `{}` is not a hash that mcp-deploy wrote", hash.escape_debug());
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

fn is_hash(text: &str) -> bool {
    text.len() == 64 && is_hexadecimal(text)
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether templates can make a generated file of this path. The lock may name no other: it comes with a project that
/// somebody else may have written, and what it names is overwritten, moved and deleted.
pub fn is_generated(path: &str) -> bool {
    // Outside of their folder, where the targets' tools look for them.
    let elsewhere = targets::ALL.iter().any(|target| target.outputs.contains(&path));
    elsewhere || path.strip_prefix("src/generated/").is_some_and(|name| name.split('/').all(is_name))
}

/// The user's files that a new project, or a new declaration, begins with.
const BORN: [&str; 7] =
    [".env.example", ".gitattributes", ".gitignore", "AGENTS.md", "README.md", "package.json", "tsconfig.json"];

/// The same for a file of the user.
pub fn is_born(path: &str) -> bool {
    let below = |folder: &str, name: &str| {
        ["src", "src/prompts", "src/resources", "src/tools", "test"].contains(&folder)
            && is_name(name)
            && name.ends_with(".ts")
    };
    BORN.contains(&path) || path.rsplit_once('/').is_some_and(|(folder, name)| below(folder, name))
}

fn is_name(part: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    !part.is_empty() && !part.starts_with('.') && part.chars().all(legal)
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
    text.len() == 32 && is_hexadecimal(text)
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
            [
                ("src/generated/a.ts".to_owned(), vec!["1f".repeat(32)]),
                ("template.yaml".to_owned(), vec!["a".repeat(64), "b".repeat(64)]),
            ]
            .into_iter(),
        );
        assert_eq!(Lock::parse(&lock.text()).unwrap(), lock);
        for manifest in [None, Some("2e".repeat(32))] {
            let born = [("src/tools/b.ts".to_owned(), "3d".repeat(32))].into();
            lock.unfinished = Some(UnfinishedRun { manifest, born });
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
    fn names_only_what_templates_make() {
        let hash = "1f".repeat(32);
        let of = |path: &str| Lock::parse(&format!("version = 1\n[files]\n{} = \"{hash}\"\n", key(path)));
        let born = |path: &str| {
            Lock::parse(&format!("version = 1\n[files]\n[unfinished]\n[unfinished.born]\n{} = \"{hash}\"\n", key(path)))
        };
        assert!(of("src/generated/mcp.ts").is_ok() && of("vercel.json").is_ok() && born("src/tools/a.ts").is_ok());
        let foreign = [
            "../x",
            "/etc/passwd",
            ".env",
            "package.json",
            "mcp.toml",
            "mcp.lock",
            "src/tools/x.ts",
            "src/generated/../x.ts",
            "src/generated/",
            "src/generated/.git/config",
            "src/generated//x",
            "./vercel.json",
            "src/generated",
            "",
        ];
        for path in foreign {
            let refused = of(path).unwrap_err().to_string();
            assert!(refused.contains(&format!("its entry `{path}` names")), "{refused}");
        }
        for path in
            ["../x.ts", "/x.ts", ".env", "mcp.toml", "src/tools/../x.ts", "src/.x.ts", "src/tools/a/b.ts", "test/x.sh"]
        {
            assert!(born(path).is_err(), "{path}");
        }
        assert!(Lock::parse("version = 1\n[files]\n\"vercel.json\" = \"a\\\"b\"\n").is_err());
    }

    #[test]
    fn a_merge_leaves_what_either_side_wrote() {
        let (id, other) = ("1f".repeat(16), "2e".repeat(16));
        let merged = |one: &str, two: &str| {
            let head = "version = 1\n";
            Lock::parse(&format!(
                "{head}<<<<<<< HEAD\n{one}\n=======\n{two}\n>>>>>>> other\n\"vercel.json\" = \"{}\"\n",
                "c".repeat(64)
            ))
        };
        let side = |id: &str, hash: &str| {
            format!("project = \"{id}\"\n[files]\n\"src/generated/a.ts\" = \"{}\"", hash.repeat(64))
        };
        let lock = merged(&side(&id, "a"), &side(&id, "b")).unwrap();
        assert_eq!(lock.known("src/generated/a.ts"), ["a".repeat(64), "b".repeat(64)]);
        assert_eq!((lock.known("vercel.json").len(), lock.project.as_deref()), (1, Some(id.as_str())));
        let alike = merged(&side(&id, "a"), &side(&id, "a")).unwrap();
        assert_ne!(alike, Lock::parse(&alike.text()).unwrap(), "git's lines are still to be removed");
        assert!(
            merged(&side(&id, "a"), &side(&other, "a")).unwrap_err().to_string().contains("two values of `project`")
        );
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        assert!(Lock::parse("<<<<<<< HEAD\n").is_err());
        assert!(Lock::parse("version = 1\nproject = \"mine\"\n[files]\n").is_err());
        let merged = crate::error::document(&Lock::parse("version = 1\n<<<<<<< HEAD\n").unwrap_err());
        assert_eq!((&merged["file"], &merged["line"]), (&FILE.into(), &2.into()), "{merged}");
        assert!(Lock::parse("version = 2\n[files]\n").unwrap_err().to_string().contains("newer"));
    }
}
