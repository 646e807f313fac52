//! `destroy`: takes a deployment away after its name was typed.

use std::path::Path;

use anyhow::{Result, bail};

use super::{Deployments, End};
use crate::cli::Destroy;
use crate::deployments::Record;
use crate::error::Error;
use crate::files::Exclusive;
use crate::prompt::{self, Mode};
use crate::targets::deployer::Inquiry;
use crate::ui::{self, Mark};

pub fn run(args: Destroy, dir: Option<&Path>) -> Result<End> {
    let mode = Mode::of(args.yes);
    let all = Deployments::open(dir, Inquiry::Destroy, args.target, &args.stage.stage, mode)?;
    let app = all.project.manifest.app.clone();
    if mode == Mode::Refuse {
        bail!(Error::usage("`--yes` is missing, and there is no terminal to type the name on"));
    }
    all.ours()?;
    match mode {
        Mode::Ask => {
            let places: Vec<_> = all.current.iter().map(|one| one.url.clone()).collect();
            ui::say(format_args!("this takes `{app}` away from {}: {}", all.target.title, places.join(", ")));
            let typed = prompt::text(mode, "--yes", &format!("Type `{app}` to confirm"), None, |_| None)?;
            if typed != app {
                bail!("`{typed}` is not `{app}`; nothing was changed");
            }
        }
        Mode::Defaults | Mode::Refuse => {}
    }
    let _alone = Exclusive::to_deploy(&all.project.home)?;
    let context = all.context(&[], false);
    let cloud = all.target.cloud()?;
    for deployment in &all.current {
        let step = ui::step(format!("destroy {}", deployment.place()));
        let done = (cloud.destroy)(&context, deployment);
        step.end(if done.is_ok() { Mark::Good } else { Mark::Bad }, "");
        done?;
        Record::forget(&all.project.home, deployment)?;
    }
    let mut left: Vec<&str> = all.current.iter().map(cloud.leftovers).collect();
    left.dedup();
    ui::say(format_args!("`{app}` is gone; what is left: {}", left.join("; ")));
    Ok(End::Done)
}
