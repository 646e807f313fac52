//! CloudFormation's query API.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::http::{Request, Response, lock};
use super::stack::{self, ChangeSet, Event, Stack};
use super::state::{Region, State, now};
use super::template::{self, text};
use super::xml::{answer, around, error, members, tag};
use super::{Shared, stack_sets};

const UNCHANGED: &str =
    "The submitted information didn't contain changes. Submit different information to create a change set.";

pub type Form = BTreeMap<String, String>;

/// `region` as [`super::state::State::region`] knows it.
pub fn handle(shared: &Shared, region: &str, request: &Request) -> Response {
    let form: Form = request.form().into_iter().collect();
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let action = field("Action");
    let outcome = match action {
        "CreateChangeSet" => create_change_set(shared, region, &form),
        "ExecuteChangeSet" => execute(shared, region, &form),
        "DeleteStack" => delete_stack(shared, region, field("StackName")),
        "GetTemplateSummary" => summary(shared, region, &form),
        action if stack_sets::ACTIONS.contains(&action) => stack_sets::handle(shared, region, action, &form),
        "ValidateTemplate" => Ok("<Parameters/>".to_owned()),
        _ => read(lock(&shared.state).region(region), action, &form),
    };
    match outcome {
        Ok(result) => answer(action, &result),
        Err(response) => response,
    }
}

fn read(region: &mut Region, action: &str, form: &Form) -> Result<String, Response> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let name = field("StackName");
    let stack = || region.stack(name).ok_or_else(|| no_stack(name));
    match action {
        "DescribeStacks" if name.is_empty() => Ok(members("Stacks", region.stacks.values().map(stack_xml))),
        "DescribeStacks" => Ok(members("Stacks", [stack_xml(stack()?)])),
        "ListStacks" => Ok(members("StackSummaries", region.stacks.values().map(stack_xml))),
        "DescribeStackEvents" => {
            let stack = stack()?;
            Ok(members("StackEvents", stack.events.iter().map(|event| event_xml(event, stack))))
        }
        "DescribeStackResources" => Ok(members("StackResources", resources_xml(stack()?, field("LogicalResourceId")))),
        "ListStackResources" => Ok(members("StackResourceSummaries", resources_xml(stack()?, ""))),
        "DescribeStackResource" => {
            let resource = resources_xml(stack()?, field("LogicalResourceId")).pop();
            let missing = || error(400, "ValidationError", "Resource does not exist");
            Ok(around("StackResourceDetail", &resource.ok_or_else(missing)?))
        }
        "GetTemplate" if field("TemplateStage") == "Processed" => {
            Ok(tag("TemplateBody", &stack()?.template.to_string()))
        }
        "GetTemplate" => Ok(tag("TemplateBody", &stack()?.source)),
        "DescribeChangeSet" => {
            let change = region.change_set(field("ChangeSetName"), name);
            let missing = || error(404, "ChangeSetNotFound", "ChangeSet does not exist");
            Ok(change_set_xml(change.ok_or_else(missing)?))
        }
        "ListChangeSets" => {
            let stack = stack()?;
            let own = region.change_sets.iter().filter(|change| change.stack == stack.name);
            let summary = |change: &ChangeSet| {
                [
                    tag("ChangeSetName", &change.name),
                    tag("ChangeSetId", &change.id),
                    tag("StackName", &change.stack),
                    tag("Status", &change.status),
                    tag("StatusReason", &change.reason),
                    tag("ExecutionStatus", if change.status == "FAILED" { "UNAVAILABLE" } else { "AVAILABLE" }),
                    tag("CreationTime", &change.created),
                ]
                .concat()
            };
            Ok(members("Summaries", own.map(summary)))
        }
        "DeleteChangeSet" => {
            region.change_sets.retain(|change| change.id != field("ChangeSetName"));
            Ok(String::new())
        }
        _ => Err(error(400, "InvalidAction", &format!("the stand-in does not know the action {action}"))),
    }
}

