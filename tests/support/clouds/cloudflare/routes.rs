//! Which request does what.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::super::api::Cloud;
use super::super::http::{Reply, Request, Response, lock};
use super::super::site::{Route, Site};
use super::multipart;
use super::runtime;
use super::state::{Deployment, Module, Version, Worker, text, without_value};
use super::{ACCOUNT, SUBDOMAIN, Shared, TOKEN, host};

type Answer = Result<Value, Response>;

impl Cloud for Shared {
    fn answer(&self, request: &Request) -> Reply {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return failure(401, 10000, "Authentication error").into();
        }
        let parts = request.parts();
        let answered = match (request.method.as_str(), parts.get(2..).unwrap_or_default()) {
            ("GET", ["user"]) => Ok(json!({ "id": "user", "email": "tests@example.com" })),
            ("GET", ["user", "tokens", "verify"]) => Ok(json!({ "id": "token", "status": "active" })),
            ("GET", ["accounts"]) => return list(json!([account()])).into(),
            ("GET", ["memberships"]) => {
                return list(json!([{ "id": "membership", "status": "accepted", "account": account() }])).into();
            }
            (method, ["accounts", ACCOUNT, rest @ ..]) => self.account(method, rest, request),
            (_, ["accounts", ..]) => Err(failure(403, 9109, "Unauthorized to access requested resource")),
            _ => Err(unknown(request)),
        };
        match answered {
            Ok(result) => success(result).into(),
            Err(response) => response.into(),
        }
    }

    fn error(&self, _request: &Request, status: u16) -> Response {
        match status {
            401 => failure(401, 10000, "Authentication error"),
            403 => failure(403, 9109, "Unauthorized to access requested resource"),
            429 => failure(429, 10429, "Too many requests, please slow down"),
            status => failure(status, 10013, "An unknown error has occurred. If this error persists, please report it"),
        }
    }
}

impl Shared {
    fn account(&self, method: &str, path: &[&str], request: &Request) -> Answer {
        match (method, path) {
            ("GET", ["workers", "subdomain"]) if lock(&self.state).has_subdomain => {
                Ok(json!({ "subdomain": SUBDOMAIN }))
            }
            ("GET", ["workers", "subdomain"]) => {
                Err(failure(404, 10007, "You need a workers.dev subdomain in order to proceed"))
            }
            ("GET", ["workers", "services", name]) => self.with(name, 10090, |_, worker| Ok(service(worker))),
            ("DELETE", ["workers", "services", name]) => self.delete(name),
            ("GET", ["workers", "workers", name]) => self.with(name, 10007, |name, worker| {
                let subdomain = json!({
                    "enabled": worker.workers_dev, "previews_enabled": false, "url": format!("https://{}", host(name)),
                });
                Ok(json!({ "id": name, "name": name, "subdomain": subdomain }))
            }),
            ("GET", ["workers", "tails", "by-consumer", _]) => Ok(json!([])),
            ("GET", ["workers", "durable_objects", "namespaces"] | ["storage", "kv", "namespaces"]) => Ok(json!([])),
            (method, ["workers", "scripts", name, rest @ ..]) => self.script(method, name, rest, request),
            _ => Err(unknown(request)),
        }
    }

