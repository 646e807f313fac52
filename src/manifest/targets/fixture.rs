//! `[targets.fixture]`: a fourth target that only unit tests have. It shows what a row takes; `src/commands/fourth.rs`
//! asks what becomes of each of its fields.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::overrides::{Kept, Relied, overrides};
use super::{CloudLimits, Facts, Format, stores};
use crate::manifest::Manifest;
use crate::manifest::reader::Fields;
use crate::manifest::sections::span_at_root;

pub static FACTS: Facts = Facts {
    name: "fixture",
    title: "Fixture Cloud",
    limits: CloudLimits {
        timeout: Some(Duration::from_secs(50)),
        body: 5_000_000,
        result: 5_000_000,
        rate_windows: &[60],
    },
    file: "fixture.json",
    format: Format::Json,
    outputs: &["fixture.json"],
    leftovers: &[".fixture"],
    store: |_| &stores::UPSTASH,
    reserved: &[("FIXTURE_", "Fixture Cloud")],
    unasked: false,
    chosen: |targets| targets.fixture.is_some(),
    domains: |targets| targets.fixture.iter().flat_map(|fixture| &fixture.domains).collect(),
    overrides: |targets| targets.fixture.as_ref().map(|fixture| &fixture.overrides),
    read: |fields, targets| targets.fixture = Some(fixture(fields, targets.fixture.take().unwrap_or_default())),
    disinherit: |targets| targets.fixture.iter_mut().for_each(|fixture| fixture.domains.clear()),
    check: size_of_state,
    schema: || {
        json!({
            "size": { "type": "integer", "minimum": 1 },
            "domains": { "type": "array", "items": { "type": "string" } },
        })
    },
};

/// As `docs/manifest.md` would have it.
pub const DOCS: &str =
    "\n## `[targets.fixture]`\n\n| key | rules |\n|---|---|\n| `size` | From 1. |\n| `domains` | Custom domains. |\n";

#[derive(Debug, Clone, Default)]
pub struct Fixture {
    pub size: u64,
    pub domains: Vec<String>,
    /// Merged into `fixture.json`.
    pub overrides: Map<String, Value>,
}

fn fixture(fields: &Fields<'_, '_>, base: Fixture) -> Fixture {
    let domains = fields.strings("domains").unwrap_or_default();
    let fixture = Fixture {
        size: fields.integer("size", 1..=10).unwrap_or(base.size),
        domains: if domains.is_empty() { base.domains } else { domains.into_iter().map(|(name, _)| name).collect() },
        overrides: overrides(fields, base.overrides, RELIED, KEPT),
    };
    super::no_websocket(fields, "Fixture Cloud's functions");
    fields.finish();
    fixture
}

fn size_of_state(root: &Fields<'_, '_>, manifest: &Manifest) {
    let Some(fixture) = &manifest.targets.fixture else { return };
    if manifest.has_state() && fixture.size < 2 {
        root.reader().error(span_at_root(root, "/targets/fixture/size"), "state takes a `size` of 2".to_owned(), None);
    }
}

const RELIED: &Relied = &[(&["entry"], "")];
const KEPT: &Kept = &[];
