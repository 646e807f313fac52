//! Proves a live deployment: waits, within bounds, until its address is alive, then probes it.

use std::time::{Duration, Instant};

use crate::manifest::Manifest;
use crate::pipeline;
use crate::probe::{self, Call, Check, Options, Report};
use crate::process;

/// How long a new address may take to come alive.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Probes `url`; everything it finds is in the report.
pub fn verify(
    url: &str,
    manifest: &Manifest,
    calls: &[Call],
    patience: Duration,
    on_check: &mut dyn FnMut(&Check),
) -> Report {
    let (url, headers) = connect_to(url);
    let health = url.strip_suffix("/mcp").map(|base| format!("{base}/health"));
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(250);
    while let Some(health) = &health
        && !probe::healthy(health, &headers)
        && !process::interrupted()
        && Instant::now() + pause < deadline
    {
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(4));
    }
    let options = Options {
        url,
        local: false,
        calls: calls.to_vec(),
        headers,
        timeout: manifest.longest_timeout() + Duration::from_secs(10),
        max_body_bytes: manifest.limits.max_body,
    };
    probe::run(&options, Some(&pipeline::contract(manifest)), on_check)
}

/// `MCP_DEPLOY_CONNECT_TO="https://name.example=http://127.0.0.1:8787 …"`: other addresses for some hosts, as curl's
/// `--connect-to`, with the host itself kept in the `Host` header.
pub fn connect_to(url: &str) -> (String, Vec<(String, String)>) {
    let pairs = std::env::var("MCP_DEPLOY_CONNECT_TO").unwrap_or_default();
    for (from, to) in pairs.split_whitespace().filter_map(|pair| pair.split_once('=')) {
        if let Some(path) = url.strip_prefix(from).filter(|path| path.is_empty() || path.starts_with('/')) {
            let host = from.split_once("://").map_or(from, |(_, host)| host);
            return (format!("{to}{path}"), vec![("host".to_owned(), host.to_owned())]);
        }
    }
    (url.to_owned(), Vec::new())
}