    fn script(&self, method: &str, name: &str, path: &[&str], request: &Request) -> Answer {
        match (method, path) {
            ("PUT", []) => self.upload_and_deploy(name, request),
            ("POST", ["versions"]) => {
                self.with(name, 10007, |_, _| Ok(json!(null)))?;
                self.upload(name, request).map(|version| version.json())
            }
            ("GET", ["versions"]) => self.with(name, 10007, |_, worker| {
                let versions: Vec<Value> = worker.versions.iter().rev().map(Version::json).collect();
                Ok(json!({ "items": versions }))
            }),
            ("GET", ["versions", id]) => {
                self.with(name, 10007, |_, worker| worker.version(id).map(Version::json).ok_or_else(|| no_version(id)))
            }
            ("GET", ["deployments"]) => self.with(name, 10007, |_, worker| {
                let deployments: Vec<Value> = worker.deployments.iter().rev().map(Deployment::json).collect();
                Ok(json!({ "deployments": deployments }))
            }),
            ("POST", ["deployments"]) => self.deploy_versions(name, request),
            ("GET", ["settings"]) => self.with(name, 10007, |_, worker| {
                let bindings = worker.latest().map(|version| version.bindings.as_slice()).unwrap_or_default();
                Ok(json!({ "bindings": bindings.iter().map(without_value).collect::<Vec<_>>(), "tags": worker.tags }))
            }),
            ("PATCH", ["script-settings"]) => self.with(name, 10007, |_, worker| {
                let settings = request.json();
                if settings["tags"].is_array() {
                    worker.tags = settings["tags"].clone();
                }
                Ok(settings)
            }),
            ("GET", ["secrets"]) => self.with(name, 10007, |_, worker| {
                let secrets = worker.latest().map(Version::secrets).unwrap_or_default();
                let secret = |name: &String| json!({ "name": name, "type": "secret_text" });
                Ok(secrets.keys().map(secret).collect())
            }),
            ("PUT", ["secrets"]) => {
                let secret = request.json();
                self.change_secrets(name, &json!({ text(&secret["name"]): secret }))?;
                Ok(json!({ "name": secret["name"], "type": "secret_text" }))
            }
            ("DELETE", ["secrets", secret]) => self.change_secrets(name, &json!({ *secret: null })),
            ("PATCH", ["secrets-bulk"]) => self.change_secrets(name, &request.json()["secrets"]),
            ("GET", ["subdomain"]) => self
                .with(name, 10007, |_, worker| Ok(json!({ "enabled": worker.workers_dev, "previews_enabled": false }))),
            ("POST", ["subdomain"]) => self.switch_subdomain(name, &request.json()),
            ("POST", ["domains", "changeset"]) => {
                Ok(json!({ "added": request.json(), "removed": [], "updated": [], "conflicting": [] }))
            }
            ("PUT", ["domains", "records"]) => self.set_domains(name, &request.json()["origins"]),
            ("GET", ["references"]) => Ok(json!({ "services": {}, "durable_objects": [], "dispatch_outbounds": [] })),
            ("POST", ["tails"]) => self.tail(name),
            ("DELETE", ["tails", id]) => {
                self.tails.close(id);
                Ok(json!(null))
            }
            _ => Err(unknown(request)),
        }
    }

    /// What is said of a Worker that is not there depends on who asks.
    fn with<T>(
        &self,
        name: &str,
        missing: u32,
        then: impl FnOnce(&str, &mut Worker) -> Result<T, Response>,
    ) -> Result<T, Response> {
        match lock(&self.state).workers.get_mut(name) {
            Some(worker) => then(name, worker),
            None if missing == 10090 => Err(failure(404, 10090, "This environment does not exist on this Worker")),
            None => Err(failure(404, missing, "This Worker does not exist on your account")),
        }
    }

    /// `PUT`: a version that gets all the traffic at once.
    fn upload_and_deploy(&self, name: &str, request: &Request) -> Answer {
        let version = self.upload(name, request)?;
        self.deploy(name, vec![(version.id.clone(), 100.0)], json!({ "workers/triggered_by": "upload" }))?;
        Ok(json!({
            "id": name, "etag": version.etag(), "startup_time_ms": 9, "has_modules": true, "tag": name,
            "deployment_id": version.id.replace('-', ""), "entry_point": version.metadata["main_module"],
        }))
    }

    fn upload(&self, name: &str, request: &Request) -> Result<Version, Response> {
        let parts = multipart::parts(request).ok_or_else(|| failure(400, 10021, "The upload cannot be read"))?;
        let metadata = parts.iter().find(|part| part.name == "metadata");
        let metadata: Value = metadata
            .and_then(|part| serde_json::from_slice(&part.body).ok())
            .ok_or_else(|| failure(400, 10021, "The upload has no metadata"))?;
        let modules = parts.into_iter().filter(|part| part.name != "metadata");
        let modules = modules.map(|part| Module {
            name: part.file.unwrap_or(part.name),
            content_type: part.content_type,
            content: part.body,
        });
        let modules = modules.collect();
        let bindings = self.bindings(name, &metadata)?;
        let classes = self.reconcile(name, &metadata["exports"])?;
        let version = self.add_version(name, metadata, bindings, modules)?;
        self.with(name, 10007, |_, worker| {
            worker.classes = classes;
            Ok(version)
        })
    }

