//! Proves a live deployment: waits, within bounds, until its address is alive, then probes it.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::local;
use crate::deployments::Deployment;
use crate::manifest::Manifest;
use crate::parallel;
use crate::probe::{self, Call, Check, Options, Pulse, Report, Silence};
use crate::process::{self, Interrupted};
use crate::targets::{self, Target};

/// A page that will not change by itself may still be that of the version before.
const LAST_OF_THE_OLD: Duration = Duration::from_secs(5);

/// What is asked of a live server, and how long it is waited for.
pub struct Questions<'a> {
    /// The cloud's identifiers of the versions of which one has to answer; empty: any may.
    pub deployments: &'a [String],
    pub calls: &'a [Call],
    /// What proves who we are, if the server asks.
    pub headers: &'a [(String, String)],
    /// How long a new address may take to come alive, and an old one to serve what is new.
    pub patience: Duration,
}

/// Probes `url`; everything it finds is in the report. Fails only when the user interrupts.
pub fn verify(
    url: &str,
    manifest: &Manifest,
    target: Option<&Target>,
    questions: &Questions<'_>,
    on_check: &mut dyn FnMut(&Check),
) -> Result<Proof> {
    let silence = wait(url, questions.deployments, questions.patience)?.err();
    let options = Options {
        url: url.to_owned(),
        local: false,
        calls: questions.calls.to_vec(),
        headers: questions.headers.to_vec(),
        budgets: None,
        timeout: manifest.longest_timeout() + Duration::from_secs(10),
        max_body_bytes: manifest.limits.max_body,
        deployments: questions.deployments.to_vec(),
        platforms: targets::platforms(),
    };
    let report = local::prove(options, Some(local::contract(manifest, target)), on_check)?;
    Ok(Proof { report, waited_in_vain: silence.is_some_and(|silence| !silence.lasting) })
}

pub struct Proof {
    pub report: Report,
    /// All the time there was went by, and more of it might have helped.
    pub waited_in_vain: bool,
}

/// Until the address answers that it is well, and that it is one of `deployments`, if there are any; else what it
/// answered last.
pub fn wait(url: &str, deployments: &[String], patience: Duration) -> Result<Result<Pulse, Silence>> {
    let mut deadline = Instant::now() + patience;
    let platforms = targets::platforms();
    let mut pause = Duration::from_millis(250);
    loop {
        let silence = match probe::pulse(url, &platforms) {
            Ok(pulse) if is_one_of(&pulse, deployments) => return Ok(Ok(pulse)),
            Ok(pulse) => of_another(&pulse, deployments),
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

/// A server that does not tell which version it is may be any.
fn is_one_of(pulse: &Pulse, deployments: &[String]) -> bool {
    deployments.is_empty() || pulse.deployment.as_ref().is_none_or(|serves| deployments.contains(serves))
}

fn of_another(pulse: &Pulse, deployments: &[String]) -> Silence {
    Silence {
        detail: format!(
            "version {} answers, and not {}",
            pulse.deployment.as_deref().unwrap_or_default(),
            deployments.join(" or ")
        ),
        hint: None,
        lasting: false,
    }
}

/// What each of these answers on its health page, asked at the same time.
pub fn pulses(deployments: &[Deployment]) -> Vec<Result<Pulse, Silence>> {
    let platforms = &targets::platforms();
    parallel::map(deployments, |one| probe::pulse(one.own_url(), platforms))
}
