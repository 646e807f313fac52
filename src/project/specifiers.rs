//! Imports that a bundler resolves and Node.js does not: they work on a target, and not in `npm start` and `npm test`.

use std::path::Path;

use super::code;
use super::reached::{Reached, is_path, resolved};
use crate::fault::{Fault, Lines, Severity};
use crate::files;

/// A warning for each.
pub fn faults(root: &Path, reached: &Reached) -> Vec<Fault> {
    let config = files::read(root, "tsconfig.json", files::ANY).unwrap_or_default();
    let mut faults = Vec::new();
    for (path, text) in reached.modules() {
        let lines = Lines::of(text);
        for literal in code::imports(text) {
            let found = script(root, path, literal.text).or_else(|| alias(&config, literal.text));
            faults.extend(found.map(|(message, hint)| Fault {
                severity: Severity::Warning,
                file: path.to_owned(),
                at: lines.position(literal.at),
                message,
                hint: Some(hint),
            }));
        }
    }
    faults
}

/// `./x.js` where there is a `x.ts`.
fn script(root: &Path, path: &str, specifier: &str) -> Option<(String, String)> {
    let is_there = |specifier: &str| resolved(path, specifier).is_some_and(|file| files::is_there(root, &file));
    if !is_path(specifier) || is_there(specifier) {
        return None;
    }
    let endings = [(".js", ".ts"), (".mjs", ".mts"), (".cjs", ".cts"), (".jsx", ".tsx")];
    let written =
        endings.iter().find_map(|(script, source)| Some(format!("{}{source}", specifier.strip_suffix(script)?)))?;
    is_there(&written).then(|| {
        let message = format!("`{specifier}` is found by a bundler alone: `npm start` and `npm test` fail with it");
        (message, format!("write `{written}`, the name of the file"))
    })
}

/// `@/x.ts`, by `paths` of `tsconfig.json`.
fn alias(config: &str, specifier: &str) -> Option<(String, String)> {
    if is_path(specifier) || specifier.contains(':') || specifier.starts_with('#') || !config.contains("\"paths\"") {
        return None;
    }
    let starts = specifier.match_indices('/').map(|(at, _)| format!("\"{}/*\"", &specifier[..at]));
    let known = starts.chain([format!("\"{specifier}\"")]).any(|key| config.contains(&key));
    known.then(|| {
        let message = format!(
            "`{specifier}` is found by `paths` of `tsconfig.json`, which Node.js does not read: `npm start` and `npm test` fail with it"
        );
        (message, "write the path of the file, or use `imports` of `package.json` (`#name`)".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_bundler_finds_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("src/lib")).unwrap();
        for file in ["src/lib/a.ts", "src/lib/b.mts", "src/lib/c.js"] {
            std::fs::write(root.join(file), "").unwrap();
        }
        let told = |specifier| script(root, "src/tools/x.ts", specifier).map(|(_, hint)| hint);
        assert!(told("../lib/a.js").unwrap().contains("`../lib/a.ts`"));
        assert!(told("../lib/b.mjs").unwrap().contains("`../lib/b.mts`"));
        for fine in ["../lib/a.ts", "../lib/c.js", "../lib/none.js", "a.js"] {
            assert_eq!(told(fine), None, "{fine}");
        }
        let config = r#"{ "compilerOptions": { "paths": { "@/*": ["./src/*"], "lib": ["./src/lib/a.ts"] } } }"#;
        for (specifier, is_told) in [
            ("@/lib/a.ts", true),
            ("lib", true),
            ("@scope/lib", false),
            ("node:fs", false),
            ("#lib", false),
            ("../@/a.ts", false),
        ] {
            assert_eq!(alias(config, specifier).is_some(), is_told, "{specifier}");
        }
        assert_eq!(alias("{}", "@/lib/a.ts"), None);
    }
}
