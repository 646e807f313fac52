//! `[targets.cloudflare]`: the Worker, where it answers and near to what it runs.

use serde_json::{Map, Value, json};

use super::overrides::{Relied, overrides};
use super::{CloudLimits, Facts, Format, Targets, stores};
use crate::manifest::reader::Fields;
use crate::manifest::sections::span_at_root;
use crate::manifest::{Manifest, names, settings};

pub static FACTS: Facts = Facts {
    name: "cloudflare",
    title: "Cloudflare Workers",
    limits: CloudLimits { timeout: None, body: 100 << 20, result: 8 << 20, rate_windows: &[10, 60] },
    file: "wrangler.jsonc",
    format: Format::Json,
    outputs: &["wrangler.jsonc"],
    leftovers: &[".wrangler"],
    store: |_| &stores::DURABLE_OBJECTS,
    reserved: &[("CLOUDFLARE_", "wrangler")],
    unasked: true,
    chosen: |targets| targets.cloudflare.is_some(),
    domains: |targets| targets.cloudflare.iter().flat_map(|cloudflare| &cloudflare.domains).collect(),
    overrides: |targets| targets.cloudflare.as_ref().map(|cloudflare| &cloudflare.overrides),
    read: |fields, targets| {
        targets.cloudflare = Some(cloudflare(fields, targets.cloudflare.take().unwrap_or_default()));
    },
    disinherit: |targets| targets.cloudflare.iter_mut().for_each(|cloudflare| cloudflare.domains.clear()),
    check: deleted_state,
    schema,
};

#[derive(Debug, Clone)]
pub struct Cloudflare {
    /// Custom domains, such as `mcp.example.com`; without any the Worker answers on workers.dev.
    pub domains: Vec<String>,
    /// Runs near what it calls instead of near the caller.
    pub smart_placement: bool,
    /// Runs near this region of another cloud: `aws:us-east-1`.
    pub placement: Option<String>,
    /// Workers Logs.
    pub observability: bool,
    /// MCP over WebSockets too, each a Durable Object. `Some(false)`: it was so once, and the class is to be deleted.
    pub websocket: Option<bool>,
    /// What tools kept when they had `state` is to be deleted, with its class.
    pub deletes_state: bool,
    /// Merged into `wrangler.jsonc`.
    pub overrides: Map<String, Value>,
}

impl Default for Cloudflare {
    fn default() -> Self {
        Cloudflare {
            domains: Vec::new(),
            smart_placement: false,
            placement: None,
            observability: true,
            websocket: None,
            deletes_state: false,
            overrides: Map::new(),
        }
    }
}

impl Targets {
    /// Cloudflare's servers speak MCP over WebSockets too.
    pub fn has_websocket(&self) -> bool {
        self.cloudflare.as_ref().is_some_and(|cloudflare| cloudflare.websocket == Some(true))
    }
}

fn cloudflare(fields: &Fields<'_, '_>, base: Cloudflare) -> Cloudflare {
    let mut domains = Vec::new();
    for (domain, span) in fields.strings("domains").unwrap_or_default() {
        if !settings::is_host(&domain) || !domain.contains('.') {
            let hint = "write a name in a zone of your account, such as `mcp.example.com`".to_owned();
            fields.reader().error(span, format!("`{}` is not a domain", names::shown(&domain)), Some(hint));
        }
        domains.push(domain);
    }
    let mut cloudflare = Cloudflare {
        domains: if domains.is_empty() { base.domains } else { domains },
        smart_placement: fields.bool("smart_placement").unwrap_or(base.smart_placement),
        placement: placement(fields).or(base.placement),
        observability: fields.bool("observability").unwrap_or(base.observability),
        websocket: fields.bool("websocket").or(base.websocket),
        deletes_state: fields.choice("state", &["deleted"]).is_some() || base.deletes_state,
        overrides: overrides(fields, base.overrides, RELIED, &[]),
    };
    if cloudflare.smart_placement && cloudflare.placement.is_some() {
        // A stage that says one of them leaves the manifest's other.
        let given = |key: &str| fields.entries().iter().any(|(known, _)| *known == key);
        match (given("smart_placement"), given("placement")) {
            (true, true) => {
                let hint = "keep one of them".to_owned();
                fields.error("placement", "`placement` and `smart_placement` exclude each other", Some(hint));
            }
            (true, false) => cloudflare.placement = None,
            _ => cloudflare.smart_placement = false,
        }
    }
    fields.finish();
    cloudflare
}

/// The region of another cloud that a Worker is to run near to.
fn placement(fields: &Fields<'_, '_>) -> Option<String> {
    let placement = fields.string("placement")?;
    let region = ["aws:", "gcp:", "azure:"].iter().find_map(|cloud| placement.strip_prefix(cloud));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !region.is_some_and(|region| !region.is_empty() && region.chars().all(plain)) {
        let hint = "write a cloud and its region, such as `aws:us-east-1`, `gcp:europe-west4` or `azure:westeurope`";
        fields.error("placement", format!("`{}` is not a cloud's region", names::shown(&placement)), Some(hint.into()));
    }
    Some(placement)
}

/// What is to be deleted is kept by no tool any more.
fn deleted_state(root: &Fields<'_, '_>, manifest: &Manifest) {
    let deletes = manifest.targets.cloudflare.as_ref().is_some_and(|cloudflare| cloudflare.deletes_state);
    if let Some(tool) = manifest.tools.iter().find(|tool| deletes && tool.state.is_some()) {
        let message = format!("Cloudflare would delete what tools have stored, and `{}` still has `state`", tool.name);
        let hint = "remove `state = \"deleted\"`, unless no tool has `state` any more".to_owned();
        root.reader().error(span_at_root(root, "/targets/cloudflare/state"), message, Some(hint));
    }
}

/// Its part of the JSON Schema.
fn schema() -> Value {
    json!({
        "domains": { "type": "array", "items": { "type": "string" }, "description": "Custom domains in zones of your account." },
        "smart_placement": { "type": "boolean" },
        "placement": { "type": "string", "pattern": "^(aws|gcp|azure):[a-z0-9-]+$", "description": "A region of another cloud to run near to, such as aws:us-east-1." },
        "observability": { "type": "boolean" },
        "websocket": { "type": "boolean", "description": "MCP over WebSockets too (subprotocol mcp); false after it was true: the sessions' class is deleted." },
        "state": { "const": "deleted", "description": "No tool has `state` any more, and what was stored is deleted with the next deployment." },
    })
}

/// What mcp-deploy itself relies on in `wrangler.jsonc`.
const RELIED: &Relied = &[
    (&["env"], "use `[stages]`"),
    (&["migrations"], ""),
    (&["main"], ""),
    (&["name"], "it is made of `[server] name` and the stage"),
    (&["route"], "use `domains`"),
    (&["routes"], "use `domains`"),
    (&["secrets"], "use `[secrets]`"),
    (&["workers_dev"], "it is off when there are `domains`"),
];
