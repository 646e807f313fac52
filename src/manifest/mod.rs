//! `mcp.toml` as types: parsed once, every fault found at once, each with its place.

mod about;
mod auth;
pub mod beside;
pub mod edit;
mod json_schema;
#[cfg(test)]
mod keys;
mod limits;
mod load;
pub mod names;
mod rate_limit;
mod reader;
mod sections;
mod settings;
mod state;
pub mod targets;
pub mod uri_template;

pub use beside::FileBeside;
pub use json_schema::json_schema;
pub use load::{Loaded, load, parse, parse_in};
pub use reader::{near, nearest};
pub use targets::Targets;

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::fault::Position;

/// The manifest's file name, at the root of every project.
pub const FILE: &str = "mcp.toml";

/// One server: everything that `mcp.toml` declares, valid, with every default applied.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub server: Server,
    pub limits: Limits,
    pub cache: Cache,
    pub access: Access,
    pub tools: Vec<Tool>,
    pub resources: Vec<Resource>,
    pub prompts: Vec<Prompt>,
    /// Plain settings, by name, in the order of the file.
    pub env: Vec<(String, String)>,
    pub secrets: Vec<Secret>,
    pub targets: Targets,
    pub stages: Vec<Stage>,
    /// `[build] external`: npm packages that are not bundled, but copied beside the bundle.
    pub external: Vec<String>,
    /// What lies in `src/files/`; the text of the manifest names none of it.
    pub files: Vec<FileBeside>,
    /// The name of the stack, project and Worker: the server's name, with the stage's behind it for any but production.
    pub app: String,
}

/// The stage that needs no name.
pub const PRODUCTION: &str = "production";

/// `[stages.NAME]`: what differs in a second deployment of the same server.
#[derive(Debug, Clone)]
pub struct Stage {
    pub name: String,
    /// Settings that replace those of `[env]`.
    pub env: Vec<(String, String)>,
    /// The targets of the manifest with the stage's own keys in place of theirs.
    pub targets: Targets,
}

/// `[server]`: who the server says it is.
#[derive(Debug, Clone, Default)]
pub struct Server {
    pub name: String,
    pub version: String,
    pub title: Option<String>,
    pub description: String,
    pub instructions: Option<String>,
    pub website_url: Option<String>,
    pub icons: Vec<Value>,
}

/// `[limits]`: what one request may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For every tool, resource and prompt that sets no `timeout`.
    pub timeout: Duration,
    /// Bytes of a request body; a larger one is answered 413.
    pub max_body: u64,
    /// Bytes of a result, as JSON; a longer one is an error that says so.
    pub max_result: u64,
    /// Values (array elements and object members) in a tool's arguments.
    pub max_input_elements: u64,
    /// The most that the JavaScript of a build may have, in kB; not checked when `None`.
    pub bundle_kb: Option<u64>,
}

/// `[cache]`: how long a client may keep the lists.
#[derive(Debug, Clone)]
pub struct Cache {
    pub ttl: Duration,
    /// `public` or `private`, the MCP specification's `cacheScope`.
    pub scope: String,
}

/// `[access]`: who may call.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Browser origins (`https://app.example`), or `*`.
    pub origins: Vec<String>,
    /// Host names the server answers for besides the cloud's own.
    pub hosts: Vec<String>,
    pub auth: Auth,
    pub rate_limit: Option<RateLimit>,
}

/// `[access] rate_limit`: how many calls one caller may make in a window of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateLimit {
    pub calls: u64,
    /// Seconds.
    pub window: u64,
    /// What happens while nobody can count: all are let in, or none.
    pub open: bool,
}

/// `[access] auth`: how a caller proves who it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Auth {
    /// Open to all.
    #[default]
    None,
    /// Named callers with a key each; their hashes are the secret [`API_KEYS`].
    ApiKey,
    /// Access tokens of an OAuth 2.1 authorization server.
    OAuth(OAuth),
}

/// The secret that holds every caller's name and the SHA-256 of its key, as a JSON object.
pub const API_KEYS: &str = "MCP_API_KEYS";

/// `[access.oauth]`: whose tokens count, and which.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OAuth {
    pub issuers: Vec<String>,
    /// Tokens must have been issued for one of them: the server's own URL, or the identifier that the issuer knows it
    /// by.
    pub audience: Vec<String>,
    /// Clients whose tokens are valid though they name the client instead of an audience.
    pub client_ids: Vec<String>,
    /// Every call needs all of them.
    pub scopes: Vec<String>,
    /// `None`: the issuer's metadata names it; only of a single issuer.
    pub jwks_uri: Option<String>,
}

