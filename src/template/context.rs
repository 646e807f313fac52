//! What the templates see: the manifest as each of them needs it.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use super::packages::{Package, needed};
use super::{sample, served, types};
use crate::manifest::beside::{FOLDER, FileBeside, FileForm};
use crate::manifest::{Auth, Kind, Manifest, OAuth, RateLimit, Targets, Tool};
use crate::targets::{self, Target};

/// What `init` knows about a project that is about to be born: the context of `templates/examples`.
#[derive(Debug, Clone, Serialize)]
pub struct Birth {
    server: BirthServer,
    targets: Flags,
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

/// `{ lambda: true, … }` for templates that differ by target.
type Flags = BTreeMap<&'static str, bool>;

fn flags(chosen: impl Fn(&Target) -> bool) -> Flags {
    targets::ALL.iter().map(|target| (target.name, chosen(target))).collect()
}

/// The context of `templates/ci`.
#[derive(Serialize)]
pub struct IntegrationData<'m> {
    #[serde(flatten)]
    pub project: ProjectData<'m>,
    /// What installs the package manager, where Node.js does not bring it.
    pub manager: Option<&'m str>,
    /// What runs the project's own tests.
    pub tests: &'m str,
    /// The project's folder in its repository, quoted; `None` for the root.
    pub folder: Option<String>,
}

/// The context of `templates/{generated,project,init,targets}`.
#[derive(Serialize)]
pub struct ProjectData<'m> {
    server: ServerData<'m>,
    app: &'m str,
    /// Whether callers prove who they are.
    auth: bool,
    api_keys: bool,
    /// What `oauth()` of the runtime is called with.
    oauth: Option<String>,
    rate_limit: Option<Limit>,
    mcp_deploy_version: &'static str,
    /// The data of `src/generated/manifest.ts`.
    manifest_json: String,
    types: String,
    tools: Vec<Handler<'m>>,
    resources: Vec<Handler<'m>>,
    prompts: Vec<Handler<'m>>,
    targets: Flags,
    /// What `src/generated/bundle.ts` can make.
    bundles: Vec<Bundle>,
    /// Of every target: one that the manifest names later is ignored by git from the beginning.
    leftovers: Vec<&'static str>,
    /// Files beside the code that no target's bundler can read by itself.
    files: Vec<BundledFile<'m>>,
    /// Packages that lie beside the bundle.
    external: &'m [String],
    dependencies: Vec<Package>,
    /// Whether a store of the target keeps anything.
    store: bool,
    state: bool,
    secrets: Vec<SecretData<'m>>,
    env: Vec<Setting<'m>>,
    /// What each target says for itself, by its name.
    #[serde(flatten)]
    of_targets: BTreeMap<&'static str, Value>,
}

#[derive(Serialize)]
struct ServerData<'m> {
    name: &'m str,
    version: &'m str,
}

#[derive(Serialize)]
struct Limit {
    calls: u64,
    window: u64,
    open: bool,
    by_address: bool,
}

/// How `src/generated/handlers.ts` imports one.
#[derive(Serialize)]
struct Handler<'m> {
    name: &'m str,
    import_path: String,
}

#[derive(Serialize)]
struct Bundle {
    target: &'static str,
    /// The file that the platform starts, without its extension.
    started: &'static str,
    cpu: &'static str,
}

#[derive(Serialize)]
struct BundledFile<'m> {
    path: &'m str,
    form: &'static str,
}

#[derive(Serialize)]
struct SecretData<'m> {
    name: &'m str,
    description: &'m str,
    optional: bool,
    repository_name: String,
}

#[derive(Serialize)]
struct Setting<'m> {
    name: &'m str,
    value: &'m str,
}

