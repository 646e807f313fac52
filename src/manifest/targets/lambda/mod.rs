//! `[targets.lambda]`: the function, what stands in front of it, and where it is deployed to.

mod front;
pub mod policies;
mod regions;
mod stack_set;

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::overrides::{Kept, Relied, overrides};
use super::{CloudLimits, Facts, Format, stores};
use crate::manifest::json_schema::{closed, text};
use crate::manifest::reader::Fields;
use crate::manifest::sections::span_at_root;
use crate::manifest::{Manifest, names};

/// The longest that a function may run.
pub const LONGEST: Duration = Duration::from_secs(900);

pub static FACTS: Facts = Facts {
    name: "lambda",
    title: "AWS Lambda",
    limits: CloudLimits { timeout: Some(LONGEST), body: 6 << 20, result: 200_000_000, rate_windows: &[] },
    file: "template.yaml",
    format: Format::Yaml,
    outputs: &["samconfig.toml", "template.yaml"],
    leftovers: &[".aws-sam"],
    store: |_| &stores::DYNAMODB,
    reserved: &[("AWS_", "AWS Lambda"), ("LAMBDA_", "AWS Lambda")],
    unasked: true,
    chosen: |targets| targets.lambda.is_some(),
    domains: |targets| targets.lambda.iter().filter_map(|lambda| Some(&lambda.front.domain()?.name)).collect(),
    overrides: |targets| targets.lambda.as_ref().map(|lambda| &lambda.overrides),
    read: |fields, targets| targets.lambda = Some(lambda(fields, targets.lambda.take().unwrap_or_default())),
    disinherit: |targets| targets.lambda = targets.lambda.take().map(Lambda::without_domain),
    check: |root, manifest| {
        function_memory(root, manifest);
        state_of_regions(root, manifest);
        front::login_at_the_root(root, manifest, |pointer| span_at_root(root, pointer));
    },
    schema,
};

#[derive(Debug, Clone)]
pub struct Lambda {
    pub regions: Vec<String>,
    /// Megabytes.
    pub memory: u64,
    /// `arm64` or `x86_64`.
    pub architecture: String,
    /// Environments kept warm behind the alias.
    pub provisioned_concurrency: Option<u64>,
    /// The most that run at once: the cheapest guard of a public URL.
    pub reserved_concurrency: Option<u64>,
    pub log_retention_days: u64,
    /// X-Ray.
    pub tracing: bool,
    /// SAM policy templates.
    pub policies: Vec<Value>,
    pub vpc: Option<Vpc>,
    pub front: Front,
    /// None: a stack in each region.
    pub stack_set: Option<StackSet>,
    /// Merged into `template.yaml`.
    pub overrides: Map<String, Value>,
}

/// What clients reach first.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Front {
    #[default]
    FunctionUrl,
    ApiGateway(Gateway),
}

/// A REST API of API Gateway, and what only that can do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gateway {
    pub throttle: Option<Throttle>,
    /// Requests of one address in five minutes.
    pub waf_rate_limit: Option<u64>,
    pub domain: Option<Domain>,
}

/// The stage in the path of the API's own address; like the alias, the same in every deployment.
pub const GATEWAY_STAGE: &str = "live";

/// Of all callers together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Throttle {
    /// Requests a second.
    pub rate: u64,
    pub burst: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Domain {
    pub name: String,
    /// Route 53's; the records, and a certificate where none is named, are made in it.
    pub hosted_zone: Option<String>,
    /// Region and ARN; none: one is made in each region.
    pub certificates: Vec<(String, String)>,
}

impl Front {
    pub fn gateway(&self) -> Option<&Gateway> {
        match self {
            Front::FunctionUrl => None,
            Front::ApiGateway(gateway) => Some(gateway),
        }
    }

    pub fn domain(&self) -> Option<&Domain> {
        self.gateway()?.domain.as_ref()
    }

    /// An API at its own address, which has a stage in its path.
    pub fn is_bare_gateway(&self) -> bool {
        self.gateway().is_some_and(|gateway| gateway.domain.is_none())
    }
}

