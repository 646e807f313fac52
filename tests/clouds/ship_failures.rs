//! What `ship` says and leaves behind when something fails: before the deployment, in it, and after it.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use mcp_deploy::toolchain::ToolId;

use crate::clouds::{Fault, Outage};
use crate::setting::{CLOUDFLARE_URL as URL, Setting};
use crate::support::tools;

#[test]
fn nothing_is_deployed_that_does_not_build_or_may_not() {
    let setting = Setting::new();
    // Wrong credentials of two clouds: both are reported, before anything is built.
    let mut wrong = setting;
    wrong.variables.insert("CLOUDFLARE_API_TOKEN", "another-token".into());
    wrong.variables.insert("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN".into());
    let refused = wrong.run("ship --target cloudflare,lambda");
    refused
        .ended(1)
        .said_once("Cloudflare does not let us in: Authentication error [code: 10000]")
        .said_once("InvalidClientTokenId");
    refused.said_once("2 problems found before anything was built or deployed");
    assert!(!refused.stderr.contains("check types"), "{}", refused.stderr);
    wrong.variables.clear();
    let setting = wrong;

    setting.project.replace("src/tools/get_weather.ts", "? celsius :", "? \"warm\" :");
    let failed = setting.run("ship --target cloudflare");
    failed.ended(1).said("src/tools/get_weather.ts");
    assert_eq!(failed.stdout, "");
    assert!(!setting.file(".mcp-deploy/deployments.json").exists());
    let writes = setting.cloudflare.api().calls().into_iter().filter(|call| !call.starts_with("GET "));
    assert_eq!(writes.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn a_cloud_that_fails_is_quoted_once() {
    let setting = Setting::new();
    // What wrangler says of other faults there is the matter of `wrangler_says_what_went_wrong`.
    setting.cloudflare.fail(Fault::status(500).at("PUT", "/workers/scripts/weather"));
    let failed = setting.run("ship --target cloudflare");
    failed.ended(1).said_once("An unknown error has occurred").said_once("cannot deploy to Cloudflare");
    assert_eq!(failed.stdout, "", "no URL of something that is not there");
    setting.cloudflare.heal();
    assert_eq!(setting.record()["deployments"].as_array().map(Vec::len), Some(0));

    // The same before anything is built: no login helps against it.
    setting.cloudflare.fail(Fault::status(500));
    setting.aws.fail(Fault::status(500));
    let down = setting.run("ship --target cloudflare,lambda");
    down.ended(1).said("cannot ask Cloudflare who we are").said("AWS in us-east-1 does not answer as it should");
    assert!(!down.stderr.contains("login"), "{}", down.stderr);
    setting.cloudflare.heal();

    // An API that says nothing: bounded, in the preflight and in the deployment.
    setting.cloudflare.fail(Fault::hang(Duration::from_secs(120)));
    let silent = setting.run("ship --target cloudflare --timeout 5");
    silent.ended(1).said("cannot ask Cloudflare who we are").said("did not finish within 5s");
    assert!(silent.elapsed < Duration::from_secs(100), "{:?}", silent.elapsed);
    assert_eq!(setting.processes(), Vec::<String>::new());
}

/// A tool in front of the real ones, which fails in its own way when it is to deploy.
#[test]
fn a_tools_own_exit_code_is_passed_on() {
    let mut setting = Setting::new();
    let bin = setting.project.home().join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    let version = tools().found(ToolId::Wrangler).and_then(|found| found.version.clone()).expect("a version");
    let dry_run = setting.file(".wrangler/dist/cloudflare.js");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n--version) echo {version};;\n*whoami*) echo '{{\"loggedIn\":true,\"accounts\":[]}}';;\n\
         *status*) echo 'This Worker does not exist [code: 10007]' >&2; exit 1;;\n\
         *) echo 'deploying is not for today' >&2; exit 42;;\nesac\n"
    );
    std::fs::write(bin.join("wrangler"), script).expect("a script");
    std::fs::set_permissions(bin.join("wrangler"), std::fs::Permissions::from_mode(0o755)).expect("executable");
    setting.variables.insert("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default()));
    setting.run("ship --target cloudflare").ended(42).said_once("deploying is not for today");
    assert!(!dry_run.exists());
}

/// A code that only a person can give is asked for on a terminal, and nobody waits for it elsewhere.
#[test]
fn a_second_factor_is_asked_for_on_a_terminal_only() {
    let mut setting = Setting::new();
    let config = setting.project.home().join("aws");
    let profiles = "[profile tests]\nrole_arn = arn:aws:iam::123456789012:role/tests\nsource_profile = base\n\
                    mfa_serial = arn:aws:iam::123456789012:mfa/tests\n[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = x\n";
    std::fs::write(&config, profiles).expect("profiles");
    let variables = [
        ("AWS_CONFIG_FILE", config.display().to_string()),
        ("AWS_PROFILE", "tests".to_owned()),
        ("AWS_ACCESS_KEY_ID", String::new()),
        ("AWS_SECRET_ACCESS_KEY", String::new()),
        ("HOME", setting.project.home().display().to_string()),
    ];
    setting.variables.extend(variables);
    let refused = setting.run("ship --target lambda");
    refused.ended(1).said_once("asks for the code of a second factor").said_once("1 problem found before");
    assert!(refused.elapsed < Duration::from_secs(100), "{:?}", refused.elapsed);
    assert_eq!(setting.aws.requests().len(), 0, "nothing was asked without it");
}

#[test]
fn what_is_live_and_broken_is_told_and_taken_back() {
    let setting = Setting::new();
    setting.ok("ship --target cloudflare");
    let first = setting.client.temperature(URL);
    let good = setting.cloudflare.live("weather");

    // A Worker that throws at every request: no use in waiting for it.
    setting.cloudflare.break_next_version();
    setting.project.make_warmer(100);
    let broken = setting.run("ship --target cloudflare --wait 60 --json");
    broken.ended(3).said("1101").said("the Worker threw an exception");
    let answer = broken.json();
    assert_eq!((&answer["ok"], &answer["releases"][0]["state"]), (&false.into(), &"failed".into()), "{answer}");
    assert_eq!(setting.recorded("cloudflare", "production")["state"], "failed");
    let status = setting.run("status --json");
    assert_eq!(status.ended(3).json()["deployments"][0]["healthy"], false);

    setting.cloudflare.break_next_version();
    let restored = setting.run("ship --target cloudflare --prebuilt --wait 60 --rollback-on-failure");
    restored.ended(3).said("rolled back to");
    assert_eq!(setting.cloudflare.live("weather"), good);
    assert_eq!(setting.client.temperature(URL), first, "the previous answer is back");
    let recorded = setting.recorded("cloudflare", "production");
    assert_eq!(
        (recorded["state"].as_str(), recorded["version"].as_str()),
        (Some("restored-by-rollback"), good.as_deref())
    );
    assert_eq!(setting.states("cloudflare"), ["failed", "failed", "restored-by-rollback"]);

    // An address that never comes alive.
    setting.cloudflare.outage(Outage::Dead);
    let dead = setting.run("ship --target cloudflare --prebuilt --wait 3");
    dead.ended(3).said("within 3 s");
    assert_eq!(setting.recorded("cloudflare", "production")["state"], "failed");
    setting.cloudflare.heal();
    // One that takes its time.
    setting.cloudflare.outage(Outage::DeadFor(3));
    setting.ok("ship --target cloudflare --prebuilt --wait 30");
    assert_eq!(setting.client.temperature(URL), first + 100);
}
