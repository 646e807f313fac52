//! AWS Lambda: `sam deploy`, a stack a region, or one stack set; versions behind an alias; secrets in Secrets Manager.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::place::{Place, places, regions};
use super::{aws, changes, found, place, stack_set};
use crate::deployments::Deployment;
use crate::error::Error;
use crate::files;
use crate::manifest::Manifest;
use crate::parallel;
use crate::plan::{self, Temporary};
use crate::process::{self, Cmd, Io, ToolFailed};
use crate::targets::deployment::{
    Cloud, Context, Deployed, Login, Problem, Progress, Serving, Values, missing_secrets, unless_still, unset_here,
};
use crate::targets::lambda::sam;
use crate::targets::ownership::{Found, TAG, Takes, Whose};
use crate::toolchain::ToolId;

/// As the manifest and `--target` name it.
pub const NAME: &str = "lambda";

pub const CLOUD: Cloud = Cloud {
    preflight,
    found,
    prepare: |_| Ok(Vec::new()),
    is_shown,
    deploy,
    serving: |context, deployment| serving(context, &place_of(deployment)?, stack_of(context, deployment)),
    rollback,
    logs,
    destroy,
    leftovers,
    secret_names,
    push_secrets,
    pushed: "functions that run already keep the old values until the next `mcp-deploy ship`",
    secrets_make_versions: false,
    remove_secret,
    login: Login { question: "The profile asks for the code of a second factor. Enter it now?", run: log_in },
};

/// No tool of AWS shows anything of a stack set.
fn is_shown(manifest: &Manifest) -> bool {
    manifest.targets.lambda.as_ref().is_none_or(|lambda| lambda.stack_set.is_none())
}

fn leftovers(deployment: &Deployment) -> &'static str {
    match deployment.stack_set {
        None => {
            "the bucket of sam with the uploaded code (stack `aws-sam-cli-managed-default`), which all of your stacks share; \
             secrets, if there were any, can be restored for 7 days; if tools had `state`, the table with it, which is deleted by hand"
        }
        Some(_) => {
            "the code in your buckets; secrets, if there were any, can be restored for 7 days; \
             if tools had `state`, the tables with it, which are deleted by hand"
        }
    }
}

/// The secret that holds all of a deployment's secrets, by name; the function may read this one alone.
pub fn secret_id(context: &Context<'_>) -> String {
    format!("mcp/{}", context.app())
}

fn preflight(context: &Context<'_>) -> (Vec<Problem>, Vec<Found>) {
    let (mut problems, found) = match place::stack_set(context) {
        Some(set) => stack_set::preflight(context, set),
        None => (plain(context), stacks(context, &regions(context).into_iter().map(Place::own).collect::<Vec<_>>())),
    };
    match found {
        // The same credentials in the next region, and an API that does not answer: told once.
        Err(refused) => {
            problems.extend(std::iter::once(refused).chain(unset_here(context, NAME)));
            (problems, Vec::new())
        }
        Ok(mut found) => {
            problems.extend(found.iter_mut().filter_map(|found| found.blocked.take()));
            // Nothing is asked of what is not ours.
            if found.iter().all(|found| found.whose != Whose::Foreign) {
                problems.extend(missing_secrets(context, NAME, || secret_names(context)));
            }
            (problems, found)
        }
    }
}

/// What keeps stages from separate stacks.
fn plain(context: &Context<'_>) -> Vec<Problem> {
    let was_set = stack_set::recorded(context).next().is_some().then(|| {
        let app = context.app();
        let message = format!("`{app}` was shipped as a stack set, whose stacks have the names that new ones need");
        Problem::new(message, "run `mcp-deploy destroy --target lambda` first, or ship another stage")
    });
    was_set.into_iter().collect()
}

/// The stack and the secret of each place, until AWS does not let us in.
pub fn stacks(context: &Context<'_>, places: &[Place]) -> Result<Vec<Found>, Problem> {
    let mut found = Vec::new();
    for (place, asked) in places.iter().zip(parallel::map(places, |place| found::at(context, place))) {
        found.extend(asked.map_err(|error| refused(place, &error))?);
    }
    Ok(found)
}

