//! npm packages in handlers: each loads from a bundle, in Node.js and in workerd, or is named by `check` with what
//! works instead.

use std::path::{Path, PathBuf};

use mcp_deploy::toolchain::ToolId;
use serde_json::Value;

use crate::golden::{difference, path, read, updating};
use crate::support::child::{LONG, Running, run};
use crate::support::site::Turn;
use crate::support::tools::KIT;
use crate::support::work::{folder, mcp_deploy, write};

/// Packages by what a handler imports of each, in the version that was run.
const PACKAGES: [(&str, &str); 58] = [
    ("@anthropic-ai/sdk", "1.14.0"),
    ("@aws-sdk/client-dynamodb", "3.1169.0"),
    ("@aws-sdk/client-s3", "3.1175.0"),
    ("@google-cloud/storage", "8.4.0"),
    ("@notionhq/client", "5.26.0"),
    ("@octokit/rest", "22.0.1"),
    ("@sendgrid/mail", "8.1.6"),
    ("@slack/web-api", "8.2.0"),
    ("@supabase/supabase-js", "2.119.1"),
    ("adm-zip", "0.6.1"),
    ("axios", "1.21.1"),
    ("cheerio", "1.2.0"),
    ("csv-parse", "7.0.3"),
    ("date-fns", "4.4.0"),
    ("dotenv", "18.0.10"),
    ("drizzle-orm", "0.45.4"),
    ("exceljs", "4.4.0"),
    ("express", "5.3.0"),
    ("fast-xml-parser", "5.12.1"),
    ("firebase-admin", "14.5.1"),
    ("form-data", "4.0.6"),
    ("googleapis", "188.0.0"),
    ("got", "16.1.0"),
    ("graphql", "17.1.0"),
    ("ioredis", "6.0.0"),
    ("jose", "6.2.17"),
    ("jsdom", "31.0.1"),
    ("jsonwebtoken", "9.0.3"),
    ("ky", "2.1.0"),
    ("kysely", "0.29.9"),
    ("lodash", "4.18.1"),
    ("lodash-es", "4.18.1"),
    ("luxon", "3.7.2"),
    ("marked", "18.2.1"),
    ("mongodb", "7.9.0"),
    ("mysql2/promise", "3.24.6"),
    ("nanoid", "6.0.2"),
    ("node-fetch", "2.7.0"),
    ("openai", "7.59.0"),
    ("p-limit", "7.3.3"),
    ("papaparse", "5.7.1"),
    ("pdf-parse", "2.4.5"),
    ("pg", "8.23.1"),
    ("pino", "10.4.0"),
    ("playwright-core", "1.65.1"),
    ("redis", "6.3.1"),
    ("resend", "6.38.0"),
    ("sharp", "0.35.5"),
    ("stripe", "23.1.0"),
    ("tiktoken", "1.0.22"),
    ("twilio", "6.3.1"),
    ("undici", "8.13.1"),
    ("uuid", "14.0.3"),
    ("winston", "3.19.0"),
    ("ws", "8.23.0"),
    ("xlsx", "0.18.5"),
    ("yaml", "2.9.1"),
    ("zod", "4.6.7"),
];

const PAGE: &str = "docs/packages.md";
const BEGIN: &str = "<!-- the table below is written by `UPDATE_GOLDEN=1 cargo bench --bench long -- packages` -->\n";
const END: &str = "<!-- end of the table -->\n";
const HEAD: &str = "| package | version | AWS Lambda, Vercel | Cloudflare Workers |\n|---|---|---|---|\n";

/// A project on this machine's processor, with these packages.
fn project(packages: &[(&str, &str)]) -> PathBuf {
    let root = folder("npm").join("npm");
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
    let manifest = format!(
        "[server]\nname = \"npm\"\nversion = \"0.1.0\"\ndescription = \"Packages.\"\n\n[tools.keys]\ndescription = \"Counts the names of a package.\"\n[tools.keys.output]\nkeys = {{ type = \"integer\" }}\n\n[targets.lambda]\narchitecture = \"{architecture}\"\n[targets.cloudflare]\n"
    );
    write(root.join("mcp.toml"), manifest);
    run(mcp_deploy(&root, ["render"])).expect(0);
    let mut npm = KIT.command(ToolId::Npm);
    npm.args(["install", "--save-exact", "--no-audit", "--no-fund"]).current_dir(&root);
    npm.args(packages.iter().map(|(module, version)| format!("{}@{version}", package_of(module))));
    Running::start(npm).wait(LONG).expect(0);
    root
}

/// `mysql2/promise` → `mysql2`
fn package_of(module: &str) -> String {
    module.split('/').take(if module.starts_with('@') { 2 } else { 1 }).collect::<Vec<_>>().join("/")
}

