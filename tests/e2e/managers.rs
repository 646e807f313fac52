//! Package managers and layouts: a project is checked, built for every target and called, with the manager that it has,
//! whatever `NODE_ENV` says; packages are installed once, and no other lockfile appears.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use mcp_deploy::parallel;
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::golden::{difference, path as path_of, updating};
use crate::support::child::run;
use crate::support::tools::{BUN, KIT, PNPM, TestTool, YARN, YARN_CLASSIC};
use crate::support::work::{folder, mcp_deploy, read, write};

struct Row {
    name: &'static str,
    /// `None`: the product's own npm.
    tool: Option<&'static TestTool>,
    /// What is run, and its name on PATH.
    program: (&'static str, &'static str),
    lockfile: &'static str,
    /// Files of a root without a lockfile that somebody else has written: they name the manager.
    names_it: &'static [(&'static str, &'static str)],
    /// How a member asks for another one.
    workspace: &'static str,
}

const MANAGERS: [Row; 5] = [
    Row { name: "npm", tool: None, program: ("", ""), lockfile: "package-lock.json", names_it: &[], workspace: "*" },
    Row {
        name: "pnpm",
        tool: Some(&PNPM),
        program: ("node_modules/@pnpm/*/pnpm", "pnpm"),
        lockfile: "pnpm-lock.yaml",
        names_it: &[("pnpm-lock.yaml", "")],
        workspace: "workspace:*",
    },
    Row {
        name: "Yarn 4",
        tool: Some(&YARN),
        program: ("node_modules/@yarnpkg/cli-dist/bin/yarn.js", "yarn"),
        lockfile: "yarn.lock",
        names_it: &[("yarn.lock", ""), (".yarnrc.yml", "nodeLinker: node-modules\n")],
        workspace: "workspace:*",
    },
    Row {
        name: "Yarn 1",
        tool: Some(&YARN_CLASSIC),
        program: ("node_modules/yarn/bin/yarn.js", "yarn"),
        lockfile: "yarn.lock",
        names_it: &[("yarn.lock", "# yarn lockfile v1\n")],
        workspace: "1.0.0",
    },
    Row {
        name: "Bun",
        tool: Some(&BUN),
        program: ("node_modules/@oven/*/bin/bun", "bun"),
        lockfile: "bun.lock",
        names_it: &[("bunfig.toml", "telemetry = false\n")],
        workspace: "workspace:*",
    },
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Layout {
    /// The project alone.
    Single,
    /// A package beside the project, by `file:`.
    File,
    /// One of several members of a workspace, whose packages are in a folder above.
    Member,
    /// The same, and it imports another one.
    Sibling,
}

const LAYOUTS: [Layout; 4] = [Layout::Single, Layout::File, Layout::Member, Layout::Sibling];

const SHARED: &str = r#"{ "name": "@acme/shared", "version": "1.0.0", "type": "module", "exports": "./index.ts" }"#;
const GREET: &str = "export const greet = (name: string): string => `hello ${name}`;\n";

#[test]
fn a_project_keeps_its_package_manager() {
    matrix(&[
        (1, Layout::Sibling, &["vercel"]),
        (0, Layout::Member, &["vercel"]),
        (2, Layout::Sibling, &["cloudflare"]),
        (4, Layout::Single, &["lambda"]),
    ]);
}

#[test]
#[ignore = "long: `cargo bench --bench long -- managers`"]
fn every_manager_in_every_layout() {
    let cells: Vec<Cell> =
        (0..MANAGERS.len()).flat_map(|manager| LAYOUTS.map(|layout| (manager, layout, &ON[..]))).collect();
    matrix(&cells);
    // Each cell has held, or the test would have failed.
    let row = |row: &Row| format!("| {} |{}\n", row.name, " yes |".repeat(LAYOUTS.len()));
    compare(&MANAGERS.iter().map(row).collect::<String>());
}

/// As the head of the table says.
const ON: [&str; 3] = ["lambda", "vercel", "cloudflare"];

type Cell = (usize, Layout, &'static [&'static str]);

/// Two at a time: what is waited for is the processors.
fn matrix(cells: &[Cell]) {
    let left = Mutex::new(cells.iter());
    parallel::map(&[(), ()], |()| {
        while let Some((manager, layout, targets)) = { left.lock().expect("no other has failed").next() } {
            holds(&MANAGERS[*manager], *layout, targets);
        }
    });
}

const PAGE: &str = "docs/package-managers.md";
const BEGIN: &str = "<!-- the table below is written by `UPDATE_GOLDEN=1 cargo bench --bench long -- managers` -->\n";
const END: &str = "<!-- end of the table -->\n";

/// The page's table is what this run has shown, or the test fails.
fn compare(rows: &str) {
    let head = "| on AWS Lambda, Vercel and Cloudflare Workers | a project alone | a `file:` package beside it | a member of a workspace | a member that imports another |\n|---|---|---|---|---|\n";
    let page = read(path_of(PAGE));
    let (before, rest) = page.split_once(BEGIN).unwrap_or_else(|| panic!("{PAGE} has no line {BEGIN}"));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{PAGE} has no line {END}"));
    let found = format!("{before}{BEGIN}{head}{rows}{END}{after}");
    if updating() {
        return write(path_of(PAGE), found);
    }
    let again = "UPDATE_GOLDEN=1 cargo bench --bench long -- managers";
    assert!(found == page, "{PAGE}, {}\nif this is intended: {again}", difference(&page, &found));
}

