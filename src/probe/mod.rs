//! The prober: calls a running server in both protocol eras, sends it hostile requests and compares it with the
//! manifest. It only asks and reports; printing is the caller's.

mod attacks;
#[cfg(test)]
mod bounds;
mod calls;
mod client;
mod contract;
mod diagnose;
mod early;
mod eras;
mod follows;
mod hostile;
mod http;
mod limit;
mod pages;
#[cfg(test)]
mod quirks;
mod reach;
mod schema;
mod sse;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod websocket;

use std::str::FromStr;
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::ui::shorten;
use client::Client;
pub use http::{Reply, quoted};

use crate::error::Error;
use crate::manifest::RateLimit;
use crate::process;

/// What to probe, and how.
#[derive(Clone)]
pub struct Options {
    /// The MCP endpoint, `…/mcp`; the health page is expected next to it.
    pub url: String,
    /// The server runs on this machine, so a foreign `Host` can reach it.
    pub local: bool,
    pub calls: Vec<Call>,
    /// Sent with every request, for example `authorization`; never shown.
    pub headers: Vec<(String, String)>,
    /// The secret that opens further budgets of calls, if the server is a local run of ours; never shown.
    pub budgets: Option<String>,
    /// For one request, its answer included.
    pub timeout: Duration,
    /// The server's own limit: one request is a byte longer.
    pub max_body_bytes: u64,
    /// The cloud's identifiers of the versions of which one has to answer; empty: any may.
    pub deployments: Vec<String>,
    pub platforms: Platforms,
}

/// What platforms tell of themselves.
#[derive(Clone, Default)]
pub struct Platforms {
    pub gates: Vec<Gate>,
    /// What makes a health page tell which version answers, for people.
    pub to_tell_versions: Vec<&'static str>,
}

/// Knows an answer that comes from a platform, and not from the server.
pub type Gate = fn(&Reply) -> Option<Gated>;

/// What answered in place of the server.
#[derive(Clone, Debug)]
pub struct Gated {
    pub detail: String,
    pub hint: &'static str,
    /// It answers so however long one waits.
    pub lasting: bool,
}

/// One tool call the user asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub name: String,
    pub arguments: Value,
}

impl FromStr for Call {
    type Err = Error;

    /// `NAME {json}`; without the JSON the arguments are empty.
    fn from_str(text: &str) -> Result<Call, Error> {
        const HINT: &str = r#"write `NAME {json}`, for example `get_weather {"location":"Oslo"}`"#;
        let wrong = |why: String| Error::new(why).hint(HINT);
        let text = text.trim();
        let (name, json) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if name.is_empty() || name.contains(['{', '"']) {
            return Err(wrong(format!("the call `{text}` does not begin with the name of a tool")));
        }
        let arguments = match json.trim() {
            "" => Value::Object(Default::default()),
            json => serde_json::from_str(json)
                .map_err(|why| wrong(format!("the arguments of `{name}` are not JSON")).because(why))?,
        };
        if !arguments.is_object() {
            return Err(wrong(format!("the arguments of `{name}` are JSON, but not an object")));
        }
        Ok(Call { name: name.to_owned(), arguments })
    }
}

/// What the manifest promises: the entries exactly as they stand in the list answers.
#[derive(Clone, Debug, Default)]
pub struct Contract {
    pub name: String,
    pub version: String,
    pub tools: Vec<Value>,
    pub resources: Vec<Value>,
    pub resource_templates: Vec<Value>,
    pub prompts: Vec<Value>,
    /// The manifest lets some browser origins in.
    pub origins_configured: bool,
    /// How callers prove who they are: `api-key`, `oauth`; `None` where nobody has to.
    pub auth: Option<&'static str>,
    pub rate_limit: Option<RateLimit>,
    /// MCP over WebSockets too; `None` where it is not known which cloud's server is asked, and so its health page
    /// decides.
    pub websocket: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Passed,
    Failed,
    /// Not done, with the reason in the detail: never counted as passed.
    Skipped,
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    pub id: &'static str,
    /// What the server should do.
    pub title: String,
    pub outcome: Outcome,
    /// What was seen, and what was expected.
    pub detail: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    #[serde(rename = "elapsed_ms", serialize_with = "milliseconds")]
    pub elapsed: Duration,
    /// It did not pass because of a fault that is in the report already: counted, and not told.
    #[serde(skip)]
    pub follows: bool,
    /// No answer of the server itself, or none in MCP.
    #[serde(skip)]
    pub is_unreached: bool,
}

