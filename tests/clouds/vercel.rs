//! `vercel` against the stand-in of Vercel.

use std::sync::{Mutex, PoisonError};

use mcp_deploy::process::{Cmd, ToolFailed};
use mcp_deploy::toolchain::ToolId;
use serde_json::Value;
use tempfile::TempDir;

use crate::clouds::vercel::{TEAM_SLUG, Vercel};
use crate::clouds::{Edge, Fault, Outage};
use crate::packages::link_tree;
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

    /// The project as it was made, built by the first test that asks: nothing of a build depends on where it will be
    /// deployed.
    fn take_build(&self) {
        const BUILT: [&str; 2] = [".vercel/output", "dist"];
        static MODEL: Mutex<Option<TempDir>> = Mutex::new(None);
        let mut model = MODEL.lock().unwrap_or_else(PoisonError::into_inner);
        let (from, to) = match &*model {
            Some(model) => (model.path().to_owned(), self.project.root()),
            None => {
                self.build();
                (self.project.root(), model.insert(tempfile::tempdir().expect("a temporary folder")).path().to_owned())
            }
        };
        BUILT.iter().for_each(|built| link_tree(&from.join(built), &to.join(built)));
    }

    fn deploy(&self) -> Result<Value, ToolFailed> {
        let deploy = ["deploy", "--prebuilt", "--prod", "--yes", "--archive=tgz", "--format=json"];
        // Only here: `npm install` of the build has to reach its registry.
        let done = run(&with(self.vercel(&deploy), &self.edge.environment()))?;
        Ok(serde_json::from_str(&done.stdout).expect("JSON on stdout"))
    }
}

const PRODUCTION: &str = "https://weather.vercel.app/mcp";
const SECRET: &str = "s3cret-of-the-weather-service";

#[test]
fn what_vercel_deploys_is_what_answers() {
    let setting = Setting::new();
    setting.link().unwrap();
    setting.take_build();
    let deployed = setting.deploy().unwrap();
    assert_eq!(deployed["readyState"], "READY");
    assert_eq!(deployed["productionUrl"], "https://weather.vercel.app");
    assert_eq!(deployed["deploymentProtection"][0], "vercel_authentication");
    let first = setting.client.temperature(PRODUCTION);
    let own = deployed["url"].as_str().unwrap();
    let (status, page) = setting.client.get(&format!("{own}/health")).unwrap();
    assert!(status == 401 && page.contains("vercel.com/sso-api"), "{status} {page}");

    setting.deploy().unwrap();
    assert_eq!(setting.client.temperature(PRODUCTION), first);
    setting.project.make_warmer(100);
    setting.build();
    setting.deploy().unwrap();
    assert_eq!(setting.client.temperature(PRODUCTION), first + 100);
    let list = run(&setting.vercel(&["list", "weather", "--format=json"])).unwrap();
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    assert_eq!(list["deployments"].as_array().unwrap().len(), 3);

    // Back. From then on deployments wait to be promoted.
    let before = setting.cloud.deployments("weather");
    run(&setting.vercel(&["rollback", &before[0], "--yes"])).unwrap();
    assert_eq!(setting.client.temperature(PRODUCTION), first);
    setting.deploy().unwrap();
    assert_eq!(setting.client.temperature(PRODUCTION), first);
    let newest = setting.cloud.deployments("weather").pop().unwrap();
    run(&setting.vercel(&["promote", &newest, "--yes"])).unwrap();
    assert_eq!(setting.client.temperature(PRODUCTION), first + 100);

    run(&setting.vercel(&["remove", "weather", "--yes"])).unwrap();
    assert!(!setting.cloud.exists("weather"));
    assert_eq!(setting.client.get(PRODUCTION).unwrap().0, 404);
    assert_eq!(setting.edge.refused(), Vec::<String>::new());
}

