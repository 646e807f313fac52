//! What runs before the first answer: whatever the entries import at once, and whatever that imports, is the runtime,
//! and no handler.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mcp_deploy::targets;

use crate::golden::path;
use crate::source::without_comments;

#[test]
fn no_entry_imports_a_handler_or_the_sdk_at_once() {
    let mut entries = 0;
    for tree in fs::read_dir(path("tests/trees")).unwrap().flatten() {
        for target in targets::ALL {
            let entry = tree.path().join(format!("src/generated/{}.ts", target.name));
            if !entry.exists() {
                continue;
            }
            entries += 1;
            let (files, packages) = imported(&entry);
            assert!(files.iter().any(|file| file.ends_with("server.ts")), "{entry:?}: {files:?}");
            let is_users = |file: &&PathBuf| !file.to_string_lossy().contains("src/generated/");
            assert_eq!(files.iter().find(is_users), None, "{entry:?}");
            // What the runtime has itself costs nothing.
            let known = |package: &&String| {
                package.starts_with("node:") || ["cloudflare:workers", "aws4fetch", "jose"].contains(&package.as_str())
            };
            assert_eq!(packages.iter().find(|package| !known(package)), None, "{entry:?}");
        }
    }
    assert!(entries >= 6, "{entries}");
}

/// The files and packages that are evaluated with a file, itself included.
fn imported(entry: &Path) -> (BTreeSet<PathBuf>, BTreeSet<String>) {
    let (mut files, mut packages) = (BTreeSet::new(), BTreeSet::new());
    let mut open = vec![entry.to_owned()];
    while let Some(file) = open.pop() {
        if !files.insert(file.clone()) {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        let text = without_comments(text.strip_prefix("#!/usr/bin/env node\n").unwrap_or(&text));
        for name in specifiers(&text) {
            match name.starts_with('.') {
                true => open.push(file.parent().unwrap().join(name)),
                false => drop(packages.insert(name)),
            }
        }
    }
    (files, packages)
}

/// Of static imports and re-exports, but for those of types alone.
fn specifiers(text: &str) -> Vec<String> {
    let statements = text.split(';').map(str::trim_start);
    let runs = |statement: &&str| {
        ["import ", "import{", "export "].iter().any(|start| statement.starts_with(start))
            && !statement.starts_with("import type ")
            && !statement.starts_with("export type ")
    };
    let named = |statement: &str| {
        let (head, name) = statement.trim_end().strip_suffix('"')?.rsplit_once('"')?;
        let head = head.trim_end();
        (head.ends_with("from") || head == "import").then(|| name.to_owned())
    };
    statements.filter(runs).filter_map(named).collect()
}

#[test]
fn imports_are_read() {
    let text = "import { a } from \"./a.ts\";\nimport type { B } from \"./b.ts\";\nimport \"c\";\nexport { d } from \"./d.ts\";\nexport const e = \"from\";\nconst f = await import(\"./f.ts\");";
    assert_eq!(specifiers(text), ["./a.ts", "c", "./d.ts"]);
}
