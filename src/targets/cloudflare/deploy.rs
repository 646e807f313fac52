//! Cloudflare Workers: `wrangler deploy`; versions; secrets of the Worker.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};

use crate::deployments::Deployment;
use crate::error::Error;
use crate::parallel;
use crate::process::{self, Cmd, Io, Scratch, ToolFailed};
use crate::targets::data_loss::Loss;
use crate::targets::deployment::{
    Cloud, Context, Deployed, Login, Problem, Progress, Serving, Values, missing_secrets, unless_still, unset_here,
};
use crate::targets::ownership::{Found, VARIABLE, Whose};
use crate::toolchain::ToolId;

/// As the manifest and `--target` name it.
const NAME: &str = "cloudflare";

pub const CLOUD: Cloud = Cloud {
    preflight,
    found: |context| found(context, true),
    prepare: |_| Ok(Vec::new()),
    is_shown: |_| true,
    deploy,
    serving: |context, _| serving(context),
    rollback,
    logs,
    destroy,
    leftovers: |_| "nothing at Cloudflare",
    secret_names,
    push_secrets,
    pushed: "the Worker has them at once",
    secrets_make_versions: true,
    remove_secret,
    login: Login {
        question: "Not logged in. Run `wrangler login` now?",
        run: |context| process::run(&wrangler(context, &["login"]), Io::Live, None).map(drop),
    },
};

/// Wrangler would take its own settings from the project's `.env` as well: where the API is, which proxy leads to it.
/// So whoever wrote the project would get the user's credentials.
const NO_DOTENV: &str = "--env-file=/dev/null";

fn wrangler(context: &Context<'_>, args: &[&str]) -> Cmd {
    context.build.tools.cmd(ToolId::Wrangler).args(args).arg(NO_DOTENV).current_dir(context.build.root)
}

/// A command on the deployed Worker, whatever the files of the project say by now.
fn named(context: &Context<'_>, args: &[&str]) -> Cmd {
    wrangler(context, args).args(["--name", context.app(), "--env="])
}

fn preflight(context: &Context<'_>) -> (Vec<Problem>, Vec<Found>) {
    let names_account = std::env::var_os("CLOUDFLARE_ACCOUNT_ID").is_some();
    let who = || context.ask(&wrangler(context, &["whoami", "--json"]));
    let (serving, asked) = if names_account {
        match found(context, false) {
            // Whoever may read a Worker of that account is logged in.
            Ok(found) => return known(context, found),
            refused => (refused, who()),
        }
    } else {
        parallel::both(|| found(context, false), who)
    };
    let not_in = |problem: Problem| (std::iter::once(problem).chain(unset_here(context, NAME)).collect(), Vec::new());
    let answer = match &asked {
        Ok(outcome) => outcome.stdout.clone(),
        Err(error) => ToolFailed::of(error).map(|failed| failed.stdout.clone()).unwrap_or_default(),
    };
    let parsed: Value = serde_json::from_str(&answer).unwrap_or_default();
    if parsed["loggedIn"] != true {
        return not_in(match asked {
            Err(error) if parsed["loggedIn"].is_null() => refused(context, &error),
            _ => {
                let message = "wrangler is not logged in to Cloudflare";
                Problem { login: true, ..Problem::new(message, login_hint(context)) }
            }
        });
    }
    let accounts = parsed["accounts"].as_array().map_or(0, Vec::len);
    if accounts > 1 && !names_account {
        return not_in(Problem::new(
            format!("the login has {accounts} accounts"),
            format!(
                "set `CLOUDFLARE_ACCOUNT_ID` to the one to deploy to; `{}` lists them",
                context.build.tools.typed(ToolId::Wrangler, &["whoami"])
            ),
        ));
    }
    match serving {
        Ok(found) => known(context, found),
        Err(error) => not_in(Problem::of(
            &error,
            format!("cannot ask Cloudflare whose the Worker `{}` is: {error:#}", context.app()),
            "try again; https://www.cloudflarestatus.com shows whether Cloudflare has a problem",
        )),
    }
}

/// The login is good, and what is there is known.
fn known(context: &Context<'_>, found: Vec<Found>) -> (Vec<Problem>, Vec<Found>) {
    if found.iter().any(|one| one.whose == Whose::Foreign) {
        return (Vec::new(), found);
    }
    (missing_secrets(context, NAME, || secret_names(context)), found)
}

