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
    headers: &[(String, String)],
    patience: Duration,
    on_check: &mut dyn FnMut(&Check),
) -> Report {
    let health = url.strip_suffix("/mcp").map(|base| format!("{base}/health"));
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(250);
    while let Some(health) = &health
        && !probe::healthy(health)
        && !process::interrupted()
        && Instant::now() + pause < deadline
    {
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_secs(4));
    }
    let options = Options {
        url: url.to_owned(),
        local: false,
        calls: calls.to_vec(),
        headers: headers.to_vec(),
        timeout: manifest.longest_timeout() + Duration::from_secs(10),
        max_body_bytes: manifest.limits.max_body,
    };
    probe::run(&options, Some(&pipeline::contract(manifest)), on_check)
}
