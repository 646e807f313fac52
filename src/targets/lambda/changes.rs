//! What an update would do to a stack that is there: a change set is made, read, and only then carried out.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::found::text;
use super::place::Place;
use super::{aws, data};
use crate::targets::data_loss::{self, Loss};
use crate::targets::deployment::Context;
use crate::ui;

/// Whether a stack is there to be updated, and the change sets that it has.
pub struct Before {
    pub exists: bool,
    known: Value,
}

pub fn before(context: &Context<'_>, place: &Place) -> Result<Before> {
    let answer = aws::ask(context, place, "change_sets", json!({ "stack": context.app() }))?;
    Ok(Before { exists: answer["exists"] == true, known: answer["change_sets"].clone() })
}

/// The change set that was just made, after everything that it would lose was confirmed; none when nothing changes.
pub fn reviewed(context: &Context<'_>, place: &Place, before: &Before) -> Result<Option<String>> {
    let request = json!({ "stack": context.app(), "known": before.known, "mark": context.mark.to_string() });
    let answer = aws::ask(context, place, "changes", request)?;
    let Some(id) = answer["change_set"].as_str().map(str::to_owned) else { return Ok(None) };
    let changes: Vec<ResourceChange> =
        answer["changes"].as_array().into_iter().flatten().map(ResourceChange::of).collect();
    if context.takes == crate::targets::ownership::Takes::Foreign {
        changes.iter().for_each(|change| ui::say(format_args!("     {}", change.line())));
    }
    for kept in changes.iter().filter(|change| change.is_kept()) {
        ui::say(format_args!("{} ({}) leaves the stack in {place}, and stays with its data", kept.id, kept.kind));
    }
    let losses: Vec<Loss> = changes.iter().filter_map(|change| change.loss(place)).collect();
    if let Err(refused) = data_loss::confirm(context, &losses) {
        discard(context, place, &id)?;
        return Err(refused);
    }
    Ok(Some(id))
}

fn discard(context: &Context<'_>, place: &Place, id: &str) -> Result<()> {
    let request = json!({ "stack": context.app(), "change_set": id });
    aws::ask(context, place, "discard", request).context("cannot delete the change set").map(drop)
}

pub fn carry_out(context: &Context<'_>, place: &Place, id: &str) -> Result<()> {
    let request = json!({ "stack": context.app(), "change_set": id });
    let answer = aws::run(context, place, "carry_out_changes", request)?;
    match answer["status"].as_str() {
        Some("UPDATE_COMPLETE") => Ok(()),
        status => bail!("the stack's update ended as {}: {}", status.unwrap_or("unknown"), text(&answer["reason"])),
    }
}

/// One resource of a change set.
struct ResourceChange {
    action: String,
    id: String,
    kind: String,
    /// `True`, `False` or `Conditional`, which may turn out either way.
    replacement: String,
    /// What becomes of the resource that is there: `Delete`, `Retain`, `Snapshot`, `ReplaceAndDelete` …
    policy: String,
}

impl ResourceChange {
    fn of(value: &Value) -> Self {
        let [action, id, kind, replacement, policy] =
            ["action", "id", "type", "replacement", "policy"].map(|key| text(&value[key]));
        ResourceChange { action, id, kind, replacement, policy }
    }

    fn is_gone(&self) -> bool {
        let is_replaced = self.action == "Modify" && matches!(self.replacement.as_str(), "True" | "Conditional");
        // `Dynamic`: nobody knows before it is carried out.
        self.action == "Remove" || self.action == "Dynamic" || is_replaced
    }

    fn is_kept(&self) -> bool {
        self.is_gone() && data::is_data(&self.kind) && self.policy.ends_with("Retain")
    }

    fn loss(&self, place: &Place) -> Option<Loss> {
        if !self.is_gone() || !data::is_data(&self.kind) || self.is_kept() {
            return None;
        }
        let (id, kind) = (&self.id, &self.kind);
        let fate = match (self.action.as_str(), self.replacement.as_str()) {
            ("Remove", _) => "is deleted",
            ("Modify", "True") => "is replaced by an empty one",
            _ => "may be replaced by an empty one",
        };
        let snapshot = if self.policy.ends_with("Snapshot") { ", after a snapshot of it" } else { "" };
        Some(Loss { name: id.clone(), what: format!("{id} ({kind}) in {place} {fate}{snapshot}") })
    }

