//! The APIs that name their action in `X-Amz-Target`: CloudWatch Logs, Secrets Manager and Systems Manager.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::http::{Request, Response, lock};
use super::super::time::millis_of;
use super::Shared;
use super::auth::Caller;
use super::stack::allows;
use super::state::{LogEvent, Region, Secret, now_millis};
use super::template::text;

pub fn handle(shared: &Shared, place: &str, caller: &Caller, request: &Request) -> Response {
    let target = request.header("x-amz-target").unwrap_or_default();
    let action = target.rsplit('.').next().unwrap_or_default().to_owned();
    let body = request.json();
    let mut state = lock(&shared.state);
    let region = state.region(place);
    let outcome = match caller.service.as_str() {
        "logs" => logs(region, &action, &body),
        "secretsmanager" => secrets(region, caller, &action, &body),
        _ => parameters(region, caller, &action, &body),
    };
    match outcome {
        Ok(answer) => Response::new(200, "application/x-amz-json-1.1", answer.to_string()),
        Err(response) => response,
    }
}

fn logs(region: &mut Region, action: &str, body: &Value) -> Result<Value, Response> {
    let group = text(&body["logGroupName"]);
    collect_logs(region);
    let events = region.logs.get(&group);
    let events =
        events.ok_or_else(|| failure("ResourceNotFoundException", "The specified log group does not exist."))?;
    match action {
        "FilterLogEvents" => {
            let (from, to) = (body["startTime"].as_u64().unwrap_or(0), body["endTime"].as_u64().unwrap_or(u64::MAX));
            let pattern = text(&body["filterPattern"]).replace('"', "");
            let wanted = events.iter().enumerate().filter(|(_, event)| (from..=to).contains(&event.time));
            let wanted = wanted.filter(|(_, event)| event.message.contains(&pattern));
            let event = |(at, event): (usize, &LogEvent)| {
                json!({
                    "eventId": at.to_string(), "logStreamName": "2026/11/23/[1]0000", "message": event.message,
                    "timestamp": event.time, "ingestionTime": event.time,
                })
            };
            Ok(json!({ "events": wanted.map(event).collect::<Vec<_>>(), "searchedLogStreams": [] }))
        }
        "DescribeLogGroups" => Ok(json!({ "logGroups": [{ "logGroupName": group }] })),
        _ => Err(unknown(action)),
    }
}

/// What the servers wrote since it was asked last becomes events.
fn collect_logs(region: &mut Region) {
    let now = now_millis();
    for function in region.functions.values() {
        let events = region.logs.entry(function.log_group()).or_default();
        let log = function.log();
        let lines: Vec<&str> = log.lines().collect();
        // A new sandbox begins a new log.
        let is_continued =
            events.len() <= lines.len() && events.iter().zip(&lines).all(|(event, line)| event.message == *line);
        let fresh = if is_continued { &lines[events.len()..] } else { &lines[..] };
        let known: Vec<String> = events.iter().map(|event| event.message.clone()).collect();
        let fresh = fresh.iter().filter(|line| is_continued || !known.iter().any(|known| known == *line));
        events.extend(fresh.map(|line| LogEvent { time: time_of(line).unwrap_or(now), message: (*line).to_owned() }));
    }
}

/// When a line was written, as it says itself.
fn time_of(line: &str) -> Option<u64> {
    let line: Value = serde_json::from_str(line).ok()?;
    millis_of(line["timestamp"].as_str()?)
}

fn secrets(region: &mut Region, caller: &Caller, action: &str, body: &Value) -> Result<Value, Response> {
    let id = text(if body["SecretId"].is_null() { &body["Name"] } else { &body["SecretId"] });
    let name =
        region.secrets.iter().find(|(name, secret)| **name == id || secret.arn == id).map(|(name, _)| name.clone());
    let arn = name.as_ref().map(|name| region.secrets[name].arn.clone()).unwrap_or_default();
    permit(region, caller, &format!("secretsmanager:{action}"), &arn)?;
    let missing = || failure("ResourceNotFoundException", "Secrets Manager can't find the specified secret.");
    let is_deleted = name.as_ref().is_some_and(|name| region.secrets[name].deleted);
    if is_deleted && action == "CreateSecret" {
        let message = "You can't create this secret because a secret with this name is already scheduled for deletion.";
        return Err(failure("InvalidRequestException", message));
    }
    if is_deleted && !["RestoreSecret", "DescribeSecret", "DeleteSecret"].contains(&action) {
        let message = "You can't perform this operation on the secret because it was marked for deletion.";
        return Err(failure("InvalidRequestException", message));
    }
    match action {
        "CreateSecret" if name.is_some() => Err(failure(
            "ResourceExistsException",
            &format!("The operation failed because the secret {id} already exists."),
        )),
        "CreateSecret" => {
            let arn = format!("arn:aws:secretsmanager:{}:{}:secret:{id}-AbCdEf", region.name, region.account);
            let value = body["SecretString"].as_str().map(str::to_owned);
            let mut secret = Secret::new(arn.clone(), value);
            secret.description = text(&body["Description"]);
            secret.tags = tags(body);
            secret.token = body["ClientRequestToken"].as_str().map(str::to_owned);
            let version = secret.version_id();
            region.secrets.insert(id.clone(), secret);
            Ok(json!({ "ARN": arn, "Name": id, "VersionId": version }))
        }
        "PutSecretValue" | "UpdateSecret" => {
            let name = name.ok_or_else(missing)?;
            let secret = region.secrets.get_mut(&name).ok_or_else(missing)?;
            secret.value = body["SecretString"].as_str().map(str::to_owned).or(secret.value.take());
            secret.version += 1;
            secret.token = body["ClientRequestToken"].as_str().map(str::to_owned);
            Ok(json!({ "ARN": secret.arn, "Name": name, "VersionId": secret.version_id() }))
        }
        "GetSecretValue" => {
            let name = name.ok_or_else(missing)?;
            let secret = region.secrets.get(&name).ok_or_else(missing)?;
            let unset = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
            let value = secret.value.as_ref().ok_or_else(|| failure("ResourceNotFoundException", unset))?;
            Ok(
                json!({ "ARN": secret.arn, "Name": name, "SecretString": value, "VersionId": secret.version_id(), "VersionStages": ["AWSCURRENT"] }),
            )
        }
        "DescribeSecret" => {
            let name = name.ok_or_else(missing)?;
            let secret = &region.secrets[&name];
            let tag = |(key, value): (&String, &String)| json!({ "Key": key, "Value": value });
            let mut known = json!({
                "ARN": arn, "Name": name, "Description": secret.description, "CreatedDate": 1_795_000_000.0,
                "Tags": secret.tags.iter().map(tag).collect::<Vec<_>>(),
            });
            if secret.deleted {
                known["DeletedDate"] = json!(1_795_600_000.0);
            }
            Ok(known)
        }
        "TagResource" => {
            let name = name.ok_or_else(missing)?;
            region.secrets.get_mut(&name).ok_or_else(missing)?.tags.extend(tags(body));
            Ok(json!({}))
        }
        "ListSecrets" => {
            let secret = |(name, secret): (&String, &Secret)| json!({ "Name": name, "ARN": secret.arn });
            Ok(json!({ "SecretList": region.secrets.iter().map(secret).collect::<Vec<_>>() }))
        }
        "DeleteSecret" => {
            let name = name.ok_or_else(missing)?;
            match region.secrets.get_mut(&name) {
                Some(secret) if body["ForceDeleteWithoutRecovery"] != true => secret.deleted = true,
                _ => drop(region.secrets.remove(&name)),
            }
            Ok(json!({ "ARN": arn, "Name": name }))
        }
        "RestoreSecret" => {
            let name = name.ok_or_else(missing)?;
            region.secrets.get_mut(&name).ok_or_else(missing)?.deleted = false;
            Ok(json!({ "ARN": arn, "Name": name }))
        }
        _ => Err(unknown(action)),
    }
}

