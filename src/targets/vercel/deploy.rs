//! Vercel: link → pull → build → `vercel deploy --prebuilt`; the production URL, never the protected one.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::project::{self, ensure_linked, is_linked};
use crate::deployments::Deployment;
use crate::error::Error;
use crate::parallel;
use crate::process::{self, Cmd, Io, ToolFailed};
use crate::targets::Step;
use crate::targets::deployment::{
    Cloud, Context, Deployed, Login, Problem, Progress, Serving, Values, missing_secrets, unless_still, unset_here,
};
use crate::targets::ownership::{self, Found, Whose};
use crate::toolchain::ToolId;

/// As the manifest and `--target` name it.
pub const NAME: &str = "vercel";

pub const CLOUD: Cloud = Cloud {
    preflight,
    found: project::found,
    prepare,
    is_shown: |_| true,
    deploy,
    serving: |context, _| serving(context),
    rollback,
    logs,
    destroy,
    leftovers: |_| "nothing at Vercel",
    secret_names,
    push_secrets,
    pushed: "the server has them from the next `mcp-deploy ship` on",
    secrets_make_versions: false,
    remove_secret,
    login: Login {
        question: "Not logged in. Run `vercel login` now?",
        run: |context| process::run(&vercel(context, &["login"]), Io::Live, None).map(drop),
    },
};

/// Which project the CLI works on, instead of `.vercel/project.json`.
pub const NAMED: [&str; 2] = ["VERCEL_ORG_ID", "VERCEL_PROJECT_ID"];

pub fn vercel(context: &Context<'_>, args: &[&str]) -> Cmd {
    let cmd = context.build.tools.cmd(ToolId::Vercel).args(args).current_dir(context.build.root);
    // They name the project of production, and every other stage has another one.
    if context.is_production() { cmd } else { NAMED.iter().fold(cmd, |cmd, name| cmd.env_remove(name)) }
}

fn preflight(context: &Context<'_>) -> (Vec<Problem>, Vec<Found>) {
    let not_in = |error: anyhow::Error| {
        let login = context.build.tools.typed(ToolId::Vercel, &["login"]);
        let problem = Problem::of(&error, refused(&error), format!("run `{login}`, or set `VERCEL_TOKEN`"));
        let problem = Problem { login: true, ..problem };
        (std::iter::once(problem).chain(unset_here(context, NAME)).collect(), Vec::new())
    };
    let is_linked = is_linked(context);
    if !is_linked && let Err(error) = project::login(context) {
        return not_in(error);
    }
    let found = project::found(context);
    // Whoever may read the project is logged in.
    let is_told = found.as_ref().is_ok_and(|found| !found.is_empty());
    if !is_told && let Err(error) = project::login(context) {
        return not_in(error);
    }
    match found {
        Ok(found) if found.iter().any(|one| one.whose == Whose::Foreign) => (Vec::new(), found),
        Ok(found) if found.is_empty() && is_linked => {
            let message = "the project that this folder is linked to is not there (any more), or not for this login";
            let hint =
                "delete the folder `.vercel`, or name another project by `VERCEL_ORG_ID` and `VERCEL_PROJECT_ID`";
            (vec![Problem::new(message, hint)], found)
        }
        Ok(found) => {
            let stored = || if found.is_empty() { Ok(Vec::new()) } else { secret_names(context) };
            (missing_secrets(context, NAME, stored), found)
        }
        Err(error) => {
            let message = format!("cannot ask Vercel whose the project `{}` is: {error:#}", context.app());
            let problem =
                Problem::of(&error, message, "try again; https://www.vercel-status.com tells whether it is them");
            (std::iter::once(problem).chain(unset_here(context, NAME)).collect(), Vec::new())
        }
    }
}

/// Of what the CLI says beside its answer, the reason.
fn refused(error: &anyhow::Error) -> String {
    let Some(failed) = ToolFailed::of(error) else {
        return format!("cannot ask Vercel who we are: {error:#}");
    };
    let mut said = failed
        .tail
        .lines()
        .map(|line| line.trim_start_matches(['>', ' ']))
        .filter(|line| !line.starts_with("Vercel CLI "));
    if said.clone().any(|line| line.starts_with("Logged out")) {
        return "vercel is not logged in to Vercel".to_owned();
    }
    match said.clone().find_map(|line| line.strip_prefix("Error:")).or_else(|| said.next()) {
        Some(reason) => format!("Vercel does not let us in: {}", reason.trim()),
        None => format!("cannot ask Vercel who we are: `{}` failed and did not say why", failed.command),
    }
}

