//! Uploads and deployments, and what the public addresses show of them.

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::super::http::{Request, Response, lock};
use super::super::site::{Route, Site};
use super::state::{Deployment, now};
use super::{Answer, Shared, TEAM_SLUG, error, runtime};

impl Shared {
    /// A file is known by its SHA-1, and refused when it is another one.
    pub(super) fn upload(&self, request: &Request) -> Answer {
        let digest: String = Sha1::digest(&request.body).iter().map(|byte| format!("{byte:02x}")).collect();
        let claimed = request.header("x-now-digest").or_else(|| request.header("x-vercel-digest"));
        if claimed != Some(digest.as_str()) {
            return Err(error(400, "invalid_digest", "The digest does not match the content of the file"));
        }
        lock(&self.state).files.insert(digest, request.body.clone());
        Ok(json!({ "urls": [] }))
    }

    pub(super) fn deployments(&self, method: &str, path: &[&str], request: &Request) -> Answer {
        match (method, path) {
            ("POST", []) => self.create_deployment(request),
            ("GET", []) => self.list(request),
            ("GET", [id]) => self.with_deployment(id, |deployment| Ok(deployment.json())),
            ("GET", [_, "events"]) => Ok(json!([])),
            ("GET", [_, "builds"]) => Ok(json!({ "builds": [] })),
            ("GET", [id, "aliases"]) => self.with_deployment(id, |deployment| {
                let alias =
                    |alias: &String| json!({ "uid": alias, "alias": alias, "created": "2026-11-23T06:00:00.000Z" });
                Ok(json!({ "aliases": deployment.alias.iter().map(alias).collect::<Vec<_>>() }))
            }),
            ("DELETE", [id]) => self.delete_deployment(id),
            _ => Err(error(404, "not_found", &format!("the stand-in does not know {method} {}", request.path))),
        }
    }

    fn with_deployment<T>(
        &self,
        id: &str,
        then: impl FnOnce(&Deployment) -> Result<T, Response>,
    ) -> Result<T, Response> {
        let state = lock(&self.state);
        let missing = || error(404, "not_found", &format!("Can't find the deployment \"{id}\""));
        then(state.deployment(id).ok_or_else(missing)?)
    }

    fn list(&self, request: &Request) -> Answer {
        let state = lock(&self.state);
        let wanted = |deployment: &&Deployment| request.query("projectId").is_none_or(|id| id == deployment.project);
        let deployments: Vec<Value> = state.deployments.iter().rev().filter(wanted).map(Deployment::json).collect();
        Ok(
            json!({ "deployments": deployments, "pagination": { "count": deployments.len(), "next": null, "prev": null } }),
        )
    }

    fn create_deployment(&self, request: &Request) -> Answer {
        let body = request.json();
        let command = body["projectSettings"]["buildCommand"].as_str().unwrap_or_default();
        if command.len() > 256 {
            let message = "Invalid request: `projectSettings.buildCommand` should NOT be longer than 256 characters.";
            return Err(error(400, "bad_request", message));
        }
        let files: Vec<(String, String, u32)> = body["files"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|file| {
                let text = |field: &str| file[field].as_str().unwrap_or_default().to_owned();
                let mode = u32::try_from(file["mode"].as_u64().unwrap_or(0o644)).unwrap_or(0o644);
                (text("file"), text("sha"), mode)
            })
            .collect();
        let project = body["project"].as_str().or_else(|| body["name"].as_str()).unwrap_or_default().to_owned();
        let (deployment, name) = {
            let mut state = lock(&self.state);
            let missing: Vec<&String> =
                files.iter().map(|(_, sha, _)| sha).filter(|sha| !state.files.contains_key(*sha)).collect();
            if !missing.is_empty() {
                let error = json!({ "code": "missing_files", "message": "Missing files", "missing": missing });
                return Err(Response::json(400, &json!({ "error": error })));
            }
            let (id, hash) = (state.id(), state.id());
            let broken = std::mem::take(&mut state.break_next);
            let error_message = state.refuse_next.take();
            let target = body["target"].as_str().map(str::to_owned);
            let project = state.project_mut(&project).ok_or_else(|| error(404, "not_found", "Project not found."))?;
            let wanted = target.clone().unwrap_or_else(|| "preview".to_owned());
            let environment = project.variables.iter().filter(|variable| variable.target.contains(&wanted));
            let environment = environment.map(|variable| (variable.key.clone(), variable.value.clone())).collect();
            let goes_live = wanted == "production" && project.assigns_domain && error_message.is_none();
            let alias = if goes_live { project.domains().to_vec() } else { project.domains()[1..].to_vec() };
            let deployment = Deployment {
                id: format!("dpl_{id}"),
                project: project.id.clone(),
                name: project.name.clone(),
                url: format!("{}-{}-{TEAM_SLUG}.vercel.app", project.name, &hash[..9]),
                target,
                created: now(),
                error: error_message,
                alias,
                files,
                environment,
                broken,
                meta: body["meta"].clone(),
            };
            let name = project.name.clone();
            if goes_live {
                project.production = Some(deployment.id.clone());
            }
            state.deployments.push(deployment.clone());
            (deployment, name)
        };
        self.refresh(&name);
        // How it ends is asked for afterwards.
        let mut answer = deployment.json();
        for (field, value) in
            [("readyState", json!("BUILDING")), ("status", json!("BUILDING")), ("state", json!("BUILDING"))]
        {
            answer[field] = value;
        }
        for field in ["aliasAssigned", "errorCode", "errorMessage", "ready"] {
            answer[field] = Value::Null;
        }
        Ok(answer)
    }

