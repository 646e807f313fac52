//! What others wrote does not reach the terminal as it is: files of a project, arguments, and all that a server answers
//! under `verify`. Each text of [`HOSTILE`] stands in each place, and nothing of it may come out that a terminal obeys,
//! nor begin a new line.

use std::fmt::Write as _;
use std::fs;

use mcp_deploy::http_server::{Conn, Head, Listener};
use mcp_deploy::parallel;
use serde_json::{Value, json};

use crate::support::{Run, Sandbox};

/// Escape sequences in both forms, control characters, marks of direction, other ends of lines, and what has no width.
const HOSTILE: &[&str] = &[
    "\u{1b}[2J",
    "\u{1b}]0;t\u{7}",
    "\u{1b}]8;;https://e.example\u{1b}\\a",
    "\u{1b}]52;c;aGk=\u{7}",
    "\u{1b}P+q544e\u{1b}\\",
    "\u{1b}c",
    "\u{1b}[31;1m",
    "\u{9b}31m",
    "\u{9d}0;t\u{9c}",
    "\u{7}",
    "\u{8}\u{8}\u{8}",
    "\rok   all",
    "\u{b}\u{c}",
    "\u{7f}",
    "\u{85}",
    "\u{202e}txt",
    "\u{2066}a\u{2069}",
    "\u{200f}\u{61c}",
    "\u{2028}\u{2029}",
    "\u{200b}\u{feff}",
    "\u{e0041}\u{e007f}",
];

/// What a text would like to be: a line of ours.
const FORGED: &str = "FORGED";

fn text(hostile: &str) -> String {
    format!("x{hostile}y\n{FORGED} ok")
}

/// Written apart from the program: these are the characters that a terminal does not show.
fn is_obeyed(c: char) -> bool {
    let n = u32::from(c);
    (n < 0x20 && c != '\n' && c != '\t')
        || (0x7f..0xa0).contains(&n)
        || [0x61c, 0x200b, 0x200e, 0x200f, 0xfeff].contains(&n)
        || (0x2028..=0x202e).contains(&n)
        || (0x2060..=0x206f).contains(&n)
        || (0xe0000..=0xe007f).contains(&n)
}

#[track_caller]
fn is_tame(run: &Run, what: &str) {
    let printed = format!("{}{}", run.stdout, run.stderr);
    assert!(!printed.chars().any(is_obeyed), "{what}: {printed:?}");
    let forged = printed.lines().find(|line| line.trim_start().starts_with(FORGED));
    assert!(forged.is_none(), "{what}: {printed}");
    assert!(run.code <= 3 && !printed.contains("panicked"), "{what}: {run:?}");
}

/// A text as TOML and JSON have it in quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            c if u32::from(c) > 0xffff => write!(quoted, "\\U{:08x}", u32::from(c)).unwrap(),
            c => write!(quoted, "\\u{:04x}", u32::from(c)).unwrap(),
        }
    }
    quoted + "\""
}

const SERVER: &str = "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[targets.cloudflare]\n";

/// Files of a project with the text in each place: those of one row are there at once.
fn projects(hostile: &str) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let text = quoted(&text(hostile));
    let raw = format!("x{hostile}y");
    let lock = |body: String| vec![("mcp.toml", SERVER.to_owned()), ("mcp.lock", body)];
    let manifest = |body: String| vec![("mcp.toml", format!("{SERVER}{body}"))];
    let id = "0".repeat(32);
    let deployment = json!({
        "target": raw, "stage": raw, "region": raw, "account": raw, "url": raw, "version": raw, "time": raw,
    });
    vec![
        ("a server", vec![("mcp.toml", format!("[server]\nname = {text}\nversion = {text}\ndescription = \"d\"\nwebsite_url = {text}\n{text} = 1\n"))]),
        ("unknown keys", manifest(format!("[tools.a]\ndescription = \"d\"\n{text} = 1\n[limits]\n{text} = {text}\ntimeout = {text}\nmax_body = {text}\n[{text}]\na = 1\n"))),
        ("names", manifest(format!("[tools.{text}]\ndescription = \"d\"\n[resources.{text}]\nuri = {text}\ndescription = \"d\"\n[prompts.{text}]\ndescription = \"d\"\n"))),
        ("settings", manifest(format!("[env]\n{text} = {text}\n[secrets]\n{text} = {text}\n[cache]\nscope = {text}\nttl = {text}\n[stages.{text}]\n[access]\norigins = [{text}]\nhosts = [{text}]\nauth = {text}\n"))),
        ("targets", manifest(format!("[targets.lambda]\nregions = [{text}]\nmemory_mb = {text}\n[targets.{text}]\n[targets.vercel]\nplan = {text}\n"))),
        ("a schema", manifest(format!("[tools.a]\ndescription = \"d\"\n[tools.a.input]\n{text} = {{ type = {text}, pattern = {text}, format = {text}, \"$ref\" = {text}, enum = [{text}, {text}] }}\nb = {{ {text} = 1 }}\n"))),
        ("a schema's file", manifest(format!("[tools.a]\ndescription = \"d\"\ninput_schema = {text}\n"))),
        ("no TOML", manifest(format!("[tools.a]\ndescription = {raw}\n"))),
        ("a lock", lock(format!("version = 1\nproject = {text}\n[files]\n"))),
        ("a lock's entry", lock(format!("version = 1\nproject = \"{id}\"\n[files]\n{text} = \"0\"\n"))),
        ("a lock's version", lock(format!("version = {text}\n"))),
        ("no lock", lock(raw.clone())),
        ("a record", vec![
            ("mcp.toml", SERVER.to_owned()),
            (".mcp-deploy/deployments.json", json!({ "version": 1, "deployments": [deployment], "unfinished": [{ "target": raw, "stage": raw, "time": raw }] }).to_string()),
        ]),
        ("no record", vec![("mcp.toml", SERVER.to_owned()), (".mcp-deploy/deployments.json", raw.clone())]),
        ("values", vec![("mcp.toml", format!("{SERVER}[secrets]\nTOKEN = \"d\"\n")), (".env", format!("{raw}\nTOKEN='a\n"))]),
        ("a package", vec![("mcp.toml", SERVER.to_owned()), ("package.json", format!("{{ {raw}"))]),
        ("a handler", vec![
            ("mcp.toml", format!("{SERVER}[tools.a]\ndescription = \"d\"\n")),
            ("src/tools/a.ts", format!("export default tool(\"x{}y\", () => 1);\n", hostile.replace(['\r', '\u{2028}', '\u{2029}'], ""))),
        ]),
    ]
}