    fn line(&self) -> String {
        let how = match (self.action.as_str(), self.replacement.as_str()) {
            ("Modify", "True") => "replaces",
            ("Modify", "Conditional") => "may replace",
            ("Modify", _) => "changes",
            ("Remove", _) => "removes",
            _ => "adds",
        };
        format!("{how} {} ({})", self.id, self.kind)
    }
}

/// What an update of a stack set would lose: no change set tells, so the templates are compared.
pub fn of_templates(old: &Value, new: &Value) -> Vec<Loss> {
    let mut losses = Vec::new();
    for (id, resource) in old["Resources"].as_object().into_iter().flatten() {
        let (kind, wanted) = (text(&resource["Type"]), &new["Resources"][id]);
        let policy = |name: &str| text(&resource[name]);
        let (fate, policy) = if wanted["Type"] != kind.as_str() {
            ("is deleted", policy("DeletionPolicy"))
        } else if without_tags(&wanted["Properties"]) != without_tags(&resource["Properties"]) {
            ("may be replaced by an empty one", policy("UpdateReplacePolicy"))
        } else {
            continue;
        };
        if data::is_data(&kind) && !policy.starts_with("Retain") {
            losses.push(Loss { name: id.clone(), what: format!("{id} ({kind}) {fate}, in every stack of the set") });
        }
    }
    losses
}

fn without_tags(properties: &Value) -> Value {
    let mut properties = properties.clone();
    if let Some(fields) = properties.as_object_mut() {
        fields.remove("Tags");
        // The retention does not say which group has the lines.
        fields.remove("RetentionInDays");
    }
    properties
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(action: &str, kind: &str, replacement: &str, policy: &str) -> Option<String> {
        let change = json!({ "action": action, "id": "X", "type": kind, "replacement": replacement, "policy": policy });
        let change = ResourceChange::of(&change);
        change.loss(&Place::own("eu-west-1")).map(|loss| loss.what)
    }

    #[test]
    fn what_a_change_set_loses() {
        let table = "AWS::DynamoDB::Table";
        let lost = |how: &str| Some(format!("X (AWS::DynamoDB::Table) in eu-west-1 {how}"));
        assert_eq!(loss("Remove", table, "", "Delete"), lost("is deleted"));
        // An API that says nothing of a policy is taken at its worst.
        assert_eq!(loss("Remove", table, "", ""), lost("is deleted"));
        assert_eq!(loss("Modify", table, "True", "ReplaceAndDelete"), lost("is replaced by an empty one"));
        assert_eq!(loss("Modify", table, "Conditional", ""), lost("may be replaced by an empty one"));
        assert_eq!(loss("Remove", table, "", "Snapshot"), lost("is deleted, after a snapshot of it"));
        for (action, replacement, policy) in [
            ("Add", "", ""),
            ("Modify", "False", ""),
            ("Remove", "", "Retain"),
            ("Modify", "True", "ReplaceAndRetain"),
            ("Import", "", ""),
        ] {
            assert_eq!(loss(action, table, replacement, policy), None, "{action} {replacement} {policy}");
        }
        assert_eq!(loss("Remove", "AWS::Lambda::Version", "", "Delete"), None);
    }

    #[test]
    fn what_an_update_of_a_stack_set_loses() {
        let table = |deletion: &str, replace: &str, key: &str| {
            json!({
                "Type": "AWS::DynamoDB::Table", "DeletionPolicy": deletion, "UpdateReplacePolicy": replace,
                "Properties": { "KeySchema": key, "Tags": [key] },
            })
        };
        let template =
            |resource: Value| json!({ "Resources": { "Orders": resource, "F": { "Type": "AWS::Lambda::Function" } } });
        let old = template(table("Delete", "Delete", "a"));
        let names = |new: &Value| of_templates(&old, new).into_iter().map(|loss| loss.name).collect::<Vec<_>>();
        assert_eq!(names(&old), Vec::<String>::new());
        assert_eq!(names(&json!({ "Resources": {} })), ["Orders"], "a function has no data");
        assert_eq!(names(&template(table("Delete", "Delete", "b"))), ["Orders"]);
        assert_eq!(names(&template(json!({ "Type": "AWS::S3::Bucket" }))), ["Orders"]);
        let kept = template(table("Retain", "Retain", "a"));
        assert_eq!(of_templates(&kept, &json!({ "Resources": {} })), []);
        assert_eq!(of_templates(&kept, &old), []);
        let mut tagged = old.clone();
        tagged["Resources"]["Orders"]["Properties"]["Tags"] = json!(["z"]);
        assert_eq!(of_templates(&old, &tagged), []);
    }
}
