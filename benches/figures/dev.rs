//! From a save to the new answer: `dev` of each target, and `wrangler dev` alone, in turn.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mcp_deploy::process::{Cmd, ServerProcess, free_port};
use serde_json::{Value, json};

use crate::stats::Samples;
use crate::{Bench, PROGRAM};

const SAVES: usize = 9;
const HANDLER: &str = "src/tools/get_weather.ts";
const LIMIT: Duration = Duration::from_secs(60);

/// What follows the files, with a project that no other one sees.
struct Follower {
    what: String,
    project: PathBuf,
    url: String,
    handler: String,
    _server: ServerProcess,
}

pub fn print(bench: &Bench) -> Result<()> {
    let mut followers = vec![(wrangler(bench)?, Samples::default())];
    for target in ["lambda", "vercel", "cloudflare"] {
        followers.push((dev(bench, target)?, Samples::default()));
    }
    for save in 0..SAVES {
        for (follower, times) in &mut followers {
            times.add_time(follower.save(save)?);
        }
    }
    println!(
        "From a save of a handler to the first answer that has the change, {SAVES} saves each in turn, wall time:\n"
    );
    println!("| | ms | middle half | × `wrangler dev` alone |\n|---|---|---|---|");
    let alone = followers[0].1.median();
    for (follower, times) in &followers {
        let (median, half) = (times.median(), times.middle_half());
        println!("| {} | {median:.0} | {half} | {:.2} |", follower.what, median / alone);
    }
    println!();
    Ok(())
}

impl Follower {
    fn new(what: String, project: PathBuf, port: u16, cmd: &Cmd) -> Result<Self> {
        let handler = std::fs::read_to_string(project.join(HANDLER))?;
        let url = format!("http://127.0.0.1:{port}/mcp");
        let mut server = ServerProcess::spawn(cmd)?;
        server.wait_ready(&mut || answer(&url).is_some(), LIMIT)?;
        Ok(Follower { what, project, url, handler, _server: server })
    }

    fn save(&self, number: usize) -> Result<Duration> {
        let change = format!("return {{ location: `${{location}} {number}`,");
        std::fs::write(self.project.join(HANDLER), self.handler.replace("return { location,", &change))?;
        let saved = Instant::now();
        while answer(&self.url) != Some(format!("Oslo {number}")) {
            if saved.elapsed() > LIMIT {
                bail!("{}: the change is not seen", self.what);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // What still goes on beside it, such as a type check, is not the next one's.
        std::thread::sleep(Duration::from_secs(4));
        Ok(saved.elapsed() - Duration::from_secs(4))
    }
}

fn dev(bench: &Bench, target: &str) -> Result<Follower> {
    let project = bench.shipped_project(&format!("dev-{target}"), "all", |manifest| manifest, &[])?;
    let port = free_port()?;
    let cmd = Cmd::new(PROGRAM).arg("-C").arg(&project).args(["dev", "--target", target, "--port", &port.to_string()]);
    Follower::new(format!("`dev --target {target}`"), project, port, &cmd)
}

fn wrangler(bench: &Bench) -> Result<Follower> {
    let project = bench.shipped_project("dev-alone", "all", |manifest| manifest, &[])?;
    let port = free_port()?;
    let options = ["dev", "--ip", "127.0.0.1", "--inspector-port", "0", "--port", &port.to_string()];
    let quiet = [("CI", "1"), ("WRANGLER_SEND_METRICS", "false"), ("CLOUDFLARE_CF_FETCH_ENABLED", "false")];
    let cmd = Cmd::script(&bench.node, &bench.wrangler).args(options).current_dir(&project);
    let cmd = quiet.iter().fold(cmd, |cmd, (name, value)| cmd.env(name, value));
    Follower::new("`wrangler dev` alone".to_owned(), project, port, &cmd)
}

/// The location of the weather; `None` where nobody answers, or something else.
fn answer(url: &str) -> Option<String> {
    let config = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(5)));
    let params = json!({ "name": "get_weather", "arguments": { "location": "Oslo" } });
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params });
    let request = config.build().new_agent().post(url).content_type("application/json");
    let request = request.header("accept", "application/json, text/event-stream");
    let text = request.send(message.to_string()).ok()?.body_mut().read_to_string().ok()?;
    let data = text.lines().find_map(|line| line.strip_prefix("data:"))?;
    let answer: Value = serde_json::from_str(data).ok()?;
    Some(answer["result"]["structuredContent"]["location"].as_str()?.to_owned())
}
