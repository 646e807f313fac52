//! What the templates see: the manifest as each of them needs it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::packages::{Package, needed};
use super::{sample, types};
use crate::manifest::targets::lambda::{GATEWAY_STAGE, Lambda};
use crate::manifest::{self, Auth, Kind, Manifest, OAuth, Prompt, RateLimit, Resource, Targets, Tool};
use crate::plan::{self, FileSet};
use crate::targets::{self, Target, lambda, vercel};

/// What `init` knows about a project that is about to be born: the context of `templates/examples`.
#[derive(Debug, Clone, Serialize)]
pub struct Birth {
    server: BirthServer,
    targets: BTreeMap<&'static str, bool>,
}

#[derive(Debug, Clone, Serialize)]
struct BirthServer {
    name: String,
    description: String,
}

impl Birth {
    pub fn new(name: String, description: String, targets: &[&'static Target]) -> Self {
        Birth {
            server: BirthServer { name, description },
            targets: flags(|target| targets.iter().any(|chosen| chosen.name == target.name)),
        }
    }

    /// A cloud that the project is to have, and that its manifest does not name.
    pub fn forgotten(&self, targets: &Targets) -> Option<&'static Target> {
        targets::ALL.iter().find(|target| self.targets.get(target.name) == Some(&true) && !(target.chosen)(targets))
    }
}

/// `{ lambda: true, … }` for templates that differ by cloud.
fn flags(chosen: impl Fn(&Target) -> bool) -> BTreeMap<&'static str, bool> {
    targets::ALL.iter().map(|target| (target.name, chosen(target))).collect()
}

/// The context of `templates/{generated,project,init,targets}`.
pub fn project(manifest: &Manifest, packages: &[Package]) -> Value {
    let targets = &manifest.targets;
    json!({
        "server": {
            "name": manifest.server.name,
            "version": manifest.server.version,
            "title": manifest.server.title.as_ref().unwrap_or(&manifest.server.name),
            "description": manifest.server.description,
        },
        "app": manifest.app,
        "auth": manifest.access.auth.kind(),
        "oauth": match &manifest.access.auth {
            Auth::OAuth(OAuth { issuer, audience, scopes, jwks_uri }) => {
                json!({ "issuer": issuer, "audience": audience, "scopes": scopes, "jwks_uri": jwks_uri })
            }
            Auth::None | Auth::ApiKey => Value::Null,
        },
        "heartbeat": manifest.may_be_silent(),
        "ranges": manifest.reads_in_parts(),
        "rate_limit": manifest.access.rate_limit.map(|RateLimit { calls, window, open }| {
            json!({
                "calls": calls, "window": window, "open": open, "namespace": rate_limit_namespace(&manifest.app),
                "by_address": manifest.access.auth == Auth::None,
                // Where the cloud's own counter is no part of its local runtime.
                "in_memory": targets::chosen(targets).any(|target| target.store.is_some()),
            })
        }),
        "mcp_deploy_version": env!("CARGO_PKG_VERSION"),
        "description_1024": truncated(&inert(&manifest.server.description), 1024),
        "manifest_json": data(manifest),
        "types": types::declarations(manifest),
        "tools": handlers(manifest, Kind::Tool),
        "resources": handlers(manifest, Kind::Resource),
        "prompts": handlers(manifest, Kind::Prompt),
        "targets": flags(|target| (target.chosen)(targets)),
        "dependencies": needed(manifest, packages),
        "lambda": targets.lambda.as_ref().map(|table| json!({
            "architecture": table.architecture,
            "memory": table.memory,
            "timeout_seconds": function_timeout(manifest, lambda::TARGET.limits.timeout),
            "regions": table.regions,
            "layer_name": if table.architecture == "arm64" { "LambdaAdapterLayerArm64" } else { "LambdaAdapterLayerX86" },
            "layer_version": 30,
            "log_retention_days": table.log_retention_days,
            "provisioned_concurrency": table.provisioned_concurrency,
            "reserved_concurrency": table.reserved_concurrency,
            "tracing": table.tracing,
            "policies": table.policies,
            "secrets": secrets(manifest, "lambda"),
            "has_policies": !table.policies.is_empty() || lambda::calls_aws(manifest),
            "vpc": table.vpc.as_ref().map(|vpc| json!({ "subnets": vpc.subnets, "security_groups": vpc.security_groups })),
            "gateway": gateway(table),
        })),
        "vercel": targets.vercel.as_ref().map(|table| json!({
            "max_duration": table.max_duration.unwrap_or_else(|| function_timeout(manifest, vercel::TARGET.limits.timeout)),
            "memory": table.memory,
            "regions": table.regions,
        })),
        "cloudflare": targets.cloudflare.as_ref().map(|cloudflare| json!({
            "domains": cloudflare.domains,
            "smart_placement": cloudflare.smart_placement,
            "placement": cloudflare.placement,
            "observability": cloudflare.observability,
            "secrets": secrets_for_wrangler(manifest),
            "websocket": targets.has_websocket(),
            "objects": durable_objects(manifest).iter().filter(|object| object["deleted"] == false).collect::<Vec<_>>(),
            "exports": durable_objects(manifest),
        })),
        "websocket": targets.has_websocket(),
        "store": manifest.needs_store(),
        "state": manifest.has_state(),
        "secrets": manifest.secrets.iter().map(|secret| json!({
            "name": secret.name,
            "description": secret.description,
            "optional": secret.optional,
            "repository_name": repository_name(&secret.name),
        })).collect::<Vec<_>>(),
        "optional_secrets": manifest.secrets.iter().any(|secret| secret.optional),
        "env": manifest.env.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<_>>(),
    })
}

