//! Vercel: link → pull → build → `vercel deploy --prebuilt`; the production URL, never the protected one.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::record::Deployment;
use super::{Cloud, Context, Deployed, Problem, Progress, Values, missing_secrets};
use crate::process::{self, Cmd, Io, ToolFailed};
use crate::targets::Step;
use crate::toolchain::ToolId;

pub const CLOUD: Cloud = Cloud {
    preflight,
    prepare,
    deploy,
    rollback,
    logs,
    destroy,
    leftovers: "nothing",
    secret_names,
    push_secrets,
    login: Some(|context| vercel(context, &["login"])),
};

const LIMIT: Duration = Duration::from_secs(15 * 60);

fn vercel(context: &Context<'_>, args: &[&str]) -> Cmd {
    context.build.tools.cmd(ToolId::Vercel).args(args).current_dir(context.build.root)
}

/// `.vercel/project.json`, or both variables, say which project it is.
fn is_linked(context: &Context<'_>) -> bool {
    let named = ["VERCEL_ORG_ID", "VERCEL_PROJECT_ID"].iter().all(|name| std::env::var_os(name).is_some());
    let file = std::fs::read_to_string(context.build.root.join(".vercel/project.json")).unwrap_or_default();
    named || serde_json::from_str::<Value>(&file).is_ok_and(|project| project["projectId"].is_string())
}

fn preflight(context: &Context<'_>) -> Vec<Problem> {
    if let Err(error) = process::run(&vercel(context, &["whoami"]), Io::Answer, Some(LIMIT)) {
        let said = error
            .downcast_ref::<ToolFailed>()
            .map(|failed| failed.tail.clone())
            .unwrap_or_else(|| format!("{error:#}"));
        let reason =
            said.lines().find_map(|line| line.trim().strip_prefix("Error:")).unwrap_or(&said).trim().to_owned();
        let message = format!("Vercel does not know us: {reason}");
        let problem = Problem::new(message, "run `vercel login`, or set `VERCEL_TOKEN`");
        return vec![Problem { login: true, ..problem }];
    }
    missing_secrets(context, || if is_linked(context) { secret_names(context) } else { Ok(Vec::new()) })
}

/// The build needs the project's settings, and a project to have them from.
fn prepare(context: &Context<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    if !is_linked(context) {
        steps.push(Step::new("link the project", vercel(context, &["link", "--yes", "--project", context.app()])));
    }
    steps.push(Step::new(
        "fetch the project's settings",
        vercel(context, &["pull", "--yes", "--environment=production"]),
    ));
    steps
}

fn deploy(context: &Context<'_>, _: Progress<'_>) -> Vec<Result<Deployed>> {
    vec![deploy_build(context)]
}

fn deploy_build(context: &Context<'_>) -> Result<Deployed> {
    // A deployment has the secrets that were set when it was made.
    push_secrets(context, context.values)?;
    let cmd = vercel(context, &["deploy", "--prebuilt", "--prod", "--yes", "--archive=tgz", "--format=json"]);
    let outcome = process::run(&cmd, Io::Answer, Some(LIMIT)).context("cannot deploy to Vercel")?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("`vercel deploy` did not answer with JSON")?;
    // Under a coding agent the CLI wraps the same object.
    let deployment = answer.get("deployment").unwrap_or(&answer);
    let url = deployment["productionUrl"].as_str();
    let Some(url) = url else {
        bail!(
            "Vercel deployed, but named no production URL (state {})\nhint: `vercel inspect {}` says more",
            deployment["readyState"],
            deployment["url"].as_str().unwrap_or("URL")
        );
    };
    Ok(Deployed {
        region: None,
        url: format!("{}/mcp", url.trim_end_matches('/')),
        version: deployment["id"].as_str().map(str::to_owned),
    })
}

fn rollback(context: &Context<'_>, _: &Deployment, to: Option<&Deployment>) -> Result<String> {
    let version = match to.and_then(|to| to.version.clone()) {
        Some(version) => version,
        None => previous(context)?,
    };
    process::run(&vercel(context, &["rollback", &version, "--yes"]), Io::Quiet, Some(LIMIT))
        .context("cannot roll back on Vercel")?;
    Ok(version)
}

/// The production deployment before the newest one.
fn previous(context: &Context<'_>) -> Result<String> {
    let outcome = process::run(&vercel(context, &["list", "--prod", "--format=json"]), Io::Answer, Some(LIMIT))?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("`vercel list` did not answer with JSON")?;
    let ready = answer["deployments"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|one| one["state"] == "READY" || one["readyState"] == "READY");
    let mut ids = ready.filter_map(|one| one["url"].as_str().or_else(|| one["uid"].as_str()).map(str::to_owned));
    ids.nth(1).context("there is no earlier production deployment to go back to")
}

fn logs(context: &Context<'_>, _: &Deployment, follow: bool) -> Result<Cmd> {
    if follow {
        bail!(
            "the Vercel CLI cannot follow a deployment's logs any more\nhint: leave `--follow` out for those of the last hour"
        );
    }
    Ok(vercel(context, &["logs", "--since", "1h"]))
}

fn destroy(context: &Context<'_>, _: &Deployment) -> Result<Cmd> {
    Ok(vercel(context, &["remove", context.app(), "--yes"]))
}

fn secret_names(context: &Context<'_>) -> Result<Vec<String>> {
    let cmd = vercel(context, &["env", "ls", "production", "--format=json"]);
    let outcome = process::run(&cmd, Io::Answer, Some(LIMIT))?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("`vercel env ls` did not answer with JSON")?;
    let listed = answer["envs"].as_array().or_else(|| answer.as_array()).cloned().unwrap_or_default();
    Ok(listed.iter().filter_map(|entry| entry["key"].as_str().map(str::to_owned)).collect())
}

/// One at a time, each value on stdin: as an argument every process of the machine could read it.
fn push_secrets(context: &Context<'_>, values: &Values) -> Result<()> {
    for (name, value) in values {
        let cmd = vercel(context, &["env", "add", name, "production", "--force", "--yes", "--type", "secret"])
            .stdin(value.clone());
        process::run(&cmd, Io::Quiet, Some(LIMIT))
            .with_context(|| format!("cannot set the secret `{name}` on Vercel"))?;
    }
    Ok(())
}
