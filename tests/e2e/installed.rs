//! What is deployed is made of the packages that are installed in the project, which stay as they are; and what runs on
//! this machine has nothing of the project around it.

use std::path::Path;
use std::process::Command;

use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::support::child::run;
use crate::support::site::{Turn, WEATHER};
use crate::support::tools::KIT;
use crate::support::work::{Marked, clone, mcp_deploy, read, write};

/// A `file:` package, and what it depends on, which `package.json` does not name: another version of that is another
/// bundle.
#[test]
fn lambda_ships_the_packages_that_are_installed() {
    let project = clone(&WEATHER.root, "installed");
    write(
        project.join("outer/package.json"),
        r#"{ "name": "outer", "version": "1.0.0", "main": "outer.cjs", "types": "outer.d.ts" }"#,
    );
    write(project.join("outer/outer.cjs"), "exports.version = () => require('inner').version;\n");
    write(project.join("outer/outer.d.ts"), "export function version(): string;\n");
    std::os::unix::fs::symlink("../outer", project.join("node_modules/outer")).expect("our own folder");
    change(&project.join("package.json"), |package| package["dependencies"]["outer"] = json!("file:outer"));
    let import = "import { version } from \"outer\";";
    handler(&project, import, "const seen = [version(), ...alone()].join(\" \");");

    let package = read(project.join("package.json"));
    for version in ["1.0.0", "1.0.1"] {
        install_inner(&project, version);
        let installed = checksum(&project.join("node_modules"));
        let ship = ["ship", "--target", "lambda", "--local", "--json", "--call", r#"get_weather {"location": "Oslo"}"#];
        let _turn = Turn::of(&project);
        let answer = run(mcp_deploy(&project, ship)).expect(0).json();
        let seen = format!("{version} {ALONE}");
        let answers = answer["runs"][0]["report"]["answers"].as_array().expect("answers");
        assert!(answers.iter().all(|one| one["result"]["structuredContent"]["conditions"] == seen), "{answers:#?}");
        assert_eq!(answers.len(), 2, "{answers:#?}");
        assert_eq!(checksum(&project.join("node_modules")), installed, "the installed packages are touched");
    }
    assert_eq!(read(project.join("package.json")), package);
}

/// Packages that ask for modules of Node's own with `require`, on the clouds that run Node.js.
#[test]
fn commonjs_packages_load_on_the_clouds_with_node() {
    let project = clone(&WEATHER.root, "commonjs");
    let mut npm = KIT.command(ToolId::Npm);
    let packages = ["pg@8.23.1", "@types/pg@8.23.1", "@aws-sdk/client-dynamodb@3.1169.0"];
    npm.args(["install", "--save-exact", "--no-audit", "--no-fund"]).args(packages).current_dir(&project);
    run(npm).expect(0);
    let import = "import pg from \"pg\";\nimport { DynamoDBClient } from \"@aws-sdk/client-dynamodb\";";
    // Nothing listens there: what counts is that the packages load and run.
    let seen = r#"const client = new pg.Client({ host: "127.0.0.1", port: 9, connectionTimeoutMillis: 500 });
  const failed = await client.connect().then(() => "no", () => "yes");
  const dynamo = typeof new DynamoDBClient({ region: "us-east-1" }).send;
  const seen = [failed, dynamo, ...alone()].join(" ");"#;
    handler(&project, import, seen);
    let call = r#"get_weather {"location": "Oslo"}"#;
    let ship = ["ship", "--target", "lambda,vercel", "--local", "--json", "--call", call];
    let mut ship = mcp_deploy(&project, ship);
    // Neither of them leads a function to the project.
    ship.env("NODE_PATH", project.join("node_modules")).env("NODE_ENV", "development");
    // Nor does it have what neither the manifest nor the cloud sets.
    ship.env("OF_THE_SHELL", "1").env("VERCEL_OF_THE_SHELL", "1").env("TZ", "Asia/Tokyo");
    let marked = Marked::new(&mut ship);
    let _turn = Turn::of(&project);
    let answer = run(ship).expect(0).json();
    assert_eq!(answer["alike"], true, "{answer:#}");
    let runs = answer["runs"].as_array().expect("runs");
    let answers: Vec<&Value> =
        runs.iter().flat_map(|run| run["report"]["answers"].as_array().expect("answers")).collect();
    let seen = format!("yes function {ALONE}");
    assert!(answers.iter().all(|one| one["result"]["structuredContent"]["conditions"] == seen), "{answers:#?}");
    assert_eq!(answers.len(), 4, "{answers:#?}");
    marked.assert_nothing_left(&project);
}

/// Servers that answer differently are a failure, except with `--no-compare`.
#[test]
fn clouds_have_to_answer_alike() {
    let project = clone(&WEATHER.root, "alike");
    handler(&project, "", "const seen = process.env[\"VERCEL\"] ? \"there\" : \"here\";");
    let call = r#"get_weather {"location": "Oslo"}"#;
    let _turn = Turn::of(&project);
    let ran =
        run(mcp_deploy(&project, ["ship", "--target", "lambda,vercel", "--local", "--json", "--call", call])).expect(3);
    let answer = ran.json();
    assert_eq!((&answer["ok"], &answer["alike"]), (&json!(false), &json!(false)), "{ran}");
    assert!(answer["runs"].as_array().expect("runs").iter().all(|run| run["report"]["counts"]["failed"] == 0), "{ran}");
    assert!(ran.stderr.contains("`get_weather {\"location\":\"Oslo\"}` is not answered alike:"), "{ran}");
    for told in
        ["lambda here: {", "\"conditions\":\"here\"", "vercel here: {", "\"conditions\":\"there\"", "--no-compare"]
    {
        assert!(ran.stderr.contains(told), "{told}: {ran}");
    }
    run(mcp_deploy(&project, ["ship", "--target", "lambda,vercel", "--local", "--call", call, "--no-compare"]))
        .expect(0);
}

/// What `alone` finds where it runs as it would in its cloud.
const ALONE: &str = "ENOENT MODULE_NOT_FOUND refused false true true 0 production :";

/// `get_weather`, which answers with what `seen` has.
fn handler(project: &Path, imports: &str, seen: &str) {
    let path = project.join("src/tools/get_weather.ts");
    let text = read(&path);
    let returned = "return { location, temperature, units, conditions }";
    let with =
        text.replace(returned, &format!("{seen}\n  return {{ location, temperature, units, conditions: seen }}"));
    assert_ne!(with, text);
    let with = with.replace("tool(\"get_weather\", (", "tool(\"get_weather\", async (");
    std::fs::remove_file(&path).expect("it is there");
    write(&path, format!("{imports}\n{ALONE_TS}\n{with}"));
}

/// Looks for the project in every way that it could be found, and writes where only a machine of one's own can be
/// written.
const ALONE_TS: &str = r#"import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const codeOf = (work: () => unknown) => {
  try {
    work();
    return "done";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
};
// The bundler does not see what is asked for so.
const hidden = createRequire(import.meta.url);
export const alone = () => [
  codeOf(() => readFileSync(["src", "tools", "get_weather.ts"].join("/"))),
  codeOf(() => hidden(["type", "script"].join(""))),
  codeOf(() => writeFileSync(join(import.meta.dirname, "written"), "")) === "done" ? "written" : "refused",
  codeOf(() => mkdirSync(homedir())) === "done",
  codeOf(() => writeFileSync(join(tmpdir(), "written"), "")) === "done",
  process.cwd() === import.meta.dirname,
  new Date(0).getHours(),
  process.env["NODE_ENV"],
  // Every name that a cloud has not, and that no network asks for.
  Object.keys(process.env).filter((name) => !KNOWN.test(name)).sort().join() + ":",
];
const KNOWN = /^(HOME|LANG|TZ|NODE_ENV|PATH|PWD|TMPDIR|LAMBDA_TASK_ROOT|_HANDLER|AWS_\w+|VERCEL|VERCEL_ENV|NOW_REGION|MCP_(DEPLOY|LOCAL)_\w+|(HTTPS?|ALL|NO)_PROXY|NODE_(EXTRA_CA_CERTS|USE_\w+)|SSL_CERT_\w+|UNITS|LD_LIBRARY_PATH)$/i;
"#;

/// What `npm update inner` leaves.
fn install_inner(project: &Path, version: &str) {
    let inner = project.join("node_modules/inner");
    write(inner.join("package.json"), json!({ "name": "inner", "version": version }).to_string());
    // As many packages do, it asks for a module of Node's own with `require`, and for the folder that it is in.
    let script = "const { join } = require('path');\nif (!join(__dirname, __filename)) throw new Error('no folder');\n";
    write(inner.join("index.js"), format!("{script}exports.version = {version:?};\n"));
    let locked = json!({ "version": version });
    change(&project.join("package-lock.json"), |lock| lock["packages"]["node_modules/inner"] = locked.clone());
    // Written last: so npm's packages count as installed.
    change(&project.join("node_modules/.package-lock.json"), |lock| lock["packages"]["node_modules/inner"] = locked);
}

fn change(path: &Path, edit: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_str(&read(path)).expect("JSON");
    edit(&mut value);
    std::fs::remove_file(path).expect("it is there");
    write(path, serde_json::to_string_pretty(&value).expect("JSON"));
}

/// Of every name, link and byte that npm installed; `.cache` is where tools keep what they know of packages.
fn checksum(folder: &Path) -> String {
    let mut sh = Command::new("sh");
    sh.args(["-c", FILES]).current_dir(folder);
    let mut lines: Vec<String> = run(sh).expect(0).stdout.lines().map(str::to_owned).collect();
    assert!(lines.len() > 100, "the packages are there");
    lines.sort();
    lines.join("\n")
}

const FILES: &str = "find . -type l -exec readlink {} + ; find . -path ./.cache -prune -o -type f -exec cksum {} +";
