//! `mcp-deploy ship` and what comes after it, against the stand-ins.

use mcp_deploy::process::{Cmd, Outcome, ToolFailed};
use serde_json::Value;

use crate::clouds::Edge;
use crate::clouds::cloudflare::Cloudflare;
use crate::support::{Client, Project, run, tools, with};

struct Setting {
    project: Project,
    edge: Edge,
    cloudflare: Cloudflare,
    client: Client,
}

impl Setting {
    fn new() -> Self {
        let edge = Edge::start();
        let cloudflare = Cloudflare::start(&edge, tools());
        let client = Client::new(&edge);
        Setting { project: Project::new(), edge, cloudflare, client }
    }

    fn mcp_deploy(&self, args: &[&str]) -> Result<Outcome, ToolFailed> {
        let cmd = Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).args(args).current_dir(self.project.root());
        run(&with(with(cmd, &self.cloudflare.environment()), &self.edge.environment()))
    }

    fn record(&self) -> Value {
        let text =
            std::fs::read_to_string(self.project.root().join(".mcp-deploy/deployments.json")).expect("the record");
        serde_json::from_str(&text).expect("JSON")
    }
}

#[test]
fn cloudflare_there_and_back() {
    let setting = Setting::new();
    let url = "https://weather.mcp-tests.workers.dev/mcp";
    let shipped = setting.mcp_deploy(&["ship", "--target", "cloudflare"]).unwrap();
    assert_eq!(shipped.stdout, format!("{url}\n"), "stdout is the URL and nothing else");
    let first = setting.client.temperature(url);
    assert_eq!(setting.record()["deployments"][0]["state"], "verified");

    setting.project.make_warmer(100);
    setting.mcp_deploy(&["ship", "--target", "cloudflare"]).unwrap();
    assert_eq!(setting.client.temperature(url), first + 100);

    let status = setting.mcp_deploy(&["status", "--json"]).unwrap();
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(status["deployments"][0]["healthy"], true);

    setting.mcp_deploy(&["rollback", "--target", "cloudflare", "--yes"]).unwrap();
    assert_eq!(setting.client.temperature(url), first);
    setting.mcp_deploy(&["destroy", "--target", "cloudflare", "--yes"]).unwrap();
    assert!(!setting.cloudflare.exists("weather"));
    assert_eq!(setting.record()["deployments"], serde_json::json!([]));
}