fn create_change_set(shared: &Shared, region_name: &str, form: &Form) -> Result<String, Response> {
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let (name, stack_name) = (field("ChangeSetName"), field("StackName"));
    let (source, known) = {
        let mut state = lock(&shared.state);
        let region = state.region(region_name);
        (template_text(region, form)?, region.stacks.get(&stack_name).cloned())
    };
    let exists = known.as_ref().is_some_and(|stack| stack.status != "REVIEW_IN_PROGRESS");
    if field("ChangeSetType") == "CREATE" && exists {
        let message =
            format!("Stack [{stack_name}] already exists and cannot be created again with the changeSet [{name}].");
        return Err(error(400, "ValidationError", &message));
    }
    if field("ChangeSetType") == "UPDATE" && !exists {
        return Err(no_stack(&stack_name));
    }
    let before = known.clone().unwrap_or_default();
    let parameters = list(form, "Parameters", &["ParameterKey", "ParameterValue", "UsePreviousValue"])
        .into_iter()
        .map(|[key, value, previous]| {
            let kept = before.parameters.get(&key).cloned().filter(|_| previous == "true");
            (key, kept.unwrap_or(value))
        })
        .collect();
    let tags = tags(form);
    // Without the lock: this takes its time.
    let transformed =
        template::transform(&source, region_name.rsplit('/').next().unwrap_or_default(), &parameters, &shared.tools);
    let mut state = lock(&shared.state);
    let (stack_uuid, change_uuid) = (state.uuid(), state.uuid());
    let region = state.region(region_name);
    let (account, name_of_region) = (region.account.clone(), region.name.clone());
    let arn = |rest: String| format!("arn:aws:cloudformation:{name_of_region}:{account}:{rest}");
    let stack = region.stacks.entry(stack_name.clone()).or_insert_with(|| Stack {
        name: stack_name.clone(),
        id: arn(format!("stack/{stack_name}/{stack_uuid}")),
        status: "REVIEW_IN_PROGRESS".to_owned(),
        created: now(),
        ..Stack::default()
    });
    if stack.events.is_empty() && stack.status == "REVIEW_IN_PROGRESS" {
        note(stack, &change_uuid, None, "REVIEW_IN_PROGRESS", "User Initiated");
    }
    let mut change = ChangeSet {
        id: arn(format!("changeSet/{name}/{change_uuid}")),
        name,
        stack: stack_name,
        source,
        parameters,
        tags,
        created: now(),
        ..ChangeSet::default()
    };
    match transformed {
        Ok(template) => {
            if let Some(missing) = missing_capability(&template, form) {
                return Err(error(
                    400,
                    "InsufficientCapabilitiesException",
                    &format!("Requires capabilities : [{missing}]"),
                ));
            }
            change.template = template;
            change.changes = stack::changes(stack, &change, (&account, &name_of_region));
            let known = change.changes.iter().filter(|(action, ..)| *action != "Add").map(|(_, logical, _)| logical);
            let resource = |template: &Value, logical: &String| template["Resources"][logical].clone();
            let fate = |logical: &String| {
                stack::fate(&resource(&stack.template, logical), &resource(&change.template, logical))
            };
            change.fates = known.map(|logical| (logical.clone(), fate(logical))).collect();
            let unchanged = change.changes.is_empty();
            change.status = if unchanged { "FAILED" } else { "CREATE_COMPLETE" }.to_owned();
            change.reason = if unchanged { UNCHANGED } else { "" }.to_owned();
        }
        Err(reason) => (change.status, change.reason) = ("FAILED".to_owned(), reason),
    }
    let result = tag("Id", &change.id) + &tag("StackId", &stack.id);
    region.change_sets.push(change);
    Ok(result)
}

fn execute(shared: &Shared, region_name: &str, form: &Form) -> Result<String, Response> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let mut state = lock(&shared.state);
    let region = state.region(region_name);
    let change = region.change_set(field("ChangeSetName"), field("StackName")).cloned();
    let change = change.ok_or_else(|| error(404, "ChangeSetNotFound", "ChangeSet does not exist"))?;
    let stack = region.stacks.get(&change.stack).cloned().ok_or_else(|| no_stack(&change.stack))?;
    let _failed = carry_out(shared, &mut state, region_name, stack, &change);
    Ok(String::new())
}

/// Makes a stack what a change set says, or leaves it as it was; the resource that could not be made, and why.
pub fn carry_out(
    shared: &Shared,
    state: &mut State,
    region_name: &str,
    mut stack: Stack,
    change: &ChangeSet,
) -> Result<(), String> {
    let ids: Vec<String> = (0..3).map(|_| state.uuid()).collect();
    let broken = state.break_next;
    let region = state.region(region_name);
    let verb = if stack.status == "REVIEW_IN_PROGRESS" { "CREATE" } else { "UPDATE" };
    note(&mut stack, &ids[0], None, &format!("{verb}_IN_PROGRESS"), "User Initiated");
    if verb == "CREATE" {
        // Whatever becomes of its resources.
        stack.tags.clone_from(&change.tags);
    }
    let before = stack.clone();
    let done = stack::execute(region, &mut stack, change, broken, &shared.surroundings());
    let failed = done
        .as_ref()
        .err()
        .map(|(logical, reason)| format!("ResourceLogicalId:{logical}, ResourceStatusReason:{reason}"));
    match done {
        Ok(()) => {
            for (at, (_, logical, _)) in change.changes.iter().enumerate() {
                note(&mut stack, &format!("{}-{at}", ids[1]), Some(logical), &format!("{verb}_COMPLETE"), "");
            }
            note(&mut stack, &ids[2], None, &format!("{verb}_COMPLETE"), "");
        }
        Err((logical, reason)) => {
            stack = Stack { events: stack.events, ..before };
            note(&mut stack, &ids[1], Some(&logical), &format!("{verb}_FAILED"), &reason);
            stack.events[0].kind = text(&change.template["Resources"][&logical]["Type"]);
            let rolled_back = if verb == "CREATE" { "ROLLBACK_COMPLETE" } else { "UPDATE_ROLLBACK_COMPLETE" };
            note(&mut stack, &ids[2], None, rolled_back, &format!("The following resource(s) failed: [{logical}]."));
        }
    }
    if !stack.template["Resources"]["McpFunction"].is_null() {
        state.break_next = false;
    }
    state.region(region_name).stacks.insert(stack.name.clone(), stack);
    failed.map_or(Ok(()), Err)
}

