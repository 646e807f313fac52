//! Several clouds in one call: side by side, compared with each other, and one that fails does not stop the others.

use serde_json::json;

use crate::setting::{CLOUDFLARE_URL, Setting, VERCEL_URL};

#[test]
fn one_that_fails_does_not_stop_the_others() {
    let setting = Setting::new();
    let shipped = setting.run("ship --target all --json");
    let answer = shipped.ended(0).json();
    shipped.said_once("all of them list the same tools");
    assert_eq!((&answer["ok"], &answer["parity"]), (&json!(true), &json!(true)));
    let lambda_url = setting.aws.output("us-east-1", "weather", "McpEndpoint").expect("an URL");
    let urls: Vec<_> = answer["releases"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap()).collect();
    assert_eq!(urls, [lambda_url.as_str(), VERCEL_URL, CLOUDFLARE_URL]);
    let first = setting.temperature(CLOUDFLARE_URL);
    assert!(urls.iter().all(|url| setting.temperature(url) == first));

    setting.project.make_warmer(100);
    setting.aws.refuse_resource("us-east-1", "McpFunction", "The runtime of the tests is not for you");
    setting.cloudflare.break_next_version();
    let mixed = setting.run("ship --target all --wait 5 --rollback-on-failure");
    // The failed tool's code outranks a failed verification.
    mixed.ended(1).said_once("The runtime of the tests is not for you").said("lambda                   failed");
    assert_eq!(mixed.stdout, format!("{VERCEL_URL}\n{CLOUDFLARE_URL}\n"), "what is live, and nothing else");
    assert_eq!(setting.temperature(VERCEL_URL), first + 100);
    assert_eq!(setting.temperature(CLOUDFLARE_URL), first);
    assert_eq!(setting.temperature(&lambda_url), first);
    assert_eq!(setting.states("lambda"), ["verified"]);
    assert_eq!(setting.states("vercel"), ["verified", "verified"]);
    assert_eq!(setting.states("cloudflare"), ["failed", "restored-by-rollback"]);
    assert_eq!(setting.record().get("unfinished"), None, "every end was seen");

    let status = setting.json("status --json");
    assert_eq!(status["deployments"].as_array().map(Vec::len), Some(3));
    assert_eq!(setting.edge.refused(), Vec::<String>::new(), "nobody else was called");
}