impl<'m> ProjectData<'m> {
    pub fn of(manifest: &'m Manifest, packages: &[Package]) -> Result<Self> {
        let Manifest { server, access, targets, .. } = manifest;
        let data = |target: &'static Target| {
            let data = (target.data)(manifest).with_context(|| format!("cannot describe {}", target.title))?;
            Ok((target.name, data))
        };
        Ok(ProjectData {
            server: ServerData { name: &server.name, version: &server.version },
            app: &manifest.app,
            auth: access.auth != Auth::None,
            api_keys: access.auth == Auth::ApiKey,
            oauth: match &access.auth {
                Auth::OAuth(oauth) => Some(oauth_options(oauth)?),
                Auth::None | Auth::ApiKey => None,
            },
            rate_limit: access.rate_limit.map(|RateLimit { calls, window, open }| Limit {
                calls,
                window,
                open,
                by_address: access.auth == Auth::None,
            }),
            mcp_deploy_version: env!("CARGO_PKG_VERSION"),
            manifest_json: served::json(manifest)?,
            types: types::declarations(manifest),
            tools: handlers(manifest, Kind::Tool),
            resources: handlers(manifest, Kind::Resource),
            prompts: handlers(manifest, Kind::Prompt),
            targets: flags(|target| (target.chosen)(targets)),
            bundles: targets::chosen(targets).filter_map(|target| bundle(manifest, target)).collect(),
            leftovers: targets::ALL.iter().flat_map(|target| target.leftovers).copied().collect(),
            external: &manifest.external,
            files: manifest.files.iter().filter_map(bundled).collect(),
            dependencies: needed(manifest, packages),
            store: manifest.needs_store(),
            state: manifest.has_state(),
            secrets: manifest.secrets.iter().map(secret).collect(),
            env: manifest.env.iter().map(|(name, value)| Setting { name, value }).collect(),
            of_targets: targets::ALL.iter().map(data).collect::<Result<_>>()?,
        })
    }
}

/// As JavaScript writes an object.
fn oauth_options(OAuth { issuers, audience, client_ids, scopes, jwks_uri }: &OAuth) -> Result<String> {
    let mut options =
        vec![("issuers", serde_json::to_string(issuers)?), ("audience", serde_json::to_string(audience)?)];
    if !client_ids.is_empty() {
        options.push(("clientIds", serde_json::to_string(client_ids)?));
    }
    options.push(("scopes", serde_json::to_string(scopes)?));
    if let Some(uri) = jwks_uri {
        options.push(("jwksUri", serde_json::to_string(uri)?));
    }
    let options: Vec<String> = options.into_iter().map(|(name, value)| format!("{name}: {value}")).collect();
    Ok(format!("{{ {} }}", options.join(", ")))
}

fn handlers(manifest: &Manifest, kind: Kind) -> Vec<Handler<'_>> {
    let declared = manifest.declared(kind).into_iter();
    declared.map(|(name, _)| Handler { name, import_path: format!("../{}/{name}.ts", kind.plural()) }).collect()
}

fn bundled(file: &FileBeside) -> Option<BundledFile<'_>> {
    let form = match file.form {
        FileForm::Text => "text",
        FileForm::Bytes => "bytes",
        FileForm::Wasm => "wasm",
        // It is a module everywhere.
        FileForm::Json => return None,
    };
    Some(BundledFile { path: &file.path, form })
}

fn bundle(manifest: &Manifest, target: &'static Target) -> Option<Bundle> {
    let bundle = target.bundle.as_ref()?;
    Some(Bundle { target: target.name, started: bundle.started, cpu: (bundle.cpu)(manifest) })
}

fn secret(secret: &crate::manifest::Secret) -> SecretData<'_> {
    SecretData {
        name: &secret.name,
        description: &secret.description,
        optional: secret.optional,
        repository_name: repository_name(&secret.name),
    }
}

/// What a repository on GitHub calls a secret: names that begin with `GITHUB_` are GitHub's own, `GITHUB_TOKEN` the
/// token of the run.
fn repository_name(secret: &str) -> String {
    if secret.starts_with("GITHUB_") { format!("MCP_{secret}") } else { secret.to_owned() }
}

