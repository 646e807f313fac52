//! Packages that a target without Node.js cannot run: with native code, or with files that they read.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::code::Literal;
use super::reached::Reached;
use crate::fault::{Fault, Position, Severity};
use crate::manifest::Manifest;
use crate::targets::{self, Target};

/// Packages that many know, why they cannot run there, and what does.
const KNOWN: [(&str, &str, &str); 22] = [
    ("@napi-rs/canvas", NATIVE, DRAW),
    ("@prisma/client", "it reads an engine beside its code", "use Prisma's driver adapters with its `workerd` runtime"),
    ("argon2", NATIVE, HASH),
    ("bcrypt", NATIVE, HASH),
    ("better-sqlite3", NATIVE, STATE),
    ("canvas", NATIVE, DRAW),
    ("duckdb", NATIVE, "ask a database over HTTP"),
    ("jsdom", FILES, "use `cheerio`, or `linkedom`"),
    ("node-canvas", NATIVE, DRAW),
    ("onnxruntime-node", NATIVE, "use `onnxruntime-web`, or a model behind an API"),
    ("pdf-parse", "it needs a canvas with native code", "use `unpdf`"),
    ("playwright", BROWSER, RENDER),
    ("playwright-core", BROWSER, RENDER),
    ("puppeteer", BROWSER, RENDER),
    ("puppeteer-core", BROWSER, RENDER),
    ("re2", NATIVE, "use the regular expressions of JavaScript"),
    ("sharp", NATIVE, "resize in a service over HTTP"),
    ("skia-canvas", NATIVE, DRAW),
    ("sqlite3", NATIVE, STATE),
    ("@tensorflow/tfjs-node", NATIVE, "use `@tensorflow/tfjs`, or a model behind an API"),
    ("lmdb", NATIVE, STATE),
    ("usb", NATIVE, "ask a server that has the device"),
];
const NATIVE: &str = "it has native code";
const FILES: &str = "it reads files beside its own code";
const BROWSER: &str = "it starts a browser, which is another program";
const DRAW: &str = "make SVG, or draw in a service over HTTP";
const HASH: &str = "use `crypto.subtle`, or `bcryptjs`";
const STATE: &str = "use `ctx.state`, or a database over HTTP";
const RENDER: &str = "ask a browser over HTTP, such as a rendering API";

/// Names of packages by which a package finds its own native code.
const FINDERS: [&str; 6] =
    ["bindings", "node-gyp-build", "node-gyp-build-optional-packages", "node-pre-gyp", "@mapbox/node-pre-gyp", "nan"];

/// What handlers import, and the chosen targets without Node.js cannot run.
pub fn faults(root: &Path, manifest: &Manifest, reached: &Reached) -> Vec<Fault> {
    let without: Vec<&Target> = targets::chosen(&manifest.targets).filter(|target| target.bundle.is_none()).collect();
    let mut faults = Vec::new();
    if without.is_empty() {
        return faults;
    }
    for (path, text, Literal { text: specifier, at }) in reached.packages() {
        let name = package_of(specifier);
        let Some((severity, reason, instead)) = verdict(root, name) else { continue };
        for target in &without {
            let keep = format!("remove `[targets.{}]` from `mcp.toml`", target.name);
            faults.push(Fault {
                severity,
                file: path.to_owned(),
                at: Position::of(text, at),
                message: match severity {
                    Severity::Error => format!("{} cannot run the package `{name}`: {reason}", target.title),
                    Severity::Warning => format!("{} may not run the package `{name}`: {reason}", target.title),
                },
                hint: Some(format!("{}{keep}", instead.map(|instead| format!("{instead}, or ")).unwrap_or_default())),
            });
        }
    }
    faults
}

/// `@a/b/c.js` → `@a/b`
fn package_of(specifier: &str) -> &str {
    let depth = if specifier.starts_with('@') { 2 } else { 1 };
    specifier.match_indices('/').nth(depth - 1).map_or(specifier, |(at, _)| &specifier[..at])
}

fn verdict(root: &Path, name: &str) -> Option<(Severity, String, Option<&'static str>)> {
    if let Some((_, reason, instead)) = KNOWN.iter().find(|(known, ..)| *known == name) {
        return Some((Severity::Error, (*reason).to_owned(), Some(instead)));
    }
    let folder = installed(root, name)?;
    let manifest = package(&folder)?;
    if has_other_code(&manifest) {
        return None;
    }
    if is_native(&folder, &manifest) {
        return Some((Severity::Error, NATIVE.to_owned(), None));
    }
    // It may be that none of it is loaded there: the local run tells.
    let needed = manifest["dependencies"].as_object().into_iter().flatten().map(|(name, _)| name);
    let native = needed.filter(|needed| {
        let found = installed(&folder, needed).and_then(|folder| Some((package(&folder)?, folder)));
        found.is_some_and(|(package, folder)| !has_other_code(&package) && is_native(&folder, &package))
    });
    let first = native.min()?;
    Some((Severity::Warning, format!("it depends on `{first}`, which has native code"), None))
}

