//! The tool calls the user asked for, in both eras, and whether both give the same.

use serde_json::{Value, json};

use super::client::Client;
use super::contract::{difference, wrapped_schema};
use super::eras::{EraServer, modern_result};
use super::http::quoted;
use super::{Answer, Call, CheckFault, Outcome, Probe, schema};

pub fn run(probe: &mut Probe, client: &Client, modern: Option<&EraServer>, legacy: Option<&EraServer>) {
    if probe.options.calls.is_empty() {
        return probe.check("call", "answers a tool call", || Err(CheckFault::skip("no call was asked for")));
    }
    for call in &probe.options.calls {
        let before = probe.answers.len();
        let one = ask(probe, client, "call.modern", call, modern, "2026-07-28");
        let other = ask(probe, client, "call.legacy", call, legacy, "2025-11-25");
        let title = format!("`{}` answers the same in both generations", call.name);
        probe.check("call.same", title, || match (&one, &other, modern) {
            (Some(one), Some(other), Some(modern)) => same(client, call, modern, one, other),
            _ => Err(CheckFault::skip("there are no two answers to compare")),
        });
        let uncompared = probe.checks.last().is_some_and(|check| check.outcome == Outcome::Skipped);
        if uncompared && one.is_some() && other.is_some() {
            probe.answers[before..].iter_mut().for_each(|answer| answer.varies = true);
        }
    }
}

fn ask(
    probe: &mut Probe,
    client: &Client,
    id: &'static str,
    call: &Call,
    server: Option<&EraServer>,
    version: &str,
) -> Option<Value> {
    let mut answer = None;
    probe.check(id, format!("`{}` answers in {version}", call.name), || {
        let server = server.ok_or_else(|| CheckFault::skip("this era is not spoken"))?;
        let result = result(client, call, server)?;
        answer = Some((server.era, result.clone()));
        judge(&result, server, call)
    });
    let (era, result) = answer?;
    let normal = normal(&result, server?.tool(&call.name));
    probe.answers.push(Answer {
        name: call.name.clone(),
        arguments: call.arguments.clone(),
        era,
        result,
        varies: false,
    });
    Some(normal)
}

fn result(client: &Client, call: &Call, server: &EraServer) -> Result<Value, CheckFault> {
    let request = client.tool_call(server.era, &call.name, &call.arguments, server.tool(&call.name));
    client.answer(request)?.map_err(|error| CheckFault::wrong(error.shown()))
}

fn judge(result: &Value, server: &EraServer, call: &Call) -> Result<String, CheckFault> {
    let text = first_text(result);
    if result["resultType"] == "input_required" {
        return Err(CheckFault::wrong("the tool asks for more input, which a probe cannot give"));
    }
    if result["isError"] == true {
        return Err(CheckFault::wrong(format!("the tool reports an error: {text}")));
    }
    let mut faults = if server.era == super::Era::Modern { modern_result(result) } else { Vec::new() };
    if !result["content"].is_array() {
        faults.push("the result has no array `content`".to_owned());
    }
    faults.extend(server.tool(&call.name).and_then(|tool| schema::misfit(tool, result.get("structuredContent"))));
    super::eras::settle(faults, text)
}

fn first_text(result: &Value) -> String {
    let texts = result["content"].as_array().into_iter().flatten();
    quoted(texts.filter_map(|block| block["text"].as_str()).next().unwrap_or(""))
}

/// What a caller gets out of the result; 2025 clients get structured content as `{"result": …}` if it is not an object.
fn normal(result: &Value, tool: Option<&Value>) -> Value {
    let wrapped = tool.is_some_and(|tool| wrapped_schema(&tool["outputSchema"]).is_some());
    let structured = match (&result["structuredContent"], wrapped) {
        (Value::Object(outer), true) if outer.len() == 1 => outer.get("result").unwrap_or(&Value::Null),
        (structured, _) => structured,
    };
    json!({
        "content": result["content"],
        "structuredContent": structured,
        "isError": result["isError"] == true,
    })
}

/// A clock or a die answers differently every time: only a difference that stays is one of the eras.
fn same(client: &Client, call: &Call, modern: &EraServer, one: &Value, other: &Value) -> Result<String, CheckFault> {
    let Some(found) = difference(one, other) else {
        return Ok(String::new());
    };
    if one["isError"] == true && other["isError"] == true {
        // A masked error has another reference each time.
        return Err(CheckFault::skip("both calls failed, so there is nothing to compare"));
    }
    let again = normal(&result(client, call, modern)?, modern.tool(&call.name));
    if difference(one, &again).is_some() {
        return Err(CheckFault::skip("the tool answers differently every time, so there is nothing to compare"));
    }
    Err(CheckFault::wrong(found.shown("2026-07-28", "2025-11-25"))
        .hint("a handler must not depend on the client's protocol: look at what it reads from its context"))
}
