//! AWS as far as `sam` and the AWS SDKs call it: S3, CloudFormation with the SAM transform, Lambda, CloudWatch Logs,
//! Secrets Manager, Systems Manager, STS and Organizations, in any number of regions side by side, and of accounts that
//! stack sets deploy to.
//!
//! A function runs behind the real Lambda Web Adapter, at a Function URL on 127.0.0.1 that stays the same from version
//! to version, or behind a REST API, at its public names, which are published at the edge: the API's own, and a custom
//! domain that a record in Route 53 leads to. Who may call what is checked for public URLs, for API Gateway and for
//! secrets that a function reads, and for nothing else. Throttling, firewall rules, certificates and health checks are
//! taken for granted.

mod auth;
mod cloudformation;
mod function;
mod gateway;
mod lambda;
pub mod models;
mod organizations;
mod s3;
mod stack;
mod stack_sets;
mod state;
mod targets;
mod template;
mod xml;

use std::sync::{Arc, Mutex, OnceLock};

use mcp_deploy::toolchain::Toolchain;

use super::api::{Api, Cloud, Fault};
use super::edge::Hosts;
use super::http::{Reply, Request, Response, lock};
use super::site::Outage;
use auth::Caller;
use function::Surroundings;
use state::State;

pub const ACCOUNT: &str = "123456789012";
pub const KEY: &str = "AKIATESTSTESTSTESTS1";
pub const SECRET_KEY: &str = "the-secret-key-of-the-tests";

pub struct Aws {
    api: Api,
    shared: Arc<Shared>,
}

struct Shared {
    tools: Toolchain,
    state: Mutex<State>,
    outage: Arc<Mutex<Outage>>,
    hosts: Hosts,
    endpoint: OnceLock<String>,
}

impl Aws {
    /// `tools` must have been resolved for `lambda`, the adapter included. Public names are published at `hosts`.
    pub fn start(tools: &Toolchain, hosts: &Hosts) -> Self {
        let shared = Arc::new(Shared {
            tools: tools.clone(),
            state: Mutex::default(),
            outage: Arc::default(),
            hosts: hosts.clone(),
            endpoint: OnceLock::new(),
        });
        let api = Api::start(Arc::clone(&shared) as Arc<dyn Cloud>);
        let _first = shared.endpoint.set(api.url());
        Aws { api, shared }
    }