/// Wherever the manifest or the record says.
fn found(context: &Context<'_>) -> Result<Vec<Found>> {
    let mut all: Vec<Place> = Vec::new();
    let own = |one: &&Deployment| one.target == NAME && one.stack_set.is_none();
    all.extend(context.recorded.iter().filter(own).filter_map(|one| place_of(one).ok()));
    let sets = stack_set::found(context)?;
    let more = if place::stack_set(context).is_some() || sets.is_empty() { places(context)? } else { Vec::new() };
    for place in more {
        if !all.contains(&place) {
            all.push(place);
        }
    }
    let found = found::everywhere(context, &all)?;
    Ok(sets.into_iter().chain(found).collect())
}

pub fn refused(place: &Place, error: &anyhow::Error) -> Problem {
    if error.to_string().starts_with(SECOND_FACTOR) {
        let message = "the AWS profile asks for the code of a second factor, and there is no terminal to ask for it";
        let hint = "run `mcp-deploy ship` on a terminal, or use a profile without one, as CI does with OIDC";
        return Problem { login: true, ..Problem::new(message, hint) };
    }
    let hint = "set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; `aws configure sso` makes a profile, `aws sso login` renews it";
    let text = format!("{error:#}");
    if is_out_of_order(error) {
        let hint = match text.starts_with(UNREADABLE) {
            true => {
                "a proxy or a login page of the network may have answered in place of AWS: check `HTTPS_PROXY` and `AWS_ENDPOINT_URL`"
            }
            false => "try again; https://health.aws.amazon.com tells whether it is them",
        };
        return Problem::of(error, format!("AWS in {place} does not answer as it should: {text}"), hint);
    }
    if is_about_the_clock(&text) {
        let hint = "set this machine's clock: AWS takes no request that is some minutes off";
        return Problem::new(format!("AWS in {place} refuses the time of this machine: {text}"), hint);
    }
    let message = format!("AWS in {place} does not let us in: {text}");
    match &place.account {
        Some(account) if text.starts_with("AccessDenied") => {
            let hint = format!(
                "the role `{}` of that account has to trust whoever ships, and to let it read stacks, functions and secrets",
                account.role
            );
            Problem::new(message, hint)
        }
        _ => Problem::of(error, message, hint),
    }
}

pub fn is_out_of_order(error: &anyhow::Error) -> bool {
    let text = format!("{error:#}");
    OUT_OF_ORDER.iter().any(|code| text.starts_with(code)) || ToolFailed::of(error).is_some()
}

/// The code of the error with which `aws.py` says that the answer was not from AWS.
const UNREADABLE: &str = "UnreadableAnswer";

/// Codes of errors that are not about the login.
const OUT_OF_ORDER: [&str; 11] = [
    UNREADABLE,
    "ProxyConnectionError",
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ConnectionError",
    "InternalFailure",
    "InternalError",
    "ServiceUnavailable",
    "Throttling",
];

/// A signature holds for some minutes around the time that it names.
fn is_about_the_clock(text: &str) -> bool {
    let expired = ["Signature expired", "Signature not yet current", "is now earlier than", "is now later than"];
    text.starts_with("RequestTimeTooSkewed")
        || text.starts_with("RequestExpired")
        || ["SignatureDoesNotMatch", "InvalidSignatureException"].iter().any(|code| text.starts_with(code))
            && expired.iter().any(|words| text.contains(words))
}

/// The code of the error with which `aws.py` refuses to ask.
const SECOND_FACTOR: &str = "SecondFactor";

/// Every region gets its own stack from the one build, side by side, unless a stack set is asked for.
fn deploy(context: &Context<'_>, doing: Progress<'_>) -> Vec<Result<Deployed>> {
    if let Some(set) = place::stack_set(context) {
        return stack_set::deploy(context, set, doing).unwrap_or_else(|error| vec![Err(error)]);
    }
    let regions = regions(context);
    if regions.len() > 1 {
        doing(&format!("{} regions", regions.len()));
    }
    parallel::map(&regions, |region| {
        let known = context.recorded_version(NAME, None, Some(region));
        let ask = || serving(context, &Place::own(region), context.app());
        deploy_to(context, region).map_err(|error| unless_still(known, error, ask))
    })
}

/// What the alias of a stack's function points to; `stack` is a name or an ARN.
fn serving(context: &Context<'_>, place: &Place, stack: &str) -> Result<Serving> {
    let answer = aws::ask(context, place, "serving", json!({ "stack": stack }))?;
    Ok(Serving { version: answer["version"].as_str().map(str::to_owned), moving: answer["moving"] == true })
}