    /// Classes of Durable Objects begin with an export, and end with a tombstone alone: the codes and words are those
    /// that Cloudflare documents, and that wrangler knows.
    fn reconcile(&self, name: &str, exports: &Value) -> Result<BTreeSet<String>, Response> {
        let mut classes = lock(&self.state).workers.get(name).map(|worker| worker.classes.clone()).unwrap_or_default();
        let is_gone = |class: &str| exports[class]["state"] == "deleted";
        let missing: Vec<&String> = classes.iter().filter(|class| exports.get(class.as_str()).is_none()).collect();
        match (missing.first(), exports.is_object()) {
            (Some(class), false) => {
                let message = format!(
                    "New version of script does not export class '{class}' which is depended on by existing Durable Objects."
                );
                return Err(failure(400, 10064, &message));
            }
            (Some(_), true) => {
                let detail = |class: &&String| {
                    json!({
                        "class": class,
                        "scenario": "provisioned_class_missing_from_config",
                        "message": "this class has a namespace, but no entry in `exports`",
                        "suggestion": format!("add `\"{class}\": {{ \"type\": \"durable-object\", \"state\": \"deleted\" }}`"),
                    })
                };
                let details: Vec<Value> = missing.iter().map(detail).collect();
                let error = json!({ "code": 100_402, "message": "exports reconciliation failed", "meta": { "details": details } });
                let body = json!({ "success": false, "errors": [error], "messages": [], "result": null });
                return Err(Response::new(400, "application/json", body.to_string()));
            }
            (None, _) => {}
        }
        classes.retain(|class| !is_gone(class));
        let live = exports.as_object().into_iter().flatten().filter(|(class, _)| !is_gone(class));
        classes.extend(live.map(|(class, _)| class.clone()));
        Ok(classes)
    }

    /// The bindings of the upload, with those that it takes over from the version before.
    fn bindings(&self, name: &str, metadata: &Value) -> Result<Vec<Value>, Response> {
        let state = lock(&self.state);
        let before = state.workers.get(name).and_then(Worker::latest);
        let before = before.map(|version| version.bindings.as_slice()).unwrap_or_default();
        let mut bindings: Vec<Value> = Vec::new();
        for binding in metadata["bindings"].as_array().into_iter().flatten() {
            if binding["type"] != "inherit" {
                bindings.push(binding.clone());
                continue;
            }
            let inherited = before.iter().find(|known| known["name"] == binding["name"]).ok_or_else(|| {
                let message = format!(
                    "inherit binding '{}' is invalid: the previous version has no such binding",
                    text(&binding["name"])
                );
                failure(400, 10057, &message)
            })?;
            bindings.push(inherited.clone());
        }
        let kept = metadata["keep_bindings"].as_array().cloned().unwrap_or_default();
        for known in before {
            let replaced = bindings.iter().any(|binding| binding["name"] == known["name"]);
            if kept.contains(&known["type"]) && !replaced {
                bindings.push(known.clone());
            }
        }
        Ok(bindings)
    }

    /// A version is started before it is accepted, as the cloud does to find a Worker that throws at start-up.
    fn add_version(
        &self,
        name: &str,
        metadata: Value,
        bindings: Vec<Value>,
        modules: Vec<Module>,
    ) -> Result<Version, Response> {
        let version = {
            let mut state = lock(&self.state);
            let (id, created_on) = state.stamp();
            let annotations = metadata["annotations"].clone();
            let number = state.workers.get(name).map_or(0, |worker| worker.versions.len()) + 1;
            let broken = std::mem::take(&mut state.break_next);
            Version { id, number, created_on, metadata, bindings, modules, annotations, broken }
        };
        // An empty one is what `wrangler secret put` makes when there is no Worker yet.
        let running = (!version.broken).then(|| runtime::start(name, &version, &self.tools)).transpose();
        let running = running.map_err(|said| failure(400, 10021, &said))?;
        let mut state = lock(&self.state);
        let worker = state.workers.entry(name.to_owned()).or_default();
        worker.versions.push(version.clone());
        if let Some(running) = running {
            worker.running.insert(version.id.clone(), running);
        }
        Ok(version)
    }

