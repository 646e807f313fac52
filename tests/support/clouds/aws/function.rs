//! A function: its versions, aliases and what stands in front of it, and the sandbox that runs the version shown there.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mcp_deploy::process::{Cmd, ServerProcess, free_port};
use mcp_deploy::targets::lambda::runtime_api;
use mcp_deploy::targets::lambda::runtime_api::RuntimeApi;
use mcp_deploy::toolchain::{ToolId, Toolchain};
use serde_json::{Value, json};

use super::super::edge::Hosts;
use super::super::http::Response;
use super::super::site::{Front, Outage, Route, Site};
use super::template::text;

/// What one version is made of.
#[derive(Clone)]
pub struct Config {
    /// `Properties` of `AWS::Lambda::Function`, resolved.
    pub properties: Value,
    pub code: Arc<Vec<u8>>,
    pub broken: bool,
}

pub struct Function {
    pub name: String,
    pub account: String,
    pub region: String,
    pub latest: Config,
    pub versions: BTreeMap<u32, Config>,
    pub aliases: BTreeMap<String, u32>,
    pub url: Option<Url>,
    pub gateway: Option<Gateway>,
    /// What everybody may do, by qualifier: `live lambda:InvokeFunctionUrl`; and API Gateway:
    /// `live apigateway lambda:InvokeFunction`.
    pub public: BTreeSet<String>,
    running: Option<(u32, runtime_api::LocalFront, Sandbox)>,
}

pub struct Url {
    pub front: Front,
    pub site: Arc<Site>,
    pub alias: String,
    pub auth_type: String,
}

/// A stage of a REST API that calls the function, and the names by which it is reached.
pub struct Gateway {
    pub api: String,
    pub alias: String,
    pub stage: &'static str,
    pub site: Arc<Site>,
    names: BTreeSet<String>,
    hosts: Hosts,
}

impl Gateway {
    pub fn publish(&mut self, name: &str) {
        self.hosts.publish(name, &self.site);
        self.names.insert(name.to_owned());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Another region may have taken a name over.
        let own = |name: &&String| self.hosts.site(name).is_some_and(|site| Arc::ptr_eq(&site, &self.site));
        self.names.iter().filter(own).for_each(|name| self.hosts.withdraw(name));
    }
}

/// Where the sandboxes find the stand-in, and what they run with.
pub struct Surroundings<'a> {
    pub tools: &'a Toolchain,
    pub endpoint: &'a str,
    pub outage: &'a Arc<Mutex<Outage>>,
    /// Where public names are published.
    pub hosts: &'a Hosts,
}

impl Function {
    pub fn new(name: &str, account: &str, region: &str, latest: Config) -> Self {
        Function {
            name: name.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            latest,
            versions: BTreeMap::new(),
            aliases: BTreeMap::new(),
            url: None,
            gateway: None,
            public: BTreeSet::new(),
            running: None,
        }
    }

    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account, self.name)
    }

    pub fn publish(&mut self) -> u32 {
        let number = self.versions.keys().last().unwrap_or(&0) + 1;
        self.versions.insert(number, self.latest.clone());
        number
    }

    /// The access key of its role.
    pub fn key(&self) -> String {
        format!("ASIA-{}", self.name)
    }

    pub fn create_url(&mut self, alias: &str, auth_type: &str, outage: &Arc<Mutex<Outage>>) {
        let headers = [("x-forwarded-proto", "https")];
        let site = Site::new(Route::Nothing(forbidden()), outage, &headers);
        let front = Front::start(Arc::clone(&site));
        self.url = Some(Url { front, site, alias: alias.to_owned(), auth_type: auth_type.to_owned() });
    }

    pub fn create_gateway(
        &mut self,
        api: &str,
        alias: &str,
        stage: &'static str,
        surroundings: &Surroundings<'_>,
    ) -> &mut Gateway {
        let site = Site::new(Route::Nothing(internal(500)), surroundings.outage, &[("x-forwarded-proto", "https")]);
        let hosts = surroundings.hosts.clone();
        let (api, alias) = (api.to_owned(), alias.to_owned());
        self.gateway.insert(Gateway { api, alias, stage, site, names: BTreeSet::new(), hosts })
    }

    /// Makes the fronts show what their aliases point to now.
    pub fn refresh(&mut self, surroundings: &Surroundings<'_>) {
        if let Some(Url { site, alias, auth_type, .. }) = &self.url {
            let may = |action: &str| self.public.contains(&format!("{alias} {action}"));
            let is_public = auth_type == "NONE" && may("lambda:InvokeFunctionUrl") && may("lambda:InvokeFunction");
            let (site, alias) = (Arc::clone(site), alias.clone());
            let route =
                is_public.then(|| self.route(&alias, runtime_api::LocalFront::FunctionUrl, failed(), surroundings));
            site.show(route.flatten().unwrap_or_else(|| Route::Nothing(forbidden())));
        }
        if let Some(Gateway { site, alias, stage, .. }) = &self.gateway {
            let may = self.public.contains(&format!("{alias} apigateway lambda:InvokeFunction"));
            let (site, alias, front) = (Arc::clone(site), alias.clone(), runtime_api::LocalFront::RestApi { stage });
            let route = may.then(|| self.route(&alias, front, internal(502), surroundings));
            site.show(route.flatten().unwrap_or_else(|| Route::Nothing(internal(500))));
        }
    }

    /// What an alias points to, running; nothing when that is nothing.
    fn route(
        &mut self,
        alias: &str,
        front: runtime_api::LocalFront,
        failed: Response,
        surroundings: &Surroundings<'_>,
    ) -> Option<Route> {
        let version = *self.aliases.get(alias)?;
        let config = self.versions.get(&version)?;
        if config.broken {
            return Some(Route::Broken(failed));
        }
        let is_meant =
            |(running, behind, _): &&(u32, runtime_api::LocalFront, Sandbox)| (*running, *behind) == (version, front);
        if let Some((.., sandbox)) = self.running.as_ref().filter(is_meant) {
            return Some(Route::Running(sandbox.address));
        }
        let started = Sandbox::start(self, config, version, front, surroundings).ok();
        self.running = started.map(|sandbox| (version, front, sandbox));
        Some(match &self.running {
            Some((.., sandbox)) => Route::Running(sandbox.address),
            None => Route::Broken(failed),
        })
    }

    /// What the server wrote so far.
    pub fn log(&self) -> String {
        self.running.as_ref().map(|(.., sandbox)| sandbox.servers[0].log()).unwrap_or_default()
    }

    pub fn log_group(&self) -> String {
        let group = text(&self.latest.properties["LoggingConfig"]["LogGroup"]);
        if group.is_empty() { format!("/aws/lambda/{}", self.name) } else { group }
    }
}

