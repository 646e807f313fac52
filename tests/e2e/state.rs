//! `ctx.state`: one contract, held by workerd's Durable Objects, DynamoDB, a Redis behind Upstash's API, the SQLite
//! file of containers, and the file of local runs.

use std::path::Path;
use std::process::Command;
use std::sync::{Barrier, LazyLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::child::{LONG, Running, SHORT, free_port, run};
use crate::support::site::Site;
use crate::support::tools::{KIT, MOTO, REDIS};
use crate::support::work::{clone, folder, mcp_deploy, read, write};

/// Two callers, and tools that do to their state what their input says.
static KEEPER: LazyLock<(Site, [String; 2])> = LazyLock::new(|| {
    let mut keys = Vec::new();
    let site = Site::new("keeper", |root| {
        project(root);
        for name in ["alice", "bob"] {
            keys.push(run(mcp_deploy(root, ["keys", "add", name])).expect(0).stdout.trim().to_owned());
        }
    });
    (site, keys.try_into().expect("two keys"))
});

/// Name, `state`, whether it takes a handle.
const TOOLS: [(&str, &str, bool); 5] = [
    ("mine", "\"caller\"", false),
    ("mine_too", "\"caller\"", false),
    ("ours", "\"shared\"", false),
    ("named", "{ handle = \"name\" }", true),
    ("plain", "", false),
];

fn project(root: &Path) {
    let mut manifest = "[server]\nname = \"keeper\"\nversion = \"0.1.0\"\ndescription = \"Keeps things.\"\n".to_owned();
    for (name, state, handle) in TOOLS {
        manifest += &format!("\n[tools.{name}]\ndescription = \"Does to its state what its input says.\"\n");
        if !state.is_empty() {
            manifest += &format!("state = {state}\n");
        }
        manifest += &format!("[tools.{name}.input]\n");
        if handle {
            manifest += "name = { type = \"string\" }\n";
        }
        manifest +=
            "op = { type = \"string\" }\nkey = { type = \"string\", default = \"key\" }\nvalue = { default = 0 }\n";
        manifest += "ttl = { type = \"number\", optional = true }\nlist = { type = \"object\", default = {} }\n";
        let handler = match state {
            "" => format!(
                "import {{ tool }} from \"../generated/mcp.ts\";\n\nexport default tool(\"{name}\", () => ({{ result: null }}));\n"
            ),
            _ => format!(
                "import {{ tool }} from \"../generated/mcp.ts\";\nimport {{ operate }} from \"../operate.ts\";\n\n\
                 export default tool(\"{name}\", (input, ctx) => operate(ctx.state, input));\n"
            ),
        };
        write(root.join(format!("src/tools/{name}.ts")), handler);
    }
    // For a busy machine.
    manifest += "\n[limits]\ntimeout = \"55s\"\n";
    manifest += "\n[access]\nauth = \"api-key\"\n\n[targets.lambda]\n[targets.vercel]\n[targets.cloudflare]\n[targets.container]\n";
    write(root.join("mcp.toml"), manifest);
    write(root.join(".gitignore"), "node_modules/\n.env\n");
    write(root.join("src/operate.ts"), OPERATE);
}

const OPERATE: &str = r#"import type { State } from "./generated/mcp.ts";

interface Input {
  op: string;
  key: string;
  value: unknown;
  ttl?: number;
  list: { prefix?: string; limit?: number; cursor?: string };
}

export async function operate(state: State, { op, key, value, ttl, list }: Input): Promise<{ result: unknown }> {
  const options = ttl === undefined ? {} : { ttl };
  switch (op) {
    case "get": return { result: (await state.get(key)) ?? "nothing" };
    case "set": return { result: (await state.set(key, value, options)) ?? "done" };
    case "set nothing": return { result: await state.set(key, undefined) };
    case "delete": return { result: await state.delete(key) };
    case "list": return { result: await state.list(list) };
    // The values would be more than an answer may hold.
    case "keys": {
      const { entries, cursor } = await state.list(list);
      return { result: { entries: entries.map(({ key }) => ({ key })), ...(cursor !== undefined && { cursor }) } };
    }
    case "add": return { result: await state.update<number>(key, (count = 0) => count + 1, options) };
    case "add slowly": return {
      result: await state.update<number>(key, async (count = 0) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return count + 1;
      }),
    };
    case "fail": return { result: await state.update<number>(key, () => Promise.reject(new Error("no"))) };
    default: throw new Error(`no such operation: ${op}`);
  }
}
"#;

