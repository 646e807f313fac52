//! The data of `src/generated/manifest.ts`: what the server serves, as JSON.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::manifest::{self, Auth, Manifest};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Served<'m> {
    server: Info<'m>,
    tools: Vec<ServedTool<'m>>,
    resources: Vec<Value>,
    prompts: Vec<ServedPrompt<'m>>,
    env: Map<String, Value>,
    /// Without what only the code of one target needs: the handlers do not use it.
    secrets: Vec<&'m str>,
    access: ServedAccess<'m>,
    limits: ServedLimits,
    cache: ServedCache<'m>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    optional_secrets: Vec<&'m str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'m> {
    name: &'m str,
    version: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'m str>,
    description: &'m str,
    #[serde(skip_serializing_if = "Option::is_none")]
    website_url: Option<&'m str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instructions: Option<&'m str>,
    #[serde(skip_serializing_if = "<[Value]>::is_empty")]
    icons: &'m [Value],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServedTool<'m> {
    #[serde(flatten)]
    entry: Value,
    timeout_ms: u64,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes: &'m [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServedPrompt<'m> {
    #[serde(flatten)]
    entry: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args_schema: Option<&'m Value>,
}

#[derive(Serialize)]
struct ServedAccess<'m> {
    origins: &'m [String],
    hosts: Vec<&'m String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServedLimits {
    timeout_ms: u64,
    max_body_bytes: u64,
    max_result_bytes: u64,
    max_input_elements: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServedCache<'m> {
    ttl_ms: u64,
    scope: &'m str,
}

pub fn json(manifest: &Manifest) -> Result<String> {
    let Manifest { server, limits, .. } = manifest;
    let timeout = |tool: &manifest::Tool| milliseconds(tool.timeout.unwrap_or(limits.timeout));
    let tools = manifest.tools.iter().zip(manifest.tool_entries()).map(|(tool, entry)| ServedTool {
        entry,
        timeout_ms: timeout(tool),
        scopes: &tool.scopes,
        state: tool.state.as_ref().map(manifest::State::to_json),
    });
    let prompts = manifest.prompts.iter();
    let prompts = prompts.map(|prompt| ServedPrompt { entry: prompt.described(), args_schema: prompt.input.as_ref() });
    let resources = [false, true].into_iter().flat_map(|templates| manifest.resource_entries(templates));
    let secrets = manifest.secrets.iter();
    let served = Served {
        server: Info {
            name: &server.name,
            version: &server.version,
            title: server.title.as_deref(),
            description: &server.description,
            website_url: server.website_url.as_deref(),
            instructions: server.instructions.as_deref(),
            icons: &server.icons,
        },
        tools: tools.collect(),
        resources: resources.collect(),
        prompts: prompts.collect(),
        env: manifest.env.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect(),
        secrets: secrets.clone().filter(|secret| secret.only.is_empty()).map(|secret| secret.name.as_str()).collect(),
        access: ServedAccess { origins: &manifest.access.origins, hosts: hosts(manifest) },
        limits: ServedLimits {
            timeout_ms: milliseconds(limits.timeout),
            max_body_bytes: limits.max_body,
            max_result_bytes: limits.max_result,
            max_input_elements: limits.max_input_elements,
        },
        cache: ServedCache { ttl_ms: milliseconds(manifest.cache.ttl), scope: cache_scope(manifest) },
        optional_secrets: secrets.filter(|secret| secret.optional).map(|secret| secret.name.as_str()).collect(),
    };
    serde_json::to_string_pretty(&served).context("cannot write the data of `src/generated/manifest.ts`")
}

/// What only some may ask for is not for the caches of all.
fn cache_scope(manifest: &Manifest) -> &str {
    if manifest.access.auth == Auth::None { &manifest.cache.scope } else { "private" }
}

/// Host names it answers for: those of the manifest, and the custom domains that its own targets name.
fn hosts(manifest: &Manifest) -> Vec<&String> {
    let domains = manifest::targets::ALL.iter().flat_map(|target| (target.domains)(&manifest.targets));
    manifest.access.hosts.iter().chain(domains).collect()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ABOUT: &str = r#"description = "d"
icons = [{ src = "https://example.com/i.png", mime_type = "image/png", sizes = ["48x48"] }]
meta = { ui = { resourceUri = "ui://page", csp = ["a", 1, 0.5, true] }, "openai/outputTemplate" = "ui://page" }
"#;

    /// `_meta` as it is written; the rest under the names of the specification. `verify` compares with the same
    /// entries.
    #[test]
    fn what_is_said_of_each_kind_is_served() {
        let text = format!(
            "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[tools.t]\n{ABOUT}[prompts.p]\n{ABOUT}[resources.page]\nuri = \"ui://page\"\n{ABOUT}\
             annotations = {{ audience = [\"user\"], priority = 1, last_modified = \"2026-11-28\" }}\n[resources.all]\nuri = \"x://{{y}}\"\n{ABOUT}annotations = {{ priority = 0.5 }}\n[targets.vercel]\n"
        );
        let (manifest, faults) = manifest::parse(&text, &|_| Err(String::new()));
        let manifest = manifest.unwrap_or_else(|| panic!("{faults:?}"));
        let served: Value = serde_json::from_str(&json(&manifest).unwrap()).unwrap();
        let [page, all] = [&served["resources"][0], &served["resources"][1]];
        for entry in [&served["tools"][0], &served["prompts"][0], page, all] {
            assert_eq!(
                entry["_meta"],
                json!({ "ui": { "resourceUri": "ui://page", "csp": ["a", 1, 0.5, true] }, "openai/outputTemplate": "ui://page" })
            );
            assert_eq!(
                entry["icons"],
                json!([{ "src": "https://example.com/i.png", "mimeType": "image/png", "sizes": ["48x48"] }])
            );
        }
        assert_eq!(page["annotations"], json!({ "audience": ["user"], "priority": 1, "lastModified": "2026-11-28" }));
        assert_eq!(all["annotations"], json!({ "priority": 0.5 }));
        assert_eq!(manifest.resource_entries(true), std::slice::from_ref(all));
    }
}
