//! `sam` against the stand-in of AWS.

use mcp_deploy::process::{Cmd, ToolFailed};
use mcp_deploy::toolchain::ToolId;
use serde_json::Value;

use crate::clouds::aws::Aws;
use crate::clouds::{Fault, Outage};
use crate::support::{Client, Project, run, tools, with};

const REGION: &str = "us-east-1";

struct Setting {
    project: Project,
    cloud: Aws,
    client: Client,
}

impl Setting {
    fn new() -> Self {
        Setting { project: Project::new(), cloud: Aws::start(tools()), client: Client::direct() }
    }

    fn sam(&self, args: &[&str]) -> Cmd {
        let cmd = with(self.project.tool(ToolId::Sam, args), &self.cloud.environment());
        cmd.env_noise("__SAM_CLI_APP_DIR", self.project.home())
    }

    fn build(&self) {
        run(&self.sam(&["build"])).unwrap();
    }

    fn deploy(&self, region: &str) -> Result<String, ToolFailed> {
        let options = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"];
        let deploy = ["deploy", "--stack-name", "weather", "--region", region, "--resolve-s3"];
        let done = run(&self.sam(&deploy).args(["--capabilities", "CAPABILITY_IAM"]).args(options))?;
        Ok(done.stdout + &done.log)
    }

    fn url(&self, region: &str) -> String {
        let list = ["list", "stack-outputs", "--stack-name", "weather", "--region", region, "--output", "json"];
        let outputs: Value = serde_json::from_str(&run(&self.sam(&list)).unwrap().stdout).unwrap();
        let endpoint = outputs.as_array().unwrap().iter().find(|output| output["OutputKey"] == "McpEndpoint");
        endpoint.unwrap()["OutputValue"].as_str().unwrap().to_owned()
    }
}

#[test]
fn what_sam_deploys_is_what_answers() {
    let setting = Setting::new();
    setting.build();
    setting.deploy(REGION).unwrap();
    let url = setting.url(REGION);
    let first = setting.client.temperature(&url);

    // The same again is no failure, and no new version.
    let said = setting.deploy(REGION).unwrap();
    assert!(said.contains("No changes to deploy"), "{said}");
    let function = setting.cloud.output(REGION, "weather", "FunctionName").unwrap();
    assert_eq!(setting.cloud.versions(REGION, &function), Some((1, vec![1])));

    setting.project.make_warmer(100);
    setting.build();
    setting.deploy(REGION).unwrap();
    assert_eq!(setting.url(REGION), url);
    assert_eq!(setting.client.temperature(&url), first + 100);
    assert_eq!(setting.cloud.versions(REGION, &function), Some((2, vec![1, 2])));
}
