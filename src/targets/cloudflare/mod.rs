//! Cloudflare Workers: `wrangler` builds, and runs the Worker in workerd.

mod deploy;
mod gates;
mod local_secrets;
mod template;
mod watched;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::{Build, Code, Deployer, Local, Start, Step, Target, Watch};
use crate::error::Error;
use crate::manifest::targets::{Targets, cloudflare};
use crate::plan;
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
    // esbuild takes it for a pattern.
    unfit_in_paths: |c| c == '*',
    build,
    start,
    watch: Some(Watch { news: watched::news, restarted: watched::restarted, made: watched::made }),
    is_chatter: watched::is_chatter,
    artifact,
    scripts: |root| root.join(OUTPUT),
    metafile,
    gates: gates::ALL,
    to_tell_versions: None,
    deployer: Deployer::Api(deploy::CLOUD),
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
    let gzip = said.lines().filter_map(|line| line.split_once("Total Upload: ")?.1.split_once("gzip: ")).next_back();
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
    // With a custom domain configured wrangler would otherwise rewrite Host and Origin, and the server's checks would
    // see neither.
    let cmd = cmd.args(["--infer-origin-from-routes=false", "--persist-to"]).arg(start.state.join("cloudflare"));
    let cmd = match start.code {
        Code::Built => cmd,
        Code::Sources => cmd.arg("--no-minify"),
        Code::Bundle(folder) => cmd.arg(folder.join(watched::SCRIPT)).arg("--no-bundle"),
    };
    // wrangler would read other values from `.env`: it expands `$NAME`, and reads `.env.local` and `.dev.vars` as well.
    let declared = |name: &str| build.manifest.secrets.iter().any(|secret| secret.name == name);
    let (secrets, others): (Vec<_>, Vec<_>) = start.env.iter().partition(|(name, _)| declared(name));
    let values: Vec<_> = secrets.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let file = start.scratch.join("secrets.env");
    plan::write_scratch(&file, &local_secrets::text(&values)?)?;
    let cmd =
        others.into_iter().fold(cmd, |cmd, (name, value)| cmd.args(["--var".to_owned(), format!("{name}:{value}")]));
    // Its own environment overrides the file.
    let cmd = build.manifest.secrets.iter().fold(cmd, |cmd, secret| cmd.env_remove(&secret.name));
    let cmd = secrets.iter().fold(cmd, |cmd, (_, value)| cmd.knows_secret(value));
    Ok(Local {
        commands: vec![cmd.arg("--env-file").arg(file).current_dir(build.root).env_noise("CI", "1")],
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
