//! Cloudflare's API as far as `wrangler` calls it, and workerd for what it uploads.
//!
//! A Worker is served at `https://NAME.ACCOUNT.workers.dev`, reached through the [`Edge`]: the version with the largest
//! share of the latest deployment. Modules, plain and secret variables, rate limits and Durable Objects of `exports`
//! run in real workerd.

mod multipart;
mod routes;
mod runtime;
mod state;
mod tail;

use std::sync::{Arc, Mutex};

use mcp_deploy::toolchain::Toolchain;
use serde_json::Value;

use super::api::{Api, Fault};
use super::edge::Edge;
use super::http::{Request, Response, lock};
use super::site::{Outage, Route, Site};
use state::State;

pub const TOKEN: &str = "cf-token-of-the-tests";
pub const ACCOUNT: &str = "0123456789abcdef0123456789abcdef";
pub const SUBDOMAIN: &str = "mcp-tests";

pub struct Cloudflare {
    api: Api,
    shared: Arc<Shared>,
}

struct Shared {
    tools: Toolchain,
    state: Arc<Mutex<State>>,
    outage: Arc<Mutex<Outage>>,
    hosts: super::edge::Hosts,
    tails: tail::Tails,
}

impl Cloudflare {
    /// `tools` must have been resolved for `cloudflare`.
    pub fn start(edge: &Edge, tools: &Toolchain) -> Self {
        let shared = Arc::new(Shared {
            tools: tools.clone(),
            state: Arc::default(),
            outage: Arc::default(),
            hosts: edge.hosts.clone(),
            tails: tail::Tails::start(),
        });
        let nothing = Response::new(404, "text/html", "<title>There is nothing here yet</title>\n");
        let nothing = Site::new(Route::Nothing(nothing), &shared.outage, &[]);
        shared.hosts.publish(&format!("*.{SUBDOMAIN}.workers.dev"), &nothing);
        let api = Api::start(Arc::clone(&shared) as Arc<dyn super::api::Cloud>);
        Cloudflare { api, shared }
    }

