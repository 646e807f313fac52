//! Files beside the code that a handler takes in another way than the one that works on every target.

use std::ops::Range;
use std::path::Path;

use super::code::{self, Literal, literal, words};
use super::reached::{Reached, is_path, resolved};
use crate::fault::{Fault, Lines, Severity};
use crate::files;
use crate::manifest::Manifest;
use crate::manifest::beside::{self, FOLDER, FileForm};

/// Faults of `src/files/` itself, and of the modules that read or import a file elsewhere.
pub fn faults(root: &Path, manifest: &Manifest, reached: &Reached) -> Vec<Fault> {
    let mut faults = beside::found(root).1;
    faults.extend(manifest.files.iter().filter_map(|file| beside::content_fault(root, file)));
    for (path, text) in reached.modules() {
        let lines = Lines::of(text);
        let mut found = of_module(root, path, text);
        found.sort_by_key(|(at, ..)| *at);
        faults.extend(found.into_iter().map(|(at, message, name)| Fault {
            severity: Severity::Error,
            file: path.to_owned(),
            at: lines.position(at),
            message,
            hint: Some(hint(path, &name)),
        }));
    }
    faults
}

/// The one way, for a module of the project and a file's path.
fn hint(module: &str, file: &str) -> String {
    let inside = file.strip_prefix(FOLDER).and_then(|name| name.strip_prefix('/'));
    let name = inside.or_else(|| Path::new(file).file_name()?.to_str()).filter(|name| !name.is_empty());
    let name = name.unwrap_or("NAME");
    let up = match module.matches('/').count() {
        0 | 1 => "./".to_owned(),
        depth => "../".repeat(depth - 1),
    };
    let up = if module.starts_with("src/") { up } else { "src/".to_owned() };
    let from = format!("{up}generated/files/{name}");
    let import = match beside::form(name) {
        None => format!("import of `{from}.ts`"),
        Some(_) => format!("`import content from \"{from}.ts\"`"),
    };
    match inside {
        Some(_) => format!("write {import}, which works on every target"),
        None => format!(
            "move the file to `{FOLDER}/`, run `mcp-deploy render` and write {import}, which works on every target"
        ),
    }
}

/// Functions that read a file.
const READS: [&str; 8] =
    ["readFile", "readFileSync", "createReadStream", "openAsBlob", "readdir", "readdirSync", "openSync", "loadEnvFile"];
/// Where the code is, as far as Node.js can tell.
const HERE: [&str; 6] =
    ["import.meta.url", "import.meta.dirname", "import.meta.filename", "__dirname", "__filename", "process.cwd"];

/// Places in a module, each with what is wrong there and the file that it is about.
fn of_module(root: &Path, path: &str, text: &str) -> Vec<(usize, String, String)> {
    let code = code::without_comments_and_strings(text);
    let mut found = Vec::new();
    for literal in code::imports(text) {
        if let Some(file) = imported(root, path, literal) {
            let message = format!("`{}` is not a JavaScript module: Node.js cannot import it", literal.text);
            found.push((literal.at, message, file));
        }
    }
    let mut beside = Vec::new();
    for end in words(&code, "URL") {
        let Some(literal) = literal(text, end, true) else { continue };
        let rest = code[literal.end().min(code.len())..].trim_start();
        let relative = rest.strip_prefix(',').is_some_and(|rest| rest.trim_start().starts_with("import.meta.url"));
        if !relative || literal.text.contains(':') || is_code(literal.text) {
            continue;
        }
        beside.push(literal.at);
        let message =
            format!("`{}` is not there when this runs on a target: there the code is in a bundle", literal.text);
        let dotted = if is_path(literal.text) { literal.text.to_owned() } else { format!("./{}", literal.text) };
        found.push((literal.at, message, resolved(path, &dotted).unwrap_or_else(|| literal.text.to_owned())));
    }
    let made = made_of_here(&code);
    for name in READS {
        for end in words(&code, name) {
            let Some(arguments) = arguments(&code, end) else { continue };
            let of = literal(text, end, true);
            if let Some(literal) = of.filter(|literal| !literal.text.starts_with('/')) {
                let file = literal.text.trim_start_matches("./");
                if files::is_there(root, file) {
                    let message =
                        format!("`{}` is not there when this runs on a target: only what is bundled is", literal.text);
                    found.push((literal.at, message, file.to_owned()));
                }
                continue;
            }
            // The address in it is reported already.
            let is_told = beside.iter().any(|place| arguments.contains(place));
            let inside = &code[arguments.clone()];
            let here = HERE.into_iter().find(|here| words(inside, here).next().is_some());
            let here = here.or_else(|| Some(made.iter().find(|(name, _)| words(inside, name).next().is_some())?.1));
            if let Some(here) = here.filter(|_| !is_told) {
                let message = format!(
                    "the path of this file is made of `{here}`: on a target the code is in a bundle, and no other file of the project is there"
                );
                found.push((end - name.len(), message, String::new()));
            }
        }
    }
    found
}

