//! Whether the limit on calls is real: the one after the last that is allowed is refused, and told when to come back.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::client::Client;
use super::eras::EraServer;
use super::http::Reply;
use super::{CheckFault, Probe};
use crate::manifest::RateLimit;

/// More calls are not sent only to see the next one refused.
const MOST: u64 = 300;

pub fn run(probe: &mut Probe, client: &Client, server: Option<&EraServer>) {
    let Some(limit) = probe.contract.and_then(|contract| contract.rate_limit) else { return };
    let RateLimit { calls, window, .. } = limit;
    probe.check("rate-limit", format!("refuses more than {calls} calls in {window} s"), || {
        let server = server.ok_or_else(|| CheckFault::skip("neither era is spoken"))?;
        if !client.has_budgets() {
            // What met the limit by itself is proof enough.
            let seen = client
                .refused()
                .ok_or_else(|| CheckFault::skip("it was not reached, and to try would use up your own calls"))?;
            return judge(&seen, limit).map(|()| "seen on the way".to_owned());
        }
        if calls > MOST {
            return Err(CheckFault::skip(format!("that many calls are not sent only to try it (at most {MOST})")));
        }
        let start = windows(limit);
        let mut answered = 0;
        let refused = loop {
            let reply = client.once(&client.request(server.era, "tools/list", json!({})))?;
            match reply.status {
                429 => break reply,
                200 => answered += 1,
                _ => return Err(client.unexpected(&reply)),
            }
            // One that began late in a window may meet the limit in the next.
            if answered > 2 * calls {
                return Err(match windows(limit) - start {
                    0 | 1 => CheckFault::wrong(format!("answered {answered} calls")).hint(HINT),
                    _ => CheckFault::skip("the calls do not get there fast enough to meet it"),
                });
            }
        };
        let most = calls * (1 + windows(limit) - start);
        if !(calls..=most).contains(&answered) {
            return Err(CheckFault::wrong(format!("answered {answered} calls, then 429")).hint(HINT));
        }
        judge(&refused, limit).map(|()| format!("{answered} answered, then 429"))
    });
}

const HINT: &str = "look at what counts the calls, and by what it tells callers apart";

/// Windows begin at multiples of their length.
fn windows(limit: RateLimit) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()) / limit.window
}

fn judge(reply: &Reply, limit: RateLimit) -> Result<(), CheckFault> {
    match reply.retry_after() {
        Some(seconds) if (1..=limit.window).contains(&seconds) => {}
        Some(seconds) => return Err(CheckFault::wrong(format!("`retry-after: {seconds}` is outside of the window"))),
        None => {
            return Err(
                CheckFault::wrong("429, but without `retry-after` in seconds").hint("clients would come back at once")
            );
        }
    }
    match reply.rpc_code() {
        Some(_) => Ok(()),
        None => Err(CheckFault::wrong(format!("no JSON-RPC error, but {}", reply.summary()))),
    }
}
