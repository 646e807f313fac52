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
    // Its content is no matter of `render`.
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
    // What no handler imports is no code of a server.
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
src/tools/read.ts:3:18: error: `../data/a.md` is no module of JavaScript: Node.js cannot import it
  hint: move the file to `src/files/`, run `mcp-deploy render` and write `import content from \"../generated/files/a.md.ts\"`, which works on every target
3 errors; types were not checked
";
    assert_eq!(said, expected);
}
