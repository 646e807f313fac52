//! What somebody else made under the same name is left exactly as it is; what we make carries our mark.

use crate::setting::{CLOUDFLARE_URL, Setting, VERCEL_URL};

/// Everything of the clouds that a test compares.
fn snapshot(setting: &Setting) -> String {
    [setting.aws.snapshot("us-east-1"), setting.vercel.snapshot("weather"), setting.cloudflare.snapshot("weather")]
        .join("\n")
}

/// A record that 0.1.0 could have written, of something that is somebody else's by now.
fn pretend_to_have_shipped(setting: &Setting) {
    let one = |target: &str, url: &str, more: &str| {
        format!(
            r#"{{"target":"{target}","stage":"production"{more},"url":"{url}","version":"1","server_version":"0.1.0","time":"2026-11-01T00:00:00Z","state":"verified"}}"#
        )
    };
    let all = [
        one("lambda", "https://x.lambda-url.us-east-1.on.aws/mcp", r#","region":"us-east-1""#),
        one("vercel", VERCEL_URL, ""),
        one("cloudflare", CLOUDFLARE_URL, ""),
    ];
    let text = format!(r#"{{"version":1,"deployments":[{}]}}"#, all.join(","));
    std::fs::create_dir_all(setting.file(".mcp-deploy")).expect("a folder");
    std::fs::write(setting.file(".mcp-deploy/deployments.json"), text).expect("a record");
}

#[test]
fn what_is_somebody_elses_stays_byte_for_byte() {
    let setting = Setting::with_secret();
    setting.run_with("secrets set WEATHER_API_KEY", "the secret of the weather").ended(0);
    setting.aws.make_stack("us-east-1", "weather");
    setting.aws.make_secret("us-east-1", "mcp/weather", "{\"theirs\": \"1\"}");
    setting.vercel.make_project("weather");
    setting.cloudflare.make_worker("weather");
    let before = snapshot(&setting);

    let refused = setting.run("ship --target all --yes");
    refused.ended(1).said_once("4 problems found before anything was built or deployed");
    for told in [
        "the stack `weather` in us-east-1 is not this project's: it has no mark of mcp-deploy; its tags are team=billing",
        "the secret `mcp/weather` in us-east-1 is not this project's",
        "the project `weather` at Vercel is not this project's",
        "its repository is acme/shop at github; its domains are weather.vercel.app, shop.example.com",
        "the Worker `weather` is not this project's",
        "it was deployed by tests@example.com",
    ] {
        refused.said(told);
    }
    assert_eq!(refused.count("ship under another `name` or stage; or take it over with `--adopt weather`"), 4);
    assert!(!refused.stderr.contains("check types"), "nothing was built");

    // Its table, its database and its values would be lost.
    let adopted = setting.run("ship --target all --adopt weather --yes");
    adopted.ended(1).said("cannot be taken over, because data would be lost: Orders (AWS::DynamoDB::Table)");
    adopted.said("cannot be taken over, because data would be lost: ORDERS (d1)");
    // What nobody may take by a wrong name, or by none.
    for line in ["ship --target vercel --adopt billing", "ship --target vercel --adopt"] {
        setting.run(line).ended(1).said("`--adopt weather`");
    }
    assert_eq!(snapshot(&setting), before, "ship");

    pretend_to_have_shipped(&setting);
    std::thread::scope(|scope| {
        for target in ["lambda", "vercel", "cloudflare"] {
            let setting = &setting;
            scope.spawn(move || {
                for line in
                    ["destroy --yes", "rollback --yes", "logs", "secrets push", "secrets remove WEATHER_API_KEY"]
                {
                    let run = setting.run(&format!("{line} --target {target}"));
                    run.ended(1).said("is not this project's").said("nothing was touched");
                }
            });
        }
    });
    assert_eq!(snapshot(&setting), before, "with a record of it");
    let env = std::fs::read_to_string(setting.file(".env")).expect(".env");
    assert!(env.contains("the secret of the weather"), "a refused `secrets remove` leaves it everywhere");
}
