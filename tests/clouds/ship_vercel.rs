//! `ship` to Vercel: linked, again, changed, back and on again, protected, gone.

use serde_json::json;

use crate::clouds::Fault;
use crate::setting::{Setting, VERCEL_URL as URL};

#[test]
fn vercel_there_and_back() {
    let setting = Setting::new();
    let shipped = setting.ok("ship --target vercel");
    assert_eq!(shipped.stdout, format!("{URL}\n"), "the production URL, not the protected one");
    let first = setting.temperature(URL);
    assert_eq!(setting.states("vercel"), ["verified"]);

    setting.project.make_warmer(100);
    // One that an older version made, without a mark, is marked after a question.
    let mark = setting.vercel.secret("weather", "MCP_DEPLOY_PROJECT");
    assert_eq!(mark, Some(setting.mark()));
    setting.vercel.take_mark("weather");
    setting.run("ship --target vercel").ended(1).said("has no mark that says so").said("add `--yes`");
    setting.ok("ship --target vercel --yes");
    assert_eq!(setting.vercel.secret("weather", "MCP_DEPLOY_PROJECT"), mark);
    assert_eq!(setting.temperature(URL), first + 100);
    let deployments = setting.vercel.deployments("weather");
    assert_eq!(deployments.len(), 2);

    setting.ok("rollback --target vercel --yes");
    assert_eq!(setting.vercel.live("weather").as_ref(), Some(&deployments[0]));
    assert_eq!(setting.temperature(URL), first);

    // Vercel itself shows no new deployment after a rollback; a new one is what was asked for.
    setting.project.replace("src/tools/get_weather.ts", "+ 100", "+ 50");
    let again = setting.ok("ship --target vercel");
    assert_eq!(again.stdout, format!("{URL}\n"));
    assert_eq!(setting.temperature(URL), first + 50);
    assert_eq!(setting.recorded("vercel", "production")["version"].as_str(), setting.vercel.live("weather").as_deref());

    setting.ok("logs --target vercel");
    setting.run("logs --target vercel --follow").ended(1).said("leave `--follow` out");

    // Deployed but broken.
    setting.vercel.break_next_version();
    setting
        .run("ship --target vercel --prebuilt --wait 5 --rollback-on-failure")
        .ended(3)
        .said("FUNCTION_INVOCATION_FAILED");
    assert_eq!(setting.temperature(URL), first + 50);
    assert_eq!(setting.recorded("vercel", "production")["state"], "restored-by-rollback");

    // Protected: waiting does not help, and the message names the way out.
    setting.vercel.protect("weather", true);
    let hidden = setting.run("ship --target vercel --prebuilt --wait 60");
    hidden.ended(3).said("Deployment Protection asks for a login").said("vercel project protection disable --sso");
    assert_eq!(hidden.count("did not come alive"), 0);
    setting.run("status").ended(3).answered("Deployment Protection");
    setting.vercel.protect("weather", false);

    setting.ok("destroy --target vercel --yes");
    assert!(!setting.vercel.exists("weather"));
    assert_eq!(setting.record()["deployments"], json!([]));
}

#[test]
fn what_vercel_refuses_is_told() {
    let mut setting = Setting::new();
    setting.variables.insert("VERCEL_TOKEN", "tokenofsomebodyelse".into());
    setting
        .run("ship --target vercel")
        .ended(1)
        .said(" login`, or set `VERCEL_TOKEN`")
        .said_once("1 problem found before");
    setting.variables.clear();
    setting.vercel.fail(Fault::status(500));
    setting.run("ship --target vercel").ended(1).said_once("1 problem found before");
    setting.vercel.heal();
    assert!(!setting.vercel.exists("weather"));

    setting.vercel.refuse_next_deployment("The function is larger than it may be");
    let failed = setting.run("ship --target vercel");
    failed.ended(1).said_once("The function is larger than it may be").said_once("cannot deploy to Vercel");
    assert_eq!(failed.stdout, "");
    assert_eq!(setting.record()["deployments"], json!([]));
}
