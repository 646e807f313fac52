//! Files beside the code: a handler gets the same of them on every platform, in `npm start` and in `npm test`.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::child::{Running, SHORT, free_port, run};
use crate::support::mcp::{Era, ask};
use crate::support::site::PARTS;
use crate::support::tools::KIT;
use crate::support::work::read;

fn expected() -> Value {
    let text = "Grüße, \"quoted\" `and` ${so on}\n";
    json!({ "text": text, "bytes": [0, 1, 254, 255], "rows": 3, "sum": 42 })
}

fn files_beside_the_code_are_read(target: &str) {
    let url = &PARTS.server(target).url;
    for era in [Era::Modern, Era::Legacy] {
        let answer = ask(url, era, "tools/call", json!({ "name": "files", "arguments": {} }));
        assert_eq!(answer["structuredContent"], expected(), "{answer}");
    }
    let home = PARTS.home(target);
    let built = match target {
        "cloudflare" => ".wrangler/dist",
        _ => return nothing_of_unused(&home.join("dist").join(target)),
    };
    // `dev` builds into the folder before it starts.
    nothing_of_unused(&home.join(built));
}

fn nothing_of_unused(folder: &Path) {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("it was built") {
        let path = entry.expect("the folder can be read").path();
        if path.extension().is_some_and(|ending| ["mjs", "js", "md", "txt"].iter().any(|known| ending == *known)) {
            assert!(!read(&path).contains("5b9f1c0e"), "{} holds a file that nothing imports", path.display());
        }
        names.push(path);
    }
    assert!(!names.is_empty(), "{}", folder.display());
}

crate::support::on_every_runtime!(files_beside_the_code_are_read);

#[test]
fn they_are_read_in_tests_and_without_a_bundle() {
    let mut tests = KIT.node(Path::new("--test"));
    tests.args(["--test-reporter=tap", "test/files.test.ts"]).current_dir(&PARTS.root);
    let ran = run(tests).expect(0);
    assert!(ran.stdout.contains("\n# pass 1\n"), "{ran}");

    let port = free_port();
    let mut node = KIT.node(Path::new("src/generated/lambda.ts"));
    node.current_dir(&PARTS.root).env("PORT", &port);
    let mut started = Running::start(node);
    let health = format!("http://127.0.0.1:{port}/health");
    started.until("the server", SHORT, |_| ureq::get(&health).call().ok());
    let call = json!({ "name": "files", "arguments": {} });
    let answer = ask(&format!("http://127.0.0.1:{port}/mcp"), Era::Modern, "tools/call", call);
    assert_eq!(answer["structuredContent"], expected(), "{answer}");
}
