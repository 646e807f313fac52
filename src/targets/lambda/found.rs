//! What is there already under the names of a deployment: stacks and secrets, whose they are, and whether they can be
//! changed.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::deploy::{NAME, secret_id};
use super::place::Place;
use super::{aws, data};
use crate::parallel;
use crate::targets::deployment::{Context, Problem};
use crate::targets::ownership::{Found, TAG, Whose};
use crate::toolchain::ToolId;

/// The stack and the secret of a place.
pub fn at(context: &Context<'_>, place: &Place) -> Result<Vec<Found>> {
    let request = json!({ "stack": context.app(), "secret": secret_id(context), "mark": context.mark.to_string() });
    let answer = aws::ask(context, place, "found", request)?;
    let stack = (!answer["stack"].is_null()).then(|| stack(context, place, &answer["stack"])).transpose()?;
    let is_known = stack.as_ref().is_some_and(|stack| stack.whose != Whose::Foreign) || is_recorded(context, place);
    let secret = (!answer["secret"].is_null()).then(|| secret(context, place, &answer["secret"], is_known));
    Ok(stack.into_iter().chain(secret).collect())
}

/// The same in several places.
pub fn everywhere(context: &Context<'_>, places: &[Place]) -> Result<Vec<Found>> {
    let found = parallel::map(places, |place| at(context, place).with_context(|| format!("in {place}")));
    Ok(found.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// A member of a stack set, whose secret is looked after with it.
fn is_recorded(context: &Context<'_>, place: &Place) -> bool {
    let account = place.account.as_ref().map(|account| account.id.as_str());
    context.recorded.iter().any(|one| {
        one.target == NAME
            && one.stack_set.is_some()
            && one.region.as_deref() == Some(&place.region)
            && (one.account.is_none() || one.account.as_deref() == account)
    })
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn stack(context: &Context<'_>, place: &Place, answer: &Value) -> Result<Found> {
    let app = context.app();
    let status = text(&answer["status"]);
    // A stack in review has no tags yet: it would get those of its change sets.
    let is_review = status == "REVIEW_IN_PROGRESS";
    let mark = match is_review {
        false => answer["tags"][TAG].as_str(),
        true => answer["review"].as_array().and_then(|marks| marks.iter().find_map(Value::as_str)),
    };
    let endpoint = answer["endpoint"].as_str();
    let recorded = || {
        let here = |one: &&crate::deployments::Deployment| {
            one.target == NAME && one.stack_set.is_none() && one.region.as_deref() == Some(&place.region)
        };
        endpoint.is_some() && context.recorded.iter().filter(here).any(|one| Some(one.url.as_str()) == endpoint)
    };
    let mut found = Found::new(context, format!("the stack `{app}` in {place}"), app, mark, recorded);
    found.is_stack = true;
    found.signs.extend(signs(answer));
    found.blocked = (found.whose != Whose::Foreign).then(|| blocked(context, place, answer)).flatten();
    if is_review && found.whose == Whose::Foreign {
        found.signs.push("a change set of it waits for review, and nothing of it exists yet".to_owned());
    }
    if found.whose == Whose::Foreign {
        let ours = (context.render)(context.build.manifest)?;
        let ours = ours.0.get("template.yaml").map(|(_, text)| text.as_str()).unwrap_or_default();
        for resource in answer["resources"].as_array().into_iter().flatten() {
            let (id, kind) = (text(&resource["id"]), text(&resource["type"]));
            // With the same name and type it stays: the change set tells whether it would be replaced.
            if ours.contains(&format!("\n  {id}:\n    Type: {kind}\n")) {
                continue;
            }
            found.changes.push(format!("{id} ({kind}) is not in this project's template"));
            if data::is_data(&kind) {
                found.lost.push(format!("{id} ({kind})"));
            }
        }
    }
    Ok(found)
}

/// What tells whose a thing in AWS is.
fn signs(answer: &Value) -> Vec<String> {
    let tags = answer["tags"].as_object().into_iter().flatten().filter(|(key, _)| *key != TAG);
    let tags: Vec<String> = tags.map(|(key, value)| format!("{key}={}", text(value))).collect();
    let mut signs = Vec::new();
    if !tags.is_empty() {
        signs.push(format!("its tags are {}", tags.join(", ")));
    }
    let description = text(&answer["description"]);
    if !description.is_empty() {
        signs.push(format!("its description is \"{description}\""));
    }
    signs.extend(answer["created"].as_str().map(|created| format!("it was created at {created}")));
    signs
}

fn secret(context: &Context<'_>, place: &Place, answer: &Value, stack_is_known: bool) -> Found {
    let id = secret_id(context);
    let recorded = || stack_is_known && answer["description"] == DESCRIPTION;
    let what = format!("the secret `{id}` in {place}");
    let mut found = Found::new(context, what, context.app(), answer["tags"][TAG].as_str(), recorded);
    found.signs.extend(signs(answer));
    if found.whose == Whose::Foreign {
        found.changes.push("the project's secrets are added to its values".to_owned());
        if answer["deleted"] == true {
            found.lost.push(format!("the values of `{id}`, which is about to be deleted"));
        }
    }
    found
}

/// As `aws.py` describes every secret that it makes.
const DESCRIPTION: &str = "Secrets of an MCP server, by name";

/// Why CloudFormation would refuse to update a stack, and what helps.
fn blocked(context: &Context<'_>, place: &Place, answer: &Value) -> Option<Problem> {
    let (app, region) = (context.app(), &place.region);
    let status = text(&answer["status"]);
    let delete = context.build.tools.typed(ToolId::Sam, &["delete", "--stack-name", app, "--region", region]);
    let aws = |command: &str| format!("`aws cloudformation {command} --stack-name {app} --region {region}`");
    let (what, hint) = match status.as_str() {
        "CREATE_COMPLETE"
        | "UPDATE_COMPLETE"
        | "UPDATE_ROLLBACK_COMPLETE"
        | "IMPORT_COMPLETE"
        | "IMPORT_ROLLBACK_COMPLETE" => return None,
        // Nothing of it exists; `sam deploy` begins anew.
        "REVIEW_IN_PROGRESS" => return None,
        "ROLLBACK_COMPLETE" | "ROLLBACK_FAILED" | "CREATE_FAILED" => {
            ("failed when it was created and cannot be updated", format!("run `{delete}`, then ship again"))
        }
        "DELETE_FAILED" => {
            let retain = aws("delete-stack");
            let hint = format!(
                "fix the cause and run `{delete}`, then ship again; {retain} with `--retain-resources NAME` leaves out what cannot be deleted"
            );
            ("could not be deleted, and cannot be updated", hint)
        }
        "UPDATE_ROLLBACK_FAILED" => {
            let hint = format!(
                "fix the cause, run {}, wait for `UPDATE_ROLLBACK_COMPLETE`, then ship again; `--resources-to-skip NAME` leaves out what cannot go back",
                aws("continue-update-rollback")
            );
            ("could not go back after an update that failed, and cannot be updated", hint)
        }
        "UPDATE_FAILED" => {
            let hint = format!("run {}, wait for `UPDATE_ROLLBACK_COMPLETE`, then ship again", aws("rollback-stack"));
            ("stopped in an update that failed, and cannot be updated", hint)
        }
        "DELETE_IN_PROGRESS" => {
            let hint = format!("run {}, then ship again", aws("wait stack-delete-complete"));
            ("is being deleted", hint)
        }
        status if status.ends_with("_IN_PROGRESS") => {
            let wait = match status {
                "CREATE_IN_PROGRESS" => aws("wait stack-create-complete"),
                status if status.contains("ROLLBACK") => aws("wait stack-rollback-complete"),
                _ => aws("wait stack-update-complete"),
            };
            ("is being changed by another deployment", format!("run {wait}, then ship again"))
        }
        _ => {
            let hint = format!("{} tells more", aws("describe-stack-events"));
            ("is in a state in which it cannot be updated", hint)
        }
    };
    let reason = text(&answer["reason"]);
    let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
    Some(Problem::new(format!("the stack `{app}` in {place} {what} ({status}){reason}"), hint))
}

/// What of a stack set is there in its region.
pub fn stack_set(context: &Context<'_>, home: &Place, answer: &Value) -> Found {
    let app = context.app();
    let members = answer["members"].as_array();
    let recorded = || {
        let is_recorded = |arn: &Value| super::stack_set::recorded(context).any(|one| *arn == one.stack.as_str());
        members.is_some_and(|members| members.iter().any(is_recorded))
    };
    let what = format!("the stack set `{app}` in {}", home.region);
    let mut found = Found::new(context, what, app, answer["tags"][TAG].as_str(), recorded);
    found.signs.extend(signs(answer));
    if found.whose == Whose::Foreign {
        let count = members.map_or(0, Vec::len);
        found.changes.push(format!("{count} stacks of it"));
        // Nobody can tell before what an update of a stack set does to resources in other accounts.
        found
            .lost
            .push("whatever its stacks hold: a stack set cannot be asked what an update would replace".to_owned());
    }
    found
}
