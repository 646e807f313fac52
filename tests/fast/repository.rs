//! `.github/` and `docs/contributing.md` are true: what they name is there, and what has to be named is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mcp_deploy::targets;
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::golden::{path, read};

const GUIDE: &str = "docs/contributing.md";

#[test]
fn every_action_is_pinned_as_in_the_generated_workflow() {
    let template = read("templates/ci/github/.github/workflows/mcp-deploy.yml.hbs");
    let known: BTreeSet<&str> = used(&template).collect();
    for name in ["ci.yml", "long.yml"] {
        let text = read(&format!(".github/workflows/{name}"));
        let actions: Vec<&str> = used(&text).collect();
        assert!(!actions.is_empty(), "{name}");
        for action in actions {
            let (owner, pin) = action.split_once('@').unwrap();
            let (commit, version) = pin.split_once(" # v").unwrap_or_else(|| panic!("no version: {action}"));
            assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "not pinned: {action}");
            assert!(!version.is_empty(), "{action}");
            let other = known.iter().find(|known| known.starts_with(&format!("{owner}@")));
            assert!(other.is_none_or(|other| *other == action), "{action}, and in templates/ci {other:?}");
        }
    }
}

/// `owner/name@commit # version` of each step that uses an action.
fn used(workflow: &str) -> impl Iterator<Item = &str> {
    workflow.lines().filter_map(|line| line.trim_start().strip_prefix("- uses: "))
}

#[test]
fn workflows_may_only_read_and_have_the_compiler_of_cargo_toml() {
    let cargo = read("Cargo.toml");
    let minimum = cargo.lines().find_map(|line| line.strip_prefix("rust-version = ")).unwrap().trim_matches('"');
    for name in ["ci.yml", "long.yml"] {
        let text = read(&format!(".github/workflows/{name}"));
        let workflow = &Yaml::load_from_str(&text).unwrap()[0];
        let permissions = workflow["permissions"].as_mapping().unwrap();
        assert_eq!((permissions.len(), workflow["permissions"]["contents"].as_str()), (1, Some("read")), "{name}");
        assert_eq!(text.matches("permissions:").count(), 1, "{name}: a job has more");
        assert!(!text.contains("secrets."), "{name}");
        let compiler = workflow["env"]["RUSTUP_TOOLCHAIN"].as_str().unwrap();
        assert_eq!(compiler.rsplit_once('.').unwrap().0, minimum, "{name}");
    }
    assert!(read(".github/workflows/ci.yml").contains("- run: .ci/run\n"));
}

#[test]
fn every_long_proof_is_on_the_schedule_and_in_the_guide() {
    let source = read("benches/long/main.rs");
    let names = || source.lines().filter_map(|line| line.trim().strip_prefix("name: \"")?.strip_suffix("\","));
    assert!(names().count() > 5, "{:?}", names().collect::<Vec<_>>());
    let workflow = read(".github/workflows/long.yml");
    let workflow = &Yaml::load_from_str(&workflow).unwrap()[0];
    let scheduled = workflow["jobs"]["prove"]["strategy"]["matrix"]["proof"].as_vec().unwrap();
    assert_eq!(scheduled.iter().filter_map(|name| name.as_str()).collect::<Vec<_>>(), names().collect::<Vec<_>>());
    let guide = read(GUIDE);
    for name in names() {
        assert!(guide.contains(&format!("| `{name}` |")), "{GUIDE} lacks the long proof `{name}`");
    }
}

/// A form that GitHub cannot read is not offered, and nothing says so.
#[test]
fn issue_forms_have_what_github_asks_for() {
    for name in ["bug", "client", "feature"] {
        let text = read(&format!(".github/ISSUE_TEMPLATE/{name}.yml"));
        let form = &Yaml::load_from_str(&text).unwrap()[0];
        assert!(form["name"].as_str().is_some() && form["description"].as_str().is_some(), "{name}");
        let mut ids = BTreeSet::new();
        for field in form["body"].as_vec().unwrap() {
            let kind = field["type"].as_str().unwrap();
            if kind == "markdown" {
                assert!(field["attributes"]["value"].as_str().is_some(), "{name}");
                continue;
            }
            assert!(["textarea", "input", "dropdown"].contains(&kind), "{name}: {kind}");
            assert!(field["attributes"]["label"].as_str().is_some(), "{name}");
            let id = field["id"].as_str().unwrap();
            assert!(ids.insert(id), "{name}: twice `{id}`");
        }
        assert!(!ids.is_empty(), "{name}");
    }
}

