//! Runs one version of a Worker in workerd, through the miniflare that `wrangler` itself brings.

use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mcp_deploy::process::{ServerProcess, free_port};
use mcp_deploy::toolchain::{ToolId, Toolchain};
use serde_json::{Map, Value, json};

use super::state::{Version, text};

const SCRIPT: &str = include_str!("runtime.mjs");
const READY: Duration = Duration::from_secs(60);

pub struct Running {
    pub address: SocketAddr,
    server: ServerProcess,
    _folder: tempfile::TempDir,
}

impl Running {
    /// What it wrote so far: the Worker's console among it.
    pub fn log(&self) -> String {
        self.server.log()
    }
}

/// Fails with what workerd says of a Worker that does not start.
pub fn start(name: &str, version: &Version, tools: &Toolchain) -> Result<Running, String> {
    let wrangler = tools.found(ToolId::Wrangler).ok_or("`wrangler` was not resolved")?;
    let wrangler = std::fs::canonicalize(&wrangler.path).map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let script = folder.path().join("runtime.mjs");
    std::fs::write(&script, SCRIPT).map_err(|error| error.to_string())?;
    let port = free_port().map_err(|error| error.to_string())?;
    let config = json!({ "port": port, "worker": worker(name, version) });
    let cmd = tools.cmd(ToolId::Node).arg(&script).arg(wrangler).current_dir(folder.path());
    let mut server = ServerProcess::spawn(&cmd.stdin(config.to_string())).map_err(|error| error.to_string())?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let ready = server.wait_ready(&mut || folder.path().join("ready").is_file(), READY);
    ready.map_err(|_| startup_error(&server.log()))?;
    Ok(Running { address, server, _folder: folder })
}

/// Miniflare's own words for it.
fn worker(name: &str, version: &Version) -> Value {
    let mut bindings = Map::new();
    let mut rate_limits = Map::new();
    let mut objects = Map::new();
    for binding in &version.bindings {
        let name = text(&binding["name"]);
        match binding["type"].as_str() {
            Some("plain_text" | "secret_text") => drop(bindings.insert(name, binding["text"].clone())),
            Some("json") => drop(bindings.insert(name, binding["json"].clone())),
            Some("version_metadata") => {
                let metadata = json!({ "id": version.id, "tag": "", "timestamp": version.created_on });
                bindings.insert(name, metadata);
            }
            Some("ratelimit") => drop(rate_limits.insert(name, json!({ "simple": binding["simple"] }))),
            Some("durable_object_namespace") => {
                let object = json!({ "className": binding["class_name"], "useSQLite": true });
                objects.insert(name, object);
            }
            _ => {}
        }
    }
    // An exported class needs no binding: it is reached through `ctx.exports`. With a `state` it is one no longer.
    for (class, export) in version.metadata["exports"].as_object().into_iter().flatten() {
        if export["type"] == "durable-object" && export["state"].is_null() {
            objects.insert(class.clone(), json!({ "className": class, "useSQLite": true }));
        }
    }
    let main = text(&version.metadata["main_module"]);
    let mut modules: Vec<_> = version.modules.iter().filter(|module| kind(&module.content_type).is_some()).collect();
    modules.sort_by_key(|module| module.name != main);
    let module = |module: &&super::state::Module| {
        json!({
            "type": kind(&module.content_type),
            "path": module.name,
            "contents": BASE64.encode(&module.content),
        })
    };
    json!({
        "name": name,
        "modules": modules.iter().map(module).collect::<Vec<_>>(),
        "compatibilityDate": version.metadata["compatibility_date"],
        "compatibilityFlags": version.metadata["compatibility_flags"].as_array().cloned().unwrap_or_default(),
        "bindings": bindings,
        "ratelimits": rate_limits,
        "durableObjects": objects,
    })
}

/// Source maps are uploaded beside the modules, but not run.
fn kind(content_type: &str) -> Option<&'static str> {
    match content_type {
        "application/javascript+module" => Some("ESModule"),
        "application/javascript" => Some("CommonJS"),
        "application/wasm" => Some("CompiledWasm"),
        "text/plain" => Some("Text"),
        "application/octet-stream" => Some("Data"),
        _ => None,
    }
}

fn startup_error(log: &str) -> String {
    let said = log.lines().find(|line| line.contains("Error:")).or_else(|| log.lines().next());
    let said =
        said.map(|line| line.split_once("Uncaught ").map_or(line.to_owned(), |(_, rest)| format!("Uncaught {rest}")));
    said.unwrap_or_else(|| "the Worker did not start".to_owned())
}
