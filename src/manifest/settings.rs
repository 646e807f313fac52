//! The sections that describe where and for whom it runs: `[env]`, `[secrets]`, `[access]`, `[targets]`.

use super::reader::{Fields, span_at};
use super::{Access, Cloudflare, Lambda, Secret, Stage, Targets, Vercel, names};

pub fn env(root: &Fields<'_, '_>) -> Vec<(String, String)> {
    variables(root, "env", "a setting's value must be a string", "write it in quotes")
}

pub fn secrets(root: &Fields<'_, '_>) -> Vec<Secret> {
    let all = variables(
        root,
        "secrets",
        "a secret is declared with a description, never with its value",
        "write what it is, such as `\"Key of the weather service\"`",
    );
    let settings: Vec<String> = match root.entries().into_iter().find(|(key, _)| *key == "env") {
        Some((_, item)) => item.as_table_like().into_iter().flat_map(|t| t.iter()).map(|(k, _)| k.to_owned()).collect(),
        None => Vec::new(),
    };
    for (name, _) in &all {
        if settings.contains(name) {
            let hint = "a secret stands in `[secrets]` only: `[env]` is committed and readable".to_owned();
            let span = root.entries().into_iter().find(|(key, _)| *key == "secrets");
            let span = span.and_then(|(_, item)| span_at(item, &format!("/{name}")));
            root.reader().error(span, format!("`{name}` is declared in `[env]` and in `[secrets]`"), Some(hint));
        }
    }
    all.into_iter().map(|(name, description)| Secret { name, description }).collect()
}

fn variables(root: &Fields<'_, '_>, key: &'static str, wrong: &str, hint: &str) -> Vec<(String, String)> {
    let Some(fields) = root.fields(key) else { return Vec::new() };
    let mut all = Vec::new();
    for (name, item) in fields.entries() {
        if let Some(problem) = names::variable(name) {
            fields.reader().error(fields.key_span(name), problem, None);
        }
        match item.as_str() {
            Some(value) => all.push((name.to_owned(), value.to_owned())),
            None => fields.error(name, format!("`{key}.{}`: {wrong}", names::shown(name)), Some(hint.to_owned())),
        }
    }
    all
}

pub fn access(root: &Fields<'_, '_>) -> Access {
    let mut access = Access::default();
    let Some(fields) = root.fields("access") else { return access };
    for (origin, span) in fields.strings("origins").unwrap_or_default() {
        if origin != "*" && !is_origin(&origin) {
            let hint = "write scheme and host only, such as `https://app.example` or `http://localhost:3000`";
            fields.reader().error(span, format!("`{}` is no origin", names::shown(&origin)), Some(hint.into()));
        }
        access.origins.push(origin);
    }
    for (host, span) in fields.strings("hosts").unwrap_or_default() {
        if !is_host(&host) {
            fields.reader().error(
                span,
                format!("`{}` is no host name", names::shown(&host)),
                Some("write the name only, such as `mcp.example.com`".into()),
            );
        }
        access.hosts.push(host);
    }
    fields.finish();
    access
}

fn is_origin(origin: &str) -> bool {
    let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let Some(rest) = rest else { return false };
    let (host, port) = rest.split_once(':').unwrap_or((rest, "1"));
    is_host(host) && port.parse::<u16>().is_ok()
}

fn is_host(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    !host.is_empty() && host.len() <= 253 && host.split('.').all(label)
}

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
        let env = env(&fields);
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
            Some(fields) => Some(cloudflare(fields, Cloudflare::default())),
            None => base.cloudflare.as_ref().map(|_| Cloudflare::default()),
        },
    };
    for (name, _) in table.entries() {
        // Asked for above; `finish` would take the table by value.
        if !["lambda", "vercel", "cloudflare"].contains(&name) {
            table.reader().error(
                table.key_span(name),
                format!("unknown key `{}` in `[{}]`", names::shown(name), "stages.….targets"),
                None,
            );
        }
    }
    staged
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
    };
    fields.finish();
    lambda
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
    fields.finish();
    Vercel { regions: if regions.is_empty() { base.regions } else { regions } }
}

fn cloudflare(fields: Fields<'_, '_>, base: Cloudflare) -> Cloudflare {
    let mut domains = Vec::new();
    for (domain, span) in fields.strings("domains").unwrap_or_default() {
        if !is_host(&domain) || !domain.contains('.') {
            let hint = "write a name in a zone of your account, such as `mcp.example.com`".to_owned();
            fields.reader().error(span, format!("`{}` is no domain", names::shown(&domain)), Some(hint));
        }
        domains.push(domain);
    }
    fields.finish();
    Cloudflare { domains: if domains.is_empty() { base.domains } else { domains } }
}
