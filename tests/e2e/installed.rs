//! What is deployed is made of the packages that are installed in the project, which stay as they are.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::child::run;
use crate::support::site::{Turn, WEATHER};
use crate::support::work::{clone, mcp_deploy, read, write};

/// A `file:` package, and what it depends on, which `package.json` does not name: another version of that is another bundle.
#[test]
fn lambda_ships_the_packages_that_are_installed() {
    let project = clone(&WEATHER.root, "installed");
    write(
        project.join("outer/package.json"),
        r#"{ "name": "outer", "version": "1.0.0", "main": "outer.cjs", "types": "outer.d.ts" }"#,
    );
    write(project.join("outer/outer.cjs"), "exports.version = () => require('inner').version;\n");
    write(project.join("outer/outer.d.ts"), "export function version(): string;\n");
    std::os::unix::fs::symlink("../outer", project.join("node_modules/outer")).expect("our own folder");
    change(&project.join("package.json"), |package| package["dependencies"]["outer"] = json!("file:outer"));
    let handler = project.join("src/tools/get_weather.ts");
    let text = read(&handler);
    let with = text.replace(
        "return { location, temperature, units, conditions }",
        "return { location, temperature, units, conditions: version() }",
    );
    assert_ne!(with, text);
    write(&handler, format!("import {{ version }} from \"outer\";\n{with}"));

    let package = read(project.join("package.json"));
    for version in ["1.0.0", "1.0.1"] {
        install_inner(&project, version);
        let installed = checksum(&project.join("node_modules"));
        let ship = ["ship", "--target", "lambda", "--local", "--json", "--call", r#"get_weather {"location": "Oslo"}"#];
        let _turn = Turn::of(&project);
        let answer = run(mcp_deploy(&project, ship)).expect(0).json();
        let answers = answer["runs"][0]["report"]["answers"].as_array().expect("answers");
        assert!(answers.iter().all(|one| one["result"]["structuredContent"]["conditions"] == version), "{answers:#?}");
        assert_eq!(answers.len(), 2, "{answers:#?}");
        assert_eq!(checksum(&project.join("node_modules")), installed, "the installed packages are touched");
    }
    assert_eq!(read(project.join("package.json")), package);
}

/// What `npm update inner` leaves.
fn install_inner(project: &Path, version: &str) {
    let inner = project.join("node_modules/inner");
    write(inner.join("package.json"), json!({ "name": "inner", "version": version }).to_string());
    // As many packages do, it asks for a module of Node's own with `require`, and for the folder that it is in.
    let script = "const { join } = require('path');\nif (!join(__dirname, __filename)) throw new Error('no folder');\n";
    write(inner.join("index.js"), format!("{script}exports.version = {version:?};\n"));
    let locked = json!({ "version": version });
    change(&project.join("package-lock.json"), |lock| lock["packages"]["node_modules/inner"] = locked.clone());
    // Written last: so npm's packages count as installed.
    change(&project.join("node_modules/.package-lock.json"), |lock| lock["packages"]["node_modules/inner"] = locked);
}

fn change(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&read(path)).expect("JSON");
    edit(&mut value);
    std::fs::remove_file(path).expect("it is there");
    write(path, serde_json::to_string_pretty(&value).expect("JSON"));
}

/// Of every name, link and byte.
fn checksum(folder: &Path) -> String {
    let mut sh = Command::new("sh");
    sh.args(["-c", "find . -type l -exec readlink {} + ; find . -type f -exec cksum {} +"]).current_dir(folder);
    let mut lines: Vec<String> = run(sh).expect(0).stdout.lines().map(str::to_owned).collect();
    assert!(lines.len() > 100, "the packages are there");
    lines.sort();
    lines.join("\n")
}
