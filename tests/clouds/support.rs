//! A rendered project, the real tools, and a client that follows the URLs they print.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use mcp_deploy::process::{self, Cmd, Ended, Io, ToolFailed};
use mcp_deploy::toolchain::{ToolId, Toolchain};
use serde_json::{Value, json};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::clouds::Edge;
use crate::packages::link_tree;
use crate::provisioned;

const LIMIT: Duration = Duration::from_secs(300);

pub fn tools() -> &'static Toolchain {
    static TOOLS: OnceLock<Toolchain> = OnceLock::new();
    TOOLS.get_or_init(|| provisioned::tools().1)
}

/// The weather example for all clouds, with its packages; a separate copy for every test.
pub struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    pub fn new() -> Self {
        static MODEL: OnceLock<tempfile::TempDir> = OnceLock::new();
        let model = MODEL.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let root = folder.path().join("weather");
            let init = Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).args(["init", "--yes"]).arg(&root);
            run(&init).expect("`init`");
            // What a project with secrets needs for Lambda.
            let package = std::fs::read_to_string(root.join("package.json")).expect("package.json");
            let with = package.replace("\"dependencies\": {", "\"dependencies\": {\n    \"aws4fetch\": \"1.0.20\",");
            std::fs::write(root.join("package.json"), with).expect("package.json");
            let install = tools().cmd(ToolId::Npm).args(["install", "--ignore-scripts"]).current_dir(&root);
            run(&install).expect("`npm install`");
            // What the compiler and Node.js keep among the packages is every copy's then.
            run(&Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).arg("check").current_dir(&root)).expect("`check`");
            folder
        });
        let folder = tempfile::tempdir().expect("a temporary folder");
        link_tree(&model.path().join("weather"), &folder.path().join("weather"));
        Project { folder }
    }

    pub fn root(&self) -> PathBuf {
        self.folder.path().join("weather")
    }

    /// A folder beside the project, for what a tool would keep in the user's home.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn replace(&self, file: &str, from: &str, to: &str) {
        let path = self.root().join(file);
        let text = std::fs::read_to_string(&path).expect("the file is there");
        assert!(text.contains(from), "`{file}` has no `{from}`");
        std::fs::write(&path, text.replace(from, to)).expect("the file can be replaced");
    }

    /// Another answer to the same question.
    pub fn make_warmer(&self, degrees: u32) {
        self.replace("src/tools/get_weather.ts", "? celsius :", &format!("? celsius + {degrees} :"));
    }

    /// One declared secret, and a tool that tells how long its value is.
    pub fn with_secret(&self) {
        self.replace("mcp.toml", "[env]", "[secrets]\nWEATHER_API_KEY = \"Key of the weather service\"\n\n[env]");
        self.replace(
            "src/tools/get_weather.ts",
            "units, conditions };",
            "units, conditions: String(String(ctx.env[\"WEATHER_API_KEY\"]).length) };",
        );
        let render = Cmd::new(env!("CARGO_BIN_EXE_mcp-deploy")).arg("render").current_dir(self.root());
        run(&render).expect("`render`");
    }

    pub fn tool(&self, id: ToolId, args: &[&str]) -> Cmd {
        let home = self.home();
        let cmd = tools().cmd(id).args(args).current_dir(self.root()).env_noise("CI", "1");
        // What was fetched once is good enough: versions are pinned.
        let cmd = cmd.env_noise("npm_config_prefer_offline", "true");
        [("XDG_CONFIG_HOME", "config"), ("XDG_DATA_HOME", "data"), ("XDG_CACHE_HOME", "cache")]
            .iter()
            .fold(cmd, |cmd, (name, folder)| cmd.env_noise(name, home.join(folder)))
    }
}

pub fn with(cmd: Cmd, environment: &[(&str, String)]) -> Cmd {
    environment.iter().fold(cmd, |cmd, (name, value)| cmd.env_noise(name, value))
}

pub fn run(cmd: &Cmd) -> Result<Ended, ToolFailed> {
    process::run(cmd, Io::Answer, Some(LIMIT)).map_err(|error| ToolFailed::of(&error).expect("the tool ran").clone())
}

/// Asks the servers, with the names and certificates of the edge.
pub struct Client {
    agent: ureq::Agent,
}

impl Client {
    pub fn new(edge: &Edge) -> Self {
        let ca = Certificate::from_pem(&edge.ca_pem()).expect("a certificate");
        let roots = RootCerts::Specific(Arc::new(vec![ca]));
        let config = ureq::Agent::config_builder()
            .proxy(Some(ureq::Proxy::new(&edge.proxy_url()).expect("a proxy")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Client { agent: config.into() }
    }

    /// For addresses on this machine.
    pub fn direct() -> Self {
        let config = ureq::Agent::config_builder()
            .proxy(None)
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(20)))
            .build();
        Client { agent: config.into() }
    }

    pub fn get(&self, url: &str) -> Result<(u16, String), String> {
        let mut reply = self.agent.get(url).call().map_err(|error| error.to_string())?;
        let body = reply.body_mut().read_to_string().map_err(|error| error.to_string())?;
        Ok((reply.status().as_u16(), body))
    }

    /// The temperature in Oslo, asked over MCP.
    pub fn temperature(&self, mcp_url: &str) -> i64 {
        let result = self.call(mcp_url).unwrap_or_else(|error| panic!("{mcp_url}: {error}"));
        result["structuredContent"]["temperature"].as_i64().unwrap_or_else(|| panic!("no temperature in {result}"))
    }

    /// What the tool of [`Project::with_secret`] tells.
    pub fn secret_length(&self, mcp_url: &str) -> usize {
        let result = self.call(mcp_url).unwrap_or_else(|error| panic!("{mcp_url}: {error}"));
        let length = result["structuredContent"]["conditions"].as_str().and_then(|length| length.parse().ok());
        length.unwrap_or_else(|| panic!("no length in {result}"))
    }

    pub fn call(&self, mcp_url: &str) -> Result<Value, String> {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "tests", "version": "0" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({ "name": "get_weather", "arguments": { "location": "Oslo" }, "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
        let request = self
            .agent
            .post(mcp_url)
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2026-07-28")
            .header("mcp-method", "tools/call")
            .header("mcp-name", "get_weather");
        let mut reply = request.send(body.to_string()).map_err(|error| error.to_string())?;
        let text = reply.body_mut().read_to_string().map_err(|error| error.to_string())?;
        let json: Value = serde_json::from_str(&text).map_err(|_| format!("{}: {text}", reply.status()))?;
        json.get("result").cloned().ok_or_else(|| text.clone())
    }
}

pub fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < LIMIT, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
