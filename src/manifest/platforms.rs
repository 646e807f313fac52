//! Where it runs: `[targets]`, and `[stages]`, which deploy the same server a second time.

use serde_json::Value;

use super::reader::{Fields, to_json};
use super::{Cloudflare, Lambda, Stage, Targets, Vercel, Vpc, names, settings};

pub fn targets(root: &Fields<'_, '_>) -> Targets {
    let Some(all) = root.fields("targets") else { return Targets::default() };
    let targets = Targets {
        lambda: all.fields("lambda").map(|fields| lambda(fields, Lambda::default())),
        vercel: all.fields("vercel").map(|fields| vercel(fields, Vercel::default())),
        cloudflare: all.fields("cloudflare").map(|fields| cloudflare(fields, Cloudflare::default())),
    };
    all.finish();
    targets
}

/// Every `[stages.NAME]`: its settings, and its targets with the manifest's own as the defaults.
pub fn stages(root: &Fields<'_, '_>, server: &str, base: &Targets) -> Vec<Stage> {
    let Some(all) = root.fields("stages") else { return Vec::new() };
    let mut stages = Vec::new();
    for (name, item) in all.entries() {
        if let Some(problem) = names::stage(name, server) {
            all.reader().error(all.key_span(name), problem, None);
        }
        let Some(fields) = all.reader().table(item, &all.path_of(name), all.key_span(name)) else { continue };
        let env = settings::env(&fields);
        let targets = fields.fields("targets").map_or_else(|| base.clone(), |table| staged_targets(&table, base));
        fields.finish();
        stages.push(Stage { name: name.to_owned(), env, targets });
    }
    stages
}

/// A stage changes targets; it cannot add one.
fn staged_targets(table: &Fields<'_, '_>, base: &Targets) -> Targets {
    let known = |name: &'static str, there: bool| {
        let fields = table.fields(name)?;
        if !there {
            let hint = format!("add `[targets.{name}]` first");
            table.reader().error(
                table.key_span(name),
                format!("the manifest itself has no `[targets.{name}]`"),
                Some(hint),
            );
        }
        Some(fields)
    };
    let staged = Targets {
        lambda: match known("lambda", base.lambda.is_some()) {
            Some(fields) => Some(lambda(fields, base.lambda.clone().unwrap_or_default())),
            None => base.lambda.clone(),
        },
        vercel: match known("vercel", base.vercel.is_some()) {
            Some(fields) => Some(vercel(fields, base.vercel.clone().unwrap_or_default())),
            None => base.vercel.clone(),
        },
        // A domain belongs to one Worker: no stage inherits it.
        cloudflare: match known("cloudflare", base.cloudflare.is_some()) {
            Some(fields) => Some(cloudflare(fields, without_domains(base.cloudflare.clone().unwrap_or_default()))),
            None => base.cloudflare.clone().map(without_domains),
        },
    };
    table.finish();
    staged
}

fn without_domains(cloudflare: Cloudflare) -> Cloudflare {
    Cloudflare { domains: Vec::new(), ..cloudflare }
}

/// Regions without function URLs (AWS documentation, 2026-11).
const WITHOUT_FUNCTION_URLS: [&str; 11] = [
    "ap-south-2",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ap-east-2",
    "ca-west-1",
    "eu-south-2",
    "eu-central-2",
    "il-central-1",
    "me-central-1",
];

