//! Is there a server at all, and is it ours?

use serde_json::Value;

use super::attacks::CREDENTIALS;
use super::client::Client;
use super::{CheckFault, Contract, FaultKind, Options, Platforms, Probe};

pub const TITLE: &str = "answers on its health page";

/// False where asking further makes no sense.
pub fn health(probe: &mut Probe, client: &Client) -> bool {
    let contract = probe.contract;
    let mut reached = true;
    let mut websocket = false;
    let mut serves = None;
    let mut broken = Value::Null;
    let mut is_known = false;
    probe.check("reachable", TITLE, || {
        let page = ask(client, contract).inspect_err(|fault| reached = fault.kind != FaultKind::Unreached)?;
        // Before it is known whether the page is that of our server: what it says is asked of whatever answers.
        is_known = true;
        websocket = page["websocket"] == true;
        serves = deployment(Some(&page)).map(str::to_owned);
        broken = page["broken"].clone();
        contract.map_or_else(|| Ok(identity(&page)), |contract| is_ours(&page, contract))
    });
    probe.websocket = websocket;
    if reached && contract.is_some() {
        probe.check("handlers", "has imported every handler that it needed", || match is_known {
            true => all_imported(&broken),
            false => Err(CheckFault::skip("there is no health page that would tell")),
        });
    }
    let Options { deployments: wanted, platforms, .. } = probe.options;
    if reached && !wanted.is_empty() {
        probe.check("deployment", "serves the version that the record names", || is_wanted(serves, wanted, platforms));
    }
    reached
}

/// A handler that cannot be imported breaks its own tool, resource or prompt alone; the health page tells which, or to
/// strangers how many.
fn all_imported(broken: &Value) -> Result<String, CheckFault> {
    let named = broken.as_array().map(|names| names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
    let what = match (named, broken.as_u64()) {
        (Some(names), _) => format!("cannot import the handler of the {}", names.replace(", ", ", the ")),
        (None, Some(count)) => format!("cannot import {count} of its handlers"),
        (None, None) => return Ok(String::new()),
    };
    Err(CheckFault::wrong(what).hint("the server's log has the reason: a line \"a handler cannot be imported\""))
}

/// Which version answers, by the cloud's own identifier.
pub fn deployment(page: Option<&Value>) -> Option<&str> {
    page?["deployment"].as_str()
}

fn is_wanted(serves: Option<String>, wanted: &[String], platforms: &Platforms) -> Result<String, CheckFault> {
    let serves = serves.ok_or_else(|| {
        let hints = platforms.to_tell_versions.iter().map(|hint| format!("{hint}; else "));
        let hint = hints.collect::<String>() + "render and ship again";
        CheckFault::skip("its health page does not tell which version answers").hint(hint)
    })?;
    if wanted.contains(&serves) {
        return Ok(serves);
    }
    Err(CheckFault::wrong(format!("expected {}, got {serves}", wanted.join(" or ")))
        .hint("somebody else deployed or rolled back, or the cloud is still changing over: see `mcp-deploy status`"))
}

/// Where OAuth clients learn whose tokens count: open to all, browsers included.
pub fn metadata(probe: &mut Probe, client: &Client) {
    probe.check("oauth.metadata", "tells clients where to get an access token (RFC 9728)", || {
        let request = client.bare("GET", &client.sibling(".well-known/oauth-protected-resource/mcp"));
        let reply = client.send(&CREDENTIALS.iter().fold(request, |request, name| request.without(name)))?;
        let page = reply.json.as_ref().filter(|_| reply.status == 200).ok_or_else(|| client.unexpected(&reply))?;
        let servers = page["authorization_servers"].as_array().map_or(&[][..], Vec::as_slice);
        match (page["resource"].as_str(), servers.first().and_then(Value::as_str)) {
            _ if reply.header("access-control-allow-origin") != Some("*") => {
                Err(CheckFault::wrong("no web page may read it").hint("send `access-control-allow-origin: *`"))
            }
            (Some(_), Some(server)) => Ok(server.to_owned()),
            _ => Err(CheckFault::wrong("it has no `resource`, or no `authorization_servers`")),
        }
    });
}

/// The whole page, whoever answers with it.
fn ask(client: &Client, contract: Option<&Contract>) -> Result<Value, CheckFault> {
    let mut reply = client.send(&client.bare("GET", &client.sibling("health")))?;
    if let Some(gate) = client.gate(&reply) {
        return Err(gate);
    }
    match (reply.status, reply.json.take(), contract) {
        (200, Some(page), _) => Ok(page),
        (404 | 405, _, None) => {
            Err(CheckFault::skip("there is no `/health` next to the endpoint, which only our servers promise"))
        }
        (404, ..) => Err(CheckFault::wrong(format!("{} at `/health` next to the endpoint", reply.summary()))
            .hint("check the path of the URL: the endpoint is usually `/mcp`")),
        (200, ..) => Err(CheckFault::wrong(format!("expected JSON, got {}", reply.summary()))
            .hint("another page answers here: check the URL")),
        _ => Err(client.unexpected(&reply)),
    }
}

fn is_ours(page: &Value, contract: &Contract) -> Result<String, CheckFault> {
    let expected = format!("`{}` {}", contract.name, contract.version);
    if page["name"] == *contract.name && page["version"] == *contract.version {
        return Ok(expected);
    }
    Err(CheckFault::wrong(format!("expected {expected}, got {}", identity(page)))
        .hint("an older or another server answers here: deploy again, or check the URL"))
}

fn identity(page: &Value) -> String {
    match (page["name"].as_str(), page["version"].as_str()) {
        (Some(name), Some(version)) => format!("`{name}` {version}"),
        _ => "no `name` and `version`".to_owned(),
    }
}
