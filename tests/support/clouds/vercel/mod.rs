//! Vercel's API as far as `vercel` calls it, and Node with our launcher for the function that it uploads.
//!
//! Production is served at `https://PROJECT.vercel.app`, reached through the [`Edge`]; the deployment's own URL is
//! behind Deployment Protection, as in every new project. Only the prebuilt function `index.func` runs: no routes, no
//! static files.

mod deployments;
mod projects;
mod runtime;
mod state;

use std::sync::{Arc, Mutex};

use mcp_deploy::toolchain::Toolchain;
use serde_json::{Value, json};

use super::api::{Api, Cloud, Fault};
use super::edge::{Edge, Hosts};
use super::http::{Reply, Request, Response, lock};
use super::site::{Outage, Route, Site};
use state::State;

pub const TOKEN: &str = "verceltokenofthetests0001";
pub const TEAM: &str = "team_mcptests0000000000000";
pub const TEAM_SLUG: &str = "mcp-tests";

pub struct Vercel {
    api: Api,
    shared: Arc<Shared>,
    /// Where the CLI finds which API to call, without an argument for it.
    config: tempfile::TempDir,
}

struct Shared {
    tools: Toolchain,
    state: Mutex<State>,
    outage: Arc<Mutex<Outage>>,
    hosts: Hosts,
}

impl Vercel {
    /// `tools` must have been resolved for `vercel`.
    pub fn start(edge: &Edge, tools: &Toolchain) -> Self {
        let shared = Arc::new(Shared {
            tools: tools.clone(),
            state: Mutex::default(),
            outage: Arc::default(),
            hosts: edge.hosts.clone(),
        });
        let nothing = Site::new(Route::Nothing(deployments::not_found()), &shared.outage, &[]);
        shared.hosts.publish("*.vercel.app", &nothing);
        let api = Api::start(Arc::clone(&shared) as Arc<dyn Cloud>);
        let config = tempfile::tempdir().expect("a temporary folder");
        let folder = config.path().join("com.vercel.cli");
        std::fs::create_dir_all(&folder).expect("a folder for the CLI");
        let text = json!({ "api": api.url(), "telemetry": { "enabled": false } }).to_string();
        std::fs::write(folder.join("config.json"), text).expect("the CLI's configuration");
        Vercel { api, shared, config }
    }

    /// What `vercel` needs to come here instead.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            // The CLI keeps its configuration, and there the address of the API, below this folder.
            ("XDG_DATA_HOME", self.config.path().display().to_string()),
            ("VERCEL_TOKEN", TOKEN.to_owned()),
        ]
    }

    /// The address for `--api`.
    pub fn url(&self) -> String {
        self.api.url()
    }

    /// `https://PROJECT.vercel.app`
    pub fn production_url(&self, project: &str) -> String {
        format!("https://{project}.vercel.app")
    }

    pub fn fail(&self, fault: Fault) {
        self.api.fail(fault);
    }

    pub fn heal(&self) {
        self.api.heal();
        self.outage(Outage::None);
    }

    /// What goes wrong at all addresses.
    pub fn outage(&self, outage: Outage) {
        *lock(&self.shared.outage) = outage;
    }

    /// The next deployment becomes READY, and its function fails at every request.
    pub fn break_next_version(&self) {
        lock(&self.shared.state).break_next = true;
    }

    /// The next deployment ends as ERROR, with this message.
    pub fn refuse_next_deployment(&self, message: &str) {
        lock(&self.shared.state).refuse_next = Some(message.to_owned());
    }

    /// Deployment Protection for production too, or for nothing.
    pub fn protect(&self, project: &str, everything: bool) {
        let protection = if everything { json!({ "deploymentType": "all" }) } else { Value::Null };
        if let Some(project) = lock(&self.shared.state).project_mut(project) {
            project.protection = protection;
        }
        self.shared.refresh(project);
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    pub fn requests(&self) -> Vec<Request> {
        self.api.requests()
    }

    /// The value of a variable, as it is stored: sensitive ones too.
    pub fn secret(&self, project: &str, name: &str) -> Option<String> {
        let mut state = lock(&self.shared.state);
        let variables = &state.project_mut(project)?.variables;
        variables.iter().find(|variable| variable.key == name).map(|variable| variable.value.clone())
    }

    /// A project of another repository, with its own domain and variable.
    pub fn make_project(&self, name: &str) {
        let variable =
            json!({ "key": "DATABASE_URL", "value": "postgres://shop", "type": "encrypted", "target": ["production"] });
        let made = json!({ "name": name, "framework": "nextjs", "environmentVariables": [variable] });
        let made = self.shared.create_project(&made);
        assert!(made.is_ok(), "a project can be made");
        if let Some(project) = lock(&self.shared.state).project_mut(name) {
            project.link = json!({ "type": "github", "org": "acme", "repo": "shop" });
            project.own_domains = vec!["shop.example.com".to_owned()];
        }
    }

    /// Leaves a project its `vercel.app` alone.
    pub fn take_domains(&self, project: &str) {
        if let Some(project) = lock(&self.shared.state).project_mut(project) {
            project.own_domains.clear();
        }
    }

    /// As 0.1.0 left it.
    pub fn take_mark(&self, project: &str) {
        if let Some(project) = lock(&self.shared.state).project_mut(project) {
            project.variables.retain(|variable| variable.key != "MCP_DEPLOY_PROJECT");
        }
    }

    /// All there is of a project, to be compared.
    pub fn snapshot(&self, name: &str) -> String {
        let mut state = lock(&self.shared.state);
        let own = |project: &mut state::Project| {
            format!("{}\n{:#?}\n{:?}", project.json(), project.variables, project.own_domains)
        };
        let project = state.project_mut(name).map(own);
        format!("{project:?}\n{}", state.deployments.len())
    }

    /// The ids of the deployments, the oldest first.
    pub fn deployments(&self, project: &str) -> Vec<String> {
        let mut state = lock(&self.shared.state);
        let Some(project) = state.project_mut(project).map(|project| project.id.clone()) else { return Vec::new() };
        let own = state.deployments.iter().filter(|deployment| deployment.project == project);
        own.map(|deployment| deployment.id.clone()).collect()
    }

    /// The deployment that production shows.
    pub fn live(&self, project: &str) -> Option<String> {
        lock(&self.shared.state).project_mut(project)?.production.clone()
    }

    pub fn exists(&self, project: &str) -> bool {
        lock(&self.shared.state).project_mut(project).is_some()
    }
}

