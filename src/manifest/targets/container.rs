//! `[targets.container]`: an image for any place that runs containers, its port, its store and what stands before it.

use serde_json::{Map, Value, json};

use super::overrides::{Relied, overrides};
use super::{CloudLimits, Facts, Format, stores};
use crate::manifest::names::shown;
use crate::manifest::reader::Fields;

pub static FACTS: Facts = Facts {
    name: "container",
    title: "Containers",
    // The server holds body and result in memory; whatever runs the image may allow less.
    limits: CloudLimits { timeout: None, body: 100 << 20, result: 100 << 20, rate_windows: &[] },
    file: "compose.yaml",
    format: Format::Yaml,
    outputs: &[".dockerignore", ".gcloudignore", "Dockerfile", "compose.yaml"],
    leftovers: &[],
    store: |targets| match targets.container.as_ref().is_some_and(|container| container.upstash) {
        true => &stores::UPSTASH,
        false => &stores::SQLITE,
    },
    reserved: &[
        ("FLY_APP_NAME", "Fly.io"),
        ("FLY_MACHINE_", "Fly.io"),
        ("K_REVISION", "Cloud Run"),
        ("K_SERVICE", "Cloud Run"),
        ("MCP_HOST", "mcp-deploy"),
        ("MCP_STATE_FILE", "mcp-deploy"),
    ],
    unasked: false,
    chosen: |targets| targets.container.is_some(),
    domains: |_| Vec::new(),
    overrides: |targets| targets.container.as_ref().map(|container| &container.overrides),
    read: |fields, targets| targets.container = Some(container(fields, targets.container.take().unwrap_or_default())),
    disinherit: |_| (),
    check: |_, _| (),
    schema,
};

#[derive(Debug, Clone)]
pub struct Container {
    pub port: u64,
    /// The processor of the image, as AWS Lambda calls it.
    pub architecture: String,
    /// The header in which the nearest proxy names the client, in small letters; `None`: the client is the one who
    /// connects.
    pub client_address: Option<String>,
    /// State and counts are in Upstash Redis, and not in a file on a volume.
    pub upstash: bool,
    /// Merged into `compose.yaml`.
    pub overrides: Map<String, Value>,
}

impl Default for Container {
    fn default() -> Self {
        Container {
            port: 8080,
            architecture: ARCHITECTURES[0].to_owned(),
            client_address: None,
            upstash: false,
            overrides: Map::new(),
        }
    }
}

const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];
const STORES: [&str; 2] = ["sqlite", "upstash"];

fn container(fields: &Fields<'_, '_>, base: Container) -> Container {
    let container = Container {
        port: fields.integer("port", 1..=65_535).unwrap_or(base.port),
        architecture: fields.choice("architecture", &ARCHITECTURES).unwrap_or(base.architecture),
        client_address: client_address(fields).or(base.client_address),
        upstash: fields.choice("store", &STORES).map_or(base.upstash, |store| store == STORES[1]),
        overrides: overrides(fields, base.overrides, RELIED, &[]),
    };
    super::no_websocket(fields, "a container's server");
    fields.finish();
    container
}

fn client_address(fields: &Fields<'_, '_>) -> Option<String> {
    let name = fields.string("client_address")?.to_lowercase();
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !is_name {
        let hint = "write the name of the header that the nearest proxy sets, such as `X-Forwarded-For`".to_owned();
        fields.error("client_address", format!("`{}` is not a header's name", shown(&name)), Some(hint));
    } else if name == "forwarded" {
        let hint = "name a header whose value is an address, such as `X-Forwarded-For`".to_owned();
        fields.error("client_address", "the value of `Forwarded` is not an address", Some(hint));
    }
    Some(name)
}

/// Its part of the JSON Schema.
fn schema() -> Value {
    json!({
        "port": { "type": "integer", "minimum": 1, "maximum": 65_535, "description": "The port of the server in the image, unless the variable PORT names another." },
        "architecture": { "enum": ARCHITECTURES, "description": "The processor of the image." },
        "client_address": { "type": "string", "description": "The header in which the nearest proxy names the client." },
        "store": { "enum": STORES, "description": "Where state and counts are kept: a SQLite file on a volume, or Upstash Redis." },
    })
}

/// What mcp-deploy itself relies on in `compose.yaml`.
const RELIED: &Relied = &[
    (&["services", "server", "build"], ""),
    (&["services", "server", "environment", "MCP_HOST"], ""),
    (&["services", "server", "environment", "PORT"], "set `port`"),
    (&["services", "server", "platform"], "set `architecture`"),
];
