//! AWS Lambda: `sam` validates and deploys; the bundle runs behind the Lambda Web Adapter.

pub mod aws;
mod changes;
mod data;
mod deploy;
mod found;
mod gates;
mod place;
pub mod runtime_api;
pub mod stack_set;
mod template;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use self::runtime_api::{LocalFront, RuntimeApi};
use super::isolated::Isolated;
use super::{Build, Code, Deployer, Local, NodeBundle, Start, Step, Target};
use crate::files;
use crate::manifest::Manifest;
use crate::manifest::targets::lambda::{self, GATEWAY_STAGE};
use crate::plan;
use crate::process::Cmd;
use crate::toolchain::{Need, ToolId};

pub const TARGET: Target = Target {
    facts: &lambda::FACTS,
    aliases: &["aws"],
    tools: &[(ToolId::Sam, Need::Run), (ToolId::Python, Need::Install), (ToolId::LambdaAdapter, Need::Extra)],
    packages,
    bundle: Some(NodeBundle { started: "lambda", cpu }),
    websocket: |_| false,
    data: |manifest| serde_json::to_value(template::data(manifest)),
    unfit_in_paths: |_| false,
    build,
    start,
    watch: None,
    // Lines of the adapter.
    is_chatter: |line| line.starts_with("{\"level\":") && line.contains("\"target\":\"lambda_web_adapter"),
    artifact,
    scripts: |root| root.join(CODE),
    metafile: |build, out, metafile| {
        Ok(super::bundle(build, "lambda").arg("--outdir").arg(out).arg("--metafile").arg(metafile))
    },
    gates: gates::ALL,
    to_tell_versions: None,
    deployer: Deployer::Api(deploy::CLOUD),
};

fn cpu(manifest: &Manifest) -> &'static str {
    match manifest.targets.lambda.as_ref().map(|lambda| lambda.architecture.as_str()) {
        Some("x86_64") => "x64",
        _ => "arm64",
    }
}

/// The bundler, and what signs requests to AWS.
fn packages(manifest: &Manifest) -> &'static [(&'static str, &'static str)] {
    match calls_aws(manifest) {
        false => &[("esbuild", "0.28.2")],
        true => &[("aws4fetch", "1.0.20"), ("esbuild", "0.28.2")],
    }
}

/// Whether the generated server itself calls AWS: Secrets Manager, DynamoDB.
fn calls_aws(manifest: &Manifest) -> bool {
    manifest.secrets_of(TARGET.name).next().is_some() || manifest.needs_store()
}

/// The folder that is uploaded, as in `template.yaml`.
const CODE: &str = "dist/lambda";
/// The file that the adapter executes, as in `template.yaml`.
const HANDLER: &str = "lambda.mjs";

/// A `sam` command in the project's folder.
pub fn sam(build: &Build<'_>, region: &str, args: &[&str]) -> Cmd {
    build.tools.cmd(ToolId::Sam).args(args).current_dir(build.root).env_noise("AWS_REGION", region)
}

fn build(build: &Build<'_>) -> Vec<Step> {
    let region = build.manifest.targets.lambda.iter().flat_map(|lambda| &lambda.regions).next();
    let region = region.map_or("us-east-1", String::as_str);
    let judged = |title, args: &[&str]| Step {
        depends_on: judgement(build, region).map(|on| format!("{args:?}\0{on}")),
        ..Step::new(title, sam(build, region, args))
    };
    // They find different things: the first what SAM itself refuses, the second what CloudFormation would.
    vec![
        judged("validate the template", &["validate"]),
        judged("lint the template", &["validate", "--lint"]),
        // Not `sam build`: it would install packages again, and confuse projects with the same `package.json`.
        Step { judged: Some(super::beside), ..Step::new("build", super::bundle(build, TARGET.name)) },
    ]
}

/// What sam's judgement of a template depends on; `None` when that is not all known.
fn judgement(build: &Build<'_>, region: &str) -> Option<String> {
    let sam = build.tools.found(ToolId::Sam)?;
    let mut on = format!("{}\0{}\0{region}\0", sam.path.display(), sam.version.as_ref()?);
    on += &files::read(build.root, "template.yaml", files::ANY).ok()?;
    let settings = ["samconfig.toml", ".cfnlintrc", ".cfnlintrc.yaml", ".cfnlintrc.yml"].map(|name| (build.root, name));
    let home = std::env::home_dir();
    for (folder, name) in settings.into_iter().chain(home.iter().map(|home| (home.as_path(), ".cfnlintrc"))) {
        on += &format!("\0{}", files::read_if_there(folder, name, files::ANY).ok()?.unwrap_or_default());
    }
    Some(on)
}

fn artifact(root: &Path) -> PathBuf {
    root.join(CODE).join(HANDLER)
}