impl Lambda {
    fn without_domain(mut self) -> Self {
        if let Front::ApiGateway(gateway) = &mut self.front {
            gateway.domain = None;
        }
        self
    }
}

/// One CloudFormation StackSet that deploys to every region, and to accounts.
#[derive(Debug, Clone, PartialEq)]
pub struct StackSet {
    /// The code lies in buckets of this name, `-` and the region.
    pub code_bucket: String,
    pub accounts: Accounts,
}

/// Where a stack set deploys to, and with whose permissions.
#[derive(Debug, Clone, PartialEq)]
pub enum Accounts {
    /// The account that ships; self-managed permissions.
    Own,
    /// Self-managed permissions; `role` is assumed in each account for secrets and addresses.
    Listed { ids: Vec<String>, role: String },
    /// Every account of organizational units; service-managed permissions.
    Units { ids: Vec<String>, role: String, delegated_admin: bool },
}

impl Accounts {
    /// Empty unless an organization's permissions are used.
    pub fn units(&self) -> &[String] {
        if let Accounts::Units { ids, .. } = self { ids } else { &[] }
    }

    pub fn by_delegated_admin(&self) -> bool {
        matches!(self, Accounts::Units { delegated_admin: true, .. })
    }
}

impl StackSet {
    pub fn has_other_accounts(&self) -> bool {
        self.accounts != Accounts::Own
    }
}

/// `vpc = { subnets, security_groups }`: the function runs inside a network of the account.
#[derive(Debug, Clone, Serialize)]
pub struct Vpc {
    pub subnets: Vec<String>,
    pub security_groups: Vec<String>,
}

impl Default for Lambda {
    fn default() -> Self {
        Lambda {
            regions: vec!["us-east-1".into()],
            memory: 1024,
            architecture: "arm64".into(),
            provisioned_concurrency: None,
            reserved_concurrency: None,
            log_retention_days: 30,
            tracing: false,
            policies: Vec::new(),
            vpc: None,
            front: Front::default(),
            stack_set: None,
            overrides: Map::new(),
        }
    }
}

fn lambda(fields: &Fields<'_, '_>, base: Lambda) -> Lambda {
    let regions = regions::aws(fields);
    let lambda = Lambda {
        regions: if regions.is_empty() { base.regions } else { regions },
        memory: fields.integer("memory", 128..=10_240).unwrap_or(base.memory),
        architecture: fields.choice("architecture", &["arm64", "x86_64"]).unwrap_or(base.architecture),
        provisioned_concurrency: fields.integer("provisioned_concurrency", 1..=10_000).or(base.provisioned_concurrency),
        reserved_concurrency: fields.integer("reserved_concurrency", 1..=10_000).or(base.reserved_concurrency),
        log_retention_days: retention(fields).unwrap_or(base.log_retention_days),
        tracing: fields.bool("tracing").unwrap_or(base.tracing),
        policies: policies::policies(fields).unwrap_or(base.policies),
        vpc: vpc(fields).or(base.vpc),
        front: front::front(fields, base.front),
        stack_set: stack_set::stack_set(fields, base.stack_set),
        overrides: overrides(fields, base.overrides, RELIED, KEPT),
    };
    front::check_regions(fields, &lambda.front, &lambda.regions);
    stack_set::check(fields, &lambda);
    if lambda.vpc.is_some() && lambda.regions.len() > 1 {
        let span = fields.value_span("vpc").or_else(|| fields.value_span("regions"));
        let message =
            format!("subnets are those of one region, and the function is deployed to {}", lambda.regions.len());
        let hint = "name one region here, and make a stage with its own `vpc` for each other region".to_owned();
        fields.reader().error(span, message, Some(hint));
    }
    if let (Some(provisioned), Some(reserved)) = (lambda.provisioned_concurrency, lambda.reserved_concurrency)
        && provisioned > reserved
    {
        let message = format!(
            "`provisioned_concurrency` ({provisioned}) is above `reserved_concurrency` ({reserved}), which is the ceiling"
        );
        fields.error("provisioned_concurrency", message, None);
    }
    super::no_websocket(fields, "AWS Lambda's functions");
    fields.finish();
    lambda
}