/// An event, of the stack itself when no resource is named.
fn note(stack: &mut Stack, id: &str, logical: Option<&String>, status: &str, reason: &str) {
    let template = &stack.template;
    let event = match logical {
        Some(logical) => Event {
            kind: text(&template["Resources"][logical]["Type"]),
            physical: stack.resources.get(logical).map(|resource| resource.physical.clone()).unwrap_or_default(),
            resource: logical.clone(),
            ..Event::default()
        },
        None => Event {
            kind: "AWS::CloudFormation::Stack".to_owned(),
            physical: stack.id.clone(),
            resource: stack.name.clone(),
            ..Event::default()
        },
    };
    let event = Event { id: id.to_owned(), status: status.to_owned(), reason: reason.to_owned(), time: now(), ..event };
    if logical.is_none() {
        (stack.status, stack.reason) = (status.to_owned(), reason.to_owned());
    }
    stack.events.insert(0, event);
}

fn delete_stack(shared: &Shared, region_name: &str, name: &str) -> Result<String, Response> {
    take_away(&mut lock(&shared.state), region_name, name);
    Ok(String::new())
}

/// Deletes a stack, if it is there.
pub fn take_away(state: &mut State, region_name: &str, name: &str) {
    let id = state.uuid();
    let region = state.region(region_name);
    let Some(found) = region.stack(name).map(|stack| stack.name.clone()) else {
        return;
    };
    if let Some(mut stack) = region.stacks.remove(&found) {
        let kept = |logical: &str| stack.template["Resources"][logical]["DeletionPolicy"] == "Retain";
        stack
            .resources
            .iter()
            .filter(|(logical, _)| !kept(logical))
            .for_each(|(_, resource)| stack::remove(region, resource));
        note(&mut stack, &id, None, "DELETE_COMPLETE", "");
        region.deleted.push(stack);
    }
}

fn summary(shared: &Shared, region: &str, form: &Form) -> Result<String, Response> {
    let text = {
        let mut state = lock(&shared.state);
        template_text(state.region(region), form)?
    };
    // Parameters alone are asked for.
    Ok(members("Parameters", declared(&text).map(|name| tag("ParameterKey", name))))
}

/// The names in a template's `Parameters`, which are indented by two blanks in a template of ours.
fn declared(template: &str) -> impl Iterator<Item = &str> {
    let section = template.split_once("\nParameters:\n").map_or("", |(_, rest)| rest);
    let lines = section.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    lines.filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':').filter(|name| !name.starts_with(' ')))
}

pub fn template_text(region: &Region, form: &Form) -> Result<String, Response> {
    if let Some(body) = form.get("TemplateBody") {
        return Ok(body.clone());
    }
    if let Some(url) = form.get("TemplateURL") {
        let path =
            url.split("://").nth(1).and_then(|rest| rest.split_once('/')).map(|(_, path)| path).unwrap_or_default();
        let (bucket, key) = path.split_once('/').unwrap_or_default();
        let key = key.split('?').next().unwrap_or_default();
        let object = region.buckets.get(bucket).and_then(|objects| objects.get(key));
        let missing = || error(400, "ValidationError", &format!("S3 error: The specified key does not exist: {path}"));
        return object.map(|bytes| String::from_utf8_lossy(bytes).into_owned()).ok_or_else(missing);
    }
    let name = form.get("StackName").map(String::as_str).unwrap_or_default();
    region.stack(name).map(|stack| stack.source.clone()).ok_or_else(|| no_stack(name))
}

