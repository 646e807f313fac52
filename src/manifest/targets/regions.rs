//! The regions that a cloud's table lists, so that a slip is found by `check` and not by a deployment.

use std::collections::HashSet;

use crate::fault::Severity;
use crate::manifest::names::shown;
use crate::manifest::reader::Fields;

/// How bad an unknown name is, what is said of it, and a hint.
pub type Unknown = (Severity, String, String);

/// Every region in `regions`, each once; `unknown` judges a name, and knows that a region may have been opened since.
pub fn read(fields: &Fields<'_, '_>, unknown: fn(&str) -> Option<Unknown>) -> Vec<String> {
    let mut regions = Vec::new();
    let mut seen = HashSet::new();
    for (region, span) in fields.strings("regions").unwrap_or_default() {
        if !seen.insert(region.clone()) {
            fields.reader().error(span, format!("the region `{}` is listed twice", shown(&region)), None);
        } else if let Some((severity, message, hint)) = unknown(&region) {
            fields.reader().add(severity, span, message, Some(hint));
        }
        regions.push(region);
    }
    regions
}
