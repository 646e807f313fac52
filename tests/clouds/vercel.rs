//! `vercel` against the stand-in of Vercel.

use mcp_deploy::process::{Cmd, ToolFailed};
use mcp_deploy::toolchain::ToolId;
use serde_json::Value;

use crate::clouds::vercel::{TEAM_SLUG, Vercel};
use crate::clouds::{Edge, Fault, Outage};
use crate::support::{Client, Project, run, tools, with};

struct Setting {
    project: Project,
    edge: Edge,
    cloud: Vercel,
    client: Client,
}

impl Setting {
    fn new() -> Self {
        let edge = Edge::start();
        let cloud = Vercel::start(&edge, tools());
        let client = Client::new(&edge);
        Setting { project: Project::new(), edge, cloud, client }
    }

    fn vercel(&self, args: &[&str]) -> Cmd {
        with(self.project.tool(ToolId::Vercel, args), &self.cloud.environment())
    }

    fn link(&self) -> Result<(), ToolFailed> {
        run(&self.vercel(&["link", "--yes", "--project", "weather", "--scope", TEAM_SLUG]))?;
        run(&self.vercel(&["pull", "--yes", "--environment=production"])).map(|_| ())
    }

    fn build(&self) {
        run(&self.vercel(&["build", "--prod", "--yes"])).unwrap();
    }

    fn deploy(&self) -> Result<Value, ToolFailed> {
        let deploy = ["deploy", "--prebuilt", "--prod", "--yes", "--archive=tgz", "--format=json"];
        // Only here: `npm install` of the build has to reach its registry.
        let done = run(&with(self.vercel(&deploy), &self.edge.environment()))?;
        Ok(serde_json::from_str(&done.stdout).expect("JSON on stdout"))
    }
}

#[test]
fn what_vercel_deploys_is_what_answers() {
    let setting = Setting::new();
    setting.link().unwrap();
    setting.build();
    let deployed = setting.deploy().unwrap();
    assert_eq!(deployed["readyState"], "READY");
    assert_eq!(deployed["productionUrl"], "https://weather.vercel.app");
    let url = "https://weather.vercel.app/mcp";
    let first = setting.client.temperature(url);
}