/// The only values CloudWatch Logs takes.
const RETENTIONS: [u64; 23] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, 3654];

fn retention(fields: &Fields<'_, '_>) -> Option<u64> {
    let days = fields.integer("log_retention_days", 1..=3653)?;
    if !RETENTIONS.contains(&days) {
        let near = RETENTIONS.iter().min_by_key(|known| known.abs_diff(days)).unwrap_or(&30);
        fields.error(
            "log_retention_days",
            format!("CloudWatch Logs cannot keep logs for {days} days"),
            Some(format!("write {near}")),
        );
    }
    Some(days)
}

fn vpc(fields: &Fields<'_, '_>) -> Option<Vpc> {
    let table = fields.fields("vpc")?;
    let names = |key: &'static str, prefix: &str| {
        let all = table.strings(key).unwrap_or_default();
        for (name, span) in all.iter().filter(|(name, _)| !name.starts_with(prefix)) {
            table.reader().error(
                span.clone(),
                format!("`{}` does not begin with `{prefix}`", names::shown(name)),
                None,
            );
        }
        if all.is_empty() {
            let hint = format!("write `{key} = [\"{prefix}…\"]`");
            table.reader().error(
                table.key_span(key),
                format!("`{}` must name at least one", table.path_of(key)),
                Some(hint),
            );
        }
        all.into_iter().map(|(name, _)| name).collect()
    };
    let vpc = Vpc { subnets: names("subnets", "subnet-"), security_groups: names("security_groups", "sg-") };
    table.finish();
    Some(vpc)
}

/// Whether it is the number of an AWS account.
fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Measured on Node.js: a result exists up to ten times while it is made, checked and sent, beside what the server
/// itself takes.
fn function_memory(root: &Fields<'_, '_>, manifest: &Manifest) {
    let Some(memory) = manifest.targets.lambda.as_ref().map(|lambda| lambda.memory) else { return };
    let needed = 100 + manifest.limits.max_result.saturating_mul(10).div_ceil(1_000_000);
    if memory < needed {
        let message =
            format!("a result of `limits.max_result` takes some {needed} MB to send, but `memory` is {memory} MB");
        let hint = "lower `max_result`, or raise `memory` in `[targets.lambda]`".to_owned();
        root.reader().error(span_at_root(root, "/limits/max_result"), message, Some(hint));
    }
}

fn state_of_regions(root: &Fields<'_, '_>, manifest: &Manifest) {
    let regions = manifest.targets.lambda.iter().flat_map(|lambda| &lambda.regions).count();
    if manifest.has_state() && regions > 1 {
        let message = format!("each of the {regions} regions has its own state: one does not see what another stores");
        let hint = "name one region, unless callers always reach the same one".to_owned();
        root.reader().warning(span_at_root(root, "/targets/lambda/regions"), message, Some(hint));
    }
}