    /// What `wrangler` needs to come here instead.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("CLOUDFLARE_API_BASE_URL", format!("{}/client/v4", self.api.url())),
            ("CLOUDFLARE_API_TOKEN", TOKEN.to_owned()),
            ("CLOUDFLARE_ACCOUNT_ID", ACCOUNT.to_owned()),
        ]
    }

    /// `https://NAME.ACCOUNT.workers.dev`
    pub fn url(&self, worker: &str) -> String {
        format!("https://{}", host(worker))
    }

    pub fn fail(&self, fault: Fault) {
        self.api.fail(fault);
    }

    pub fn heal(&self) {
        self.api.heal();
        self.outage(Outage::None);
    }

    /// What goes wrong at the addresses of all Workers.
    pub fn outage(&self, outage: Outage) {
        *lock(&self.shared.outage) = outage;
    }

    /// The next uploaded version is accepted, and answers everything with the page of a Worker that threw.
    pub fn break_next_version(&self) {
        lock(&self.shared.state).break_next = true;
    }

    /// Accounts begin without a workers.dev subdomain.
    pub fn take_subdomain_away(&self) {
        lock(&self.shared.state).has_subdomain = false;
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    pub fn requests(&self) -> Vec<Request> {
        self.api.requests()
    }

    /// The value of a Worker's secret, as it is stored.
    pub fn secret(&self, worker: &str, name: &str) -> Option<String> {
        let state = lock(&self.shared.state);
        state.workers.get(worker)?.latest()?.secrets().remove(name)
    }

    /// What the newest version said of the classes that it exports.
    pub fn exports(&self, worker: &str) -> Value {
        let state = lock(&self.shared.state);
        let latest = state.workers.get(worker).and_then(state::Worker::latest);
        latest.map(|version| version.metadata["exports"].clone()).unwrap_or_default()
    }

    /// Somebody's Worker, with a secret and a database of theirs. It answers nothing.
    pub fn make_worker(&self, name: &str) {
        let mut state = lock(&self.shared.state);
        let ((version, created_on), (deployment, deployed_on)) = (state.stamp(), state.stamp());
        let bindings = vec![
            serde_json::json!({ "type": "secret_text", "name": "STRIPE_KEY", "text": "sk_of_the_shop" }),
            serde_json::json!({ "type": "d1", "name": "ORDERS", "id": "d1-of-the-shop" }),
        ];
        let version = state::Version {
            id: version,
            number: 1,
            created_on,
            metadata: Value::Null,
            bindings,
            modules: Vec::new(),
            annotations: Value::Null,
            broken: true,
        };
        let deployment = state::Deployment {
            id: deployment,
            created_on: deployed_on,
            versions: vec![(version.id.clone(), 100.0)],
            annotations: serde_json::json!({ "workers/message": "the shop" }),
        };
        let worker =
            state::Worker { versions: vec![version], deployments: vec![deployment], ..state::Worker::default() };
        state.workers.insert(name.to_owned(), worker);
    }

    /// It has no database.
    pub fn take_databases(&self, worker: &str) {
        let mut state = lock(&self.shared.state);
        for version in state.workers.get_mut(worker).map(|worker| &mut worker.versions).into_iter().flatten() {
            version.bindings.retain(|binding| binding["type"] != "d1");
        }
    }

    /// Somebody else has an older version served.
    pub fn serve(&self, worker: &str, version: &str) {
        let url = format!("{}/client/v4/accounts/{ACCOUNT}/workers/scripts/{worker}/deployments", self.api.url());
        let body = serde_json::json!({
            "strategy": "percentage", "versions": [{ "version_id": version, "percentage": 100 }],
        });
        let request = ureq::post(url).header("authorization", format!("Bearer {TOKEN}"));
        request.header("content-type", "application/json").send(body.to_string()).expect("it is served");
    }

    /// As 0.1.0 left it.
    pub fn take_mark(&self, worker: &str) {
        let mut state = lock(&self.shared.state);
        for version in state.workers.get_mut(worker).map(|worker| &mut worker.versions).into_iter().flatten() {
            version.bindings.retain(|binding| binding["name"] != "MCP_DEPLOY_PROJECT");
        }
    }

    /// The value of a plain variable of the version that is served.
    pub fn variable(&self, worker: &str, name: &str) -> Option<String> {
        let state = lock(&self.shared.state);
        let live = state.workers.get(worker)?.live()?;
        let found = live.bindings.iter().find(|binding| binding["name"] == name && binding["type"] == "plain_text");
        Some(state::text(&found?["text"]))
    }

    /// All there is of a Worker, to be compared.
    pub fn snapshot(&self, worker: &str) -> String {
        let state = lock(&self.shared.state);
        let Some(worker) = state.workers.get(worker) else { return "nothing".to_owned() };
        let versions: Vec<_> = worker.versions.iter().map(|version| (version.json(), &version.bindings)).collect();
        let deployments: Vec<_> = worker.deployments.iter().map(state::Deployment::json).collect();
        format!("{versions:?}\n{deployments:?}\n{}\n{:?}\n{}", worker.tags, worker.classes, worker.workers_dev)
    }

    /// The ids of the versions, the oldest first.
    pub fn versions(&self, worker: &str) -> Vec<String> {
        let state = lock(&self.shared.state);
        let versions = state.workers.get(worker).map(|worker| worker.versions.as_slice()).unwrap_or_default();
        versions.iter().map(|version| version.id.clone()).collect()
    }

    /// The version that is served now.
    pub fn live(&self, worker: &str) -> Option<String> {
        let state = lock(&self.shared.state);
        Some(state.workers.get(worker)?.live()?.id.clone())
    }

    pub fn exists(&self, worker: &str) -> bool {
        lock(&self.shared.state).workers.contains_key(worker)
    }
}

fn host(worker: &str) -> String {
    format!("{worker}.{SUBDOMAIN}.workers.dev")
}
