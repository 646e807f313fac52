//! CloudFormation StackSets: one template, and a stack of it in each of some regions of some accounts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::http::{Response, lock};
use super::cloudformation::{Form, carry_out, missing_capability, tags, take_away, template_text};
use super::stack::{ChangeSet, Stack};
use super::state::{State, now};
use super::xml::{around, error, members as xml_members, tag};
use super::{ACCOUNT, Shared};

pub const ACTIONS: [&str; 8] = [
    "CreateStackSet",
    "DescribeStackSet",
    "UpdateStackSet",
    "DeleteStackSet",
    "CreateStackInstances",
    "DeleteStackInstances",
    "ListStackInstances",
    "DescribeStackSetOperation",
];

/// So few that there is a second page.
const PAGE: usize = 2;

#[derive(Default)]
pub struct StackSet {
    pub source: String,
    template: Value,
    pub description: String,
    pub tags: Vec<(String, String)>,
    service_managed: bool,
    pub members: Vec<Member>,
    /// Whether each was seen running.
    operations: BTreeMap<String, bool>,
}

#[derive(Clone)]
pub struct Member {
    account: String,
    region: String,
    unit: String,
    /// The stack's name and ARN.
    stack: (String, String),
    /// Why it is not what the template says.
    fault: Option<String>,
    /// The operation that touched it last, and whether the set was changed since then.
    operation: String,
    is_outdated: bool,
}

impl Member {
    pub fn triple(&self) -> (String, String, String) {
        (self.account.clone(), self.region.clone(), self.stack.0.clone())
    }
}

pub fn handle(shared: &Shared, home: &str, action: &str, form: &Form) -> Result<String, Response> {
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let name = field("StackSetName");
    let mut state = lock(&shared.state);
    let missing = || error(404, "StackSetNotFoundException", &format!("StackSet {name} not found"));
    if action == "CreateStackSet" {
        if state.region(home).stack_sets.contains_key(name) {
            return Err(error(409, "NameAlreadyExistsException", "The specified name is already in use."));
        }
        let set = described(&mut state, home, form)?;
        state.region(home).stack_sets.insert(name.to_owned(), set);
        return Ok(tag("StackSetId", &format!("{name}:0")));
    }
    let set = state.region(home).stack_sets.get_mut(name).ok_or_else(missing)?;
    let service_managed = set.service_managed;
    if service_managed && state.organization.management != ACCOUNT && field("CallAs") != "DELEGATED_ADMIN" {
        let message = "You must be the management account or delegated admin account of an organization before operating a SERVICE_MANAGED stack set";
        return Err(error(400, "ValidationError", message));
    }
    let operation = state.uuid();
    match action {
        "DescribeStackSet" => {
            let set = &state.region(home).stack_sets[name];
            let tags = set.tags.iter().map(|(key, value)| tag("Key", key) + &tag("Value", value));
            let known = [
                tag("StackSetName", name),
                tag("Status", "ACTIVE"),
                tag("Description", &set.description),
                xml_members("Tags", tags),
            ];
            return Ok(around("StackSet", &known.concat()));
        }
        "DescribeStackSetOperation" => {
            let set = state.region(home).stack_sets.get_mut(name).ok_or_else(missing)?;
            let seen = set.operations.insert(field("OperationId").to_owned(), true);
            let seen = seen.ok_or_else(|| error(404, "OperationNotFoundException", "no such operation"))?;
            let status = match set.members.iter().any(|member| member.fault.is_some()) {
                _ if !seen => "RUNNING",
                true => "FAILED",
                false => "SUCCEEDED",
            };
            return Ok(around("StackSetOperation", &tag("Status", status)));
        }
        "ListStackInstances" => return Ok(list(&state.region(home).stack_sets[name].members, field("NextToken"))),
        "DeleteStackSet" if state.region(home).stack_sets[name].members.is_empty() => {
            state.region(home).stack_sets.remove(name);
            return Ok(String::new());
        }
        "DeleteStackSet" => return Err(error(409, "StackSetNotEmptyException", "StackSet is not empty")),
        "UpdateStackSet" => {
            let fresh = described(&mut state, home, form)?;
            let set = state.region(home).stack_sets.get_mut(name).ok_or_else(missing)?;
            (set.source, set.template, set.description) = (fresh.source, fresh.template, fresh.description);
            // Without any, they stay.
            if !fresh.tags.is_empty() {
                set.tags = fresh.tags;
            }
            let asked = targets(form, service_managed)?;
            let is_asked = |member: &Member| {
                asked.iter().any(|(account, _, region)| *account == member.account && *region == member.region)
            };
            let (members, others) = std::mem::take(&mut set.members).into_iter().partition::<Vec<_>, _>(is_asked);
            set.members = others.into_iter().map(|member| Member { is_outdated: true, ..member }).collect();
            for member in members {
                let member = Member { operation: operation.clone(), is_outdated: false, ..member };
                deploy(shared, &mut state, home, name, member);
            }
        }
        "CreateStackInstances" => {
            for (account, unit, region) in targets(form, service_managed)? {
                let name_of_stack = format!("StackSet-{name}-{}", state.uuid());
                let id = format!("arn:aws:cloudformation:{region}:{account}:stack/{name_of_stack}/{}", state.uuid());
                let stack = (name_of_stack, id);
                let operation = operation.clone();
                let member = Member { account, region, unit, stack, fault: None, operation, is_outdated: false };
                deploy(shared, &mut state, home, name, member);
            }
        }
        _ => {
            for (account, _, region) in targets(form, service_managed)? {
                let set = state.region(home).stack_sets.get_mut(name).ok_or_else(missing)?;
                let is_meant = |member: &Member| member.account == account && member.region == region;
                let gone = set.members.iter().position(is_meant).map(|at| set.members.remove(at));
                if let Some(member) = gone {
                    take_away(&mut state, &State::place(&account, &region), &member.stack.0);
                }
            }
        }
    }
    let set = state.region(home).stack_sets.get_mut(name).ok_or_else(missing)?;
    set.operations.insert(operation.clone(), false);
    Ok(tag("OperationId", &operation))
}

