//! What the servers are asked, over plain sockets, and what their processes have computed meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

/// A server that says nothing for so long never will.
pub const LIMIT: Duration = Duration::from_secs(30);

/// What is asked; clients of 2025 may ask it without a session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Health,
    List,
    Call,
    ModernList,
    ModernCall,
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"figures","version":"0"},"io.modelcontextprotocol/clientCapabilities":{}}"#;
const CALLED: &str = r#""name":"get_weather","arguments":{"location":"Oslo"}"#;

impl Ask {
    pub fn name(self) -> &'static str {
        match self {
            Ask::Health => "`/health`",
            Ask::List => "`tools/list` of 2025",
            Ask::Call => "`tools/call` of 2025",
            Ask::ModernList => "`tools/list` of 2026",
            Ask::ModernCall => "`tools/call` of 2026",
        }
    }

    pub fn is_modern(self) -> bool {
        matches!(self, Ask::ModernList | Ask::ModernCall)
    }

    /// The whole request, with a token where one is needed.
    pub fn request(self, token: Option<&str>) -> String {
        let old = "mcp-protocol-version: 2025-06-18\r\n".to_owned();
        let modern = |more: &str| format!("mcp-protocol-version: 2026-07-28\r\n{more}");
        let (headers, method, params) = match self {
            Ask::Health => return "GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".to_owned(),
            Ask::List => (old, "tools/list", String::new()),
            Ask::Call => (old, "tools/call", CALLED.to_owned()),
            Ask::ModernList => (modern("mcp-method: tools/list\r\n"), "tools/list", META.to_owned()),
            Ask::ModernCall => {
                let names = "mcp-method: tools/call\r\nmcp-name: get_weather\r\n";
                (modern(names), "tools/call", format!("{CALLED},{META}"))
            }
        };
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params}}}}}"#);
        let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
        let length = body.len();
        format!(
            "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n{headers}{authorization}\r\n{body}"
        )
    }

    /// A floor answers a call as it answers a list.
    pub fn check(self, what: &str, answer: &str) -> Result<()> {
        let is_result = self == Ask::Health || (answer.contains("\"result\"") && !answer.contains("\"isError\":true"));
        ensure!(answer.starts_with("HTTP/1.1 200") && is_result, "{what} answered {answer}");
        Ok(())
    }
}

/// A connection that is kept.
pub struct Client(TcpStream);

impl Client {
    pub fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(Client(stream))
    }

    /// Reads until the whole of the answer is there; some servers keep the connection whatever they are asked.
    pub fn ask(&mut self, request: &str) -> Result<String> {
        self.0.write_all(request.as_bytes())?;
        let (mut answer, mut part) = (Vec::new(), vec![0; 64 * 1024]);
        while !is_whole(&answer) {
            let length = self.0.read(&mut part)?;
            ensure!(length > 0, "the connection ended early");
            answer.extend_from_slice(&part[..length]);
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    match head.lines().find_map(|line| line.strip_prefix("content-length:")) {
        Some(length) => length.trim().parse().is_ok_and(|length: usize| answer.len() - end - 4 >= length),
        None => answer.ends_with(b"0\r\n\r\n"),
    }
}

/// What all threads of the process have computed so far (Linux only).
pub fn cpu_ms(pid: u32) -> f64 {
    let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return f64::NAN };
    let nanoseconds = |path: &Path| std::fs::read_to_string(path).ok()?.split(' ').next()?.parse::<f64>().ok();
    threads.flatten().filter_map(|thread| nanoseconds(&thread.path().join("schedstat"))).sum::<f64>() / 1e6
}

pub fn peak_mib(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(f64::NAN, |kib| kib / 1024.0)
}