impl Auth {
    /// As the manifest writes it; `None` for a server that is open to all.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Auth::None => None,
            Auth::ApiKey => Some("api-key"),
            Auth::OAuth(_) => Some("oauth"),
        }
    }
}

/// `[tools.NAME]`.
#[derive(Debug, Clone)]
pub struct Tool {
    pub name: String,
    pub title: Option<String>,
    pub description: String,
    pub annotations: Map<String, Value>,
    pub timeout: Option<Duration>,
    /// What a caller's token must grant beside what every call needs.
    pub scopes: Vec<String>,
    /// JSON Schema with the root type `object`.
    pub input: Value,
    pub output: Option<Value>,
    pub icons: Vec<Value>,
    /// `_meta` of its entry; likewise of a resource and a prompt.
    pub meta: Option<Map<String, Value>>,
    /// What `ctx.state` of its handler belongs to; `None`: it has none.
    pub state: Option<State>,
    pub at: Position,
}

/// `state` of a tool: whose the values are that its handler keeps.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// The verified caller's own.
    Caller,
    /// Of all callers together.
    Shared,
    /// Of whoever names it in this argument, and of no other caller.
    Handle(String),
}

impl State {
    pub fn to_json(&self) -> Value {
        match self {
            State::Caller => "caller".into(),
            State::Shared => "shared".into(),
            State::Handle(parameter) => json!({ "handle": parameter }),
        }
    }
}

/// `[resources.NAME]`: a fixed URI or a template of RFC 6570.
#[derive(Debug, Clone)]
pub struct Resource {
    pub name: String,
    pub uri: String,
    /// The template's variables; `None` for a fixed URI.
    pub variables: Option<Vec<uri_template::Variable>>,
    pub title: Option<String>,
    pub description: String,
    pub mime_type: Option<String>,
    /// For whom it is and how much it matters, as the specification writes it.
    pub annotations: Map<String, Value>,
    pub icons: Vec<Value>,
    pub meta: Option<Map<String, Value>>,
    pub at: Position,
}

/// `[prompts.NAME]`.
#[derive(Debug, Clone)]
pub struct Prompt {
    pub name: String,
    pub title: Option<String>,
    pub description: String,
    /// JSON Schema of the arguments, all strings; `None` for a prompt without any.
    pub input: Option<Value>,
    pub icons: Vec<Value>,
    pub meta: Option<Map<String, Value>>,
    pub at: Position,
}

/// A name in `[secrets]`; its value is never in a file of ours.
#[derive(Debug, Clone)]
pub struct Secret {
    pub name: String,
    pub description: String,
    /// Handlers do without it: `undefined` when it is not set.
    pub optional: bool,
    /// The targets whose store needs it; empty: the manifest declares it, for all.
    pub only: Vec<&'static str>,
    /// Another name that the value may go by in that cloud.
    pub alias: Option<&'static str>,
}

impl Secret {
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Secret { name: name.into(), description: description.into(), optional: false, only: Vec::new(), alias: None }
    }

    pub fn concerns(&self, target: &str) -> bool {
        self.only.is_empty() || self.only.contains(&target)
    }
}

/// The three kinds of declaration that have a handler file each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Tool,
    Resource,
    Prompt,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Tool, Kind::Resource, Kind::Prompt];

    /// `tool`: in messages, in command names and as the helper a handler calls.
    pub fn noun(self) -> &'static str {
        match self {
            Kind::Tool => "tool",
            Kind::Resource => "resource",
            Kind::Prompt => "prompt",
        }
    }

    /// `tools`: the manifest's table and the folder of the handlers.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Tool => "tools",
            Kind::Resource => "resources",
            Kind::Prompt => "prompts",
        }
    }

    /// The handler's path in the project.
    pub fn handler(self, name: &str) -> String {
        format!("src/{}/{name}.ts", self.plural())
    }
}

impl Manifest {
    /// The manifest as one stage deploys it; `None` when the manifest has no such stage. Production needs no table.
    pub fn staged(&self, name: &str) -> Option<Manifest> {
        let stage = self.stages.iter().find(|stage| stage.name == name);
        let mut staged = self.clone();
        if name != PRODUCTION {
            staged.app = format!("{}-{name}", self.server.name);
            stage?;
        }
        if let Some(stage) = stage {
            for (setting, value) in &stage.env {
                match staged.env.iter_mut().find(|(known, _)| known == setting) {
                    Some((_, known)) => known.clone_from(value),
                    None => staged.env.push((setting.clone(), value.clone())),
                }
            }
            staged.targets = stage.targets.clone();
            // A stage may choose another store.
            state::secrets(&mut staged);
        }
        Some(staged)
    }