/// Some processes that serve the same state.
struct Place<'a> {
    urls: Vec<String>,
    keys: &'a [String; 2],
}

#[derive(Clone, Copy)]
enum Caller {
    Alice,
    Bob,
}
use Caller::{Alice, Bob};

impl Place<'_> {
    /// What the tool returns, or the text of its error.
    #[track_caller]
    fn ask(&self, caller: Caller, tool: &str, arguments: Value) -> Result<Value, String> {
        self.ask_at(&self.urls[0], caller, tool, arguments)
    }

    #[track_caller]
    fn ask_at(&self, url: &str, caller: Caller, tool: &str, arguments: Value) -> Result<Value, String> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(SHORT));
        let agent: ureq::Agent = config.proxy(None).build().into();
        let request = agent.post(url).header("accept", "application/json, text/event-stream");
        let request = request.header("content-type", "application/json").header("mcp-protocol-version", "2025-11-25");
        let request = request.header("x-api-key", &self.keys[caller as usize]);
        let params = json!({ "name": tool, "arguments": arguments });
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let mut response = request.send(message.to_string()).unwrap_or_else(|error| panic!("{tool} at {url}: {error}"));
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().expect("an answer");
        let data = text.lines().filter_map(|line| line.strip_prefix("data:")).next_back().unwrap_or(&text);
        let answer: Value = serde_json::from_str(data.trim()).unwrap_or_else(|error| panic!("{error}: {text}"));
        let result = &answer["result"];
        match result["isError"] == true {
            true => Err(result["content"][0]["text"].as_str().expect("an error has a text").to_owned()),
            false => Ok(result["structuredContent"]["result"].clone()),
        }
    }

    #[track_caller]
    fn ok(&self, caller: Caller, tool: &str, arguments: Value) -> Value {
        self.ask(caller, tool, arguments.clone()).unwrap_or_else(|error| panic!("{tool} {arguments}: {error}"))
    }

    #[track_caller]
    fn mine(&self, op: &str, key: &str) -> Value {
        self.ok(Alice, "mine", json!({ "op": op, "key": key }))
    }

    #[track_caller]
    fn set(&self, key: &str, value: Value) {
        assert_eq!(self.ok(Alice, "mine", json!({ "op": "set", "key": key, "value": value })), "done");
    }

    /// Until the value is gone.
    #[track_caller]
    fn vanishes(&self, key: &str) {
        let deadline = Instant::now() + SHORT;
        while self.mine("get", key) != "nothing" {
            assert!(Instant::now() < deadline, "`{key}` is still there");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn list(&self, list: Value) -> (Vec<String>, Option<String>) {
        let page = self.ok(Alice, "mine", json!({ "op": "keys", "list": list }));
        let entries = page["entries"].as_array().expect("entries");
        let keys = entries.iter().map(|entry| entry["key"].as_str().expect("a key").to_owned());
        (keys.collect(), page["cursor"].as_str().map(str::to_owned))
    }
}

fn contract(place: &Place<'_>) {
    values(place);
    limits(place);
    lists(place);
    whose(place);
    ends(place);
    updates(place);
}

fn values(place: &Place<'_>) {
    assert_eq!(place.mine("get", "v"), "nothing");
    assert_eq!(place.mine("delete", "v"), false);
    for value in
        [json!(0), json!(""), json!([]), json!({ "a": [1.5, null, true, "ключ 🗝 \u{0} \u{2028} '\"\\"] }), json!(false)]
    {
        place.set("v", value.clone());
        assert_eq!(place.mine("get", "v"), value);
    }
    assert_eq!(place.mine("delete", "v"), true);
    assert_eq!(place.mine("get", "v"), "nothing");
    for key in [" ", "a b", "a/b:c*?[d]", "'; DROP TABLE entries; --", "ключ 🗝", "__proto__", "\u{1}\n"] {
        place.set(key, json!(key));
        assert_eq!(place.mine("get", key), key);
        assert_eq!(place.mine("delete", key), true);
    }
}

fn limits(place: &Place<'_>) {
    let refused = |arguments: Value| {
        let error = place.ask(Alice, "mine", arguments).expect_err("it cannot be kept");
        assert!(error.starts_with("internal error (ref "), "{error}");
    };
    let largest = "x".repeat(384 * 1024 - 2);
    place.set("large", json!(largest));
    assert_eq!(place.mine("get", "large"), largest);
    refused(json!({ "op": "set", "key": "large", "value": format!("{largest}x") }));
    assert_eq!(place.mine("get", "large"), largest, "what was refused changed nothing");
    // Three of them are more than a page may hold.
    for key in ["large 2", "large 3"] {
        place.set(key, json!(largest));
    }
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let (keys, next) = place.list(json!({ "prefix": "large", "cursor": cursor }));
        found.extend(keys);
        let Some(next) = next else { break };
        cursor = next;
    }
    assert_eq!(found, ["large", "large 2", "large 3"]);
    for key in &found {
        place.mine("delete", key);
    }
    let longest = "é".repeat(256);
    place.set(&longest, json!(1));
    assert_eq!(place.mine("delete", &longest), true);
    refused(json!({ "op": "set", "key": format!("{longest}x"), "value": 1 }));
    refused(json!({ "op": "get", "key": "" }));
    refused(json!({ "op": "set nothing" }));
    refused(json!({ "op": "set", "ttl": 0 }));
    refused(json!({ "op": "list", "list": { "limit": 1001 } }));
    refused(json!({ "op": "list", "list": { "prefix": "a", "cursor": "b" } }));
    let error = place.ask(Alice, "named", json!({ "op": "get", "name": "n".repeat(1100) })).expect_err("too long");
    assert_eq!(error, "name is too long");
    let (none, cursor) = place.list(json!({}));
    assert!(none.is_empty() && cursor.is_none(), "{none:?} {cursor:?}");
}

