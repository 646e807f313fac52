//! The floors of `src/`: a module uses its own floor and those below it, and no two rooms use each other in a circle.
//! [`FLOORS`] is the drawing in `docs/design.md`; a room is a module directly below the crate's root.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, UseTree};

use crate::support::sources;

/// From the ground up.
const FLOORS: &[&[&str]] = &[
    &["error", "fault", "http_server", "parallel", "process", "ui"],
    &["files", "prompt", "schema", "toolchain"],
    &["manifest"],
    &["plan", "probe"],
    &["deployments", "secrets"],
    &["targets"],
    &["project", "template"],
    &["dev", "ship"],
    &["cli", "commands", "examples"],
];

#[test]
fn no_arrow_points_up() {
    let arrows = arrows(&sources());
    let wrong = faults(&arrows);
    assert!(wrong.is_empty(), "{}\nthe floors are in tests/fast/layers.rs and docs/design.md", wrong.join("\n"));
}

#[test]
fn a_path_of_each_form_is_seen() {
    let below = "files/tree.rs";
    let forms = [
        "use crate::commands::End;",
        "use crate::{ui, commands::{End as other}};",
        "use super::super::commands::*;",
        "pub use crate::commands as other;",
        "fn f() -> crate::commands::End { todo!() }",
        "fn f() { crate::commands::run::<u8>() }",
        "fn f() { super::super::commands::run() }",
        "fn f() { say!(\"{}\", crate::commands::NAME) }",
        "fn f() { say!(inner!(super::super::commands::NAME)) }",
        "#[cfg(test)] mod tests { use super::super::super::commands::End; }",
        "#[derive(X)] struct S { #[serde(with = \"crate::commands::form\")] s: String }",
        "impl crate::commands::Command for u8 {}",
    ];
    for form in forms {
        let found = faults(&arrows(&[(PathBuf::from(below), form.to_owned())]));
        let one = "files/tree.rs (files, floor 2) uses commands (floor 9): `crate::commands";
        assert!(found.len() == 1 && found[0].starts_with(one), "{form}: {found:?}");
    }
    let down = "use crate::files::Folder; mod inner { use super::super::super::ui; }";
    assert_eq!(faults(&arrows(&[(PathBuf::from("commands/add.rs"), down.to_owned())])), [""; 0]);
}

#[test]
fn a_circle_on_one_floor_is_seen() {
    let sources = [("template/mod.rs", "use crate::project::npm;"), ("project/npm.rs", "use crate::template::local;")]
        .map(|(file, text)| (PathBuf::from(file), text.to_owned()));
    let found = faults(&arrows(&sources));
    assert_eq!(
        found,
        [
            "a circle of rooms: project -> template -> project (project/npm.rs: `crate::template::local`; template/mod.rs: `crate::project::npm`)"
        ]
    );
}

#[test]
fn a_room_without_a_floor_is_seen() {
    let found = faults(&arrows(&[(PathBuf::from("attic.rs"), "use crate::ui;".to_owned())]));
    assert_eq!(found, ["attic.rs: the room `attic` has no floor"]);
}

/// One use of a room by another.
struct Arrow {
    /// Below `src/`.
    file: PathBuf,
    from: String,
    to: String,
    /// As it would be written from the crate's root.
    path: String,
}

fn arrows(sources: &[(PathBuf, String)]) -> Vec<Arrow> {
    let mut arrows = Vec::new();
    for (file, text) in sources {
        let module = module_of(file);
        // The root itself names everything.
        let Some(room) = module.first().cloned() else { continue };
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut reader = Reader { module, paths: Vec::new() };
        reader.visit_file(&parsed);
        let paths: BTreeSet<Vec<String>> = reader.paths.into_iter().collect();
        arrows.extend(paths.into_iter().filter(|path| path.first().is_some_and(|to| *to != room)).map(|path| Arrow {
            file: file.clone(),
            from: room.clone(),
            to: path[0].clone(),
            path: format!("crate::{}", path.join("::")),
        }));
    }
    arrows
}

/// `files/tree.rs` is `files::tree`.
fn module_of(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        parts.pop();
    }
    parts
}

/// Collects the paths of one file, each from the crate's root.
struct Reader {
    /// Of what is being read.
    module: Vec<String>,
    paths: Vec<Vec<String>>,
}