#[test]
fn secrets_go_to_the_store_and_to_the_function_alone() {
    let setting = Setting::new();
    setting.project.with_secret();
    setting.link().unwrap();
    let add = ["env", "add", "WEATHER_API_KEY", "production", "--force", "--yes", "--type", "secret"];
    run(&setting.vercel(&add).stdin(SECRET)).unwrap();
    assert_eq!(setting.cloud.secret("weather", "WEATHER_API_KEY").as_deref(), Some(SECRET));
    let list = run(&setting.vercel(&["env", "ls", "production", "--format=json"])).unwrap();
    assert!(list.stdout.contains("WEATHER_API_KEY") && !list.stdout.contains(SECRET), "{}", list.stdout);
    run(&setting.vercel(&["pull", "--yes", "--environment=production"])).unwrap();
    setting.build();
    setting.deploy().unwrap();
    assert_eq!(setting.client.secret_length(PRODUCTION), SECRET.len());
    let told: Vec<String> =
        setting.cloud.api().requests_with(SECRET).iter().map(|request| request.path.clone()).collect();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("/v10/projects/prj_") && told[0].ends_with("/env"), "{told:?}");
    // A changed value is seen by the next deployment, not by the last.
    run(&setting.vercel(&add).stdin("another")).unwrap();
    assert_eq!(setting.client.secret_length(PRODUCTION), SECRET.len());
    setting.deploy().unwrap();
    assert_eq!(setting.client.secret_length(PRODUCTION), "another".len());
}

#[test]
fn vercel_says_what_went_wrong() {
    let setting = Setting::new();
    let wrong = setting.vercel(&["whoami"]).env_noise("VERCEL_TOKEN", "tokenofsomebodyelse");
    let failed = run(&wrong).unwrap_err();
    assert!(failed.tail.contains("token"), "{}", failed.tail);
    setting.link().unwrap();
    setting.take_build();
    let deployments = "/v13/deployments";
    let table = [
        (Fault::status(500).at("POST", deployments), "unexpected"),
        (Fault::status(403).at("POST", deployments), "Not authorized"),
        (Fault::status(429).at("POST", deployments), "creating deployments at a very fast pace"),
        (Fault::reset().at("POST", deployments), "fetch failed"),
    ];
    for (fault, said) in table {
        setting.cloud.fail(fault);
        let failed = setting.deploy().unwrap_err();
        assert_eq!(failed.code, Some(1));
        assert!(failed.tail.contains(said), "{said}: {} {}", failed.tail, failed.stdout);
        setting.cloud.heal();
    }
    setting.cloud.refuse_next_deployment("The function is larger than it may be");
    let failed = setting.deploy().unwrap_err();
    let answer: Value = serde_json::from_str(&failed.stdout).unwrap_or_else(|_| panic!("{failed:?}"));
    assert_eq!(answer["readyState"], "ERROR");
    assert_eq!(answer["error"]["message"], "The function is larger than it may be");
}

#[test]
fn what_is_broken_or_protected_is_deployed_all_the_same() {
    let setting = Setting::new();
    setting.link().unwrap();
    setting.take_build();
    setting.deploy().unwrap();
    let first = setting.client.temperature(PRODUCTION);

    setting.cloud.break_next_version();
    setting.deploy().unwrap();
    let (status, page) = setting.client.get(PRODUCTION).unwrap();
    assert!(status == 500 && page.contains("FUNCTION_INVOCATION_FAILED"), "{status} {page}");
    let before = setting.cloud.deployments("weather");
    run(&setting.vercel(&["rollback", &before[0], "--yes"])).unwrap();
    assert_eq!(setting.client.temperature(PRODUCTION), first);

    setting.cloud.protect("weather", true);
    assert_eq!(setting.client.get(PRODUCTION).unwrap().0, 401);
    run(&setting.vercel(&["project", "protection", "disable", "weather", "--sso"])).unwrap();
    assert_eq!(setting.client.temperature(PRODUCTION), first);

    setting.cloud.outage(Outage::DeadFor(1));
    assert!(setting.client.call(PRODUCTION).is_err());
    assert_eq!(setting.client.temperature(PRODUCTION), first);
}
