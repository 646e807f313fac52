//! Proves a live deployment: waits, within bounds, until its address is alive, then probes it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::manifest::Manifest;
use crate::pipeline;
use crate::probe::{self, Call, Check, Options, Report, Silence};
use crate::process::{self, Interrupted};
use crate::targets::Target;

/// A page that will not change by itself may still be that of the version before.
const LAST_OF_THE_OLD: Duration = Duration::from_secs(5);

/// Probes `url`; everything it finds is in the report. Fails only when the user interrupts.
pub fn verify(
    url: &str,
    manifest: &Manifest,
    target: Option<&Target>,
    calls: &[Call],
    headers: &[(String, String)],
    patience: Duration,
    on_check: &mut dyn FnMut(&Check),
) -> Result<Proof> {
    let silence = wait(url, patience)?.err();
    let options = Options {
        url: url.to_owned(),
        local: false,
        calls: calls.to_vec(),
        headers: headers.to_vec(),
        budgets: None,
        timeout: manifest.longest_timeout() + Duration::from_secs(10),
        max_body_bytes: manifest.limits.max_body,
    };
    let report = pipeline::prove(options, Some(pipeline::contract(manifest, target)), on_check)?;
    Ok(Proof { report, waited_in_vain: silence.is_some_and(|silence| !silence.lasting) })
}

pub struct Proof {
    pub report: Report,
    /// All the time there was went by, and more of it might have helped.
    pub waited_in_vain: bool,
}

/// Until the address answers that it is well; else what it answered last.
pub fn wait(url: &str, patience: Duration) -> Result<Result<(), Silence>> {
    let mut deadline = Instant::now() + patience;
    let mut pause = Duration::from_millis(250);
    loop {
        let silence = match probe::pulse(url) {
            Ok(()) => return Ok(Ok(())),
            Err(silence) => silence,
        };
        if silence.lasting {
            deadline = deadline.min(Instant::now() + LAST_OF_THE_OLD);
        }
        let until = (Instant::now() + pause).min(deadline);
        pause = (pause * 2).min(Duration::from_secs(2));
        if Instant::now() >= deadline {
            return Ok(Err(silence));
        }
        while Instant::now() < until {
            if process::interrupted() {
                bail!(Interrupted);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