/// A row of the table; a package that neither loads nor is named fails the test.
fn row(root: &Path, module: &str, version: &str) -> String {
    let handler = format!(
        "import * as found from \"{module}\";\nimport {{ tool }} from \"../generated/mcp.ts\";\n\nexport default tool(\"keys\", () => ({{ keys: Object.keys(found).length }}));\n"
    );
    write(root.join("src/tools/keys.ts"), handler);
    let scratch = folder("loaded");
    let tools = KIT.tools.found(ToolId::Wrangler).expect("the product installs it");
    let wrangler = tools.path.canonicalize().expect("a found tool is there");
    let mut load = KIT.node(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/packages.mjs"));
    load.arg(root).arg(&scratch).arg(&wrangler).arg(workerd(&wrangler));
    let loaded = Running::start(load).wait(LONG).expect(0).json();

    let named = named(root);
    assert_eq!(loaded["node"], "loads", "`{module}` in Node.js: {loaded:#}");
    let beside: Vec<&str> = loaded["beside"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    let node =
        if beside.is_empty() { "bundled".to_owned() } else { format!("beside the bundle: `{}`", beside.join("`, `")) };
    let workers = match (loaded["workers"].as_str(), named) {
        (Some("loads"), None) => "runs".to_owned(),
        (Some("loads"), Some(said)) => panic!("`{module}` runs in workerd, and `check` refuses it: {said}"),
        (_, Some(said)) => format!("no: {said}"),
        (_, None) => panic!("`{module}` does not run in workerd, and `check` does not say so: {loaded:#}"),
    };
    std::fs::remove_dir_all(scratch).expect("our own folder can be removed");
    format!("| `{module}` | {version} | {node} | {workers} |\n")
}

/// The binary that wrangler brings: the file that its launcher starts.
fn workerd(wrangler: &Path) -> PathBuf {
    let packages = wrangler.ancestors().find(|above| above.ends_with("node_modules")).expect("it is a package");
    let processor = if cfg!(target_arch = "aarch64") { "arm64" } else { "64" };
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    packages.join(format!("@cloudflare/workerd-{system}-{processor}/bin/workerd"))
}

/// Why a package cannot run on Workers, and what does instead, as `check` says it.
fn named(root: &Path) -> Option<String> {
    let checked = run(mcp_deploy(root, ["check", "--no-types", "--json"]));
    let checked: Value = serde_json::from_str(&checked.stdout).unwrap_or_else(|error| panic!("{error}: {checked}"));
    let faults = checked["faults"].as_array().expect("a list").iter();
    let mut told = faults.filter(|fault| fault["severity"] == "error").map(|fault| {
        let (message, hint) =
            (fault["message"].as_str().unwrap_or_default(), fault["hint"].as_str().unwrap_or_default());
        let reason = message.split_once("`: ").map_or(message, |(_, reason)| reason);
        format!("{reason}; {}", hint.split(", or remove ").next().unwrap_or_default())
    });
    told.next()
}

#[test]
#[ignore = "long: `cargo bench --bench long -- packages`"]
fn every_package_loads_or_is_named() {
    let root = project(&PACKAGES);
    let _turn = Turn::of(&root);
    let rows: String = PACKAGES.iter().map(|(module, version)| row(&root, module, version)).collect();
    let page = read(PAGE);
    let (before, rest) = page.split_once(BEGIN).unwrap_or_else(|| panic!("{PAGE} has no line {BEGIN}"));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{PAGE} has no line {END}"));
    let found = format!("{before}{BEGIN}{HEAD}{rows}{END}{after}");
    if updating() {
        return write(path(PAGE), found);
    }
    let again = "UPDATE_GOLDEN=1 cargo bench --bench long -- packages";
    assert!(found == page, "{PAGE}, {}\nif this is intended: {again}", difference(&page, &found));
}

/// One that is bundled, one with native code, one that reads a file: their rows are those of the page.
#[test]
fn packages_of_each_kind_load_or_are_named() {
    let named = ["@aws-sdk/client-dynamodb", "pg", "sharp", "tiktoken"];
    let kinds: Vec<(&str, &str)> = PACKAGES.into_iter().filter(|(module, _)| named.contains(module)).collect();
    assert_eq!(kinds.len(), named.len());
    let root = project(&kinds);
    let _turn = Turn::of(&root);
    let page = read(PAGE);
    for (module, version) in kinds {
        let row = row(&root, module, version);
        assert!(page.contains(&row), "{PAGE} lacks {row}");
    }

    // Two of them as a user ships them, on both kinds of platforms.
    let handler = "import { DynamoDBClient } from \"@aws-sdk/client-dynamodb\";
import pg from \"pg\";
import { tool } from \"../generated/mcp.ts\";

export default tool(\"keys\", async () => {
  const client = new pg.Client({ host: \"127.0.0.1\", port: 9, connectionTimeoutMillis: 500 });
  const failed = await client.connect().then(() => false, () => true);
  return { keys: [failed, typeof new DynamoDBClient({ region: \"us-east-1\" }).send === \"function\"].filter(Boolean).length };
});
";
    write(root.join("src/tools/keys.ts"), handler);
    write(root.join("src/pg.d.ts"), "declare module \"pg\";\n");
    let ship = ["ship", "--target", "all", "--local", "--json", "--call", "keys {}"];
    let answer = Running::start(mcp_deploy(&root, ship)).wait(LONG).expect(0).json();
    assert_eq!(
        (&answer["alike"], answer["runs"].as_array().map(Vec::len)),
        (&Value::from(true), Some(2)),
        "{answer:#}"
    );
    assert_eq!(answer["runs"][1]["report"]["answers"][0]["result"]["structuredContent"]["keys"], 2, "{answer:#}");
}