fn lists(place: &Place<'_>) {
    // By bytes of UTF-8: in UTF-16 the last two would change places.
    let keys = ["n:Z", "n:a", "n:a*", "n:aa", "n:b", "n:é", "n:\u{ff5e}", "n:😀"];
    for key in keys.iter().rev().chain(&["m", "o"]) {
        place.set(key, json!({ "of": key }));
    }
    let all = place.ok(Alice, "mine", json!({ "op": "list", "list": { "prefix": "n:" } }));
    let expected: Vec<Value> = keys.iter().map(|key| json!({ "key": key, "value": { "of": key } })).collect();
    assert_eq!(all, json!({ "entries": expected }));
    assert_eq!(place.list(json!({ "prefix": "n:a*" })).0, ["n:a*"]);
    assert_eq!(place.list(json!({ "prefix": "x" })), (vec![], None));
    assert_eq!(place.list(json!({})).0.len(), keys.len() + 2);
    for limit in [1, 3, 4, 8] {
        let (mut found, mut cursor) = (Vec::new(), None::<String>);
        for page in 1.. {
            let (keys, next) =
                place.list(json!({ "prefix": "n:", "limit": limit, "cursor": cursor.as_deref().unwrap_or("") }));
            found.extend(keys);
            cursor = next;
            if cursor.is_none() {
                assert_eq!(page, 8_usize.div_ceil(limit), "pages of {limit}");
                break;
            }
            assert_eq!(found.len(), page * limit, "a page that is not the last is full");
        }
        assert_eq!(found, keys, "pages of {limit}");
    }
    // What goes between two pages is missed by none but itself.
    let (first, cursor) = place.list(json!({ "prefix": "n:", "limit": 2 }));
    assert_eq!(place.mine("delete", &first[1]), true);
    let (rest, _) = place.list(json!({ "prefix": "n:", "cursor": cursor }));
    assert_eq!(rest, keys[2..]);
    for key in keys.iter().chain(&["m", "o"]) {
        place.mine("delete", key);
    }
    assert_eq!(place.list(json!({})), (vec![], None));
}