/// All of them or none: with a list, wrangler would give a local Worker no other, and to be on the list is to be required.
fn secrets_for_wrangler(manifest: &Manifest) -> Vec<Value> {
    match manifest.secrets_of("cloudflare").any(|secret| secret.optional) {
        true => Vec::new(),
        false => secrets(manifest, "cloudflare"),
    }
}

/// The context of `templates/digest`: what was recorded with other generated files, or for other packages, is out of date.
pub fn digest(manifest: &Manifest, files: &FileSet) -> Value {
    let files = files.0.iter().filter(|(path, _)| path.starts_with("src/") && *path != plan::RECORDED);
    let files = files.map(|(path, (_, text))| format!("{path}\0{text}\0"));
    let packages = needed(manifest, &[]).into_iter().map(|package| format!("{} {}\0", package.name, package.version));
    json!({ "digest": plan::hash(&files.chain(packages).collect::<String>()) })
}

/// What stands in front of the function, when that is API Gateway.
fn gateway(lambda: &Lambda) -> Option<Value> {
    let gateway = lambda.front.gateway()?;
    let domain = gateway.domain.as_ref().map(|domain| {
        let certificates = domain.certificates.iter().map(|(region, arn)| json!({ "region": region, "arn": arn }));
        json!({
            "name": domain.name,
            "hosted_zone": domain.hosted_zone,
            "certificates": certificates.collect::<Vec<_>>(),
            "health_checks": lambda.regions.len() > 1,
        })
    });
    Some(json!({
        "stage": GATEWAY_STAGE,
        "tracing": lambda.tracing,
        "throttle": gateway.throttle.as_ref().map(|throttle| json!({ "rate": throttle.rate, "burst": throttle.burst })),
        "waf_rate_limit": gateway.waf_rate_limit,
        "endpoint": gateway.domain.as_ref().map(|domain| format!("https://{}/mcp", domain.name)),
        "domain": domain,
    }))
}

/// Cloudflare's counters are the account's, by a whole number: the same for every deployment of one app, another for any other.
fn rate_limit_namespace(app: &str) -> String {
    let digest = Sha256::digest(app);
    let number = digest.iter().take(4).fold(0u32, |number, byte| number << 8 | u32::from(*byte));
    (number >> 1).max(1).to_string()
}

/// What a repository on GitHub calls a secret: names that begin with `GITHUB_` are GitHub's own, `GITHUB_TOKEN` the token of the run.
fn repository_name(secret: &str) -> String {
    if secret.starts_with("GITHUB_") { format!("MCP_{secret}") } else { secret.to_owned() }
}

fn secrets(manifest: &Manifest, target: &str) -> Vec<Value> {
    manifest.secrets_of(target).map(|secret| json!({ "name": secret.name })).collect()
}

/// The classes of Durable Objects and the modules that have them; a deleted one stays named, for Cloudflare to know.
fn durable_objects(manifest: &Manifest) -> Vec<Value> {
    let object = |class, module, deleted| json!({ "class": class, "module": module, "deleted": deleted });
    let websocket = manifest.targets.cloudflare.as_ref().and_then(|cloudflare| cloudflare.websocket);
    let session = websocket.map(|on| object("McpSession", "./session.ts", !on));
    let deletes = manifest.targets.cloudflare.as_ref().is_some_and(|cloudflare| cloudflare.deletes_state);
    let state =
        (manifest.has_state() || deletes).then(|| object("ToolState", "./tool-state.ts", !manifest.has_state()));
    session.into_iter().chain(state).collect()
}

/// Seconds: the longest handler timeout and a margin for start-up and the answer, within the platform's own limit.
fn function_timeout(manifest: &Manifest, limit: Option<Duration>) -> u64 {
    let seconds = manifest.longest_timeout().as_secs_f64().ceil() as u64 + 10;
    limit.map_or(seconds, |limit| seconds.min(limit.as_secs()))
}

