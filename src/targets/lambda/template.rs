//! What the templates see of AWS Lambda.

use serde::Serialize;
use serde_json::Value;

use super::{TARGET, calls_aws};
use crate::manifest::Manifest;
use crate::manifest::targets::lambda::{self, GATEWAY_STAGE, Lambda, Throttle, Vpc};

/// `lambda` in the templates.
#[derive(Serialize)]
pub struct LambdaData<'m> {
    /// For CloudFormation, whose limit is 1,024 bytes.
    description: String,
    architecture: &'m str,
    memory: u64,
    timeout_seconds: u64,
    regions: &'m [String],
    layer_name: &'static str,
    layer_version: u32,
    log_retention_days: u64,
    provisioned_concurrency: Option<u64>,
    reserved_concurrency: Option<u64>,
    tracing: bool,
    policies: &'m [Value],
    /// Whether the server reads any.
    secrets: bool,
    has_policies: bool,
    vpc: Option<&'m Vpc>,
    gateway: Option<GatewayData<'m>>,
}

/// What stands in front of the function, when that is API Gateway.
#[derive(Serialize)]
struct GatewayData<'m> {
    stage: &'static str,
    tracing: bool,
    throttle: Option<&'m Throttle>,
    waf_rate_limit: Option<u64>,
    endpoint: Option<String>,
    domain: Option<DomainData<'m>>,
}

#[derive(Serialize)]
struct DomainData<'m> {
    name: &'m str,
    hosted_zone: Option<&'m str>,
    certificates: Vec<Certificate<'m>>,
    health_checks: bool,
}

#[derive(Serialize)]
struct Certificate<'m> {
    region: &'m str,
    arn: &'m str,
}

/// `None` where the manifest does not name the target.
pub fn data(manifest: &Manifest) -> Option<LambdaData<'_>> {
    let table = manifest.targets.lambda.as_ref()?;
    Some(LambdaData {
        description: truncated(&inert(&manifest.server.description), 1024).to_owned(),
        architecture: &table.architecture,
        memory: table.memory,
        timeout_seconds: TARGET.function_timeout(manifest),
        regions: &table.regions,
        layer_name: if table.architecture == "arm64" { "LambdaAdapterLayerArm64" } else { "LambdaAdapterLayerX86" },
        layer_version: 30,
        log_retention_days: table.log_retention_days,
        provisioned_concurrency: table.provisioned_concurrency,
        reserved_concurrency: table.reserved_concurrency,
        tracing: table.tracing,
        policies: &table.policies,
        secrets: manifest.secrets_of(TARGET.name).next().is_some(),
        has_policies: !table.policies.is_empty() || calls_aws(manifest),
        vpc: table.vpc.as_ref(),
        gateway: table.front.gateway().map(|front| gateway(front, table)),
    })
}

fn gateway<'m>(front: &'m lambda::Gateway, table: &'m Lambda) -> GatewayData<'m> {
    let domain = front.domain.as_ref().map(|domain| DomainData {
        name: &domain.name,
        hosted_zone: domain.hosted_zone.as_deref(),
        certificates: domain.certificates.iter().map(|(region, arn)| Certificate { region, arn }).collect(),
        health_checks: table.regions.len() > 1,
    });
    GatewayData {
        stage: GATEWAY_STAGE,
        tracing: table.tracing,
        throttle: front.throttle.as_ref(),
        waf_rate_limit: front.waf_rate_limit,
        endpoint: domain.as_ref().map(|domain| format!("https://{}/mcp", domain.name)),
        domain,
    }
}

/// Even in a description CloudFormation's linter refuses what looks like a reference: `${…}`, `{{resolve:…}}`.
fn inert(text: &str) -> String {
    text.replace('{', "(").replace('}', ")")
}

/// At most `bytes` of UTF-8, cut between characters.
fn truncated(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}
