//! One CloudFormation StackSet for all regions, and for accounts: one template, which finds its code in a bucket of its
//! region.
//!
//! `sam` knows no stack sets: it builds and packages, and the API does the rest. A stack set with the permissions of an
//! organization takes no transform, so the template is transformed here, by the library that `sam` brings.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::deploy::{NAME, TEMPLATE, deployed, is_out_of_order, push_to, refused, stacks};
use super::place::{Account, Place, places, regions};
use super::{aws, changes, found as there};
use crate::deployments::Member;
use crate::error::Error;
use crate::files;
use crate::manifest::targets::lambda::StackSet;
use crate::parallel;
use crate::plan;
use crate::targets::data_loss;
use crate::targets::deployment::{Context, Deployed, EndUnknown, Problem, Progress};
use crate::targets::lambda::sam;
use crate::targets::ownership::{Found, Whose};
use crate::ui;

/// The stack set itself is in the first region.
fn home(context: &Context<'_>) -> Place {
    Place::own(regions(context)[0])
}

fn bucket(set: &StackSet, region: &str) -> String {
    format!("{}-{region}", set.code_bucket)
}

/// Buckets, accounts, and what is there already under the same names.
pub fn preflight(context: &Context<'_>, set: &StackSet) -> (Vec<Problem>, Result<Vec<Found>, Problem>) {
    let (mut problems, mut homes, mut found) = (Vec::new(), BTreeSet::new(), Vec::new());
    for place in regions(context).into_iter().map(Place::own) {
        let (name, region) = (bucket(set, &place.region), &place.region);
        let delegated_admin = set.accounts.by_delegated_admin();
        let request = json!({ "bucket": name, "name": context.app(), "delegated_admin": delegated_admin });
        let answer = match aws::ask(context, &place, "stack_set_region", request) {
            Ok(answer) => answer,
            Err(error) => return (problems, Err(refused(&place, &error))),
        };
        let lacking = match (answer["bucket"].as_str(), answer["refused"] == true) {
            (Some(there), _) if there == region => None,
            (Some(other), _) => Some(format!("the bucket `{name}`, for the code of {region}, is in {other}")),
            (None, true) => Some(format!(
                "the bucket `{name}`, for the code of {region}, may not be looked at: it is somebody else's, or `s3:ListBucket` is not allowed"
            )),
            (None, false) => Some(format!("there is no bucket `{name}` for the code of {region}")),
        };
        problems.extend(lacking.map(|message| {
            let hint = format!("run `aws s3 mb s3://{name} --region {region}`, or name others in `code_bucket`");
            Problem::new(message, hint)
        }));
        if answer["stack_set"].is_object() {
            homes.insert(region.clone());
            found.push(there::stack_set(context, &place, &answer["stack_set"]));
        }
    }
    // A region that the manifest names no more is in the record.
    homes.extend(recorded(context).map(|member| member.home.clone()));
    homes.remove(&home(context).region);
    problems.extend(homes.iter().map(|other| {
        let message =
            format!("the stack set `{}` is in {other}, and the first of the regions is another", context.app());
        Problem::new(message, format!("name `{other}` first in `regions`: a stack set stays where it was made"))
    }));
    let places = match places(context) {
        Ok(places) => places,
        Err(error) if is_out_of_order(&error) => return (problems, Err(refused(&home(context), &error))),
        Err(error) => {
            let message = format!("the accounts of the organizational units cannot be listed: {error:#}");
            let hint = "ship from the management account, or from a delegated administrator of AWS Organizations; or name `accounts`";
            return (problems, Err(Problem::of(&error, message, hint)));
        }
    };
    if places.is_empty() {
        let message = "the organizational units hold no active account that a stack set reaches";
        problems.push(Problem::new(message, "a stack set never deploys to the management account"));
    }
    let there = match stacks(context, &places) {
        Ok(there) => there,
        Err(refused) => return (problems, Err(refused)),
    };
    // The secret belongs to the set; a stack of that name is in the way, whosever it is.
    let (stacks, secrets): (Vec<_>, Vec<_>) = there.into_iter().partition(|found| found.is_stack);
    for stack in stacks {
        if stack.whose == Whose::Foreign {
            let message = format!("{}, and it has the names that the new one needs", stack.refusal().message);
            problems.push(Problem::new(message, "ship under another `name` or stage"));
            continue;
        }
        let message =
            format!("{} was shipped without `stack_set`, and has the names that the new one needs", stack.what);
        let hint = "run `mcp-deploy destroy --target lambda` first, or ship under another name or stage";
        problems.push(Problem::new(message, hint));
    }
    found.extend(secrets);
    (problems, Ok(found))
}