/// What is said of each of them, in words and as JSON.
#[test]
fn files_of_a_project() {
    let tried = parallel::map(HOSTILE, |hostile| {
        let projects = projects(hostile);
        for (at, (what, files)) in projects.iter().enumerate() {
            let sandbox = Sandbox::new();
            files.iter().for_each(|(path, text)| sandbox.write(path, text));
            let mut args = match *what {
                "a record" | "no record" => vec!["status"],
                "values" => vec!["secrets", "list"],
                what if what.contains("lock") => vec!["render"],
                _ => vec!["check", "--no-types"],
            };
            let run = sandbox.run(&args);
            is_tame(&run, &format!("{what} with {hostile:?}"));
            // Each text and each place has its turn.
            if (at + hostile.len()) % 3 == 0 {
                args.push("--json");
                let run = sandbox.run(&args);
                is_tame(&run, &format!("{what} with {hostile:?}, as JSON"));
                let document: Result<Value, _> = serde_json::from_str(&run.stdout);
                assert!(document.is_ok(), "{what} with {hostile:?}: {run:?}");
            }
        }
        projects.len()
    });
    assert!(tried.iter().sum::<usize>() > 300, "{tried:?}");
}

/// So that the test above can fail: what was written is shown, in another form.
#[test]
fn it_is_told_all_the_same() {
    let sandbox = Sandbox::new();
    sandbox.write("mcp.toml", format!("{SERVER}[limits]\n{} = 1\n", quoted(&text("\u{1b}[2J\u{202e}"))));
    let run = sandbox.run(&["check", "--no-types"]);
    assert!(run.stderr.contains(r"unknown key `x\u{1b}[2J\u{202e}y\nFORGED ok` in `[limits]`"), "{run:?}");
    let run = sandbox.run(&["check", "--no-types", "--json"]);
    assert!(run.stdout.contains(r"unknown key `x\u001b[2J\u202ey\nFORGED ok` in"), "{run:?}");
}

#[test]
fn arguments_and_names_of_folders() {
    for hostile in HOSTILE {
        let raw = format!("x{hostile}y").replace('/', ":");
        let sandbox = Sandbox::new();
        sandbox.write("p/mcp.toml", SERVER);
        fs::create_dir(sandbox.path(&raw)).unwrap();
        sandbox.write(&format!("{raw}/q/mcp.toml"), "[server\n");
        let (folder, deeper) = (format!("./{raw}"), format!("./{raw}/q"));
        let commands: Vec<Vec<&str>> = vec![
            vec![&raw],
            vec!["check", &raw],
            vec!["check", "--target", &raw],
            vec!["check", "-C", &raw],
            vec!["-C", &folder, "check"],
            vec!["-C", &deeper, "check", "--no-types"],
            vec!["-C", &deeper, "ship", "--json"],
            vec!["verify", &raw],
            vec!["verify", &raw, "--json"],
            vec!["verify", "http://127.0.0.1:9/mcp", "--call", &raw],
            vec!["-C", "p", "ship", "--stage", &raw, "--yes"],
            vec!["-C", "p", "add-tool", &raw, "--description", "d"],
            vec!["-C", "p", "remove-tool", &raw],
            vec!["-C", "p", "secrets", "set", &raw],
            vec!["init", "new", "--name", &raw, "--yes"],
        ];
        for args in commands {
            is_tame(&sandbox.run(&args), &format!("{args:?}"));
        }
    }
}

