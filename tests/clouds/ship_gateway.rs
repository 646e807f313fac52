//! `ship` to AWS Lambda behind API Gateway: at the API's own address, and at one domain of two regions.

use serde_json::json;

use crate::setting::Setting;

impl Setting {
    fn behind_a_gateway(more: &str) -> Self {
        let setting = Setting::new();
        let lambda = format!("[targets.lambda]\nfront = \"api-gateway\"\n{more}");
        setting.project.replace("mcp.toml", "[targets.lambda]\nregions = [\"us-east-1\"]\n", &lambda);
        setting
    }
}

#[test]
fn lambda_behind_a_gateway_there_and_back() {
    let throttle = "throttle = { rate = 50, burst = 100 }\nwaf_rate_limit = 1000\ntracing = true\n";
    let setting = Setting::behind_a_gateway(throttle);
    let shipped = setting.ok("ship --target lambda");
    let url = setting.aws.output("us-east-1", "weather", "McpEndpoint").expect("an output");
    assert_eq!(shipped.stdout, format!("{url}\n"));
    let host = url.strip_prefix("https://").and_then(|url| url.strip_suffix("/live/mcp")).expect("the stage's address");
    assert!(host.ends_with(".execute-api.us-east-1.amazonaws.com"), "{url}");
    shipped.said("as a REST API calls it");
    assert_eq!(setting.states("lambda"), ["verified"]);
    let first = setting.client.temperature(&url);

    // Without the stage the API has no such path.
    let (status, body) = setting.client.get(&format!("https://{host}/health")).expect("an answer");
    assert_eq!((status, body.as_str()), (403, r#"{"message":"Missing Authentication Token"}"#));
    let (status, body) = setting.client.get(&format!("https://{host}/live/health")).expect("an answer");
    assert!(status == 200 && body.contains("\"status\":\"ok\""), "{status} {body}");

    // A change reaches the same address, and so does the way back.
    setting.project.make_warmer(100);
    assert_eq!(setting.ok("ship --target lambda").stdout, format!("{url}\n"));
    assert_eq!(setting.client.temperature(&url), first + 100);
    setting.ok("rollback --target lambda --yes");
    assert_eq!(setting.client.temperature(&url), first);
    setting.aws.break_next_version();
    setting.project.replace("src/tools/get_weather.ts", "celsius + 100", "celsius + 1");
    setting.run("ship --target lambda --wait 3").ended(3).said("the function failed or took too long");

    setting.ok("destroy --target lambda --yes");
    assert_ne!(setting.client.get(&url).map(|(status, _)| status), Ok(200));
}

#[test]
fn one_domain_of_two_regions() {
    let domain =
        "regions = [\"eu-west-1\", \"us-east-1\"]\ndomain = \"mcp.example.com\"\nhosted_zone = \"Z0123456789ABC\"\n";
    let setting = Setting::behind_a_gateway(domain);
    let shipped = setting.ok("ship --target lambda --json").json();
    let url = "https://mcp.example.com/mcp";
    let releases = shipped["releases"].as_array().expect("a list");
    assert_eq!(releases.len(), 2, "{shipped}");
    for (release, region) in releases.iter().zip(["eu-west-1", "us-east-1"]) {
        let direct = setting.aws.output(region, "weather", "RegionEndpoint").expect("an output");
        assert_eq!((&release["url"], &release["direct"]), (&json!(url), &json!(direct)), "{release}");
        // Each region was asked itself, whatever the domain leads to.
        assert_eq!(release["report"]["url"], json!(direct));
        assert_eq!(release["report"]["counts"]["failed"], 0);
    }
    assert_eq!(setting.aws.output("eu-west-1", "weather", "McpEndpoint").as_deref(), Some(url));
    assert_eq!(shipped["domains"][0]["url"], json!(url), "{shipped}");
    assert_eq!(shipped["domains"][0]["counts"]["failed"], 0, "{shipped}");
    let (status, _) = setting.client.get("https://mcp.example.com/health").expect("an answer");
    assert_eq!(status, 200);
    let first = setting.client.temperature(url);

    // One region is broken: it alone goes back, and that is seen although the domain answers.
    setting.project.make_warmer(100);
    setting.aws.break_next_version();
    let broken = setting.run("ship --target lambda --wait 5 --rollback-on-failure --json");
    let answer = broken.ended(3).json();
    let back = answer["releases"].as_array().expect("a list").iter().filter(|one| one["rolled_back_to"] == "1");
    assert_eq!(back.count(), 1, "{answer}");
    assert!([first, first + 100].contains(&setting.client.temperature(url)));

    // Clients get the domain, once.
    let status = setting.json("status --json");
    assert!(status["deployments"].as_array().expect("a list").iter().all(|one| one["healthy"] == true), "{status}");
    assert!(setting.ok("connect").stdout.contains(url));
    // The region that went back is switched to the version that this code is, which works now.
    setting.aws.mend_versions();
    assert_eq!(setting.ok("ship --target lambda --prebuilt").stdout, format!("{url}\n"));
}
