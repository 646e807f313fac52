//! What clouds keep things in between two requests where they do not do it themselves.

/// One such store.
pub struct Store {
    /// The folder of its client below `templates/store`.
    pub name: &'static str,
    /// What the server needs to reach it, unless the cloud's own identity does.
    pub secrets: &'static [Credential],
}

/// A secret that a store declares, for the clouds that use it.
pub struct Credential {
    pub name: &'static str,
    /// Another name that the value may go by in the cloud.
    pub alias: &'static str,
    /// Behind the cloud's title.
    pub description: &'static str,
}

pub static DYNAMODB: Store = Store { name: "dynamodb", secrets: &[] };

/// Its aliases are what Vercel's Marketplace sets for a database that it made.
pub static UPSTASH: Store = Store {
    name: "upstash",
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
