//! From the start of a process to its first answer, all servers in turn, round by round.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::Bench;
use crate::stats::{Samples, short};

const ROUNDS: usize = 25;
/// A server that says nothing for so long never will.
const LIMIT: Duration = Duration::from_secs(30);

/// What every server answers; clients of 2025 may ask it without a session.
const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{}}"#;
const LIST_HEADERS: &str = "mcp-protocol-version: 2025-06-18\r\n";
const MODERN_LIST: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"figures","version":"0"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
const MODERN_LIST_HEADERS: &str = "mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/list\r\n";

/// One way to serve the weather example, on a port that it is told.
#[derive(Clone)]
struct Server {
    what: &'static str,
    program: PathBuf,
    /// `PORT` in them is the port.
    args: Vec<String>,
}

struct Row {
    server: Server,
    request: fn(u16) -> String,
    time: Samples,
    cpu: Samples,
    memory: Samples,
}

impl Row {
    fn new(server: &Server, request: fn(u16) -> String) -> Self {
        let [time, cpu, memory] = [Samples::default(), Samples::default(), Samples::default()];
        Row { server: server.clone(), request, time, cpu, memory }
    }
}

/// `project` has recorded answers; in `stub`, which is otherwise the same, nothing could be recorded.
pub fn print(bench: &Bench, project: &Path, stub: &Path) -> Result<()> {
    let node = |what, args: &[&Path]| Server {
        what,
        program: bench.node.clone(),
        args: args.iter().map(|arg| arg.display().to_string()).collect(),
    };
    let launcher = bench.path("vercel-launcher.mjs");
    std::fs::write(&launcher, mcp_deploy::targets::vercel::LAUNCHER)?;
    let vercel = |what, project: &Path, name: &str| -> Result<Server> {
        let function = bench.path(name);
        mcp_deploy::targets::vercel::copy_function(
            &project.join(".vercel/output/functions/index.func"),
            project,
            &function,
        )?;
        Ok(node(what, &[&launcher, &function, Path::new("PORT")]))
    };
    let lambda = Path::new("dist/lambda/lambda.mjs");
    let lean = bench.path("lean-floor.mjs");
    std::fs::write(&lean, lean_floor()?)?;
    let bare = bench.path("bare.func");
    std::fs::create_dir(&bare)?;
    std::fs::write(bare.join(".vc-config.json"), r#"{ "handler": "server.mjs" }"#)?;
    std::fs::write(bare.join("server.mjs"), include_str!("servers/bare-function.mjs"))?;
    let servers = [
        node("bare `node:http`", &[&bench.path("floor.mjs")]),
        node("the same without `import`", &[&lean]),
        node("built Lambda bundle", &[&project.join(lambda)]),
        node("the same, the SDK loaded at once", &[&stub.join(lambda)]),
        node("bare function in the launcher", &[&launcher, &bare, Path::new("PORT")]),
        vercel("built Vercel function in its launcher", project, "recorded.func")?,
        vercel("the same, the SDK loaded at once", stub, "stub.func")?,
        node("Express 5.3.0 + SDK 1.32.2, unbundled", &[&bench.express.join("server.mjs")]),
    ];
    let floor = bench.path("floor-worker");
    std::fs::create_dir(&floor)?;
    std::fs::write(floor.join("cloudflare.js"), include_str!("servers/floor-worker.js"))?;
    let worker = |what, folder: &Path| -> Result<Server> {
        let config = folder.join("figures.capnp");
        std::fs::write(&config, WORKERD)?;
        let socket = "--socket-addr=http=127.0.0.1:PORT".to_owned();
        Ok(Server {
            what,
            program: bench.workerd.clone(),
            args: vec!["serve".into(), config.display().to_string(), socket],
        })
    };
    let built = Path::new(".wrangler/dist");
    let workers = [
        worker("bare Worker", &floor)?,
        worker("built Worker", &project.join(built))?,
        worker("the same, the SDK loaded at once", &stub.join(built))?,
    ];
    let rows = |servers: &[Server], request: fn(u16) -> String| -> Vec<Row> {
        servers.iter().map(|server| Row::new(server, request)).collect()
    };
    // Express and the SDK's first generation do not know the newer protocol.
    let mut tables = [
        ("`tools/list` of 2025", rows(&servers, old_list)),
        ("`tools/list` of 2026", rows(&servers[..7], modern_list)),
        ("`/health`", rows(&servers, health_check)),
        ("`tools/list` of 2025, in workerd", rows(&workers, old_list)),
        ("`tools/list` of 2026, in workerd", rows(&workers, modern_list)),
    ];
    // One round to warm the page cache, then all of them in turn, each round in another order.
    for round in 0..=ROUNDS {
        let mut all: Vec<&mut Row> = tables.iter_mut().flat_map(|(_, rows)| rows).collect();
        let count = all.len();
        all.rotate_left(round % count);
        for row in all {
            let (time, cpu, memory) = first_answer(row)?;
            if round > 0 {
                row.time.add_time(time);
                row.cpu.add(cpu);
                row.memory.add(memory);
            }
        }
    }
    println!("Start of the process to the first answer, {ROUNDS} interleaved rounds:\n");
    println!(
        "| first answer to | server | median ms | × the floor | least ms | middle half ms | CPU ms | × the floor | peak MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for (request, rows) in &tables {
        table(request, rows);
    }
    println!();
    Ok(())
}

/// An import of `node:http` reads all that the module has, and loads the HTTP client behind its `WebSocket`: the generated server does
/// without, and so has to be compared with a floor that does, too.
fn lean_floor() -> Result<String> {
    let floor = include_str!("servers/floor.mjs");
    let import = "import { createServer } from \"node:http\";";
    ensure!(floor.contains(import), "the floor imports something else");
    Ok(floor.replace(import, "const { createServer } = process.getBuiltinModule(\"node:http\");"))
}

/// What `wrangler` built, in a workerd without wrangler.
const WORKERD: &str = r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [(name = "cloudflare.js", esModule = embed "cloudflare.js")], compatibilityDate = "2026-11-17"))],
  sockets = [(name = "http", http = (), service = "main")]
);
"#;