    /// The secrets that one cloud needs.
    pub fn secrets_of(&self, target: &str) -> impl Iterator<Item = &Secret> {
        self.secrets.iter().filter(move |secret| secret.concerns(target))
    }

    /// Whether the server keeps something between two requests: if the platform has no store, it gets one.
    pub fn needs_store(&self) -> bool {
        self.access.rate_limit.is_some() || self.has_state()
    }

    /// Whether a tool keeps values.
    pub fn has_state(&self) -> bool {
        self.tools.iter().any(|tool| tool.state.is_some())
    }

    /// Name and place of every declaration of one kind, in the order of the file.
    pub fn declared(&self, kind: Kind) -> Vec<(&str, Position)> {
        match kind {
            Kind::Tool => self.tools.iter().map(|t| (t.name.as_str(), t.at)).collect(),
            Kind::Resource => self.resources.iter().map(|r| (r.name.as_str(), r.at)).collect(),
            Kind::Prompt => self.prompts.iter().map(|p| (p.name.as_str(), p.at)).collect(),
        }
    }

    /// The longest a request may take: what a platform's own timeout must exceed.
    pub fn longest_timeout(&self) -> Duration {
        self.tools.iter().filter_map(|tool| tool.timeout).fold(self.limits.timeout, Duration::max)
    }

    /// `tools/list` entries as the rendered server sends them, in its order.
    pub fn tool_entries(&self) -> Vec<Value> {
        self.tools
            .iter()
            .map(|tool| {
                let mut entry = described(&tool.name, &tool.title, &tool.description, &tool.icons, &tool.meta);
                entry.insert("inputSchema".into(), tool.input.clone());
                if let Some(output) = &tool.output {
                    entry.insert("outputSchema".into(), output.clone());
                }
                if !tool.annotations.is_empty() {
                    entry.insert("annotations".into(), tool.annotations.clone().into());
                }
                entry.into()
            })
            .collect()
    }

    /// `resources/list` (fixed) or `resources/templates/list` (templates) entries.
    pub fn resource_entries(&self, templates: bool) -> Vec<Value> {
        let key = if templates { "uriTemplate" } else { "uri" };
        self.resources
            .iter()
            .filter(|resource| resource.variables.is_some() == templates)
            .map(|resource| {
                let Resource { name, title, description, icons, meta, .. } = resource;
                let mut entry = described(name, title, description, icons, meta);
                entry.insert(key.into(), resource.uri.clone().into());
                if let Some(mime_type) = &resource.mime_type {
                    entry.insert("mimeType".into(), mime_type.clone().into());
                }
                if !resource.annotations.is_empty() {
                    entry.insert("annotations".into(), resource.annotations.clone().into());
                }
                entry.into()
            })
            .collect()
    }

    /// `prompts/list` entries; the arguments are derived from the schema.
    pub fn prompt_entries(&self) -> Vec<Value> {
        self.prompts
            .iter()
            .map(|prompt| {
                let mut entry = prompt.described();
                // They are listed even where there are none.
                entry.insert("arguments".into(), prompt.input.as_ref().map_or_else(|| json!([]), prompt_arguments));
                entry.into()
            })
            .collect()
    }
}

impl Prompt {
    /// Its entry without the arguments.
    pub fn described(&self) -> Map<String, Value> {
        described(&self.name, &self.title, &self.description, &self.icons, &self.meta)
    }
}

fn described(
    name: &str,
    title: &Option<String>,
    description: &str,
    icons: &[Value],
    meta: &Option<Map<String, Value>>,
) -> Map<String, Value> {
    let mut entry = Map::new();
    entry.insert("name".into(), name.into());
    if let Some(title) = title {
        entry.insert("title".into(), title.clone().into());
    }
    entry.insert("description".into(), description.into());
    if !icons.is_empty() {
        entry.insert("icons".into(), icons.to_vec().into());
    }
    if let Some(meta) = meta {
        entry.insert("_meta".into(), meta.clone().into());
    }
    entry
}

fn prompt_arguments(schema: &Value) -> Value {
    let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, property)| {
            let mut argument = Map::new();
            argument.insert("name".into(), name.clone().into());
            if let Some(description) = property.get("description") {
                argument.insert("description".into(), description.clone());
            }
            argument.insert("required".into(), json!(required.iter().any(|r| *r == name)));
            Value::Object(argument)
        })
        .collect()
}