/// How a server is hostile.
#[derive(Clone, Copy)]
struct Hostile {
    shape: &'static str,
    text: &'static str,
}

/// After each of them nothing more is asked; but for them, a server that has the text in every place.
const SHAPES: &[&str] = &["html", "text", "reason", "header", "location", "page"];

fn serve(mut conn: Conn, hostile: Hostile) -> Option<()> {
    let head = conn.head().ok()??;
    let body = conn.body(&head).ok()?.collect(1 << 20).ok()?;
    let raw = text(hostile.text);
    let flat = raw.replace(['\r', '\n'], " ");
    let answer = |status: &str, headers: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
            .into_bytes()
    };
    let json = "content-type: application/json\r\n";
    let bytes = match (hostile.shape, &*head.target) {
        ("html", _) => answer("503 Busy", "content-type: text/html\r\n", &format!("<h1>{raw}</h1>")),
        ("text", _) => answer("500 Oops", "content-type: text/plain\r\n", &raw),
        ("reason", _) => answer(&format!("500 {flat}"), "", ""),
        ("header", _) => {
            answer("401 No", &format!("www-authenticate: {flat}\r\nx-{flat}: a\r\ncontent-type: {flat}\r\n"), &raw)
        }
        ("location", _) => answer("302 Found", &format!("location: http://127.0.0.1:9/{flat}\r\n"), ""),
        ("page", "/health") => answer("200 OK", json, &json!([raw]).to_string()),
        (_, "/health") => {
            let page = json!({ "name": raw, "version": raw, "deployment": raw, "broken": [raw] });
            answer("200 OK", json, &page.to_string())
        }
        _ => match rpc(&head, &body, &raw) {
            Some(document) => answer("200 OK", json, &document.to_string()),
            None => answer(&format!("400 {flat}"), &format!("allow: {flat}\r\n"), &raw),
        },
    };
    conn.write(&bytes).ok()
}

/// A server of both generations that is wrong wherever it can be.
fn rpc(head: &Head, body: &[u8], raw: &str) -> Option<Value> {
    let request: Value = serde_json::from_slice(body).ok().filter(|_| head.method == "POST")?;
    let info = json!({ "name": raw, "version": raw });
    let tool = json!({ "name": raw, "description": raw, "inputSchema": { "type": raw } });
    let result = match request["method"].as_str()? {
        "server/discover" => json!({
            "resultType": raw, "supportedVersions": [raw], "serverInfo": info, "ttlMs": raw, "cacheScope": raw,
            "capabilities": { raw: { "listChanged": raw }, "tools": {} },
        }),
        "initialize" => {
            json!({ "protocolVersion": raw, "capabilities": { raw: { "listChanged": raw } }, "serverInfo": info })
        }
        "tools/list" => json!({ "tools": [tool, tool], "resultType": raw }),
        "resources/list" => json!({ "resources": [{ "uri": raw }, raw], "nextCursor": raw }),
        "prompts/list" => json!({ raw: [] }),
        "tools/call" => json!({ "content": [{ "type": "text", "text": raw }], "isError": raw }),
        _ => {
            let error = json!({ "code": -32601, "message": raw, "data": raw });
            return Some(json!({ "jsonrpc": "2.0", "id": request["id"], "error": error }));
        }
    };
    Some(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}

#[test]
fn what_a_server_says() {
    let mut servers: Vec<Hostile> =
        HOSTILE.iter().flat_map(|text| SHAPES.iter().map(move |shape| Hostile { shape, text })).collect();
    // A server that goes on answering is asked for long: every second of them.
    servers.extend(HOSTILE.iter().step_by(2).map(|text| Hostile { shape: "all", text }));
    parallel::map(&servers, |hostile| {
        let hostile = *hostile;
        let mut listener = Listener::bind(0).unwrap();
        listener.serve(usize::MAX, move |stream, _| _ = serve(Conn::new(stream), hostile)).unwrap();
        let url = format!("{}/mcp", listener.url());
        let sandbox = Sandbox::new();
        let json = hostile.shape == "text" || hostile.text.len() % 4 == 0;
        let args = [&["verify", &url, "--call", "a {}"][..], &["verify", &url, "--json"]];
        for args in args.iter().take(1 + usize::from(json)) {
            let run = sandbox.run(args);
            is_tame(&run, &format!("{} with {:?}: {args:?}", hostile.shape, hostile.text));
            assert!(run.code == 3, "{run:?}");
            if args.contains(&"--json") {
                let report: Value = serde_json::from_str(&run.stdout).unwrap();
                assert!(report["checks"].as_array().is_some_and(|checks| !checks.is_empty()), "{run:?}");
            }
        }
    });
}
