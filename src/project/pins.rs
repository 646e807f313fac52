//! Packages that a project has in older versions than this mcp-deploy writes.

use std::path::Path;

use serde_json::Value;

use super::manager::Packages;
use crate::files;
use crate::manifest::{self, Manifest};
use crate::template::packages::{Package, WRITTEN, needed};

/// One of them.
#[derive(Debug)]
pub struct OldPin {
    pub package: Package,
    /// As `package.json` has it.
    pub found: String,
    /// What moves it.
    pub command: String,
}

/// Those of the project in this folder; none where there is no project that can be read.
pub fn older(dir: Option<&Path>) -> Vec<OldPin> {
    let Ok(root) = super::find(dir) else { return Vec::new() };
    let manifest = manifest::load(&root).ok().and_then(|loaded| loaded.manifest);
    let package = files::read(&root, "package.json", files::ANY).ok();
    let package = package.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    match (manifest, package, Packages::of(&root)) {
        (Some(manifest), Some(package), Ok(packages)) => among(&package, &manifest, &packages),
        _ => Vec::new(),
    }
}

fn among(json: &Value, manifest: &Manifest, packages: &Packages) -> Vec<OldPin> {
    let dev = WRITTEN.iter().map(|package| (*package, "devDependencies", " -D"));
    let all = needed(manifest, &[]).into_iter().map(|package| (package, "dependencies", "")).chain(dev);
    let old = all.filter_map(|(package, list, flag)| {
        let found = json[list][package.name].as_str()?.to_owned();
        let command = format!("{}{flag}", packages.add_line(&[package]));
        is_older(&found, package.version).then_some(OldPin { package, found, command })
    });
    old.collect()
}

/// A range is as old as the version that it begins with; anything else than a version has no age.
fn is_older(found: &str, pinned: &str) -> bool {
    let version = |text: &str| semver::Version::parse(text.trim_start_matches(['^', '~', '=', 'v', ' '])).ok();
    version(found).zip(version(pinned)).is_some_and(|(found, pinned)| found < pinned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_older() {
        for old in ["24.19.2", "^24.0.0", "~1.0.0", "=24.19.3", "v22.1.1"] {
            assert!(is_older(old, "24.19.4"), "{old}");
        }
        for other in ["24.19.4", "^26.0.0", "*", "latest", "workspace:*", "file:../x", "24", ">=1.0.0", ""] {
            assert!(!is_older(other, "24.19.4"), "{other}");
        }
    }

    /// What templates write stands there in words.
    #[test]
    fn templates_write_what_is_compared() {
        let template = include_str!("../../templates/project/package.json.hbs");
        let list = template.split("\"devDependencies\": {").nth(1).unwrap();
        for Package { name, version, .. } in WRITTEN {
            assert!(list.contains(&format!("\"{name}\": \"{version}\"")), "{name} {version}");
        }
        assert_eq!(list.matches("\": \"").count(), WRITTEN.len());
    }
}
