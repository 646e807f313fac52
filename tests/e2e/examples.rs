//! Every example on every cloud: rendered, type-checked, tested by its own tests, built, run here, verified, and called
//! by the official client. What that has shown is the table in `docs/examples.md`.

use std::path::{Path, PathBuf};

use mcp_deploy::parallel;
use mcp_deploy::toolchain::ToolId;
use serde_json::{Value, json};

use crate::clients::typescript;
use crate::golden::{difference, path, updating};
use crate::support::TARGETS;
use crate::support::child::{LONG, Running, run};
use crate::support::services::Services;
use crate::support::site::{Turn, WEATHER, oslo};
use crate::support::tools::{CLIENT_V2, KIT};
use crate::support::work::{folder, install, mcp_deploy, read, write};

struct Example {
    name: &'static str,
    /// The cloud on which every test run has it; the others are for the long proof.
    cloud: &'static str,
    /// Settings and secrets in `.env`: where the stand-in of its service is.
    env: fn(&Services, target: &str) -> String,
    /// What the client asks for, as `clients/requests.mjs` takes it.
    requests: fn() -> Value,
    /// What it gets.
    answers: fn(&[Value]),
}

const EXAMPLES: [Example; 7] = [
    Example {
        name: "weather",
        cloud: "lambda",
        env: |_, _| String::new(),
        requests: || json!([["callTool", { "name": "get_weather", "arguments": { "location": "Oslo" } }]]),
        answers: |answers| assert_eq!(answers[0]["result"]["structuredContent"], oslo()),
    },
    Example {
        name: "github",
        cloud: "vercel",
        env: |services, _| format!("GITHUB_API_URL={}\nGITHUB_SEARCH_TOKEN=t0ken\n", services.github.url()),
        requests: || {
            json!([
                ["callTool", { "name": "search_repositories", "arguments": { "query": "mcp", "sort": "stars", "limit": 1 } }],
                ["readResource", { "uri": "github://octo/mcp" }],
                ["callTool", { "name": "search_repositories", "arguments": { "query": "limited" } }],
            ])
        },
        answers: |answers| {
            let found = json!({ "total": 7, "repositories": [{
                "name": "octo/mcp", "description": "A server", "stars": 42, "language": "Rust", "url": "https://github.com/octo/mcp", "resource": "github://octo/mcp",
            }] });
            assert_eq!(answers[0]["result"]["structuredContent"], found);
            let page = "# octo/mcp\n\nA server\n\nRust, 42 stars, last push 2026-11-01\n\nhttps://github.com/octo/mcp\n\n---\n\nRead me.\n";
            assert_eq!(answers[1]["result"]["contents"][0]["text"], page);
            let refused = &answers[2]["result"];
            assert_eq!(refused["isError"], true, "{refused}");
            assert_eq!(refused["content"][0]["text"], "GitHub's rate limit is reached: try again in 30 s");
        },
    },
    Example {
        name: "dynamodb",
        cloud: "lambda",
        env: |services, target| format!("ENDPOINT_URL={}\n{}", services.aws.url, iam_keys(target)),
        requests: || {
            let query = json!({ "partition": "CUSTOMER#42", "prefix": "ORDER#2026", "newest_first": true, "limit": 2 });
            json!([["callTool", { "name": "query_table", "arguments": query }]])
        },
        answers: |answers| {
            let found = &answers[0]["result"]["structuredContent"];
            let order =
                |number: u32| json!({ "pk": "CUSTOMER#42", "sk": format!("ORDER#2026-{number}"), "total": number });
            assert_eq!(found["items"], json!([order(3), order(2)]), "{found}");
            assert!(found["cursor"].is_string(), "{found}");
        },
    },
    Example {
        name: "log-analytics",
        cloud: "cloudflare",
        env: |services, target| format!("ENDPOINT_URL={}\n{}", services.aws.url, iam_keys(target)),
        requests: || {
            json!([
                ["callTool", { "name": "search_logs", "arguments": { "pattern": "ERROR", "limit": 2 } }],
                ["readResource", { "uri": "logs://events?pattern=ERROR" }],
                ["callTool", { "name": "tail_logs", "arguments": { "seconds": 1 } }],
            ])
        },
        answers: |answers| {
            let content = &answers[0]["result"]["content"];
            assert_eq!(messages(&content[0]["text"]), ["ERROR one", "ERROR two"], "{content}");
            assert_eq!(content[1]["type"], "resource_link", "{content}");
            // A page is sent when it is there, before the result.
            assert_eq!(messages(&answers[0]["progress"][0]["message"]), ["ERROR one", "ERROR two"], "{}", answers[0]);
            let page = &answers[1]["result"]["contents"][0];
            assert_eq!(messages(&page["text"]), ["ERROR one", "ERROR two", "ERROR three"], "{page}");
            assert_eq!(answers[2]["result"]["content"], json!([]), "nothing is written while it follows");
        },
    },
    Example {
        name: "long-operation",
        cloud: "vercel",
        env: |_, _| "MILLISECONDS_PER_DOCUMENT=1\nSECONDS_WITHOUT_ASKING=0\n".to_owned(),
        requests: || json!([["callTool", { "name": "rebuild_index", "arguments": { "documents": 3 } }]]),
        answers: |answers| {
            let Some(([asked, steps @ ..], result)) =
                answers[0]["progress"].as_array().map(Vec::as_slice).zip(answers.first())
            else {
                panic!("{answers:?}")
            };
            // The client tells its user that it was asked; it said yes, without which nothing would have been indexed.
            assert!(asked["message"].as_str().is_some_and(|text| text.starts_with("Fulfilling input")), "{asked}");
            assert_eq!(result["result"]["structuredContent"]["indexed"], 3, "{result}");
            let step = |done: u32| json!({ "progress": done, "total": 3, "message": format!("{done} of 3 documents") });
            assert_eq!(steps, [step(1), step(2), step(3)]);
        },
    },
    Example {
        name: "counter",
        cloud: "cloudflare",
        env: |_, _| String::new(),
        requests: || {
            let count = json!(["callTool", { "name": "count", "arguments": { "name": "tea", "by": 2 } }]);
            json!([count, count, ["callTool", { "name": "list_counters", "arguments": {} }]])
        },
        answers: |answers| {
            // What was counted outlives each call; every run on a cloud begins anew.
            let said = |at: usize| &answers[at]["result"]["structuredContent"];
            assert_eq!([said(0), said(1)].map(|count| &count["value"]), [2, 4]);
            assert_eq!(said(2), &json!({ "counters": [{ "name": "tea", "value": 4 }] }));
        },
    },
    Example {
        name: "empty",
        cloud: "lambda",
        env: |_, _| String::new(),
        requests: || json!([["listTools", {}]]),
        answers: |answers| assert_eq!(answers[0]["result"]["tools"], json!([])),
    },
];

