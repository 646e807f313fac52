//! Every dependency has a licence that `.cargo/deny.toml` allows: the crates of this machine's builds, and the npm
//! packages of the tests, among which is each one that a generated project is given. `cargo deny` in the workflow looks
//! at the crates of every system.

use std::process::Command;

use mcp_deploy::manifest::parse;
use mcp_deploy::template::packages::{WRITTEN, needed};
use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};
use toml_edit::DocumentMut;

use crate::golden::read;
use crate::support::finished;

/// Everything for which a project gets a package.
const MANIFEST: &str = r#"
[server]
name = "s"
version = "1.0.0"
description = "d"

[tools.t]
description = "d"
state = "shared"

[access]
auth = "oauth"

[access.oauth]
issuer = "https://a.example"
audience = "b"

[targets.lambda]
[targets.vercel]
adapter = "mcp-handler"
[targets.cloudflare]
"#;

#[test]
fn every_crate_has_an_allowed_licence() {
    let allowed = allowed();
    let system = finished(Command::new("rustc").args(["--print", "host-tuple"])).stdout;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", system.trim()]);
    let metadata = finished(cargo.current_dir(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(metadata.code, 0, "{}", metadata.stderr);
    let metadata: Value = serde_json::from_str(&metadata.stdout).unwrap();
    let crates = metadata["packages"].as_array().unwrap();
    assert!(crates.len() > 100, "{} crates", crates.len());
    let refused: Vec<String> = crates.iter().filter_map(|found| refused(found, &allowed)).collect();
    assert!(refused.is_empty(), "see .cargo/deny.toml:\n{}", refused.join("\n"));
}

#[test]
fn every_npm_package_has_an_allowed_licence() {
    let allowed = allowed();
    let lock = lock();
    let packages = lock["packages"].as_object().unwrap();
    assert!(packages.len() > 50, "{} packages", packages.len());
    let packages = packages.iter().filter(|(path, _)| !path.is_empty());
    let refused: Vec<String> =
        packages.filter_map(|(path, found)| refused(found, &allowed).map(|said| format!("{path} {said}"))).collect();
    assert!(refused.is_empty(), "see .cargo/deny.toml:\n{}", refused.join("\n"));
}

/// What is checked, linted and audited in `tests/runtime` is what users get.
#[test]
fn a_generated_projects_packages_are_among_them() {
    let (manifest, faults) = parse(MANIFEST, &|_| Err("there is no file".into()));
    let manifest =
        manifest.unwrap_or_else(|| panic!("{}", faults.iter().map(|it| format!("{it}\n")).collect::<String>()));
    let lock = lock();
    let given = needed(&manifest, &WRITTEN);
    assert!(given.len() > 6, "{given:?}");
    for package in given {
        let found = &lock["packages"][format!("node_modules/{}", package.name)]["version"];
        assert_eq!(found, package.version, "{} in tests/runtime/package-lock.json", package.name);
    }
}

#[test]
fn a_licence_that_is_not_listed_is_refused() {
    let allowed = allowed();
    for (licence, fits) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("MIT OR GPL-3.0-only", true),
        ("Apache-2.0 AND ISC", true),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("MIT AND GPL-3.0-only", false),
        ("MPL-2.0", false),
        ("SEE LICENSE IN LICENSE", false),
    ] {
        let found = serde_json::json!({ "name": "a", "version": "1.0.0", "license": licence });
        assert_eq!(refused(&found, &allowed).is_none(), fits, "{licence}");
    }
    assert!(refused(&serde_json::json!({ "name": "a" }), &allowed).is_some());
}

fn allowed() -> Vec<Licensee> {
    let config: DocumentMut = read(".cargo/deny.toml").parse().unwrap();
    let listed = config["licenses"]["allow"].as_array().unwrap().iter().map(|licence| licence.as_str().unwrap());
    listed.map(|licence| Licensee::parse(licence).unwrap()).collect()
}

/// What is wrong with the licence of a package, as cargo or npm tells of it.
fn refused(found: &Value, allowed: &[Licensee]) -> Option<String> {
    let (name, version) = (&found["name"], &found["version"]);
    let Some(licence) = found["license"].as_str() else { return Some(format!("{name} {version} names no licence")) };
    let fits = Expression::parse_mode(licence, ParseMode::LAX)
        .is_ok_and(|expression| expression.evaluate(|asked| allowed.iter().any(|listed| listed.satisfies(asked))));
    (!fits).then(|| format!("{name} {version}: {licence}"))
}

fn lock() -> Value {
    serde_json::from_str(&read("tests/runtime/package-lock.json")).unwrap()
}