/// The Worker, if there is one: its served version carries the mark, as a variable. Where the record will do, the
/// version is not asked for it: nobody else can have made one of that id.
fn found(context: &Context<'_>, record_will_do: bool) -> Result<Vec<Found>> {
    let app = context.app();
    let what = || format!("the Worker `{app}`");
    let Some(deployment) = deployed_now(context)? else { return Ok(Vec::new()) };
    let version = served(&deployment)?;
    let recorded = || {
        let mut known = context.recorded.iter().filter(|one| one.target == NAME);
        known.any(|one| one.version.as_deref() == Some(version))
    };
    if record_will_do && recorded() {
        return Ok(vec![Found::new(context, what(), app, None, || true)]);
    }
    let viewed = context.ask(&named(context, &["versions", "view", version, "--json"]))?;
    let viewed: Value =
        serde_json::from_str(&viewed.stdout).context("`wrangler versions view` did not answer with JSON")?;
    let bindings = viewed["resources"]["bindings"].as_array().cloned().unwrap_or_default();
    let value = |name: &str| {
        let found = bindings.iter().find(|binding| binding["name"] == name && binding["type"] == "plain_text");
        found.and_then(|binding| binding["text"].as_str())
    };
    let mark = value(VARIABLE);
    let mut found = Found::new(context, what(), app, mark, recorded);
    if deletes_state(context) && mark.is_none_or(|mark| !mark.ends_with(WITHOUT_STATE)) {
        let what = format!("what tools with `state` have stored at Cloudflare (the class `{STATE}`) is deleted");
        found.losses.push(Loss { name: STATE.to_owned(), what });
    }
    let told = [
        ("it was deployed by", &deployment["author_email"]),
        ("it was deployed at", &deployment["created_on"]),
        ("its message is", &deployment["annotations"]["workers/message"]),
    ];
    let told = told.into_iter().filter_map(|(what, value)| Some(format!("{what} {}", value.as_str()?)));
    found.signs.extend(told);
    let names: Vec<String> =
        bindings.iter().filter_map(|binding| Some(format!("`{}`", binding["name"].as_str()?))).collect();
    if !names.is_empty() {
        found.signs.push(format!("it has the bindings {}", names.join(", ")));
    }
    if found.whose == Whose::Foreign {
        found.changes.push("its code is replaced, and its secrets stay bound".to_owned());
        // Classes of Durable Objects, databases and buckets are not shown by value: what is bound is what would be let
        // go.
        let holds = |binding: &&Value| {
            let kind = binding["type"].as_str().unwrap_or_default();
            !["plain_text", "secret_text", "json", "version_metadata", "ratelimit", "assets", "ai", "browser"]
                .contains(&kind)
        };
        let lost = bindings.iter().filter(holds).map(|binding| {
            let text = |key: &str| binding[key].as_str().unwrap_or_default().to_owned();
            format!("{} ({})", text("name"), text("type"))
        });
        found.lost.extend(lost);
    }
    Ok(vec![found])
}