    /// What `sam` and the SDKs need to come here instead, and not to the developer's own account.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.api.url()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_KEY.to_owned()),
            ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("SAM_CLI_POLL_DELAY", "0.2".to_owned()),
        ]
    }

    pub fn fail(&self, fault: Fault) {
        self.api.fail(fault);
    }

    pub fn heal(&self) {
        self.api.heal();
        self.outage(Outage::None);
    }

    /// What goes wrong at all function URLs.
    pub fn outage(&self, outage: Outage) {
        *lock(&self.shared.outage) = outage;
    }

    /// The next deployed version fails at every request.
    pub fn break_next_version(&self) {
        lock(&self.shared.state).break_next = true;
    }

    /// No version fails any more.
    pub fn mend_versions(&self) {
        let surroundings = self.shared.surroundings();
        for region in lock(&self.shared.state).regions.values_mut() {
            for function in region.functions.values_mut() {
                function.versions.values_mut().for_each(|config| config.broken = false);
                function.refresh(&surroundings);
            }
        }
    }

    /// Somebody else points the alias to a version.
    pub fn serve(&self, region: &str, function: &str, version: u32) {
        let surroundings = self.shared.surroundings();
        let mut state = lock(&self.shared.state);
        let function = state.region(region).functions.get_mut(function).expect("a function");
        function.aliases.insert("live".to_owned(), version);
        function.refresh(&surroundings);
    }

    /// The next change set cannot make this resource: the stack rolls back.
    pub fn refuse_resource(&self, region: &str, logical_id: &str, reason: &str) {
        lock(&self.shared.state).region(region).refuse.insert(logical_id.to_owned(), reason.to_owned());
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    pub fn requests(&self) -> Vec<Request> {
        self.api.requests()
    }

    pub fn secret(&self, region: &str, name: &str) -> Option<String> {
        lock(&self.shared.state).region(region).secrets.get(name).filter(|secret| !secret.deleted)?.value.clone()
    }

    pub fn parameter(&self, region: &str, name: &str) -> Option<String> {
        lock(&self.shared.state).region(region).parameters.get(name).cloned()
    }

    pub fn output(&self, region: &str, stack: &str, key: &str) -> Option<String> {
        let mut state = lock(&self.shared.state);
        let outputs = &state.region(region).stacks.get(stack)?.outputs;
        outputs.iter().find(|output| output.key == key).map(|output| output.value.clone())
    }

    /// For code that a stack set deploys.
    pub fn make_bucket(&self, region: &str, name: &str) {
        lock(&self.shared.state).region(region).buckets.entry(name.to_owned()).or_default();
    }

    /// Accounts of organizational units, each of which lets the one that ships in by `role`.
    pub fn organize(&self, management: &str, role: &str, units: &[(&str, &[&str])]) {
        let mut state = lock(&self.shared.state);
        let organization = &mut state.organization;
        management.clone_into(&mut organization.management);
        for (unit, accounts) in units {
            let accounts: Vec<String> = accounts.iter().map(|account| (*account).to_owned()).collect();
            organization.roles.extend(accounts.iter().map(|account| (account.clone(), role.to_owned())));
            organization.units.insert((*unit).to_owned(), accounts);
        }
    }

    /// The stacks of a stack set that was made in a region: account, region and name.
    pub fn members(&self, region: &str, set: &str) -> Vec<(String, String, String)> {
        let mut state = lock(&self.shared.state);
        let set = state.region(region).stack_sets.get(set);
        set.into_iter().flat_map(|set| &set.members).map(stack_sets::Member::triple).collect()
    }

    /// The template of a stack set that was made in a region.
    pub fn stack_set_template(&self, region: &str, set: &str) -> Option<String> {
        lock(&self.shared.state).region(region).stack_sets.get(set).map(|set| set.source.clone())
    }

    /// Another team's stack: a table of theirs is in it, and their tag on it.
    pub fn make_stack(&self, region: &str, name: &str) {
        let resource = |kind: &str, physical: String| {
            (kind.to_owned(), stack::Resource { kind: kind.to_owned(), physical, ..Default::default() })
        };
        let table = resource("AWS::DynamoDB::Table", format!("{name}-orders"));
        let stack = stack::Stack {
            name: name.to_owned(),
            id: format!("arn:aws:cloudformation:{region}:{ACCOUNT}:stack/{name}/00000000-0000-4000-8000-000000000000"),
            status: "CREATE_COMPLETE".to_owned(),
            created: state::now(),
            tags: vec![("team".to_owned(), "billing".to_owned())],
            template: serde_json::json!({ "Resources": { "Orders": { "Type": table.0 } } }),
            resources: [("Orders".to_owned(), table.1)].into(),
            ..Default::default()
        };
        lock(&self.shared.state).region(region).stacks.insert(name.to_owned(), stack);
    }

    /// A stack has nothing in it.
    pub fn empty_stack(&self, region: &str, name: &str) {
        if let Some(stack) = lock(&self.shared.state).region(region).stacks.get_mut(name) {
            stack.template = serde_json::json!({ "Resources": {} });
            stack.resources.clear();
        }
    }

    pub fn put_tag(&self, region: &str, name: &str, key: &str, value: &str) {
        if let Some(stack) = lock(&self.shared.state).region(region).stacks.get_mut(name) {
            stack.tags.retain(|(known, _)| known != key);
            stack.tags.push((key.to_owned(), value.to_owned()));
        }
    }

    /// The physical name of a resource of a stack.
    pub fn resource(&self, region: &str, stack: &str, logical: &str) -> Option<String> {
        let mut state = lock(&self.shared.state);
        Some(state.region(region).stacks.get(stack)?.resources.get(logical)?.physical.clone())
    }

    /// Change sets that could still be carried out.
    pub fn open_change_sets(&self, region: &str, stack: &str) -> usize {
        let mut state = lock(&self.shared.state);
        let all = &state.region(region).change_sets;
        all.iter().filter(|change| change.stack == stack && change.status != "FAILED").count()
    }

    /// Changes a stack behind everybody's back.
    pub fn set_status(&self, region: &str, name: &str, status: &str) {
        if let Some(stack) = lock(&self.shared.state).region(region).stacks.get_mut(name) {
            status.clone_into(&mut stack.status);
        }
    }

    /// Somebody's stack set, with their tag on it.
    pub fn make_stack_set(&self, region: &str, name: &str) {
        let mut set = stack_sets::StackSet::default();
        set.description = "Baseline of every account".to_owned();
        set.tags = vec![("team".to_owned(), "security".to_owned())];
        lock(&self.shared.state).region(region).stack_sets.insert(name.to_owned(), set);
    }

    /// Somebody's secret.
    pub fn make_secret(&self, region: &str, name: &str, value: &str) {
        let arn = format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{name}-AbCdEf");
        let mut secret = state::Secret::new(arn, Some(value.to_owned()));
        secret.tags.insert("team".to_owned(), "billing".to_owned());
        lock(&self.shared.state).region(region).secrets.insert(name.to_owned(), secret);
    }

    /// As 0.1.0 left them: takes the mark off a stack, a stack set and the secrets.
    pub fn take_marks(&self, region: &str, name: &str) {
        let is_mark = |key: &str| key.starts_with("mcp-deploy:");
        let mut state = lock(&self.shared.state);
        let region = state.region(region);
        if let Some(stack) = region.stacks.get_mut(name) {
            stack.tags.retain(|(key, _)| !is_mark(key));
        }
        region.secrets.values_mut().for_each(|secret| secret.tags.retain(|key, _| !is_mark(key)));
    }

    pub fn tag(&self, region: &str, stack: &str, key: &str) -> Option<String> {
        let mut state = lock(&self.shared.state);
        let stack = state.region(region).stacks.get(stack)?;
        stack.tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    pub fn stack_set_tag(&self, region: &str, set: &str, key: &str) -> Option<String> {
        let mut state = lock(&self.shared.state);
        let set = state.region(region).stack_sets.get(set)?;
        set.tags.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    pub fn secret_tag(&self, region: &str, secret: &str, key: &str) -> Option<String> {
        lock(&self.shared.state).region(region).secrets.get(secret)?.tags.get(key).cloned()
    }

    /// All there is of stacks, stack sets and secrets in a region, to be compared.
    pub fn snapshot(&self, region: &str) -> String {
        let mut state = lock(&self.shared.state);
        let region = state.region(region);
        let sets: Vec<_> = region.stack_sets.iter().map(|(name, set)| (name, &set.source, &set.tags)).collect();
        format!("{:#?}\n{sets:#?}\n{:#?}\n{:#?}", region.stacks, region.secrets, region.change_sets.len())
    }

    pub fn take_stack(&self, region: &str, name: &str) {
        lock(&self.shared.state).region(region).stacks.remove(name);
    }

    /// The version that the alias serves of a stack in any account.
    pub fn version_in(&self, account: &str, region: &str, stack: &str) -> Option<u32> {
        let mut state = lock(&self.shared.state);
        let region = state.region(&State::place(account, region));
        let outputs = &region.stacks.get(stack)?.outputs;
        let function = outputs.iter().find(|output| output.key == "FunctionName")?;
        region.functions.get(&function.value)?.aliases.get("live").copied()
    }

    pub fn status(&self, region: &str, stack: &str) -> Option<String> {
        lock(&self.shared.state).region(region).stacks.get(stack).map(|stack| stack.status.clone())
    }

    /// The version that an alias of a function points to, and all there are.
    pub fn versions(&self, region: &str, function: &str) -> Option<(u32, Vec<u32>)> {
        let mut state = lock(&self.shared.state);
        let function = state.region(region).functions.get(function)?;
        Some((*function.aliases.get("live")?, function.versions.keys().copied().collect()))
    }
}

impl Shared {
    fn surroundings(&self) -> Surroundings<'_> {
        let endpoint = self.endpoint.get().map(String::as_str).unwrap_or_default();
        Surroundings { tools: &self.tools, endpoint, outage: &self.outage, hosts: &self.hosts }
    }

    /// Whose key it is: of the account's people, of one of its functions, or of whoever entered another account.
    fn account_of(&self, key: &str) -> Option<String> {
        let state = lock(&self.state);
        let entered =
            key.strip_prefix(organizations::ENTERED).filter(|account| state.organization.roles.contains_key(*account));
        let function = || {
            let mut regions = state.regions.values();
            regions
                .find(|region| region.functions.values().any(|function| function.key() == key))
                .map(|region| region.account.as_str())
        };
        Some(if key == KEY { ACCOUNT } else { entered.or_else(function)? }.to_owned())
    }
}

impl Cloud for Shared {
    fn answer(&self, request: &Request) -> Reply {
        let Some(caller) = Caller::of(request) else {
            return xml::error(403, "MissingAuthenticationToken", "Request is missing Authentication Token").into();
        };
        let Some(account) = self.account_of(&caller.key) else {
            return refuse(&caller, 403).into();
        };
        let region = State::place(&account, &caller.region);
        let region = region.as_str();
        match caller.service.as_str() {
            "s3" => s3::answer(lock(&self.state).region(region), request),
            "cloudformation" => cloudformation::handle(self, region, request),
            "lambda" => lambda::handle(self, region, request),
            "logs" | "secretsmanager" | "ssm" => targets::handle(self, region, &caller, request),
            "sts" => organizations::identity(&lock(&self.state).organization, &account, request),
            "organizations" => organizations::handle(&lock(&self.state).organization, request),
            service => xml::error(400, "InvalidAction", &format!("the stand-in does not know the service {service}")),
        }
        .into()
    }

    fn error(&self, request: &Request, status: u16) -> Response {
        let is_s3 = Caller::of(request).is_some_and(|caller| caller.service == "s3");
        match status {
            401 | 403 if is_s3 => s3::error(403, "AccessDenied", "Access Denied"),
            429 if is_s3 => s3::error(503, "SlowDown", "Please reduce your request rate."),
            status if is_s3 => {
                s3::error(status, "InternalError", "We encountered an internal error. Please try again.")
            }
            401 | 403 => {
                xml::error(403, "InvalidClientTokenId", "The security token included in the request is invalid.")
            }
            429 => xml::error(400, "Throttling", "Rate exceeded"),
            status => {
                xml::error(status, "InternalFailure", "The request processing has failed because of an unknown error.")
            }
        }
    }
}

/// A key that nobody has.
fn refuse(caller: &Caller, status: u16) -> Response {
    let message = "The security token included in the request is invalid.";
    match caller.service.as_str() {
        "s3" => {
            s3::error(status, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
        "cloudformation" | "sts" => xml::error(status, "InvalidClientTokenId", message),
        _ => {
            Response::json(status, &serde_json::json!({ "__type": "UnrecognizedClientException", "message": message }))
                .with("x-amzn-errortype", "UnrecognizedClientException")
        }
    }
}
