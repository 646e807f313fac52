//! What an account holds: Workers, their versions and deployments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::site::Site;
use super::super::time::iso_8601;
use super::runtime::Running;

pub struct State {
    pub workers: BTreeMap<String, Worker>,
    pub sites: BTreeMap<String, Arc<Site>>,
    pub has_subdomain: bool,
    pub break_next: bool,
    counter: u64,
}

impl Default for State {
    fn default() -> Self {
        State { workers: BTreeMap::new(), sites: BTreeMap::new(), has_subdomain: true, break_next: false, counter: 0 }
    }
}

impl State {
    /// A UUID, and a time after all earlier ones.
    pub fn stamp(&mut self) -> (String, String) {
        self.counter += 1;
        let digest = Sha256::digest(self.counter.to_le_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32]);
        (id, timestamp(self.counter))
    }
}

#[derive(Default)]
pub struct Worker {
    pub versions: Vec<Version>,
    /// The newest last.
    pub deployments: Vec<Deployment>,
    pub tags: Value,
    pub workers_dev: bool,
    pub domains: Vec<String>,
    /// Of Durable Objects: those that have a namespace.
    pub classes: BTreeSet<String>,
    /// By version: the one that is served, and one that was uploaded and is not served yet.
    pub running: BTreeMap<String, Running>,
}

#[derive(Clone)]
pub struct Version {
    pub id: String,
    pub number: usize,
    pub created_on: String,
    pub metadata: Value,
    /// With `inherit` resolved, and with the values of secrets.
    pub bindings: Vec<Value>,
    pub modules: Vec<Module>,
    pub annotations: Value,
    pub broken: bool,
}

#[derive(Clone)]
pub struct Module {
    pub name: String,
    pub content_type: String,
    pub content: Vec<u8>,
}

pub struct Deployment {
    pub id: String,
    pub created_on: String,
    pub versions: Vec<(String, f64)>,
    pub annotations: Value,
}

impl Worker {
    pub fn latest(&self) -> Option<&Version> {
        self.versions.last()
    }

    pub fn version(&self, id: &str) -> Option<&Version> {
        self.versions.iter().find(|version| version.id == id)
    }

    /// The version with the largest share of the latest deployment.
    pub fn live(&self) -> Option<&Version> {
        let shares = &self.deployments.last()?.versions;
        let (id, _) = shares.iter().max_by(|one, other| one.1.total_cmp(&other.1))?;
        self.version(id)
    }
}

impl Version {
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let secret = |binding: &Value| {
            let is_secret = binding["type"] == "secret_text";
            is_secret.then(|| (text(&binding["name"]), text(&binding["text"])))
        };
        self.bindings.iter().filter_map(secret).collect()
    }

    pub fn json(&self) -> Value {
        let has_preview = false;
        json!({
            "id": self.id,
            "number": self.number,
            "metadata": {
                "created_on": self.created_on, "modified_on": self.created_on, "source": "wrangler",
                "author_id": "author", "author_email": "tests@example.com", "has_preview": has_preview,
            },
            "annotations": self.annotations,
            "resources": {
                "bindings": self.bindings.iter().map(without_value).collect::<Vec<_>>(),
                "script": { "etag": self.etag(), "handlers": ["fetch"], "last_deployed_from": "wrangler" },
                "script_runtime": {
                    "compatibility_date": self.metadata["compatibility_date"],
                    "compatibility_flags": self.metadata["compatibility_flags"],
                    "usage_model": "standard",
                },
            },
            "startup_time_ms": 9,
        })
    }

    pub fn etag(&self) -> String {
        let mut hash = Sha256::new();
        self.modules.iter().for_each(|module| hash.update(&module.content));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Deployment {
    pub fn json(&self) -> Value {
        let version = |(id, percentage): &(String, f64)| json!({ "version_id": id, "percentage": percentage });
        json!({
            "id": self.id,
            "source": "wrangler",
            "strategy": "percentage",
            "author_email": "tests@example.com",
            "annotations": self.annotations,
            "versions": self.versions.iter().map(version).collect::<Vec<_>>(),
            "created_on": self.created_on,
        })
    }
}

/// Secrets can be written, never read.
pub fn without_value(binding: &Value) -> Value {
    let mut binding = binding.clone();
    let is_secret = binding["type"] == "secret_text";
    if let Some(fields) = binding.as_object_mut().filter(|_| is_secret) {
        fields.remove("text");
    }
    binding
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Now, with the microseconds replaced by a counter: two things never happen at the same time.
fn timestamp(counter: u64) -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    format!("{}.{counter:06}Z", iso_8601(seconds))
}