/// The two families of protocol versions a server has to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Era {
    Modern,
    Legacy,
}

impl Era {
    pub fn version(self) -> &'static str {
        match self {
            Era::Modern => "2026-07-28",
            Era::Legacy => "2025-11-25",
        }
    }
}

/// What a tool answered to a call the user asked for.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    pub name: String,
    pub arguments: Value,
    pub era: Era,
    pub result: Value,
    /// The same call got another answer: a clock's, or that of a die.
    #[serde(skip)]
    pub varies: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Without user information and query, which may hold a secret.
    pub url: String,
    pub checks: Vec<Check>,
    pub answers: Vec<Answer>,
    /// The live `tools/list` answer, to compare servers with each other.
    #[serde(skip)]
    pub tools: Option<Vec<Value>>,
    pub counts: Counts,
}

impl Report {
    /// That of a server which could not be asked.
    pub fn skipped(id: &'static str, title: &str, reason: &str) -> Self {
        let check = Check {
            id,
            title: title.to_owned(),
            outcome: Outcome::Skipped,
            detail: Some(reason.to_owned()),
            hint: None,
            elapsed: Duration::ZERO,
            follows: false,
            is_unreached: false,
        };
        let counts = Counts { passed: 0, failed: 0, skipped: 1 };
        Report { url: String::new(), checks: vec![check], answers: Vec::new(), tools: None, counts }
    }

    /// Nothing failed, and something was proved.
    pub fn ok(&self) -> bool {
        self.counts.failed == 0 && self.counts.passed > 0
    }

    /// Checks that could not be made, because of a fault that the report has.
    pub fn following(&self) -> usize {
        self.checks.iter().filter(|check| check.follows).count()
    }

    /// Counts anew, after somebody who knows more than the prober changed checks.
    pub fn recount(&mut self) {
        let count = |outcome| self.checks.iter().filter(|check| check.outcome == outcome).count();
        self.counts =
            Counts { passed: count(Outcome::Passed), failed: count(Outcome::Failed), skipped: count(Outcome::Skipped) };
    }
}

/// Probes one server; `on_check` sees every line as soon as it is known.
pub fn run(options: &Options, contract: Option<&Contract>, on_check: &mut dyn FnMut(&Check)) -> Report {
    let client = Client::new(options);
    let (checks, answers) = (Vec::new(), Vec::new());
    let mut probe = Probe { options, contract, on_check, checks, answers, tools: None, websocket: false };
    match &client {
        Ok(client) => story(&mut probe, client),
        Err(fault) => {
            probe.check("reachable", reach::TITLE, || Err(fault.clone()));
            probe.check("rest", "everything else", || Err(CheckFault::skip("there is no server to ask")));
        }
    }
    let url = client.map_or_else(|_| http::display(&options.url), |client| client.shown());
    let counts = Counts::default();
    let mut report = Report { url, counts, checks: probe.checks, answers: probe.answers, tools: probe.tools };
    report.recount();
    report
}

/// Whether the server behind a health page answers that it is well.
pub fn healthy(url: &str) -> bool {
    health(url).is_some()
}

/// The same, and it says that it is `name`: another server may listen where ours was expected.
pub fn healthy_as(url: &str, name: &str) -> bool {
    let said = health(url).and_then(|mut reply| reply.body_mut().read_to_string().ok());
    let said = said.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    said.is_some_and(|health| health["name"].as_str() == Some(name))
}

fn health(url: &str) -> Option<ureq::http::Response<ureq::Body>> {
    let uri = http::parse(url).ok()?;
    let agent: ureq::Agent = http::agent_config(&uri).timeout_global(Some(Duration::from_secs(5))).build().into();
    agent.get(url).call().ok().filter(|reply| reply.status() == 200)
}

