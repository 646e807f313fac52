//! The exact files of rendered projects: `tests/trees/CASE/…`, and that nothing of a cloud is forgotten.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use mcp_deploy::targets;

use crate::golden::{UPDATE, difference, path, updating};
use crate::support::{ANY_ID, Sandbox, Tree, project_id, sources, tree_of, without_ids};

/// Folder below `tests/trees`, example, clouds.
const CASES: [(&str, &str, &str); 8] = [
    ("weather-lambda", "weather", "lambda"),
    ("weather-vercel", "weather", "vercel"),
    ("weather-cloudflare", "weather", "cloudflare"),
    ("weather-container", "weather", "container"),
    ("weather-all", "weather", "all"),
    ("empty-cloudflare", "empty", "cloudflare"),
    ("github-cloudflare", "github", "cloudflare"),
    // With all that is rendered on demand: state on each cloud, and WebSockets.
    ("counter-all", "counter", "all"),
];

/// Files whose names git or cargo would read in this repository too.
const SHADOWED: [&str; 2] = [".gitignore", "package.json"];

fn rendered(example: &str, target: &str) -> Tree {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init", "weather", "--example", example, "--target", target, "--description", "Weather", "--yes"]);
    if example == "counter" {
        let manifest = sandbox.read("weather/mcp.toml");
        let table = "[targets.cloudflare]\n";
        assert!(manifest.contains(table), "{manifest}");
        sandbox.write("weather/mcp.toml", manifest.replace(table, &format!("{table}websocket = true\n")));
        sandbox.ok(&["-C", "weather", "render"]);
    }
    let files = without_ids(tree_of(&sandbox.path("weather"))).into_iter().filter(|(path, _)| !path.ends_with('/'));
    files.map(|(path, bytes)| (stored(&path), bytes)).collect()
}

/// `.gitignore` is kept as `.gitignore.txt`: as itself it would hide its neighbours from git.
fn stored(path: &str) -> String {
    if SHADOWED.contains(&path) { format!("{path}.txt") } else { path.to_owned() }
}

fn expected(case: &str) -> Tree {
    let dir = path("tests/trees").join(case);
    if !dir.is_dir() {
        return Tree::new();
    }
    tree_of(&dir).into_iter().filter(|(path, _)| !path.ends_with('/')).collect()
}

fn update(case: &str, found: &Tree) {
    let dir = path("tests/trees").join(case);
    if dir.exists() {
        fs::remove_dir_all(&dir).unwrap();
    }
    for (path, bytes) in found {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::write(dir.join(path), bytes).unwrap();
    }
}

#[test]
fn projects_are_rendered_byte_for_byte() {
    let mut differences = String::new();
    for (case, example, target) in CASES {
        let found = rendered(example, target);
        if updating() {
            update(case, &found);
        }
        let expected = expected(case);
        for path in found.keys().chain(expected.keys()).collect::<BTreeSet<_>>() {
            let text = |tree: &Tree| tree.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            match (text(&expected), text(&found)) {
                (Some(expected), Some(found)) if expected == found => {}
                (Some(expected), Some(found)) => {
                    differences += &format!("tests/trees/{case}/{path}, {}", difference(&expected, &found));
                }
                (None, _) => differences += &format!("tests/trees/{case}/{path} is new\n"),
                (_, None) => differences += &format!("tests/trees/{case}/{path} is no longer rendered\n"),
            }
        }
    }
    assert!(differences.is_empty(), "\n{differences}if this is intended: {UPDATE}");
}

/// A cloud that somebody adds has all that the others have.
#[test]
fn every_target_has_its_templates_tree_and_page() {
    for target in targets::ALL {
        let name = target.name;
        assert!(path("templates/targets").join(name).is_dir(), "templates/targets/{name} is missing");
        let tree = format!("weather-{name}");
        assert!(CASES.iter().any(|(case, ..)| *case == tree), "tests/fast/trees.rs has no case `{tree}`");
        let page = format!("docs/targets/{name}.md");
        let text = fs::read_to_string(path(&page)).unwrap_or_else(|error| panic!("cannot read `{page}`: {error}"));
        assert!(text.contains(target.title), "`{page}` does not name {}", target.title);
    }
}

