//! `[tools.NAME] state`: whose the values are that a handler keeps, and what the clouds need to keep them.

use super::reader::Fields;
use super::{Manifest, Secret, State};

/// `"caller"`, `"shared"` or `{ handle = "PARAM" }`.
pub fn of_tool(fields: &Fields<'_, '_>) -> Option<State> {
    let item = fields.item("state")?;
    if item.is_table_like() {
        let table = fields.fields("state")?;
        let handle = table.required_string("handle", "name the parameter that holds the handle: `{ handle = \"id\" }`");
        table.finish();
        return Some(State::Handle(handle));
    }
    match fields.choice("state", &["caller", "shared"])?.as_str() {
        "caller" => Some(State::Caller),
        _ => Some(State::Shared),
    }
}

/// Vercel has no store of its own: the credentials of one are secrets of that cloud alone, declared by what needs them.
pub fn secrets(manifest: &mut Manifest) {
    if !manifest.needs_store() || manifest.targets.vercel.is_none() {
        return;
    }
    for (name, alias, description) in [
        ("UPSTASH_REDIS_REST_URL", "KV_REST_API_URL", "Vercel: the Upstash Redis database, its REST URL"),
        ("UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN", "Vercel: the Upstash Redis database, its REST token"),
    ] {
        if manifest.secrets.iter().all(|secret| secret.name != name) {
            let secret = Secret::new(name, description);
            manifest.secrets.push(Secret { only: Some("vercel"), alias: Some(alias), ..secret });
        }
    }
}