pub fn missing_capability(template: &Value, form: &Form) -> Option<&'static str> {
    let given = |name: &str| form.iter().any(|(key, value)| key.starts_with("Capabilities.") && value == name);
    let mut resources = template["Resources"].as_object()?.values();
    let makes_roles = resources.any(|resource| text(&resource["Type"]).starts_with("AWS::IAM::"));
    (makes_roles && !given("CAPABILITY_IAM") && !given("CAPABILITY_NAMED_IAM")).then_some("CAPABILITY_IAM")
}

/// `NAME.member.1.FIELD`, `NAME.member.2.FIELD` …
fn list<const N: usize>(form: &Form, name: &str, fields: &[&str; N]) -> Vec<[String; N]> {
    let field = |at: usize, field: &str| form.get(&format!("{name}.member.{at}.{field}")).cloned();
    (1..)
        .take_while(|at| field(*at, fields[0]).is_some())
        .map(|at| fields.map(|name| field(at, name).unwrap_or_default()))
        .collect()
}

pub fn tags(form: &Form) -> Vec<(String, String)> {
    list(form, "Tags", &["Key", "Value"]).into_iter().map(|[key, value]| (key, value)).collect()
}

fn no_stack(name: &str) -> Response {
    error(400, "ValidationError", &format!("Stack with id {name} does not exist"))
}

fn stack_xml(stack: &Stack) -> String {
    let outputs = stack.outputs.iter().map(|output| {
        let description = (!output.description.is_empty()).then(|| tag("Description", &output.description));
        tag("OutputKey", &output.key) + &tag("OutputValue", &output.value) + &description.unwrap_or_default()
    });
    let parameters = stack.parameters.iter();
    let parameters = parameters.map(|(key, value)| tag("ParameterKey", key) + &tag("ParameterValue", value));
    let tags = stack.tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value));
    [
        tag("StackName", &stack.name),
        tag("StackId", &stack.id),
        tag("StackStatus", &stack.status),
        tag("StackStatusReason", &stack.reason),
        tag("Description", stack.template["Description"].as_str().unwrap_or_default()),
        tag("CreationTime", &stack.created),
        tag("DisableRollback", "false"),
        tag("EnableTerminationProtection", "false"),
        members("Outputs", outputs),
        members("Parameters", parameters),
        members("Tags", tags),
        members("Capabilities", ["CAPABILITY_IAM".to_owned()]),
    ]
    .concat()
}

fn event_xml(event: &Event, stack: &Stack) -> String {
    [
        tag("EventId", &event.id),
        tag("StackId", &stack.id),
        tag("StackName", &stack.name),
        tag("LogicalResourceId", &event.resource),
        tag("PhysicalResourceId", &event.physical),
        tag("ResourceType", &event.kind),
        tag("ResourceStatus", &event.status),
        tag("ResourceStatusReason", &event.reason),
        tag("Timestamp", &event.time),
    ]
    .concat()
}

fn resources_xml(stack: &Stack, only: &str) -> Vec<String> {
    let wanted = stack.resources.iter().filter(|(logical, _)| only.is_empty() || *logical == only);
    wanted
        .map(|(logical, resource)| {
            [
                tag("StackId", &stack.id),
                tag("StackName", &stack.name),
                tag("LogicalResourceId", logical),
                tag("PhysicalResourceId", &resource.physical),
                tag("ResourceType", &resource.kind),
                tag("ResourceStatus", "CREATE_COMPLETE"),
                tag("LastUpdatedTimestamp", &stack.created),
                tag("Timestamp", &stack.created),
            ]
            .concat()
        })
        .collect()
}

fn change_set_xml(change: &ChangeSet) -> String {
    let fates = &change.fates;
    let changes = change.changes.iter().map(|(action, logical, kind)| {
        let change = [tag("Action", action), tag("LogicalResourceId", logical), tag("ResourceType", kind)].concat();
        let fate = fates.get(logical);
        let replacement = fate.filter(|(replacement, _)| !replacement.is_empty());
        let replacement = replacement.map(|(replacement, _)| tag("Replacement", replacement)).unwrap_or_default();
        let policy = fate.filter(|(_, policy)| !policy.is_empty());
        let policy = policy.map(|(_, policy)| tag("PolicyAction", policy)).unwrap_or_default();
        tag("Type", "Resource") + &around("ResourceChange", &(change + &replacement + &policy))
    });
    [
        tag("ChangeSetName", &change.name),
        tag("ChangeSetId", &change.id),
        tag("StackName", &change.stack),
        tag("Status", &change.status),
        tag("StatusReason", &change.reason),
        tag("ExecutionStatus", if change.status == "FAILED" { "UNAVAILABLE" } else { "AVAILABLE" }),
        members("Changes", changes),
        members("Tags", change.tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value))),
    ]
    .concat()
}