/// What was logged, of NDJSON.
fn messages(ndjson: &Value) -> Vec<String> {
    let lines = ndjson.as_str().unwrap_or_default().lines();
    let message =
        |line| serde_json::from_str::<Value>(line).expect("a line is JSON")["message"].as_str().map(str::to_owned);
    lines.filter_map(message).collect()
}

/// On Lambda there are none: the role's credentials, which are in the environment there, have to do.
fn iam_keys(target: &str) -> &'static str {
    if target == "lambda" { "" } else { "IAM_ACCESS_KEY_ID=AKIDTEST\nIAM_SECRET_ACCESS_KEY=secret\n" }
}

#[test]
fn every_example_runs() {
    all(|example| if example.name == "weather" { TARGETS.to_vec() } else { vec![example.cloud] });
}

#[test]
#[ignore = "long: `cargo bench --bench long -- examples`"]
fn every_example_runs_on_every_cloud() {
    all(|_| TARGETS.to_vec());
}

fn all(clouds: impl Fn(&Example) -> Vec<&'static str> + Sync) {
    let services = Services::start();
    let rows = parallel::map(&EXAMPLES, |example| row(example, &clouds(example), &services));
    compare(&rows.concat());
}

/// One line of the table; a step that fails ends the test with what the step said.
fn row(example: &Example, clouds: &[&str], services: &Services) -> String {
    // The other tests have it running already.
    let running = (example.name == "weather").then(|| &*WEATHER);
    let project = running.map_or_else(|| project(example.name), |site| site.root.clone());
    run(mcp_deploy(&project, ["render", "--check"])).expect(0);
    let check = run(mcp_deploy(&project, ["check", "--json"])).expect(0).json();
    assert_eq!(check["types"], "passed", "{check:#}");
    let tests = own_tests(&project);
    let row = format!("| `{}` | yes | yes | {tests} |", example.name);
    for target in clouds {
        match running {
            Some(site) => called(example, &project, target, &site.server(target).url),
            None => {
                write(project.join(".env"), (example.env)(services, target));
                let (_dev, url) = started(&project, target);
                called(example, &project, target, &url);
            }
        }
    }
    row + &" yes |".repeat(TARGETS.len()) + "\n"
}

