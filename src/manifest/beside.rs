//! Files beside the code: what lies in `src/files/`, and what a handler gets of each.

use std::io;
use std::path::Path;

use crate::fault::{Fault, Position, Severity};
use crate::files;

/// Their folder.
pub const FOLDER: &str = "src/files";

/// What a handler gets of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileForm {
    Text,
    Json,
    Wasm,
    Bytes,
}

/// One file beside the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileBeside {
    /// Below [`FOLDER`], `/` between its parts.
    pub path: String,
    pub form: FileForm,
}

/// Endings of what is read as text; anything else that is neither JSON nor WebAssembly is bytes.
const TEXT: [&str; 34] = [
    "adoc", "conf", "css", "csv", "eml", "geojson", "gql", "graphql", "htm", "html", "ics", "ini", "jsonl", "liquid",
    "log", "markdown", "md", "mustache", "ndjson", "rst", "sql", "svg", "toml", "tsv", "txt", "xml", "yaml", "hbs",
    "mdx", "njk", "prompt", "rtf", "xsl", "yml",
];
/// Endings of code, which is imported as it is.
const CODE: [&str; 8] = ["cjs", "cts", "js", "jsx", "mjs", "mts", "ts", "tsx"];

/// What a file of this name is for a handler; `None`: it is code.
pub fn form(name: &str) -> Option<FileForm> {
    let ending = Path::new(name).extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_lowercase();
    let is = |known: &[&str]| known.contains(&ending.as_str());
    match ending.as_str() {
        _ if is(&CODE) => None,
        "json" => Some(FileForm::Json),
        "wasm" => Some(FileForm::Wasm),
        _ if is(&TEXT) => Some(FileForm::Text),
        _ => Some(FileForm::Bytes),
    }
}

