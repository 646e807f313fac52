//! The sources of the runtime, before any project has a copy: their own tests and the oracle, the type check, and the
//! linter.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::support::child::run;
use crate::support::mcp::{Era, ask};
use crate::support::site::WEATHER;
use crate::support::tools::{JSON_SCHEMA_SUITE, KIT, runtime_packages};
use crate::support::work::{copy, folder};

/// As they stand in the repository, with their packages beside them.
static SOURCES: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = folder("runtime");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    copy(&repository.join("templates/runtime"), &root.join("templates/runtime"));
    // A separate repository: the linter leaves out what the one around it ignores, and that is all of cargo's folder.
    std::fs::create_dir(root.join(".git")).expect("a folder can be made");
    let tests = root.join("tests/runtime");
    copy(&repository.join("tests/runtime/support"), &tests.join("support"));
    for entry in std::fs::read_dir(repository.join("tests/runtime")).expect("the folder can be read") {
        let from = entry.expect("the folder can be read").path();
        if from.is_file() {
            std::fs::copy(&from, tests.join(from.file_name().expect("a file has a name"))).expect("a copy");
        }
    }
    std::os::unix::fs::symlink(runtime_packages(), tests.join("node_modules")).expect("a link");
    root
});

/// Of the oracle's corpus every fifth request: all of them take a minute. `npm test` in `tests/runtime` sends them all.
#[test]
fn passes_its_own_tests() {
    let mut tests = node(Path::new("--test"));
    tests.args(["--test-reporter=tap", "--import=./support/resolve.ts", "*.test.ts"]).env("CORPUS_EVERY", "5");
    tests.env("JSON_SCHEMA_SUITE", JSON_SCHEMA_SUITE.home().join("json/tests"));
    let ran = run(tests).expect(0);
    assert!(ran.stdout.contains("\n# fail 0\n") && !ran.stdout.contains("\n# pass 0\n"), "{ran}");
}

#[test]
fn is_well_typed_with_and_without_the_types_of_a_browser() {
    for lib in ["ES2024", "ES2024,DOM"] {
        let mut check = node(Path::new("node_modules/typescript/bin/tsc"));
        check.args(["--lib", lib]);
        run(check).expect(0);
    }
}

#[test]
fn is_clean_to_the_linter() {
    let bin = SOURCES.join("tests/runtime/node_modules/.bin");
    let mut lint = node(&bin.join("oxlint"));
    // It looks for the program that knows the types there.
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&KIT.search.path)));
    lint.env("PATH", path.expect("it was a PATH before")).current_dir(&*SOURCES);
    lint.args(["-c", "tests/runtime/.oxlintrc.json", "--type-aware", "templates/runtime", "tests/runtime"]);
    run(lint).expect(0);
}

#[test]
#[ignore = "long: `cargo bench --bench long -- soak`"]
fn does_not_grow() {
    let mut soak = node(Path::new("--import=./support/resolve.ts"));
    soak.arg("soak.ts");
    let ran = run(soak).expect(0);
    assert!(ran.stdout.contains("40000 requests"), "{ran}");
}

/// Some 900 requests of the oracle's corpus, most of them wrong in some way, to a built server: each is answered, and
/// it goes on.
fn nothing_hostile_makes_it_fail(target: &str) {
    let url = &WEATHER.server(target).url;
    let mut hostile = node(Path::new("--import"));
    hostile.args(["./support/resolve.ts", "support/hostile.ts", url, "12"]);
    let told = run(hostile).expect(0).json();
    assert_eq!(told["wrong"], serde_json::json!({}), "{told:#}");
    assert!(told["sent"].as_u64().is_some_and(|sent| sent >= 800), "{told:#}");
    let tools = ask(url, Era::Modern, "tools/list", serde_json::json!({}));
    assert_eq!(tools["tools"][0]["name"], "get_weather", "{tools}");
}

crate::support::on_every_runtime!(nothing_hostile_makes_it_fail);

fn node(script: &Path) -> Command {
    let mut command = KIT.node(script);
    command.current_dir(SOURCES.join("tests/runtime"));
    command
}
