//! `[access] rate_limit` and `rate_limit_failure`: how often one caller may call, and whether each chosen cloud can
//! count so.

use super::reader::{Fields, parse_duration};
use super::sections::span_at_root;
use super::{Manifest, RateLimit, names, targets};

/// Seconds: a counter for longer than a day is a quota, which is another thing.
const LONGEST: u64 = 24 * 60 * 60;
const MOST: u64 = 1_000_000;

const UNITS: [(&str, u64); 4] = [("second", 1), ("minute", 60), ("hour", 60 * 60), ("day", LONGEST)];

pub fn rate_limit(access: &Fields<'_, '_>) -> Option<RateLimit> {
    let text = access.string("rate_limit");
    let failure = access.choice("rate_limit_failure", &["open", "closed"]);
    let Some(text) = text else {
        if failure.is_some() && access.item("rate_limit").is_none() {
            let hint = "add `rate_limit = \"60/minute\"`, or remove it".to_owned();
            let message = "`rate_limit_failure` has no effect: there is no `rate_limit`";
            access.reader().error(access.key_span("rate_limit_failure"), message, Some(hint));
        }
        return None;
    };
    let Some((calls, window)) = parse(&text) else {
        let message = format!("`access.rate_limit` is `{}`, which is not a rate", names::shown(&text));
        let hint = "write a number of calls and a window: `\"60/minute\"`, `\"1000/hour\"` or `\"10/10s\"`";
        access.error("rate_limit", message, Some(hint.into()));
        return None;
    };
    if !(1..=MOST).contains(&calls) {
        let message = format!("`access.rate_limit` allows {calls} calls; it must be from 1 to {MOST}");
        access.error("rate_limit", message, None);
    }
    if !(1..=LONGEST).contains(&window) {
        let message = format!("`access.rate_limit` counts in windows of {window} s; the longest is a day");
        access.error("rate_limit", message, None);
    }
    Some(RateLimit { calls, window, open: failure.as_deref() != Some("closed") })
}

/// `60/minute`, `10/10s`: calls and seconds.
fn parse(text: &str) -> Option<(u64, u64)> {
    let (calls, window) = text.split_once('/')?;
    let (calls, window) = (calls.trim(), window.trim());
    // `parse` alone would take a sign.
    let calls = calls.parse().ok().filter(|_| calls.bytes().all(|byte| byte.is_ascii_digit()))?;
    if let Some((_, seconds)) = UNITS.iter().find(|(unit, _)| *unit == window) {
        return Some((calls, *seconds));
    }
    let window = parse_duration(window)?;
    (window.subsec_nanos() == 0).then_some((calls, window.as_secs()))
}

/// Some clouds only count in certain windows.
pub fn expressible(root: &Fields<'_, '_>, manifest: &Manifest) {
    let Some(RateLimit { calls, window, .. }) = manifest.access.rate_limit else { return };
    for target in targets::chosen(&manifest.targets) {
        let windows = target.limits.rate_windows;
        if windows.is_empty() || windows.contains(&window) || !(1..=LONGEST).contains(&window) {
            continue;
        }
        let known = windows.iter().map(|window| format!("{window} s")).collect::<Vec<_>>().join(" or ");
        let message =
            format!("{} counts calls in windows of {known}; `access.rate_limit` has {window} s", target.title);
        let near = windows.iter().min_by_key(|known| known.abs_diff(window)).copied().unwrap_or(window);
        let instead = written((calls.saturating_mul(near) / window).max(1), near);
        let hint = format!(
            "the nearest that it can count is `rate_limit = \"{instead}\"`; or remove `[targets.{}]`",
            target.name
        );
        root.reader().error(span_at_root(root, "/access/rate_limit"), message, Some(hint));
    }
}

/// As the manifest would have it.
fn written(calls: u64, window: u64) -> String {
    match UNITS.iter().find(|(_, seconds)| *seconds == window) {
        Some((unit, _)) => format!("{calls}/{unit}"),
        None => format!("{calls}/{window}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        for (text, rate) in [
            ("60/minute", (60, 60)),
            ("5/second", (5, 1)),
            ("1000/hour", (1000, 3600)),
            ("1/day", (1, 86_400)),
            ("10/10s", (10, 10)),
            ("100 / 5m", (100, 300)),
            ("7/2h", (7, 7200)),
        ] {
            assert_eq!(parse(text), Some(rate), "{text}");
        }
        for text in
            ["", "60", "60/", "/minute", "60/minutes", "60 per minute", "-1/minute", "+1/minute", "1.5/s", "1/500ms"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn written_as_it_is_read() {
        for rate in [(60, 60), (5, 10), (1, 1), (3, 3600), (9, 86_400), (2, 7)] {
            assert_eq!(parse(&written(rate.0, rate.1)), Some(rate));
        }
    }
}
