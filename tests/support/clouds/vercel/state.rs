//! What a team holds: projects, their variables, uploaded files and deployments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::site::Site;
use super::runtime::Running;
use super::{TEAM, TEAM_SLUG};

#[derive(Default)]
pub struct State {
    pub projects: BTreeMap<String, Project>,
    /// By their SHA-1.
    pub files: BTreeMap<String, Vec<u8>>,
    pub deployments: Vec<Deployment>,
    pub break_next: bool,
    pub refuse_next: Option<String>,
    counter: u64,
}

pub struct Project {
    pub id: String,
    /// The repository that it is deployed from.
    pub link: Value,
    pub own_domains: Vec<String>,
    pub name: String,
    pub settings: Value,
    pub variables: Vec<Variable>,
    pub protection: Value,
    pub production: Option<String>,
    /// Off after a rollback, until somebody promotes.
    pub assigns_domain: bool,
    pub last_request: Value,
    pub site: Arc<Site>,
    pub running: Option<(String, Running)>,
}

#[derive(Clone, Debug)]
pub struct Variable {
    pub id: String,
    pub key: String,
    pub value: String,
    pub kind: String,
    pub target: Vec<String>,
}

#[derive(Clone)]
pub struct Deployment {
    pub id: String,
    pub project: String,
    pub name: String,
    /// Without the scheme.
    pub url: String,
    pub target: Option<String>,
    pub created: u64,
    pub error: Option<String>,
    pub alias: Vec<String>,
    /// Path, SHA-1, mode.
    pub files: Vec<(String, String, u32)>,
    /// What the project's variables were then.
    pub environment: Vec<(String, String)>,
    pub broken: bool,
    pub meta: Value,
}

impl State {
    pub fn project_mut(&mut self, name_or_id: &str) -> Option<&mut Project> {
        self.projects.values_mut().find(|project| project.name == name_or_id || project.id == name_or_id)
    }

    pub fn deployment(&self, id_or_host: &str) -> Option<&Deployment> {
        let is_meant = |deployment: &&Deployment| {
            deployment.id == id_or_host
                || deployment.url == id_or_host
                || deployment.alias.iter().any(|alias| alias == id_or_host)
        };
        self.deployments.iter().rev().find(is_meant)
    }

    /// Letters and digits that were not given before.
    pub fn id(&mut self) -> String {
        self.counter += 1;
        let digest = Sha256::digest(self.counter.to_le_bytes());
        digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Project {
    pub fn json(&self) -> Value {
        json!({
            "id": self.id, "name": self.name, "accountId": TEAM, "createdAt": 1_795_000_000_000_u64,
            "updatedAt": 1_795_000_000_000_u64, "framework": self.settings["framework"], "nodeVersion": "24.x",
            "devCommand": null, "installCommand": null, "buildCommand": null, "outputDirectory": null,
            "rootDirectory": null, "directoryListing": false, "ssoProtection": self.protection,
            "passwordProtection": null, "lastAliasRequest": self.last_request, "live": false,
            "autoAssignCustomDomains": self.assigns_domain, "targets": { "production": { "id": self.production } },
            "latestDeployments": [], "link": self.link,
        })
    }

    /// The project's own domain, and the one that every project of a team has besides.
    pub fn domains(&self) -> [String; 2] {
        [format!("{}.vercel.app", self.name), format!("{}-{TEAM_SLUG}.vercel.app", self.name)]
    }
}

impl Variable {
    pub fn of(id: String, given: &Value) -> Self {
        let text = |field: &str| given[field].as_str().unwrap_or_default().to_owned();
        let target = given["target"].as_array().into_iter().flatten().filter_map(|target| target.as_str());
        let target = target.map(str::to_owned).collect();
        Variable { id, key: text("key"), value: text("value"), kind: text("type"), target }
    }

    /// A sensitive value can be written, never read.
    pub fn json(&self) -> Value {
        let mut json = json!({
            "id": self.id, "key": self.key, "type": self.kind, "target": self.target,
            "createdAt": 1_795_000_000_000_u64, "updatedAt": 1_795_000_000_000_u64, "configurationId": null,
        });
        json["value"] = if self.kind == "sensitive" { json!("") } else { json!(self.value) };
        json
    }
}

impl Deployment {
    pub fn json(&self) -> Value {
        let ready = if self.error.is_some() { "ERROR" } else { "READY" };
        let mut json = json!({
            "id": self.id, "uid": self.id, "name": self.name, "url": self.url, "projectId": self.project,
            "ownerId": TEAM, "creator": { "uid": "user_tests", "username": "tests" }, "createdAt": self.created,
            "created": self.created, "ready": self.created, "readyState": ready, "state": ready, "status": ready,
            "target": self.target, "alias": self.alias, "aliasError": null, "aliasAssigned": self.created,
            "inspectorUrl": format!("https://vercel.com/{TEAM_SLUG}/{}/{}", self.name, self.id),
            "type": "LAMBDAS", "version": 2, "plan": "pro", "public": false, "regions": ["iad1"],
            "team": { "id": TEAM, "slug": TEAM_SLUG }, "meta": self.meta, "builds": [], "routes": null,
            "readySubstate": "PROMOTED", "isRollbackCandidate": true,
        });
        if let Some(message) = &self.error {
            json["errorCode"] = json!("BUILD_FAILED");
            json["errorMessage"] = json!(message);
            json["aliasAssigned"] = Value::Null;
            json["alias"] = json!([]);
        }
        json
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