fn whose(place: &Place<'_>) {
    let set = |caller, tool: &str, value: &str, more: Value| {
        let mut arguments = json!({ "op": "set", "key": "whose", "value": value });
        arguments.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        place.ok(caller, tool, arguments);
    };
    let get = |caller, tool: &str, more: Value| {
        let mut arguments = json!({ "op": "get", "key": "whose" });
        arguments.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        place.ok(caller, tool, arguments)
    };
    set(Alice, "mine", "alice's", json!({}));
    assert_eq!(get(Alice, "mine_too", json!({})), "alice's", "tools with the same `state` share it");
    assert_eq!(get(Bob, "mine", json!({})), "nothing");
    assert_eq!(get(Alice, "ours", json!({})), "nothing");
    set(Bob, "mine", "bob's", json!({}));
    assert_eq!(get(Alice, "mine", json!({})), "alice's");
    set(Bob, "ours", "everybody's", json!({}));
    assert_eq!(get(Alice, "ours", json!({})), "everybody's");
    set(Alice, "named", "the basket", json!({ "name": "b1" }));
    assert_eq!(get(Alice, "named", json!({ "name": "b1" })), "the basket");
    assert_eq!(get(Alice, "named", json!({ "name": "b2" })), "nothing");
    assert_eq!(get(Bob, "named", json!({ "name": "b1" })), "nothing", "a handle is inert for others");
    // Names that look like how scopes are kept.
    for name in ["alice", "[\"caller\",\"alice\"]", "\",\"", "", "shared"] {
        assert_eq!(get(Bob, "named", json!({ "name": name })), "nothing", "{name}");
        assert_eq!(get(Alice, "named", json!({ "name": name })), "nothing", "{name}");
    }
    for (caller, tool) in [(Alice, "mine"), (Bob, "mine"), (Bob, "ours")] {
        assert_eq!(place.ok(caller, tool, json!({ "op": "delete", "key": "whose" })), true);
    }
    assert_eq!(place.ok(Alice, "named", json!({ "op": "delete", "key": "whose", "name": "b1" })), true);
}

fn ends(place: &Place<'_>) {
    let started = Instant::now();
    for key in ["end", "kept"] {
        place.ok(Alice, "mine", json!({ "op": "set", "key": key, "value": 1, "ttl": 4 }));
    }
    // An update without an end keeps what there was. Again when this machine was so busy that the value's time was over
    // between the two.
    loop {
        let added = Instant::now();
        assert_eq!(place.ok(Alice, "mine", json!({ "op": "add", "key": "count", "ttl": 4 })), 1);
        let value = place.mine("add", "count");
        if added.elapsed() < Duration::from_secs(3) {
            assert_eq!(value, 2);
            break;
        }
        place.mine("delete", "count");
    }
    place.ok(Alice, "mine", json!({ "op": "set", "key": "stays", "value": 1 }));
    // A write without an end takes the old one's place.
    place.set("kept", json!(2));
    let (found, _) = place.list(json!({}));
    if started.elapsed() < Duration::from_secs(3) {
        assert_eq!(found, ["count", "end", "kept", "stays"]);
    }
    place.vanishes("end");
    assert!(started.elapsed() >= Duration::from_secs(4), "gone before its time");
    place.vanishes("count");
    assert_eq!(place.list(json!({})), (vec!["kept".to_owned(), "stays".to_owned()], None));
    assert_eq!(place.mine("delete", "end"), false, "nobody can delete what is over");
    assert_eq!(place.mine("add", "count"), 1, "and an update begins anew");
    for key in ["kept", "stays", "count"] {
        assert_eq!(place.mine("delete", key), true);
    }
}

fn updates(place: &Place<'_>) {
    assert!(place.ask(Alice, "mine", json!({ "op": "fail", "key": "n" })).is_err());
    assert_eq!(place.mine("get", "n"), "nothing");
    assert_eq!(place.mine("add slowly", "n"), 1);
    // All at once, at every process; each sees a number that no other sees.
    const CALLS: usize = 200;
    let start = Barrier::new(CALLS);
    let call = |at: usize| {
        start.wait();
        let op = if at.is_multiple_of(50) { "add slowly" } else { "add" };
        let url = &place.urls[at % place.urls.len()];
        place.ask_at(url, if at.is_multiple_of(2) { Alice } else { Bob }, "ours", json!({ "op": op, "key": "n" }))
    };
    let began = Instant::now();
    let mut seen: Vec<u64> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS).map(|at| scope.spawn(move || call(at))).collect();
        let value = |call: Result<Value, String>| call.expect("an update").as_u64().expect("a number");
        calls.into_iter().map(|call| value(call.join().expect("a call"))).collect()
    });
    let took = began.elapsed();
    seen.sort_unstable();
    assert_eq!(seen, (1..=CALLS as u64).collect::<Vec<_>>());
    assert_eq!(place.ok(Alice, "ours", json!({ "op": "get", "key": "n" })), CALLS);
    assert!(took < Duration::from_secs(60), "{CALLS} updates took {took:?}");
    place.ok(Alice, "ours", json!({ "op": "delete", "key": "n" }));
    place.mine("delete", "n");
}

