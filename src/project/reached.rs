//! The user's modules that handlers need when they run.

use std::collections::BTreeMap;
use std::path::Path;

use super::code::{self, Literal};
use crate::files::{self, Folder};
use crate::manifest::{Kind, Manifest};

/// Modules of the project by path; generated code is not among them.
pub struct Reached(BTreeMap<String, String>);

impl Reached {
    /// Follows the imports of every handler.
    pub fn of(root: &Path, manifest: &Manifest) -> Self {
        let mut modules = BTreeMap::new();
        let declared = Kind::ALL.into_iter().flat_map(|kind| {
            manifest.declared(kind).into_iter().map(move |(name, _)| kind.handler(name)).collect::<Vec<_>>()
        });
        let mut left: Vec<String> = declared.collect();
        let Ok(folder) = Folder::open(root) else { return Reached(modules) };
        while let Some(path) = left.pop() {
            if modules.contains_key(&path) || path.starts_with(files::GENERATED) {
                continue;
            }
            let Ok(text) = folder.read(&path, files::ANY) else { continue };
            left.extend(code::imports(&text).iter().filter_map(|literal| beside(&path, literal.text)));
            modules.insert(path, text);
        }
        Reached(modules)
    }

    /// Each module with its text.
    pub fn modules(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Their imports other than paths, each with its module.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &str, Literal<'_>)> {
        self.modules().flat_map(|(path, text)| {
            let named = code::imports(text).into_iter().filter(|literal| !is_path(literal.text));
            named.map(move |literal| (path, text, literal))
        })
    }
}

pub fn is_path(specifier: &str) -> bool {
    specifier.starts_with(['.', '/'])
}

/// The module of code that a relative import in the module `from` names, by its path in the project.
fn beside(from: &str, specifier: &str) -> Option<String> {
    let code = ["ts", "mts", "cts", "js", "mjs", "cjs", "tsx", "jsx"];
    let ending = Path::new(specifier).extension()?.to_str()?;
    code.contains(&ending).then(|| resolved(from, specifier)).flatten()
}

/// A relative path in the module `from`, seen from the project's folder; `None` when it leads out of it.
pub fn resolved(from: &str, specifier: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in specifier.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    is_path(specifier).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_the_module_and_stays_in_the_project() {
        assert_eq!(resolved("src/tools/a.ts", "../lib/./b.ts").as_deref(), Some("src/lib/b.ts"));
        assert_eq!(resolved("src/tools/a.ts", "./b.md").as_deref(), Some("src/tools/b.md"));
        assert_eq!(resolved("src/tools/a.ts", "../../../b.ts"), None);
        assert_eq!(resolved("src/tools/a.ts", "pg"), None);
    }
}