/// One cell; a step that fails ends the test with what the step said.
fn holds(row: &Row, layout: Layout, targets: &[&str]) {
    let root = folder("managed");
    let project = laid_out(row, layout, &root);
    let lockfiles = |root: &Path| -> Vec<PathBuf> {
        let names = ["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock"];
        let folders = [root.to_owned(), project.clone()];
        let mut found: Vec<PathBuf> = folders
            .iter()
            .flat_map(|folder| names.map(|name| folder.join(name)))
            .filter(|file| file.is_file())
            .collect();
        found.dedup();
        found
    };
    let managed = |args: &[&str]| {
        let mut command = mcp_deploy(&project, []);
        command.args(args).env("NODE_ENV", "production").env_remove("CI");
        command.env("PATH", path(row, &root));
        command
    };
    let said = |command: Command| run(command).expect(0).stderr;
    let first = said(managed(&["check"]));
    assert!(first.contains("install the project's packages (`"), "{} {layout:?}: {first}", row.name);
    let second = said(managed(&["check"]));
    assert_eq!(second, "no faults\n", "{} {layout:?}", row.name);
    let mut args = vec!["ship", "--local", "--yes", "--json", "--call", "greet {\"name\":\"Ada\"}"];
    targets.iter().for_each(|target| args.extend(["--target", target]));
    let shipped = run(managed(&args)).expect(0).json();
    for run in shipped["runs"].as_array().expect("runs") {
        let report = &run["report"];
        let answer = &report["answers"][0]["result"]["content"][0]["text"];
        assert_eq!((answer, &report["counts"]["failed"]), (&json!("hello Ada"), &json!(0)), "{run:#}");
    }
    assert_eq!(shipped["runs"].as_array().map(Vec::len), Some(targets.len()), "{shipped:#}");
    let above = if matches!(layout, Layout::Single | Layout::File) { project.clone() } else { root.clone() };
    assert_eq!(lockfiles(&root), [above.join(row.lockfile)], "{} {layout:?}", row.name);
}

/// A project whose handler greets, with the help of a package where the layout has one.
fn laid_out(row: &Row, layout: Layout, root: &Path) -> PathBuf {
    let is_workspace = matches!(layout, Layout::Member | Layout::Sibling);
    let parent = if is_workspace { root.join("apps") } else { root.to_owned() };
    std::fs::create_dir_all(&parent).expect("our own folder can be written");
    run(mcp_deploy(&parent, ["init", "greeter", "--example", "empty", "--yes"])).expect(0);
    let project = parent.join("greeter");
    let add = ["add-tool", "greet", "--description", "Greets somebody", "--param", "name:string"];
    run(mcp_deploy(&project, add)).expect(0);
    let imported = match layout {
        Layout::Single | Layout::Member => {
            write(project.join("src/greet.ts"), GREET);
            "../greet.ts"
        }
        Layout::File | Layout::Sibling => "@acme/shared",
    };
    let handler = format!(
        "import {{ greet }} from \"{imported}\";\nimport {{ tool }} from \"../generated/mcp.ts\";\n\nexport default tool(\"greet\", ({{ name }}) => greet(name));\n"
    );
    write(project.join("src/tools/greet.ts"), handler);
    let mut package: Value = serde_json::from_str(&read(project.join("package.json"))).expect("JSON");
    match layout {
        Layout::File => {
            package["dependencies"]["@acme/shared"] = json!("file:../shared");
            write(root.join("shared/package.json"), SHARED);
            write(root.join("shared/index.ts"), GREET);
        }
        Layout::Sibling => package["dependencies"]["@acme/shared"] = json!(row.workspace),
        Layout::Single | Layout::Member => {}
    }
    let home = if is_workspace { root } else { &project };
    if is_workspace {
        write(root.join("packages/shared/package.json"), SHARED);
        write(root.join("packages/shared/index.ts"), GREET);
        let members = json!(["apps/*", "packages/*"]);
        let mut mono = json!({ "name": "mono", "private": true });
        if row.name == "pnpm" {
            write(root.join("pnpm-workspace.yaml"), "packages:\n  - \"apps/*\"\n  - \"packages/*\"\n");
        } else {
            mono["workspaces"] = members;
        }
        if row.name == "Bun" {
            mono["packageManager"] = json!("bun@1.4.5");
        }
        write(root.join("package.json"), mono.to_string());
    } else if row.name == "Bun" {
        package["packageManager"] = json!("bun@1.4.5");
    }
    write(project.join("package.json"), package.to_string());
    for (name, text) in row.names_it {
        write(home.join(name), text);
    }
    project
}

/// A PATH on which the manager is the first of its name.
fn path(row: &Row, root: &Path) -> std::ffi::OsString {
    let bin = root.join(".bin");
    if let Some(tool) = row.tool {
        let (file, name) = row.program;
        std::fs::create_dir_all(&bin).expect("our own folder can be written");
        let link = bin.join(name);
        if !link.is_symlink() {
            std::os::unix::fs::symlink(only(&tool.home(), file), link).expect("a link");
        }
    }
    let npm = &KIT.tools.found(ToolId::Npm).expect("it is needed by every target").path;
    let more = npm.parent().map(Path::to_owned).into_iter();
    let path = std::env::split_paths(&KIT.search.path);
    std::env::join_paths([bin].into_iter().chain(path).chain(more)).expect("it was a PATH before")
}

/// The one file that a `*` leads to.
fn only(home: &Path, pattern: &str) -> PathBuf {
    let Some((before, after)) = pattern.split_once("*/") else { return home.join(pattern) };
    let entries = std::fs::read_dir(home.join(before)).expect("it is installed").flatten();
    let mut found = entries.map(|entry| entry.path().join(after)).filter(|file| file.is_file());
    found.next().unwrap_or_else(|| panic!("no `{pattern}` in {}", home.display()))
}
