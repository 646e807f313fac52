//! Sends the hostile requests, reads every answer for leaks, and sees that the server survived them.

use serde_json::json;

use super::attacks::{ATTACKS, Attack, CREDENTIALS, Precondition, Scene};
use super::client::Client;
use super::contract::difference;
use super::eras::{EraServer, LISTS, read_list};
use super::http::{Reply, quoted};
use super::{CheckFault, Era, FaultKind, Options, Probe};

pub fn run(probe: &mut Probe, client: &Client, modern: Option<&EraServer>, legacy: Option<&EraServer>) {
    let server = modern.or(legacy);
    let scene = Scene {
        client,
        era: server.map_or(Era::Modern, |server| server.era),
        tools: server.map_or(&[], EraServer::tools),
        max_body_bytes: probe.options.max_body_bytes,
        origins_configured: probe.contract.is_some_and(|contract| contract.origins_configured),
    };
    let local = probe.options.local;
    let credentials = has_credentials(probe.options);
    // A tool that fails must not tell either.
    let failed = probe.answers.iter().filter(|answer| answer.result["isError"] == true);
    let mut leak = failed.map(|answer| answer.result.to_string()).find_map(|text| Some(("call", leaked(&text)?)));
    let mut answered = 0;
    for attack in &ATTACKS {
        // On a server that is open to all there is nothing to refuse, and none to open where there are no WebSockets.
        let concerns = match attack.needs {
            Precondition::Credentials => credentials,
            Precondition::WebSocket => probe.websocket,
            Precondition::WebSocketCredentials => probe.websocket && credentials,
            Precondition::Nothing | Precondition::Modern | Precondition::Local => true,
        };
        if !concerns {
            continue;
        }
        probe.check(attack.id, attack.title, || {
            match attack.needs {
                Precondition::Modern if modern.is_none() => {
                    return Err(CheckFault::skip("the server does not speak 2026-07-28"));
                }
                Precondition::Local if !local => {
                    return Err(CheckFault::skip("a cloud's router never lets a foreign `Host` in"));
                }
                _ => {}
            }
            let request = (attack.build)(&scene)?;
            let with_hint = |fault: CheckFault| {
                if fault.kind == FaultKind::Wrong { fault.hint(attack.hint) } else { fault }
            };
            let reply = client.send(&request)?;
            answered += 1;
            leak = leak.take().or_else(|| Some((attack.id, leaked(&reply.body)?)));
            (attack.judge)(&scene, &reply).map_err(with_hint)?;
            Ok(seen(&reply))
        });
    }
    probe.check("hostile.no-leak", "shows no stack trace in any error", || match &leak {
        Some((id, trace)) => Err(CheckFault::wrong(format!("the answer to `{id}` holds {trace}"))
            .hint("mask errors: log them with a reference, and answer with the reference")),
        None if answered == 0 => Err(CheckFault::skip("no hostile request was answered")),
        None => Ok(format!("{answered} answers read")),
    });
    survived(probe, client, server);
}

/// The last word: the server still answers, and still the same.
fn survived(probe: &mut Probe, client: &Client, server: Option<&EraServer>) {
    client.forgive();
    let contract = probe.contract;
    probe.check("survived", "still lists its tools after all that", || {
        let server = server.ok_or_else(|| CheckFault::skip("neither era is spoken"))?;
        let before = server.lists[0].as_ref().ok_or_else(|| CheckFault::skip("it did not list them before either"))?;
        let (now, _) = read_list(client, server.era, &LISTS[0], &server.capabilities, contract)?;
        match difference(&json!(before), &json!(now)) {
            None => Ok(String::new()),
            Some(found) => Err(CheckFault::wrong(found.shown("before", "now"))
                .hint("a request of one client changed what others see: keep no state in the server")),
        }
    });
}

pub fn has_credentials(options: &Options) -> bool {
    options.headers.iter().any(|(name, _)| is_credential(name))
}

/// What can be asked without any: whether the server asks for them.
pub fn without_credentials(probe: &mut Probe, client: &Client) {
    let scene = Scene {
        client,
        era: Era::Modern,
        tools: &[],
        max_body_bytes: probe.options.max_body_bytes,
        origins_configured: false,
    };
    let needs = |attack: &&Attack| match attack.needs {
        Precondition::Credentials => true,
        Precondition::WebSocket | Precondition::WebSocketCredentials => probe.websocket,
        Precondition::Nothing | Precondition::Modern | Precondition::Local => false,
    };
    for attack in ATTACKS.iter().filter(needs).collect::<Vec<_>>() {
        probe.check(attack.id, attack.title, || {
            let reply = client.send(&(attack.build)(&scene)?)?;
            (attack.judge)(&scene, &reply).map_err(|fault| fault.hint(attack.hint))?;
            Ok(seen(&reply))
        });
    }
}

fn is_credential(name: &str) -> bool {
    CREDENTIALS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn seen(reply: &Reply) -> String {
    match reply.rpc_code() {
        Some(code) => format!("{}, {code}", reply.status),
        None => reply.status.to_string(),
    }
}

/// What only a stack trace or the server's own files would say.
fn leaked(body: &str) -> Option<String> {
    const TRACES: [&str; 10] = [
        "\n    at ",
        "\\n    at ",
        "&nbsp;at ",
        "node:internal/",
        "/node_modules/",
        "/var/task/",
        "file:///",
        "Traceback (most recent call last)",
        "panicked at ",
        "    at async ",
    ];
    let at = TRACES.iter().filter_map(|trace| body.find(trace)).min()?;
    let start = body[..at].char_indices().rev().nth(30).map_or(0, |(start, _)| start);
    Some(quoted(&body[start..]))
}
