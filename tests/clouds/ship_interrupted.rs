//! Ctrl-C in the middle of a deployment: the child ends, and the record claims only what was seen.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::clouds::Fault;
use crate::setting::{CLOUDFLARE_URL as URL, Setting};
use crate::support::wait_until;

#[test]
fn an_interruption_leaves_a_true_record_and_no_process() {
    let setting = Setting::new();
    setting.ok("ship --target cloudflare");
    let before = setting.record();
    setting.cloudflare.api().forget_requests();
    setting.cloudflare.fail(Fault::hang(Duration::from_secs(120)).at("POST", "/versions"));
    setting.cloudflare.fail(Fault::hang(Duration::from_secs(120)).at("PUT", "/workers/scripts/weather"));
    setting.project.make_warmer(100);
    let running = setting.start("ship --target cloudflare", "");
    let uploads =
        || setting.cloudflare.requests().iter().any(|request| request.method != "GET" && !request.body.is_empty());
    wait_until("the upload began", uploads);
    // One at a time, also of what only goes back.
    for second in ["ship --target cloudflare", "rollback --target cloudflare --yes"] {
        setting.run(second).ended(1).said_once("of this project is running, so nothing was done");
    }
    running.signal(Signal::INT);
    let interrupted = running.end();
    interrupted.ended(130).said_once("error: interrupted").said_once("may serve what it served before");
    assert_eq!(interrupted.stdout, "");
    assert_eq!(setting.processes(), Vec::<String>::new());

    let record = setting.record();
    assert_eq!(record["deployments"], before["deployments"], "what is known of before");
    let unfinished = record["unfinished"].as_array().expect("a list");
    assert_eq!((unfinished.len(), &unfinished[0]["target"]), (1, &json!("cloudflare")));
    setting.run("status").ended(3).answered("a deployment began at").answered("its end was not seen");
    let status = setting.run("status --json").json();
    assert_eq!((&status["ok"], &status["deployments"][0]["healthy"]), (&json!(false), &json!(true)));

    // A deployment that takes too long is stopped, and no more is claimed of it.
    let late = setting.run("ship --target cloudflare --prebuilt --timeout 20");
    late.ended(124).said_once("did not finish within 20s").said_once("may serve what it served before");
    assert_eq!(setting.processes(), Vec::<String>::new());

    setting.cloudflare.heal();
    setting.ok("ship --target cloudflare --prebuilt");
    assert_eq!(setting.record().get("unfinished"), None);
    assert_eq!(
        setting.recorded("cloudflare", "production")["version"].as_str(),
        setting.cloudflare.live("weather").as_deref()
    );

    // While it is verified: deployed it is, verified it is not.
    setting.cloudflare.outage(crate::clouds::Outage::Dead);
    let count = setting.cloudflare.versions("weather").len();
    let running = setting.start("ship --target cloudflare --prebuilt --wait 60", "");
    wait_until("it is in the record", || setting.states("cloudflare").last().is_some_and(|state| state == "deployed"));
    running.signal(Signal::TERM);
    running.end().ended(143);
    assert_eq!(setting.cloudflare.versions("weather").len(), count + 1);
    assert_eq!(setting.recorded("cloudflare", "production")["state"], "deployed");
    assert_eq!(setting.recorded("cloudflare", "production")["url"], URL);
    assert_eq!(setting.record().get("unfinished"), None);
    assert_eq!(setting.processes(), Vec::<String>::new());
}