/// A new project with its packages.
fn project(example: &str) -> PathBuf {
    let parent = folder(example);
    run(mcp_deploy(&parent, ["init", "example", "--example", example, "--target", &TARGETS.join(","), "--yes"]))
        .expect(0);
    let project = parent.join("example");
    install(&project);
    project
}

/// `npm test`, as the README says it; how many tests there are, all of which passed.
fn own_tests(project: &Path) -> String {
    let mut npm = KIT.command(ToolId::Npm);
    npm.arg("test").current_dir(project);
    let ran = run(npm).expect(0);
    let count = |what: &str| {
        let line = ran.stdout.lines().find_map(|line| line.split_once(&format!(" {what} ")));
        line.unwrap_or_else(|| panic!("no `{what}`: {ran}")).1.trim().parse::<u32>().expect("a number")
    };
    assert_eq!((count("fail"), count("skipped"), count("todo")), (0, 0, 0), "{ran}");
    let (found, files) = (count("pass"), project.join("test").is_dir());
    assert_eq!(found > 0, files, "the example's tests were not run, or it has none: {ran}");
    if found == 0 { "none".to_owned() } else { format!("{found} passed") }
}

/// Built and started as `ship --local` does it.
fn started(project: &Path, target: &str) -> (Running, String) {
    let mut dev = mcp_deploy(project, ["dev", "--built", "--target", target, "--port", "0"]);
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"] {
        dev.env_remove(name);
    }
    if target == "lambda" {
        dev.env("AWS_ACCESS_KEY_ID", "ASIAROLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_SESSION_TOKEN", "token");
    }
    let _turn = Turn::of(project);
    let mut dev = Running::guarded(dev);
    let url = dev.until("the URL", LONG, |dev| dev.stdout.text().lines().next().map(str::to_owned));
    (dev, url)
}

/// Verified against its manifest, then called by the official client.
fn called(example: &Example, project: &Path, target: &str, url: &str) {
    let verified = run(mcp_deploy(project, ["verify", url, "--json"])).expect(0).json();
    assert_eq!(verified["counts"]["failed"], 0, "{} on {target}: {verified:#}", example.name);
    let mut client = typescript(&CLIENT_V2, "requests.mjs");
    client.args([url, &(example.requests)().to_string()]);
    let ran = run(client).expect(0);
    // It says on stdout, too, what it thinks of a server.
    let answers = ran.stdout.lines().next_back().unwrap_or_default();
    let answers: Vec<Value> = serde_json::from_str(answers).unwrap_or_else(|error| panic!("{error}: {ran}"));
    (example.answers)(&answers);
}

const PAGE: &str = "docs/examples.md";
const BEGIN: &str = "<!-- the table below is written by `UPDATE_GOLDEN=1 cargo bench --bench long -- examples` -->\n";
const END: &str = "<!-- end of the table -->\n";

/// The page's table is what this run has shown, or the test fails.
fn compare(rows: &str) {
    let head = "| example | rendered | type-checked | `npm test` | AWS Lambda | Vercel | Cloudflare Workers | Containers |\n|---|---|---|---|---|---|---|---|\n";
    let page = read(path(PAGE));
    let (before, rest) = page.split_once(BEGIN).unwrap_or_else(|| panic!("{PAGE} has no line {BEGIN}"));
    let (_, after) = rest.split_once(END).unwrap_or_else(|| panic!("{PAGE} has no line {END}"));
    let found = format!("{before}{BEGIN}{head}{rows}{END}{after}");
    if updating() {
        return write(path(PAGE), found);
    }
    let again = "UPDATE_GOLDEN=1 cargo bench --bench long -- examples";
    assert!(found == page, "{PAGE}, {}\nif this is intended: {again}", difference(&page, &found));
}
