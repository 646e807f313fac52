//! The embedded templates: a manifest in, files out, no I/O.

mod context;
mod overrides;
pub mod packages;
mod sample;
mod served;
mod types;

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use handlebars::{
    Context as Data, Handlebars, Helper, HelperResult, Output, RenderContext, RenderErrorReason, no_escape,
};
use include_dir::{Dir, include_dir};
use serde::Serialize;
use serde_json::Value;

use crate::manifest::{Kind, Manifest, edit};
use crate::plan::{FileSet, Lacks, Owner};
use crate::secrets::dotenv;
use crate::targets;
use packages::Package;

pub use context::Birth;

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Those of the target that only tests have.
#[cfg(test)]
static OF_FIXTURE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/src/targets/fixture/templates");

fn roots() -> impl Iterator<Item = &'static Dir<'static>> {
    [
        &TEMPLATES,
        #[cfg(test)]
        &OF_FIXTURE,
    ]
    .into_iter()
}

fn dir(name: &str) -> Option<&'static Dir<'static>> {
    roots().find_map(|root| root.get_dir(name))
}

/// Every template's name ends so, which keeps cargo from taking a `Cargo.toml` or a test among them for its own.
const SUFFIX: &str = ".hbs";

/// Everything that follows from the manifest: generated files, and of the user's files those without which
/// nothing builds (created when missing): `package.json`, `tsconfig.json`, one handler a declaration.
pub fn project(manifest: &Manifest) -> Result<FileSet> {
    new_project(manifest, &[])
}

/// The same, with the starters of those handlers alone that are missing.
pub fn lacking(manifest: &Manifest, lacks: Lacks<'_>) -> Result<FileSet> {
    files(manifest, &[], lacks)
}

/// The same as [`project`] for one whose handlers bring their own packages.
pub fn new_project(manifest: &Manifest, packages: &[Package]) -> Result<FileSet> {
    files(manifest, packages, &|_| Ok(true))
}

fn files(manifest: &Manifest, packages: &[Package], lacks: Lacks<'_>) -> Result<FileSet> {
    let data = seen(context::ProjectData::of(manifest, packages)?)?;
    let mut files = FileSet::default();
    folder("generated", Owner::Generated, &data, &mut files)?;
    if manifest.reads_in_parts() {
        folder("ranges", Owner::Generated, &data, &mut files)?;
    }
    let chosen: Vec<_> = targets::chosen(&manifest.targets).collect();
    if chosen.iter().any(|target| target.bundle.is_some()) {
        folder("bundle", Owner::Generated, &data, &mut files)?;
    }
    for target in chosen {
        folder(&format!("targets/{}", target.name), Owner::Generated, &data, &mut files)?;
    }
    for file in &manifest.files {
        named("file", Some(&file.path), Owner::Generated, &seen(context::Beside::of(file))?, &mut files)?;
    }
    runtime(&mut files)?;
    overrides::apply(&manifest.targets, &mut files)?;
    folder("project", Owner::User, &data, &mut files)?;
    for kind in Kind::ALL {
        for (index, (name, _)) in manifest.declared(kind).into_iter().enumerate() {
            if lacks(&kind.handler(name))? {
                let starter = seen(context::Starter::of(manifest, kind, index))?;
                named(kind.noun(), Some(name), Owner::User, &starter, &mut files)?;
            }
        }
    }
    Ok(files)
}

/// Below `src/generated/`, and among the templates.
const RUNTIME: &str = "runtime";

/// The files of the runtime that the generated ones import, and those that these import. They are not rendered: a file
/// of the runtime has the same bytes in every project.
fn runtime(files: &mut FileSet) -> Result<()> {
    let generated = files.0.iter().flat_map(|(path, (_, text))| {
        // Below a folder of `src/generated/` the runtime is further up.
        let depth = path.strip_prefix("src/generated/").map_or(0, |name| name.matches('/').count());
        let folder = if depth == 0 { "./runtime/".to_owned() } else { "../".repeat(depth) + "runtime/" };
        imports(text, &folder)
    });
    let mut left: Vec<String> = generated.collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = left.pop() {
        if !reached.insert(name.clone()) {
            continue;
        }
        let path = format!("{RUNTIME}/{name}");
        let file = TEMPLATES.get_file(&path).with_context(|| format!("there is no `{path}`"))?;
        let text = file.contents_utf8().with_context(|| format!("`{path}` is not UTF-8"))?;
        left.extend(imports(text, "./"));
        files.insert(format!("src/generated/{path}"), Owner::Generated, text.to_owned());
    }
    Ok(())
}

