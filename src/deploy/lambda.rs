//! AWS Lambda: `sam deploy`, a stack a region; versions behind an alias; secrets in Secrets Manager.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use super::record::Deployment;
use super::{Cloud, Context, Deployed, Login, Problem, Progress, Values, missing_secrets, unset_here};
use crate::plan;
use crate::process::{self, Cmd, Io, ToolFailed};
use crate::targets::lambda::sam;
use crate::template;
use crate::toolchain::ToolId;

/// As the manifest and `--target` name it.
const NAME: &str = "lambda";

pub const CLOUD: Cloud = Cloud {
    preflight,
    prepare: |_| Vec::new(),
    deploy,
    rollback,
    logs,
    destroy,
    leftovers: "the bucket of sam with the uploaded code (stack `aws-sam-cli-managed-default`), which all of your stacks share; \
         secrets, if there were any, can be restored for 7 days; if tools had `state`, the table with it, which is deleted by hand",
    secret_names,
    push_secrets,
    pushed: "functions that run already keep the old values until the next `mcp-deploy ship`",
    remove_secret,
    login: Login { question: "The profile asks for the code of a second factor. Enter it now?", run: log_in },
};

fn regions<'a>(context: &'a Context<'_>) -> Vec<&'a str> {
    let lambda = context.build.manifest.targets.lambda.iter();
    lambda.flat_map(|lambda| lambda.regions.iter().map(String::as_str)).collect()
}

/// The secret that holds all of a deployment's secrets, by name; the function may read this one alone.
fn secret_id(context: &Context<'_>) -> String {
    format!("mcp/{}", context.app())
}

fn preflight(context: &Context<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for region in regions(context) {
        match aws(context, region, "stack", json!({ "stack": context.app() })) {
            Ok(answer) => {
                // A first deployment that failed leaves a stack that CloudFormation will only delete.
                if answer["status"] == "ROLLBACK_COMPLETE" {
                    let delete = ["delete", "--stack-name", context.app(), "--region", region];
                    let hint = format!("run `{}`, then ship again", context.build.tools.typed(ToolId::Sam, &delete));
                    problems.push(Problem::new(
                        format!(
                            "the stack `{}` in {region} failed when it was created and cannot be updated",
                            context.app()
                        ),
                        hint,
                    ));
                }
            }
            Err(error) => {
                problems.push(refused(region, &error));
                // The same credentials in the next region, and an API that does not answer: told once.
                problems.extend(unset_here(context, NAME));
                return problems;
            }
        }
    }
    problems.extend(missing_secrets(context, NAME, || secret_names(context)));
    problems
}

fn refused(region: &str, error: &anyhow::Error) -> Problem {
    if error.to_string().starts_with(SECOND_FACTOR) {
        let message = "the AWS profile asks for the code of a second factor, and there is no terminal to ask for it";
        let hint = "run `mcp-deploy ship` on a terminal, or use a profile without one, as CI does with OIDC";
        return Problem { login: true, ..Problem::new(message, hint) };
    }
    let hint = "set `AWS_PROFILE`, or `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`; `aws configure sso` makes a profile, `aws sso login` renews it";
    let text = format!("{error:#}");
    if OUT_OF_ORDER.iter().any(|code| text.starts_with(code)) || error.downcast_ref::<ToolFailed>().is_some() {
        let hint = "try again; https://health.aws.amazon.com tells whether it is them";
        return Problem::new(format!("AWS in {region} does not answer as it should: {text}"), hint);
    }
    Problem::new(format!("AWS in {region} does not let us in: {text}"), hint)
}

/// Codes of errors that are no matter of who we are.
const OUT_OF_ORDER: [&str; 9] = [
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

/// The code of the error with which `aws.py` refuses to ask.
const SECOND_FACTOR: &str = "SecondFactor";

/// Every region gets its own stack from the one build, side by side.
fn deploy(context: &Context<'_>, doing: Progress<'_>) -> Vec<Result<Deployed>> {
    let regions = regions(context);
    if let [region] = regions.as_slice() {
        return vec![deploy_to(context, region)];
    }
    doing(&format!("{} regions", regions.len()));
    std::thread::scope(|scope| {
        let running: Vec<_> = regions.iter().map(|region| scope.spawn(move || deploy_to(context, region))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("the deployment's thread panicked")))
            .collect()
    })
}