/// What gets the traffic now; none when there is no Worker, or nothing of it was deployed.
fn deployed_now(context: &Context<'_>) -> Result<Option<Value>> {
    let outcome = match context.ask(&named(context, &["deployments", "status", "--json"])) {
        Ok(outcome) => outcome,
        Err(error) if ToolFailed::of(&error).is_some_and(has_no_worker) => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_str(&outcome.stdout).map(Some).context("`wrangler deployments status` did not answer with JSON")
}

fn login_hint(context: &Context<'_>) -> String {
    let login = context.build.tools.typed(ToolId::Wrangler, &["login"]);
    format!("run `{login}`, or set `CLOUDFLARE_API_TOKEN` (template \"Edit Cloudflare Workers\")")
}

/// What wrangler says of an API that did not tell who we are.
fn refused(context: &Context<'_>, error: &anyhow::Error) -> Problem {
    let Some(failed) = ToolFailed::of(error) else {
        return Problem::of(error, format!("{error:#}"), "run `mcp-deploy doctor --target cloudflare`");
    };
    // Authentication errors and tokens of another account; anything else is not about the login.
    let known = ["[code: 10000]", "[code: 9109]", "[code: 9106]", "[code: 6003]", "[code: 10001]"];
    let told = |code: &&str| failed.tail.lines().find(|line| line.contains(*code));
    match known.iter().find_map(told) {
        Some(line) => {
            let message = format!("Cloudflare does not let us in: {}", line.trim());
            Problem { login: true, ..Problem::new(message, login_hint(context)) }
        }
        None => Problem::new(
            format!("cannot ask Cloudflare who we are: {failed}"),
            "try again; https://www.cloudflarestatus.com shows whether Cloudflare has a problem",
        ),
    }
}

fn deploy(context: &Context<'_>, _: Progress<'_>) -> Vec<Result<Deployed>> {
    let known = context.recorded_version(NAME, None, None);
    vec![deploy_worker(context).map_err(|error| unless_still(known, error, || serving(context)))]
}

fn deploy_worker(context: &Context<'_>) -> Result<Deployed> {
    let scratch = Scratch::new()?;
    let output = scratch.path().join("output.ndjson");
    let without = if deletes_state(context) { WITHOUT_STATE } else { "" };
    let mark = format!("{VARIABLE}:{}{without}", context.mark);
    let mut cmd = wrangler(context, &["deploy", "--env=", "--var", &mark])
        .env_noise("WRANGLER_OUTPUT_FILE_PATH", &output)
        .env_noise("CI", "1");
    let values = context.values_of(NAME);
    if !values.is_empty() {
        // The first version of a Worker must bring its secrets; JSON, because the dotenv form would expand `$NAME`.
        cmd = cmd.args(["--secrets-file", "/dev/stdin"]).stdin(secrets_json(&values));
    }
    context.run(&cmd).map_err(|error| kept(context.app(), error).context("cannot deploy to Cloudflare"))?;
    let text = std::fs::read_to_string(&output).context("wrangler wrote no output file")?;
    let mut events = text.lines().rev().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let deployed =
        events.find(|event| event["type"] == "deploy").context("wrangler's output file names no deployment")?;
    let targets = deployed["targets"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut urls = targets.filter_map(endpoint);
    let version = deployed["version_id"].as_str().map(str::to_owned);
    match urls.next() {
        Some(url) => Ok(Deployed { version, ..Deployed::at(url) }),
        None => bail!(
            Error::new("wrangler deployed the Worker, but named no URL for it")
                .hint("set `domains` in `[targets.cloudflare]`, or enable workers.dev for the account")
        ),
    }
}

/// Cloudflare takes no version without a class that has objects, unless it is to delete them: whatever they hold
/// would be lost. It says so in its own words; ours come before them, for the classes that are.
fn kept(app: &str, error: anyhow::Error) -> anyhow::Error {
    let Some(failed) = ToolFailed::of(&error) else { return error };
    let is_kept = KEPT.iter().any(|words| failed.tail.contains(words));
    match OURS.iter().find(|(class, ..)| is_kept && failed.tail.contains(class)) {
        Some((class, what, way)) => {
            let why = format!(
                "the Worker `{app}` has {what} (the class `{class}`), which this version is without; nothing was deployed, and nothing is lost"
            );
            Error::new(why).hint(*way).because(error).into()
        }
        None => error,
    }
}

/// How Cloudflare calls it: where some class is declared, and where none is (its code 10064).
const KEPT: [&str; 2] = ["provisioned_class_missing_from_config", "depended on by existing Durable Objects"];

/// The class of what tools with `state` store.
const STATE: &str = "ToolState";

/// Ends the mark of a version that has deleted the class, which it does once.
const WITHOUT_STATE: &str = "/-ToolState";

fn deletes_state(context: &Context<'_>) -> bool {
    context.build.manifest.targets.cloudflare.as_ref().is_some_and(|cloudflare| cloudflare.deletes_state)
}

/// Our classes, what they hold, and what to do about it.
const OURS: [(&str, &str, &str); 2] = [
    (
        STATE,
        "what tools with `state` have stored",
        "give a tool its `state` back; or write `state = \"deleted\"` in `[targets.cloudflare]`, which deletes all of it for good",
    ),
    (
        "McpSession",
        "WebSocket sessions",
        "write `websocket = false` in `[targets.cloudflare]`: open sessions end, nothing else is lost",
    ),
];

/// Wrangler's targets are texts for people: `https://x.workers.dev`, `mcp.example.com (custom domain)`,
/// `*.example.com/*`.
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
    let version = to.and_then(|to| to.version.clone());
    let args: Vec<&str> = std::iter::once("rollback").chain(version.as_deref()).collect();
    let cmd = named(context, &args).args(["--message", "mcp-deploy rollback", "--yes"]).env_noise("CI", "1");
    context.run(&cmd)?;
    match version {
        Some(version) => Ok(version),
        None => serving(context)?.version.context("Cloudflare names no version that it serves"),
    }
}

/// The version that gets the traffic now.
fn serving(context: &Context<'_>) -> Result<Serving> {
    let Some(now) = deployed_now(context)? else { return Ok(Serving::default()) };
    Ok(Serving { version: Some(served(&now)?.to_owned()), moving: false })
}

/// The version of a deployment that gets all of the traffic, or the most of it.
fn served(deployment: &Value) -> Result<&str> {
    let share = |version: &&Value| version["percentage"].as_f64().unwrap_or_default();
    let versions = deployment["versions"].as_array().into_iter().flatten();
    let most = versions.max_by(|one, other| share(one).total_cmp(&share(other)));
    let version = most.and_then(|version| version["version_id"].as_str());
    version.context("`wrangler deployments status` names no version")
}

fn logs(context: &Context<'_>, _: &Deployment, follow: bool) -> Result<Cmd> {
    if !follow {
        let error = Error::new("Cloudflare shows past logs in its dashboard only");
        bail!(error.hint("add `--follow` to see new ones as they come"));
    }
    Ok(wrangler(context, &["tail", context.app(), "--env=", "--format", "pretty"]))
}

fn destroy(context: &Context<'_>, _: &Deployment) -> Result<()> {
    let cmd = wrangler(context, &["delete", context.app(), "--env=", "--force"]).env_noise("CI", "1");
    context.run(&cmd).context("cannot delete the Worker").map(drop)
}

fn secret_names(context: &Context<'_>) -> Result<Vec<String>> {
    Ok(secrets_of_the_worker(context)?.unwrap_or_default())
}

/// `None` before the first deployment: there is no Worker that could have secrets.
fn secrets_of_the_worker(context: &Context<'_>) -> Result<Option<Vec<String>>> {
    let outcome = match context.ask(&named(context, &["secret", "list", "--format", "json"])) {
        Ok(outcome) => outcome,
        Err(error) if ToolFailed::of(&error).is_some_and(has_no_worker) => return Ok(None),
        Err(error) => return Err(error),
    };
    let listed: Vec<Value> =
        serde_json::from_str(&outcome.stdout).context("`wrangler secret list` did not answer with JSON")?;
    Ok(Some(listed.iter().filter_map(|secret| secret["name"].as_str().map(str::to_owned)).collect()))
}

/// Wrangler's own words, or the API's code.
fn has_no_worker(failed: &ToolFailed) -> bool {
    failed.tail.contains("10007")
        || failed.tail.contains("has no deployments")
        || (failed.tail.contains("Worker \"") && failed.tail.contains("not found"))
}

/// For a Worker that exists: `wrangler secret` would create an empty one otherwise.
fn push_secrets(context: &Context<'_>, values: &Values) -> Result<()> {
    if secrets_of_the_worker(context)?.is_none() {
        let why = format!("there is no Worker `{}` yet that could take secrets; nothing was pushed", context.app());
        bail!(Error::new(why).hint("run `mcp-deploy ship --target cloudflare`, which takes them along"));
    }
    let cmd = named(context, &["secret", "bulk"]).stdin(secrets_json(values)).env_noise("CI", "1");
    context.run(&cmd).context("cannot set the Worker's secrets").map(drop)
}

fn remove_secret(context: &Context<'_>, name: &str) -> Result<()> {
    if !secret_names(context)?.iter().any(|known| known == name) {
        return Ok(());
    }
    let cmd = named(context, &["secret", "delete", name]).env_noise("CI", "1");
    context.run(&cmd).with_context(|| format!("cannot delete the secret `{name}`")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_is_kept_is_told_in_our_words() {
        let refused = |tail: &str| {
            let failed = ToolFailed {
                command: "wrangler deploy".into(),
                code: Some(7),
                signal: None,
                limit: None,
                tail: tail.into(),
                stdout: String::new(),
            };
            kept("weather", failed.into())
        };
        let told = |tail: &str| crate::error::document(&refused(tail)).to_string();
        let state = told("✘ [provisioned_class_missing_from_config] class 'ToolState': it has objects");
        assert!(
            state.contains("what tools with `state` have stored") && state.contains(r#"state = \"deleted\""#),
            "{state}"
        );
        let session = told(
            "New version of script does not export class 'McpSession' which is depended on by existing Durable Objects. [code: 10064]",
        );
        assert!(session.contains("websocket = false"), "{session}");
        // What wrangler said and how it ended are not lost.
        let tail = "✘ [provisioned_class_missing_from_config] class 'ToolState': it has objects";
        assert_eq!(told(tail).matches(tail).count(), 1, "{}", told(tail));
        assert_eq!(crate::error::exit_code(&refused(tail)), 7);
        for other in ["ToolState threw at start-up", "[provisioned_class_missing_from_config] class 'Mine'"] {
            assert!(!told(other).contains("nothing is lost"), "{other}");
        }
    }

    #[test]
    fn endpoints_from_wranglers_texts() {
        assert_eq!(endpoint("https://weather.acct.workers.dev"), Some("https://weather.acct.workers.dev/mcp".into()));
        assert_eq!(endpoint("mcp.example.com (custom domain)"), Some("https://mcp.example.com/mcp".into()));
        assert_eq!(endpoint("*.example.com/* (zone: example.com)"), None);
    }
}
