//! `[targets.lambda.stack_set]`: one CloudFormation StackSet instead of a stack in each region.

use super::{Accounts, Front, Lambda, StackSet};
use crate::manifest::names;
use crate::manifest::reader::Fields;

pub fn stack_set(fields: &Fields<'_, '_>, base: Option<StackSet>) -> Option<StackSet> {
    let Some(table) = fields.fields("stack_set") else { return base };
    let hint = "name the buckets that hold the code, one in each region: `code_bucket = \"acme-code\"` for `acme-code-us-east-1`";
    let code_bucket = table.required_string("code_bucket", hint);
    if !code_bucket.is_empty() && !is_bucket(&code_bucket) {
        let message = format!("`{}` is not the beginning of a bucket's name", names::shown(&code_bucket));
        let hint = "3 to 47 small letters, digits and `-`; `-` and the region are added".to_owned();
        table.error("code_bucket", message, Some(hint));
    }
    let set = StackSet { code_bucket, accounts: accounts(&table) };
    table.finish();
    Some(set)
}

/// So that the longest region still fits into the 63 characters that a bucket's name may have.
fn is_bucket(name: &str) -> bool {
    (3..=47).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !name.ends_with('-')
}

fn accounts(table: &Fields<'_, '_>) -> Accounts {
    let is_unit = |text: &str| text.starts_with("ou-") || text.starts_with("r-");
    let ids = listed(table, "accounts", super::is_account, "not an AWS account", "write its 12 digits in quotes");
    let units = listed(
        table,
        "organizational_units",
        is_unit,
        "not an organizational unit",
        "write its ID, such as `ou-ab12-cdef3456`, or that of the root, such as `r-ab12`",
    );
    let delegated_admin = table.bool("delegated_admin").unwrap_or_default();
    let role = table.string("role");
    let others = !ids.is_empty() || !units.is_empty();
    if let Some(role) = role.as_deref().filter(|role| !is_role(role)) {
        let message = format!("`{}` is not the name of a role", names::shown(role));
        table.error(
            "role",
            message,
            Some("write its name alone, without `arn:…`; it is the same in every account".into()),
        );
    }
    match (others, &role) {
        (true, None) => {
            let message = format!("`{}` is missing", table.path_of("role"));
            let hint = "name the role that `ship` may assume in each account, such as `OrganizationAccountAccessRole`: it stores the secrets and asks where the server answers";
            table.reader().error(table.span(), message, Some(hint.into()));
        }
        (false, Some(_)) => {
            let hint = "remove it: the account that ships needs no role".to_owned();
            let message = "`role` has no effect without `accounts` or `organizational_units`";
            table.reader().error(table.key_span("role"), message, Some(hint));
        }
        _ => {}
    }
    if !ids.is_empty() && !units.is_empty() {
        let hint = "name accounts to use self-managed permissions, or units to use the organization's trusted access"
            .to_owned();
        let message = "`accounts` and `organizational_units` exclude each other";
        table.reader().error(table.key_span("organizational_units"), message, Some(hint));
    }
    if delegated_admin && units.is_empty() {
        let message = "`delegated_admin` has no effect without `organizational_units`";
        table.reader().error(table.key_span("delegated_admin"), message, Some("remove it".into()));
    }
    let role = role.unwrap_or_default();
    match (ids.is_empty(), units.is_empty()) {
        (true, true) => Accounts::Own,
        (false, _) => Accounts::Listed { ids, role },
        (true, false) => Accounts::Units { ids: units, role, delegated_admin },
    }
}

/// Letters, digits and `+=,.@_-`, as IAM allows them.
fn is_role(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c))
}

/// A list of identifiers, each once.
fn listed(
    table: &Fields<'_, '_>,
    key: &'static str,
    is_one: impl Fn(&str) -> bool,
    none: &str,
    hint: &str,
) -> Vec<String> {
    let Some(all) = table.strings(key) else { return Vec::new() };
    if all.is_empty() {
        let message = format!("`{}` must name at least one", table.path_of(key));
        table.error(key, message, Some(hint.to_owned()));
    }
    let mut found: Vec<String> = Vec::new();
    for (id, span) in all {
        if !is_one(&id) {
            let message = format!("`{}` is {none}", names::shown(&id));
            table.reader().error(span, message, Some(hint.to_owned()));
        } else if found.contains(&id) {
            table.reader().error(span, format!("`{id}` is listed twice"), None);
        }
        found.push(id);
    }
    found
}

/// What belongs to one account cannot be deployed to several.
pub fn check(fields: &Fields<'_, '_>, lambda: &Lambda) {
    if !lambda.stack_set.as_ref().is_some_and(StackSet::has_other_accounts) {
        return;
    }
    let span = |key: &str| fields.value_span(key).or_else(|| fields.value_span("stack_set"));
    if let Front::ApiGateway(gateway) = &lambda.front
        && gateway.domain.is_some()
    {
        let message = "a domain leads to one account, and the stack set deploys to several";
        let hint = "remove `domain`: each account has its own address".to_owned();
        fields.reader().error(span("domain"), message, Some(hint));
    }
    if lambda.vpc.is_some() {
        let message = "subnets are those of one account, and the stack set deploys to several";
        fields.reader().error(span("vpc"), message, Some("remove `vpc`".into()));
    }
}