#[test]
fn durable_objects() {
    let (site, keys) = &*KEEPER;
    contract(&Place { urls: vec![site.server("cloudflare").url.clone()], keys });
    assert!(site.home("cloudflare").join(".mcp-deploy/state/cloudflare").is_dir());
}

/// What is out of date leaves the disk, and an object that has nothing left gives back all of it. The wait is real: the
/// alarm comes a minute after the end of a value.
#[test]
fn an_alarm_sweeps_durable_objects() {
    let (site, keys) = &*KEEPER;
    let place = Place { urls: vec![site.server("cloudflare").url.clone()], keys };
    for (name, key, ttl) in [("swept", "ends-soon", 1), ("swept", "stays-on", 100_000), ("alone", "ends-alone", 1)] {
        place.ok(Alice, "named", json!({ "name": name, "op": "set", "key": key, "value": 1, "ttl": ttl }));
    }
    let files = || {
        let script = site.root.join("entries.mjs");
        write(&script, ENTRIES);
        let mut node = KIT.node(&script);
        node.arg(site.home("cloudflare").join(".mcp-deploy/state/cloudflare"));
        run(node).expect(0).json()
    };
    let holder = |files: &Value, key: &str| {
        let mut files = files.as_object().expect("files").iter();
        files
            .find(|(_, keys)| keys.as_array().is_some_and(|keys| keys.contains(&key.into())))
            .map(|(file, _)| file.clone())
    };
    let before = files();
    let [soon, lasting, alone] =
        ["ends-soon", "stays-on", "ends-alone"].map(|key| holder(&before, key).expect("it was stored"));
    assert!(soon == lasting && soon != alone, "{before:#}");
    let deadline = Instant::now() + LONG;
    let after = loop {
        let now = files();
        if holder(&now, "ends-soon").is_none() && holder(&now, "ends-alone").is_none() {
            break now;
        }
        assert!(Instant::now() < deadline, "nothing was swept: {now:#}");
        std::thread::sleep(Duration::from_secs(2));
    };
    assert_eq!(after[&soon], json!(["stays-on"]), "{after:#}");
    assert!(after[&alone].is_null(), "an empty object keeps no table: {after:#}");
    let left = json!({ "name": "swept", "op": "get", "key": "stays-on" });
    assert_eq!(place.ok(Alice, "named", left), 1);
    // An object that was emptied begins anew.
    assert_eq!(place.ok(Alice, "named", json!({ "name": "alone", "op": "add", "key": "ends-alone" })), 1);
}

/// The keys in each object's database; null where there is no table.
const ENTRIES: &str = r#"import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const files = readdirSync(process.argv[2], { recursive: true }).filter((file) => file.includes("ToolState") && file.endsWith(".sqlite"));
const keysOf = (file) => {
  const database = new DatabaseSync(`${process.argv[2]}/${file}`, { readOnly: true });
  try {
    const hasTable = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'entries'").all().length > 0;
    return hasTable ? database.prepare("SELECT key FROM entries").all().map(({ key }) => key) : null;
  } finally {
    database.close();
  }
};
console.log(JSON.stringify(Object.fromEntries(files.map((file) => [file, keysOf(file)]))));
"#;

#[test]
fn a_file_on_vercel() {
    let (site, keys) = &*KEEPER;
    contract(&Place { urls: vec![site.server("vercel").url.clone()], keys });
    assert!(site.root.join(".mcp-deploy/state/vercel.sqlite").is_file());
    assert_eq!(read(site.root.join(".mcp-deploy/state/.gitignore")), "*\n");
}

/// Two processes on one file; and what they stored is there when they are not.
#[test]
fn a_file_on_lambda() {
    let (site, keys) = &*KEEPER;
    let file = folder("file").join("state.sqlite");
    let file = [("MCP_LOCAL_STATE", file.to_str().expect("a plain path"))];
    let start = || [lambda(site, &file), lambda(site, &file)];
    let (urls, running): (Vec<_>, Vec<_>) = start().into_iter().unzip();
    let place = Place { urls, keys };
    contract(&place);
    place.set("kept", json!("for long"));
    drop(running);
    let (urls, _running): (Vec<_>, Vec<_>) = start().into_iter().unzip();
    assert_eq!(Place { urls, keys }.mine("get", "kept"), "for long");
}

