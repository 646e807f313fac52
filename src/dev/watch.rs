//! The user's files that a build reads, and which of them were changed.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use crate::files::{self, GENERATED};

/// When each file was last changed; what a build itself writes is not among them.
#[derive(Default)]
pub struct Snapshot {
    files: BTreeMap<String, SystemTime>,
    /// Whether these are all of them.
    pub is_whole: bool,
}

impl Snapshot {
    pub fn of(root: &Path) -> Self {
        let mut files = BTreeMap::new();
        let watched = ["mcp.toml", "package.json", "tsconfig.json", ".env", "schemas", "src"];
        // A file that vanishes while we look is a change like any other.
        let is_whole = files::walk(root, &watched, &[GENERATED], &mut |_, name, found| {
            if let Ok(modified) = found.modified() {
                files.insert(name.to_owned(), modified.into_std());
            }
        });
        Snapshot { files, is_whole }
    }

    /// The files that came, went or were changed since.
    pub fn changed(&self, now: &Snapshot) -> Vec<String> {
        let differs = |(name, time): &(&String, &SystemTime)| now.files.get(*name) != Some(*time);
        let gone_or_changed = self.files.iter().filter(differs).map(|(name, _)| name.clone());
        let new = now.files.keys().filter(|name| !self.files.contains_key(*name)).cloned();
        gone_or_changed.chain(new).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_went_and_was_changed_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        write("mcp.toml", "");
        write("src/a.ts", "");
        write("src/b.ts", "");
        let before = Snapshot::of(dir.path());
        assert!(before.is_whole && before.changed(&Snapshot::of(dir.path())).is_empty());
        write("src/generated/x.ts", "");
        write("src/c.ts", "");
        std::fs::remove_file(dir.path().join("src/a.ts")).unwrap();
        let later = SystemTime::now() + std::time::Duration::from_secs(5);
        std::fs::File::options().write(true).open(dir.path().join("src/b.ts")).unwrap().set_modified(later).unwrap();
        assert_eq!(before.changed(&Snapshot::of(dir.path())), ["src/a.ts", "src/b.ts", "src/c.ts"]);
    }
}
