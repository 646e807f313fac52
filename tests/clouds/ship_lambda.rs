//! `ship` to AWS Lambda: in several regions, again, changed, back, broken, gone.

use serde_json::{Value, json};

use crate::clouds::{Fault, Response};
use crate::setting::Setting;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

impl Setting {
    fn in_two_regions() -> Self {
        let setting = Setting::new();
        setting.project.replace("mcp.toml", "regions = [\"us-east-1\"]", &format!("regions = {}", json!(REGIONS)));
        setting
    }

    fn lambda_version(&self, region: &str) -> u32 {
        let function = self.aws.output(region, "weather", "FunctionName").expect("a function");
        self.aws.versions(region, &function).expect("versions").0
    }
}

fn regions(record: &Value, key: &str) -> Vec<(String, Value)> {
    let all = record["deployments"].as_array().expect("a list").iter();
    let mut found: Vec<_> =
        all.map(|one| (one["region"].as_str().unwrap_or_default().to_owned(), one[key].clone())).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[test]
fn lambda_there_and_back_in_two_regions() {
    let setting = Setting::in_two_regions();
    let shipped = setting.ok("ship --target lambda");
    let urls: Vec<&str> = shipped.stdout.lines().collect();
    let expected: Vec<_> =
        REGIONS.iter().map(|region| setting.aws.output(region, "weather", "McpEndpoint").expect("an URL")).collect();
    assert_eq!(urls, expected, "one URL a line, in the manifest's order of regions");
    let first = setting.temperature(urls[0]);
    assert_eq!(setting.temperature(urls[1]), first);
    assert_eq!(regions(&setting.record(), "state"), REGIONS.map(|region| (region.to_owned(), json!("verified"))));

    // An unchanged stack is a success, and no new version.
    setting.ok("ship --target lambda");
    assert_eq!(REGIONS.map(|region| setting.lambda_version(region)), [1, 1]);
    assert_eq!(setting.record()["deployments"].as_array().map(Vec::len), Some(2), "the same version is one entry");

    // A change that is broken in both: back in both.
    setting.project.make_warmer(100);
    setting.aws.break_next_version();
    let broken = setting.run("ship --target lambda --wait 5 --rollback-on-failure --json");
    let answer = broken.ended(3).json();
    let back: Vec<_> = answer["releases"].as_array().unwrap().iter().map(|one| one["rolled_back_to"].clone()).collect();
    assert_eq!(back.iter().filter(|version| **version == "1").count(), 1, "{answer}");
    let served = REGIONS.map(|region| setting.lambda_version(region));
    assert!(served.contains(&1) && served.contains(&2), "the region that works keeps the new version: {served:?}");
    assert!(urls.iter().all(|url| setting.temperature(url) >= first));

    let status = setting.json("status --json");
    assert_eq!(status["deployments"].as_array().map(Vec::len), Some(2));
    let restored = setting.json("rollback --target lambda --to 1 --yes --json");
    assert_eq!(restored["restored"].as_array().map(Vec::len), Some(2));
    assert_eq!(REGIONS.map(|region| setting.lambda_version(region)), [1, 1]);
    assert_eq!(urls.iter().map(|url| setting.temperature(url)).collect::<Vec<_>>(), [first, first]);

    // Somebody else deploys: found before anything is built, and told by `status` and `verify`.
    setting.aws.mend_versions();
    let function = setting.aws.output("us-east-1", "weather", "FunctionName").expect("a function");
    setting.aws.serve("us-east-1", &function, 2);
    let other = setting.run("ship --target lambda");
    other.ended(1).said_once("lambda us-east-1 serves version 2, and the record says 1: somebody else deployed");
    other.said("git pull").said("--yes");
    assert_eq!(other.count("check types"), 0, "nothing was built");
    assert_eq!(REGIONS.map(|region| setting.lambda_version(region)), [1, 2]);
    setting.run("status").ended(3).answered("it serves version 2, and the record says 1");
    let status = setting.run("status --json").json();
    for (region, serves) in REGIONS.into_iter().zip(["1", "2"]) {
        let mut all = status["deployments"].as_array().expect("a list").iter();
        let one = all.find(|one| one["region"] == region).expect("the region");
        assert_eq!((&one["serves"], &one["as_recorded"]), (&json!(serves), &json!(serves == "1")));
    }
    setting.run(&format!("verify {}", urls[1])).ended(3).said("expected 1, got 2");
    // The same code is the same version, and after a rollback nothing but the alias has to be moved.
    setting.ok("ship --target lambda --yes --prebuilt").said("somebody else deployed");
    assert_eq!(REGIONS.map(|region| setting.lambda_version(region)), [2, 2]);
    assert_eq!(urls.iter().map(|url| setting.temperature(url)).collect::<Vec<_>>(), [first + 100, first + 100]);
    assert_eq!(regions(&setting.record(), "version").into_iter().filter(|(_, version)| version == "2").count(), 2);
    setting.ok("status");
    setting.ok("rollback --target lambda --yes");
    assert_eq!(REGIONS.map(|region| setting.lambda_version(region)), [1, 1]);
    assert_eq!(urls.iter().map(|url| setting.temperature(url)).collect::<Vec<_>>(), [first, first]);

    // Back to where nothing is: told for each region.
    let refused = setting.run("rollback --target lambda --to 99 --yes");
    assert_ne!(refused.code, 0);
    refused.said("cannot roll back lambda eu-west-1").said("cannot roll back lambda us-east-1");

    setting.ok("logs --target lambda --region us-east-1").said("weather looked up");
    setting.run("logs --target lambda --region ap-south-1").ended(1).said("it is deployed to");

    let destroyed = setting.ok("destroy --target lambda --yes");
    assert_eq!(destroyed.said("aws-sam-cli-managed-default").count("stack set"), 0, "there is none");
    assert_eq!(setting.record()["deployments"], json!([]));
    assert_eq!(REGIONS.map(|region| setting.aws.status(region, "weather")), [None, None]);
}

#[test]
fn a_stack_that_fails_is_quoted_once() {
    let setting = Setting::new();
    setting.aws.refuse_resource("us-east-1", "McpFunction", "The runtime of the tests is not for you");
    let failed = setting.run("ship --target lambda");
    failed.ended(1).said_once("The runtime of the tests is not for you").said_once("cannot deploy to us-east-1");
    assert_eq!(failed.stdout, "");
    assert_eq!(setting.record()["deployments"], json!([]));
    // What a failed creation leaves cannot be updated: told before anything is built.
    let status = setting.aws.status("us-east-1", "weather");
    if status.as_deref() == Some("ROLLBACK_COMPLETE") {
        let stuck = setting.run("ship --target lambda");
        stuck.ended(1).said("sam delete --stack-name weather --region us-east-1").said_once("1 problem found before");
    }

    // What answers is not AWS.
    let page = "<!doctype html><html><body>Please log in<br></body></html>";
    for status in [200, 407] {
        setting.aws.fail(Fault::answer(Response::new(status, "text/html", page)));
        let proxy = setting.run("ship --target lambda");
        proxy.ended(1).said_once("is not from AWS").said("`HTTPS_PROXY`").said_once("1 problem found before");
        assert_eq!(proxy.count("Traceback"), 0);
        setting.aws.heal();
    }
    setting.aws.fail(Fault::status(500));
    let down = setting.run("ship --target lambda");
    down.ended(1).said("AWS in us-east-1 does not answer as it should").said_once("1 problem found before");
}