    fn deploy_versions(&self, name: &str, request: &Request) -> Answer {
        let body = request.json();
        let share =
            |version: &Value| (text(&version["version_id"]), version["percentage"].as_f64().unwrap_or_default());
        let shares: Vec<_> = body["versions"].as_array().into_iter().flatten().map(share).collect();
        let force = request.query("force") == Some("true");
        self.with(name, 10007, |_, worker| {
            let missing = shares.iter().find(|(id, _)| worker.version(id).is_none());
            if let Some((id, _)) = missing {
                return Err(no_version(id));
            }
            let target = shares.first().and_then(|(id, _)| worker.version(id)).map(Version::secrets);
            let now = worker.live().map(Version::secrets);
            let (Some(target), Some(now)) = (target, now) else { return Ok(()) };
            let changed: Vec<&str> = target
                .iter()
                .filter(|(name, value)| now.get(*name).is_some_and(|now| now != *value))
                .map(|(name, _)| name.as_str())
                .chain(now.keys().filter(|name| !target.contains_key(*name)).map(String::as_str))
                .collect();
            let goes_back = shares.first().is_some_and(|(id, _)| worker.latest().is_some_and(|last| last.id != *id));
            if force || changed.is_empty() || !goes_back {
                return Ok(());
            }
            let message = format!("The following secrets have changed: {}", changed.join(", "));
            Err(failure(400, 10220, &message))
        })?;
        self.deploy(name, shares, body["annotations"].clone())
    }

    /// From here on the address answers with the version that has the largest share.
    fn deploy(&self, name: &str, versions: Vec<(String, f64)>, annotations: Value) -> Answer {
        let (deployment, live, is_running) = {
            let mut state = lock(&self.state);
            let (id, created_on) = state.stamp();
            let deployment = Deployment { id, created_on, versions, annotations };
            let json = deployment.json();
            let worker = state.workers.entry(name.to_owned()).or_default();
            worker.deployments.push(deployment);
            let live = worker.live().cloned().ok_or_else(|| no_version("of the deployment"))?;
            let is_running = worker.running.contains_key(&live.id);
            (json, live, is_running)
        };
        let started = (!is_running && !live.broken).then(|| runtime::start(name, &live, &self.tools)).transpose();
        let started = started.map_err(|said| failure(500, 10013, &said))?;
        let route = self.with(name, 10007, |_, worker| {
            worker.running.extend(started.map(|running| (live.id.clone(), running)));
            worker.running.retain(|id, _| *id == live.id);
            let running = worker.running.get(&live.id);
            Ok(running.map_or_else(|| Route::Broken(threw()), |running| Route::Running(running.address)))
        })?;
        self.site(name).show(route);
        Ok(deployment)
    }

    /// Secrets belong to versions: changing one makes a new version, deployed at once.
    fn change_secrets(&self, name: &str, changes: &Value) -> Answer {
        let (mut bindings, metadata, modules) = self.with(name, 10007, |_, worker| {
            let latest = worker.latest().ok_or_else(|| no_version("of the Worker"))?;
            Ok((latest.bindings.clone(), latest.metadata.clone(), latest.modules.clone()))
        })?;
        for (name, secret) in changes.as_object().into_iter().flatten() {
            bindings.retain(|binding| binding["name"] != *name);
            if !secret.is_null() {
                bindings.push(json!({ "name": name, "type": "secret_text", "text": secret["text"] }));
            }
        }
        let metadata = match metadata {
            Value::Object(mut fields) => {
                fields.insert("annotations".into(), json!({ "workers/triggered_by": "secret" }));
                Value::Object(fields)
            }
            other => other,
        };
        let version = self.add_version(name, metadata, bindings, modules)?;
        self.deploy(name, vec![(version.id.clone(), 100.0)], version.annotations.clone())?;
        let secrets = version.secrets();
        Ok(
            json!({ "secrets": secrets.keys().map(|name| json!({ "name": name, "type": "secret_text" })).collect::<Vec<_>>() }),
        )
    }

    fn site(&self, name: &str) -> Arc<Site> {
        let own = lock(&self.state).sites.get(name).cloned();
        own.unwrap_or_else(|| {
            let headers =
                [("cf-connecting-ip", "127.0.0.1"), ("cf-ray", "0000000000000000-LCL"), ("x-forwarded-proto", "https")];
            let nothing = Response::new(404, "text/html", "<title>There is nothing here yet</title>\n");
            let site = Site::new(Route::Nothing(nothing), &self.outage, &headers);
            lock(&self.state).sites.insert(name.to_owned(), Arc::clone(&site));
            site
        })
    }

    fn switch_subdomain(&self, name: &str, settings: &Value) -> Answer {
        let enabled = settings["enabled"] == true;
        self.with(name, 10007, |_, worker| {
            worker.workers_dev = enabled;
            Ok(())
        })?;
        if enabled {
            self.hosts.publish(&host(name), &self.site(name));
        } else {
            self.hosts.withdraw(&host(name));
        }
        Ok(json!({ "enabled": enabled, "previews_enabled": settings["previews_enabled"] }))
    }