impl Reader {
    fn add(&mut self, path: &[String]) {
        let (mut from, mut rest) = match path.first().map(String::as_str) {
            Some("crate") => (Vec::new(), &path[1..]),
            Some("super" | "self") => (self.module.clone(), path),
            _ => return,
        };
        while let Some(first) = rest.first().filter(|first| *first == "super" || *first == "self") {
            if first == "super" {
                from.pop();
            }
            rest = &rest[1..];
        }
        from.extend_from_slice(rest);
        self.paths.push(from);
    }

    fn tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: String| before.iter().cloned().chain([name]).collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(tree, before)),
            UseTree::Name(name) if name.ident == "self" => self.add(before),
            UseTree::Name(name) => self.add(&with(name.ident.to_string())),
            UseTree::Rename(name) => self.add(&with(name.ident.to_string())),
            UseTree::Glob(_) => self.add(before),
        }
    }

    /// What a macro is given has no grammar; paths in it are known by their tokens.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 2;
        for token in tokens {
            match token {
                TokenTree::Ident(name) if colons == 2 => {
                    path.push(name.to_string());
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                other => {
                    self.add(&std::mem::take(&mut path));
                    colons = 2;
                    match other {
                        TokenTree::Group(group) => self.tokens(group.stream()),
                        TokenTree::Ident(name) => {
                            path.push(name.to_string());
                            colons = 0;
                        }
                        TokenTree::Literal(literal) => self.text(&literal.to_string()),
                        TokenTree::Punct(_) => {}
                    }
                }
            }
        }
        self.add(&path);
    }

    /// A path in a string, as serde's attributes have them.
    fn text(&mut self, literal: &str) {
        let path: Vec<String> = literal.trim_matches('"').split("::").map(str::to_owned).collect();
        let is_name = |part: &String| part.chars().all(|c| c.is_alphanumeric() || c == '_') && !part.is_empty();
        if path.len() > 1 && path.iter().all(is_name) {
            self.add(&path);
        }
    }
}

impl<'a> Visit<'a> for Reader {
    fn visit_item_mod(&mut self, inner: &'a ItemMod) {
        self.module.push(inner.ident.to_string());
        visit::visit_item_mod(self, inner);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&names);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'a Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'a syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
        visit::visit_attribute(self, attribute);
    }
}

/// Arrows that point up, rooms without a floor, and circles.
fn faults(arrows: &[Arrow]) -> Vec<String> {
    let floor = |room: &str| FLOORS.iter().position(|rooms| rooms.contains(&room)).map(|index| index + 1);
    let mut faults = BTreeSet::new();
    let mut level: BTreeMap<&str, BTreeMap<&str, &Arrow>> = BTreeMap::new();
    for arrow in arrows {
        let (file, from, to) = (arrow.file.display(), &arrow.from, &arrow.to);
        let Some(below) = floor(from) else {
            faults.insert(format!("{file}: the room `{from}` has no floor"));
            continue;
        };
        // The root's own names do not count as rooms.
        let Some(above) = floor(to) else { continue };
        if above > below {
            faults.insert(format!("{file} ({from}, floor {below}) uses {to} (floor {above}): `{}`", arrow.path));
        } else if above == below {
            level.entry(from).or_default().entry(to).or_insert(arrow);
        }
    }
    let mut seen = BTreeSet::new();
    for room in level.keys() {
        circle(&level, room, &mut Vec::new(), &mut seen, &mut faults);
    }
    faults.into_iter().collect()
}

/// Follows the arrows of one floor from `room`, and tells the circles that they close.
fn circle<'a>(
    level: &BTreeMap<&'a str, BTreeMap<&'a str, &'a Arrow>>,
    room: &'a str,
    way: &mut Vec<&'a str>,
    seen: &mut BTreeSet<&'a str>,
    faults: &mut BTreeSet<String>,
) {
    if let Some(start) = way.iter().position(|before| *before == room) {
        let rooms: Vec<&str> = way[start..].iter().copied().chain([room]).collect();
        let arrow = |pair: &[&str]| {
            let arrow = level[pair[0]][pair[1]];
            format!("{}: `{}`", arrow.file.display(), arrow.path)
        };
        let arrows: Vec<String> = rooms.windows(2).map(arrow).collect();
        faults.insert(format!("a circle of rooms: {} ({})", rooms.join(" -> "), arrows.join("; ")));
        return;
    }
    if !seen.insert(room) {
        return;
    }
    way.push(room);
    for next in level.get(room).into_iter().flat_map(BTreeMap::keys) {
        circle(level, next, way, seen, faults);
    }
    way.pop();
}