/// The modules of a folder that a module of TypeScript imports or refers to, by the names of their files.
fn imports(text: &str, folder: &str) -> Vec<String> {
    let after = ["from \"", "import \"", "<reference path=\""];
    let names = text.lines().filter_map(|line| after.iter().find_map(|words| line.split_once(words)));
    let names = names.filter_map(|(_, rest)| rest.split_once('"')).filter_map(|(path, _)| path.strip_prefix(folder));
    names.filter(|name| !name.contains('/')).map(str::to_owned).collect()
}

/// The files that only `init` writes: what a new project has beside [`project`].
pub fn birth(manifest: &Manifest) -> Result<FileSet> {
    let mut files = FileSet::default();
    folder("init", Owner::User, &seen(context::ProjectData::of(manifest, &[])?)?, &mut files)?;
    Ok(files)
}

/// An example: the text of its `mcp.toml` and the user files that come with it, those of `templates/parts` among them.
pub fn example(name: &str, parts: &[&str], birth: &Birth) -> Result<(String, FileSet)> {
    let mut files = FileSet::default();
    let data = seen(birth)?;
    for part in parts {
        folder(&format!("parts/{part}"), Owner::User, &data, &mut files)?;
    }
    folder(&format!("examples/{name}"), Owner::User, &data, &mut files)?;
    let (_, manifest) =
        files.0.remove(crate::manifest::FILE).with_context(|| format!("the example `{name}` has no manifest"))?;
    Ok((manifest, files))
}

/// The files of a continuous integration system, by path; `inside` is the project's folder in its repository, unless it
/// is the root.
pub fn ci(
    system: &str,
    manifest: &Manifest,
    manager: Option<&str>,
    tests: &str,
    inside: Option<&str>,
) -> Result<Vec<(String, String)>> {
    let mut files = FileSet::default();
    let project = context::ProjectData::of(manifest, &[])?;
    let data = seen(context::IntegrationData {
        project,
        manager,
        tests,
        folder: inside.map(|inside| Value::from(inside).to_string()),
    })?;
    folder(&format!("ci/{system}"), Owner::User, &data, &mut files)?;
    Ok(files.0.into_iter().map(|(path, (_, text))| (path, text)).collect())
}

/// What templates see.
fn seen(context: impl Serialize) -> Result<Data> {
    Data::wraps(context).context("cannot put together what the templates see")
}

/// Renders every template below `templates/NAME`; the path below it is the destination.
fn folder(name: &str, owner: Owner, data: &Data, files: &mut FileSet) -> Result<()> {
    named(name, None, owner, data, files)
}

/// The same for one declaration, whose name stands in place of `NAME` in the paths.
fn named(name: &str, declared: Option<&str>, owner: Owner, data: &Data, files: &mut FileSet) -> Result<()> {
    let dir = dir(name).with_context(|| format!("there are no templates in `{name}`"))?;
    let mut paths = Vec::new();
    walk(dir, &mut paths);
    for path in paths {
        let destination = path.strip_prefix(name).and_then(|path| path.strip_prefix('/')).unwrap_or(&path);
        let destination = destination.strip_suffix(SUFFIX).unwrap_or(destination);
        let named = declared.map(|declared| destination.replace("NAME", declared));
        files.insert(named.unwrap_or_else(|| destination.to_owned()), owner, render(&path, data)?);
    }
    Ok(())
}

fn walk(dir: &Dir<'_>, paths: &mut Vec<String>) {
    paths.extend(dir.files().filter_map(|file| file.path().to_str().map(str::to_owned)));
    dir.dirs().for_each(|dir| walk(dir, paths));
}

