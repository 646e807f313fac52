//! `wrangler` against the stand-in of Cloudflare.

use mcp_deploy::process::{Cmd, ToolFailed};
use mcp_deploy::toolchain::ToolId;
use serde_json::Value;

use crate::clouds::cloudflare::Cloudflare;
use crate::clouds::{Edge, Fault, Outage};
use crate::support::{Client, Project, run, tools, with};

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
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"));
        let deployed = lines.filter(|line| line["type"] == "deploy").last().expect("a deployment");
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