    fn set_domains(&self, name: &str, origins: &Value) -> Answer {
        let domains: Vec<String> =
            origins.as_array().into_iter().flatten().map(|origin| text(&origin["hostname"])).collect();
        let before = self.with(name, 10007, |_, worker| Ok(std::mem::replace(&mut worker.domains, domains.clone())))?;
        before.iter().for_each(|domain| self.hosts.withdraw(domain));
        let site = self.site(name);
        domains.iter().for_each(|domain| self.hosts.publish(domain, &site));
        Ok(json!([]))
    }

    fn delete(&self, name: &str) -> Answer {
        let worker = lock(&self.state).workers.remove(name);
        let worker = worker.ok_or_else(|| failure(404, 10007, "This Worker does not exist on your account"))?;
        worker.domains.iter().for_each(|domain| self.hosts.withdraw(domain));
        self.hosts.withdraw(&host(name));
        lock(&self.state).sites.remove(name);
        Ok(json!(null))
    }

    fn tail(&self, name: &str) -> Answer {
        self.with(name, 10007, |_, _| Ok(()))?;
        let (id, _) = lock(&self.state).stamp();
        let (site, state, name) = (self.site(name), Arc::clone(&self.state), name.to_owned());
        let mut seen = site.requests().len();
        let log_now = move || {
            let state = lock(&state);
            let worker = state.workers.get(&name)?;
            Some(worker.running.get(&worker.live()?.id)?.log())
        };
        let mut logged = log_now().unwrap_or_default().len();
        let source = move || {
            let requests = site.requests();
            let fresh = requests.get(seen..).unwrap_or_default().to_vec();
            if fresh.is_empty() {
                return Vec::new();
            }
            // What the Worker logs arrives a moment after its answer.
            std::thread::sleep(std::time::Duration::from_millis(200));
            let log = log_now().unwrap_or_default();
            let lines = log.get(logged..).unwrap_or_default().to_owned();
            (seen, logged) = (requests.len(), log.len());
            fresh.iter().map(|request| event(request, &lines)).collect()
        };
        let url = self.tails.open(&id, Box::new(source));
        Ok(json!({ "id": id, "url": url, "expires_at": "2099-01-01T00:00:00Z" }))
    }
}

/// One request as `wrangler tail` reports it.
fn event(request: &str, log: &str) -> Value {
    let (method, path) = request.split_once(' ').unwrap_or((request, "/"));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let line = |line: &str| json!({ "message": [line], "level": "log", "timestamp": now });
    json!({
        "outcome": "ok",
        "scriptName": null,
        "diagnosticsChannelEvents": [],
        "exceptions": [],
        "logs": log.lines().map(line).collect::<Vec<_>>(),
        "eventTimestamp": now,
        "event": { "request": { "url": format!("https://worker{path}"), "method": method, "headers": {}, "cf": {} } },
    })
}

fn account() -> Value {
    json!({ "id": ACCOUNT, "name": "Tests", "type": "standard" })
}

fn service(worker: &Worker) -> Value {
    let script = json!({ "last_deployed_from": "wrangler", "tag": "tag", "tags": worker.tags });
    json!({ "default_environment": { "environment": "production", "script": script } })
}

/// The page of a Worker that throws.
fn threw() -> Response {
    Response::new(
        500,
        "text/html; charset=UTF-8",
        "<title>Worker threw exception</title>\nError 1101\nerror code: 1101\n",
    )
}

fn success(result: Value) -> Response {
    Response::json(200, &json!({ "success": true, "errors": [], "messages": [], "result": result }))
}

fn list(result: Value) -> Response {
    let count = result.as_array().map_or(0, Vec::len);
    let info = json!({ "page": 1, "per_page": 50, "count": count, "total_count": count, "total_pages": 1 });
    let body = json!({ "success": true, "errors": [], "messages": [], "result": result, "result_info": info });
    Response::json(200, &body)
}

fn failure(status: u16, code: u32, message: &str) -> Response {
    let errors = json!([{ "code": code, "message": message }]);
    Response::json(status, &json!({ "success": false, "errors": errors, "messages": [], "result": null }))
}

fn no_version(id: &str) -> Response {
    failure(404, 10008, &format!("there is no version {id}"))
}

fn unknown(request: &Request) -> Response {
    failure(404, 7003, &format!("Could not route to {}, perhaps your object identifier is invalid?", request.path))
}
