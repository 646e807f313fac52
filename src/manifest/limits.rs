//! `[limits]`: what one request may cost, and what each chosen cloud lets it cost.

use std::time::Duration;

use super::reader::Fields;
use super::sections::span_at_root;
use super::targets::{self, Facts};
use super::{Limits, Manifest};

/// Below it there is hardly room for the link to the rest of a result.
const SMALLEST_RESULT: u64 = 16 << 10;

pub fn limits(root: &Fields<'_, '_>) -> Limits {
    let mut limits = Limits {
        timeout: Duration::from_secs(25),
        max_body: 1 << 20,
        // Some 300,000 tokens: models and clients refuse it long before a cloud would.
        max_result: 1 << 20,
        max_input_elements: 50_000,
        bundle_kb: None,
    };
    if let Some(fields) = root.fields("limits") {
        limits.timeout = fields.duration("timeout").unwrap_or(limits.timeout);
        limits.max_body = fields.size("max_body").unwrap_or(limits.max_body);
        limits.max_result = fields.size("max_result").unwrap_or(limits.max_result);
        if limits.max_result < SMALLEST_RESULT {
            let message = format!("`limits.max_result` is {} bytes; it must be at least 16 KiB", limits.max_result);
            fields.error(
                "max_result",
                message,
                Some("the server refuses longer results: leave room for an answer".into()),
            );
        }
        limits.max_input_elements =
            fields.integer("max_input_elements", 1..=10_000_000).unwrap_or(limits.max_input_elements);
        limits.bundle_kb = fields.integer("bundle_kb", 1..=1_000_000);
        fields.finish();
    }
    limits
}

impl Manifest {
    /// Whether a resource has variables that say which part of it is meant.
    pub fn reads_in_parts(&self) -> bool {
        self.resources.iter().filter_map(|resource| resource.variables.as_ref()).flatten().any(|one| one.optional)
    }
}

/// What is above the limits of a chosen cloud.
pub fn platforms(root: &Fields<'_, '_>, manifest: &Manifest) {
    for target in targets::chosen(&manifest.targets) {
        timeouts(root, manifest, target);
        sizes(root, manifest, target);
    }
}

fn timeouts(root: &Fields<'_, '_>, manifest: &Manifest, target: &Facts) {
    let Some(allowed) = target.limits.timeout else { return };
    let complain = |pointer: &str, what: &str| {
        let message = format!("{what} is longer than the {} s that {} allows", allowed.as_secs(), target.title);
        let hint = format!("shorten it, or remove `[targets.{}]`", target.name);
        root.reader().error(span_at_root(root, pointer), message, Some(hint));
    };
    if manifest.limits.timeout > allowed {
        complain("/limits/timeout", "`limits.timeout`");
    }
    for tool in manifest.tools.iter().filter(|tool| tool.timeout.is_some_and(|timeout| timeout > allowed)) {
        complain(&format!("/tools/{}/timeout", tool.name), &format!("the timeout of `{}`", tool.name));
    }
}

fn sizes(root: &Fields<'_, '_>, manifest: &Manifest, target: &Facts) {
    let (limits, allowed) = (&manifest.limits, &target.limits);
    let rows = [
        ("max_body", limits.max_body, allowed.body, "accepts"),
        ("max_result", limits.max_result, allowed.result, "can be relied on to send"),
    ];
    for (key, wanted, allowed, does) in rows {
        if wanted > allowed {
            let message = format!("`limits.{key}` is above the {allowed} bytes that {} {does}", target.title);
            let hint = format!("lower it, or remove `[targets.{}]`", target.name);
            root.reader().error(span_at_root(root, &format!("/limits/{key}")), message, Some(hint));
        }
    }
}
