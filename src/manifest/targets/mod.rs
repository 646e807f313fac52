//! Where it runs: `[targets]`, and `[stages]`, which deploy the same server a second time.

pub(super) mod front;
pub mod lambda;
pub mod overrides;
pub mod policies;
mod regions;
mod stack_set;

use self::lambda::{Lambda, Vpc};
use super::reader::Fields;
use super::{Cloudflare, Stage, Targets, Vercel, names, settings};

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
    let base = &inherited(base);
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

/// What a stage has of the manifest's targets. A domain belongs to one deployment: no stage inherits it.
fn inherited(base: &Targets) -> Targets {
    let mut base = base.clone();
    base.lambda = base.lambda.map(Lambda::without_domain);
    if let Some(cloudflare) = &mut base.cloudflare {
        cloudflare.domains.clear();
    }
    base
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
        cloudflare: match known("cloudflare", base.cloudflare.is_some()) {
            Some(fields) => Some(cloudflare(fields, base.cloudflare.clone().unwrap_or_default())),
            None => base.cloudflare.clone(),
        },
    };
    table.finish();
    staged
}

fn lambda(fields: Fields<'_, '_>, base: Lambda) -> Lambda {
    let regions = regions::aws(&fields);
    let lambda = Lambda {
        regions: if regions.is_empty() { base.regions } else { regions },
        memory: fields.integer("memory", 128..=10_240).unwrap_or(base.memory),
        architecture: fields.choice("architecture", &["arm64", "x86_64"]).unwrap_or(base.architecture),
        provisioned_concurrency: fields.integer("provisioned_concurrency", 1..=10_000).or(base.provisioned_concurrency),
        reserved_concurrency: fields.integer("reserved_concurrency", 1..=10_000).or(base.reserved_concurrency),
        log_retention_days: retention(&fields).unwrap_or(base.log_retention_days),
        tracing: fields.bool("tracing").unwrap_or(base.tracing),
        policies: policies::policies(&fields).unwrap_or(base.policies),
        vpc: vpc(&fields).or(base.vpc),
        front: front::front(&fields, base.front),
        stack_set: stack_set::stack_set(&fields, base.stack_set),
        overrides: overrides::overrides(&fields, base.overrides, overrides::LAMBDA),
    };
    front::check_regions(&fields, &lambda.front, &lambda.regions);
    stack_set::check(&fields, &lambda);
    if lambda.vpc.is_some() && lambda.regions.len() > 1 {
        let span = fields.value_span("vpc").or_else(|| fields.value_span("regions"));
        let message =
            format!("subnets are those of one region, and the function is deployed to {}", lambda.regions.len());
        let hint = "name one region, and make a stage with a `vpc` of its own for each other".to_owned();
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

fn vercel(fields: Fields<'_, '_>, base: Vercel) -> Vercel {
    let regions = regions::vercel(&fields);
    let vercel = Vercel {
        regions: if regions.is_empty() { base.regions } else { regions },
        max_duration: fields.integer("max_duration", 1..=800).or(base.max_duration),
        memory: fields.integer("memory", 128..=10_240).or(base.memory),
        overrides: overrides::overrides(&fields, base.overrides, overrides::VERCEL),
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
    let mut cloudflare = Cloudflare {
        domains: if domains.is_empty() { base.domains } else { domains },
        smart_placement: fields.bool("smart_placement").unwrap_or(base.smart_placement),
        placement: placement(&fields).or(base.placement),
        observability: fields.bool("observability").unwrap_or(base.observability),
        websocket: fields.bool("websocket").or(base.websocket),
        deletes_state: fields.choice("state", &["deleted"]).is_some() || base.deletes_state,
        overrides: overrides::overrides(&fields, base.overrides, overrides::CLOUDFLARE),
    };
    if cloudflare.smart_placement && cloudflare.placement.is_some() {
        // A stage that says one of them leaves the manifest's other.
        let given = |key: &str| fields.entries().iter().any(|(known, _)| *known == key);
        match (given("smart_placement"), given("placement")) {
            (true, true) => {
                let hint = "keep one of them".to_owned();
                fields.error("placement", "`placement` and `smart_placement` exclude each other", Some(hint));
            }
            (true, false) => cloudflare.placement = None,
            _ => cloudflare.smart_placement = false,
        }
    }
    fields.finish();
    cloudflare
}

/// The region of another cloud that a Worker is to run near to.
fn placement(fields: &Fields<'_, '_>) -> Option<String> {
    let placement = fields.string("placement")?;
    let region = ["aws:", "gcp:", "azure:"].iter().find_map(|cloud| placement.strip_prefix(cloud));
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !region.is_some_and(|region| !region.is_empty() && region.chars().all(plain)) {
        let hint = "write a cloud and its region, such as `aws:us-east-1`, `gcp:europe-west4` or `azure:westeurope`";
        fields.error("placement", format!("`{}` is no region of a cloud", names::shown(&placement)), Some(hint.into()));
    }
    Some(placement)
}

#[cfg(test)]
mod tests {
    use crate::manifest::parse;

    #[test]
    fn a_domain_belongs_to_one_deployment() {
        let text = r#"
[server]
name = "s"
version = "1.0.0"
description = "d"
[targets.cloudflare]
domains = ["mcp.example.com"]
overrides.limits = { cpu_ms = 100 }
[targets.lambda]
front = "api-gateway"
waf_rate_limit = 100
domain = "aws.example.com"
hosted_zone = "Z1"
[stages.bare]
[stages.changed.targets.cloudflare]
overrides = { limits = { subrequests = 5 } }
[stages.changed.targets.lambda]
tracing = true
[stages.own.targets.lambda]
domain = "own.example.com"
hosted_zone = "Z1"
"#;
        let (manifest, faults) = parse(text, &|_| Err("no file".into()));
        let manifest = manifest.unwrap_or_else(|| panic!("{faults:?}"));
        for (stage, domain) in [("production", "aws"), ("bare", ""), ("changed", ""), ("own", "own")] {
            let targets = manifest.staged(stage).expect("a stage").targets;
            let (lambda, cloudflare) = (targets.lambda.expect("there"), targets.cloudflare.expect("there"));
            let name = lambda.front.domain().map(|domain| domain.name.as_str()).unwrap_or_default();
            assert_eq!(name.split('.').next(), Some(domain), "{stage}");
            assert_eq!(lambda.front.gateway().and_then(|gateway| gateway.waf_rate_limit), Some(100));
            assert_eq!(cloudflare.domains.is_empty(), stage != "production", "{stage}");
            let more = if stage == "changed" { r#"{"cpu_ms":100,"subrequests":5}"# } else { r#"{"cpu_ms":100}"# };
            assert_eq!(cloudflare.overrides["limits"].to_string(), more, "{stage}");
        }
    }
}