/// The stack set itself, wherever the manifest or the record says.
pub fn found(context: &Context<'_>) -> Result<Vec<Found>> {
    let mut homes: Vec<(String, bool)> =
        recorded(context).map(|member| (member.home.clone(), member.delegated_admin)).collect();
    if let Some(set) = super::place::stack_set(context) {
        homes.push((home(context).region, set.accounts.by_delegated_admin()));
    }
    homes.sort();
    homes.dedup_by(|one, other| one.0 == other.0);
    let mut all = Vec::new();
    for (region, delegated_admin) in homes {
        let home = Place::own(&region);
        let request = json!({ "name": context.app(), "delegated_admin": delegated_admin });
        let answer = aws::ask(context, &home, "stack_set", request)?;
        if answer["stack_set"].is_object() {
            all.push(there::stack_set(context, &home, &answer["stack_set"]));
        }
    }
    Ok(all)
}

/// What the record says of stacks that a set deployed.
pub fn recorded<'a>(context: &Context<'a>) -> impl Iterator<Item = &'a Member> {
    context.recorded.iter().filter(|one| one.target == NAME).filter_map(|one| one.stack_set.as_ref())
}

/// One result for each account and region, in the order of the manifest.
pub fn deploy(context: &Context<'_>, set: &StackSet, doing: Progress<'_>) -> Result<Vec<Result<Deployed>>> {
    let places = places(context)?;
    doing("secrets");
    let secrets = stored_secrets(context, &places).context("cannot store the secrets")?;
    doing("packaging");
    let template = template(context, set, secrets.as_deref())?;
    let known = aws::ask(
        context,
        &home(context),
        "stack_set",
        json!({
            "name": context.app(),
            "delegated_admin": set.accounts.by_delegated_admin(),
        }),
    )?;
    if let Some(old) = known["stack_set"]["template"].as_str().filter(|text| !text.is_empty()) {
        let old = serde_json::from_str(old).context("the stack set's template is not JSON: somebody else made it")?;
        let new = serde_json::from_str(&template).context("the template is not JSON")?;
        data_loss::confirm(context, &changes::of_templates(&old, &new))?;
    }
    let s = if places.len() == 1 { "" } else { "s" };
    doing(&format!("{} stack{s} of a stack set", places.len()));
    let home = home(context);
    let mut accounts: Vec<&str> = places.iter().filter_map(|place| Some(place.account.as_ref()?.id.as_str())).collect();
    accounts.dedup();
    let request = json!({
        "name": context.app(),
        "description": context.build.manifest.server.description,
        "template": template,
        "bucket": bucket(set, &home.region),
        "regions": regions(context),
        "accounts": accounts,
        "units": set.accounts.units(),
        "delegated_admin": set.accounts.by_delegated_admin(),
        "mark": context.mark.to_string(),
    });
    let answer = aws::run(context, &home, "ship_stack_set", request).context("cannot deploy the stack set")?;
    for other in left(&answer, &places) {
        ui::say(format_args!("the stack set keeps a stack in {other}, which the manifest does not name, as it was"));
    }
    Ok(parallel::map(&places, |place| member(context, set, place, &home, &answer)))
}

/// An account and region, as the answers name it.
fn is_at(stack: &Value, place: &Place, answer: &Value) -> bool {
    let account = place.account.as_ref().map(|account| account.id.as_str()).or_else(|| answer["own_account"].as_str());
    stack["region"] == place.region.as_str() && stack["account"].as_str() == account
}

/// Stacks of the set that are nobody's place any more.
fn left(answer: &Value, places: &[Place]) -> Vec<String> {
    let stacks = answer["stacks"].as_array().into_iter().flatten();
    let others = stacks.filter(|stack| !places.iter().any(|place| is_at(stack, place, answer)));
    others.map(named).collect()
}

