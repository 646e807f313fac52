//! `--stage`: a second deployment with its own name and settings on every cloud, and production untouched.

use serde_json::json;

use crate::clouds::vercel::TEAM;
use crate::setting::{CLOUDFLARE_URL, Setting, VERCEL_URL};
use crate::ship_foreign::{MARK, VARIABLE};

impl Setting {
    /// What the tool says of the setting `GREETING`.
    fn greeting(&self, url: &str) -> String {
        let client = if url.starts_with("https:") { &self.client } else { &self.direct };
        let result = client.call(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        result["structuredContent"]["conditions"].as_str().expect("a greeting").to_owned()
    }
}

#[test]
fn a_stage_is_a_deployment_of_its_own() {
    let mut setting = Setting::new();
    let project = &setting.project;
    project.replace(
        "src/tools/get_weather.ts",
        "units, conditions };",
        "units, conditions: String(ctx.env[\"GREETING\"]) };",
    );
    project.replace("mcp.toml", "[env]", "[env]\nGREETING = \"hello\"");
    let toml = std::fs::read_to_string(setting.file("mcp.toml")).expect("the manifest");
    let with_stage = format!("{toml}\n[stages.staging.env]\nGREETING = \"good day\"\n");
    std::fs::remove_file(setting.file("mcp.toml"))
        .and_then(|()| std::fs::write(setting.file("mcp.toml"), with_stage))
        .expect("a stage");

    setting.ok("ship --target cloudflare,vercel");
    assert_eq!(setting.greeting(CLOUDFLARE_URL), "hello");
    let production = setting.record();
    let (worker, deployment) = (setting.cloudflare.live("weather"), setting.vercel.live("weather"));

    // In CI these name the project of production; the stage has its own all the same.
    let named = std::fs::read_to_string(setting.file(".vercel/project.json")).expect("the linked project");
    let named: serde_json::Value = serde_json::from_str(&named).expect("JSON");
    setting.variables.insert("VERCEL_ORG_ID", TEAM.into());
    setting.variables.insert("VERCEL_PROJECT_ID", named["projectId"].as_str().expect("an id").into());
    // What somebody else made under the stage's names is taken over, by name.
    setting.aws.make_stack("us-east-1", "weather-staging");
    setting.aws.empty_stack("us-east-1", "weather-staging");
    setting.cloudflare.make_worker("weather-staging");
    setting.cloudflare.take_databases("weather-staging");
    let shipped = setting.ok("ship --target all --stage staging --adopt weather-staging");
    shipped
        .said_once("taking over the stack `weather-staging` in us-east-1: it has no mark of mcp-deploy; its tags are team=billing")
        .said_once("taking over the Worker `weather-staging`: it has no mark of mcp-deploy");
    let mark = setting.mark().replace("/production/", "/staging/");
    let marks = [
        setting.aws.tag("us-east-1", "weather-staging", MARK),
        setting.cloudflare.variable("weather-staging", VARIABLE),
        setting.vercel.secret("weather-staging", VARIABLE),
    ];
    marks.iter().for_each(|found| assert!(found.as_ref().is_some_and(|found| found.starts_with(&mark)), "{marks:?}"));
    let lambda = setting.aws.output("us-east-1", "weather-staging", "McpEndpoint").expect("its own stack");
    let staging = [
        lambda.as_str(),
        "https://weather-staging.vercel.app/mcp",
        "https://weather-staging.mcp-tests.workers.dev/mcp",
    ];
    assert_eq!(shipped.stdout.lines().collect::<Vec<_>>(), staging);
    staging.iter().for_each(|url| assert_eq!(setting.greeting(url), "good day", "{url}"));

    // Production is as it was: its versions, its record, its files.
    assert_eq!((setting.cloudflare.live("weather"), setting.vercel.live("weather")), (worker, deployment));
    assert_eq!(setting.greeting(CLOUDFLARE_URL), "hello");
    assert_eq!(setting.greeting(VERCEL_URL), "hello");
    let record = setting.record();
    let of_production: Vec<_> =
        record["deployments"].as_array().unwrap().iter().filter(|one| one["stage"] == "production").cloned().collect();
    assert_eq!(json!(of_production), production["deployments"]);
    setting.ok("render --check");
    let ignored = std::fs::read_to_string(setting.file(".mcp-deploy/stages/.gitignore")).expect("git-ignored");
    assert_eq!(ignored, "*\n");

    setting.ok("status").answered("cloudflare (staging)");
    setting.run("ship --target all --stage nowhere").ended(2).said("the manifest has no stage `nowhere`");
    setting.ok("ship --target cloudflare --stage staging --dry-run");
    setting.ok("destroy --target cloudflare --stage staging --yes");
    setting.ok("destroy --target vercel --stage staging --yes");
    assert!(!setting.cloudflare.exists("weather-staging") && setting.cloudflare.exists("weather"));
    assert!(!setting.vercel.exists("weather-staging") && setting.vercel.exists("weather"));
}