/// Why a health page does not answer that the server is well.
#[derive(Clone, Debug)]
pub struct Silence {
    pub detail: String,
    pub hint: Option<String>,
    /// Waiting is of no use: nothing is still on its way.
    pub lasting: bool,
}

/// What a health page says that answers that the server is well.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// The cloud's identifier of the version that answers, where the server knows it.
    pub deployment: Option<String>,
}

/// Asks the health page next to an endpoint, once.
pub fn pulse(endpoint: &str, platforms: &Platforms) -> Result<Pulse, Silence> {
    let options = Options {
        url: endpoint.to_owned(),
        local: false,
        calls: Vec::new(),
        headers: Vec::new(),
        budgets: None,
        timeout: Duration::from_secs(5),
        max_body_bytes: 0,
        deployments: Vec::new(),
        platforms: platforms.clone(),
    };
    let silence = |fault: CheckFault, lasting| Silence { detail: fault.detail, hint: fault.hint, lasting };
    let client = Client::new(&options).map_err(|fault| silence(fault, true))?;
    let reply = client.once(&client.bare("GET", &client.sibling("health"))).map_err(|fault| silence(fault, false))?;
    match reply.status {
        200 => Ok(Pulse { deployment: reach::deployment(reply.json.as_ref()).map(str::to_owned) }),
        _ => Err(silence(client.unexpected(&reply), diagnose::lasting(&reply, &platforms.gates))),
    }
}

/// Whether a URL leads to this machine, so that a foreign `Host` can be tried on it.
pub fn is_local(url: &str) -> bool {
    http::parse(url).is_ok_and(|uri| uri.host().is_some_and(http::is_loopback))
}

fn story(probe: &mut Probe, client: &Client) {
    if !reach::health(probe, client) {
        return probe.check("rest", "everything else", || Err(CheckFault::skip("the server was not reached")));
    }
    let auth = probe.contract.and_then(|contract| contract.auth);
    if auth == Some("oauth") {
        reach::metadata(probe, client);
    }
    if auth.is_some() && !hostile::has_credentials(probe.options) {
        hostile::without_credentials(probe, client);
        return probe.check("rest", "everything else", || {
            Err(CheckFault::skip("the server asks for credentials, and none were given")
                .hint("put a key or token into an environment variable, and name that with `--bearer-env`"))
        });
    }
    let modern = eras::modern(probe, client);
    let legacy = eras::legacy(probe, client);
    let is_refused = |check: &Check| check.is_unreached && matches!(check.id, "modern.discover" | "legacy.initialize");
    if modern.is_none() && legacy.is_none() && probe.checks.iter().filter(|check| is_refused(check)).count() == 2 {
        return probe.check("rest", "everything else", || Err(CheckFault::skip("nothing at this URL answers in MCP")));
    }
    let tools = |server: &eras::EraServer| server.lists[0].clone();
    probe.tools = modern.as_ref().and_then(tools).or_else(|| legacy.as_ref().and_then(tools));
    eras::same(probe, modern.as_ref(), legacy.as_ref());
    eras::list_changed(probe, modern.as_ref(), legacy.as_ref());
    contract::compare(probe, modern.as_ref(), legacy.as_ref());
    calls::run(probe, client, modern.as_ref(), legacy.as_ref());
    hostile::run(probe, client, modern.as_ref(), legacy.as_ref());
    limit::run(probe, client, modern.as_ref().or(legacy.as_ref()));
    websocket::run(probe, client, legacy.as_ref());
}

/// Why a check did not pass.
#[derive(Clone, Debug)]
struct CheckFault {
    detail: String,
    hint: Option<String>,
    kind: FaultKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FaultKind {
    Wrong,
    /// Not done; the detail says why.
    Skip,
    /// No answer of the server itself: nothing else needs asking.
    Unreached,
    /// An answer outside of MCP: if both eras get one, no other check is made.
    Refused,
    /// Not asked, because the server answered nothing several times before.
    Lost,
}

impl CheckFault {
    fn wrong(detail: impl Into<String>) -> CheckFault {
        CheckFault { detail: detail.into(), hint: None, kind: FaultKind::Wrong }
    }

