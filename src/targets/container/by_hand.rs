//! How the image gets live: lines to paste, and what to use in place of commands that ask a cloud.

use crate::process::Cmd;
use crate::targets::Build;
use crate::targets::deployer::{ByHand, HandOver, Inquiry, Way};

use super::{TARGET, is_arm, keeps_a_file};

pub const BY_HAND: ByHand = ByHand { hand_over, instead };

fn hand_over(build: &Build<'_>) -> HandOver {
    let app = build.manifest.app.as_str();
    let port = build.manifest.targets.container.as_ref().map_or(8080, |container| container.port).to_string();
    let here = |program: &str, args: &[&str]| Cmd::new(program).args(args).current_dir(build.root).to_string();
    let needed = build.manifest.secrets_of(TARGET.name).filter(|secret| !secret.optional);
    let names: Vec<&str> = needed.map(|secret| secret.name.as_str()).collect();
    let compose = Way {
        to: "this machine, or any with Docker",
        commands: vec![here("docker", &["compose", "up", "--build", "-d"])],
        note: (!names.is_empty()).then(|| format!("`.env` beside the compose file has {}", names.join(", "))),
    };
    // As on the clouds, the server itself checks who calls.
    let cloud_run = Cmd::new("gcloud").args(["run", "deploy", app, "--allow-unauthenticated", "--source"]);
    let cloud_run = cloud_run.arg(build.root);
    let cloud_run = match names.as_slice() {
        [] => cloud_run,
        _ => {
            let stored: Vec<String> = names.iter().map(|name| format!("{name}={name}:latest")).collect();
            cloud_run.arg(format!("--set-secrets={}", stored.join(",")))
        }
    };
    let cloud_run = Way {
        to: "Cloud Run",
        commands: vec![cloud_run.to_string()],
        note: note(build, &names, "Secret Manager has the secrets first: `gcloud secrets create NAME --data-file=-`"),
    };
    let fly = Way {
        to: "Fly.io",
        commands: vec![
            here("fly", &["launch", "--no-deploy", "--name", app, "--internal-port", &port]),
            here("fly", &["deploy"]),
        ],
        note: note(build, &names, "set the secrets in between: `fly secrets import`, which reads NAME=VALUE lines"),
    };
    HandOver { target: TARGET.name, folder: build.root.to_owned(), ways: vec![compose, cloud_run, fly] }
}

fn note(build: &Build<'_>, secrets: &[&str], how: &str) -> Option<String> {
    let file = "the SQLite file does not outlive the machine there: set `store = \"upstash\"`";
    let processor = "it runs x86-64: set `architecture = \"x86_64\"`";
    let notes = [(is_arm(build.manifest), processor), (keeps_a_file(build.manifest), file), (!secrets.is_empty(), how)];
    let notes: Vec<&str> = notes.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn instead(asked: Inquiry) -> &'static str {
    match asked {
        Inquiry::Logs => "run `docker compose logs`, `gcloud run services logs read NAME` or `fly logs`",
        Inquiry::Rollback => {
            "start the earlier image again: `gcloud run services update-traffic NAME --to-revisions=REVISION=100`, or \
             `fly deploy --image IMAGE`; with compose build the earlier commit"
        }
        Inquiry::Destroy => "run `docker compose down`, `gcloud run services delete NAME` or `fly apps destroy NAME`",
        Inquiry::Secrets => {
            "compose reads `.env`; elsewhere use `gcloud secrets create NAME --data-file=-` or `fly secrets import`"
        }
        Inquiry::Status => "run `mcp-deploy verify URL`, which asks what runs there",
    }
}
