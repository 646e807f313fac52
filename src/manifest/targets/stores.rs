//! What targets keep things in between two requests: the counts of calls, and `ctx.state`.

use crate::manifest::Manifest;

/// One such store.
pub struct Store {
    pub name: &'static str,
    /// Whether it counts calls; where it does not, the platform itself does.
    pub counts: bool,
    /// What the server needs to reach it, unless the target's own identity does.
    pub secrets: &'static [Credential],
}

/// A secret that a store declares, for the targets that use it.
pub struct Credential {
    pub name: &'static str,
    /// Another name that the value may go by in the cloud.
    pub alias: &'static str,
    /// Behind the target's title.
    pub description: &'static str,
}

impl Store {
    /// Whether a server keeps anything in it.
    pub fn is_used(&self, manifest: &Manifest) -> bool {
        manifest.has_state() || (self.counts && manifest.access.rate_limit.is_some())
    }
}

/// Every store; each holds the contract in `tests/e2e/state.rs`.
pub static ALL: [&Store; 5] = [&DYNAMODB, &UPSTASH, &DURABLE_OBJECTS, &SQLITE, &FILE];

pub static DYNAMODB: Store = Store { name: "dynamodb", counts: true, secrets: &[] };

/// Its aliases are what Vercel's Marketplace sets for a database that it made.
pub static UPSTASH: Store = Store {
    name: "upstash",
    counts: true,
    secrets: &[
        Credential {
            name: "UPSTASH_REDIS_REST_URL",
            alias: "KV_REST_API_URL",
            description: "the Upstash Redis database, its REST URL",
        },
        Credential {
            name: "UPSTASH_REDIS_REST_TOKEN",
            alias: "KV_REST_API_TOKEN",
            description: "the Upstash Redis database, its REST token",
        },
    ],
};

/// Each with a database of SQLite.
pub static DURABLE_OBJECTS: Store = Store { name: "durable-objects", counts: false, secrets: &[] };

/// A database on a volume, which one machine has: its processes share state and counts.
pub static SQLITE: Store = Store { name: "sqlite", counts: true, secrets: &[] };

/// Of SQLite, on this machine: what runs here keep state in, unless the target's own runtime has its store. Every
/// server has it, and no bundle for a cloud that has no use for it contains it.
pub static FILE: Store = Store { name: "file", counts: false, secrets: &[] };
