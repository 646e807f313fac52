//! `wrangler` against the stand-in of Cloudflare.

use mcp_deploy::process::{Cmd, ToolFailed};
use mcp_deploy::toolchain::ToolId;
use serde_json::Value;

use crate::clouds::cloudflare::Cloudflare;
use crate::clouds::{Edge, Fault, Outage};
use crate::support::{Client, Project, run, tools, wait_until, with};

struct Setting {
    project: Project,
    edge: Edge,
    cloud: Cloudflare,
    client: Client,
}

impl Setting {
    fn new() -> Self {
        let edge = Edge::start();
        let cloud = Cloudflare::start(&edge, tools());
        let client = Client::new(&edge);
        Setting { project: Project::new(), edge, cloud, client }
    }

    fn wrangler(&self, args: &[&str]) -> Cmd {
        let cmd = self.project.tool(ToolId::Wrangler, args);
        with(with(cmd, &self.cloud.environment()), &self.edge.environment())
    }

    /// `wrangler deploy`, and the MCP endpoint that its output file names.
    fn deploy(&self) -> Result<String, ToolFailed> {
        let output = tempfile::NamedTempFile::new().expect("a temporary file");
        let deploy = self.wrangler(&["deploy", "--env="]);
        run(&deploy.env_noise("WRANGLER_OUTPUT_FILE_PATH", output.path()))?;
        let text = std::fs::read_to_string(output.path()).expect("the output file");
        let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"));
        let deployed = lines.rfind(|line| line["type"] == "deploy").expect("a deployment");
        Ok(format!("{}/mcp", deployed["targets"][0].as_str().expect("a target")))
    }
}

#[test]
fn what_wrangler_deploys_is_what_answers() {
    let setting = Setting::new();
    let url = setting.deploy().unwrap();
    assert_eq!(url, "https://weather.mcp-tests.workers.dev/mcp");
    let first = setting.client.temperature(&url);

    // The same again, then another answer.
    assert_eq!(setting.deploy().unwrap(), url);
    assert_eq!(setting.client.temperature(&url), first);
    setting.project.make_warmer(100);
    setting.deploy().unwrap();
    assert_eq!(setting.client.temperature(&url), first + 100);
    assert_eq!(setting.cloud.versions("weather").len(), 3);

    // Back to the one before, without a terminal.
    run(&setting.wrangler(&["rollback", "--message", "tests", "-y"])).unwrap();
    assert_eq!(setting.client.temperature(&url), first);
    let list = run(&setting.wrangler(&["deployments", "list", "--json"])).unwrap();
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list.as_array().unwrap().len(), 4);

    run(&setting.wrangler(&["delete", "--force"])).unwrap();
    assert!(!setting.cloud.exists("weather"));
    assert_eq!(setting.client.get(&url).unwrap().0, 404);
    assert_eq!(setting.edge.refused(), Vec::<String>::new());
}

const SECRET: &str = "s3cret-of-the-weather-service";