/// In place of the function's role, and of what its template sets: the user's credentials, another address than that of
/// AWS, a table.
const ROLE: [&str; 19] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_SDK_LOAD_CONFIG",
    "AWS_ROLE_*",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_*",
    "AWS_EC2_METADATA_*",
    "AWS_ENDPOINT_URL*",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_CA_BUNDLE",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "MCP_TABLE",
    "MCP_SECRET_ID",
];

fn start(build: &Build<'_>, start: &Start<'_>) -> Result<Local> {
    let built = build.root.join(CODE);
    let code = match start.code {
        Code::Bundle(folder) => folder,
        Code::Built | Code::Sources => &built,
    };
    let place = Isolated::new(build, start, TARGET.name, &ROLE, |to| plan::copy_folder(code, to))?;
    match build.tools.found(ToolId::LambdaAdapter) {
        Some(_) => behind_the_adapter(build, start, place),
        None => Ok(as_the_adapter_does(build, start, place)),
    }
}

/// What `template.yaml` sets for the adapter.
const ADAPTER: [(&str, &str); 3] = [
    ("AWS_LWA_INVOKE_MODE", "response_stream"),
    ("AWS_LWA_READINESS_CHECK_PATH", "/health"),
    ("AWS_LWA_READINESS_CHECK_HEALTHY_STATUS", "200"),
];

fn behind_the_adapter(build: &Build<'_>, start: &Start<'_>, place: Isolated) -> Result<Local> {
    let port = crate::process::free_port().context("no free port for the server behind the adapter")?;
    let gateway = build.manifest.targets.lambda.as_ref().and_then(|lambda| lambda.front.gateway());
    let (front, through) = match gateway {
        Some(_) => (LocalFront::RestApi { stage: GATEWAY_STAGE }, ", as a REST API calls it"),
        None => (LocalFront::FunctionUrl, ""),
    };
    let runtime_api = RuntimeApi::start(front, start.port, &build.manifest.server.name)?;
    let memory = build.manifest.targets.lambda.as_ref().map_or(1024, |lambda| lambda.memory);
    let memory = u32::try_from(memory).unwrap_or(u32::MAX);
    let mut environment = runtime_api.environment(&place.code, HANDLER, memory, lambda::LONGEST);
    environment.extend(ADAPTER.map(|(name, value)| (name.to_owned(), value.to_owned())));
    environment.push(("AWS_LWA_PORT".into(), port.to_string()));
    // On Lambda the adapter is an extension: a process beside the server, not its parent.
    let commands =
        [own(place.node(build).arg(place.code.join(HANDLER)), build, start), place.tool(build, ToolId::LambdaAdapter)];
    let with = |cmd: Cmd| environment.iter().fold(cmd, |cmd, (name, value)| cmd.env_noise(name, value));
    Ok(Local {
        commands: commands.into_iter().map(|cmd| with(lambdas_own(cmd))).collect(),
        bundle: place.code.clone(),
        base: runtime_api.url(),
        runtime: format!("Node.js behind the Lambda Web Adapter{through}"),
        platform: Some(Box::new(runtime_api)),
        place: Some(place),
    })
}

/// The adapter gives the server a port and waits for its readiness path; the caller does the latter.
fn as_the_adapter_does(build: &Build<'_>, start: &Start<'_>, place: Isolated) -> Local {
    let cmd = lambdas_own(place.node(build).arg(place.code.join(HANDLER)));
    let cmd = cmd.env_noise("LAMBDA_TASK_ROOT", &place.code);
    let cmd = cmd.env("AWS_LWA_PORT", start.port.to_string());
    Local {
        commands: vec![own(cmd, build, start)],
        bundle: place.code.clone(),
        base: format!("http://127.0.0.1:{}", start.port),
        runtime: "Node.js, started as the Lambda Web Adapter starts it (the adapter itself is not installed)".into(),
        platform: None,
        place: Some(place),
    }
}

/// On Lambda credentials come with the function's role. Here they are the user's, whose home the function does not
/// have.
fn lambdas_own(cmd: Cmd) -> Cmd {
    let files = [("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials"), ("AWS_CONFIG_FILE", ".aws/config")];
    let home = std::env::home_dir().unwrap_or_default();
    let unset = files.iter().filter(|(name, file)| std::env::var_os(name).is_none() && home.join(file).is_file());
    unset.fold(cmd, |cmd, (name, file)| cmd.env_noise(name, home.join(file)))
}

/// The server's own variables.
fn own(cmd: Cmd, build: &Build<'_>, start: &Start<'_>) -> Cmd {
    let cmd = start.local_state(build, TARGET.name).into_iter().fold(cmd, |cmd, (name, file)| cmd.env(name, file));
    start.env.iter().fold(cmd, |cmd, (name, value)| cmd.env_secret(name, value))
}