fn stack_of<'a>(context: &Context<'a>, deployment: &'a Deployment) -> &'a str {
    deployment.stack_set.as_ref().map_or(&context.build.manifest.app, |member| &member.stack)
}

fn deploy_to(context: &Context<'_>, region: &str) -> Result<Deployed> {
    let place = Place::own(region);
    let before = changes::before(context, &place).with_context(|| format!("cannot deploy to {region}"))?;
    // Of a stack that is there nothing is changed, and no secret stored, before it is known what would be lost.
    let secrets = match before.exists {
        true => next_secrets(context, &place),
        false => stored_secrets(context, &place).map(|version| version.map(SecretVersion::Stored)),
    };
    let secrets = secrets.context("cannot store the secrets")?;
    let (cmd, _written) = deployment(context, region, secrets.as_ref())?;
    let cmd = if before.exists { cmd.arg("--no-execute-changeset") } else { cmd };
    // A profile with a second factor asks for its code on the terminal.
    let io = if context.terminal { Io::Live } else { Io::Quiet };
    process::run(&cmd, io, Some(context.limit))
        .map_err(|error| if before.exists { error } else { explained(context, region, error) })
        .with_context(|| format!("cannot deploy to {region}"))?;
    if before.exists {
        let reviewed =
            changes::reviewed(context, &place, &before).with_context(|| format!("cannot deploy to {region}"))?;
        let values = context.values_of(NAME);
        match &secrets {
            Some(SecretVersion::Next(version)) => push(context, &place, &values, Some(version)).map(drop),
            // It is what it should be, and has no mark yet.
            Some(SecretVersion::Stored(_)) if context.takes != Takes::Nothing => {
                push(context, &place, &values, None).map(drop)
            }
            _ => Ok(()),
        }
        .context("cannot store the secrets")?;
        if let Some(id) = reviewed {
            changes::carry_out(context, &place, &id)
                .map_err(|error| explained(context, region, error))
                .with_context(|| format!("cannot deploy to {region}"))?;
        }
    }
    deployed(context, &place, context.app())
}

/// `sam deploy`, with the mark on the stack from its first moment on; and a template that it needs.
fn deployment(
    context: &Context<'_>,
    region: &str,
    secrets: Option<&SecretVersion>,
) -> Result<(Cmd, Option<Temporary>)> {
    let app = context.app();
    let cmd = sam(
        &context.build,
        region,
        &["deploy", "--stack-name", app, "--region", region, "--resolve-s3", "--s3-prefix", app],
    )
    .args([
        "--capabilities",
        "CAPABILITY_IAM",
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        "--no-progressbar",
        "--tags",
        &format!("{TAG}={}", context.mark),
    ]);
    let own = format!(".template-{region}.yaml");
    let written = match secrets {
        Some(SecretVersion::Stored(version) | SecretVersion::Next(version)) => {
            Some(with_secrets_version(context, &own, version)?)
        }
        None => None,
    };
    Ok((cmd.args(["--template-file", if written.is_some() { &own } else { TEMPLATE }]), written))
}

/// A version of a region's secret.
enum SecretVersion {
    Stored(String),
    /// To be stored under this name.
    Next(String),
}

/// The version that the secret has, or will have when the values here differ from it.
fn next_secrets(context: &Context<'_>, place: &Place) -> Result<Option<SecretVersion>> {
    if context.build.manifest.secrets_of(NAME).next().is_none() {
        return Ok(None);
    }
    let request = secrets_request(context, &context.values_of(NAME));
    let answer = aws::ask(context, place, "next_secrets", request)?;
    let version = answer["version"].as_str().context("AWS names no version of the secret")?.to_owned();
    Ok(Some(if answer["stored"] == true { SecretVersion::Stored(version) } else { SecretVersion::Next(version) }))
}

fn secrets_request(context: &Context<'_>, values: &Values) -> Value {
    let values: Map<String, Value> = values.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let adopt = context.takes == Takes::Foreign;
    json!({ "secret": secret_id(context), "values": values, "mark": context.mark.to_string(), "adopt": adopt })
}