fn deploy_to(context: &Context<'_>, region: &str) -> Result<Deployed> {
    let app = context.app();
    let secrets = stored_secrets(context, region).context("cannot store the secrets")?;
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
    ]);
    let cmd = match secrets {
        Some(version) => cmd.arg("--template-file").arg(with_secrets_version(context, region, &version)?),
        None => cmd,
    };
    // A profile with a second factor asks for its code on the terminal.
    let io = if context.terminal { Io::Live } else { Io::Quiet };
    process::run(&cmd, io, Some(context.limit))
        .map_err(|error| explained(context, region, error))
        .with_context(|| format!("cannot deploy to {region}"))?;
    let outputs = outputs(context, region)?;
    let output = |key: &str| {
        outputs.iter().find(|output| output["OutputKey"] == key).and_then(|output| output["OutputValue"].as_str())
    };
    let url = output("McpEndpoint").context("the stack has no output `McpEndpoint`")?.to_owned();
    let function = output("FunctionName").context("the stack has no output `FunctionName`")?;
    let alias = aws(context, region, "live_version", json!({ "function": function }))?;
    let version = alias["version"].as_str().map(str::to_owned);
    // One domain leads to whichever region is near: each is proven at its own address.
    let direct = output("RegionEndpoint").filter(|_| regions(context).len() > 1).map(str::to_owned);
    Ok(Deployed { region: Some(region.to_owned()), url, direct, version })
}

