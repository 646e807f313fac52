//! From a built project to a live, verified and recorded deployment, and back.

pub mod cloudflare;
pub mod keys;
pub mod lambda;
pub mod live;
pub mod record;
pub mod secrets;
pub mod vercel;

use anyhow::Result;
use serde::Serialize;

use crate::manifest::API_KEYS;
use crate::process::Cmd;
use crate::targets::Build;

/// What one cloud can do with a built project, each through the cloud's own CLI.
pub struct Cloud {
    /// Everything that would make the deployment fail, found before anything is built.
    pub preflight: fn(&Context<'_>) -> Vec<Problem>,
    /// Commands that must run before the build (linking a project, fetching its settings).
    pub prepare: fn(&Context<'_>) -> Vec<crate::targets::Step>,
    /// One result a region; a cloud without regions has one.
    pub deploy: fn(&Context<'_>, Progress<'_>) -> Vec<Result<Deployed>>,
    /// Serves an earlier deployment again; the one before the current when none is named.
    pub rollback: fn(&Context<'_>, &record::Deployment, Option<&record::Deployment>) -> Result<String>,
    pub logs: fn(&Context<'_>, &record::Deployment, bool) -> Result<Cmd>,
    pub destroy: fn(&Context<'_>, &record::Deployment) -> Result<Cmd>,
    /// What `destroy` does not take away, for the user to know.
    pub leftovers: &'static str,
    /// Names of the secrets in the cloud's own store.
    pub secret_names: fn(&Context<'_>) -> Result<Vec<String>>,
    /// Puts values into the cloud's own store.
    pub push_secrets: fn(&Context<'_>, &Values) -> Result<()>,
    /// The command a user runs to log in.
    pub login: Option<fn(&Context<'_>) -> Cmd>,
}

/// Told what a deployment is doing right now.
pub type Progress<'a> = &'a dyn Fn(&str);

/// Secret values by name.
pub type Values = [(String, String)];

/// A build and what its deployment needs to know.
pub struct Context<'a> {
    pub build: Build<'a>,
    /// Secrets that have a value on this machine, by name.
    pub values: &'a Values,
    /// Whether the cloud's CLI may own the terminal: a person is there, and nothing else is under way.
    pub terminal: bool,
}

impl Context<'_> {
    /// The name of the stack, the project and the Worker.
    pub fn app(&self) -> &str {
        &self.build.manifest.app
    }
}

/// One fault found by preflight, and the command or setting that mends it.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    pub message: String,
    pub hint: String,
    /// Logging in with the cloud's CLI would mend it.
    #[serde(skip)]
    pub login: bool,
}

impl Problem {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { message: message.into(), hint: hint.into(), login: false }
    }
}

/// What a cloud's CLI says it has deployed.
#[derive(Debug, Clone)]
pub struct Deployed {
    pub region: Option<String>,
    /// The MCP endpoint.
    pub url: String,
    /// The cloud's own identifier of what is served now: a Lambda version, a Vercel deployment, a Worker version.
    pub version: Option<String>,
}

/// Problems of one cloud's credentials and secrets, as every cloud reports them.
fn missing_secrets(context: &Context<'_>, stored: impl FnOnce() -> Result<Vec<String>>) -> Vec<Problem> {
    let declared = &context.build.manifest.secrets;
    let local = |name: &str| context.values.iter().any(|(known, _)| known == name);
    if declared.iter().all(|secret| local(&secret.name)) {
        return Vec::new();
    }
    let stored = match stored() {
        Ok(names) => names,
        Err(error) => {
            return vec![Problem::new(format!("cannot ask which secrets are set: {error:#}"), "check the credentials")];
        }
    };
    let unset = declared.iter().filter(|secret| !local(&secret.name) && !stored.contains(&secret.name));
    unset
        .map(|secret| {
            let message = format!("the secret `{}` ({}) has no value", secret.name, secret.description);
            let hint = match secret.name.as_str() {
                API_KEYS => "run `mcp-deploy keys add NAME` for the first caller".to_owned(),
                name => format!("run `mcp-deploy secrets set {name}`"),
            };
            Problem::new(message, hint)
        })
        .collect()
}