/// The server and the adapter beside it.
struct Sandbox {
    address: SocketAddr,
    servers: Vec<ServerProcess>,
    // Dropped after the processes that are connected to it.
    _api: RuntimeApi,
    _folder: tempfile::TempDir,
}

impl Sandbox {
    fn start(
        function: &Function,
        config: &Config,
        version: u32,
        front: runtime_api::LocalFront,
        surroundings: &Surroundings<'_>,
    ) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        unzip(&config.code, folder.path())?;
        let properties = &config.properties;
        let handler = text(&properties["Handler"]);
        let server = folder.path().join(&handler);
        let is_executable = std::fs::metadata(&server).is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
        let variables = &properties["Environment"]["Variables"];
        let layers = text(&properties["Layers"]);
        // The layer's wrapper executes the handler; without either the runtime would look for a function in it.
        if variables["AWS_LAMBDA_EXEC_WRAPPER"] != "/opt/bootstrap"
            || !layers.contains("LambdaAdapterLayer")
            || !is_executable
        {
            return Err(format!("`{handler}` cannot be executed through the adapter's wrapper"));
        }
        let api = RuntimeApi::start(front, 0, &function.name).map_err(|error| error.to_string())?;
        let number = |name: &str, default| properties[name].as_u64().unwrap_or(default);
        let timeout = Duration::from_secs(number("Timeout", 3));
        let memory = u32::try_from(number("MemorySize", 128)).unwrap_or(u32::MAX);
        let mut environment = api.environment(folder.path(), &handler, memory, timeout);
        environment
            .extend(variables.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value))));
        let port = free_port().map_err(|error| error.to_string())?;
        let own = [
            // Sandboxes share one machine here, and the port is fixed in the template.
            ("AWS_LWA_PORT", port.to_string()),
            ("AWS_LAMBDA_FUNCTION_VERSION", version.to_string()),
            ("AWS_REGION", function.region.clone()),
            ("AWS_DEFAULT_REGION", function.region.clone()),
            ("AWS_ENDPOINT_URL", surroundings.endpoint.to_owned()),
            ("AWS_ACCESS_KEY_ID", function.key()),
            ("AWS_SECRET_ACCESS_KEY", "of-the-role".to_owned()),
            ("AWS_SESSION_TOKEN", "of-the-role".to_owned()),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let tools = surroundings.tools;
        let commands = [tools.cmd(ToolId::Node).arg(&server), tools.cmd(ToolId::LambdaAdapter)];
        let with = |cmd: Cmd| environment.iter().fold(cmd, |cmd, (name, value)| cmd.env_noise(name, value));
        let spawn =
            |cmd: Cmd| ServerProcess::spawn(&with(cmd).current_dir(folder.path())).map_err(|error| error.to_string());
        let servers = commands.into_iter().map(spawn).collect::<Result<Vec<_>, _>>()?;
        Ok(Sandbox { address: api.address(), servers, _api: api, _folder: folder })
    }
}

fn unzip(code: &[u8], to: &Path) -> Result<(), String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(code)).map_err(|error| error.to_string())?;
    archive.extract(to).map_err(|error| error.to_string())
}

fn forbidden() -> Response {
    let message = "Forbidden. For troubleshooting Function URL authorization issues, see: \
                   https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html";
    Response::json(403, &json!({ "Message": message }))
}

fn failed() -> Response {
    Response::new(502, "application/json", "Internal Server Error").with("x-amzn-errortype", "RuntimeError")
}

/// What API Gateway says when it cannot call the function, or gets no answer that it understands.
pub fn internal(status: u16) -> Response {
    Response::json(status, &json!({ "message": "Internal server error" }))
}