    fn skip(detail: impl Into<String>) -> CheckFault {
        CheckFault { detail: detail.into(), hint: None, kind: FaultKind::Skip }
    }

    fn refused(detail: impl Into<String>) -> CheckFault {
        CheckFault { detail: detail.into(), hint: None, kind: FaultKind::Refused }
    }

    fn lost(detail: impl Into<String>) -> CheckFault {
        CheckFault { detail: detail.into(), hint: None, kind: FaultKind::Lost }
    }

    fn unreached(detail: impl Into<String>) -> CheckFault {
        CheckFault { detail: detail.into(), hint: None, kind: FaultKind::Unreached }
    }

    fn hint(mut self, hint: impl Into<String>) -> CheckFault {
        self.hint = Some(hint.into());
        self
    }
}

/// The report while it is being written.
struct Probe<'a> {
    options: &'a Options,
    contract: Option<&'a Contract>,
    on_check: &'a mut dyn FnMut(&Check),
    checks: Vec<Check>,
    answers: Vec<Answer>,
    tools: Option<Vec<Value>>,
    /// The health page says that there are WebSockets.
    websocket: bool,
}

impl Probe<'_> {
    /// Does one check and writes its line: what was seen, or the fault.
    fn check(&mut self, id: &'static str, title: impl Into<String>, ask: impl FnOnce() -> Result<String, CheckFault>) {
        let start = Instant::now();
        let title = title.into();
        let verdict = ask();
        let elapsed = start.elapsed();
        let verdict = verdict.map_err(|fault| CheckFault { detail: shorten(&fault.detail, LONGEST_DETAIL), ..fault });
        let follows = verdict.as_ref().is_err_and(|fault| follows::follows(id, &title, fault, &self.checks));
        let is_unreached =
            verdict.as_ref().is_err_and(|fault| matches!(fault.kind, FaultKind::Unreached | FaultKind::Refused));
        let (outcome, detail, hint) = match verdict {
            Ok(seen) => (Outcome::Passed, shorten(&seen, LONGEST_DETAIL), None),
            Err(fault) if follows => (Outcome::Skipped, fault.detail, None),
            Err(fault) if matches!(fault.kind, FaultKind::Skip | FaultKind::Lost) => {
                (Outcome::Skipped, fault.detail, fault.hint)
            }
            Err(fault) => (Outcome::Failed, fault.detail, fault.hint),
        };
        let check = Check {
            id,
            title,
            outcome,
            detail: (!detail.is_empty()).then(|| self.redact(detail)),
            hint: hint.map(|hint| self.redact(hint)),
            elapsed,
            follows,
            is_unreached,
        };
        if !follows {
            (self.on_check)(&check);
        }
        self.checks.push(check);
    }

    /// A server may echo what it was sent: no header value of the user ever enters the report's own words.
    fn redact(&self, text: String) -> String {
        let secrets = self.options.headers.iter().flat_map(|(_, value)| {
            let token = value.split_once(' ').map(|(_, token)| token.trim());
            [token, Some(value.trim())].into_iter().flatten()
        });
        let secrets = secrets.chain(self.options.budgets.as_deref()).flat_map(process::forms);
        secrets.fold(text, |text, secret| hide(&text, &secret))
    }
}

/// Characters: a server may answer with a name of 60 MiB, or with a hundred thousand faults.
const LONGEST_DETAIL: usize = 2000;

/// Hides a secret, and any part of it that is long enough to tell something: a shortened text may have cut it.
fn hide(text: &str, secret: &str) -> String {
    let least = match secret.len() {
        0..4 => return text.to_owned(),
        length => length.min(8),
    };
    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let ends = rest.char_indices().map(|(at, char)| at + char.len_utf8());
        let part = ends.take_while(|end| secret.contains(&rest[..*end])).last().unwrap_or(0);
        if part >= least {
            shown.push_str("[hidden]");
            rest = &rest[part..];
        } else {
            shown.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    shown
}

fn milliseconds<S: Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX))
}
