//! Finds handler files that are missing or have no default export, before a build does with a worse message.

use std::path::Path;

use crate::manifest::{FILE, Fault, Kind, Manifest, Position, Severity};

/// One error a declaration whose handler cannot be imported.
pub fn faults(root: &Path, manifest: &Manifest) -> Vec<Fault> {
    let mut faults = Vec::new();
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
            match std::fs::read_to_string(root.join(&path)) {
                Ok(text) if has_default_export(&text) => {}
                Ok(_) => faults.push(fault(
                    &path,
                    Position { line: 1, column: 1 },
                    format!("the handler of the {} `{name}` has no default export", kind.noun()),
                    format!("write `export default {}(\"{name}\", …)`", kind.noun()),
                )),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => faults.push(fault(
                    FILE,
                    at,
                    format!("the {} `{name}` has no handler: `{path}` is missing", kind.noun()),
                    "run `mcp-deploy render`, which creates a typed starter".into(),
                )),
                Err(error) => faults.push(fault(
                    FILE,
                    at,
                    format!("cannot read the handler `{path}`: {error}"),
                    "mend the file or its permissions".into(),
                )),
            }
        }
    }
    faults
}

/// Whether TypeScript text exports a default, outside comments and strings. The compiler has the last word.
fn has_default_export(text: &str) -> bool {
    let code = without_comments_and_strings(text);
    let words: Vec<&str> =
        code.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| pair == ["export", "default"] || pair == ["as", "default"])
        // A quote in a regular expression can hide it from us.
        || text.lines().any(|line| line.starts_with("export default "))
}

fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['/', '"', '\'', '`']) {
        code.push_str(&rest[..at]);
        rest = &rest[at..];
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.find("*/").map_or(rest.len(), |end| end + 4)
        } else if rest.starts_with('/') {
            1
        } else {
            string_length(rest)
        };
        code.push(' ');
        rest = &rest[skipped..];
    }
    code + rest
}

/// Bytes of the string literal that `text` begins with, its quotes included.
fn string_length(text: &str) -> usize {
    let quote = text.chars().next().unwrap_or('"');
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' if quote != '`' => return at,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
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
}