/// Even in a description CloudFormation's linter refuses what looks like a reference: `${…}`, `{{resolve:…}}`.
fn inert(text: &str) -> String {
    text.replace('{', "(").replace('}', ")")
}

/// At most `bytes` of UTF-8, cut between characters.
fn truncated(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

fn handlers(manifest: &Manifest, kind: Kind) -> Vec<Value> {
    let declared = manifest.declared(kind).into_iter().enumerate();
    declared
        .map(|(index, (name, _))| json!({ "name": name, "ident": index.to_string(), "import_path": format!("../{}/{name}.ts", kind.plural()) }))
        .collect()
}

/// The data of `src/generated/manifest.ts`.
fn data(manifest: &Manifest) -> String {
    let server = &manifest.server;
    let mut info = Map::new();
    info.insert("name".into(), server.name.clone().into());
    info.insert("version".into(), server.version.clone().into());
    for (key, value) in [
        ("title", &server.title),
        ("description", &Some(server.description.clone())),
        ("websiteUrl", &server.website_url),
        ("instructions", &server.instructions),
    ] {
        if let Some(value) = value {
            info.insert(key.into(), value.clone().into());
        }
    }
    if !server.icons.is_empty() {
        info.insert("icons".into(), server.icons.clone().into());
    }
    let tools: Vec<Value> = manifest
        .tools
        .iter()
        .zip(manifest.tool_entries())
        .map(|(tool, entry)| with_timeout(manifest, tool, entry))
        .collect();
    let prompts: Vec<Value> = manifest
        .prompts
        .iter()
        .zip(manifest.prompt_entries())
        .map(|(prompt, mut entry)| {
            if let Some(entry) = entry.as_object_mut() {
                entry.remove("arguments");
                entry.extend(prompt.input.clone().map(|schema| ("argsSchema".to_owned(), schema)));
            }
            entry
        })
        .collect();
    let resources: Vec<Value> =
        [false, true].into_iter().flat_map(|templates| manifest.resource_entries(templates)).collect();
    let optional: Vec<_> =
        manifest.secrets.iter().filter(|secret| secret.optional).map(|secret| &secret.name).collect();
    let mut all = json!({
        "server": info,
        "tools": null,
        "resources": null,
        "prompts": null,
        "env": manifest.env.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Map<_, _>>(),
        // What one cloud's own code needs is no matter of the handlers.
        "secrets": manifest.secrets.iter().filter(|secret| secret.only.is_none()).map(|secret| &secret.name).collect::<Vec<_>>(),
        "access": { "origins": manifest.access.origins, "hosts": hosts(manifest) },
        "limits": {
            "timeoutMs": milliseconds(manifest.limits.timeout),
            "maxBodyBytes": manifest.limits.max_body,
            "maxResultBytes": manifest.limits.max_result,
            "maxInputElements": manifest.limits.max_input_elements,
        },
        "cache": { "ttlMs": milliseconds(manifest.cache.ttl), "scope": cache_scope(manifest) },
    });
    // Moved: the macro copies what it is given.
    for (key, entries) in [("tools", tools), ("resources", resources), ("prompts", prompts)] {
        all[key] = entries.into();
    }
    if !optional.is_empty() {
        all["optionalSecrets"] = json!(optional);
    }
    serde_json::to_string_pretty(&all).unwrap_or_default()
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

fn with_timeout(manifest: &Manifest, tool: &Tool, mut entry: Value) -> Value {
    if let Some(entry) = entry.as_object_mut() {
        entry.insert("timeoutMs".into(), milliseconds(tool.timeout.unwrap_or(manifest.limits.timeout)).into());
        if !tool.scopes.is_empty() {
            entry.insert("scopes".into(), tool.scopes.clone().into());
        }
        if let Some(state) = &tool.state {
            entry.insert("state".into(), state.to_json());
        }
    }
    entry
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The context of `templates/{tool,resource,prompt}`: the starter of one declaration.
pub fn starter(manifest: &Manifest, kind: Kind, index: usize) -> Value {
    match kind {
        Kind::Tool => tool_starter(&manifest.tools[index]),
        Kind::Resource => {
            let Resource { name, variables, .. } = &manifest.resources[index];
            json!({ "name": name, "is_template": variables.is_some() })
        }
        Kind::Prompt => {
            let Prompt { name, input, .. } = &manifest.prompts[index];
            json!({ "name": name, "has_input": input.is_some() })
        }
    }
}

fn tool_starter(tool: &Tool) -> Value {
    let sample = tool.output.as_ref().map(sample::of);
    json!({
        "name": tool.name,
        "has_output": sample.is_some(),
        // Without a value that fits, the starter says that it is none yet; `null` would be a lie that compiles.
        "sample_return": match sample.flatten() {
            Some(value) => sample::literal(&value),
            None => "Promise.reject(new Error(\"not written yet\"))".to_owned(),
        },
    })
}