/// A stack set as a request describes it.
fn described(state: &mut State, home: &str, form: &Form) -> Result<StackSet, Response> {
    let source = template_text(state.region(home), form)?;
    let template: Value =
        serde_json::from_str(&source).map_err(|_| error(400, "ValidationError", "Template format error"))?;
    let service_managed = form.get("PermissionModel").is_some_and(|model| model == "SERVICE_MANAGED");
    if !template["Transform"].is_null() {
        let message =
            "stack sets with service-managed permissions take no macros, and others with CAPABILITY_AUTO_EXPAND only";
        return Err(error(400, "ValidationError", message));
    }
    if let Some(missing) = missing_capability(&template, form) {
        let message = format!("Requires capabilities : [{missing}]");
        return Err(error(400, "InsufficientCapabilitiesException", &message));
    }
    let tags = tags(form);
    let description = form.get("Description").cloned().unwrap_or_default();
    Ok(StackSet { source, template, service_managed, description, tags, ..StackSet::default() })
}

/// Account, unit and region of every stack that a request means.
fn targets(form: &Form, service_managed: bool) -> Result<Vec<(String, String, String)>, Response> {
    let list = |name: &str| -> Vec<String> {
        (1..).map_while(|at| form.get(&format!("{name}.member.{at}")).cloned()).collect()
    };
    let units = list("DeploymentTargets.OrganizationalUnitIds");
    let accounts = if service_managed { list("DeploymentTargets.Accounts") } else { list("Accounts") };
    if service_managed == units.is_empty() || accounts.is_empty() {
        return Err(error(400, "ValidationError", "the deployment targets do not fit the permission model"));
    }
    let unit = units.join(",");
    let regions = list("Regions");
    let of_account = |account: &String| {
        let (account, unit) = (account.clone(), unit.clone());
        regions.iter().map(move |region| (account.clone(), unit.clone(), region.clone())).collect::<Vec<_>>()
    };
    Ok(accounts.iter().flat_map(of_account).collect())
}

/// Brings one stack to the set's template, and keeps what became of it.
fn deploy(shared: &Shared, state: &mut State, home: &str, set: &str, mut member: Member) {
    let place = State::place(&member.account, &member.region);
    let known = member.account == ACCOUNT || state.organization.roles.contains_key(&member.account);
    // Policies of buckets are taken for granted: the accounts may read what lies in those of the one that ships.
    let buckets = state.region(&member.region).buckets.clone();
    let template = state.region(home).stack_sets[set].template.clone();
    let region = state.region(&place);
    region.buckets = buckets;
    let stack = region.stacks.get(&member.stack.0).filter(|stack| !stack.resources.is_empty()).cloned();
    let stack = stack.unwrap_or_else(|| Stack {
        name: member.stack.0.clone(),
        id: member.stack.1.clone(),
        status: "REVIEW_IN_PROGRESS".to_owned(),
        created: now(),
        ..Stack::default()
    });
    let tags = state.region(home).stack_sets[set].tags.clone();
    let change = ChangeSet { stack: stack.name.clone(), template, tags, ..ChangeSet::default() };
    member.fault = if known {
        carry_out(shared, state, &place, stack, &change).err()
    } else {
        let role = "AWSCloudFormationStackSetExecutionRole";
        Some(format!("Account {} should have '{role}' role with trust relationship", member.account))
    };
    if let Some(set) = state.region(home).stack_sets.get_mut(set) {
        set.members.push(member);
    }
}

fn list(all: &[Member], from: &str) -> String {
    let from: usize = from.parse().unwrap_or_default();
    let page = all.iter().skip(from).take(PAGE).map(|member| {
        let optional = |name: &str, value: &str| if value.is_empty() { String::new() } else { tag(name, value) };
        [
            tag("Account", &member.account),
            tag("Region", &member.region),
            tag("StackId", &member.stack.1),
            optional("OrganizationalUnitId", &member.unit),
            tag("Status", if member.fault.is_some() || member.is_outdated { "OUTDATED" } else { "CURRENT" }),
            around(
                "StackInstanceStatus",
                &tag("DetailedStatus", if member.fault.is_some() { "FAILED" } else { "SUCCEEDED" }),
            ),
            tag("LastOperationId", &member.operation),
            optional("StatusReason", member.fault.as_deref().unwrap_or_default()),
        ]
        .concat()
    });
    let next = if from + PAGE < all.len() { tag("NextToken", &(from + PAGE).to_string()) } else { String::new() };
    xml_members("Summaries", page) + &next
}