/// Whether it brings other code for platforms other than Node.js.
fn has_other_code(package: &Value) -> bool {
    let conditions = ["\"workerd\"", "\"worker\"", "\"edge-light\"", "\"browser\""];
    let exports = package["exports"].to_string();
    package["browser"].is_string() || conditions.iter().any(|condition| exports.contains(condition))
}

fn is_native(folder: &Path, package: &Value) -> bool {
    let names = |key: &str| package[key].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    let finds = names("dependencies").any(|name| FINDERS.contains(&name.as_str()));
    // One package for each platform, as napi-rs and others make them.
    let platforms =
        names("optionalDependencies").any(|name| name.contains("linux-x64") || name.contains("linux-arm64"));
    let script = package["scripts"]["install"].as_str().unwrap_or_default();
    let built = ["node-gyp", "prebuild", "cmake-js"].iter().any(|tool| script.contains(tool));
    finds || platforms || built || package["gypfile"] == true || folder.join("binding.gyp").is_file()
}

/// The folder of a package as Node.js finds it from another folder.
fn installed(from: &Path, name: &str) -> Option<PathBuf> {
    let from = std::fs::canonicalize(from).ok()?;
    from.ancestors().map(|above| above.join("node_modules").join(name)).find(|folder| folder.is_dir())
}

/// At most as much as a manifest may have: a package is code of others.
fn package(folder: &Path) -> Option<Value> {
    let text = crate::files::read(folder, "package.json", crate::files::PARSED).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn root(packages: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, manifest) in packages {
            let folder = dir.path().join("node_modules").join(name);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("package.json"), manifest).unwrap();
        }
        dir
    }

    fn told(name: &str, packages: &[(&str, &str)]) -> Option<(Severity, String)> {
        verdict(root(packages).path(), name).map(|(severity, reason, _)| (severity, reason))
    }

    #[test]
    fn native_code_is_seen_by_what_a_package_says() {
        let native = Some((Severity::Error, NATIVE.to_owned()));
        // Known by name, whether installed or not.
        assert_eq!(told("sharp", &[]), native);
        for manifest in [
            r#"{ "dependencies": { "bindings": "1" } }"#,
            r#"{ "optionalDependencies": { "@x/a-linux-x64-gnu": "1", "@x/a-darwin-arm64": "1" } }"#,
            r#"{ "scripts": { "install": "prebuild-install || node-gyp rebuild" } }"#,
            r#"{ "gypfile": true }"#,
        ] {
            assert_eq!(told("a", &[("a", manifest)]), native, "{manifest}");
        }
        let of_dependency = told("b", &[("a", r#"{ "gypfile": true }"#), ("b", r#"{ "dependencies": { "a": "1" } }"#)]);
        assert_eq!(of_dependency, Some((Severity::Warning, "it depends on `a`, which has native code".to_owned())));
    }

    #[test]
    fn what_runs_without_native_code_is_left_alone() {
        assert_eq!(told("missing", &[]), None);
        for manifest in [
            "{}",
            r#"{ "dependencies": { "semver": "1" } }"#,
            r#"{ "optionalDependencies": { "fsevents": "1" } }"#,
            r#"{ "dependencies": { "bindings": "1" }, "exports": { ".": { "workerd": "./a.js", "node": "./b.js" } } }"#,
            r#"{ "gypfile": true, "browser": "./browser.js" }"#,
            r#"{ "scripts": { "install": "husky" } }"#,
        ] {
            assert_eq!(told("a", &[("a", manifest)]), None, "{manifest}");
        }
        let with_other = told(
            "b",
            &[("a", r#"{ "gypfile": true, "browser": "x.js" }"#), ("b", r#"{ "dependencies": { "a": "1" } }"#)],
        );
        assert_eq!(with_other, None);
    }

    #[test]
    fn a_package_is_named_by_what_is_imported() {
        for (specifier, name) in
            [("a", "a"), ("a/b/c.js", "a"), ("@s/a", "@s/a"), ("@s/a/b", "@s/a"), ("node:fs", "node:fs")]
        {
            assert_eq!(package_of(specifier), name);
        }
    }
}
