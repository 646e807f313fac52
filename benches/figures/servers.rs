//! The servers that are compared: the floors, what mcp-deploy has built, and the servers of others.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::requests::{Ask, Client, LIMIT};
use crate::{Bench, Projects};

/// One way to serve the weather example, on a given port.
#[derive(Clone)]
pub struct Server {
    pub what: &'static str,
    program: PathBuf,
    /// `PORT` in them is the port.
    args: Vec<String>,
    env: Vec<(&'static str, String)>,
    pub token: Option<String>,
    /// Express with the SDK's first generation, and mcp-lite, do not know the newer protocol.
    is_old: bool,
}

pub struct Servers {
    /// The two floors first.
    pub node: Vec<Server>,
    /// The floor first.
    pub workerd: Vec<Server>,
}

/// What `wrangler` built, in a workerd without wrangler.
const WORKERD: &str = r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [(name = "cloudflare.js", esModule = embed "cloudflare.js")], compatibilityDate = "2026-11-17"))],
  sockets = [(name = "http", http = (), service = "main")]
);
"#;

impl Servers {
    pub fn new(bench: &Bench, projects: &Projects, stand_in: &StandIn) -> Result<Self> {
        let node = |what, args: &[&Path]| Server {
            what,
            program: bench.node.clone(),
            args: args.iter().map(|arg| arg.display().to_string()).collect(),
            env: Vec::new(),
            token: None,
            is_old: false,
        };
        let lambda = Path::new("dist/lambda/lambda.mjs");
        let lean = bench.path("lean-floor.mjs");
        std::fs::write(&lean, lean_floor()?)?;
        let launcher = bench.path("vercel-launcher.mjs");
        std::fs::write(&launcher, mcp_deploy::targets::vercel::LAUNCHER)?;
        let bare = bench.path("bare.func");
        std::fs::create_dir(&bare)?;
        std::fs::write(bare.join(".vc-config.json"), r#"{ "handler": "server.mjs" }"#)?;
        std::fs::write(bare.join("server.mjs"), include_str!("servers/bare-function.mjs"))?;
        let function = bench.path("built.func");
        let built = projects.weather.join(".vercel/output/functions/index.func");
        mcp_deploy::targets::vercel::copy_function(&built, &projects.weather, &function)?;
        let guarded = Server {
            env: vec![
                ("AWS_REGION", "us-east-1".to_owned()),
                ("AWS_ACCESS_KEY_ID", "figures".to_owned()),
                ("AWS_SECRET_ACCESS_KEY", "figures".to_owned()),
                ("AWS_ENDPOINT_URL_DYNAMODB", format!("http://127.0.0.1:{}", stand_in.port)),
                ("MCP_TABLE", "figures".to_owned()),
            ],
            token: Some(stand_in.token.clone()),
            ..node("the same with oauth, state and a rate limit", &[&projects.guarded.join(lambda)])
        };
        let old = |server: Server| Server { is_old: true, ..server };
        let peer = |what, file| node(what, &[&bench.peers.join(file)]);
        let servers = vec![
            node("bare `node:http`", &[&bench.path("floor.mjs")]),
            node("the same without `import`", &[&lean]),
            node("built Lambda bundle", &[&projects.weather.join(lambda)]),
            node("the same with 1,000 tools", &[&projects.large.join(lambda)]),
            guarded,
            node("bare function in the launcher", &[&launcher, &bare, Path::new("PORT")]),
            node("built Vercel function in its launcher", &[&launcher, &function, Path::new("PORT")]),
            old(peer("mcp-lite 0.10.0", "mcp-lite.mjs")),
            peer("tmcp 1.20.0", "tmcp.mjs"),
            peer("SDK 2.4.0", "sdk2.mjs"),
            peer("mcp-handler 2.4.0", "mcp-handler.mjs"),
            old(node("Express 5.3.0 + SDK 1.32.2", &[&bench.express.join("server.mjs")])),
        ];
        let floor = bench.path("floor-worker");
        std::fs::create_dir(&floor)?;
        std::fs::write(floor.join("cloudflare.js"), include_str!("servers/floor-worker.js"))?;
        let worker = |what, folder: &Path| -> Result<Server> {
            let config = folder.join("figures.capnp");
            std::fs::write(&config, WORKERD)?;
            let socket = "--socket-addr=http=127.0.0.1:PORT".to_owned();
            let args = vec!["serve".to_owned(), config.display().to_string(), socket];
            Ok(Server { program: bench.workerd.clone(), args, ..node(what, &[]) })
        };
        let workers =
            vec![worker("bare Worker", &floor)?, worker("built Worker", &projects.weather.join(".wrangler/dist"))?];
        Ok(Servers { node: servers, workerd: workers })
    }
}

impl Server {
    pub fn answers(&self, ask: Ask) -> bool {
        !(self.is_old && ask.is_modern())
    }