/// The files that can be imported, by path, and what is wrong with the others.
pub fn found(root: &Path) -> (Vec<FileBeside>, Vec<Fault>) {
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    let fault = |name: &str, message: String, hint: &str| Fault {
        severity: Severity::Error,
        file: name.to_owned(),
        at: Position { line: 1, column: 1 },
        message,
        hint: Some(hint.to_owned()),
    };
    let whole = files::walk(root, &[FOLDER], &[], &mut |_, name, kind| {
        let Some(path) = name.strip_prefix(FOLDER).and_then(|rest| rest.strip_prefix('/')) else {
            return faults.push(fault(
                name,
                format!("a symbolic link in `{FOLDER}` leads here, and no handler can import what is behind one"),
                "put the file itself there",
            ));
        };
        // What an editor or a system leaves behind.
        if path.split('/').any(|part| part.starts_with('.')) {
            return;
        }
        let Some(form) = form(path) else { return };
        if kind.is_symlink() {
            let message = "this symbolic link leads out of the project or nowhere, and is not followed".to_owned();
            return faults.push(fault(name, message, "put the file itself there"));
        }
        let legal = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if !path.chars().all(legal) {
            let message = "the name of a file beside the code has other characters than letters of the English alphabet, digits, `.`, `_` and `-`";
            return faults.push(fault(name, message.to_owned(), "rename the file"));
        }
        found.push(FileBeside { path: path.to_owned(), form });
    });
    if !whole {
        let message = format!("there are too many files in `{FOLDER}` to look at them all");
        faults.push(fault(FOLDER, message, "keep large collections in a bucket or a database"));
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found.dedup();
    (found, faults)
}

/// What is wrong with the content of a file: Node.js would refuse it, or read something else than was written.
pub fn content_fault(root: &Path, file: &FileBeside) -> Option<Fault> {
    let name = format!("{FOLDER}/{}", file.path);
    let (message, hint) = match (file.form, files::Folder::open(root).and_then(|root| root.read_bytes(&name, MOST))) {
        (_, Err(error)) if error.kind() == io::ErrorKind::NotFound => return None,
        (_, Err(error)) => {
            (format!("cannot read it: {error}"), "correct the file or its permissions; keep what is larger in a bucket")
        }
        (FileForm::Text, Ok(bytes)) if std::str::from_utf8(&bytes).is_err() => (
            "a file with this ending is read as text, and this one is not UTF-8".to_owned(),
            "save it as UTF-8, or give it the ending `.bin`: then a handler gets its bytes",
        ),
        (FileForm::Wasm, Ok(bytes)) if !bytes.starts_with(b"\0asm\x01\0\0\0") => (
            "this is not a WebAssembly module of version 1".to_owned(),
            "build it again, or give it the ending `.bin`: then a handler gets its bytes",
        ),
        (_, Ok(_)) => return None,
    };
    let at = Position { line: 1, column: 1 };
    Some(Fault { severity: Severity::Error, file: name, at, message, hint: Some(hint.to_owned()) })
}

/// Bytes: above it no target holds the file.
const MOST: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_a_handler_gets_goes_by_the_ending() {
        for (name, expected) in [
            ("a.md", Some(FileForm::Text)),
            ("A.TXT", Some(FileForm::Text)),
            ("rows.csv", Some(FileForm::Text)),
            ("a.test.yml", Some(FileForm::Text)),
            ("a.json", Some(FileForm::Json)),
            ("add.wasm", Some(FileForm::Wasm)),
            ("logo.png", Some(FileForm::Bytes)),
            ("LICENSE", Some(FileForm::Bytes)),
            ("a.bin", Some(FileForm::Bytes)),
            ("index.ts", None),
            ("types.d.ts", None),
            ("old.cjs", None),
        ] {
            assert_eq!(form(name), expected, "{name}");
        }
    }

    #[test]
    fn files_are_found_by_path_and_others_are_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(found(root), (Vec::new(), Vec::new()));
        for name in ["b.md", "a/c.wasm", ".DS_Store", "a/.keep", "code.ts", "über.txt", "with blank.txt"] {
            let path = root.join(FOLDER).join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        fs::write(root.join("README.md"), "x").unwrap();
        symlink("../../README.md", root.join(FOLDER).join("readme.md")).unwrap();
        symlink("/etc/passwd", root.join(FOLDER).join("out.txt")).unwrap();
        let (files, faults) = found(root);
        let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/c.wasm", "b.md"]);
        let mut told: Vec<(&str, &str)> =
            faults.iter().map(|fault| (fault.file.as_str(), &fault.message[..15])).collect();
        told.sort_unstable();
        let expected = [
            ("README.md", "a symbolic link"),
            ("src/files/out.txt", "this symbolic l"),
            ("src/files/with blank.txt", "the name of a f"),
            ("src/files/über.txt", "the name of a f"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn content_that_is_not_what_its_ending_says_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join(FOLDER)).unwrap();
        let told = |name: &str, bytes: &[u8]| {
            fs::write(root.join(FOLDER).join(name), bytes).unwrap();
            let file = FileBeside { path: name.to_owned(), form: form(name).unwrap() };
            content_fault(root, &file).map(|fault| fault.message)
        };
        assert!(told("latin1.txt", b"caf\xe9").unwrap().contains("not UTF-8"));
        assert!(told("utf16.csv", b"\xff\xfea\0").unwrap().contains("not UTF-8"));
        assert!(told("text.wasm", b"(module)").unwrap().contains("not a WebAssembly module"));
        assert!(told("component.wasm", b"\0asm\x0d\0\x01\0").unwrap().contains("not a WebAssembly module"));
        assert!(told("empty.wasm", b"").unwrap().contains("not a WebAssembly module"));
        assert_eq!(told("a.txt", "é".as_bytes()), None);
        assert_eq!(told("a.bin", b"\xff\xfe"), None);
        assert_eq!(told("a.wasm", b"\0asm\x01\0\0\0"), None);
    }
}
