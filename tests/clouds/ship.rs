//! `ship` to Cloudflare and the days after it: again, changed, back, gone.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::setting::{CLOUDFLARE_URL as URL, Setting, answer, ends};
use crate::support::wait_until;

#[test]
fn cloudflare_there_and_back() {
    let setting = Setting::new();
    let shipped = setting.ok("ship --target cloudflare");
    assert_eq!(shipped.stdout, format!("{URL}\n"), "stdout is the URL and nothing else");
    let first = setting.client.temperature(URL);
    let recorded = setting.recorded("cloudflare", "production");
    assert_eq!(recorded["state"], "verified");
    assert_eq!(recorded["url"], URL);
    assert_eq!(recorded["version"].as_str(), setting.cloudflare.live("weather").as_deref());
    assert!(recorded["bundle_bytes"].as_u64().is_some_and(|bytes| bytes > 10_000), "{recorded}");
    assert_eq!(setting.record()["unfinished"], json!(null), "{}", setting.record());

    // The same again works, and serves the same. One that an older version made, without a mark, is marked after a
    // question.
    let mark = setting.cloudflare.variable("weather", "MCP_DEPLOY_PROJECT");
    assert_eq!(mark, Some(setting.mark()));
    setting.cloudflare.take_mark("weather");
    setting.run("ship --target cloudflare").ended(1).said("has no mark that says so").said("add `--yes`");
    let mut terminal = setting.terminal("ship --target cloudflare");
    answer(&mut terminal, "without a mark. Mark as this project's?", "n");
    let said = ends(terminal, 1);
    assert!(said.contains("not confirmed; nothing was changed"), "{said}");
    assert_eq!(setting.cloudflare.variable("weather", "MCP_DEPLOY_PROJECT"), None);
    assert_eq!(setting.ok("ship --target cloudflare --yes --prebuilt").stdout, format!("{URL}\n"));
    assert_eq!(setting.cloudflare.variable("weather", "MCP_DEPLOY_PROJECT"), mark);
    assert_eq!(setting.client.temperature(URL), first);

    // Somebody else goes back to an older version while this one is built: `--yes` is about what was known before.
    setting.project.make_warmer(100);
    let (built, versions) = (setting.file(".wrangler/dist/cloudflare.js"), setting.cloudflare.versions("weather"));
    std::fs::remove_file(&built).expect("what was built before");
    let running = setting.start("ship --target cloudflare --yes", "");
    wait_until("it is built", || built.exists());
    setting.cloudflare.serve("weather", &versions[0]);
    let overtaken = running.end();
    overtaken.ended(1).said("somebody else deployed, or rolled back while this was built; nothing was deployed");
    assert_eq!(setting.cloudflare.versions("weather"), versions);
    setting.cloudflare.serve("weather", &versions[1]);
    setting.ok("ship --target cloudflare --prebuilt");
    assert_eq!(setting.client.temperature(URL), first + 100);
    assert_eq!(setting.cloudflare.versions("weather").len(), 3);
    assert_eq!(setting.states("cloudflare"), ["verified", "verified", "verified"]);

    let status = setting.json("status --json");
    assert_eq!(status["deployments"][0]["healthy"], true);
    assert_eq!(status["deployments"][0]["url"], URL);
    assert_eq!(status["deployments"].as_array().map(Vec::len), Some(1), "the current one of each place");

    // Back, and further back: never forward to what was left.
    let versions = setting.cloudflare.versions("weather");
    setting.ok("rollback --target cloudflare --yes");
    assert_eq!(setting.cloudflare.live("weather").as_ref(), Some(&versions[1]));
    assert_eq!(setting.client.temperature(URL), first);
    let back = setting.json("rollback --target cloudflare --yes --json");
    assert_eq!(setting.cloudflare.live("weather").as_ref(), Some(&versions[0]));
    assert_eq!(back["restored"][0]["version"], *versions[0]);
    assert_eq!(setting.recorded("cloudflare", "production")["version"], *versions[0]);

    // To one that is named.
    setting.ok(&format!("rollback --target cloudflare --to {} --yes", versions[2]));
    assert_eq!(setting.client.temperature(URL), first + 100);
    assert_eq!(setting.recorded("cloudflare", "production")["state"], "restored-by-rollback");
    let unknown = setting.run("rollback --target cloudflare --to 00000000-0000-0000-0000-000000000000 --yes");
    assert_eq!(unknown.code, 1);
    unknown.said_once("there is no version 00000000-0000-0000-0000-000000000000");
    assert_eq!(setting.recorded("cloudflare", "production")["version"], *versions[2]);

    // What it logs, as it comes.
    setting.run("logs --target cloudflare").ended(1).said("add `--follow`");
    let following = setting.start("logs --target cloudflare --follow", "");
    let listens = || setting.cloudflare.requests().iter().any(|request| request.path.ends_with("/tails"));
    wait_until("wrangler listens", listens);
    let closed = || setting.cloudflare.requests().iter().any(|request| request.method == "DELETE");
    std::thread::sleep(Duration::from_millis(500));
    setting.client.temperature(URL);
    std::thread::sleep(Duration::from_secs(1));
    following.signal(Signal::INT);
    let followed = following.end();
    followed.ended(0).said("weather looked up");
    assert_eq!(followed.count("error:"), 0, "Ctrl-C is how it ends");
    wait_until("the tail is closed", closed);

    // Nothing is asked off a terminal, and nothing is done either.
    for line in ["rollback --target cloudflare", "destroy --target cloudflare"] {
        setting.run(line).ended(2).said("`--yes` is missing");
    }
    assert_eq!(setting.cloudflare.live("weather").as_ref(), Some(&versions[2]));

    setting.ok("destroy --target cloudflare --yes");
    assert!(!setting.cloudflare.exists("weather"));
    assert_eq!(setting.record()["deployments"], json!([]));
    for line in ["rollback --target cloudflare --yes", "destroy --target cloudflare --yes", "logs --target cloudflare"]
    {
        setting.run(line).ended(1).said("nothing of stage `production` was deployed");
    }
    assert_eq!(setting.edge.refused(), Vec::<String>::new(), "nobody else was called");
}