type Answer = Result<Value, Response>;

impl Cloud for Shared {
    fn answer(&self, request: &Request) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return refuse().into();
        }
        let parts = request.parts();
        // The version of an endpoint says little about what it answers.
        let is_version = |part: &&str| part.len() < 4 && part.starts_with('v') && part[1..].parse::<u8>().is_ok();
        let path = if parts.first().is_some_and(is_version) { &parts[1..] } else { &parts[..] };
        let answered = match (request.method.as_str(), path) {
            ("GET", ["user"]) => {
                let user = json!({
                    "id": "user_tests", "uid": "user_tests", "email": "tests@example.com", "username": "tests",
                    "name": "Tests", "defaultTeamId": TEAM, "version": "northstar",
                });
                Ok(json!({ "user": user }))
            }
            ("GET", ["teams"]) => {
                Ok(json!({ "teams": [team()], "pagination": { "count": 1, "next": null, "prev": null } }))
            }
            ("GET", ["teams", TEAM | TEAM_SLUG]) => Ok(team()),
            (method, ["projects", rest @ ..]) => self.projects(method, rest, request),
            ("GET", ["env", "pull", project]) => self.pull(project, "development"),
            ("GET", ["env", "pull", project, target]) => self.pull(project, target),
            ("POST", ["files"]) => self.upload(request),
            (method, ["deployments", rest @ ..] | ["now", "deployments", rest @ ..]) => {
                self.deployments(method, rest, request)
            }
            ("GET", ["now", "aliases"] | ["aliases"]) => Ok(self.aliases()),
            // No function of the stand-in's has a log that outlives it.
            ("POST", ["observability", "events"]) => {
                Ok(json!({ "events": [], "pagination": { "hasMore": false, "nextCursor": null }, "meta": {} }))
            }
            _ => {
                Err(error(404, "not_found", &format!("the stand-in does not know {} {}", request.method, request.path)))
            }
        };
        match answered {
            Ok(body) => Response::json(200, &body).into(),
            Err(response) => response.into(),
        }
    }

    fn error(&self, _request: &Request, status: u16) -> Response {
        match status {
            401 | 403 => refuse(),
            429 => error(429, "rate_limited", "Too many requests. Please try again later"),
            status => error(status, "internal_server_error", "An unexpected internal error occurred"),
        }
    }
}

fn team() -> Value {
    json!({ "id": TEAM, "slug": TEAM_SLUG, "name": "Tests", "creatorId": "user_tests", "billing": { "plan": "pro" }, "membership": { "role": "OWNER" } })
}

fn refuse() -> Response {
    let error = json!({ "code": "forbidden", "message": "Not authorized", "invalidToken": true });
    Response::json(403, &json!({ "error": error }))
}

fn error(status: u16, code: &str, message: &str) -> Response {
    Response::json(status, &json!({ "error": { "code": code, "message": message } }))
}
