//! Handler files that nothing declares: where a declared handler is missing, one of them may be it, under a wrong name.

use std::path::Path;

use super::handlers::{exported, has_default_export};
use crate::files;
use crate::manifest::{Kind, Manifest, near};

/// What a handler may be written in by mistake; only `.ts` is read.
const ENDINGS: [&str; 5] = ["ts", "tsx", "mts", "js", "mjs"];

/// Most files that a hint names.
const MOST: usize = 3;

/// The undeclared files of the folder in which one handler is missing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Candidates {
    /// The one that is meant, as far as its name or what it exports tells.
    pub near: Option<String>,
    others: Vec<String>,
}

/// What may be the handler of `name`, which is missing.
pub fn of(root: &Path, manifest: &Manifest, kind: Kind, name: &str) -> Candidates {
    let folder = format!("src/{}", kind.plural());
    let declared: Vec<String> = manifest.declared(kind).into_iter().map(|(name, _)| kind.handler(name)).collect();
    let mut found = Vec::new();
    files::walk(root, &[&folder], &[], &mut |folder_of, path, file| {
        let own = path.strip_prefix(&folder).and_then(|path| path.strip_prefix('/'));
        let Some((stem, ending)) = own.and_then(|own| own.rsplit_once('.')) else { return };
        let is_code = file.is_file() && ENDINGS.contains(&ending) && !stem.contains(['/', '.']);
        if !is_code || declared.iter().any(|declared| declared == path) {
            return;
        }
        let Ok(text) = folder_of.read(path, files::ANY) else { return };
        if has_default_export(&text) {
            let exports_it = exported(&text).is_some_and(|exported| exported.is(kind, name));
            found.push((stem.to_owned(), path.to_owned(), exports_it));
        }
    });
    found.sort();
    let stem = near(name, found.iter().map(|(stem, ..)| stem.as_str()));
    let meant = found.iter().find(|(.., exports_it)| *exports_it);
    let meant = meant.or_else(|| found.iter().find(|(known, ..)| Some(known.as_str()) == stem));
    let near = meant.map(|(_, path, _)| path.clone());
    Candidates { near, others: found.into_iter().map(|(_, path, _)| path).collect() }
}

impl Candidates {
    /// What to do about the handler `path`, which is missing.
    pub fn hint(&self, path: &str) -> String {
        let starter = "run `mcp-deploy render`, which creates a typed starter";
        if let Some(near) = &self.near {
            return format!("did you mean `{near}`? Rename it to `{path}`; or {starter}");
        }
        let (named, more) = self.others.split_at(self.others.len().min(MOST));
        let named: Vec<String> = named.iter().map(|path| format!("`{path}`")).collect();
        match (named.is_empty(), more.len()) {
            (true, _) => starter.to_owned(),
            (_, 0) => {
                format!("nothing declares {}: rename the file if it is the handler; or {starter}", named.join(", "))
            }
            (_, more) => format!(
                "nothing declares {} and {more} more: rename the file if it is the handler; or {starter}",
                named.join(", ")
            ),
        }
    }
}

/// One line for each handler that is missing while an undeclared file is probably it: told where a starter is created.
pub fn notes(root: &Path, manifest: &Manifest) -> Vec<String> {
    let mut notes = Vec::new();
    for kind in Kind::ALL {
        for (name, _) in manifest.declared(kind) {
            let path = kind.handler(name);
            if files::is_there(root, &path) {
                continue;
            }
            if let Some(near) = of(root, manifest, kind, name).near {
                notes.push(format!("nothing declares `{near}`: if it is the handler of `{name}`, replace the starter with it: `mv {near} {path}`"));
            }
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_meant_is_told_from_others() {
        let text = "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[tools.query]\ndescription = \"d\"\n[tools.other]\ndescription = \"d\"\n";
        let manifest = crate::manifest::parse(text, &|_| Err(String::new())).0.unwrap();
        let handler = |name: &str| format!("export default tool(\"{name}\", () => ({{}}));\n");
        let (near, other) = ("did you mean `src/tools/", "nothing declares `src/tools/");
        let table: [(&[(&str, &str)], String); 8] = [
            (&[], "run `mcp-deploy render`".into()),
            (&[("qeury.ts", "x")], format!("{near}qeury.ts`? Rename it to `src/tools/query.ts`; or run")),
            (&[("query.js", "x"), ("aaaa.ts", "x")], format!("{near}query.js`?")),
            (&[("search.ts", "query"), ("qeury.ts", "x")], format!("{near}search.ts`?")),
            (&[("search.ts", "x")], format!("{other}search.ts`: rename")),
            (
                &[("a.ts", "x"), ("b.ts", "x"), ("c.ts", "x"), ("d.ts", "x")],
                format!("{other}a.ts`, `src/tools/b.ts`, `src/tools/c.ts` and 1 more:"),
            ),
            // A declared one, a test, a type declaration, a folder's file and a module without a default export do not
            // count.
            (
                &[("other.ts", "other"), ("qeury.test.ts", "x"), ("qeury.d.ts", "x"), ("in/query.ts", "x")],
                "run `mcp-deploy".into(),
            ),
            (&[("qeury.ts", "")], "run `mcp-deploy render`".into()),
        ];
        for (files, expected) in table {
            let dir = tempfile::tempdir().unwrap();
            for (file, name) in files {
                let path = dir.path().join("src/tools").join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, if name.is_empty() { "export const x = 1;\n".into() } else { handler(name) })
                    .unwrap();
            }
            let hint = of(dir.path(), &manifest, Kind::Tool, "query").hint("src/tools/query.ts");
            assert!(hint.starts_with(&expected), "{files:?}: {hint}");
        }
    }
}
