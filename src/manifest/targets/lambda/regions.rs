//! The regions of AWS; one that was opened since stays usable.

use crate::fault::Severity;
use crate::manifest::names::shown;
use crate::manifest::reader::{Fields, nearest};
use crate::manifest::targets::regions::{Unknown, read};

/// The regions of AWS that an account can choose (botocore's list, 2026-11). China is not a typing error: another place
/// refuses it.
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

/// Every region of AWS in `regions`.
pub fn aws(fields: &Fields<'_, '_>) -> Vec<String> {
    read(fields, unknown_to_aws)
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
        return Some((Severity::Warning, format!("`{name}` is not a known AWS region"), hint));
    }
    let hint = near.unwrap_or_else(|| "write a region's code, such as `us-east-1`".to_owned());
    Some((Severity::Error, format!("`{name}` is not an AWS region"), hint))
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