/// The build needs the project's settings, and a project to have them from.
fn prepare(context: &Context<'_>) -> Result<Vec<Step>> {
    ensure_linked(context)?;
    let pull = vercel(context, &["pull", "--yes", "--environment=production"]);
    Ok(vec![Step::new("fetch the project's settings", pull)])
}

fn deploy(context: &Context<'_>, _: Progress<'_>) -> Vec<Result<Deployed>> {
    let known = context.recorded_version(NAME, None, None);
    vec![deploy_build(context).map_err(|error| unless_still(known, error, || serving(context)))]
}

fn deploy_build(context: &Context<'_>) -> Result<Deployed> {
    // A deployment has the secrets that were set when it was made.
    push_secrets(context, &context.values_of(NAME))?;
    let cmd = vercel(context, &["deploy", "--prebuilt", "--prod", "--yes", "--archive=tgz", "--format=json"]);
    let outcome = context.run_for_answer(&cmd).map_err(explained).context("cannot deploy to Vercel")?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("`vercel deploy` did not answer with JSON")?;
    // Under a coding agent the CLI wraps the same object.
    let deployment = answer.get("deployment").unwrap_or(&answer);
    let id = deployment["id"].as_str().context("`vercel deploy` names no deployment")?;
    // Without an answer the deployment has not failed: its address shows which version answers.
    let asked = |path| project::asked(context, path).unwrap_or_default();
    let (project, domains) = parallel::both(|| asked(""), || asked("/domains"));
    // After a rollback Vercel shows no new deployment until somebody promotes one.
    let shows_another = project["targets"]["production"]["id"].as_str().is_some_and(|shown| shown != id);
    if shows_another || project["lastAliasRequest"]["type"] == "rollback" {
        context
            .run(&vercel(context, &["promote", id, "--yes"]))
            .context("deployed, but cannot promote it on Vercel")?;
    }
    let Some(url) = production_domain(&domains).or_else(|| deployment["productionUrl"].as_str().map(str::to_owned))
    else {
        let state = deployment["readyState"].as_str().unwrap_or("unknown");
        let inspect =
            context.build.tools.typed(ToolId::Vercel, &["inspect", deployment["url"].as_str().unwrap_or("URL")]);
        let why = format!("Vercel deployed, but names no production domain (state {state})");
        bail!(Error::new(why).hint(format!("`{inspect}` says more")));
    };
    let url = format!("{}/mcp", url.trim_end_matches('/'));
    Ok(Deployed { version: Some(id.to_owned()), ..Deployed::at(url) })
}

/// Why a deployment failed stands in the answer on stdout alone.
fn explained(error: anyhow::Error) -> anyhow::Error {
    let answer = ToolFailed::of(&error).map(|failed| failed.stdout.as_str()).unwrap_or_default();
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    match answer["error"]["message"].as_str() {
        Some(message) => error.context(message.to_owned()),
        None => error,
    }
}

/// What production shows. A deployment goes on at Vercel when nobody waits for it any more.
fn serving(context: &Context<'_>) -> Result<Serving> {
    if !is_linked(context) {
        bail!("the project is not linked");
    }
    let shown = project::asked(context, "")?;
    let listed = project::newest_deployments(context)?;
    Ok(shows(&shown, &listed["deployments"][0]))
}

fn shows(project: &Value, newest: &Value) -> Serving {
    // As long as a rollback is in effect, no deployment takes production's place.
    let rolled_back = project["lastAliasRequest"]["type"] == "rollback";
    let pointer = if rolled_back { "/lastAliasRequest/toDeploymentId" } else { "/targets/production/id" };
    let version = project.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let state = newest["readyState"].as_str().or_else(|| newest["state"].as_str());
    let has_its_domain = newest["aliasAssigned"].as_bool().unwrap_or(newest["aliasAssigned"].is_number());
    let moving = match state {
        None | Some("ERROR" | "CANCELED" | "DELETED") => false,
        Some("READY") => !has_its_domain,
        Some(_) => true,
    };
    Serving { version, moving }
}

/// The domain that clients are to use: one of the user's own, else the project's `vercel.app`.
fn production_domain(domains: &Value) -> Option<String> {
    let serves =
        |domain: &&Value| domain["verified"] == true && domain["redirect"].is_null() && domain["gitBranch"].is_null();
    let names =
        domains["domains"].as_array().into_iter().flatten().filter(serves).filter_map(|one| one["name"].as_str());
    let names: Vec<&str> = names.collect();
    let own = names.iter().find(|name| !name.ends_with(".vercel.app"));
    own.or(names.first()).map(|name| format!("https://{name}"))
}