/// Each template is parsed once, however many files are made of it, and the data is not copied for any.
fn render(path: &str, data: &Data) -> Result<String> {
    static ENGINE: LazyLock<Mutex<Handlebars<'static>>> = LazyLock::new(|| Mutex::new(engine()));
    let mut engine = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = || format!("cannot render the template `{path}`");
    if !engine.has_template(path) {
        let file = roots().find_map(|root| root.get_file(path)).with_context(|| format!("no template `{path}`"))?;
        let text = file.contents_utf8().with_context(|| format!("the template `{path}` is not UTF-8"))?;
        // Most of the time goes into parsing.
        if !text.contains("{{") {
            return Ok(text.to_owned());
        }
        engine.register_template_string(path, text).with_context(failed)?;
    }
    engine.render_with_context(path, data).with_context(failed)
}

fn engine() -> Handlebars<'static> {
    let mut engine = Handlebars::new();
    engine.set_strict_mode(true);
    engine.register_escape_fn(no_escape);
    engine.register_helper("json", helper(|value| value.to_string()));
    engine.register_helper("yaml", helper(yaml));
    engine.register_helper("toml", helper(|value| edit::string(value.as_str().unwrap_or_default())));
    engine.register_helper("dotenv", helper(|value| dotenv::written(value.as_str().unwrap_or_default())));
    engine
}

fn helper(format: fn(&Value) -> String) -> Box<dyn handlebars::HelperDef + Send + Sync> {
    Box::new(
        move |helper: &Helper<'_>,
              _: &Handlebars<'_>,
              _: &Data,
              _: &mut RenderContext<'_, '_>,
              out: &mut dyn Output|
              -> HelperResult {
            let value = helper.param(0).ok_or(RenderErrorReason::ParamNotFoundForIndex("helper", 0))?;
            if value.is_value_missing() {
                return Err(RenderErrorReason::MissingVariable(value.relative_path().cloned()).into());
            }
            out.write(&format(value.value()))?;
            Ok(())
        },
    )
}

