//! Finds handler files that are missing, have no default export or that of something else, before the compiler does
//! with a worse message.

use std::io;
use std::path::Path;

use super::code::{is_of_word, string_length, without_comments_and_strings};
use super::undeclared;
use crate::fault::{Fault, Position, Severity};
use crate::files::{self, Folder};
use crate::manifest::{FILE, Kind, Manifest};

/// One error a declaration whose handler cannot be imported.
pub fn faults(root: &Path, manifest: &Manifest) -> Vec<Fault> {
    let mut faults = Vec::new();
    let folder = Folder::open(root);
    let read = |path: &str| match &folder {
        Ok(folder) => folder.read(path, files::ANY),
        Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
    };
    for kind in Kind::ALL {
        for (name, at) in manifest.declared(kind) {
            let path = kind.handler(name);
            let fault = |file: &str, at, message, hint: String| Fault {
                severity: Severity::Error,
                file: file.to_owned(),
                at,
                message,
                hint: Some(hint),
            };
            match read(&path) {
                Ok(text) if has_default_export(&text) => {
                    if let Some(other) = exported(&text).filter(|other| !other.is(kind, name)) {
                        faults.push(fault(
                            &path,
                            Position::of(&text, other.place),
                            format!(
                                "this is the handler of the {} `{name}`, and it exports that of the {} `{}`",
                                kind.noun(),
                                other.noun,
                                other.name
                            ),
                            format!("write `export default {}(\"{name}\", …)`", kind.noun()),
                        ));
                    }
                }
                Ok(_) => faults.push(fault(
                    &path,
                    Position { line: 1, column: 1 },
                    format!("the handler of the {} `{name}` has no default export", kind.noun()),
                    format!("write `export default {}(\"{name}\", …)`", kind.noun()),
                )),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    faults.push(lacking(root, manifest, kind, name, at));
                }
                Err(error) => faults.push(fault(
                    FILE,
                    at,
                    format!("cannot read the handler `{path}`: {error}"),
                    "correct the file or its permissions".into(),
                )),
            }
        }
    }
    faults
}

/// The same for those alone that are not there.
pub fn missing(root: &Path, manifest: &Manifest) -> Vec<Fault> {
    // What comes next reports a folder that cannot be opened, with a better reason.
    let Ok(folder) = Folder::open(root) else { return Vec::new() };
    let declared = Kind::ALL
        .into_iter()
        .flat_map(|kind| manifest.declared(kind).into_iter().map(move |(name, at)| (kind, name, at)));
    let is_missing = |kind: Kind, name: &str| matches!(folder.metadata(&kind.handler(name)), Ok(None));
    declared
        .filter(|(kind, name, _)| is_missing(*kind, name))
        .map(|(kind, name, at)| lacking(root, manifest, kind, name, at))
        .collect()
}

fn lacking(root: &Path, manifest: &Manifest, kind: Kind, name: &str, at: Position) -> Fault {
    let path = kind.handler(name);
    Fault {
        severity: Severity::Error,
        file: FILE.to_owned(),
        at,
        message: format!("the {} `{name}` has no handler: `{path}` is missing", kind.noun()),
        hint: Some(undeclared::of(root, manifest, kind, name).hint(&path)),
    }
}

/// Whether TypeScript text exports a default, outside comments and strings. The compiler has the last word.
pub(super) fn has_default_export(text: &str) -> bool {
    let code = without_comments_and_strings(text);
    let words: Vec<&str> = code.split(|c: char| !is_of_word(c)).filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| pair == ["export", "default"] || pair == ["as", "default"])
        // A quote in a regular expression can hide it from us.
        || text.lines().any(|line| line.starts_with("export default "))
}

/// `export default tool("get_time", …)`, as far as it is written plainly.
pub(super) struct Exported<'t> {
    pub noun: &'static str,
    pub name: &'t str,
    /// Of the name, in bytes.
    place: usize,
}

impl Exported<'_> {
    pub fn is(&self, kind: Kind, name: &str) -> bool {
        (self.noun, self.name) == (kind.noun(), name)
    }
}

pub(super) fn exported(text: &str) -> Option<Exported<'_>> {
    let code = without_comments_and_strings(text);
    let next = |rest: &'_ str, word: &str| rest.trim_start().strip_prefix(word).map(|rest| code.len() - rest.len());
    for (at, word) in code.match_indices("export") {
        let Some(after) = next(&code[at + word.len()..], "default") else { continue };
        let call = |kind: Kind| Some((kind, next(&code[next(&code[after..], kind.noun())?..], "(")?));
        let (kind, inside) = Kind::ALL.into_iter().find_map(call)?;
        let literal = text[inside..].trim_start();
        let length = literal.starts_with(['"', '\'', '`']).then(|| string_length(literal))?;
        let place = text.len() - literal.len();
        return Some(Exported { noun: kind.noun(), name: literal.get(1..length - 1)?, place });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_default_exports() {
        for yes in [
            "export default tool(\"a\", f);",
            "const x = 1;\nexport\n  default x",
            "export { x as default };",
            "const q = '\\'';\nexport default q",
            "const q = s.replace(/`/g, '');\nexport default q",
        ] {
            assert!(has_default_export(yes), "{yes}");
        }
        for no in [
            "",
            "// export default x",
            "/* export default x */ const a = 1",
            "const s = \"export default\"",
            "export const defaults = 1",
            "`export default ${1}`",
        ] {
            assert!(!has_default_export(no), "{no}");
        }
    }

    #[test]
    fn finds_whose_handler_is_exported() {
        for (text, expected) in [
            ("export default tool(\"a\", f);", Some(("tool", "a"))),
            ("// é export default tool(\"old\", f);\nexport  default prompt(\n  'b',\n  f,\n);", Some(("prompt", "b"))),
            ("export default wrapped(tool(\"a\", f));", None),
            ("const name = \"a\";\nexport default tool(name, f);", None),
            ("export const x = 1;\nexport default resource(`c`, f)", Some(("resource", "c"))),
            ("/* export default tool(\"old\", f); */ const t = tool(\"a\", f);\nexport default t;", None),
            ("export default tool(\"", None),
        ] {
            let found = exported(text);
            assert_eq!(found.as_ref().map(|found| (found.noun, found.name)), expected, "{text}");
            assert!(found.is_none_or(|found| text[found.place + 1..].starts_with(found.name)), "{text}");
        }
    }
}
