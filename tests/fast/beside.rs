//! Files beside the code: `render` makes a module of each, and `check` refuses any other way to take one.

use crate::support::Sandbox;

const TOOL: &str = "import { tool } from \"../generated/mcp.ts\";\n";

fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.ok(&["init", ".", "--name", "s", "--example", "empty", "--target", "all", "--yes"]);
    sandbox.ok(&["add-tool", "read", "--description", "Reads."]);
    sandbox
}

#[test]
fn a_module_comes_and_goes_with_its_file() {
    let sandbox = project();
    let before = sandbox.read("mcp.lock");
    sandbox.write("src/files/deep/brief.md", "Hello");
    let checked = sandbox.run(&["check", "--no-types"]);
    let said = checked.stderr;
    assert!(said.contains("src/generated/files/deep/brief.md.ts:1:1: error: this generated file is missing"), "{said}");
    sandbox.ok(&["render"]);
    assert!(sandbox.read("src/generated/files/deep/brief.md.ts").contains("../../../files/deep/brief.md"));
    sandbox.ok(&["check", "--no-types"]);
    // `render` does not look at its content.
    sandbox.write("src/files/deep/brief.md", "Other");
    sandbox.ok(&["render", "--check"]);
    std::fs::remove_file(sandbox.path("src/files/deep/brief.md")).unwrap();
    sandbox.ok(&["render"]);
    assert!(!sandbox.path("src/generated/files/deep/brief.md.ts").exists());
    assert_eq!(sandbox.read("mcp.lock"), before);
}

#[test]
fn other_ways_are_refused_with_the_one_that_works() {
    let sandbox = project();
    sandbox.write("src/data/a.md", "x");
    sandbox.write("src/files/latin.txt", b"caf\xe9".as_slice());
    sandbox.ok(&["render"]);
    // What no handler imports is not part of a server.
    sandbox.write("src/scripts/seed.ts", "import text from \"../data/a.md\";\n");
    sandbox.write("src/lib.ts", "import { readFileSync } from \"node:fs\";\nexport const a = readFileSync(new URL(\"./data/a.md\", import.meta.url));\n");
    let tool = format!(
        "{TOOL}import {{ a }} from \"../lib.ts\";\nimport text from \"../data/a.md\";\nexport default tool(\"read\", () => text + a);\n"
    );
    sandbox.write("src/tools/read.ts", tool);
    let checked = sandbox.run(&["check", "--no-types"]);
    assert_eq!(checked.code, 1);
    let said = checked.stderr;
    let expected = "src/files/latin.txt:1:1: error: a file with this ending is read as text, and this one is not UTF-8
  hint: save it as UTF-8, or give it the ending `.bin`: then a handler gets its bytes
src/lib.ts:2:39: error: `./data/a.md` is not there when this runs on a target: there the code is in a bundle
  hint: move the file to `src/files/`, run `mcp-deploy render` and write `import content from \"./generated/files/a.md.ts\"`, which works on every target
src/tools/read.ts:3:18: error: `../data/a.md` is not a JavaScript module: Node.js cannot import it
  hint: move the file to `src/files/`, run `mcp-deploy render` and write `import content from \"../generated/files/a.md.ts\"`, which works on every target
3 errors; types were not checked
";
    assert_eq!(said, expected);
}

/// By its name, or by what it says of itself; only where a target has no Node.js, and only what a handler imports.
#[test]
fn a_package_that_a_target_cannot_run_is_named_where_it_is_imported() {
    let sandbox = project();
    sandbox.write("node_modules/addon/package.json", "{ \"dependencies\": { \"bindings\": \"1\" } }");
    sandbox.write("node_modules/around/package.json", "{ \"dependencies\": { \"addon\": \"1\" } }");
    sandbox.write("src/unused.ts", "import sharp from \"sharp\";\n");
    sandbox.write("src/lib.ts", "export { x } from \"addon/sub\";\nimport type { Sharp } from \"sharp\";\n");
    let tool = format!(
        "{TOOL}import sharp from \"sharp\";\nimport {{ x }} from \"../lib.ts\";\nimport a from \"around\";\nexport default tool(\"read\", () => sharp + x + a);\n"
    );
    sandbox.write("src/tools/read.ts", tool);
    let checked = sandbox.run(&["check", "--no-types"]);
    assert_eq!(checked.code, 1);
    let expected = "src/lib.ts:1:19: error: Cloudflare Workers cannot run the package `addon`: it has native code
  hint: remove `[targets.cloudflare]` from `mcp.toml`
src/tools/read.ts:2:19: error: Cloudflare Workers cannot run the package `sharp`: it has native code
  hint: resize in a service over HTTP, or remove `[targets.cloudflare]` from `mcp.toml`
src/tools/read.ts:4:15: warning: Cloudflare Workers may not run the package `around`: it depends on `addon`, which has native code
  hint: remove `[targets.cloudflare]` from `mcp.toml`
2 errors, 1 warning; types were not checked
";
    assert_eq!(checked.stderr, expected);
    let manifest = sandbox.read("mcp.toml").replace("[targets.cloudflare]\n", "");
    sandbox.write("mcp.toml", manifest);
    sandbox.ok(&["render"]);
    sandbox.ok(&["check", "--no-types"]);
}