fn named(stack: &Value) -> String {
    let text = |key: &str| stack[key].as_str().unwrap_or_default().to_owned();
    format!("{} of the account {}", text("region"), text("account"))
}

/// What became of one of its stacks.
fn member(context: &Context<'_>, set: &StackSet, place: &Place, home: &Place, answer: &Value) -> Result<Deployed> {
    let stack = stack_at(place, answer).with_context(|| format!("cannot deploy to {place}"))?;
    // It is deployed: only what it serves, and where, could not be asked.
    let mut deployed = deployed(context, place, &stack).map_err(|error| {
        EndUnknown::error(format!("deployed to {place}, but AWS does not tell where it answers: {error:#}"))
    })?;
    deployed.account = place.account.as_ref().map(|account| account.id.clone());
    let other = place.account.as_ref().filter(|account| answer["own_account"] != account.id.as_str());
    deployed.stack_set = Some(Member {
        home: home.region.clone(),
        stack,
        role: other.map(|account| account.role.clone()),
        delegated_admin: set.accounts.by_delegated_admin(),
    });
    Ok(deployed)
}

/// The ARN of a stack that is what the template says.
fn stack_at(place: &Place, answer: &Value) -> Result<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut stacks = answer["stacks"].as_array().into_iter().flatten();
    let Some(found) = stacks.find(|stack| is_at(stack, place, answer)) else {
        match text(&answer["refused"]) {
            why if why.is_empty() => bail!("the stack set has no stack there"),
            why => bail!(why),
        }
    };
    if found["status"] != "CURRENT" {
        let why = text(&found["reason"]);
        bail!("{}: {}", text(&found["status"]), if why.is_empty() { "AWS says no more" } else { why.as_str() });
    }
    Ok(text(&found["stack"]))
}

/// One template is for every place, so what stands for the version of the secrets is made of all of them.
fn stored_secrets(context: &Context<'_>, places: &[Place]) -> Result<Option<String>> {
    if context.build.manifest.secrets_of(NAME).next().is_none() {
        return Ok(None);
    }
    let values = context.values_of(NAME);
    let versions =
        parallel::map(places, |place| push_to(context, place, &values).with_context(|| format!("in {place}")));
    let versions = versions.into_iter().collect::<Result<Vec<_>>>()?;
    Ok(Some(plan::hash(&versions.join("\n"))))
}

/// What every stack is made of, as JSON: transformed, and bound to no region.
fn template(context: &Context<'_>, set: &StackSet, secrets: Option<&str>) -> Result<String> {
    let regions = regions(context);
    let mut packaged =
        parallel::map(&regions, |region| package(context, set, region)).into_iter().collect::<Result<Vec<_>>>()?;
    // Under the same keys everywhere, or one template could not name them.
    let unbound = |(template, region): (&Value, &&str)| {
        template.to_string().replace(&format!("\"s3://{}/", bucket(set, region)), "\"s3:///")
    };
    let mut texts = packaged.iter().zip(&regions).map(unbound);
    let first = texts.next();
    if !texts.all(|text| Some(text) == first) {
        bail!(Error::new("`sam package` named the code differently in each region").hint("ship again"));
    }
    let mut template = packaged.swap_remove(0);
    if let Some(version) = secrets {
        template["Resources"]["McpFunction"]["Properties"]["Environment"]["Variables"]["MCP_SECRET_VERSION"] =
            json!(version);
    }
    let home = home(context);
    let mut transformed = aws::ask(context, &home, "transform", json!({ "template": template }))?;
    unbind(&mut transformed["template"], context.app(), &bucket(set, &home.region), &set.code_bucket);
    Ok(transformed["template"].to_string())
}