/// The built template with the version of the region's secret in it.
fn with_secrets_version(context: &Context<'_>, region: &str, version: &str) -> Result<PathBuf> {
    let built = context.build.root.join(".aws-sam/build/template.yaml");
    let text = std::fs::read_to_string(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
    // Beside the built one: paths in it are relative to its folder.
    let path = built.with_file_name(format!("template-{region}.yaml"));
    plan::write_scratch(&path, &text.replace(UNKNOWN_VERSION, &format!("MCP_SECRET_VERSION: {version}")))?;
    Ok(path)
}

/// As in `template.yaml`.
const UNKNOWN_VERSION: &str = "MCP_SECRET_VERSION: unknown";

/// What CloudFormation says went wrong: sam shows it in a table so narrow that nobody can read it.
fn explained(context: &Context<'_>, region: &str, error: anyhow::Error) -> anyhow::Error {
    let asked = aws(context, region, "failed_resources", json!({ "stack": context.app() }));
    let failed = asked.ok().and_then(|answer| answer["failed"].as_array().cloned()).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = failed.iter().map(|one| format!("{}: {}", text(&one["resource"]), text(&one["reason"])));
    match lines.collect::<Vec<_>>().join("\n") {
        lines if lines.is_empty() => error,
        lines => error.context(lines),
    }
}

/// The function reads its secrets when it starts: they have to be there first, and a change of them is a change of the stack.
fn stored_secrets(context: &Context<'_>, region: &str) -> Result<Option<String>> {
    if context.build.manifest.secrets_of(NAME).next().is_none() {
        return Ok(None);
    }
    let answer = push_to(context, region, &context.values_of(NAME))?;
    Ok(answer["version"].as_str().map(str::to_owned))
}

fn outputs(context: &Context<'_>, region: &str) -> Result<Vec<Value>> {
    let cmd = sam(
        &context.build,
        region,
        &["list", "stack-outputs", "--stack-name", context.app(), "--region", region, "--output", "json"],
    );
    let outcome = context.ask(&cmd)?;
    serde_json::from_str(&outcome.stdout).context("`sam list stack-outputs` did not answer with a list")
}

fn function_name(context: &Context<'_>, region: &str) -> Result<String> {
    let outputs = outputs(context, region)?;
    let found = outputs.iter().find(|output| output["OutputKey"] == "FunctionName");
    found
        .and_then(|output| output["OutputValue"].as_str())
        .map(str::to_owned)
        .context("the stack has no output `FunctionName`")
}

fn region_of(deployment: &Deployment) -> Result<&str> {
    deployment.region.as_deref().context("the recorded deployment has no region")
}

fn rollback(context: &Context<'_>, current: &Deployment, to: Option<&Deployment>) -> Result<String> {
    let region = region_of(current)?;
    let function = function_name(context, region)?;
    let version = match to.and_then(|to| to.version.clone()) {
        Some(version) => version,
        None => previous(context, region, &function)?,
    };
    aws(context, region, "serve_version", json!({ "function": function, "version": version }))?;
    Ok(version)
}

/// The newest published version before the one that is served.
fn previous(context: &Context<'_>, region: &str, function: &str) -> Result<String> {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok());
    let live = aws(context, region, "live_version", json!({ "function": function }))?;
    let live = number(&live["version"]).context("the alias serves no numbered version")?;
    let versions = aws(context, region, "versions", json!({ "function": function }))?;
    let earlier =
        versions["versions"].as_array().into_iter().flatten().filter_map(number).filter(|version| *version < live);
    earlier
        .max()
        .map(|version| version.to_string())
        .with_context(|| format!("version {live} is the oldest in {region}: there is nothing to go back to"))
}

fn logs(context: &Context<'_>, deployment: &Deployment, follow: bool) -> Result<Cmd> {
    let region = region_of(deployment)?;
    let cmd = sam(
        &context.build,
        region,
        &["logs", "--stack-name", context.app(), "--name", "McpFunction", "--region", region],
    );
    Ok(if follow { cmd.arg("--tail") } else { cmd })
}

fn destroy(context: &Context<'_>, deployment: &Deployment) -> Result<()> {
    let region = region_of(deployment)?;
    let delete = ["delete", "--stack-name", context.app(), "--region", region, "--no-prompts"];
    context
        .run(&sam(&context.build, region, &delete))
        .with_context(|| format!("cannot delete the stack in {region}"))?;
    // Whatever the manifest says by now: an earlier one may have had secrets.
    aws(context, region, "delete_secret", json!({ "secret": secret_id(context) })).map(drop)
}

/// Set only when set in every region.
fn secret_names(context: &Context<'_>) -> Result<Vec<String>> {
    let mut common: Option<Vec<String>> = None;
    for region in regions(context) {
        let answer = aws(context, region, "secret_names", json!({ "secret": secret_id(context) }))?;
        let names: Vec<String> = serde_json::from_value(answer["names"].clone())?;
        common = Some(match common {
            None => names,
            Some(known) => known.into_iter().filter(|name| names.contains(name)).collect(),
        });
    }
    Ok(common.unwrap_or_default())
}

fn push_secrets(context: &Context<'_>, values: &Values) -> Result<()> {
    regions(context).into_iter().try_for_each(|region| push_to(context, region, values).map(drop))
}

fn push_to(context: &Context<'_>, region: &str, values: &Values) -> Result<Value> {
    let values: Map<String, Value> = values.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    aws(context, region, "push_secrets", json!({ "secret": secret_id(context), "values": values }))
}

fn remove_secret(context: &Context<'_>, name: &str) -> Result<()> {
    let remove = |region| aws(context, region, "remove_secret", json!({ "secret": secret_id(context), "name": name }));
    regions(context).into_iter().try_for_each(|region| remove(region).map(drop))
}

/// Asks for the code of the second factor on the terminal; sam finds what came of it in the cache that both use.
fn log_in(context: &Context<'_>) -> Result<()> {
    let region = regions(context).first().copied().unwrap_or("us-east-1");
    let script = Script::new()?;
    process::run(&script.cmd(context, "log_in", region)?, Io::Live, None).map(drop)
}

/// One call of the AWS API through sam's own Python, so that the credentials are those of sam.
fn aws(context: &Context<'_>, region: &str, operation: &str, request: Value) -> Result<Value> {
    let script = Script::new()?;
    let cmd = script.cmd(context, operation, region)?.stdin(request.to_string());
    let outcome = context.ask(&cmd).with_context(|| format!("cannot ask AWS in {region}"))?;
    let answer: Value = serde_json::from_str(&outcome.stdout).context("AWS was asked, but the answer is not JSON")?;
    match answer.get("error") {
        Some(error) => {
            bail!("{}: {}", error["code"].as_str().unwrap_or("error"), error["message"].as_str().unwrap_or_default())
        }
        None => Ok(answer),
    }
}

/// `aws.py` in a folder of its own, as long as it is needed.
struct Script(tempfile::TempDir);

impl Script {
    fn new() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("mcp-deploy-").tempdir();
        let script = Script(folder.context("cannot create a temporary folder")?);
        plan::write_scratch(&script.path(), &template::local("aws.py")?)?;
        Ok(script)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("aws.py")
    }

    fn cmd(&self, context: &Context<'_>, operation: &str, region: &str) -> Result<Cmd> {
        let cmd = context.build.tools.cmd_with(ToolId::Sam, &python(context)?).shown_as("python");
        Ok(cmd.arg("-I").arg(self.path()).args([operation, region]).current_dir(context.build.root))
    }
}

/// The interpreter that runs `sam`: beside it in a virtual environment, else the one its first line names.
fn python(context: &Context<'_>) -> Result<PathBuf> {
    let sam = &context.build.tools.found(ToolId::Sam).context("`sam` was not found")?.path;
    let sam = std::fs::canonicalize(sam).unwrap_or_else(|_| sam.clone());
    let first =
        std::fs::read_to_string(&sam).ok().and_then(|text| text.lines().next().map(str::to_owned)).unwrap_or_default();
    let named =
        first.strip_prefix("#!").map(str::trim).filter(|path| path.contains("python") && Path::new(path).is_file());
    let beside = sam.with_file_name("python");
    match named {
        Some(path) => Ok(PathBuf::from(path)),
        None if beside.is_file() => Ok(beside),
        None => bail!(
            "cannot tell which Python runs `{}`\nhint: run `mcp-deploy doctor --fix --target lambda` with that `sam` taken off PATH",
            sam.display()
        ),
    }
}
