//! What the clouds' own tools say of the rendered files, and what lies there after a build.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use mcp_deploy::toolchain::ToolId;

use crate::hostile_text::HOSTILE;
use crate::support::child::run;
use crate::support::site::{CONFORMANCE, Turn, WEATHER};
use crate::support::tools::KIT;
use crate::support::work::{folder, mcp_deploy, read, write};

/// The templates of whole projects, which are checked with all other forms that a template can have.
pub fn lambda_templates() -> [(&'static str, PathBuf); 4] {
    let empty = empty();
    let manifest = read(empty.join("mcp.toml"));
    assert!(!manifest.lines().any(|line| line.starts_with("[tools")), "the empty example has no tool");
    // Whatever the text, rendering it again gives the same files.
    run(mcp_deploy(&HOSTILE.root, ["render", "--check"])).expect(0);
    let of = |project: &Path| project.join("template.yaml");
    [("weather", of(&WEATHER.root)), ("no-tool", of(&empty)), ("hostile", of(&HOSTILE.root)), ("changed", of(&CHANGED))]
}

/// The other architecture, several regions, a stage, settings, the longest timeout.
static CHANGED: LazyLock<PathBuf> = LazyLock::new(|| {
    let project = empty();
    let manifest = read(project.join("mcp.toml"));
    let changed = manifest.replace(r#"["us-east-1"]"#, r#"["eu-west-1", "us-east-1", "ap-northeast-1"]"#);
    assert_ne!(changed, manifest, "the example names its region");
    let changed = changed.replace("[targets.lambda]", "[targets.lambda]\narchitecture = \"x86_64\"\nmemory = 10240");
    let more = "\n[limits]\ntimeout = \"890s\"\n\n[stages.staging]\n[stages.staging.env]\nLOG_LEVEL = \"debug\"\n";
    let settings = if changed.contains("[env]") { "" } else { "\n[env]\nLOG_LEVEL = \"info\"\n" };
    write(project.join("mcp.toml"), changed + settings + more);
    run(mcp_deploy(&project, ["render"])).expect(0);
    project
});

#[test]
fn lambda_template_with_everything_changed() {
    let project = &*CHANGED;
    let template = read(project.join("template.yaml"));
    for expected in ["[x86_64]", "LambdaAdapterLayerX86", "MemorySize: 10240", "Timeout: 900"] {
        assert!(template.contains(expected), "{expected} is not in the template:\n{template}");
    }
    let config: toml_edit::DocumentMut = read(project.join("samconfig.toml")).parse().expect("TOML");
    for (environment, region) in
        [("default", "eu-west-1"), ("us-east-1", "us-east-1"), ("ap-northeast-1", "ap-northeast-1")]
    {
        let parameters = &config[environment]["global"]["parameters"];
        assert_eq!(parameters["region"].as_str(), Some(region), "{config}");
    }
    // SAM itself reads it.
    let mut sam = KIT.command(ToolId::Sam);
    sam.args(["validate", "--config-env", "ap-northeast-1"]).current_dir(project);
    run(sam).expect(0);
}

#[test]
fn lambda_bundle_starts_by_itself_and_reads_handlers_later() {
    WEATHER.server("lambda");
    let function = WEATHER.root.join("dist/lambda");
    let all = files(&function);
    let is_executable = |name: &&String| {
        let mode = std::fs::metadata(function.join(name)).expect("it was listed").permissions().mode();
        mode & 0o111 == 0o111
    };
    // The adapter's wrapper has to execute it.
    assert_eq!(all.iter().filter(is_executable).collect::<Vec<_>>(), ["lambda.mjs"]);
    assert!(all.iter().all(|name| name.ends_with(".mjs")), "{all:?}");
    assert!(read(function.join("lambda.mjs")).starts_with("#!/usr/bin/env node\n"), "it has to start by itself");
    let handler: Vec<&String> =
        all.iter().filter(|name| read(function.join(name)).contains("must name a city")).collect();
    assert!(!handler.is_empty() && !handler.contains(&&"lambda.mjs".to_owned()), "{handler:?} of {all:?}");
}

#[test]
fn vercel_build_leaves_nothing_that_pretends() {
    WEATHER.server("vercel");
    let all = files(&WEATHER.root.join(".vercel"));
    let pretends = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name == "project.json" || name == "repo.json" || name.starts_with(".env")
    };
    assert_eq!(all.iter().filter(pretends).collect::<Vec<_>>(), [""; 0], "{all:?}");
    assert!(all.iter().any(|path| path.ends_with(".func/.vc-config.json")), "there is a function: {all:?}");
}

#[test]
fn wrangler_bundles_one_module() {
    let out = folder("worker");
    let mut wrangler = KIT.command(ToolId::Wrangler);
    wrangler.args(["deploy", "--dry-run", "--outdir"]).arg(&out).current_dir(&WEATHER.root);
    let _turn = Turn::of(&WEATHER.root);
    let ran = run(wrangler).expect(0);
    assert!(!ran.stderr.contains("WARNING") && !ran.stdout.contains("WARNING"), "{ran}");
    let modules: Vec<String> =
        files(&out).into_iter().filter(|name| name.ends_with("js") || name.ends_with("wasm")).collect();
    assert_eq!(modules, ["cloudflare.js"]);
}

/// For people who write their Worker's types with it.
#[test]
fn wrangler_types_know_the_secrets() {
    let types = folder("types").join("worker.d.ts");
    let mut wrangler = KIT.command(ToolId::Wrangler);
    wrangler.args(["types", "--include-runtime=false"]).arg(&types).current_dir(&CONFORMANCE.root);
    let _turn = Turn::of(&CONFORMANCE.root);
    let ran = run(wrangler).expect(0);
    let written = read(&types);
    assert!(written.contains("MCP_STATE_KEY: string"), "{written}\n{ran}");
    let secret = read(CONFORMANCE.root.join(".env"));
    let value = secret.trim().strip_prefix("MCP_STATE_KEY=").expect("the fixture's secret");
    assert!(!format!("{ran}{written}").contains(value), "the secret's value is shown");
}

/// A rendered project with no tool, for Lambda alone.
fn empty() -> PathBuf {
    let parent = folder("empty");
    run(mcp_deploy(&parent, ["init", "empty", "--example", "empty", "--target", "lambda", "--yes"])).expect(0);
    parent.join("empty")
}

/// Every file below a folder, by its path from there.
fn files(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap_or_else(|error| panic!("cannot read {}: {error}", dir.display())) {
            let path = entry.expect("a folder can be read to its end").path();
            if path.is_dir() && !path.is_symlink() {
                walk(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).expect("it is below").display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}