/// A double-quoted YAML scalar: a JSON string with everything escaped that a YAML reader might take for a line end or
/// refuse.
fn yaml(value: &Value) -> String {
    let mut out = String::new();
    for c in value.to_string().chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", c as u32))
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::beside::{FileBeside, FileForm};
    use crate::plan;

    #[test]
    fn every_template_ends_in_hbs() {
        let mut paths = Vec::new();
        walk(&TEMPLATES, &mut paths);
        assert!(!paths.is_empty());
        assert_eq!(paths.iter().find(|path| !path.ends_with(SUFFIX) && !path.starts_with("runtime/")), None);
    }

    /// What the lock may name: files that templates make, and none that only the user has.
    #[test]
    fn the_lock_may_name_what_templates_make() {
        let mut paths = Vec::new();
        walk(&TEMPLATES, &mut paths);
        for path in paths {
            let parts: Vec<&str> = path.split('/').collect();
            let (depth, is_ours): (usize, fn(&str) -> bool) = match parts[0] {
                "ci" => continue,
                "init" | "project" | "tool" | "resource" | "prompt" => (1, plan::is_born),
                "examples" | "parts" => (2, plan::is_born),
                "runtime" => (0, |path| plan::is_generated(&format!("src/generated/{path}"))),
                "targets" => (2, plan::is_generated),
                _ => (1, plan::is_generated),
            };
            let made = parts[depth..].join("/");
            let made = made.strip_suffix(SUFFIX).unwrap_or(&made);
            assert!(made == crate::manifest::FILE || is_ours(made), "{path}");
        }
    }

    #[test]
    fn every_target_has_templates() {
        for target in targets::ALL {
            assert!(dir(&format!("targets/{}", target.name)).is_some(), "{}", target.name);
        }
    }

    /// In whatever form TypeScript has for it; a module elsewhere is not in that folder.
    #[test]
    fn imports_of_the_runtime_are_found() {
        let text = "/// <reference path=\"./a.d.ts\" />\nimport { b } from \"./b.ts\";\nimport type {\n  C,\n} from \"./c.ts\";\nimport \"./d.ts\";\nexport { e } from \"./e.ts\";\nimport { f } from \"../f.ts\";\nimport { g } from \"g\";\n";
        assert_eq!(imports(text, "./"), ["a.d.ts", "b.ts", "c.ts", "d.ts", "e.ts"]);
    }

    /// The bytes of the sources, however much of it a project has; and each file is reached by some project.
    #[test]
    fn the_runtime_is_not_rendered() {
        let all = "[tools.a]\ndescription = \"d\"\nstate = \"shared\"\n[secrets]\nKEY = \"d\"\n[resources.l]\nuri = \"l://{x}{?offset,limit}\"\ndescription = \"d\"\n";
        let oauth = "auth = \"oauth\"\nrate_limit = \"30/minute\"\n[access.oauth]\nissuer = \"https://i.example.com\"\naudience = \"a\"\n";
        let mut seen = BTreeSet::new();
        let limited = "rate_limit = \"30/minute\"\n";
        for (access, more, vercel) in
            [("auth = \"api-key\"\n", "", ""), (limited, "", ""), (oauth, all, "adapter = \"mcp-handler\"\n")]
        {
            let text = format!(
                "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[access]\n{access}{more}[targets.lambda]\n[targets.vercel]\n{vercel}[targets.cloudflare]\nwebsocket = true\n[targets.container]\n"
            );
            let (manifest, faults) = crate::manifest::parse(&text, &|_| Err(String::new()));
            let mut manifest = manifest.unwrap_or_else(|| panic!("{faults:?}"));
            manifest.files.push(FileBeside { path: "a/b.wasm".to_owned(), form: FileForm::Wasm });
            for (path, (owner, text)) in project(&manifest).unwrap().0 {
                let Some(name) = path.strip_prefix("src/generated/runtime/") else { continue };
                assert_eq!(owner, Owner::Generated);
                let source = TEMPLATES.get_file(format!("runtime/{name}")).unwrap();
                assert_eq!(source.contents_utf8(), Some(text.as_str()), "{name}");
                seen.insert(name.to_owned());
            }
        }
        let mut paths = Vec::new();
        walk(dir(RUNTIME).unwrap(), &mut paths);
        let all: BTreeSet<String> = paths.iter().map(|path| path["runtime/".len()..].to_owned()).collect();
        assert_eq!(seen, all);
    }

    /// A module for each file beside the code, however deep; a project without any has nothing of them.
    #[test]
    fn a_file_beside_the_code_has_a_module() {
        let text = "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[targets.lambda]\n[targets.vercel]\n[targets.cloudflare]\n";
        let (manifest, faults) = crate::manifest::parse(text, &|_| Err(String::new()));
        let mut manifest = manifest.unwrap_or_else(|| panic!("{faults:?}"));
        for (path, (_, text)) in project(&manifest).unwrap().0 {
            assert!(!path.contains("/files") && !text.contains("src/files"), "{path}");
        }
        let files = [
            ("a.md", FileForm::Text),
            ("b/c/d.bin", FileForm::Bytes),
            ("e.json", FileForm::Json),
            ("f.wasm", FileForm::Wasm),
        ];
        manifest.files = files.map(|(path, form)| FileBeside { path: path.to_owned(), form }).into();
        let files = project(&manifest).unwrap().0;
        let has = |path: &str, part: &str| {
            let text = &files.get(path).unwrap_or_else(|| panic!("no `{path}`")).1;
            assert!(text.contains(part), "{path}\n{text}");
        };
        has("src/generated/files/a.md.ts", "from \"../runtime/files.ts\"");
        has("src/generated/files/a.md.ts", "() => import(\"../../../src/files/a.md\")");
        has("src/generated/files/b/c/d.bin.ts", "\"../../../../files/b/c/d.bin\",");
        has("src/generated/files/e.json.ts", "from \"../../files/e.json\" with { type: \"json\" }");
        // As bytes wrangler would take what has `src` in its path.
        has("src/generated/files/f.wasm.ts", "() => import(\"../../files/f.wasm\")");
        has("src/generated/bundle.ts", "  \"b/c/d.bin\": \"bytes\",\n  \"f.wasm\": \"wasm\",\n");
        has("wrangler.jsonc", "\"globs\": [\"**/../src/files/**\"]");
        has("src/generated/runtime/wasm.d.ts", "namespace WebAssembly");
    }

    #[test]
    fn every_target_names_what_its_templates_make() {
        for target in targets::ALL {
            let folder = format!("targets/{}", target.name);
            let mut paths = Vec::new();
            walk(dir(&folder).unwrap(), &mut paths);
            let made =
                paths.iter().filter_map(|path| path.strip_prefix(&folder)?.strip_prefix('/')?.strip_suffix(SUFFIX));
            let made: BTreeSet<&str> = made.filter(|path| !path.starts_with("src/generated/")).collect();
            assert_eq!(made, target.outputs.iter().copied().collect(), "{}", target.name);
            assert!(target.outputs.contains(&target.file), "{}", target.name);
        }
    }

    /// Only handlers are left out, and only those that are there.
    #[test]
    fn a_starter_is_made_for_a_handler_that_is_missing() {
        let text = "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[targets.vercel]\n[tools.a]\ndescription = \"d\"\n[tools.b]\ndescription = \"d\"\n[prompts.c]\ndescription = \"d\"\n[resources.d]\nuri = \"d://d\"\ndescription = \"d\"\n";
        let (manifest, faults) = crate::manifest::parse(text, &|_| Err(String::new()));
        let manifest = manifest.unwrap_or_else(|| panic!("{faults:?}"));
        let mut expected = project(&manifest).unwrap();
        for there in ["src/tools/a.ts", "src/prompts/c.ts", "src/resources/d.ts"] {
            assert!(expected.0.remove(there).is_some(), "{there}");
        }
        assert!(expected.0.contains_key("src/tools/b.ts"));
        assert_eq!(lacking(&manifest, &|path| Ok(path == "src/tools/b.ts")).unwrap(), expected);
    }

    #[test]
    fn a_missing_field_is_an_error() {
        let engine = engine();
        for template in ["{{missing}}", "{{json missing}}", "{{yaml a.b}}"] {
            assert!(engine.render_template(template, &serde_json::json!({})).is_err(), "{template}");
        }
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let error = folder("targets/none", Owner::Generated, &Data::null(), &mut FileSet::default()).unwrap_err();
        assert_eq!(error.to_string(), "there are no templates in `targets/none`");
    }

    fn rendered(access: &str, clouds: &[&str], stage: &str) -> FileSet {
        let targets: String = clouds.iter().map(|cloud| format!("[targets.{cloud}]\n")).collect();
        let server = "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n";
        let text = format!("{server}[access]\n{access}\n[stages.preview]\n{targets}");
        let (manifest, faults) = crate::manifest::parse(&text, &|_| Err(String::new()));
        project(&manifest.unwrap_or_else(|| panic!("{faults:?}")).staged(stage).unwrap()).unwrap()
    }

    #[test]
    fn a_rate_limit_is_rendered_where_it_is_wanted_and_for_the_clouds_that_are_chosen() {
        let text = |files: &FileSet, path: &str| files.0.get(path).map(|(_, text)| text.clone()).unwrap_or_default();
        let without = rendered("", &["lambda", "vercel", "cloudflare"], "production");
        for (path, (_, text)) in without.0.iter().filter(|(path, _)| !path.contains("/runtime/")) {
            assert!(
                !["rateLimit", "ratelimits", "McpTable"].iter().any(|trace| text.contains(trace)),
                "`{path}` has something of a limit"
            );
        }
        assert!(!without.0.keys().any(|path| path.contains("limit")));

        let limit = "rate_limit = \"30/10s\"";
        for (cloud, counter) in [("lambda", "dynamodb"), ("vercel", "upstash"), ("cloudflare", "cloudflare")] {
            let files = rendered(limit, &[cloud], "production");
            let there: Vec<&String> = files.0.keys().filter(|path| path.ends_with("-limit.ts")).collect();
            let mut expected = [counter, "rate"].map(|name| format!("src/generated/runtime/{name}-limit.ts"));
            expected.sort();
            assert_eq!(there, expected.each_ref());
            assert!(text(&files, "src/generated/app.ts").contains("{ calls: 30, window: 10, open: "));
        }

        // One Worker, one number; the stage is another Worker.
        let binding = |stage| {
            let text = text(&rendered(limit, &["cloudflare"], stage), "wrangler.jsonc");
            text.lines().find(|line| line.contains("namespace_id")).unwrap_or_default().trim().to_owned()
        };
        let simple = "\"simple\": { \"limit\": 30, \"period\": 10 }";
        assert_eq!(
            binding("production"),
            format!("{{ \"name\": \"MCP_RATE_LIMIT\", \"namespace_id\": \"35469507\", {simple} }},")
        );
        assert_ne!(binding("production"), binding("preview"));
    }

    #[test]
    fn yaml_scalars() {
        assert_eq!(yaml(&Value::from("a\"b\n\u{2028}é")), "\"a\\\"b\\n\\u2028é\"");
    }
}