fn tags(body: &Value) -> BTreeMap<String, String> {
    let tags = body["Tags"].as_array().into_iter().flatten();
    tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

fn parameters(region: &mut Region, caller: &Caller, action: &str, body: &Value) -> Result<Value, Response> {
    let name = text(&body["Name"]);
    let arn = |region: &Region, name: &str| {
        format!("arn:aws:ssm:{}:{}:parameter/{}", region.name, region.account, name.trim_start_matches('/'))
    };
    let asked = name_list(body);
    for name in asked.iter().chain([&name]) {
        permit(region, caller, &format!("ssm:{action}"), &arn(region, name))?;
    }
    let missing = || failure("ParameterNotFound", "");
    let parameter = |region: &Region, name: &String, value: &String| json!({ "Name": name, "Type": "SecureString", "Value": value, "ARN": arn(region, name), "Version": 1 });
    match action {
        "PutParameter" if region.parameters.contains_key(&name) && body["Overwrite"] != true => {
            Err(failure("ParameterAlreadyExists", "The parameter already exists."))
        }
        "PutParameter" => {
            region.parameters.insert(name, text(&body["Value"]));
            Ok(json!({ "Version": 1, "Tier": "Standard" }))
        }
        "GetParameter" => {
            let value = region.parameters.get(&name).ok_or_else(missing)?;
            Ok(json!({ "Parameter": parameter(region, &name, value) }))
        }
        "GetParameters" => {
            let found = asked.iter().filter_map(|name| Some(parameter(region, name, region.parameters.get(name)?)));
            let invalid: Vec<_> = asked.iter().filter(|name| !region.parameters.contains_key(*name)).collect();
            Ok(json!({ "Parameters": found.collect::<Vec<_>>(), "InvalidParameters": invalid }))
        }
        "GetParametersByPath" => {
            let path = text(&body["Path"]);
            let found = region.parameters.iter().filter(|(name, _)| name.starts_with(&path));
            Ok(json!({ "Parameters": found.map(|(name, value)| parameter(region, name, value)).collect::<Vec<_>>() }))
        }
        "DescribeParameters" => {
            let parameter = |name: &String| json!({ "Name": name, "Type": "SecureString" });
            Ok(json!({ "Parameters": region.parameters.keys().map(parameter).collect::<Vec<_>>() }))
        }
        "DeleteParameter" => region.parameters.remove(&name).map(|_| json!({})).ok_or_else(missing),
        _ => Err(unknown(action)),
    }
}

fn name_list(body: &Value) -> Vec<String> {
    body["Names"].as_array().into_iter().flatten().map(text).collect()
}

/// The people of the account may do anything; a function only what its role says.
fn permit(region: &Region, caller: &Caller, action: &str, arn: &str) -> Result<(), Response> {
    let Some(function) = region.functions.values().find(|function| function.key() == caller.key) else {
        return Ok(());
    };
    let role = text(&function.latest.properties["Role"]);
    if region.roles.get(&role).is_some_and(|policies| allows(policies, action, arn)) {
        return Ok(());
    }
    let message = format!("User: {role} is not authorized to perform: {action} on resource: {arn}");
    Err(failure("AccessDeniedException", &message))
}

fn failure(kind: &str, message: &str) -> Response {
    Response::new(400, "application/x-amz-json-1.1", json!({ "__type": kind, "message": message }).to_string())
}

fn unknown(action: &str) -> Response {
    failure("UnknownOperationException", &format!("the stand-in does not know {action}"))
}