/// What a stack's outputs say, once its function's alias serves the version that this code is: CloudFormation leaves an
/// alias that somebody moved where it is, as long as the template asks for nothing else.
pub fn deployed(context: &Context<'_>, place: &Place, stack: &str) -> Result<Deployed> {
    let shipped = aws::ask(context, place, "serve_shipped", json!({ "stack": stack }))
        .context("deployed, but the alias cannot be made to serve it")?;
    let output = |key: &str| shipped["outputs"][key].as_str();
    let url = output("McpEndpoint").context("the stack has no output `McpEndpoint`")?.to_owned();
    let version = shipped["version"].as_str().map(str::to_owned);
    // One domain leads to whichever region is near: each is proven at its own address.
    let direct = output("RegionEndpoint").filter(|_| regions(context).len() > 1).map(str::to_owned);
    Ok(Deployed { region: Some(place.region.clone()), direct, version, ..Deployed::at(url) })
}

/// The template with the version of the region's secret in it, for as long as it is needed.
fn with_secrets_version(context: &Context<'_>, name: &str, version: &str) -> Result<Temporary> {
    let root = context.build.root;
    let text = files::read(root, TEMPLATE, files::ANY).with_context(|| format!("cannot read `{TEMPLATE}`"))?;
    // Beside it: paths in a template are relative to its folder.
    plan::temporary(root, name, &text.replace(UNKNOWN_VERSION, &format!("MCP_SECRET_VERSION: {version}")))
}

/// What sam deploys; untold it would take what `sam build` once left in `.aws-sam`.
pub const TEMPLATE: &str = "template.yaml";
/// As in `template.yaml`.
const UNKNOWN_VERSION: &str = "MCP_SECRET_VERSION: unknown";

