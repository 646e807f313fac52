//! What the templates see of Cloudflare Workers.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::TARGET;
use crate::manifest::Manifest;

/// `cloudflare` in the templates.
#[derive(Serialize)]
pub struct CloudflareData<'m> {
    domains: &'m [String],
    smart_placement: bool,
    placement: Option<&'m str>,
    observability: bool,
    /// Names that wrangler requires a value of.
    secrets: Vec<&'m str>,
    websocket: bool,
    rate_limit_namespace: String,
    /// Whether the Worker has the class that keeps tools' state.
    state_class: bool,
    /// The classes of Durable Objects, and those that Cloudflare is to delete.
    exports: Vec<DurableObject>,
}

/// A class of Durable Objects.
#[derive(Serialize)]
struct DurableObject {
    class: &'static str,
    deleted: bool,
}

/// `None` where the manifest does not name the target.
pub fn data(manifest: &Manifest) -> Option<CloudflareData<'_>> {
    let table = manifest.targets.cloudflare.as_ref()?;
    Some(CloudflareData {
        domains: &table.domains,
        smart_placement: table.smart_placement,
        placement: table.placement.as_deref(),
        observability: table.observability,
        secrets: required_secrets(manifest),
        websocket: manifest.targets.has_websocket(),
        rate_limit_namespace: rate_limit_namespace(&manifest.app),
        state_class: manifest.has_state(),
        exports: durable_objects(manifest),
    })
}

/// All of them or none: with a list, wrangler would give a local Worker no other, and to be on the list is to be
/// required.
fn required_secrets(manifest: &Manifest) -> Vec<&str> {
    match manifest.secrets_of(TARGET.name).any(|secret| secret.optional) {
        true => Vec::new(),
        false => manifest.secrets_of(TARGET.name).map(|secret| secret.name.as_str()).collect(),
    }
}

/// The counters are the account's, by a whole number: the same for every deployment of one app, another for any other.
fn rate_limit_namespace(app: &str) -> String {
    let digest = Sha256::digest(app);
    let number = digest.iter().take(4).fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    (number >> 1).max(1).to_string()
}

/// A class that is deleted stays named, for Cloudflare to know.
fn durable_objects(manifest: &Manifest) -> Vec<DurableObject> {
    let object = |class, deleted| DurableObject { class, deleted };
    let table = manifest.targets.cloudflare.as_ref();
    let websocket = table.and_then(|table| table.websocket);
    let session = websocket.map(|on| object("McpSession", !on));
    let deletes = table.is_some_and(|table| table.deletes_state);
    let state = (manifest.has_state() || deletes).then(|| object("ToolState", !manifest.has_state()));
    session.into_iter().chain(state).collect()
}
