//! What stands in front of a function on Lambda: its own URL, or API Gateway with what only that can do.

use std::ops::Range;

use toml_edit::Item;

use super::{Domain, Front, Gateway, Throttle};
use crate::manifest::reader::Fields;
use crate::manifest::{Auth, Manifest, names, settings};

/// Keys that say something of API Gateway only.
const GATEWAY_KEYS: [&str; 5] = ["throttle", "waf_rate_limit", "domain", "hosted_zone", "certificates"];

pub fn front(fields: &Fields<'_, '_>, base: Front) -> Front {
    let chosen = fields.choice("front", &["function-url", "api-gateway"]);
    let gateway = match (chosen.as_deref(), base) {
        (Some("function-url"), _) | (None, Front::FunctionUrl) => None,
        (Some(_), Front::ApiGateway(gateway)) | (None, Front::ApiGateway(gateway)) => Some(gateway),
        (Some(_), Front::FunctionUrl) => Some(Gateway::default()),
    };
    let read = gateway_of(fields, gateway.clone().unwrap_or_default());
    if gateway.is_some() {
        return Front::ApiGateway(read);
    }
    for key in GATEWAY_KEYS {
        if fields.entries().iter().any(|(known, _)| *known == key) {
            let hint = "write `front = \"api-gateway\"`, or remove it".to_owned();
            fields.reader().error(fields.key_span(key), format!("a function URL has no `{key}`"), Some(hint));
        }
    }
    Front::FunctionUrl
}

fn gateway_of(fields: &Fields<'_, '_>, base: Gateway) -> Gateway {
    Gateway {
        throttle: throttle(fields).or(base.throttle),
        waf_rate_limit: fields.integer("waf_rate_limit", 10..=2_000_000_000).or(base.waf_rate_limit),
        domain: domain(fields).or(base.domain),
    }
}

fn throttle(fields: &Fields<'_, '_>) -> Option<Throttle> {
    let table = fields.fields("throttle")?;
    let number = |key: &'static str, hint: &str| {
        let number = table.integer(key, 1..=1_000_000);
        if table.entries().iter().all(|(known, _)| *known != key) {
            let message = format!("`{}` is missing", table.path_of(key));
            table.reader().error(table.key_span(key), message, Some(hint.to_owned()));
        }
        number
    };
    let rate = number("rate", "say how many requests a second the API takes, such as `rate = 50`");
    let burst = number("burst", "say how many may come at once, such as `burst = 100`");
    table.finish();
    Some(Throttle { rate: rate?, burst: burst? })
}

fn domain(fields: &Fields<'_, '_>) -> Option<Domain> {
    let name = fields.string("domain");
    let hosted_zone = fields.string("hosted_zone");
    let certificates = fields.strings("certificates");
    let Some(name) = name else {
        for (key, given) in [("hosted_zone", hosted_zone.is_some()), ("certificates", certificates.is_some())] {
            if given {
                let hint = "write `domain = \"mcp.example.com\"`".to_owned();
                fields.reader().error(
                    fields.key_span(key),
                    format!("`{key}` has no effect without `domain`"),
                    Some(hint),
                );
            }
        }
        return None;
    };
    if !settings::is_host(&name) || !name.contains('.') {
        let hint = "write a name of your own, such as `mcp.example.com`".to_owned();
        fields.error("domain", format!("`{}` is not a domain", names::shown(&name)), Some(hint));
    }
    if hosted_zone.is_none() && certificates.is_none() {
        let message = format!("the domain `{}` needs a certificate", names::shown(&name));
        let hint = "write `hosted_zone = \"Z…\"`: AWS makes one and renews it; or name yours in `certificates`";
        fields.error("domain", message, Some(hint.into()));
    }
    if let Some(zone) = &hosted_zone
        && !(zone.starts_with('Z') && zone.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()))
    {
        let hint = "write its ID, such as `Z0123456789ABCDEFGHIJ`, which Route 53 shows beside its name".to_owned();
        fields.error("hosted_zone", format!("`{}` is not a hosted zone", names::shown(zone)), Some(hint));
    }
    let mut domain = Domain { name, hosted_zone, certificates: Vec::new() };
    for (arn, span) in certificates.unwrap_or_default() {
        match region_of(&arn) {
            Some(region) if domain.certificates.iter().any(|(known, _)| known == region) => {
                fields.reader().error(span, format!("there is a certificate for `{region}` already"), None);
            }
            Some(region) => domain.certificates.push((region.to_owned(), arn)),
            None => {
                let hint = "write `arn:aws:acm:REGION:ACCOUNT:certificate/ID`".to_owned();
                let message = format!("`{}` is not a certificate of AWS Certificate Manager", names::shown(&arn));
                fields.reader().error(span, message, Some(hint));
            }
        }
    }
    Some(domain)
}