/// A name that a template asks for only in `{{#if}}` or `{{#each}}` is not found missing by the engine's strict mode.
#[test]
fn every_condition_of_a_template_is_known_to_the_program() {
    let says = |file: &Path| {
        file == Path::new("template/context.rs") || file.starts_with("targets") && file.ends_with("template.rs")
    };
    let context: String = sources().into_iter().filter(|(file, _)| says(file)).map(|(_, text)| text).collect();
    let mut conditions = 0;
    for (file, bytes) in tree_of(&path("templates")) {
        let text = String::from_utf8(bytes).unwrap();
        for part in ["{{#if ", "{{#each ", "{{#unless "].iter().flat_map(|open| text.split(open).skip(1)) {
            let name = part.split("}}").next().unwrap_or_default().trim();
            let last = name.rsplit('.').next().unwrap_or_default();
            let known = name.starts_with('@')
                || context.contains(&format!(" {last}:"))
                || targets::ALL.iter().any(|target| target.name == last);
            assert!(
                known,
                "templates/{file}: `{name}` is not a field of src/template/context.rs or src/targets/*/template.rs"
            );
            conditions += 1;
        }
    }
    assert!(conditions > 5, "found only {conditions}");
}

/// Vercel refuses a deployment whose build command is longer; its CLI does not look.
#[test]
fn vercels_build_command_is_short_enough() {
    let config: serde_json::Value = serde_json::from_slice(&rendered("weather", "vercel")["vercel.json"]).unwrap();
    let command = config["buildCommand"].as_str().expect("a command");
    assert!(command.len() <= 256, "{command}");
}

/// `cargo package` leaves out folders with a `Cargo.toml` and whatever a nested `.gitignore` names.
#[test]
fn the_package_contains_every_template() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(root)
        .output()
        .unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let list = String::from_utf8(list.stdout).unwrap();
    let packed: BTreeSet<&str> = list.lines().filter(|path| path.starts_with("templates/")).collect();
    let files = tree_of(&path("templates"));
    let files: BTreeSet<String> =
        files.into_keys().filter(|path| !path.ends_with('/')).map(|path| format!("templates/{path}")).collect();
    let files: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    assert!(files.len() > 20, "found only {} templates", files.len());
    assert_eq!(packed, files);
}

/// The difference that a failing golden test shows is the part that differs, not the whole file.
#[test]
fn differences_are_shown_with_what_is_around_them() {
    assert_eq!(difference("a\nb\nc\nd\n", "a\nb\nX\nd\n"), "line 3:\n  a\n  b\n- c\n+ X\n");
    assert_eq!(difference("a\n", "a\nb\n"), "line 2:\n  a\n+ b\n");
}

/// The id is random, and no command changes it in the lock.
#[test]
fn a_project_has_an_id_of_its_own_and_keeps_it() {
    let sandbox = Sandbox::weather();
    let id = |sandbox: &Sandbox| sandbox.read("mcp.lock").lines().find_map(project_id).map(str::to_owned);
    let first = id(&sandbox).expect("a new project has an id");
    assert!(first.len() == 32 && first.bytes().all(|byte| byte.is_ascii_hexdigit()) && first != ANY_ID, "{first}");
    assert_ne!(id(&Sandbox::weather()), Some(first.clone()), "of another project");
    sandbox.ok(&["add-tool", "rain", "--description", "Will it rain?", "--output", "x:number"]);
    sandbox.write("src/generated/types.ts", "// edited by hand\n");
    sandbox.ok(&["render", "--force"]);
    sandbox.write("mcp.lock", format!("version = 1\nproject = \"{first}\"\n\n[files]\n"));
    sandbox.ok(&["render"]);
    assert!(sandbox.read("mcp.lock").contains("src/generated/types.ts"));
    assert_eq!(id(&sandbox), Some(first));

    // A lock of 0.1.0 gets one; one that is not ours is an error, and no new one takes its place.
    let text = sandbox.read("mcp.lock");
    let old: String = text.lines().filter(|line| project_id(line).is_none()).map(|line| format!("{line}\n")).collect();
    sandbox.write("mcp.lock", &old);
    sandbox.ok(&["render"]);
    assert!(id(&sandbox).is_some());
    let odd = old.replace("version = 1\n", "version = 1\nproject = \"../../x\"\n");
    sandbox.write("mcp.lock", &odd);
    let refused = sandbox.run(&["render", "--force"]);
    assert!(refused.code == 1 && refused.stderr.contains("its `project` is not an id"), "{refused:?}");
    assert_eq!(sandbox.read("mcp.lock"), odd);
}