/// Its part of the JSON Schema.
fn schema() -> Value {
    json!({
                "regions": { "type": "array", "items": { "type": "string" }, "description": "AWS regions; us-east-1 when none is named." },
                "memory": { "type": "integer", "minimum": 128, "maximum": 10240, "description": "Megabytes; 1024 when not named." },
                "architecture": { "enum": ["arm64", "x86_64"] },
                "provisioned_concurrency": { "type": "integer", "minimum": 1, "description": "Environments kept warm." },
                "reserved_concurrency": { "type": "integer", "minimum": 1, "description": "The most that run at once." },
                "log_retention_days": { "type": "integer", "description": "30 when not named." },
                "tracing": { "type": "boolean", "description": "X-Ray." },
                "policies": { "type": "array", "items": { "type": ["string", "object"] }, "description": "SAM policy templates by name." },
                "vpc": closed(json!({ "subnets": { "type": "array", "items": { "type": "string" } }, "security_groups": { "type": "array", "items": { "type": "string" } } }), &["subnets", "security_groups"]),
                "front": { "enum": ["function-url", "api-gateway"], "description": "What clients reach; function-url when not named." },
                "throttle": closed(json!({ "rate": { "type": "integer", "minimum": 1, "description": "Requests a second, of all callers together." }, "burst": { "type": "integer", "minimum": 1 } }), &["rate", "burst"]),
                "waf_rate_limit": { "type": "integer", "minimum": 10, "description": "Requests of one address in five minutes; only with api-gateway." },
                "domain": text("A custom domain, such as mcp.example.com; only with api-gateway."),
                "hosted_zone": text("The ID of the domain's zone in Route 53; records and certificates are made in it."),
                "certificates": { "type": "array", "items": { "type": "string" }, "description": "ARNs of certificates of the domain, one for each region." },
                "stack_set": closed(
                    json!({
                        "code_bucket": text("The code goes to buckets of this name, `-` and the region."),
                        "accounts": { "type": "array", "items": { "type": "string", "pattern": "^[0-9]{12}$" }, "description": "AWS accounts to deploy to; the one that ships when none is named." },
                        "organizational_units": { "type": "array", "items": { "type": "string", "pattern": "^(ou|r)-" }, "description": "Deploy to every account of these units instead." },
                        "role": text("The role that ship assumes in each account."),
                        "delegated_admin": { "type": "boolean", "description": "The account that ships is a delegated administrator of the organization." },
                    }),
                    &["code_bucket"],
                ),
    })
}

const FUNCTION: &str = "McpFunction";
const BUNDLED: &str = "sam builds nothing: `src/generated/bundle.ts` makes the folder that it uploads";

/// More layers are fine as long as the adapter is one of them.
const KEPT: &Kept = &[("Layers", "LambdaAdapterLayer")];

/// What mcp-deploy itself relies on in `template.yaml`.
const RELIED: &Relied = &[
    (&["AWSTemplateFormatVersion"], ""),
    (&["Transform"], ""),
    (&["Outputs", "McpEndpoint"], ""),
    (&["Outputs", "RegionEndpoint"], ""),
    (&["Outputs", "FunctionName"], ""),
    (&["Resources", "McpApi", "Type"], ""),
    (&["Resources", "McpApi", "Properties", "StageName"], ""),
    (&["Resources", "McpTable", "Type"], ""),
    (&["Resources", "McpTable", "Properties", "AttributeDefinitions"], ""),
    (&["Resources", "McpTable", "Properties", "KeySchema"], ""),
    (&["Resources", "McpTable", "Properties", "TimeToLiveSpecification"], ""),
    (&["Resources", FUNCTION, "Type"], ""),
    (&["Resources", FUNCTION, "Metadata", "BuildMethod"], BUNDLED),
    (&["Resources", FUNCTION, "Metadata", "BuildProperties"], BUNDLED),
    (&["Resources", FUNCTION, "Metadata", "SkipBuild"], BUNDLED),
    (
        &["Resources", FUNCTION, "Properties", "Architectures"],
        "use `architecture`: the adapter's layer has to be the same",
    ),
    (&["Resources", FUNCTION, "Properties", "AutoPublishAlias"], ""),
    (&["Resources", FUNCTION, "Properties", "CodeUri"], ""),
    (&["Resources", FUNCTION, "Properties", "Events"], "use `front`"),
    (&["Resources", FUNCTION, "Properties", "FunctionUrlConfig"], "use `front`, and `[access]` for who may call"),
    (&["Resources", FUNCTION, "Properties", "Handler"], ""),
    (&["Resources", FUNCTION, "Properties", "InlineCode"], ""),
    (
        &["Resources", FUNCTION, "Properties", "Layers"],
        "keep the adapter in the list: an array replaces the whole list",
    ),
    (&["Resources", FUNCTION, "Properties", "PackageType"], ""),
    (&["Resources", FUNCTION, "Properties", "Policies"], "use `policies`"),
    (&["Resources", FUNCTION, "Properties", "Runtime"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LAMBDA_EXEC_WRAPPER"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LWA_PORT"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LWA_INVOKE_MODE"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "AWS_LWA_READINESS_*"], ""),
    (&["Resources", FUNCTION, "Properties", "Environment", "Variables", "MCP_*"], ""),
];