    pub fn request(&self, ask: Ask) -> String {
        ask.request(self.token.as_deref())
    }

    pub fn start(&self) -> Result<Running> {
        let port = mcp_deploy::process::free_port()?;
        let mut command = Command::new(&self.program);
        command.args(self.args.iter().map(|arg| arg.replace("PORT", &port.to_string())));
        command.env("PORT", port.to_string()).env("NODE_ENV", "production");
        command.env_remove("NODE_OPTIONS").env_remove("NODE_COMPILE_CACHE").env_remove("AWS_LWA_PORT");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", self.program.display()))?;
        Ok(Running { what: self.what, child, port, started })
    }
}

/// Ends with its value.
pub struct Running {
    pub what: &'static str,
    child: Child,
    port: u16,
    pub started: Instant,
}

impl Running {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first connection, and what came over it.
    pub fn first(&mut self, ask: Ask, request: &str) -> Result<Client> {
        loop {
            let answered = Client::connect(self.port).and_then(|mut client| Ok((client.ask(request)?, client)));
            if let Ok((answer, client)) = answered {
                ask.check(self.what, &answer)?;
                return Ok(client);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended: {status}", self.what);
            }
            ensure!(self.started.elapsed() < LIMIT, "{} does not answer", self.what);
            std::thread::sleep(std::time::Duration::from_micros(500));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An import of `node:http` reads all that the module has, and loads the HTTP client behind its `WebSocket`: the
/// generated server does without, and so has to be compared with a floor that does, too.
fn lean_floor() -> Result<String> {
    let floor = include_str!("servers/floor.mjs");
    let import = "import { createServer } from \"node:http\";";
    ensure!(floor.contains(import), "the floor imports something else");
    Ok(floor.replace(import, "const { createServer } = process.getBuiltinModule(\"node:http\");"))
}

/// An issuer and a table, which a server with oauth, state and limits talks to.
pub struct StandIn {
    _process: Running,
    pub port: u16,
    pub token: String,
}

impl StandIn {
    pub fn start(bench: &Bench) -> Result<Self> {
        let script = bench.path("stand-in.mjs");
        std::fs::write(&script, include_str!("servers/stand-in.mjs"))?;
        let port = mcp_deploy::process::free_port()?;
        let mut command = Command::new(&bench.node);
        command.arg(script).env("PORT", port.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = child.stdout.take().context("the stand-in has no output")?;
        let process = Running { what: "the stand-in", child, port, started: Instant::now() };
        let mut token = String::new();
        BufReader::new(output).read_line(&mut token)?;
        ensure!(!token.is_empty(), "the stand-in has no token");
        Ok(StandIn { _process: process, port, token: token.trim().to_owned() })
    }

    /// The manifest with everything on.
    pub fn guarded(&self, manifest: &str) -> String {
        let annotated = "annotations = { read_only = true, idempotent = true }";
        let manifest = manifest.replace(annotated, &format!("{annotated}\nstate = \"caller\""));
        let issuer = format!("http://127.0.0.1:{}", self.port);
        format!(
            "{manifest}\n[access]\nauth = \"oauth\"\nrate_limit = \"1000000/minute\"\n\n[access.oauth]\n\
             issuer = \"{issuer}\"\naudience = \"figures\"\njwks_uri = \"{issuer}/jwks\"\n"
        )
    }
}