#[test]
fn secrets_go_to_the_store_and_to_the_server_alone() {
    let setting = Setting::new();
    setting.project.with_secret();
    let refused = setting.deploy().unwrap_err();
    assert!(refused.tail.contains("required secrets have not been set: WEATHER_API_KEY"), "{}", refused.tail);

    // With the first upload, on stdin: there is no Worker yet that could have a secret.
    let first = setting.wrangler(&["deploy", "--env=", "--secrets-file", "/dev/stdin"]);
    run(&first.stdin(format!("{{\"WEATHER_API_KEY\":\"{SECRET}\"}}"))).unwrap();
    let url = format!("{}/mcp", setting.cloud.url("weather"));
    assert_eq!(setting.client.secret_length(&url), SECRET.len());
    assert_eq!(setting.cloud.secret("weather", "WEATHER_API_KEY").as_deref(), Some(SECRET));

    // Later deployments keep it; it can be listed, not read.
    setting.deploy().unwrap();
    assert_eq!(setting.client.secret_length(&url), SECRET.len());
    let list = run(&setting.wrangler(&["secret", "list", "--format", "json"])).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&list.stdout).unwrap()[0]["name"], "WEATHER_API_KEY");
    let told: Vec<String> = setting.cloud.api().requests_with(SECRET).iter().map(calls).collect();
    assert_eq!(told, ["PUT /client/v4/accounts/0123456789abcdef0123456789abcdef/workers/scripts/weather"]);

    run(&setting.wrangler(&["secret", "put", "WEATHER_API_KEY"]).stdin("longer than it was before, by far")).unwrap();
    assert_eq!(setting.client.secret_length(&url), 33);
    run(&setting.wrangler(&["secret", "bulk"]).stdin(r#"{"WEATHER_API_KEY":"short!"}"#)).unwrap();
    assert_eq!(setting.client.secret_length(&url), 6);
    let before = &setting.cloud.versions("weather")[0];
    run(&setting.wrangler(&["rollback", before, "--message", "tests", "-y"])).unwrap();
    assert_eq!(setting.client.secret_length(&url), SECRET.len());
}

fn calls(request: &crate::clouds::Request) -> String {
    format!("{} {}", request.method, request.path)
}

#[test]
fn wrangler_says_what_went_wrong() {
    let setting = Setting::new();
    let scripts = "/workers/scripts/weather";
    let table = [
        (Fault::status(401), "Authentication error [code: 10000]"),
        (Fault::status(403), "Unauthorized to access requested resource [code: 9109]"),
        (Fault::status(500).at("PUT", scripts), "An unknown error has occurred"),
        (Fault::retry_after(1).at("PUT", scripts), "Too many requests, please slow down [code: 10429]"),
        (Fault::reset().at("PUT", scripts), "fetch failed"),
    ];
    for (fault, said) in table {
        setting.cloud.fail(fault);
        let failed = setting.deploy().unwrap_err();
        assert_eq!(failed.code, Some(1));
        assert!(failed.tail.contains(said), "{}", failed.tail);
        setting.cloud.heal();
    }
    let wrong = setting.wrangler(&["deploy", "--env="]).env_noise("CLOUDFLARE_API_TOKEN", "another-token");
    let failed = run(&wrong).unwrap_err();
    assert!(failed.tail.contains("Authentication error [code: 10000]"), "{}", failed.tail);

    setting.cloud.take_subdomain_away();
    let failed = setting.deploy().unwrap_err();
    assert!(failed.tail.contains("workers.dev subdomain"), "{}", failed.tail);
}

#[test]
fn what_is_broken_is_deployed_all_the_same() {
    let setting = Setting::new();
    let url = setting.deploy().unwrap();
    let first = setting.client.temperature(&url);

    setting.cloud.break_next_version();
    setting.deploy().unwrap();
    let (status, page) = setting.client.get(&url).unwrap();
    assert!(status == 500 && page.contains("error code: 1101"), "{status} {page}");
    run(&setting.wrangler(&["rollback", "-y"])).unwrap();
    assert_eq!(setting.client.temperature(&url), first);

    // A Worker that throws as it starts never becomes a version. (A handler that does is imported later.)
    setting.project.replace(
        "src/generated/cloudflare.ts",
        "let fetch:",
        "throw new Error(\"no weather today\");\nlet fetch:",
    );
    let failed = setting.deploy().unwrap_err();
    assert!(failed.tail.contains("no weather today") && failed.tail.contains("10021"), "{}", failed.tail);
    assert_eq!(setting.client.temperature(&url), first);

    setting.cloud.outage(Outage::DeadFor(1));
    assert!(setting.client.call(&url).is_err());
    assert_eq!(setting.client.temperature(&url), first);
    setting.cloud.outage(Outage::Dead);
    assert!(setting.client.call(&url).is_err());
}

#[test]
fn a_tail_shows_what_the_worker_logs() {
    let setting = Setting::new();
    let url = setting.deploy().unwrap();
    let tail = setting.wrangler(&["tail", "weather", "--format", "json"]);
    let server = mcp_deploy::process::ServerProcess::spawn(&tail).unwrap();
    wait_until("wrangler listens", || setting.cloud.requests().iter().any(|request| request.path.ends_with("/tails")));
    wait_until("the call is in the log", || {
        setting.client.temperature(&url);
        std::thread::sleep(std::time::Duration::from_millis(300));
        server.log().contains("weather looked up")
    });
    assert!(server.log().contains("\"outcome\": \"ok\""), "{}", server.log());
}