/// The context of `templates/file`: the module that a handler imports for one file beside the code.
#[derive(Serialize)]
pub struct Beside<'m> {
    path: &'m str,
    /// From the module to `src/generated/`.
    up: String,
    /// The function of the runtime that gives the content, and where it is; none for JSON, which is a module
    /// everywhere.
    reader: Option<&'static str>,
    module: &'static str,
    /// How a Worker imports it: wrangler goes by the path as it is written, and makes bytes of what has `src` in it.
    worker: String,
    holds: String,
}

impl<'m> Beside<'m> {
    pub fn of(file: &'m FileBeside) -> Self {
        let path = &file.path;
        let (reader, module, what) = match file.form {
            FileForm::Text => (Some("textOf"), "files", "The text of"),
            FileForm::Bytes => (Some("bytesOf"), "files", "The bytes of"),
            FileForm::Wasm => (Some("moduleOf"), "wasm", "The WebAssembly module of"),
            FileForm::Json => (None, "", "The value of"),
        };
        let up = "../".repeat(path.matches('/').count() + 1);
        let folder = if file.form == FileForm::Wasm { "../files" } else { "../../src/files" };
        Beside {
            path,
            worker: format!("{up}{folder}/{path}"),
            up,
            reader,
            module,
            holds: format!("{what} `{FOLDER}/{path}`."),
        }
    }
}

/// The context of `templates/{tool,resource,prompt}`: the starter of one declaration.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Starter<'m> {
    Tool { name: &'m str, has_output: bool, sample_return: String },
    Resource { name: &'m str, is_template: bool },
    Prompt { name: &'m str, has_input: bool },
}

impl<'m> Starter<'m> {
    pub fn of(manifest: &'m Manifest, kind: Kind, index: usize) -> Self {
        match kind {
            Kind::Tool => of_tool(&manifest.tools[index]),
            Kind::Resource => {
                let resource = &manifest.resources[index];
                Starter::Resource { name: &resource.name, is_template: resource.variables.is_some() }
            }
            Kind::Prompt => {
                let prompt = &manifest.prompts[index];
                Starter::Prompt { name: &prompt.name, has_input: prompt.input.is_some() }
            }
        }
    }
}

fn of_tool(tool: &Tool) -> Starter<'_> {
    let sample = tool.output.as_ref().map(|schema| Some(sample::returned(schema, &sample::of(schema)?)));
    Starter::Tool {
        name: &tool.name,
        has_output: sample.is_some(),
        // Without a value that fits, the starter says that it has no value yet; `null` would be a lie that compiles.
        sample_return: sample.flatten().unwrap_or_else(|| "Promise.reject(new Error(\"not written yet\"))".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_oauth_are_those_of_the_manifest() {
        let options = |table: &str| {
            let text = format!(
                "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[targets.vercel]\n[access]\nauth = \"oauth\"\n[access.oauth]\n{table}"
            );
            let (manifest, faults) = crate::manifest::parse(&text, &|_| Err(String::new()));
            let Auth::OAuth(oauth) = manifest.unwrap_or_else(|| panic!("{faults:?}")).access.auth else {
                panic!("{text}")
            };
            oauth_options(&oauth).unwrap()
        };
        assert_eq!(
            options("issuer = \"https://a.example.com\"\naudience = \"x\"\njwks_uri = \"https://a.example.com/k\"\n"),
            r#"{ issuers: ["https://a.example.com"], audience: ["x"], scopes: [], jwksUri: "https://a.example.com/k" }"#
        );
        assert_eq!(
            options("issuer = [\"https://a.example.com\", \"https://b.example.com\"]\naudience = [\"x\", \"y\"]\n"),
            r#"{ issuers: ["https://a.example.com","https://b.example.com"], audience: ["x","y"], scopes: [] }"#
        );
        assert_eq!(
            options("issuer = \"https://a.example.com\"\nclient_ids = [\"c\"]\nscopes = [\"s\"]\n"),
            r#"{ issuers: ["https://a.example.com"], audience: [], clientIds: ["c"], scopes: ["s"] }"#
        );
    }
}
