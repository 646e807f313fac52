//! From a built project to a live, verified and recorded deployment, and back.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use serde_json::Value;

use super::data_loss;
use super::ownership::{Found, ProjectMark, Takes};
use crate::deployments;
use crate::error::{self, Error};
use crate::manifest::{API_KEYS, Manifest, Secret};
use crate::plan::FileSet;
use crate::process::{self, Answerers, Cmd, Ended, Io};
use crate::targets::Build;

/// What one cloud can do with a built project, each through the cloud's own CLI.
pub struct Cloud {
    /// Everything that would make the deployment fail, found before anything is built; and what is there already.
    pub preflight: fn(&Context<'_>) -> (Vec<Problem>, Vec<Found>),
    /// What has the names of what a deployment makes, whoever made it.
    pub found: fn(&Context<'_>) -> Result<Vec<Found>>,
    /// Commands that must run before the build (linking a project, fetching its settings).
    pub prepare: fn(&Context<'_>) -> Result<Vec<crate::targets::Step>>,
    /// Whether its tool shows a deployment as it goes, if it has the terminal.
    pub is_shown: fn(&Manifest) -> bool,
    /// One result a region, and of a stack set one an account and region; a cloud without regions has one.
    pub deploy: fn(&Context<'_>, Progress<'_>) -> Vec<Result<Deployed>>,
    /// What it serves at the place of a deployment, by its own account.
    pub serving: fn(&Context<'_>, &deployments::Deployment) -> Result<Serving>,
    /// Serves an earlier deployment again; the one before the current when none is named.
    pub rollback: fn(&Context<'_>, &deployments::Deployment, Option<&deployments::Deployment>) -> Result<String>,
    pub logs: fn(&Context<'_>, &deployments::Deployment, bool) -> Result<Cmd>,
    pub destroy: fn(&Context<'_>, &deployments::Deployment) -> Result<()>,
    /// What `destroy` does not take away, for the user to know.
    pub leftovers: fn(&deployments::Deployment) -> &'static str,
    /// Names of the secrets in the cloud's own store.
    pub secret_names: fn(&Context<'_>) -> Result<Vec<String>>,
    /// Puts values into the cloud's own store.
    pub push_secrets: fn(&Context<'_>, &Values) -> Result<()>,
    /// When the server sees values that were pushed.
    pub pushed: &'static str,
    /// Whether pushing or removing values makes a version, which is served at once.
    pub secrets_make_versions: bool,
    /// Takes one out of the cloud's own store.
    pub remove_secret: fn(&Context<'_>, &str) -> Result<()>,
    pub login: Login,
}

/// How a person logs in.
pub struct Login {
    /// What is asked before.
    pub question: &'static str,
    /// Owns the terminal.
    pub run: fn(&Context<'_>) -> Result<()>,
}

/// How long a cloud's tool may take for one step, unless the user says otherwise.
pub const LIMIT: Duration = Duration::from_secs(30 * 60);
/// For a mere question.
pub const QUESTION: Duration = Duration::from_secs(60);

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
    /// How long a cloud's tool may take for one step.
    pub limit: Duration,
    /// What the record says is deployed of this stage.
    pub recorded: &'a [deployments::Deployment],
    /// Carried by everything that is made.
    pub mark: ProjectMark,
    /// What is there without our mark, and gets it.
    pub takes: Takes,
    /// Whether somebody is there to be asked.
    pub asks: bool,
    /// The files of a project: what they are rendered from stands a floor above.
    pub render: fn(&Manifest) -> Result<FileSet>,
    /// What may lose its data: logical names of resources, and classes.
    pub allow_data_loss: &'a [String],
    /// What answers the questions of one command, as long as it has any.
    pub answerers: Answerers,
    /// Who the cloud's CLI says we are, once it was asked.
    pub login: OnceLock<Value>,
}

impl<'a> Context<'a> {
    /// For a command that talks to a cloud and asks nobody: what differs is set by its name.
    pub fn new(
        build: Build<'a>,
        values: &'a Values,
        recorded: &'a [deployments::Deployment],
        mark: ProjectMark,
        render: fn(&Manifest) -> Result<FileSet>,
    ) -> Self {
        Self {
            build,
            values,
            terminal: false,
            limit: LIMIT,
            recorded,
            mark,
            takes: Takes::Nothing,
            asks: false,
            render,
            allow_data_loss: &[],
            answerers: Answerers::default(),
            login: OnceLock::new(),
        }
    }
}

/// What a cloud serves at one place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serving {
    /// The cloud's own identifier of it; `None`: nothing is served.
    pub version: Option<String>,
    /// Something is under way that may change it.
    pub moving: bool,
}

impl Serving {
    /// Whether nothing but `known` is served, and nothing else is to come.
    pub fn is_still(&self, known: Option<&str>) -> bool {
        !self.moving && self.version.as_deref() == known
    }
}

/// Carried by the error of a deployment that had begun, and whose end was not seen.
#[derive(Debug)]
pub struct EndUnknown;

impl EndUnknown {
    pub fn error(said: impl Into<String>) -> Error {
        Error::new(said).carrying(EndUnknown)
    }
}

/// A tool or an API that failed may have done its work all the same, so the cloud is asked: unless it serves what the
/// record says, and nothing is under way, the end of what was begun is not known.
pub fn unless_still(known: Option<&str>, error: anyhow::Error, ask: impl FnOnce() -> Result<Serving>) -> anyhow::Error {
    // Nothing can be asked after an interruption, and a tool that was stopped tells nothing.
    if end_is_unknown(&error) || error::carried::<data_loss::Refused>(&error).is_some() {
        return error;
    }
    let recorded = known.map_or_else(|| "nothing".to_owned(), |known| format!("version {known}"));
    let said = match ask() {
        Ok(serving) if serving.is_still(known) => return error,
        Ok(Serving { moving: true, .. }) => "a change is under way there".to_owned(),
        Ok(Serving { version: Some(version), .. }) => {
            format!("it serves version {version}, and the record says {recorded}")
        }
        Ok(Serving { version: None, .. }) => format!("it serves nothing, and the record says {recorded}"),
        Err(why) => format!("it does not tell what it serves ({})", why.to_string().lines().next().unwrap_or_default()),
    };
    EndUnknown::error(format!("the cloud may have done it all the same: {said}")).because(error).into()
}

/// A tool that was stopped may have done its work already; one that failed said so.
pub fn end_is_unknown(error: &anyhow::Error) -> bool {
    let stopped = |failed: &process::ToolFailed| failed.limit.is_some() || failed.signal.is_some();
    process::interrupted()
        || error::carried::<EndUnknown>(error).is_some()
        || process::ToolFailed::of(error).is_some_and(stopped)
}

impl Context<'_> {
    /// Something that changes the cloud.
    pub fn run(&self, cmd: &Cmd) -> Result<Ended> {
        process::run(cmd, Io::Quiet, Some(self.limit))
    }

    /// The same, with an answer on stdout.
    pub fn run_for_answer(&self, cmd: &Cmd) -> Result<Ended> {
        process::run(cmd, Io::Answer, Some(self.limit))
    }

    /// Something that only reads.
    pub fn ask(&self, cmd: &Cmd) -> Result<Ended> {
        process::run(cmd, Io::Answer, Some(self.limit.min(QUESTION)))
    }

    /// The deployment that needs no name.
    pub fn is_production(&self) -> bool {
        self.build.manifest.app == self.build.manifest.server.name
    }

    fn has(&self, secret: &str) -> bool {
        self.values.iter().any(|(name, _)| name == secret)
    }

    /// The values that are one cloud's business.
    pub fn values_of(&self, target: &str) -> Vec<(String, String)> {
        let concerns = |name: &str| self.build.manifest.secrets_of(target).any(|secret| secret.name == name);
        self.values.iter().filter(|(name, _)| concerns(name)).cloned().collect()
    }

    /// The version that the record says is served at a place.
    pub fn recorded_version(&self, target: &str, account: Option<&str>, region: Option<&str>) -> Option<&str> {
        let is_there = |one: &&deployments::Deployment| {
            one.target == target && one.account.as_deref() == account && one.region.as_deref() == region
        };
        self.recorded.iter().find(is_there)?.version.as_deref()
    }

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
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem { message: message.into(), hint: hint.into(), login: false }
    }

    /// Of an error; the hint is the error's own, where it has one.
    pub fn of(error: &anyhow::Error, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Problem::new(message, error::hint(error).unwrap_or_else(|| hint.into()))
    }

    pub fn error(self) -> Error {
        Error::new(self.message).hint(self.hint)
    }
}

/// What a cloud's CLI says it has deployed.
#[derive(Debug, Clone)]
pub struct Deployed {
    pub region: Option<String>,
    /// Of a stack set that deploys to other accounts.
    pub account: Option<String>,
    pub stack_set: Option<deployments::Member>,
    /// The MCP endpoint.
    pub url: String,
    /// Where this region alone answers, when `url` is that of several.
    pub direct: Option<String>,
    /// The cloud's own identifier of what is served now: a Lambda version, a Vercel deployment, a Worker version.
    pub version: Option<String>,
}

impl Deployed {
    /// A deployment of which only the endpoint is known.
    pub fn at(url: String) -> Self {
        Deployed { region: None, account: None, stack_set: None, url, direct: None, version: None }
    }
}

fn required<'a>(context: &Context<'a>, target: &str) -> impl Iterator<Item = &'a Secret> {
    context.build.manifest.secrets_of(target).filter(|secret| !secret.optional)
}

/// Secrets without a value here, when the cloud cannot be asked for its own.
pub fn unset_here(context: &Context<'_>, target: &str) -> Vec<Problem> {
    let unset = required(context, target).filter(|secret| !context.has(&secret.name));
    unset
        .map(|secret| {
            let name = &secret.name;
            let message = format!("the secret `{name}` has no value here, and the cloud cannot be asked for it yet");
            Problem::new(message, format!("run `mcp-deploy secrets set {name}`, unless the cloud has it"))
        })
        .collect()
}

/// Problems of one cloud's credentials and secrets, as every cloud reports them.
pub fn missing_secrets(
    context: &Context<'_>,
    target: &str,
    stored: impl FnOnce() -> Result<Vec<String>>,
) -> Vec<Problem> {
    if required(context, target).all(|secret| context.has(&secret.name)) {
        return Vec::new();
    }
    let stored = match stored() {
        Ok(names) => names,
        Err(error) => {
            let message = format!("cannot ask which secrets are set: {error:#}");
            return vec![Problem::of(&error, message, "check the credentials")];
        }
    };
    let stored = |name: &str| stored.iter().any(|known| known == name);
    let set = |secret: &Secret| context.has(&secret.name) || stored(&secret.name) || secret.alias.is_some_and(stored);
    let unset = required(context, target).filter(|secret| !set(secret));
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

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn what_is_known_of_an_end_survives_what_is_said_around_it() {
        let begun = || -> Result<Serving> { Ok(Serving { version: Some("6".into()), moving: false }) };
        let open = unless_still(Some("5"), anyhow!("the connection broke"), begun);
        let around = Err::<(), _>(open).context("in eu-west-1").unwrap_err();
        assert!(end_is_unknown(&Error::new("cannot deploy").because(around).into()));
        assert!(!end_is_unknown(&unless_still(Some("6"), anyhow!("refused"), begun)));
        let refused = Error::new("nobody allowed it").carrying(data_loss::Refused);
        assert!(!end_is_unknown(&unless_still(Some("5"), refused.into(), begun)));
    }

    #[test]
    fn the_hint_of_the_cause_goes_before_the_usual_one() {
        let problem = |error: &anyhow::Error| Problem::of(error, "cannot ask", "check the credentials").hint;
        assert_eq!(problem(&anyhow!("no")), "check the credentials");
        let own = Error::new("no Python").hint("install it");
        assert_eq!(problem(&anyhow::Error::new(own).context("cannot ask AWS")), "install it");
    }
}
