//! One fault in one deployment of something prebuilt: what `status` tells after it is true, and the next command goes
//! on.

use std::time::{Duration, Instant};

use mcp_deploy::targets;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::clouds::Fault;
use crate::setting::{Run, Setting};

/// What goes wrong when the cloud is asked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// It answers with an error, and has done nothing.
    Refused(u16),
    /// It has done what it was asked for, and answers with an error.
    Denied(u16),
    /// It has done so, and the connection breaks.
    Lost,
    /// It has done so, and mcp-deploy is killed.
    Killed,
}

/// A project that was built and shipped once, to one cloud.
pub struct Shipped {
    pub setting: Setting,
    pub cloud: &'static str,
    count: u32,
}

/// How a deployment ended in which something went wrong.
pub struct Struck {
    pub run: Run,
    /// What the cloud served before and serves after it.
    pub before: Option<String>,
    pub after: Option<String>,
    /// What the record says of it.
    pub is_open: bool,
}

impl Shipped {
    pub fn to(cloud: &'static str) -> Self {
        let setting = Setting::new();
        setting.ok(&format!("ship --target {cloud}"));
        Shipped { setting, cloud, count: 0 }
    }

    /// What the stand-in really serves.
    pub fn live(&self) -> Option<String> {
        match self.cloud {
            "lambda" => {
                let function = self.setting.aws.output("us-east-1", "weather", "FunctionName")?;
                Some(self.setting.aws.versions("us-east-1", &function)?.0.to_string())
            }
            "vercel" => self.setting.vercel.live("weather"),
            _ => self.setting.cloudflare.live("weather"),
        }
    }

    fn fail(&self, fault: Fault) {
        match self.cloud {
            "lambda" => self.setting.aws.fail(fault),
            "vercel" => self.setting.vercel.fail(fault),
            _ => self.setting.cloudflare.fail(fault),
        }
    }

    fn heal(&self) {
        match self.cloud {
            "lambda" => self.setting.aws.heal(),
            "vercel" => self.setting.vercel.heal(),
            _ => self.setting.cloudflare.heal(),
        }
    }

    fn api(&self) -> &crate::clouds::Api {
        match self.cloud {
            "lambda" => self.setting.aws.api(),
            "vercel" => self.setting.vercel.api(),
            _ => self.setting.cloudflare.api(),
        }
    }

    /// Ships what was built, as another version, without a fault; the requests that takes.
    pub fn requests(&mut self) -> Vec<String> {
        self.change();
        self.api().forget_requests();
        self.setting.ok(&self.ship());
        self.api().calls()
    }

    fn ship(&self) -> String {
        format!("ship --target {} --prebuilt --wait 10", self.cloud)
    }

    /// The same files again would be the same version on Lambda.
    fn change(&mut self) {
        self.count += 1;
        if self.cloud != "lambda" {
            return;
        }
        let row = targets::ALL.iter().find(|row| row.name == self.cloud).expect("a row");
        let artifact = (row.artifact)(&self.setting.project.root());
        let text = std::fs::read_to_string(&artifact).expect("it was built");
        std::fs::write(&artifact, format!("{text}\n// {}\n", self.count)).expect("it can be written");
    }

    /// A deployment with a fault where `place` puts it.
    pub fn struck(&mut self, kind: Kind, place: impl Fn(Fault) -> Fault) -> Struck {
        let newest = self.setting.newest.clone();
        let fault = match kind {
            Kind::Refused(status) => Fault::status(status),
            Kind::Denied(status) => Fault::status(status).after_the_deed(),
            Kind::Lost => Fault::reset().after_the_deed(),
            Kind::Killed => Fault::call(move || {
                let pid = i32::try_from(newest.load(std::sync::atomic::Ordering::SeqCst)).ok().and_then(Pid::from_raw);
                // Gone already at the second request.
                let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
            })
            .after_the_deed(),
        };
        self.change();
        self.fail(place(fault));
        let struck = self.observed();
        self.heal();
        struck
    }

    /// The same on a disk that takes no file longer than so many blocks.
    pub fn on_a_full_disk(&mut self, blocks: u32) -> Struck {
        self.change();
        self.setting.full_disk = Some(blocks);
        let struck = self.observed();
        self.setting.full_disk = None;
        struck
    }

    fn observed(&self) -> Struck {
        let before = self.live();
        let run = self.setting.run(&self.ship());
        let started = Instant::now();
        while !self.setting.processes().is_empty() {
            let left = self.setting.processes();
            assert!(started.elapsed() < Duration::from_secs(20), "something still runs: {left:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
        let open = self.setting.record()["unfinished"].as_array().is_some_and(|list| !list.is_empty());
        Struck { run, before, after: self.live(), is_open: open }
    }

    /// What is wrong after it: `status` is asked without the fault, and then the next command; a way back where there
    /// is one to go.
    pub fn faults_after(&self, struck: &Struck, goes_back: bool) -> Vec<String> {
        let mut faults = Vec::new();
        let mut expect = |holds: bool, what: &str| {
            if !holds {
                faults.push(what.to_owned());
            }
        };
        let status = self.setting.run("status --json").json();
        let entry = status["deployments"].as_array().into_iter().flatten().find(|one| one["target"] == self.cloud);
        let entry = entry.cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let (serves, recorded) = (text(&entry["serves"]), text(&entry["version"]));
        expect(serves == struck.after, "status does not tell what is served");
        expect(entry["as_recorded"] == (recorded == struck.after), "status does not compare it with the record");
        let said_ok = status["ok"] == true;
        expect(
            said_ok == (!struck.is_open && recorded == struck.after),
            "status is well although it is not, or the other way round",
        );
        if struck.run.code == 0 {
            expect(recorded == struck.after && !struck.is_open, "success of something that is not served");
            expect(entry["state"] == "verified", "success of something that was not verified");
        } else if struck.after != struck.before {
            expect(struck.is_open, "something new is served, and the record knows nothing of it");
        }
        let next = match goes_back && struck.is_open {
            true => format!("rollback --target {} --yes", self.cloud),
            false => self.ship(),
        };
        let went_on = self.setting.run(&next);
        expect(went_on.code == 0, &format!("`{next}` does not go on: {}", went_on.stderr));
        let now = self.live();
        if next.starts_with("rollback") {
            expect(now == struck.before, "the way back leads elsewhere");
        }
        expect(
            text(&self.setting.recorded(self.cloud, "production")["version"]) == now,
            "the record does not match what is served",
        );
        expect(self.setting.record().get("unfinished").is_none(), "it stays unfinished");
        faults
    }

    /// The same, where nothing may be wrong.
    #[track_caller]
    pub fn goes_on_after(&self, struck: &Struck, goes_back: bool) {
        let faults = self.faults_after(struck, goes_back);
        let Struck { run, before, after, is_open } = struck;
        assert!(
            faults.is_empty(),
            "{faults:#?}\nbefore {before:?}, after {after:?}, unfinished {is_open}; it said\n{}",
            run.stderr
        );
    }
}
