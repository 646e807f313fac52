//! Cloudflare Workers: `wrangler` builds, and runs the Worker in workerd.

mod deploy;
mod gates;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{Build, Local, Start, Step, Target};
use crate::error::Error;
use crate::manifest::targets::{Targets, cloudflare};
use crate::process::Cmd;
use crate::toolchain::{Need, ToolId};

pub const TARGET: Target = Target {
    facts: &cloudflare::FACTS,
    aliases: &[],
    tools: &[(ToolId::Wrangler, Need::Run)],
    packages: |_| &[],
    bundle: None,
    websocket: Targets::has_websocket,
    data: |manifest| serde_json::to_value(template::data(manifest)),
    build,
    start,
    artifact,
    scripts: |root| root.join(OUTPUT),
    metafile,
    gates: gates::ALL,
    to_tell_versions: None,
    cloud: Some(deploy::CLOUD),
};

fn build(build: &Build<'_>) -> Vec<Step> {
    let cmd = build
        .tools
        .cmd(ToolId::Wrangler)
        .args(["deploy", "--dry-run", "--outdir", OUTPUT, "--env="])
        .current_dir(build.root);
    vec![Step { fills: Some(OUTPUT), judged: Some(size), ..Step::new("build", cmd.env_noise("CI", "1")) }]
}

/// KiB of a compressed Worker, its modules included: what a paid plan takes, and a free one.
const LARGEST: [f64; 2] = [10.0 * 1024.0, 3.0 * 1024.0];

/// `Total Upload: 67.39 KiB / gzip: 23.77 KiB`, as wrangler ends a build.
fn size(said: &str) -> Result<Option<String>> {
    let gzip = said.lines().filter_map(|line| line.split_once("Total Upload: ")?.1.split_once("gzip: ")).last();
    let Some(size) = gzip.and_then(|(_, rest)| rest.split_whitespace().next()?.parse::<f64>().ok()) else {
        return Ok(None);
    };
    let [paid, free] = LARGEST;
    let has = format!("the Worker has {size:.0} KiB compressed, files beside the code included");
    if size > paid {
        let error = Error::new(format!("{has}; Cloudflare takes at most 10 MiB (3 MiB on a free plan)"));
        bail!(error.hint("import less, or keep large files in a bucket and fetch them"));
    }
    Ok((size > free).then(|| format!("{has}: that takes a paid plan, a free one takes 3 MiB")))
}

const OUTPUT: &str = ".wrangler/dist";

fn metafile(build: &Build<'_>, out: &Path, metafile: &Path) -> Result<Cmd> {
    let cmd = build.tools.cmd(ToolId::Wrangler).args(["deploy", "--dry-run", "--env=", "--outdir"]).arg(out);
    Ok(cmd.arg("--metafile").arg(metafile).current_dir(build.root).env_noise("CI", "1"))
}

fn artifact(root: &Path) -> PathBuf {
    root.join(OUTPUT).join("cloudflare.js")
}

fn start(build: &Build<'_>, start: &Start<'_>) -> Result<Local> {
    let port = start.port.to_string();
    let cmd =
        build.tools.cmd(ToolId::Wrangler).args(["dev", "--ip", "127.0.0.1", "--port", &port, "--inspector-port", "0"]);
    // With a custom domain configured wrangler would otherwise rewrite Host and Origin, and the server's checks would see neither.
    let cmd = cmd.args(["--infer-origin-from-routes=false", "--persist-to"]).arg(start.state.join("cloudflare"));
    // Wrangler reads secrets from `.env` and its own environment, which goes before; and, where it knows of secrets, nothing else
    // from there. So settings come by argument, and with them what only this run has and is no declared secret.
    let declared = |name: &str| build.manifest.secrets.iter().any(|secret| secret.name == name);
    let settings = start.env.iter().filter(|(name, _)| build.manifest.env.iter().any(|(known, _)| known == name));
    let cmd = settings.chain(start.guest).fold(cmd, |cmd, (name, value)| match declared(name) {
        true => cmd.env_secret(name, value).env_noise("CLOUDFLARE_INCLUDE_PROCESS_ENV", "true"),
        false => cmd.args(["--var".to_owned(), format!("{name}:{value}")]),
    });
    let secrets = start.env.iter().filter(|(name, _)| declared(name));
    let cmd = secrets.fold(cmd, |cmd, (_, value)| cmd.knows_secret(value));
    Ok(Local {
        // Secrets reach the Worker through `.env`, which wrangler reads itself.
        commands: vec![cmd.current_dir(build.root).env_noise("CI", "1")],
        bundle: build.root.join(OUTPUT),
        base: format!("http://127.0.0.1:{port}"),
        runtime: "workerd, through `wrangler dev`".into(),
        platform: None,
        place: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_cloudflare_would_not_take_is_no_success() {
        let said = |gzip: &str| size(&format!("x\nTotal Upload: 70000.39 KiB / gzip: {gzip} KiB\nBinding\n"));
        assert_eq!(said("3072.00").unwrap(), None);
        assert!(said("3072.01").unwrap().unwrap().contains("takes a paid plan"));
        assert!(said("10240.00").unwrap().is_some());
        assert!(said("10240.01").unwrap_err().to_string().contains("at most 10 MiB"));
        assert_eq!(size("--dry-run: exiting now.").unwrap(), None);
    }
}