/// `sam package` into the bucket of a region.
fn package(context: &Context<'_>, set: &StackSet, region: &str) -> Result<Value> {
    let name = format!(".aws-sam/packaged-{region}.json");
    plan::replace(context.build.root, &name, "")?;
    let path = context.build.root.join(&name);
    let bucket = bucket(set, region);
    let package = ["package", "--template-file", TEMPLATE, "--region", region, "--use-json"];
    let cmd = sam(&context.build, region, &package)
        .args(["--s3-bucket", &bucket, "--s3-prefix", context.app(), "--no-progressbar", "--output-template-file"])
        .arg(&path);
    context.run(&cmd).with_context(|| format!("cannot put the code into the bucket `{bucket}`"))?;
    let text = files::read(context.build.root, &name, files::ANY).with_context(|| format!("cannot read `{name}`"))?;
    serde_json::from_str(&text).context("`sam package` wrote no JSON")
}

/// A stack of a set has a name that nobody knows before, and its code in the bucket of its region.
pub fn unbind(value: &mut Value, app: &str, bucket: &str, prefix: &str) {
    match value {
        Value::String(text) if text == bucket => *value = json!({ "Fn::Sub": format!("{prefix}-${{AWS::Region}}") }),
        Value::String(text) => *text = text.replace("${AWS::StackName}", app),
        Value::Object(fields)
            if fields.len() == 1 && fields.get("Ref").is_some_and(|name| name == "AWS::StackName") =>
        {
            *value = json!(app);
        }
        Value::Object(fields) => {
            fields.values_mut().for_each(|value| unbind(value, app, bucket, prefix));
            // Nothing may be left to be put in.
            let plain = fields.get("Fn::Sub").and_then(Value::as_str).filter(|text| !text.contains("${"));
            if let Some(plain) = plain.map(str::to_owned) {
                *value = json!(plain);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|value| unbind(value, app, bucket, prefix)),
        _ => {}
    }
}

/// Takes the whole set away, with every stack that it has, recorded here or not; where those were.
pub fn destroy(context: &Context<'_>, member: &Member) -> Result<Vec<Place>> {
    let home = Place::own(&member.home);
    let request = json!({ "name": context.app(), "delegated_admin": member.delegated_admin });
    let answer = aws::run(context, &home, "destroy_stack_set", request).context("cannot delete the stack set")?;
    let stacks = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let left: Vec<String> =
        stacks("left").iter().map(|stack| format!("{}: {}", named(stack), stack["reason"])).collect();
    if !left.is_empty() {
        bail!("the stack set still has stacks, and stays:\n{}", left.join("\n"));
    }
    let (mut places, role) = (Vec::new(), role_of(context, member));
    for stack in stacks("stacks") {
        let region = stack["region"].as_str().unwrap_or_default();
        match (stack["account"].as_str().filter(|id| answer["own_account"] != *id), &role) {
            (None, _) => places.push(Place::own(region)),
            (Some(id), Some(role)) => {
                let account = Account { id: id.to_owned(), role: role.clone() };
                places.push(Place { region: region.to_owned(), account: Some(account) });
            }
            (Some(_), None) => {
                ui::say(format_args!("the secrets in {} stay: no role of that account is known", named(&stack)))
            }
        }
    }
    Ok(places)
}

/// By which the accounts of the same set are entered.
fn role_of(context: &Context<'_>, member: &Member) -> Option<String> {
    member.role.clone().or_else(|| recorded(context).find_map(|other| other.role.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_bound_to_no_region_and_no_name() {
        let mut template = json!({
            "Code": { "S3Bucket": "acme-code-eu-west-1", "S3Key": "weather/1" },
            "LogGroupName": { "Fn::Sub": "/mcp/${AWS::StackName}" },
            "Name": { "Ref": "AWS::StackName" },
            "Role": { "Ref": "AWS::Region" },
            "List": ["acme-code-eu-west-1", { "Ref": "AWS::StackName" }, "acme-code-eu-west-1-logs", 1],
        });
        unbind(&mut template, "weather", "acme-code-eu-west-1", "acme-code");
        let bucket = json!({ "Fn::Sub": "acme-code-${AWS::Region}" });
        let expected = json!({
            "Code": { "S3Bucket": bucket, "S3Key": "weather/1" },
            "LogGroupName": "/mcp/weather",
            "Name": "weather",
            "Role": { "Ref": "AWS::Region" },
            "List": [bucket, "weather", "acme-code-eu-west-1-logs", 1],
        });
        assert_eq!(template, expected);
    }
}
