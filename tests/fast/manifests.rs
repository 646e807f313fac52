//! Every `mcp.toml` of templates, tests and documentation is one that an editor accepts with our JSON Schema.
//! What the other tests write is held to it where they run the program (`support.rs`, `faults.rs`, `properties.rs`;
//! those of `e2e` and `clouds` too).

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use mcp_deploy::cli::Example;
use mcp_deploy::manifest::json_schema;
use mcp_deploy::targets::{self, Target};
use mcp_deploy::template::{self, Birth};
use serde_json::Value;

use crate::{editor, golden};

/// The files below a folder that have this ending.
fn files(dir: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files(&entry.path(), ending, found);
        } else if entry.file_name().to_str().unwrap().ends_with(ending) {
            found.push(entry.path());
        }
    }
}

#[test]
fn those_of_tests() {
    let mut found = Vec::new();
    files(&golden::path("tests"), "mcp.toml", &mut found);
    assert!(found.len() > 8, "{found:?}");
    found.iter().for_each(|path| editor::accepts(&fs::read_to_string(path).unwrap()));
}

#[test]
fn those_of_examples() {
    let every: Vec<&'static Target> = targets::ALL.iter().collect();
    for example in Example::value_variants() {
        for clouds in every.chunks(1).chain([&every[..]]) {
            let birth = Birth::new("weather".into(), "Weather.".into(), clouds);
            editor::accepts(&template::example(&example.name(), example.parts(), &birth).unwrap().0);
        }
    }
}

/// A false alarm would be shown with every command. Two fixtures want what assistants refuse: that of the conformance
/// suite, and the one that has every part of the generated code.
#[test]
fn nothing_of_ours_is_warned_of() {
    let mut warned = Vec::new();
    let mut look = |name: &str, text: &str, dir: &Path| {
        let read = |file: &str| fs::read_to_string(dir.join(file)).map_err(|error| error.to_string());
        let (_, faults) = mcp_deploy::manifest::parse(text, &read);
        warned.extend(faults.iter().map(|fault| format!("{name}: {fault}")));
    };
    let every: Vec<&'static Target> = targets::ALL.iter().collect();
    for example in Example::value_variants() {
        let birth = Birth::new("weather".into(), "Weather.".into(), &every);
        let (text, _) = template::example(&example.name(), example.parts(), &birth).unwrap();
        look(&example.name(), &text, Path::new("."));
    }
    let mut found = Vec::new();
    files(&golden::path("tests"), "mcp.toml", &mut found);
    for path in found.iter().filter(|path| !path.components().any(|part| part.as_os_str() == "node_modules")) {
        look(&path.display().to_string(), &fs::read_to_string(path).unwrap(), path.parent().unwrap());
    }
    let is_wanted = |line: &&String| line.contains("fixtures/conformance") || line.contains("fixtures/parts");
    let (wanted, others): (Vec<_>, Vec<_>) = warned.iter().partition(is_wanted);
    assert!(others.is_empty(), "{others:#?}");
    assert!(!wanted.is_empty());
}

/// A schema that asks for nothing: an excerpt has no `[server]`, and often only one key of a table.
fn of_excerpts(mut schema: Value) -> Value {
    if let Some(map) = schema.as_object_mut() {
        map.remove("required");
        for value in map.values_mut() {
            *value = of_excerpts(value.take());
        }
    } else if let Some(all) = schema.as_array_mut() {
        for value in all {
            *value = of_excerpts(value.take());
        }
    }
    schema
}

#[test]
fn those_of_the_documentation() {
    let mut pages = vec![golden::path("README.md")];
    files(&golden::path("docs"), ".md", &mut pages);
    let excerpts = editor::validator(&of_excerpts(json_schema()));
    let mut blocks = 0;
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for block in text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
            blocks += 1;
            match block.contains("[server]") {
                true => editor::accepts(block),
                false => editor::accepts_by(&excerpts, block),
            }
        }
    }
    assert!(blocks > 10, "{blocks}");
}

#[test]
#[should_panic(expected = "/targets/vercel")]
fn another_targets_key_is_refused() {
    editor::accepts("[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[targets.vercel]\nvpc = {}\n");
}
