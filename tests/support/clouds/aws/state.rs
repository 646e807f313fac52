//! What an account holds, region by region.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::super::time::iso_8601;
use super::ACCOUNT;
use super::function::Function;
use super::s3::Buckets;
use super::stack::{ChangeSet, Stack};
use super::stack_sets::StackSet;

#[derive(Default)]
pub struct State {
    /// Of the account that ships by the region's name, of others by `ACCOUNT/REGION`.
    pub regions: BTreeMap<String, Region>,
    pub organization: Organization,
    pub break_next: bool,
    counter: u64,
}

/// AWS Organizations, and which accounts let the one that ships in.
#[derive(Default)]
pub struct Organization {
    pub management: String,
    /// Accounts by organizational unit.
    pub units: BTreeMap<String, Vec<String>>,
    /// The role by which each account can be entered.
    pub roles: BTreeMap<String, String>,
}

#[derive(Default)]
pub struct Region {
    pub name: String,
    pub account: String,
    pub buckets: Buckets,
    /// Deleted ones keep their place under their id.
    pub stacks: BTreeMap<String, Stack>,
    pub deleted: Vec<Stack>,
    pub change_sets: Vec<ChangeSet>,
    pub functions: BTreeMap<String, Function>,
    pub logs: BTreeMap<String, Vec<LogEvent>>,
    pub secrets: BTreeMap<String, Secret>,
    pub parameters: BTreeMap<String, String>,
    /// Policies by the ARN of the role.
    pub roles: BTreeMap<String, Value>,
    /// REST APIs, by id: their OpenAPI documents.
    pub apis: BTreeMap<String, Value>,
    /// Custom domains of REST APIs: the region's own name of each, and the API that is mapped to it.
    pub domains: BTreeMap<String, (String, Option<String>)>,
    /// Those that were made in this region, by name.
    pub stack_sets: BTreeMap<String, StackSet>,
    /// Logical ids that cannot be made the next time, with the reason.
    pub refuse: BTreeMap<String, String>,
}

#[derive(Clone)]
pub struct LogEvent {
    pub time: u64,
    pub message: String,
}

#[derive(Clone, Debug, Default)]
pub struct Secret {
    pub arn: String,
    pub value: Option<String>,
    /// Another one with every value that is put.
    pub version: u32,
    /// The name that was chosen for the version.
    pub token: Option<String>,
    /// Can be restored for some days.
    pub deleted: bool,
    pub description: String,
    pub tags: BTreeMap<String, String>,
}

impl Secret {
    pub fn new(arn: String, value: Option<String>) -> Self {
        Secret { arn, value, version: 1, ..Secret::default() }
    }

    pub fn version_id(&self) -> String {
        let counted = || format!("00000000-0000-4000-8000-{:012}", self.version);
        self.token.clone().unwrap_or_else(counted)
    }
}

impl State {
    /// `REGION`, or `ACCOUNT/REGION`.
    pub fn region(&mut self, place: &str) -> &mut Region {
        let region = self.regions.entry(place.to_owned()).or_default();
        let (account, name) = place.split_once('/').unwrap_or((ACCOUNT, place));
        (region.account, region.name) = (account.to_owned(), name.to_owned());
        region
    }

    /// The key by which [`State::region`] knows a region of an account.
    pub fn place(account: &str, region: &str) -> String {
        if account == ACCOUNT { region.to_owned() } else { format!("{account}/{region}") }
    }

    pub fn uuid(&mut self) -> String {
        self.counter += 1;
        let digest = Sha256::digest(self.counter.to_le_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
    }
}

impl Region {
    pub fn stack(&self, name_or_id: &str) -> Option<&Stack> {
        let own = self.stacks.get(name_or_id).or_else(|| self.stacks.values().find(|stack| stack.id == name_or_id));
        own.or_else(|| self.deleted.iter().find(|stack| stack.id == name_or_id))
    }

    /// By its id, or by its name and its stack.
    pub fn change_set(&self, name_or_id: &str, stack: &str) -> Option<&ChangeSet> {
        let stack = self.stack(stack).map_or(stack, |stack| stack.name.as_str());
        let is_meant =
            |change: &&ChangeSet| change.id == name_or_id || (change.name == name_or_id && change.stack == stack);
        self.change_sets.iter().rev().find(is_meant)
    }
}

pub fn now_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

pub fn now() -> String {
    let millis = now_millis();
    format!("{}.{:03}Z", iso_8601(millis / 1000), millis % 1000)
}