fn table(request: &str, rows: &[Row]) {
    let floor = &rows[0];
    for row in rows {
        println!(
            "| {request} | {} | {} | {:.2} | {} | {} | {} | {:.2} | {} |",
            row.server.what,
            short(row.time.median()),
            row.time.median() / floor.time.median(),
            short(row.time.least()),
            row.time.middle_half(),
            short(row.cpu.median()),
            row.cpu.median() / floor.cpu.median(),
            short(row.memory.median()),
        );
    }
}

/// Wall time, processor time in ms and peak memory in MiB until the first good answer.
fn first_answer(row: &Row) -> Result<(Duration, f64, f64)> {
    let port = mcp_deploy::process::free_port()?;
    let request = (row.request)(port);
    let Server { what, program, args } = &row.server;
    let mut command = Command::new(program);
    command.args(args.iter().map(|arg| arg.replace("PORT", &port.to_string())));
    command.env("PORT", port.to_string()).env("NODE_ENV", "production");
    command.env_remove("NODE_OPTIONS").env_remove("NODE_COMPILE_CACHE").env_remove("AWS_LWA_PORT");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let mut server = Killed(command.spawn().with_context(|| format!("cannot start {}", program.display()))?);
    let answer = loop {
        if let Ok(answer) = ask(port, &request) {
            break answer;
        }
        if let Some(status) = server.0.try_wait()? {
            bail!("{what} ended: {status}");
        }
        ensure!(started.elapsed() < LIMIT, "{what} does not answer");
        std::thread::sleep(Duration::from_micros(500));
    };
    let time = started.elapsed();
    let (cpu, memory) = (cpu_ms(server.0.id()), peak_mib(server.0.id()));
    ensure!(answer.starts_with("HTTP/1.1 200"), "{what} answered {answer}");
    let expected = if request.starts_with("GET") { "200" } else { "get_weather" };
    ensure!(answer.contains(expected), "{what} answered {answer}");
    Ok((time, cpu, memory))
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads until the whole of the answer is there; some servers keep the connection whatever they are asked.
fn ask(port: u16, request: &str) -> Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request.as_bytes())?;
    let (mut answer, mut part) = (Vec::new(), [0; 16 * 1024]);
    while !is_whole(&String::from_utf8_lossy(&answer)) {
        let length = stream.read(&mut part)?;
        ensure!(length > 0, "the connection ended early");
        answer.extend_from_slice(&part[..length]);
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else { return false };
    let head = head.to_ascii_lowercase();
    match head.lines().find_map(|line| line.strip_prefix("content-length:")) {
        Some(length) => length.trim().parse().is_ok_and(|length: usize| body.len() >= length),
        None => body.ends_with("0\r\n\r\n"),
    }
}

fn old_list(port: u16) -> String {
    post(port, LIST_HEADERS, LIST)
}

fn modern_list(port: u16) -> String {
    post(port, MODERN_LIST_HEADERS, MODERN_LIST)
}

fn post(port: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn health_check(port: u16) -> String {
    format!("GET /health HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n")
}

/// What all threads of the process have computed so far (Linux only).
fn cpu_ms(pid: u32) -> f64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return f64::NAN };
    let nanoseconds = |path: &Path| std::fs::read_to_string(path).ok()?.split(' ').next()?.parse::<f64>().ok();
    threads.flatten().filter_map(|thread| nanoseconds(&thread.path().join("schedstat"))).sum::<f64>() / 1e6
}

fn peak_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1024.0)
}
