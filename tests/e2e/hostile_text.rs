//! Text that tries to break out of whatever it is put into, in every free field of a manifest: the project type-checks,
//! is built for every cloud, and each server says exactly what the manifest says.

use std::path::Path;
use std::sync::LazyLock;

use serde_json::{Value, json};
use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::support::TARGETS;
use crate::support::child::run;
use crate::support::mcp::{Era, ask};
use crate::support::site::Site;
use crate::support::work::{mcp_deploy, write};

/// Each is a word of some language between the manifest and the client.
pub const WORDS: &[&str] = &[
    "\"double\" 'single' `back`",
    "back\\slash \\n \\u0041 \\\\",
    "two\nlines\r\nand\ttabs",
    "{{mustache}} {{{triple}}} {{#if x}} {{!-- --}} \\{{escaped}}",
    "*/ /* // <!-- --> </script><script>alert(1)</script>",
    "${template} `${literal}` $dollar $$ $(command) %d %s",
    "!Sub ${AWS::Region} !Ref x {{resolve:ssm:name}} &anchor *alias",
    "- yaml: [list], {map}: | > # comment ? % @",
    "---\n...\n---",
    "trailing space \n  and: indented\n",
    "no: yes: null ~ 0x1F 1e3 .inf",
    "''' \"\"\" [table] key = 1 # toml",
    "emoji 🌦️ 👩‍👩‍👧 é e\u{301} \u{202e}rtl",
    "line\u{2028}separators\u{2029}next\u{85}line\u{feff}bom",
    "control\u{1}characters\u{7f}\u{1b}[31mred",
    "__proto__ constructor toString",
    "import x from \"y\"; export default 1;",
    "#!/bin/sh\nrm -rf x",
    "<b>&amp;</b> &lt; %20 \u{fffd}",
];

/// All of it at once, and 10 kB of something.
static EVERYTHING: LazyLock<String> = LazyLock::new(|| format!("{}\n{}", WORDS.join("\n"), "Größe🌦️`${{".repeat(700)));

pub static HOSTILE: LazyLock<Site> = LazyLock::new(|| Site::new("hostile", project));

fn says_exactly_what_the_manifest_says(target: &str) {
    let url = &HOSTILE.server(target).url;
    let call = format!("echo {}", json!({ "text": EVERYTHING.as_str() }));
    let ran =
        run(mcp_deploy(&HOSTILE.root, ["verify", url, "--json", "--call", &call, "--call", "defaults {}"])).expect(0);
    let report = ran.json();
    assert_eq!(report["counts"]["failed"], 0, "{:.5000}", report["checks"].to_string());
    for id in ["contract.tools", "contract.resources", "contract.templates", "contract.prompts"] {
        let check = report["checks"].as_array().into_iter().flatten().find(|check| check["id"] == id);
        assert!(check.is_some_and(|check| check["outcome"] == "passed"), "{id}: {:#}", report["checks"]);
    }
    let answers = report["answers"].as_array().expect("answers");
    let settings: Value = WORDS.iter().enumerate().map(|(at, word)| (format!("TEXT_{at}"), json!(word))).collect();
    let expected = [
        ("echo", json!({ "text": EVERYTHING.as_str(), "settings": settings })),
        (
            "defaults",
            json!({ "text": EVERYTHING.as_str(), "choice": WORDS[0], "list": WORDS, "object": { "a": WORDS } }),
        ),
    ];
    for (tool, expected) in expected {
        let results: Vec<&Value> = answers.iter().filter(|answer| answer["name"] == tool).collect();
        assert_eq!(results.len(), 2, "{tool} in both eras");
        for result in results {
            assert!(result["result"]["structuredContent"] == expected, "{tool}: {:.2000}", result.to_string());
        }
    }
    introduces_itself(url, Era::Modern);
    introduces_itself(url, Era::Legacy);
}

