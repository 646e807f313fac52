//! Projects and their variables.

use serde_json::{Value, json};

use super::super::http::{Request, Response, lock};
use super::super::site::{Route, Site};
use super::state::{Project, Variable, now};
use super::{Answer, Shared, deployments, error};

impl Shared {
    pub(super) fn projects(&self, method: &str, path: &[&str], request: &Request) -> Answer {
        match (method, path) {
            ("POST", []) => self.create_project(&request.json()),
            ("GET", []) => {
                let state = lock(&self.state);
                let projects: Vec<Value> = state.projects.values().map(Project::json).collect();
                Ok(json!({ "projects": projects, "pagination": { "count": projects.len(), "next": null, "prev": null } }))
            }
            ("GET", [name]) => self.with_project(name, |project| Ok(project.json())),
            ("PATCH", [name]) => {
                let changed = self.with_project(name, |project| {
                    if let Some(protection) = request.json().get("ssoProtection") {
                        project.protection = protection.clone();
                    }
                    Ok(project.json())
                })?;
                self.refresh(name);
                Ok(changed)
            }
            ("DELETE", [name]) => self.delete_project(name),
            ("GET", [name, "env"]) => self.with_project(name, |project| {
                Ok(json!({ "envs": project.variables.iter().map(Variable::json).collect::<Vec<_>>() }))
            }),
            ("POST", [name, "env"]) => self.add_variables(name, request),
            ("PATCH", [name, "env", id]) => self.with_project(name, |project| {
                let variable = project.variables.iter_mut().find(|variable| variable.id == *id);
                let variable = variable.ok_or_else(|| error(404, "not_found", "The variable was not found"))?;
                if let Some(value) = request.json()["value"].as_str() {
                    value.clone_into(&mut variable.value);
                }
                Ok(variable.json())
            }),
            ("DELETE", [name, "env", id]) => self.with_project(name, |project| {
                project.variables.retain(|variable| variable.id != *id);
                Ok(json!({}))
            }),
            ("GET", [name, "custom-environments"]) => self.with_project(name, |_| Ok(json!({ "environments": [] }))),
            ("GET", [name, "domains"]) => self.with_project(name, |project| {
                let domain = |name: &String| json!({ "name": name, "projectId": project.id, "verified": true, "redirect": null });
                let first = &project.domains()[..1];
                let domains: Vec<Value> = first.iter().chain(&project.own_domains).map(domain).collect();
                Ok(json!({ "domains": domains, "pagination": { "count": 1, "next": null, "prev": null } }))
            }),
            ("POST", [name, kind @ ("rollback" | "promote"), id]) => self.go_to(name, kind, id),
            ("GET", [_, "rollback" | "promote", "aliases"]) => Ok(json!({ "aliases": [], "pagination": {} })),
            _ => Err(error(404, "not_found", &format!("the stand-in does not know {method} {}", request.path))),
        }
    }

    pub(super) fn with_project<T>(
        &self,
        name: &str,
        then: impl FnOnce(&mut Project) -> Result<T, Response>,
    ) -> Result<T, Response> {
        match lock(&self.state).project_mut(name) {
            Some(project) => then(project),
            None => Err(error(404, "not_found", "Project not found.")),
        }
    }

    pub(super) fn create_project(&self, settings: &Value) -> Answer {
        let name = settings["name"].as_str().unwrap_or_default().to_owned();
        let mut state = lock(&self.state);
        if state.projects.contains_key(&name) {
            return Err(error(409, "conflict", &format!("Project \"{name}\" already exists, please use a new name.")));
        }
        let given = settings["environmentVariables"].as_array().cloned().unwrap_or_default();
        let variables = given.iter().map(|variable| Variable::of(state.id(), variable)).collect();
        let project = Project {
            id: format!("prj_{}", state.id()),
            link: Value::Null,
            own_domains: Vec::new(),
            name: name.clone(),
            settings: settings.clone(),
            variables,
            protection: json!({ "deploymentType": "all_except_custom_domains" }),
            production: None,
            assigns_domain: true,
            last_request: Value::Null,
            site: Site::new(Route::Nothing(deployments::not_found()), &self.outage, &[("x-forwarded-proto", "https")]),
            running: None,
        };
        let json = project.json();
        self.hosts.publish(&project.domains()[0], &project.site);
        state.projects.insert(name, project);
        Ok(json)
    }

    fn delete_project(&self, name: &str) -> Answer {
        let mut state = lock(&self.state);
        let found = state.project_mut(name).map(|project| (project.name.clone(), project.id.clone()));
        let (name, id) = found.ok_or_else(|| error(404, "not_found", "Project not found."))?;
        let own: Vec<_> = state.deployments.iter().filter(|deployment| deployment.project == id).cloned().collect();
        own.iter().for_each(|deployment| self.hosts.withdraw(&deployment.url));
        state.deployments.retain(|deployment| deployment.project != id);
        if let Some(project) = state.projects.remove(&name) {
            project.domains().iter().for_each(|domain| self.hosts.withdraw(domain));
        }
        Ok(json!({}))
    }

    fn add_variables(&self, name: &str, request: &Request) -> Answer {
        let body = request.json();
        let given = if body.is_array() { body.as_array().cloned().unwrap_or_default() } else { vec![body] };
        let upsert = request.query("upsert") == Some("true");
        let mut created = Vec::new();
        for variable in given {
            let id = lock(&self.state).id();
            let new = Variable::of(id, &variable);
            self.with_project(name, |project| {
                let same = |known: &Variable| {
                    known.key == new.key && known.target.iter().any(|target| new.target.contains(target))
                };
                if project.variables.iter().any(same) && !upsert {
                    let message = format!("A variable with the name `{}` already exists for the target", new.key);
                    return Err(error(400, "ENV_CONFLICT", &message));
                }
                project.variables.retain(|known| !same(known));
                created.push(new.json());
                project.variables.push(new);
                Ok(())
            })?;
        }
        Ok(json!({ "created": created.first(), "failed": [] }))
    }

    /// What `vercel pull` writes to disk: a sensitive value is not in it.
    pub(super) fn pull(&self, project: &str, target: &str) -> Answer {
        self.with_project(project, |project| {
            let wanted =
                project.variables.iter().filter(|variable| variable.target.iter().any(|known| known == target));
            let value =
                |variable: &Variable| if variable.kind == "sensitive" { "" } else { &variable.value }.to_owned();
            let mut env: serde_json::Map<String, Value> =
                wanted.map(|variable| (variable.key.clone(), json!(value(variable)))).collect();
            env.insert("VERCEL_OIDC_TOKEN".into(), json!("oidc-token-of-the-tests"));
            Ok(json!({ "env": env, "buildEnv": {} }))
        })
    }

    /// Production shows this deployment from now on. After a rollback new deployments do not take its place by
    /// themselves.
    fn go_to(&self, name: &str, kind: &str, id: &str) -> Answer {
        let target = lock(&self.state).deployment(id).map(|deployment| deployment.id.clone());
        let id = target.ok_or_else(|| error(404, "not_found", "The deployment was not found"))?;
        let name = self.with_project(name, |project| {
            let before = project.production.replace(id.clone());
            project.assigns_domain = kind == "promote";
            project.last_request = json!({
                "fromDeploymentId": before, "toDeploymentId": id, "type": kind, "jobStatus": "succeeded", "requestedAt": now(),
            });
            Ok(project.name.clone())
        })?;
        self.refresh(&name);
        Ok(json!({}))
    }
}
