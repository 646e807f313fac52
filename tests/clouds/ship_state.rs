//! A Worker whose tools have stored something: no deployment deletes it without a command.

use serde_json::{Value, json};

use crate::setting::{CLOUDFLARE_URL as URL, Setting, answer, ends};

const STATE: &str = "\n[tools.get_weather]\nstate = \"shared\"\n";

#[test]
fn what_tools_have_stored_is_deleted_when_told_so_alone() {
    let setting = Setting::new();
    let file = setting.file("mcp.toml");
    let manifest = std::fs::read_to_string(&file).expect("a manifest");
    let with = |line: &str, cloudflare: &str| {
        let text = manifest.replace("\n[tools.get_weather]\n", line);
        let text = text.replace("[targets.cloudflare]", &format!("[targets.cloudflare]\n{cloudflare}"));
        // Not written in place: the project it was copied from has the same file.
        std::fs::remove_file(&file).expect("a manifest");
        std::fs::write(&file, text).expect("a manifest");
    };
    let stateless = "\n[tools.get_weather]\n";
    with(STATE, "");
    setting.ok("ship --target cloudflare");
    let temperature = setting.temperature(URL);
    assert_eq!(
        setting.cloudflare.exports("weather"),
        json!({ "ToolState": { "type": "durable-object", "storage": "sqlite" } })
    );

    // Vercel needs a database for it; that is not a secret of this cloud, and nothing is missing here.
    let listed = setting.ok("secrets list --target cloudflare");
    assert!(!listed.stdout.contains("UPSTASH"), "{}", listed.stdout);
    assert!(setting.run("secrets list").ended(1).stdout.contains("FAIL UPSTASH_REDIS_REST_URL"));

    // Beside another class, and alone: Cloudflare says it in two ways.
    let versions = setting.cloudflare.versions("weather");
    for cloudflare in ["", "websocket = true"] {
        with(stateless, cloudflare);
        let refused = setting.run("ship --target cloudflare");
        refused
            .ended(1)
            .said_once("what tools with `state` have stored")
            .said_once("ended with exit code 1; its last lines")
            .said("write `state = \"deleted\"` in `[targets.cloudflare]`");
        assert_eq!(setting.cloudflare.versions("weather"), versions, "nothing was deployed");
        assert_eq!(setting.temperature(URL), temperature);
    }

    with(stateless, "state = \"deleted\"");
    let unconfirmed = setting.run("ship --target cloudflare --yes");
    unconfirmed
        .ended(1)
        .said_once("data would be lost: what tools with `state` have stored at Cloudflare (the class `ToolState`)")
        .said("add `--allow-data-loss ToolState`; `--yes` does not confirm it");
    assert_eq!(setting.cloudflare.versions("weather"), versions, "nothing was deployed");
    let mut terminal = setting.terminal("ship --target cloudflare");
    answer(&mut terminal, "Type `ToolState` to delete it with all its data", "toolstate\r");
    let said = ends(terminal, 1);
    assert!(said.contains("`toolstate` is not `ToolState`; nothing was changed"), "{said}");
    assert_eq!(setting.cloudflare.versions("weather"), versions, "nothing was deployed");
    let mut terminal = setting.terminal("ship --target cloudflare");
    answer(&mut terminal, "Type `ToolState` to delete it with all its data", "ToolState\r");
    ends(terminal, 0);
    assert_eq!(
        setting.cloudflare.exports("weather"),
        json!({ "ToolState": { "type": "durable-object", "state": "deleted" } })
    );
    // After that the line can go.
    with(stateless, "");
    setting.ok("ship --target cloudflare");
    assert_eq!(setting.cloudflare.exports("weather"), Value::Null);
    assert_eq!(setting.edge.refused(), Vec::<String>::new());
}
