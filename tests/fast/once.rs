//! What stands once: each type has its own name, and each of a few tools is used in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use syn::ItemMod;
use syn::visit::{self, Visit};

use crate::support::sources;

/// Names that several types have, with their files and the reason.
const SHARED: &[(&str, &[&str], &str)] = &[];

#[test]
fn a_type_has_its_name_alone() {
    let twice: Vec<String> = types(&sources())
        .into_iter()
        .filter(|(name, files)| files.len() > 1 && !is_shared(name, files))
        .map(|(name, files)| format!("{name}: {}", files.join(", ")))
        .collect();
    assert!(twice.is_empty(), "several types of one name; find a better name:\n{}", twice.join("\n"));
}

#[test]
fn a_shared_name_is_still_shared() {
    let types = types(&sources());
    for (name, files, _) in SHARED {
        assert_eq!(types.get(*name).map(|found| found.iter().map(String::as_str).collect()), Some(files.to_vec()));
    }
}

#[test]
fn a_type_of_each_kind_is_seen() {
    let text = "struct A; enum B {} union C { a: u8 } trait D {} type E = u8; mod inner { struct A; } \
        impl Deref for A { type Target = u8; } fn f() { struct F; } #[cfg(test)] mod tests { struct G; }";
    let seen = types(&[(PathBuf::from("a.rs"), text.to_owned())]);
    let names: Vec<(&str, usize)> = seen.iter().map(|(name, files)| (name.as_str(), files.len())).collect();
    assert_eq!(names, [("A", 2), ("B", 1), ("C", 1), ("D", 1), ("E", 1)]);
}

/// The files of each type, by its name; what tests define for themselves is left out.
fn types(sources: &[(PathBuf, String)]) -> BTreeMap<String, Vec<String>> {
    let mut types = BTreeMap::<String, Vec<String>>::new();
    for (file, text) in sources {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut reader = Reader(Vec::new());
        reader.visit_file(&parsed);
        for name in reader.0 {
            types.entry(name).or_default().push(file.display().to_string());
        }
    }
    types
}

fn is_shared(name: &str, files: &[String]) -> bool {
    SHARED.iter().any(|(shared, known, _)| *shared == name && known.iter().eq(files.iter()))
}

/// Collects the names of the types of one file.
struct Reader(Vec<String>);

impl<'a> Visit<'a> for Reader {
    fn visit_item_mod(&mut self, inner: &'a ItemMod) {
        if inner.ident != "tests" {
            visit::visit_item_mod(self, inner);
        }
    }

    fn visit_item_struct(&mut self, item: &'a syn::ItemStruct) {
        self.0.push(item.ident.to_string());
    }

    fn visit_item_enum(&mut self, item: &'a syn::ItemEnum) {
        self.0.push(item.ident.to_string());
    }

    fn visit_item_union(&mut self, item: &'a syn::ItemUnion) {
        self.0.push(item.ident.to_string());
    }

    fn visit_item_trait(&mut self, item: &'a syn::ItemTrait) {
        self.0.push(item.ident.to_string());
    }

    fn visit_item_type(&mut self, item: &'a syn::ItemType) {
        self.0.push(item.ident.to_string());
    }

    /// What a function defines is its own.
    fn visit_block(&mut self, _: &'a syn::Block) {}
}

/// Words that stand in the named files of `src/` alone; tests within a file do not count.
const PLACES: &[(&str, &[&str])] = &[
    ("thread::scope", &["http_server/listener.rs", "parallel.rs"]),
    ("TcpListener", &["http_server/listener.rs", "process/mod.rs"]),
    ("httparse", &["http_server/answer.rs", "http_server/mod.rs"]),
    ("tempfile", &["process/scratch.rs"]),
    // The ways to the terminal. `interactive` asks only whether there is one; a live child has it for itself, to log
    // in.
    ("::stdout()", &["ui/mod.rs"]),
    ("::stderr()", &["process/mod.rs", "prompt.rs", "ui/mod.rs"]),
    ("println!", &[]),
    ("print!", &[]),
    ("dbg!", &[]),
    (".print()", &["ui/mod.rs"]),
    ("set_hook", &["ui/mod.rs"]),
    ("indicatif", &["ui/mod.rs"]),
    ("dialoguer::{", &["prompt.rs"]),
    (
        "Io::Live",
        &[
            "process/mod.rs",
            "targets/cloudflare/deploy.rs",
            "targets/lambda/aws.rs",
            "targets/lambda/deploy.rs",
            "targets/vercel/deploy.rs",
        ],
    ),
];

#[test]
fn a_tool_is_used_in_one_place() {
    for (word, places) in PLACES {
        let found: BTreeSet<String> = sources()
            .iter()
            .filter(|(file, text)| {
                // `eprintln!` is what a comment says that nothing uses.
                let text: String = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .map(|line| format!("{line}\n"))
                    .collect();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
                !file.ends_with("tests.rs") && !file.ends_with("testing.rs") && code.contains(word)
            })
            .map(|(file, _)| file.display().to_string())
            .collect();
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), *places, "`{word}`");
    }
}
