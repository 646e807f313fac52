//! Vercel: `vercel build` without an account; its output runs in a launcher of ours.

mod deploy;
mod function;
mod gates;
mod project;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

pub use function::copy as copy_function;

use super::isolated::Isolated;
use super::{Build, Code, Deployer, Local, NodeBundle, Start, Step, Target};
use crate::manifest::targets::vercel;
use crate::plan;
use crate::toolchain::{Need, ToolId};

pub const TARGET: Target = Target {
    facts: &vercel::FACTS,
    aliases: &[],
    tools: &[(ToolId::Vercel, Need::Run)],
    packages: |manifest| match manifest.targets.vercel.as_ref().is_some_and(|vercel| vercel.mcp_handler) {
        true => &[("@modelcontextprotocol/server", "2.4.0"), ("mcp-handler", "2.4.0"), ("esbuild", "0.28.2")],
        false => &[("esbuild", "0.28.2")],
    },
    bundle: Some(NodeBundle { started: "server", cpu: |_| "x64" }),
    websocket: |_| false,
    data: |manifest| serde_json::to_value(template::data(manifest)),
    // The bundler of `vercel build` puts `_` in their places, and then looks for the project there.
    unfit_in_paths: |c| c.is_ascii_control() || "\"#$%&*+,:;<=>?[]^`{|}".contains(c),
    build,
    start,
    watch: None,
    is_chatter: |line| line.starts_with("listening on http://127.0.0.1:"),
    artifact,
    scripts: |root| root.join("dist/vercel"),
    metafile: |build, out, metafile| {
        Ok(super::bundle(build, "vercel").arg("--outdir").arg(out).arg("--metafile").arg(metafile))
    },
    gates: gates::ALL,
    to_tell_versions: Some(
        "on Vercel: turn on \"Automatically expose System Environment Variables\" in the project's settings",
    ),
    deployer: Deployer::Api(deploy::CLOUD),
};

fn build(build: &Build<'_>) -> Vec<Step> {
    let cmd = build.tools.cmd(ToolId::Vercel).args(["build", "--prod", "--yes"]).current_dir(build.root);
    // `ship` has installed the packages, with the project's own manager: a second installation, by rules of the CLI,
    // may break them.
    let cmd = cmd.env_noise("VERCEL_INSTALL_COMPLETED", "1");
    // The CLI looks for `tsc` in the project alone; a workspace has it in a folder above.
    let programs = build.root.ancestors().map(|folder| folder.join("node_modules/.bin")).filter(|dir| dir.is_dir());
    let cmd = build.tools.with_programs(cmd, &programs.collect::<Vec<_>>());
    // Without a linked project the CLI asks the network for its settings; an empty set of them is what a new project
    // has.
    let settings = (".vercel/project.json", "{\"settings\":{}}\n");
    vec![Step { while_running: Some(settings), judged: Some(super::beside), ..Step::new("build", cmd) }]
}

fn artifact(root: &Path) -> PathBuf {
    root.join(".vercel/output/functions/index.func")
}

/// Runs a function that `vercel build` made: `node launcher.mjs FOLDER PORT`.
pub const LAUNCHER: &str = include_str!("launcher.mjs");

fn start(build: &Build<'_>, start: &Start<'_>) -> Result<Local> {
    // What Vercel's Marketplace sets for a database that it made; our own names are declared.
    let store: Vec<&str> = (TARGET.store)(&build.manifest.targets).secrets.iter().map(|secret| secret.alias).collect();
    let place = Isolated::new(build, start, TARGET.name, &store, |to| match start.code {
        Code::Bundle(folder) => function::of_bundle(folder, to),
        Code::Built | Code::Sources => function::copy(&artifact(build.root), build.root, to),
    })?;
    let function = place.code.clone();
    let launcher = start.scratch.join("launcher.mjs");
    plan::write_scratch(&launcher, LAUNCHER)?;
    let cmd = place.node(build).arg(&launcher).arg(&function).arg(start.port.to_string());
    let cmd = start.local_state(build, TARGET.name).into_iter().fold(cmd, |cmd, (name, file)| cmd.env(name, file));
    let cmd = start.env.iter().fold(cmd, |cmd, (name, value)| cmd.env_secret(name, value));
    let config =
        std::fs::read_to_string(function.join(".vc-config.json")).context("the build has no `.vc-config.json`")?;
    let config: serde_json::Value =
        serde_json::from_str(&config).context("cannot read the build's `.vc-config.json`")?;
    Ok(Local {
        commands: vec![cmd],
        bundle: function,
        base: format!("http://127.0.0.1:{}", start.port),
        runtime: match start.code {
            Code::Built => {
                format!("the built function ({}) in a launcher", config["runtime"].as_str().unwrap_or("nodejs"))
            }
            Code::Bundle(_) | Code::Sources => "Node.js, in a launcher of Vercel's functions".to_owned(),
        },
        platform: None,
        place: Some(place),
    })
}