/// Of `arn:aws:acm:REGION:ACCOUNT:certificate/ID`.
fn region_of(arn: &str) -> Option<&str> {
    let parts: Vec<&str> = arn.split(':').collect();
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    match parts.as_slice() {
        ["arn", partition, "acm", region, account, id]
            if partition.starts_with("aws")
                && plain(partition)
                && plain(region)
                && super::is_account(account)
                && id.strip_prefix("certificate/").is_some_and(plain) =>
        {
            Some(region)
        }
        _ => None,
    }
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

/// Regions in which the layer of the Lambda Web Adapter is not published any more.
const WITHOUT_THE_ADAPTER: [&str; 2] = ["me-central-1", "me-south-1"];

/// What the front and the adapter ask of the regions.
pub fn check_regions(fields: &Fields<'_, '_>, front: &Front, regions: &[String]) {
    let listed: Vec<_> = fields.item("regions").and_then(Item::as_array).into_iter().flatten().collect();
    for region in regions {
        let own = listed.iter().find(|value| value.as_str() == Some(region)).and_then(|value| value.span());
        let is_own = own.is_some();
        let span = own.or_else(|| fields.value_span("front"));
        let fault = |message: String, hint: &str| fields.reader().error(span.clone(), message, Some(hint.into()));
        if is_own && region.starts_with("cn-") {
            fault(format!("mcp-deploy does not deploy to China (`{region}`)"), OTHER_REGION);
        } else if is_own && WITHOUT_THE_ADAPTER.contains(&region.as_str()) {
            fault(format!("the region `{region}` has no layer of the Lambda Web Adapter"), OTHER_REGION);
        } else if *front == Front::FunctionUrl && WITHOUT_FUNCTION_URLS.contains(&region.as_str()) {
            let hint = "write `front = \"api-gateway\"`, or choose another region, such as `us-east-1` or `eu-west-1`";
            fault(format!("the region `{region}` has no function URLs"), hint);
        }
    }
    certified(fields, front, regions);
}

const OTHER_REGION: &str = "choose another, such as `us-east-1` or `eu-west-1`";

/// Where certificates are named, each region has its own.
fn certified(fields: &Fields<'_, '_>, front: &Front, regions: &[String]) {
    let Some(domain) = front.domain().filter(|domain| !domain.certificates.is_empty()) else { return };
    let has = |region: &String| domain.certificates.iter().any(|(known, _)| known == region);
    for region in regions.iter().filter(|region| !has(region)) {
        let hint = "a certificate counts in its own region only: name one for each".to_owned();
        fields.error("certificates", format!("there is no certificate for the region `{region}`"), Some(hint));
    }
    for (region, _) in domain.certificates.iter().filter(|(region, _)| !regions.contains(region)) {
        let hint = "remove it, or add the region".to_owned();
        fields.error("certificates", format!("a certificate is for `{region}`, where nothing is deployed"), Some(hint));
    }
}

/// Clients look for the login at the root of the host, where an address with a stage in its path has nothing.
pub fn login_at_the_root(root: &Fields<'_, '_>, manifest: &Manifest, span: impl Fn(&str) -> Option<Range<usize>>) {
    if !matches!(manifest.access.auth, Auth::OAuth(_)) {
        return;
    }
    let stages = manifest.stages.iter().map(|stage| (Some(stage), &stage.targets));
    for (stage, targets) in std::iter::once((None, &manifest.targets)).chain(stages) {
        let bare = targets.lambda.as_ref().is_some_and(|lambda| lambda.front.is_bare_gateway());
        let inherited = stage.is_some() && manifest.targets.lambda.as_ref().is_some_and(|l| l.front.is_bare_gateway());
        if !bare || inherited {
            continue;
        }
        let (place, whose) = match stage {
            Some(stage) => (format!("/stages/{}", stage.name), format!("the stage `{}`", stage.name)),
            None => ("/targets/lambda/front".to_owned(), "the API".to_owned()),
        };
        let message = format!(
            "OAuth clients would not find the login: {whose} has no `domain`, and its address has a stage in its path"
        );
        let hint = match stage {
            Some(stage) => format!(
                "write a separate `domain`, or `front = \"function-url\"`, in `[stages.{}.targets.lambda]`",
                stage.name
            ),
            None => "write `domain = \"mcp.example.com\"`, or `front = \"function-url\"`".to_owned(),
        };
        root.reader().error(span(&place), message, Some(hint));
    }
}
