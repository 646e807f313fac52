//! Cloudflare Workers: `wrangler deploy`; versions; secrets of the Worker.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

use super::record::Deployment;
use super::{Cloud, Context, Deployed, Problem, Progress, Values, missing_secrets};
use crate::process::{self, Cmd, Io, ToolFailed};
use crate::toolchain::ToolId;

pub const CLOUD: Cloud = Cloud {
    preflight,
    prepare: |_| Vec::new(),
    deploy,
    rollback,
    logs,
    destroy,
    leftovers: "nothing",
    secret_names,
    push_secrets,
    login: Some(|context| wrangler(context, &["login"])),
};

const LIMIT: Duration = Duration::from_secs(10 * 60);

fn wrangler(context: &Context<'_>, args: &[&str]) -> Cmd {
    context.build.tools.cmd(ToolId::Wrangler).args(args).current_dir(context.build.root)
}

fn preflight(context: &Context<'_>) -> Vec<Problem> {
    let asked = process::run(&wrangler(context, &["whoami", "--json"]), Io::Answer, Some(LIMIT));
    let answer = match &asked {
        Ok(outcome) => outcome.stdout.clone(),
        Err(error) => error.downcast_ref::<ToolFailed>().map(|failed| failed.stdout.clone()).unwrap_or_default(),
    };
    let parsed: Value = serde_json::from_str(&answer).unwrap_or_default();
    if parsed["loggedIn"] != true {
        let message = match (parsed["loggedIn"].as_bool(), asked) {
            (Some(false), _) | (_, Ok(_)) => "wrangler is not logged in to Cloudflare".to_owned(),
            (None, Err(error)) => format!("cannot ask Cloudflare who we are: {error:#}"),
            (Some(true), Err(error)) => format!("{error:#}"),
        };
        let hint = "run `wrangler login`, or set `CLOUDFLARE_API_TOKEN` (template \"Edit Cloudflare Workers\")";
        return vec![Problem { login: true, ..Problem::new(message, hint) }];
    }
    let accounts = parsed["accounts"].as_array().map_or(0, Vec::len);
    if accounts > 1 && std::env::var_os("CLOUDFLARE_ACCOUNT_ID").is_none() {
        return vec![Problem::new(
            format!("the login has {accounts} accounts"),
            "set `CLOUDFLARE_ACCOUNT_ID` to the one to deploy to; `wrangler whoami` lists them",
        )];
    }
    missing_secrets(context, || secret_names(context))
}

fn deploy(context: &Context<'_>, _: Progress<'_>) -> Vec<Result<Deployed>> {
    vec![deploy_worker(context)]
}

