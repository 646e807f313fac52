//! `[targets.vercel]`: the function, where it runs and for how long.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::overrides::{Relied, overrides};
use super::regions::{Unknown, read as read_regions};
use super::{CloudLimits, Facts, Format, stores};
use crate::fault::Severity;
use crate::manifest::Manifest;
use crate::manifest::names::shown;
use crate::manifest::reader::Fields;
use crate::manifest::sections::span_at_root;

/// Seconds: the longest that a function may run.
const LONGEST: u64 = 800;

pub static FACTS: Facts = Facts {
    name: "vercel",
    title: "Vercel",
    limits: CloudLimits {
        timeout: Some(Duration::from_secs(LONGEST)),
        body: 4_500_000,
        result: 4_500_000,
        rate_windows: &[],
    },
    file: "vercel.json",
    format: Format::Json,
    outputs: &[".vercelignore", "public/robots.txt", "vercel.json"],
    leftovers: &[".vercel"],
    store: |_| &stores::UPSTASH,
    reserved: &[("VERCEL", "Vercel")],
    unasked: true,
    chosen: |targets| targets.vercel.is_some(),
    domains: |_| Vec::new(),
    overrides: |targets| targets.vercel.as_ref().map(|vercel| &vercel.overrides),
    read: |fields, targets| targets.vercel = Some(vercel(fields, targets.vercel.take().unwrap_or_default())),
    disinherit: |_| (),
    check: function_durations,
    schema,
};

#[derive(Debug, Clone, Default)]
pub struct Vercel {
    /// Empty: Vercel's default region.
    pub regions: Vec<String>,
    /// Seconds; as long as the longest tool needs when not set.
    pub max_duration: Option<u64>,
    /// Megabytes; Vercel's own choice when not set.
    pub memory: Option<u64>,
    /// Whether mcp-handler speaks the protocol, in place of the generated server.
    pub mcp_handler: bool,
    /// Merged into `vercel.json`.
    pub overrides: Map<String, Value>,
}

fn vercel(fields: &Fields<'_, '_>, base: Vercel) -> Vercel {
    let regions = read_regions(fields, unknown_region);
    let vercel = Vercel {
        regions: if regions.is_empty() { base.regions } else { regions },
        max_duration: fields.integer("max_duration", 1..=LONGEST as i64).or(base.max_duration),
        memory: fields.integer("memory", 128..=10_240).or(base.memory),
        mcp_handler: fields.choice("adapter", &ADAPTERS).map_or(base.mcp_handler, |adapter| adapter == MCP_HANDLER),
        overrides: overrides(fields, base.overrides, RELIED, &[]),
    };
    super::no_websocket(fields, "Vercel's functions");
    fields.finish();
    vercel
}

/// A function that ends before its longest tool may would be an outage of that tool.
fn function_durations(root: &Fields<'_, '_>, manifest: &Manifest) {
    let Some(duration) = manifest.targets.vercel.as_ref().and_then(|vercel| vercel.max_duration) else { return };
    let longest = manifest.longest_timeout().as_secs_f64().ceil() as u64;
    if duration < longest {
        let message = format!("`max_duration` is {duration} s, but a handler may take {longest} s");
        let hint = format!("write at least {longest}, or shorten the timeouts");
        root.reader().error(span_at_root(root, "/targets/vercel/max_duration"), message, Some(hint));
    }
}

/// What speaks the protocol: the generated server, or Vercel's package.
const ADAPTERS: [&str; 2] = ["none", MCP_HANDLER];
const MCP_HANDLER: &str = "mcp-handler";

/// Its part of the JSON Schema.
fn schema() -> Value {
    json!({
        "adapter": { "enum": ADAPTERS, "description": "What speaks the protocol: the generated server, or Vercel's package mcp-handler." },
        "regions": { "type": "array", "items": { "type": "string" }, "description": "Vercel regions, such as iad1." },
        "max_duration": { "type": "integer", "minimum": 1, "maximum": LONGEST, "description": "Seconds." },
        "memory": { "type": "integer", "description": "Megabytes." },
    })
}

/// What mcp-deploy itself relies on in `vercel.json`.
const RELIED: &Relied = &[
    (&["buildCommand"], ""),
    (&["builds"], ""),
    (&["framework"], ""),
    (&["functions", "dist/vercel/server.mjs", "runtime"], ""),
    (&["outputDirectory"], ""),
];

/// Vercel's regions (its documentation, 2026-11): the code of an airport, and a number.
const REGIONS: [&str; 20] = [
    "arn1", "bom1", "cdg1", "cle1", "cpt1", "dub1", "dxb1", "fra1", "gru1", "hkg1", "hnd1", "iad1", "icn1", "kix1",
    "lhr1", "pdx1", "sfo1", "sin1", "syd1", "yul1",
];

/// Any three letters may be an airport. One letter away from a known one is an error: `overrides` can name a real one.
fn unknown_region(region: &str) -> Option<Unknown> {
    if REGIONS.contains(&region) {
        return None;
    }
    let name = shown(region);
    let lower = region.to_lowercase();
    let near = REGIONS.into_iter().find(|known| strsim::damerau_levenshtein(&lower, known) <= 1);
    let no_region = format!("`{name}` is not a Vercel region");
    let not_known = format!("`{name}` is not a known Vercel region");
    Some(match (near, may_be_a_region(region)) {
        (Some(near), true) => {
            let overrides = format!("`overrides = {{ regions = [\"{name}\"] }}`");
            let hint = format!("did you mean `{near}`? One that Vercel has opened since goes into {overrides}");
            (Severity::Error, not_known, hint)
        }
        (None, true) => {
            let hint = "One that Vercel has opened since can stay; all others: https://vercel.com/docs/regions";
            (Severity::Warning, not_known, hint.to_owned())
        }
        (Some(near), false) => (Severity::Error, no_region, format!("did you mean `{near}`?")),
        (None, false) => (Severity::Error, no_region, "write a region's code, such as `iad1`".to_owned()),
    })
}

fn may_be_a_region(region: &str) -> bool {
    region.len() == 4
        && region.chars().take(3).all(|c| c.is_ascii_lowercase())
        && region.ends_with(|c: char| c.is_ascii_digit())
}