    fn delete_deployment(&self, id: &str) -> Answer {
        let mut state = lock(&self.state);
        let found = state.deployment(id).map(|deployment| (deployment.id.clone(), deployment.url.clone()));
        let (id, url) = found.ok_or_else(|| error(404, "not_found", "The deployment was not found"))?;
        state.deployments.retain(|deployment| deployment.id != id);
        self.hosts.withdraw(&url);
        Ok(json!({ "uid": id, "state": "DELETED" }))
    }

    pub(super) fn aliases(&self) -> Value {
        let state = lock(&self.state);
        let live = state.projects.values().filter_map(|project| Some((project, project.production.as_ref()?)));
        let alias = |(project, id): (&super::state::Project, &String)| json!({ "uid": project.domains()[0], "alias": project.domains()[0], "deploymentId": id, "projectId": project.id });
        json!({ "aliases": live.map(alias).collect::<Vec<_>>(), "pagination": { "count": 1, "next": null, "prev": null } })
    }

    /// Makes the addresses of a project show what they should: production, and the deployments' own behind their gate.
    pub(super) fn refresh(&self, name: &str) {
        let (deployment, upload, site, domains, protection, others) = {
            let mut state = lock(&self.state);
            let Some(project) = state.project_mut(name) else { return };
            let (site, domains) = (std::sync::Arc::clone(&project.site), project.domains());
            let (protection, id) = (project.protection.clone(), project.id.clone());
            let production = project.production.clone();
            let is_running = project.running.as_ref().is_some_and(|(running, _)| Some(running) == production.as_ref());
            let deployment = production.and_then(|id| state.deployment(&id).cloned());
            let upload =
                deployment.as_ref().filter(|_| !is_running).map(|deployment| runtime::unpack(&state, deployment));
            let own = state.deployments.iter().filter(|deployment| deployment.project == id);
            let others: Vec<String> =
                own.map(|deployment| deployment.url.clone()).chain([domains[1].clone()]).collect();
            (deployment, upload, site, domains, protection, others)
        };
        let mut live = Route::Nothing(not_found());
        if let Some(deployment) = &deployment {
            let started = upload
                .map(|upload| upload.and_then(|folder| runtime::start(folder, deployment, &domains[0], &self.tools)));
            let mut state = lock(&self.state);
            let Some(project) = state.project_mut(name) else { return };
            match started {
                Some(Ok(running)) => project.running = Some((deployment.id.clone(), running)),
                Some(Err(_)) => project.running = None,
                None => {}
            }
            live = match &project.running {
                Some((_, running)) if !deployment.broken => Route::Running(running.address),
                _ => Route::Broken(invocation_failed()),
            };
        }
        let gated = protection["deploymentType"].is_string();
        site.show(if protection["deploymentType"] == "all" { Route::Broken(gate()) } else { live.clone() });
        // Only what production shows runs here, under whichever address.
        let gated_site = Site::new(if gated { Route::Broken(gate()) } else { live }, &self.outage, &[]);
        others.iter().for_each(|host| self.hosts.publish(host, &gated_site));
    }
}

/// What Deployment Protection answers to everybody who is not logged in.
fn gate() -> Response {
    let page = "<!doctype html><html lang=en><title>Authentication Required</title>\
                <a href=\"https://vercel.com/sso-api?url=https%3A%2F%2Fexample\">Vercel Authentication</a></html>\n";
    Response::new(401, "text/html; charset=utf-8", page)
        .with("set-cookie", "_vercel_sso_nonce=0000000000; Max-Age=3600; Path=/; Secure; HttpOnly; SameSite=Lax")
        .with("server", "Vercel")
}

pub(super) fn not_found() -> Response {
    Response::new(
        404,
        "text/plain; charset=utf-8",
        "The deployment could not be found on Vercel.\n\nDEPLOYMENT_NOT_FOUND\n",
    )
    .with("x-vercel-error", "DEPLOYMENT_NOT_FOUND")
}

fn invocation_failed() -> Response {
    Response::new(500, "text/plain; charset=utf-8", "A server error has occurred\n\nFUNCTION_INVOCATION_FAILED\n")
        .with("x-vercel-error", "FUNCTION_INVOCATION_FAILED")
}
