//! The clouds' regions, so that a slip is found by `check` and not by a deployment; one that was opened since stays usable.

use crate::fault::Severity;
use crate::manifest::names::shown;
use crate::manifest::reader::{Fields, nearest};

/// The regions of AWS that an account can choose (botocore's list, 2026-11). China is told from a slip: it is refused elsewhere.
const AWS: [&str; 41] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "me-west-1",
    "mx-central-1",
    "sa-east-1",
    "sa-west-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// The last word of every region of AWS, those to come included.
const COMPASS: [&str; 9] =
    ["north", "south", "east", "west", "central", "northeast", "northwest", "southeast", "southwest"];

/// Vercel's regions (its documentation, 2026-11): the code of an airport, and a number.
const VERCEL: [&str; 20] = [
    "arn1", "bom1", "cdg1", "cle1", "cpt1", "dub1", "dxb1", "fra1", "gru1", "hkg1", "hnd1", "iad1", "icn1", "kix1",
    "lhr1", "pdx1", "sfo1", "sin1", "syd1", "yul1",
];

/// How bad an unknown name is, what is said of it, and a hint.
type Unknown = (Severity, String, String);

/// Every region of AWS in `regions`.
pub fn aws(fields: &Fields<'_, '_>) -> Vec<String> {
    read(fields, unknown_to_aws)
}

/// Every region of Vercel in `regions`.
pub fn vercel(fields: &Fields<'_, '_>) -> Vec<String> {
    read(fields, unknown_to_vercel)
}

fn read(fields: &Fields<'_, '_>, unknown: fn(&str) -> Option<Unknown>) -> Vec<String> {
    let mut regions = Vec::new();
    for (region, span) in fields.strings("regions").unwrap_or_default() {
        if regions.contains(&region) {
            fields.reader().error(span, format!("the region `{}` is listed twice", shown(&region)), None);
        } else if let Some((severity, message, hint)) = unknown(&region) {
            fields.reader().add(severity, span, message, Some(hint));
        }
        regions.push(region);
    }
    regions
}

/// An error only where AWS would never call a region so: there is no other way to name a new one.
fn unknown_to_aws(region: &str) -> Option<Unknown> {
    if AWS.contains(&region) {
        return None;
    }
    let name = shown(region);
    let near = nearest(region, AWS.into_iter().filter(|known| !known.starts_with("cn-")));
    if may_be_of_aws(region) {
        let near = near.map(|near| format!("{near} ")).unwrap_or_default();
        let hint = format!("{near}One that AWS has opened since can stay");
        return Some((Severity::Warning, format!("`{name}` is no AWS region that is known here"), hint));
    }
    let hint = near.unwrap_or_else(|| "write a region's code, such as `us-east-1`".to_owned());
    Some((Severity::Error, format!("`{name}` is no AWS region"), hint))
}

/// `nz-north-1`, `us-gov-central-1`.
fn may_be_of_aws(region: &str) -> bool {
    let parts: Vec<&str> = region.split('-').collect();
    let letters = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    let [place, between @ .., point, number] = parts.as_slice() else { return false };
    (place.len() == 2 || *place == "eusc")
        && between.len() <= 1
        && letters(place)
        && between.iter().all(|part| letters(part))
        && COMPASS.contains(point)
        && number.len() == 1
        && number.chars().all(|c| c.is_ascii_digit())
}

/// Any three letters may be an airport: what is a slip away from a known one is an error, because `overrides` can name it if it is none.
fn unknown_to_vercel(region: &str) -> Option<Unknown> {
    if VERCEL.contains(&region) {
        return None;
    }
    let name = shown(region);
    let lower = region.to_lowercase();
    let near = VERCEL.into_iter().find(|known| strsim::damerau_levenshtein(&lower, known) <= 1);
    let no_region = format!("`{name}` is no Vercel region");
    let not_known = format!("{no_region} that is known here");
    Some(match (near, is_of_vercel(region)) {
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

fn is_of_vercel(region: &str) -> bool {
    region.len() == 4
        && region.chars().take(3).all(|c| c.is_ascii_lowercase())
        && region.ends_with(|c: char| c.is_ascii_digit())
}