/// The pictures of the README: every cloud is in the flow, and the session shows what the README says to run.
#[test]
fn the_pictures_show_what_is_there() {
    let (flow, session, readme) = (read("docs/flow.svg"), read("docs/session.svg"), read("README.md"));
    assert!(flow.len() < 15_000 && flow.contains("<title") && flow.contains("<desc"), "{} bytes", flow.len());
    for target in targets::ALL.iter().filter(|target| target.by_hand().is_none()) {
        assert!(flow.contains(&format!(">{}<", target.title)), "docs/flow.svg lacks {}", target.title);
    }
    for command in ["cargo run -- try --yes", "mcp-deploy init weather --example weather --yes", "mcp-deploy check"] {
        assert!(session.contains(&format!(">{command}<")) && readme.contains(command), "{command}");
    }
    for picture in [flow, session] {
        let outside = ["/root", "/home/", "/Users/", "href", "url(http", "@import"];
        assert!(!outside.iter().any(|part| picture.contains(part)), "{outside:?}");
    }
}

/// Files and folders that stand in backticks, the tests of the commands that it shows, and what the pages link to.
#[test]
fn what_the_guide_names_is_there() {
    let guide = read(GUIDE);
    let roots = ["src/", "templates/", "tests/", "docs/", "benches/", ".ci/", ".github/", ".cargo/"];
    let mut named = 0;
    for name in guide.split('`').skip(1).step_by(2).filter(|name| roots.iter().any(|root| name.starts_with(root))) {
        // `src/commands/NAME.rs` is a file that does not exist yet: its folder does.
        let folder = name.split("NAME").next().unwrap().rsplit_once('/').unwrap().0;
        let there = if name.contains("NAME") { folder } else { name };
        assert!(path(there).exists(), "{GUIDE} names `{name}`");
        named += 1;
    }
    assert!(named > 20, "{named} paths");

    for (page, folder) in [(GUIDE, "docs"), ("README.md", "."), (".github/SECURITY.md", ".github")] {
        let text = read(page);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|to| !to.contains("://")) {
            let file = link.split('#').next().unwrap();
            assert!(file.is_empty() || path(folder).join(file).exists(), "{page} links to {link}");
        }
    }

    let mut tests = 0;
    for (binary, name) in guide.split("cargo test ").skip(1).filter_map(test_of) {
        let folder = if binary == "lib" { "src".to_owned() } else { format!("tests/{binary}") };
        assert!(has_test(&path(&folder), name), "{GUIDE}: there is no test `{name}` in {binary}");
        tests += 1;
    }
    assert!(tests > 10, "{tests} commands");
}

/// The binary and the filter of `cargo test`, where it is given one.
fn test_of(arguments: &str) -> Option<(&str, &str)> {
    let mut words = arguments.lines().next()?.split('`').next()?.split_whitespace();
    let binary = match words.next()? {
        "--lib" => "lib",
        "--test" => words.next()?,
        _ => return None,
    };
    Some((binary, words.next().filter(|word| !word.starts_with("--"))?))
}

/// Whether a module or a function below the folder has the name; of a path, its end.
fn has_test(folder: &Path, name: &str) -> bool {
    let name = name.rsplit("::").next().unwrap();
    fs::read_dir(folder).unwrap().any(|entry| {
        let file = entry.unwrap().path();
        file.file_stem().unwrap() == name
            || if file.is_dir() {
                has_test(&file, name)
            } else {
                let is_rust = file.extension().is_some_and(|extension| extension == "rs");
                is_rust && fs::read_to_string(&file).unwrap().contains(&format!("fn {name}()"))
            }
    })
}