/// What `verify` does not compare: the server's own texts.
fn introduces_itself(url: &str, era: Era) {
    let info = json!({ "name": "e2e", "version": "0.0.0" });
    let said = match era {
        Era::Modern => ask(url, era, "server/discover", json!({})),
        Era::Legacy => {
            let params = json!({ "protocolVersion": era.version(), "capabilities": {}, "clientInfo": info });
            ask(url, era, "initialize", params)
        }
    };
    let info = match era {
        Era::Modern => &said["_meta"]["io.modelcontextprotocol/serverInfo"],
        Era::Legacy => &said["serverInfo"],
    };
    for text in [&said["instructions"], &info["title"], &info["description"]] {
        assert!(text.as_str() == Some(EVERYTHING.as_str()), "{era:?}: {:.3000}", text.to_string());
    }
}

fn project(root: &Path) {
    write(root.join("mcp.toml"), manifest().to_string());
    write(root.join("src/tools/echo.ts"), ECHO);
    write(root.join("src/tools/defaults.ts"), DEFAULTS);
    let secrets: String = (0..WORDS.len()).map(|at| format!("SECRET_{at}=x\n")).collect();
    write(root.join(".env"), secrets);
}

const ECHO: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("echo", ({ text }, ctx) => ({
  text,
  settings: Object.fromEntries(Object.entries(ctx.env).filter(([name]) => name.startsWith("TEXT_"))),
}));
"#;

const DEFAULTS: &str = r#"import { tool } from "../generated/mcp.ts";

export default tool("defaults", (input) => ({ ...input }));
"#;

fn manifest() -> DocumentMut {
    let everything = || value(EVERYTHING.as_str());
    let words = || value(WORDS.iter().copied().collect::<Array>());
    let mut doc = DocumentMut::new();
    let server = [("name", value("hostile")), ("version", value("1.0.0"))];
    let texts = ["title", "description", "instructions"].map(|key| (key, everything()));
    doc["server"] = table(server.into_iter().chain(texts));

    let mut tools = Table::new();
    let text = || table([("type", value("string")), ("title", everything()), ("description", everything())]);
    tools["echo"] = described(EVERYTHING.as_str());
    tools["echo"]["input"] = table([("text", text())]);
    tools["echo"]["output"] = table([("text", text()), ("settings", table([("type", value("object"))]))]);
    tools["defaults"] = described(EVERYTHING.as_str());
    let strings = || table([("type", value("string"))]);
    tools["defaults"]["input"] = table([
        ("text", table([("type", value("string")), ("default", everything())])),
        ("choice", table([("type", value("string")), ("enum", words()), ("default", value(WORDS[0]))])),
        ("list", table([("type", value("array")), ("items", strings()), ("default", words())])),
        ("object", table([("type", value("object")), ("default", table([("a", words())]))])),
    ]);
    let (mut resources, mut prompts) = (Table::new(), Table::new());
    let (mut env, mut secrets) = (Table::new(), Table::new());
    for (at, word) in WORDS.iter().enumerate() {
        tools[&format!("tool_{at}")] = described(word);
        resources[&format!("fixed_{at}")] = described(word);
        resources[&format!("fixed_{at}")]["uri"] = value(format!("test://fixed/{at}"));
        resources[&format!("template_{at}")] = described(word);
        resources[&format!("template_{at}")]["uri"] = value(format!("test://template/{at}/{{name}}"));
        prompts[&format!("prompt_{at}")] = described(word);
        prompts[&format!("prompt_{at}")]["input"] =
            table([("text", table([("type", value("string")), ("description", value(*word))]))]);
        env[&format!("TEXT_{at}")] = value(*word);
        secrets[&format!("SECRET_{at}")] = value(*word);
    }
    for (key, table) in
        [("tools", tools), ("resources", resources), ("prompts", prompts), ("env", env), ("secrets", secrets)]
    {
        doc[key] = Item::Table(table);
    }
    doc["targets"] = table(TARGETS.iter().map(|target| (*target, Item::Table(Table::new()))));
    doc
}

fn described(text: &str) -> Item {
    table([("title", value(text)), ("description", value(text))])
}

fn table<'a>(entries: impl IntoIterator<Item = (&'a str, Item)>) -> Item {
    let mut table = Table::new();
    for (key, item) in entries {
        table.insert(key, item);
    }
    Item::Table(table)
}

crate::support::on_every_runtime!(says_exactly_what_the_manifest_says);
