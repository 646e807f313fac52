//! Where functions run: a region, of one account or of several.

use std::fmt;

use anyhow::Result;
use serde_json::{Value, json};

use super::aws;
use crate::deployments::Deployment;
use crate::manifest::targets::lambda::{Accounts, StackSet};
use crate::targets::deployment::Context;

/// One region of one account.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    pub region: String,
    /// None: the account that ships.
    pub account: Option<Account>,
}

/// An account, and the role by which it is entered.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// 12 digits.
    pub id: String,
    pub role: String,
}

impl Place {
    /// In the account that ships.
    pub fn own(region: &str) -> Self {
        Place { region: region.to_owned(), account: None }
    }

    /// Where a deployment of the record is.
    pub fn of(deployment: &Deployment, region: &str) -> Self {
        let role = deployment.stack_set.as_ref().and_then(|member| member.role.clone());
        let account = deployment.account.clone().zip(role).map(|(id, role)| Account { id, role });
        Place { region: region.to_owned(), account }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => write!(f, "{} of the account {}", self.region, account.id),
            None => f.write_str(&self.region),
        }
    }
}

/// The manifest's regions.
pub fn regions<'a>(context: &'a Context<'_>) -> Vec<&'a str> {
    let lambda = context.build.manifest.targets.lambda.iter();
    lambda.flat_map(|lambda| lambda.regions.iter().map(String::as_str)).collect()
}

/// The manifest's stack set.
pub fn stack_set<'a>(context: &'a Context<'_>) -> Option<&'a StackSet> {
    context.build.manifest.targets.lambda.as_ref()?.stack_set.as_ref()
}

/// Every region of every account; AWS is asked for the accounts of organizational units.
pub fn places(context: &Context<'_>) -> Result<Vec<Place>> {
    let regions = regions(context);
    let (ids, role) = match stack_set(context).map(|set| &set.accounts) {
        None | Some(Accounts::Own) => return Ok(regions.into_iter().map(Place::own).collect()),
        Some(Accounts::Listed { ids, role }) => (ids.clone(), role),
        Some(Accounts::Units { ids, role, .. }) => {
            let answer = aws::ask(context, &Place::own(regions[0]), "accounts", json!({ "units": ids }))?;
            let found = answer["accounts"].as_array().into_iter().flatten();
            (found.filter_map(Value::as_str).map(str::to_owned).collect(), role)
        }
    };
    let place = |id: &String, region: &str| Place {
        region: region.to_owned(),
        account: Some(Account { id: id.clone(), role: role.clone() }),
    };
    Ok(ids.iter().flat_map(|id| regions.iter().map(move |region| place(id, region))).collect())
}
