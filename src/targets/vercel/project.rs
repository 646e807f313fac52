//! The project at Vercel: which one it is, whose it is, and how a new one comes to be with our mark on it.

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

use super::deploy::{NAME, NAMED, vercel};
use crate::files;
use crate::parallel;
use crate::process::{Cmd, ToolFailed};
use crate::targets::deployment::Context;
use crate::targets::ownership::{Found, Takes, VARIABLE, Whose};
use crate::ui::{self, Mark};

/// `.vercel/project.json`, or both variables, say which project it is.
pub fn is_linked(context: &Context<'_>) -> bool {
    let named = NAMED.iter().all(|name| std::env::var_os(name).is_some());
    (named && context.is_production()) || linked_file(context)["projectId"].is_string()
}

/// Where the CLI keeps which project a folder is linked to.
const LINK: &str = ".vercel/project.json";

fn linked_file(context: &Context<'_>) -> Value {
    let file = files::read(context.build.root, LINK, files::PARSED).unwrap_or_default();
    serde_json::from_str(&file).unwrap_or_default()
}

/// The team, if any, and the id or name of the project that commands go to.
fn place(context: &Context<'_>) -> Result<(String, String)> {
    if is_linked(context) {
        let linked = linked_file(context);
        let named = |variable: &str, key: &str| {
            let own = std::env::var(variable).ok().filter(|_| context.is_production());
            own.or_else(|| linked[key].as_str().map(str::to_owned)).unwrap_or_default()
        };
        return Ok((named(NAMED[0], "orgId"), named(NAMED[1], "projectId")));
    }
    let team = match std::env::var(NAMED[0]) {
        Ok(team) => team,
        // The one that linking would choose.
        Err(_) => login(context)?["team"]["id"].as_str().unwrap_or_default().to_owned(),
    };
    Ok((team, context.app().to_owned()))
}

/// Who we are and in which team, asked once a command.
pub fn login<'a>(context: &'a Context<'_>) -> Result<&'a Value> {
    if let Some(login) = context.login.get() {
        return Ok(login);
    }
    let outcome = context.ask(&vercel(context, &["whoami", "--format=json"]))?;
    let answer = serde_json::from_str(&outcome.stdout).context("`vercel whoami` did not answer with JSON")?;
    Ok(context.login.get_or_init(|| answer))
}

/// `/v9/projects…` of the team.
fn api(context: &Context<'_>, team: &str, path: &str) -> Cmd {
    let and = if path.contains('?') { '&' } else { '?' };
    let team = if team.starts_with("team_") { format!("{and}teamId={team}") } else { String::new() };
    vercel(context, &["api", &format!("{path}{team}")])
}

