//! Where it runs: `[targets]`, and `[stages]`, which deploy the same server a second time. Each cloud has its file
//! here, with all that its table may say and what the manifest has to know of it; nothing else below `src/manifest`
//! names one.

pub mod cloudflare;
pub mod container;
#[cfg(test)]
pub mod fixture;
pub mod lambda;
pub mod overrides;
mod regions;
pub mod stores;
pub mod vercel;

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::json_schema::closed;
use super::reader::Fields;
use super::{Manifest, Stage, names, settings};
use stores::Store;

/// One cloud, as far as the manifest knows it; `targets::Target` is what is done with it.
pub struct Facts {
    /// `lambda`: in the manifest, in `--target` and as the template folder.
    pub name: &'static str,
    /// `AWS Lambda`: for people.
    pub title: &'static str,
    pub limits: CloudLimits,
    /// The cloud's own file, which its `overrides` are merged into.
    pub file: &'static str,
    pub format: Format,
    /// The files that its templates make outside of `src/generated`.
    pub outputs: &'static [&'static str],
    /// Folders that its tools make: git leaves them alone, and a stage's copy does without.
    pub leftovers: &'static [&'static str],
    /// What keeps state there, and counts calls unless the platform itself does; its table may choose.
    pub store: fn(&Targets) -> &'static Store,
    /// How names of variables begin that are not the user's to set, and who sets them.
    pub reserved: &'static [(&'static str, &'static str)],
    /// Whether `init` takes it when nobody names a cloud.
    pub unasked: bool,
    /// Whether the manifest names it.
    pub chosen: fn(&Targets) -> bool,
    /// Custom domains that lead to it: the server answers for them.
    pub domains: fn(&Targets) -> Vec<&String>,
    /// What its table has for [`Facts::file`].
    pub overrides: fn(&Targets) -> Option<&Map<String, Value>>,
    /// Reads its table over what is there of it already: nothing yet, or what a stage inherits.
    read: fn(&Fields<'_, '_>, &mut Targets),
    /// Takes away what belongs to one deployment, and no stage inherits.
    disinherit: fn(&mut Targets),
    /// What its table and the rest of the manifest ask of each other.
    check: fn(&Fields<'_, '_>, &Manifest),
    /// The JSON Schema of every key of its table but `overrides`, which each has.
    schema: fn() -> Value,
}

/// What the platform itself allows one request.
pub struct CloudLimits {
    /// `None`: no limit while the client is connected.
    pub timeout: Option<Duration>,
    /// Bytes of a request body.
    pub body: u64,
    /// Bytes of a result, which is made whole before it is sent.
    pub result: u64,
    /// Seconds that its counter of calls knows; empty: any.
    pub rate_windows: &'static [u64],
}

/// How a cloud's own file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// With comments on separate lines.
    Json,
    Yaml,
}

/// Every cloud, in the order in which they are listed everywhere.
pub static ALL: &[&Facts] = &[
    &lambda::FACTS,
    &vercel::FACTS,
    &cloudflare::FACTS,
    &container::FACTS,
    #[cfg(test)]
    &fixture::FACTS,
];

/// The clouds that the manifest names, in the order of [`ALL`].
pub fn chosen(targets: &Targets) -> impl Iterator<Item = &'static Facts> {
    ALL.iter().copied().filter(|target| (target.chosen)(targets))
}

/// `[targets.*]`: the clouds the manifest names.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    pub lambda: Option<lambda::Lambda>,
    pub vercel: Option<vercel::Vercel>,
    pub cloudflare: Option<cloudflare::Cloudflare>,
    pub container: Option<container::Container>,
    #[cfg(test)]
    pub fixture: Option<fixture::Fixture>,
}

pub fn targets(root: &Fields<'_, '_>) -> Targets {
    let mut targets = Targets::default();
    let Some(all) = root.fields("targets") else { return targets };
    for target in ALL {
        if let Some(fields) = all.fields(target.name) {
            (target.read)(&fields, &mut targets);
        }
    }
    all.finish();
    targets
}

/// What the table of each cloud and the rest of the manifest ask of each other.
pub fn check(root: &Fields<'_, '_>, manifest: &Manifest) {
    ALL.iter().for_each(|target| (target.check)(root, manifest));
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
    ALL.iter().for_each(|target| (target.disinherit)(&mut base));
    base
}

/// A stage changes targets; it cannot add one.
fn staged_targets(table: &Fields<'_, '_>, base: &Targets) -> Targets {
    let mut staged = base.clone();
    for target in ALL {
        let name = target.name;
        let Some(fields) = table.fields(name) else { continue };
        if !(target.chosen)(base) {
            let hint = format!("add `[targets.{name}]` first");
            table.reader().error(
                table.key_span(name),
                format!("the manifest itself has no `[targets.{name}]`"),
                Some(hint),
            );
        }
        (target.read)(&fields, &mut staged);
    }
    table.finish();
    staged
}

impl Facts {
    /// The JSON Schema of its table.
    pub(super) fn json_schema(&self) -> Value {
        let description = format!("Merged into {}: tables are merged, everything else replaces.", self.file);
        let mut keys = (self.schema)();
        keys["overrides"] = json!({ "type": "object", "description": description });
        closed(keys, &[])
    }
}

/// Where nothing lives between two requests, a connection cannot.
fn no_websocket(fields: &Fields<'_, '_>, what: &str) {
    // Only then: it is not to be named among the known keys.
    if fields.entries().iter().any(|(key, _)| *key == "websocket") && fields.item("websocket").is_some() {
        let message = format!("{what} keep no WebSocket: they end with each answer");
        let has = |target: &&&Facts| (target.schema)().get("websocket").is_some();
        let tables: Vec<String> = ALL.iter().filter(has).map(|target| format!("`[targets.{}]`", target.name)).collect();
        let hint =
            format!("only {} has `websocket`; everywhere else clients send requests over HTTP", tables.join(" or "));
        fields.reader().error(fields.key_span("websocket"), message, Some(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse;

    /// Each row reads its own table and no other, and each field of [`Targets`] has its row.
    #[test]
    fn every_cloud_has_its_row() {
        // A new field does not compile until it is listed here, and then the test wants its row.
        let given = |Targets { lambda, vercel, cloudflare, container, fixture }: &Targets| {
            [lambda.is_some(), vercel.is_some(), cloudflare.is_some(), container.is_some(), fixture.is_some()]
        };
        assert_eq!(given(&Targets::default()).len(), ALL.len());
        for (index, target) in ALL.iter().enumerate() {
            let text = format!(
                "[server]\nname = \"s\"\nversion = \"1.0.0\"\ndescription = \"d\"\n[targets.{}]\noverrides = {{ a = 1 }}\n",
                target.name
            );
            let (manifest, faults) = parse(&text, &|_| Err("no file".into()));
            let targets = manifest.unwrap_or_else(|| panic!("{faults:?}")).targets;
            assert!(given(&targets).iter().enumerate().all(|(at, given)| *given == (at == index)), "{}", target.name);
            for (at, other) in ALL.iter().enumerate() {
                assert_eq!((other.chosen)(&targets), at == index, "{} in {}", other.name, target.name);
                assert_eq!((other.overrides)(&targets).is_some_and(|all| all.contains_key("a")), at == index);
            }
        }
    }

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