fn rollback(context: &Context<'_>, _: &Deployment, to: Option<&Deployment>) -> Result<String> {
    ensure_linked(context)?;
    let version = match to.and_then(|to| to.version.clone()) {
        Some(version) => version,
        None => previous(context)?,
    };
    context.run(&vercel(context, &["rollback", &version, "--yes"]))?;
    if version.starts_with("dpl_") {
        return Ok(version);
    }
    // It was named by its address.
    serving(context)?.version.context("Vercel names no deployment that production shows")
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
        let error = Error::new("the Vercel CLI cannot follow a deployment's logs any more");
        bail!(error.hint("leave `--follow` out for those of the last hour"));
    }
    ensure_linked(context)?;
    Ok(vercel(context, &["logs", "--since", "1h"]))
}

fn destroy(context: &Context<'_>, _: &Deployment) -> Result<()> {
    project::remove(context)
}

fn secret_names(context: &Context<'_>) -> Result<Vec<String>> {
    if !project::exists(context)? {
        return Ok(Vec::new());
    }
    let cmd = vercel(context, &["env", "ls", "production", "--format=json"]);
    ensure_linked(context)?;
    let outcome = context.ask(&cmd)?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("`vercel env ls` did not answer with JSON")?;
    let listed = answer["envs"].as_array().or_else(|| answer.as_array()).cloned().unwrap_or_default();
    // The mark is ours, and no secret.
    let names = listed.iter().filter_map(|entry| entry["key"].as_str()).filter(|name| *name != ownership::VARIABLE);
    Ok(names.map(str::to_owned).collect())
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn why_vercel_does_not_let_us_in() {
        let banner = "Vercel CLI 64.0.2 (Node.js 24.19.0)";
        let table = [
            (
                "\n> Logged out.\n> Run `vercel deploy --temporary` or `vercel login` to log in.",
                "vercel is not logged in to Vercel",
            ),
            ("\nError: The token is not valid.", "Vercel does not let us in: The token is not valid."),
            ("\nsomething else", "Vercel does not let us in: something else"),
            ("", "cannot ask Vercel who we are: `vercel whoami` failed and did not say why"),
        ];
        for (said, expected) in table {
            let failed = ToolFailed {
                command: "vercel whoami".into(),
                code: Some(1),
                signal: None,
                limit: None,
                tail: format!("{banner}{said}"),
                stdout: String::new(),
            };
            assert_eq!(refused(&failed.into()), expected);
        }
    }

    #[test]
    fn what_production_shows_and_what_may_still_come() {
        let project =
            |request: Value| json!({ "targets": { "production": { "id": "dpl_2" } }, "lastAliasRequest": request });
        let newest =
            |state: &str, assigned: Value| json!({ "uid": "dpl_3", "readyState": state, "aliasAssigned": assigned });
        let back = json!({ "type": "rollback", "toDeploymentId": "dpl_1" });
        let table = [
            (project(Value::Null), newest("READY", json!(1_795_000_000_000_u64)), Some("dpl_2"), false),
            (project(Value::Null), newest("READY", Value::Null), Some("dpl_2"), true),
            (project(Value::Null), newest("BUILDING", Value::Null), Some("dpl_2"), true),
            (project(Value::Null), newest("ERROR", Value::Null), Some("dpl_2"), false),
            (project(back), newest("READY", json!(true)), Some("dpl_1"), false),
            (json!({}), Value::Null, None, false),
        ];
        for (project, newest, version, moving) in table {
            let expected = Serving { version: version.map(str::to_owned), moving };
            assert_eq!(shows(&project, &newest), expected, "{project} {newest}");
        }
    }

    #[test]
    fn the_domain_for_clients() {
        let domain = |name: &str| json!({ "name": name, "verified": true, "redirect": null });
        let of = |domains: &[Value]| production_domain(&json!({ "domains": domains }));
        assert_eq!(of(&[domain("x.vercel.app")]).as_deref(), Some("https://x.vercel.app"));
        assert_eq!(
            of(&[domain("x.vercel.app"), domain("mcp.example.com")]).as_deref(),
            Some("https://mcp.example.com")
        );
        let redirected = json!({ "name": "www.example.com", "verified": true, "redirect": "example.com" });
        let unverified = json!({ "name": "mcp.example.com", "verified": false, "redirect": null });
        let preview = json!({ "name": "next.example.com", "verified": true, "redirect": null, "gitBranch": "next" });
        let others = [redirected, unverified, preview, domain("x.vercel.app")];
        assert_eq!(of(&others).as_deref(), Some("https://x.vercel.app"));
        assert_eq!(production_domain(&Value::Null), None);
    }
}