fn deploy_worker(context: &Context<'_>) -> Result<Deployed> {
    let scratch =
        tempfile::Builder::new().prefix("mcp-deploy-").tempdir().context("cannot create a temporary folder")?;
    let output = scratch.path().join("output.ndjson");
    let mut cmd =
        wrangler(context, &["deploy", "--env="]).env_noise("WRANGLER_OUTPUT_FILE_PATH", &output).env_noise("CI", "1");
    if !context.values.is_empty() {
        // The first version of a Worker must bring its secrets; JSON, because the dotenv form would expand `$NAME`.
        cmd = cmd.args(["--secrets-file", "/dev/stdin"]).stdin(secrets_json(context.values));
    }
    process::run(&cmd, Io::Quiet, Some(LIMIT)).context("cannot deploy to Cloudflare")?;
    let text = std::fs::read_to_string(&output).context("wrangler wrote no output file")?;
    let mut events = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let deployed =
        events.find(|event| event["type"] == "deploy").context("wrangler's output file names no deployment")?;
    let targets = deployed["targets"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut urls = targets.filter_map(endpoint);
    let version = deployed["version_id"].as_str().map(str::to_owned);
    match urls.next() {
        Some(url) => Ok(Deployed { region: None, url, version }),
        None => bail!(
            "wrangler deployed the Worker, but named no URL for it\nhint: set `domains` in `[targets.cloudflare]`, or enable workers.dev for the account"
        ),
    }
}

/// Wrangler's targets are texts for people: `https://x.workers.dev`, `mcp.example.com (custom domain)`, `*.example.com/*`.
fn endpoint(shown: &str) -> Option<String> {
    let bare = shown.split(" (").next().unwrap_or(shown).trim_end_matches('/');
    let url = if bare.contains("://") { bare.to_owned() } else { format!("https://{bare}") };
    (!bare.contains('*')).then(|| format!("{url}/mcp"))
}

fn secrets_json(values: &Values) -> String {
    Value::Object(values.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect::<Map<_, _>>())
        .to_string()
}

fn rollback(context: &Context<'_>, _: &Deployment, to: Option<&Deployment>) -> Result<String> {
    let mut cmd = wrangler(context, &["rollback"]);
    let version = to.and_then(|to| to.version.clone());
    if let Some(version) = &version {
        cmd = cmd.arg(version);
    }
    let cmd = cmd.args(["--message", "mcp-deploy rollback", "--yes", "--env="]).env_noise("CI", "1");
    process::run(&cmd, Io::Quiet, Some(LIMIT)).context("cannot roll back on Cloudflare")?;
    match version {
        Some(version) => Ok(version),
        None => serving(context),
    }
}

/// The version that gets the traffic now.
fn serving(context: &Context<'_>) -> Result<String> {
    let cmd = wrangler(context, &["deployments", "status", "--json", "--env="]);
    let outcome = process::run(&cmd, Io::Answer, Some(LIMIT))?;
    let answer: Value =
        serde_json::from_str(&outcome.stdout).context("`wrangler deployments status` did not answer with JSON")?;
    answer["versions"][0]["version_id"]
        .as_str()
        .map(str::to_owned)
        .context("`wrangler deployments status` names no version")
}

fn logs(context: &Context<'_>, _: &Deployment, follow: bool) -> Result<Cmd> {
    if !follow {
        bail!("Cloudflare shows past logs in its dashboard only\nhint: add `--follow` to see new ones as they come");
    }
    Ok(wrangler(context, &["tail", "--env=", "--format", "pretty"]))
}

fn destroy(context: &Context<'_>, _: &Deployment) -> Result<Cmd> {
    Ok(wrangler(context, &["delete", "--env=", "--force"]).env_noise("CI", "1"))
}

fn secret_names(context: &Context<'_>) -> Result<Vec<String>> {
    let cmd = wrangler(context, &["secret", "list", "--format", "json", "--env="]);
    let outcome = match process::run(&cmd, Io::Answer, Some(LIMIT)) {
        Ok(outcome) => outcome,
        // Before the first deployment there is no Worker that could have secrets.
        Err(error) if error.downcast_ref::<ToolFailed>().is_some_and(|failed| failed.tail.contains("10007")) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let listed: Vec<Value> =
        serde_json::from_str(&outcome.stdout).context("`wrangler secret list` did not answer with JSON")?;
    Ok(listed.iter().filter_map(|secret| secret["name"].as_str().map(str::to_owned)).collect())
}

/// For a Worker that exists: `wrangler secret` would create an empty one otherwise.
fn push_secrets(context: &Context<'_>, values: &Values) -> Result<()> {
    let cmd = wrangler(context, &["secret", "bulk", "--env="]).stdin(secrets_json(values)).env_noise("CI", "1");
    process::run(&cmd, Io::Quiet, Some(LIMIT)).context("cannot set the Worker's secrets")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_from_wranglers_texts() {
        assert_eq!(endpoint("https://weather.acct.workers.dev"), Some("https://weather.acct.workers.dev/mcp".into()));
        assert_eq!(endpoint("mcp.example.com (custom domain)"), Some("https://mcp.example.com/mcp".into()));
        assert_eq!(endpoint("*.example.com/* (zone: example.com)"), None);
    }
}