/// What stands between the parentheses of a call.
fn arguments(code: &str, at: usize) -> Option<Range<usize>> {
    let rest = code[at..].trim_start();
    let begin = code.len() - rest.len() + 1;
    let mut depth = 0_usize;
    for (offset, c) in rest.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return Some(begin..code.len() - rest.len() + offset),
            ')' => depth -= 1,
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Up to its end: a `;`, or the end of a line outside of parentheses.
fn statement(code: &str) -> &str {
    let (mut depth, mut begun) = (0_i32, false);
    for (at, c) in code.char_indices() {
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ';' => return &code[..at],
            '\n' if begun && depth <= 0 => return &code[..at],
            _ => {}
        }
        begun |= !c.is_whitespace();
    }
    code
}

/// Names of variables that say where the code is, each with what it is made of.
fn made_of_here(code: &str) -> Vec<(&str, &'static str)> {
    let declared = ["const", "let", "var"].into_iter().flat_map(|word| words(code, word)).filter_map(|end| {
        let (name, value) = code[end..].split_once('=')?;
        let name = name.split(':').next().unwrap_or(name).trim();
        let value = statement(value);
        (!name.is_empty() && name.chars().all(code::is_of_word)).then_some((end, name, value))
    });
    let mut declared: Vec<_> = declared.collect();
    declared.sort_unstable();
    let mut made: Vec<(&str, &'static str)> = Vec::new();
    for (_, name, value) in declared {
        let direct = HERE.into_iter().find(|here| words(value, here).next().is_some());
        let through = || Some(made.iter().find(|(known, _)| words(value, known).next().is_some())?.1);
        if let Some(here) = direct.or_else(through).filter(|_| !value.contains("createRequire")) {
            made.push((name, here));
        }
    }
    made
}

fn is_code(name: &str) -> bool {
    beside::form(name).is_none()
}

/// The file that an import names, if Node.js cannot import it.
fn imported(root: &Path, path: &str, literal: Literal<'_>) -> Option<String> {
    let (name, query) = literal.text.split_once('?').map_or((literal.text, false), |(name, _)| (name, true));
    if !is_path(name) {
        // A name alone is a package, whatever it ends with.
        let depth = if name.starts_with('@') { 2 } else { 1 };
        let inside = name.matches('/').count() >= depth && !name.contains(':') && !name.starts_with('#');
        return (inside && matches!(beside::form(name), Some(FileForm::Text | FileForm::Wasm)))
            .then(|| name.to_owned());
    }
    let file = resolved(path, name)?;
    let is_none = match beside::form(name) {
        None => query,
        Some(FileForm::Json) => query,
        Some(FileForm::Text | FileForm::Wasm) => true,
        Some(FileForm::Bytes) => files::Folder::open(root)
            .is_ok_and(|root| root.metadata(&file).is_ok_and(|found| found.is_some_and(|found| found.is_file()))),
    };
    is_none.then_some(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The messages about a module `src/tools/a.ts`, and the hint of each.
    fn told(text: &str) -> Vec<(usize, String, String)> {
        let dir = tempfile::tempdir().unwrap();
        for name in ["src/data/a.md", "src/data/LICENSE", "data.txt", "src/files/b.md"] {
            fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let found = of_module(dir.path(), "src/tools/a.ts", text).into_iter();
        found.map(|(at, message, file)| (at, message, hint("src/tools/a.ts", &file))).collect()
    }

    #[test]
    fn every_other_way_to_a_file_is_refused() {
        for (text, message, import) in [
            (
                r#"import text from "../data/a.md";"#,
                "`../data/a.md` is not a JavaScript module",
                "../generated/files/a.md.ts",
            ),
            (r#"import text from "../files/b.md";"#, "not a JavaScript module", "\"../generated/files/b.md.ts\""),
            (r#"import add from "../data/add.wasm?module";"#, "not a JavaScript module", "files/add.wasm.ts"),
            (
                r#"import html from "./page.html" with { type: "text" };"#,
                "not a JavaScript module",
                "files/page.html.ts",
            ),
            (r#"const l = await import("../data/LICENSE");"#, "not a JavaScript module", "files/LICENSE.ts"),
            (r#"import raw from "../shared.ts?raw";"#, "not a JavaScript module", "files/shared.ts.ts"),
            (r#"import css from "pkg/style.css";"#, "not a JavaScript module", "files/style.css.ts"),
            (r#"readFileSync(new URL("../data/a.md", import.meta.url), "utf8");"#, "is not there", "files/a.md.ts"),
            (r#"fetch(new URL("a.bin", import.meta.url));"#, "`a.bin` is not there", "files/a.bin.ts"),
            (r#"readFileSync(join(import.meta.dirname, "a.md"));"#, "made of `import.meta.dirname`", "files/NAME.ts"),
            (
                "const here = dirname(fileURLToPath(import.meta.url));\nconst file = join(here, \"a.md\");\nexport const a = readFileSync(file);",
                "made of `import.meta.url`",
                "files/NAME.ts",
            ),
            ("const read = (name: string) => readFile(resolve(__dirname, name));", "made of `__dirname`", "files/NAME"),
            (r#"await readFile(fileURLToPath(import.meta.url) + "/a");"#, "made of `import.meta.url`", "files/NAME"),
            (r#"await readFile(join(process.cwd(), "data.txt"));"#, "made of `process.cwd`", "files/NAME"),
            (r#"createReadStream("./data.txt")"#, "`./data.txt` is not there", "files/data.txt.ts"),
        ] {
            let found = told(text);
            let [(_, said, hint)] = found.as_slice() else { panic!("{text}: {found:?}") };
            assert!(said.contains(message) && hint.contains(import), "{text}: {said}\n{hint}");
        }
    }

    #[test]
    fn what_works_is_left_alone() {
        for text in [
            r#"import text from "../generated/files/a.md.ts";"#,
            r#"import data from "../data/a.json" with { type: "json" };"#,
            r#"import chart from "chart.css";"#,
            r#"import { x } from "@scope/x.md";"#,
            r#"import { S3 } from "@aws-sdk/client-s3";"#,
            r#"import { readFile } from "node:fs/promises"; await readFile("/tmp/x");"#,
            r#"import { readFile } from "node:fs/promises"; await readFile("made-at-run-time.txt");"#,
            r#"log(import.meta.filename); await readFile(input);"#,
            "const input = ask()\nlog(__dirname)\nexport const a = () => readFile(input)\n",
            r#"const load = createRequire(import.meta.url); await readFile(input, load("x"));"#,
            r#"const same = process.cwd() === import.meta.dirname; export const a = (f: string) => readFileSync(f);"#,
            r#"writeFileSync(join(import.meta.dirname, "x"), readFileSync("/tmp/x"));"#,
            r#"new URL("/v1", "https://api.example.com");"#,
            r#"new URL("https://api.example.com/a.md", import.meta.url);"#,
            r#"// import text from "../data/a.md""#,
            r#"import type { T } from "../types.d.ts";"#,
        ] {
            assert_eq!(told(text), [], "{text}");
        }
    }
}
