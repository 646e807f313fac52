//! `[targets.lambda]`: the function, what stands in front of it, and where it is deployed to.

use serde_json::{Map, Value};

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
#[derive(Debug, Clone, PartialEq)]
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
    pub(super) fn without_domain(mut self) -> Self {
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
#[derive(Debug, Clone)]
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