/// What CloudFormation says went wrong: sam shows it in a table so narrow that nobody can read it.
fn explained(context: &Context<'_>, region: &str, error: anyhow::Error) -> anyhow::Error {
    let asked = aws::ask(context, &Place::own(region), "failed_resources", json!({ "stack": context.app() }));
    let failed = asked.ok().and_then(|answer| answer["failed"].as_array().cloned()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = failed.iter().map(|one| format!("{}: {}", text(&one["resource"]), text(&one["reason"])));
    match lines.collect::<Vec<_>>().join("\n") {
        lines if lines.is_empty() => error,
        lines => error.context(lines),
    }
}

/// The function reads its secrets when it starts: they have to be there first, and a change of them is a change of the
/// stack.
fn stored_secrets(context: &Context<'_>, place: &Place) -> Result<Option<String>> {
    if context.build.manifest.secrets_of(NAME).next().is_none() {
        return Ok(None);
    }
    push_to(context, place, &context.values_of(NAME)).map(Some)
}

fn function_name(context: &Context<'_>, deployment: &Deployment, place: &Place) -> Result<String> {
    let answer = aws::ask(context, place, "outputs", json!({ "stack": stack_of(context, deployment) }))?;
    answer["outputs"]["FunctionName"].as_str().map(str::to_owned).context("the stack has no output `FunctionName`")
}

fn place_of(deployment: &Deployment) -> Result<Place> {
    let region = deployment.region.as_deref().context("the recorded deployment has no region")?;
    Ok(Place::of(deployment, region))
}

fn rollback(context: &Context<'_>, current: &Deployment, to: Option<&Deployment>) -> Result<String> {
    let place = place_of(current)?;
    let function = function_name(context, current, &place)?;
    let version = match to.and_then(|to| to.version.clone()) {
        Some(version) => version,
        None => previous(context, &place, &function)?,
    };
    aws::ask(context, &place, "serve_version", json!({ "function": function, "version": version }))?;
    Ok(version)
}

/// The newest published version before the one that is served.
fn previous(context: &Context<'_>, place: &Place, function: &str) -> Result<String> {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let live = aws::ask(context, place, "live_version", json!({ "function": function }))?;
    let live = number(&live["version"]).context("the alias serves no numbered version")?;
    let versions = aws::ask(context, place, "versions", json!({ "function": function }))?;
    let earlier =
        versions["versions"].as_array().into_iter().flatten().filter_map(number).filter(|version| *version < live);
    earlier
        .max()
        .map(|version| version.to_string())
        .with_context(|| format!("version {live} is the oldest in {place}: there is nothing to go back to"))
}

fn logs(context: &Context<'_>, deployment: &Deployment, follow: bool) -> Result<Cmd> {
    let Place { region, account } = place_of(deployment)?;
    let stack = match &deployment.stack_set {
        Some(member) => member.name()?,
        None => context.app(),
    };
    if let Some(account) = account {
        let typed = context.build.tools.typed(ToolId::Sam, &["logs", "--stack-name", stack, "--region", &region]);
        let why = format!("the logs are in the account {}, which `sam` does not enter by itself", account.id);
        bail!(Error::new(why).hint(format!("with a profile of that account, run `{typed}`")));
    }
    let cmd =
        sam(&context.build, &region, &["logs", "--stack-name", stack, "--name", "McpFunction", "--region", &region]);
    Ok(if follow { cmd.arg("--tail") } else { cmd })
}

fn destroy(context: &Context<'_>, deployment: &Deployment) -> Result<()> {
    let place = place_of(deployment)?;
    let mut places = vec![place.clone()];
    match &deployment.stack_set {
        // With the first of its stacks the set is gone, and with it those that no record has.
        Some(member) => places.extend(stack_set::destroy(context, member)?),
        None => {
            let region = &place.region;
            let delete = ["delete", "--stack-name", context.app(), "--region", region, "--no-prompts"];
            context
                .run(&sam(&context.build, region, &delete))
                .with_context(|| format!("cannot delete the stack in {region}"))?;
        }
    }
    // Whatever the manifest says by now: an earlier one may have had secrets.
    let delete = |place: &Place| {
        aws::ask(
            context,
            place,
            "delete_secret",
            json!({ "secret": secret_id(context), "mark": context.mark.to_string() }),
        )
        .map(drop)
    };
    parallel::map(&places, delete).into_iter().collect()
}

/// Set only when set in every place.
fn secret_names(context: &Context<'_>) -> Result<Vec<String>> {
    let ask = |place: &Place| -> Result<Vec<String>> {
        let answer = aws::ask(context, place, "secret_names", json!({ "secret": secret_id(context) }))?;
        Ok(serde_json::from_value(answer["names"].clone())?)
    };
    let mut everywhere = parallel::map(&places(context)?, ask).into_iter().collect::<Result<Vec<_>>>()?.into_iter();
    let mut common = everywhere.next().unwrap_or_default();
    everywhere.for_each(|names| common.retain(|name| names.contains(name)));
    Ok(common)
}

fn push_secrets(context: &Context<'_>, values: &Values) -> Result<()> {
    parallel::map(&places(context)?, |place| push_to(context, place, values).map(drop)).into_iter().collect()
}

/// The version of what is stored then.
pub fn push_to(context: &Context<'_>, place: &Place, values: &Values) -> Result<String> {
    push(context, place, values, None)
}

/// The same, with a version that was chosen before.
fn push(context: &Context<'_>, place: &Place, values: &Values, version: Option<&str>) -> Result<String> {
    let mut request = secrets_request(context, values);
    request["version"] = json!(version);
    let answer = aws::ask(context, place, "push_secrets", request)?;
    answer["version"].as_str().map(str::to_owned).context("AWS names no version of the secret")
}

fn remove_secret(context: &Context<'_>, name: &str) -> Result<()> {
    let request = || json!({ "secret": secret_id(context), "name": name, "mark": context.mark.to_string() });
    let remove = |place: &Place| aws::ask(context, place, "remove_secret", request()).map(drop);
    parallel::map(&places(context)?, remove).into_iter().collect()
}

fn log_in(context: &Context<'_>) -> Result<()> {
    aws::log_in(context, regions(context).first().copied().unwrap_or("us-east-1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_refuses_is_told_by_what_mends_it() {
        let table = [
            (
                "RequestTimeTooSkewed: The difference between the request time and the current time is too large.",
                "clock",
            ),
            (
                "SignatureDoesNotMatch: Signature expired: 20261128T100000Z is now earlier than 20261128T101500Z",
                "clock",
            ),
            ("InvalidSignatureException: Signature not yet current: 20261128T120000Z is still later than x", "clock"),
            ("RequestExpired: Request has expired.", "clock"),
            ("SignatureDoesNotMatch: The request signature we calculated does not match", "AWS_PROFILE"),
            ("InvalidClientTokenId: The security token included in the request is invalid.", "AWS_PROFILE"),
            ("UnreadableAnswer: it is not XML", "HTTPS_PROXY"),
            ("Throttling: Rate exceeded", "try again"),
        ];
        for (said, hint) in table {
            let problem = refused(&Place::own("us-east-1"), &anyhow::anyhow!("{said}"));
            assert!(problem.hint.contains(hint), "{said}: {problem:?}");
        }
    }
}