/// What the API answers; nothing where there is nothing.
fn get(context: &Context<'_>, team: &str, path: &str) -> Result<Option<Value>> {
    match context.ask(&api(context, team, path)) {
        Ok(outcome) => serde_json::from_str(&outcome.stdout).map(Some).context("`vercel api` did not answer with JSON"),
        Err(error) if ToolFailed::of(&error).is_some_and(|failed| failed.tail.contains("(404)")) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What the API says of the project.
pub fn asked(context: &Context<'_>, path: &str) -> Result<Value> {
    let (team, project) = place(context)?;
    get(context, &team, &format!("/v9/projects/{project}{path}"))?.context("there is no such project at Vercel")
}

/// The newest deployment to production.
pub fn newest_deployments(context: &Context<'_>) -> Result<Value> {
    let (team, project) = place(context)?;
    let path = format!("/v6/deployments?projectId={project}&target=production&limit=1");
    get(context, &team, &path)?.context("Vercel lists no deployments")
}

/// A project that is there, and where.
struct There {
    team: String,
    project: Value,
    found: Found,
}

fn there(context: &Context<'_>) -> Result<Option<There>> {
    let (team, project) = place(context)?;
    let path = format!("/v9/projects/{project}");
    let variables = format!("/v10/projects/{project}/env");
    let (asked, envs) = parallel::both(|| get(context, &team, &path), || get(context, &team, &variables));
    let Some(project) = asked? else { return Ok(None) };
    let envs = envs?.unwrap_or_default();
    let mark = envs["envs"].as_array().into_iter().flatten().find(|one| one["key"] == VARIABLE);
    // One that cannot be read is a mark too, and not ours.
    let mark = mark.map(|one| one["value"].as_str().unwrap_or_default().to_owned());
    let name = project["name"].as_str().unwrap_or(context.app()).to_owned();
    let id = project["id"].as_str().unwrap_or_default().to_owned();
    let mut found = Found::new(context, format!("the project `{name}` at Vercel"), &name, mark.as_deref(), || {
        let versions = context.recorded.iter().filter(|one| one.target == NAME).filter_map(|one| one.version.as_ref());
        versions.into_iter().any(|version| {
            let asked = get(context, &team, &format!("/v13/deployments/{version}"));
            asked.is_ok_and(|found| found.is_some_and(|found| found["projectId"] == id.as_str()))
        })
    });
    if found.whose == Whose::Foreign {
        let domains = get(context, &team, &format!("/v9/projects/{id}/domains"))?.unwrap_or_default();
        found.signs.extend(signs(&project, &domains));
        found.changes.push("its production deployment is replaced, and its domains lead to this server".to_owned());
        let count = envs["envs"].as_array().map_or(0, Vec::len);
        if count > 0 {
            found.changes.push(format!("its {count} variables reach this server"));
        }
    }
    Ok(Some(There { team, project, found }))
}

/// What tells whose a project is.
fn signs(project: &Value, domains: &Value) -> Vec<String> {
    let mut signs = Vec::new();
    let link = &project["link"];
    if let Some(repository) = link["repo"].as_str().or_else(|| link["projectName"].as_str()) {
        let owner = link["org"].as_str().or_else(|| link["owner"].as_str()).unwrap_or_default();
        let slash = if owner.is_empty() { "" } else { "/" };
        let host = link["type"].as_str().unwrap_or("a git host");
        signs.push(format!("its repository is {owner}{slash}{repository} at {host}"));
    }
    let names = domains["domains"].as_array().into_iter().flatten().filter_map(|domain| domain["name"].as_str());
    let names: Vec<&str> = names.collect();
    if !names.is_empty() {
        signs.push(format!("its domains are {}", names.join(", ")));
    }
    if let Some(millis) = project["createdAt"].as_u64() {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
        signs.push(format!("it was created at {}", humantime::format_rfc3339_seconds(time)));
    }
    signs
}

pub fn found(context: &Context<'_>) -> Result<Vec<Found>> {
    Ok(there(context)?.map(|there| there.found).into_iter().collect())
}

/// Whether there is a project to ask.
pub fn exists(context: &Context<'_>) -> Result<bool> {
    Ok(is_linked(context) || there(context)?.is_some())
}

/// Links the folder to the project, which is made when there is none: with the mark, so that it is never without one.
/// A stage's copy, or a fresh checkout, does not know its project yet.
pub fn ensure_linked(context: &Context<'_>) -> Result<()> {
    if is_linked(context) && context.takes == Takes::Nothing {
        return Ok(());
    }
    let step = ui::step("vercel: link the project");
    let done = link(context);
    step.end(if done.is_ok() { Mark::Good } else { Mark::Bad }, "");
    done
}

fn link(context: &Context<'_>) -> Result<()> {
    let mark = json!({
        "key": VARIABLE, "value": context.mark.to_string(), "type": "plain",
        // Production has no use for it, and a team may allow nothing but sensitive variables there.
        "target": ["development"],
    });
    let team = match there(context)? {
        None => {
            let (team, _) = place(context)?;
            let project =
                json!({ "name": context.app(), "framework": "node", "environmentVariables": [mark] }).to_string();
            let create = api(context, &team, "/v11/projects").args(["-X", "POST", "--input", "-"]).stdin(project);
            context.run(&create).context("cannot create the project at Vercel")?;
            team
        }
        Some(there) => {
            match there.found.whose {
                Whose::Ours => {}
                _ if context.takes != Takes::Nothing => {
                    let id = there.project["id"].as_str().unwrap_or_default();
                    let add = api(context, &there.team, &format!("/v10/projects/{id}/env?upsert=true"));
                    let add = add.args(["-X", "POST", "--input", "-"]).stdin(mark.to_string());
                    context.run(&add).context("cannot mark the project at Vercel")?;
                }
                // It came between the first look and this one.
                Whose::Recorded => {}
                Whose::Foreign => bail!(there.found.refusal().error()),
            }
            there.team
        }
    };
    if is_linked(context) {
        return Ok(());
    }
    let cmd = vercel(context, &["link", "--yes", "--project", context.app()]);
    let cmd = if team.is_empty() { cmd } else { cmd.args(["--scope", &team]) };
    context.run(&cmd).context("cannot link the project at Vercel").map(drop)
}

/// Deletes the project by its id: names are another matter in every team.
pub fn remove(context: &Context<'_>) -> Result<()> {
    let Some(there) = there(context)? else { bail!("there is no such project at Vercel (any more)") };
    if there.found.whose == Whose::Foreign {
        bail!("{}", there.found.refusal().message);
    }
    let id = there.project["id"].as_str().context("Vercel names no id of the project")?;
    let delete = api(context, &there.team, &format!("/v9/projects/{id}"));
    context
        .run(&delete.args(["-X", "DELETE", "--dangerously-skip-permissions"]))
        .context("cannot remove the project")?;
    // It leads nowhere any more.
    if files::is_there(context.build.root, LINK) {
        let folder = files::Folder::open(context.build.root).context("cannot open the project's folder")?;
        folder.remove_file(LINK).with_context(|| format!("cannot delete `{LINK}`"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_project_seems_to_be() {
        let project = json!({
            "createdAt": 1_795_000_000_000_u64,
            "link": { "type": "github", "org": "acme", "repo": "shop" },
        });
        let domains = json!({ "domains": [{ "name": "shop.vercel.app" }, { "name": "shop.example.com" }] });
        let told = signs(&project, &domains).join("; ");
        assert_eq!(
            told,
            "its repository is acme/shop at github; its domains are shop.vercel.app, shop.example.com; it was created at 2026-11-18T11:06:40Z"
        );
        assert_eq!(signs(&Value::Null, &Value::Null), Vec::<String>::new());
    }
}
