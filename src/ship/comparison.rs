//! Whether every server gave the same answers to the calls that the user asked for.

use serde_json::Value;

use super::local::shortened;
use crate::probe::{Answer, Era, Report};
use crate::ui::{self, Mark};

/// Compares what several servers answered to each call, within one protocol generation: that the generations agree is a
/// check of each server's own. Prints what came of it; `None` when there is nothing to compare.
pub fn compare(servers: &[(String, &Report)]) -> Option<bool> {
    let mut calls: Vec<&Answer> = Vec::new();
    for answer in servers.iter().flat_map(|(_, report)| &report.answers) {
        if !calls.iter().any(|known| is_same_call(known, answer)) {
            calls.push(answer);
        }
    }
    let judged: Vec<bool> = calls.iter().filter_map(|call| judge(call, servers)).collect();
    (!judged.is_empty()).then(|| judged.iter().all(|alike| *alike))
}

fn is_same_call(one: &Answer, other: &Answer) -> bool {
    one.name == other.name && one.arguments == other.arguments
}

fn judge(call: &Answer, servers: &[(String, &Report)]) -> Option<bool> {
    let answers: Vec<(&str, &Answer)> = servers
        .iter()
        .flat_map(|(place, report)| report.answers.iter().map(move |answer| (place.as_str(), answer)))
        .filter(|(_, answer)| is_same_call(call, answer))
        .collect();
    // What a tool reports as its error is a failed check already.
    if answers.iter().any(|(_, answer)| answer.result["isError"] == true) {
        return None;
    }
    let asked = format!("`{} {}`", call.name, call.arguments);
    if answers.iter().any(|(_, answer)| answer.varies) {
        ui::mark(
            Mark::Skipped,
            format_args!("{asked} is answered differently every time, so there is nothing to compare"),
        );
        return None;
    }
    let mut places: Vec<&str> = answers.iter().map(|(place, _)| *place).collect();
    places.dedup();
    if places.len() < 2 {
        return None;
    }
    for era in [Era::Modern, Era::Legacy] {
        let groups = groups(answers.iter().filter(|(_, answer)| answer.era == era));
        if groups.len() > 1 {
            ui::mark(Mark::Bad, format_args!("{asked} is not answered alike:"));
            for (result, places) in groups {
                ui::say(format_args!("     {}: {}", places.join(", "), told(&result)));
            }
            ui::hint_below(
                "a handler must not depend on its cloud; where the answer changes by itself, as a clock's does, add `--no-compare`",
            );
            return Some(false);
        }
    }
    let (count, servers, answer) = (answers.len(), places.len(), told(&comparable(&call.result)));
    ui::mark(Mark::Good, format_args!("{asked} is answered alike {count} times, by {servers} servers: {answer}"));
    Some(true)
}

/// The different results, each with who gave it.
fn groups<'a>(answers: impl Iterator<Item = &'a (&'a str, &'a Answer)>) -> Vec<(Value, Vec<&'a str>)> {
    let mut groups: Vec<(Value, Vec<&str>)> = Vec::new();
    for (place, answer) in answers {
        let result = comparable(&answer.result);
        match groups.iter_mut().find(|(known, _)| *known == result) {
            Some((_, places)) => places.push(place),
            None => groups.push((result, vec![place])),
        }
    }
    groups
}

/// The result without the envelope's own fields.
fn comparable(result: &Value) -> Value {
    let mut result = result.clone();
    if let Some(fields) = result.as_object_mut() {
        fields.remove("_meta");
        fields.remove("resultType");
    }
    result
}

fn told(result: &Value) -> String {
    shortened(&result.get("structuredContent").unwrap_or(result).to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::probe::Counts;

    fn report(answers: &[(Era, Value)]) -> Report {
        let answers = answers.iter().map(|(era, result)| Answer {
            name: "roll".into(),
            arguments: json!({}),
            era: *era,
            result: result.clone(),
            varies: false,
        });
        Report {
            url: String::new(),
            checks: Vec::new(),
            answers: answers.collect(),
            tools: None,
            counts: Counts::default(),
        }
    }

    fn compared(reports: &[Report]) -> Option<bool> {
        let named: Vec<_> = reports.iter().enumerate().map(|(at, report)| (format!("cloud {at}"), report)).collect();
        compare(&named)
    }

    #[test]
    fn servers_are_compared_within_a_generation() {
        let six = || json!({ "structuredContent": 6, "_meta": { "a": 1 }, "resultType": "complete" });
        let wrapped = || json!({ "structuredContent": { "result": 6 } });
        let both = || report(&[(Era::Modern, six()), (Era::Legacy, wrapped())]);
        assert_eq!(compared(&[both(), both(), both()]), Some(true));
        assert_eq!(compared(&[both()]), None, "one alone");
        assert_eq!(compared(&[report(&[]), report(&[])]), None, "no call");
        let five = report(&[(Era::Modern, json!({ "structuredContent": 5 })), (Era::Legacy, wrapped())]);
        assert_eq!(compared(&[both(), five]), Some(false));
        let old = report(&[(Era::Modern, six()), (Era::Legacy, six())]);
        assert_eq!(compared(&[both(), both(), old]), Some(false));
    }

    #[test]
    fn what_fails_or_varies_by_itself_is_not_compared() {
        let failed = report(&[(Era::Modern, json!({ "isError": true, "content": [] }))]);
        let fine = report(&[(Era::Modern, json!({ "structuredContent": 1 }))]);
        assert_eq!(compared(&[fine, failed]), None);
        let mut dice = report(&[(Era::Modern, json!({ "structuredContent": 1 }))]);
        dice.answers[0].varies = true;
        assert_eq!(compared(&[dice, report(&[(Era::Modern, json!({ "structuredContent": 2 }))])]), None);
    }
}