/// Two containers of one machine with the same volume; and what they stored is there when they are not.
#[test]
fn sqlite() {
    let (site, keys) = &*KEEPER;
    let file = folder("volume").join("state.sqlite");
    let file = [("MCP_STATE_FILE", file.to_str().expect("a plain path"))];
    let start = || [container(site, &file), container(site, &file)];
    let (urls, running): (Vec<_>, Vec<_>) = start().into_iter().unzip();
    let place = Place { urls, keys };
    contract(&place);
    place.set("kept", json!("for long"));
    drop(running);
    let (urls, _running): (Vec<_>, Vec<_>) = start().into_iter().unzip();
    assert_eq!(Place { urls, keys }.mine("get", "kept"), "for long");
}

#[test]
fn dynamodb() {
    let (site, keys) = &*KEEPER;
    let moto = Moto::start(&site.root);
    let env = moto.env();
    let env: Vec<_> = env.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (urls, _running): (Vec<_>, Vec<_>) = [lambda(site, &env), lambda(site, &env)].into_iter().unzip();
    contract(&Place { urls, keys });
}

#[test]
fn upstash() {
    let (site, keys) = &*KEEPER;
    let mut redis = Command::new(REDIS.path());
    redis.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/upstash.py")).arg("a-token");
    let mut redis = Running::start(redis);
    let port = redis.until("its port", SHORT, |redis| redis.stdout.text().lines().next().map(str::to_owned));
    let url = format!("http://127.0.0.1:{port}");
    let own = [("UPSTASH_REDIS_REST_URL", url.as_str()), ("UPSTASH_REDIS_REST_TOKEN", "a-token")];
    let marketplace = [("KV_REST_API_URL", url.as_str()), ("KV_REST_API_TOKEN", "a-token")];
    let (urls, _running): (Vec<_>, Vec<_>) = [vercel(site, &own), vercel(site, &marketplace)].into_iter().unzip();
    contract(&Place { urls, keys });
    let (url, mut wrong) = vercel(site, &[own[0], ("UPSTASH_REDIS_REST_TOKEN", "another")]);
    refuses(&Place { urls: vec![url], keys }, &mut wrong, "GET: Unauthorized");
}

/// Never a store that forgets.
#[test]
fn no_store_is_an_error() {
    let (site, keys) = &*KEEPER;
    let (url, mut server) = lambda(site, &[]);
    refuses(&Place { urls: vec![url], keys }, &mut server, "there is no store: set MCP_TABLE to a table");
    let (url, mut server) = vercel(site, &[]);
    refuses(&Place { urls: vec![url], keys }, &mut server, "the secret UPSTASH_REDIS_REST_URL is not set");
    let (url, mut server) = container(site, &[]);
    refuses(&Place { urls: vec![url], keys }, &mut server, "there is no store: set MCP_STATE_FILE");
}

#[track_caller]
fn refuses(place: &Place<'_>, server: &mut Running, why: &str) {
    assert_eq!(place.ok(Alice, "plain", json!({ "op": "get" })), Value::Null, "other tools work");
    let error = place.ask(Alice, "mine", json!({ "op": "get" })).expect_err("there is no store");
    let said = |server: &Running| server.stdout.text() + &server.stderr.text();
    let reference =
        error.strip_prefix("internal error (ref ").and_then(|rest| rest.strip_suffix(')')).expect("a reference");
    let line = server.until("its reason", SHORT, |server| {
        said(server).lines().find(|line| line.contains(reference)).map(str::to_owned)
    });
    assert!(line.contains(why), "{line}");
}

/// Only where mcp.toml says so: elsewhere the compiler refuses it.
#[test]
fn other_tools_have_none() {
    let project = clone(&KEEPER.0.root, "none");
    let handler = project.join("src/tools/plain.ts");
    write(&handler, read(&handler).replace("() => ({ result: null })", "(_, ctx) => ctx.state.get(\"key\")"));
    let check = run(mcp_deploy(&project, ["check"])).expect(1);
    assert!(
        check.stderr.contains("src/tools/plain.ts:3:") && check.stderr.contains("'state' does not exist"),
        "{check}"
    );
}