fn lambda(fields: Fields<'_, '_>, base: Lambda) -> Lambda {
    let mut regions = Vec::new();
    for (region, span) in fields.strings("regions").unwrap_or_default() {
        if !is_region(&region) {
            let hint = "write a region's code, such as `us-east-1`".to_owned();
            fields.reader().error(span, format!("`{}` is no AWS region", names::shown(&region)), Some(hint));
        } else if region.starts_with("cn-") || WITHOUT_FUNCTION_URLS.contains(&region.as_str()) {
            let hint = "choose another, such as `us-east-1` or `eu-west-1`".to_owned();
            fields.reader().error(span, format!("the region `{region}` has no function URLs"), Some(hint));
        } else if regions.contains(&region) {
            fields.reader().error(span, format!("the region `{region}` is listed twice"), None);
        }
        regions.push(region);
    }
    let lambda = Lambda {
        regions: if regions.is_empty() { base.regions } else { regions },
        memory: fields.integer("memory", 128..=10_240).unwrap_or(base.memory),
        architecture: fields.choice("architecture", &["arm64", "x86_64"]).unwrap_or(base.architecture),
        provisioned_concurrency: fields.integer("provisioned_concurrency", 1..=10_000).or(base.provisioned_concurrency),
        reserved_concurrency: fields.integer("reserved_concurrency", 1..=10_000).or(base.reserved_concurrency),
        log_retention_days: retention(&fields).unwrap_or(base.log_retention_days),
        tracing: fields.bool("tracing").unwrap_or(base.tracing),
        policies: policies(&fields).unwrap_or(base.policies),
        vpc: vpc(&fields).or(base.vpc),
    };
    if let (Some(provisioned), Some(reserved)) = (lambda.provisioned_concurrency, lambda.reserved_concurrency)
        && provisioned > reserved
    {
        let message = format!(
            "`provisioned_concurrency` ({provisioned}) is above `reserved_concurrency` ({reserved}), which is the ceiling"
        );
        fields.error("provisioned_concurrency", message, None);
    }
    no_websocket(&fields, "AWS Lambda's functions");
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

/// SAM policy templates: `"NAME"`, or `{ NAME = { PARAMETER = "value" } }`.
fn policies(fields: &Fields<'_, '_>) -> Option<Vec<Value>> {
    let Value::Array(policies) = to_json(fields.reader(), fields.item("policies")?)? else {
        fields.error("policies", "`policies` must be an array of SAM policy templates", Some(POLICY.into()));
        return None;
    };
    let sound = |policy: &Value| match policy {
        Value::String(name) => !name.is_empty(),
        Value::Object(map) => map.len() == 1 && map.values().all(Value::is_object),
        _ => false,
    };
    if !policies.iter().all(sound) {
        fields.error(
            "policies",
            "a policy must be a name, or a table of one SAM policy template and its parameters",
            Some(POLICY.into()),
        );
    }
    Some(policies)
}

const POLICY: &str = "write `policies = [{ DynamoDBReadPolicy = { TableName = \"items\" } }]`";

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

/// Where nothing lives between two requests, a connection cannot.
fn no_websocket(fields: &Fields<'_, '_>, what: &str) {
    // Only then: it is not to be named among the known keys.
    if fields.entries().iter().any(|(key, _)| *key == "websocket") && fields.item("websocket").is_some() {
        let message = format!("{what} keep no WebSocket: they end with each answer");
        let hint = "only `[targets.cloudflare]` has `websocket`; everywhere else clients send requests over HTTP";
        fields.reader().error(fields.key_span("websocket"), message, Some(hint.into()));
    }
}

fn is_region(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let letters = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    let (Some(last), words) = (parts.last(), &parts[..parts.len() - 1]) else { return false };
    (2..=3).contains(&words.len())
        && words.iter().all(letters)
        && last.len() == 1
        && last.chars().all(|c| c.is_ascii_digit())
}

fn vercel(fields: Fields<'_, '_>, base: Vercel) -> Vercel {
    let mut regions = Vec::new();
    for (region, span) in fields.strings("regions").unwrap_or_default() {
        let ok = region.len() == 4
            && region.chars().take(3).all(|c| c.is_ascii_lowercase())
            && region.ends_with(|c: char| c.is_ascii_digit());
        if !ok {
            let hint = "write a region's code, such as `iad1`".to_owned();
            fields.reader().error(span, format!("`{}` is no Vercel region", names::shown(&region)), Some(hint));
        }
        regions.push(region);
    }
    let vercel = Vercel {
        regions: if regions.is_empty() { base.regions } else { regions },
        max_duration: fields.integer("max_duration", 1..=800).or(base.max_duration),
        memory: fields.integer("memory", 128..=10_240).or(base.memory),
    };
    no_websocket(&fields, "Vercel's functions");
    fields.finish();
    vercel
}

fn cloudflare(fields: Fields<'_, '_>, base: Cloudflare) -> Cloudflare {
    let mut domains = Vec::new();
    for (domain, span) in fields.strings("domains").unwrap_or_default() {
        if !settings::is_host(&domain) || !domain.contains('.') {
            let hint = "write a name in a zone of your account, such as `mcp.example.com`".to_owned();
            fields.reader().error(span, format!("`{}` is no domain", names::shown(&domain)), Some(hint));
        }
        domains.push(domain);
    }
    let cloudflare = Cloudflare {
        domains: if domains.is_empty() { base.domains } else { domains },
        smart_placement: fields.bool("smart_placement").unwrap_or(base.smart_placement),
        observability: fields.bool("observability").unwrap_or(base.observability),
        websocket: fields.bool("websocket").or(base.websocket),
    };
    fields.finish();
    cloudflare
}
