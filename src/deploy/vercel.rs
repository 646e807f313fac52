//! Vercel: link → pull → build → `vercel deploy --prebuilt`; the production URL, never the protected one.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::record::Deployment;
use super::{Cloud, Context, Deployed, Login, Problem, Progress, Values, missing_secrets, unset_here};
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
    leftovers: "nothing at Vercel",
    secret_names,
    push_secrets,
    pushed: "the server has them from the next `mcp-deploy ship` on",
    remove_secret,
    login: Login {
        question: "Not logged in. Run `vercel login` now?",
        run: |context| process::run(&vercel(context, &["login"]), Io::Live, None).map(drop),
    },
};

/// Which project the CLI works on, instead of `.vercel/project.json`.
const NAMED: [&str; 2] = ["VERCEL_ORG_ID", "VERCEL_PROJECT_ID"];

fn vercel(context: &Context<'_>, args: &[&str]) -> Cmd {
    let cmd = context.build.tools.cmd(ToolId::Vercel).args(args).current_dir(context.build.root);
    // They name the project of production, and every other stage has one of its own.
    if context.is_production() { cmd } else { NAMED.iter().fold(cmd, |cmd, name| cmd.env_remove(name)) }
}

/// `.vercel/project.json`, or both variables, say which project it is.
fn is_linked(context: &Context<'_>) -> bool {
    let named = NAMED.iter().all(|name| std::env::var_os(name).is_some());
    (named && context.is_production()) || linked_file(context)["projectId"].is_string()
}

fn linked_file(context: &Context<'_>) -> Value {
    let file = std::fs::read_to_string(context.build.root.join(".vercel/project.json")).unwrap_or_default();
    serde_json::from_str(&file).unwrap_or_default()
}

/// Finds the project of this name, or makes it.
fn link(context: &Context<'_>) -> Cmd {
    let cmd = vercel(context, &["link", "--yes", "--project", context.app()]);
    match std::env::var(NAMED[0]) {
        Ok(team) => cmd.args(["--scope", &team]),
        Err(_) => cmd,
    }
}

/// A stage's copy, or a fresh checkout, does not know its project yet.
fn ensure_linked(context: &Context<'_>) -> Result<()> {
    if is_linked(context) {
        return Ok(());
    }
    context.run(&link(context)).context("cannot link the project at Vercel").map(drop)
}

fn preflight(context: &Context<'_>) -> Vec<Problem> {
    if let Err(error) = context.ask(&vercel(context, &["whoami"])) {
        let said = error
            .downcast_ref::<ToolFailed>()
            .map(|failed| failed.tail.clone())
            .unwrap_or_else(|| format!("{error:#}"));
        let reason =
            said.lines().find_map(|line| line.trim().strip_prefix("Error:")).unwrap_or(&said).trim().to_owned();
        let message = format!("Vercel does not let us in: {reason}");
        let problem = Problem::new(message, "run `vercel login`, or set `VERCEL_TOKEN`");
        return std::iter::once(Problem { login: true, ..problem }).chain(unset_here(context)).collect();
    }
    missing_secrets(context, || if is_linked(context) { secret_names(context) } else { Ok(Vec::new()) })
}

/// The build needs the project's settings, and a project to have them from.
fn prepare(context: &Context<'_>) -> Vec<Step> {
    let mut steps = Vec::new();
    if !is_linked(context) {
        steps.push(Step::new("link the project", link(context)));
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
    let outcome = context.run_for_answer(&cmd).context("cannot deploy to Vercel")?;
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
    ensure_linked(context)?;
    let version = match to.and_then(|to| to.version.clone()) {
        Some(version) => version,
        None => previous(context)?,
    };
    context.run(&vercel(context, &["rollback", &version, "--yes"])).context("cannot roll back on Vercel")?;
    Ok(version)
}

/// The production deployment before the newest one.
fn previous(context: &Context<'_>) -> Result<String> {
    let outcome = context.ask(&vercel(context, &["list", "--prod", "--format=json"]))?;
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
    ensure_linked(context)?;
    Ok(vercel(context, &["logs", "--since", "1h"]))
}

fn destroy(context: &Context<'_>, _: &Deployment) -> Result<()> {
    // The linked project may have a name of its own.
    let linked = linked_file(context);
    let project = linked["projectName"].as_str().unwrap_or(context.app());
    context.run(&vercel(context, &["remove", project, "--yes"])).context("cannot remove the project").map(drop)
}

fn secret_names(context: &Context<'_>) -> Result<Vec<String>> {
    let cmd = vercel(context, &["env", "ls", "production", "--format=json"]);
    ensure_linked(context)?;
    let outcome = context.ask(&cmd)?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("`vercel env ls` did not answer with JSON")?;
    let listed = answer["envs"].as_array().or_else(|| answer.as_array()).cloned().unwrap_or_default();
    Ok(listed.iter().filter_map(|entry| entry["key"].as_str().map(str::to_owned)).collect())
}

/// One at a time, each value on stdin: as an argument every process of the machine could read it.
fn push_secrets(context: &Context<'_>, values: &Values) -> Result<()> {
    ensure_linked(context)?;
    for (name, value) in values {
        let cmd = vercel(context, &["env", "add", name, "production", "--force", "--yes", "--type", "secret"])
            .stdin(value.clone());
        context.run(&cmd).with_context(|| format!("cannot set the secret `{name}` on Vercel"))?;
    }
    Ok(())
}

fn remove_secret(context: &Context<'_>, name: &str) -> Result<()> {
    if !secret_names(context)?.iter().any(|known| known == name) {
        return Ok(());
    }
    let cmd = vercel(context, &["env", "rm", name, "production", "--yes"]);
    context.run(&cmd).with_context(|| format!("cannot delete the secret `{name}` on Vercel")).map(drop)
}