/// The built function's own program, without mcp-deploy around it.
fn lambda(site: &Site, env: &[(&str, &str)]) -> (String, Running) {
    site.server("lambda");
    let port = free_port();
    let mut node = KIT.node(&site.root.join("dist/lambda/lambda.mjs"));
    node.env("AWS_LWA_PORT", &port).env("AWS_LAMBDA_FUNCTION_NAME", "keeper");
    served(node, site, &port, env)
}

fn vercel(site: &Site, env: &[(&str, &str)]) -> (String, Running) {
    site.server("vercel");
    let port = free_port();
    let launcher = folder("launcher").join("launcher.mjs");
    write(&launcher, mcp_deploy::targets::vercel::LAUNCHER);
    let function = folder("function");
    let built = site.root.join(".vercel/output/functions/index.func");
    mcp_deploy::targets::vercel::copy_function(&built, &site.root, &function).expect("it was built");
    let mut node = KIT.node(&launcher);
    node.arg(function).arg(&port);
    served(node, site, &port, env)
}

/// What the image starts.
fn container(site: &Site, env: &[(&str, &str)]) -> (String, Running) {
    site.server("container");
    let port = free_port();
    let mut node = KIT.node(&site.root.join("dist/container/server.mjs"));
    node.env("PORT", &port);
    served(node, site, &port, env)
}

fn served(mut node: Command, site: &Site, port: &str, env: &[(&str, &str)]) -> (String, Running) {
    let dotenv = read(site.root.join(".env"));
    let hashes = dotenv.trim().strip_prefix("MCP_API_KEYS='").and_then(|rest| rest.strip_suffix('\'')).expect("hashes");
    for name in ["MCP_LOCAL_STATE", "MCP_STATE_FILE", "MCP_TABLE", "UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"]
    {
        node.env_remove(name);
    }
    node.env("MCP_API_KEYS", hashes).envs(env.iter().copied());
    let mut server = Running::start(node);
    let health = format!("http://127.0.0.1:{port}/health");
    server.until("its health page", LONG, |_| ureq::get(&health).call().ok());
    (format!("http://127.0.0.1:{port}/mcp"), server)
}

/// DynamoDB's API on this machine, with the table of the rendered template.
pub struct Moto {
    url: String,
    table: String,
    _server: Running,
}

impl Moto {
    pub fn start(root: &Path) -> Self {
        let port = free_port();
        let mut server = Command::new(MOTO.path());
        server.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/clients/dynamodb.py")).arg(&port);
        let mut server = Running::start(server);
        let url = format!("http://127.0.0.1:{port}");
        server.until("its first answer", LONG, |_| ureq::get(format!("{url}/moto-api/data.json")).call().ok());
        let moto = Moto { url, table: "keeper-McpTable".to_owned(), _server: server };
        let (attributes, keys) = table_of(&read(root.join("template.yaml")));
        let table = json!({
            "TableName": moto.table, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": attributes, "KeySchema": keys,
        });
        let created = ureq::post(&moto.url)
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.CreateTable")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
            .send(table.to_string());
        created.unwrap_or_else(|error| panic!("no table: {error}"));
        moto
    }

    pub fn env(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL_DYNAMODB", self.url.clone()),
            ("MCP_TABLE", self.table.clone()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }
}

/// `AttributeDefinitions` and `KeySchema` of `McpTable`: flow mappings of bare words, as our template writes them.
fn table_of(template: &str) -> (Value, Value) {
    let table = template.split_once("  McpTable:\n").expect("the table").1.split_once("\n\n").expect("an end").0;
    let list = |name: &str| -> Value {
        let rest = table.split_once(&format!("{name}:\n")).unwrap_or_else(|| panic!("no {name}")).1;
        let items = rest.lines().map_while(|line| line.trim().strip_prefix("- { ")?.strip_suffix(" }"));
        let pair = |pair: &str| {
            let (name, value) = pair.split_once(": ").expect("a name and a value");
            (name.to_owned(), Value::from(value))
        };
        items.map(|item| Value::Object(item.split(", ").map(pair).collect())).collect()
    };
    (list("AttributeDefinitions"), list("KeySchema"))
}
