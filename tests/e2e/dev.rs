//! `dev`: an address for the whole session, and servers that follow the files without losing a request.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::TARGETS;
use crate::support::child::{LONG, Running, SHORT};
use crate::support::mcp::{Era, answer, ask};
use crate::support::site::{Turn, WEATHER, oslo};
use crate::support::work::{Marked, clone, mcp_deploy, read, write};

const HANDLER: &str = "src/tools/get_weather.ts";
const RETURN: &str = "return { location,";

#[test]
fn serves_what_was_changed_and_loses_no_request() {
    let project = clone(&WEATHER.root, "dev");
    let mut command = mcp_deploy(&project, ["dev", "--target", "lambda,cloudflare", "--port", "0"]);
    let marked = Marked::new(&mut command);
    let _turn = Turn::of(&project);
    let mut dev = Running::start(command);
    let urls: Vec<String> = dev.until("both URLs", LONG, |dev| {
        let urls: Vec<String> = dev.stdout.text().lines().map(str::to_owned).collect();
        (urls.len() == 2).then_some(urls)
    });
    for url in &urls {
        assert_eq!(weather(url), oslo());
    }
    says(&mut dev, "lambda: info tool get_weather: weather looked up {\"location\":\"Oslo\"");
    says(&mut dev, "ok   cloudflare: tools/call get_weather, ureq/");

    let stop = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        let load: Vec<_> = urls.iter().map(|url| scope.spawn(|| load(url, &stop))).collect();
        follows(&mut dev, &project, &urls);
        stop.store(true, Ordering::Relaxed);
        load.into_iter().map(|load| load.join().expect("no request is lost")).collect::<Vec<usize>>()
    });
    assert!(asked.iter().all(|asked| *asked > 50), "{asked:?}");

    dev.signal(Signal::INT);
    let ran = dev.wait(SHORT).expect(0);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), urls, "{ran}");
    marked.assert_nothing_left(&project);
}

#[test]
#[ignore = "a long proof: `cargo bench --bench long -- saves`"]
fn twenty_saves_lose_no_request() {
    let project = clone(&WEATHER.root, "dev-saves");
    let mut dev = Running::start(mcp_deploy(&project, ["dev", "--target", "all", "--port", "0"]));
    let urls: Vec<String> = dev.until("all URLs", LONG, |dev| {
        let urls: Vec<String> = dev.stdout.text().lines().map(str::to_owned).collect();
        (urls.len() == TARGETS.len()).then_some(urls)
    });
    let text = read(project.join(HANDLER));
    let stop = AtomicBool::new(false);
    let asked = thread::scope(|scope| {
        let load: Vec<_> = urls.iter().map(|url| scope.spawn(|| load(url, &stop))).collect();
        for number in 0..20 {
            let change = format!("return {{ location: `${{location}} {number}`,");
            write(project.join(HANDLER), text.replace(RETURN, &change));
            serve(&mut dev, &urls, &format!("Oslo {number}"));
        }
        stop.store(true, Ordering::Relaxed);
        load.into_iter().map(|load| load.join().expect("no request is lost")).collect::<Vec<usize>>()
    });
    assert!(asked.iter().all(|asked| *asked > 20), "{asked:?}");
    dev.signal(Signal::INT);
    dev.wait(SHORT).expect(0);
}

/// A change, one that cannot be built, one of the wrong type, one that throws.
fn follows(dev: &mut Running, project: &Path, urls: &[String]) {
    let text = read(project.join(HANDLER));
    let save = |from: &str, to: &str| write(project.join(HANDLER), text.replace(from, to));
    save(RETURN, "console.log(\"from the handler\");\n  return { location: `${location}!`,");
    serve(dev, urls, "Oslo!");
    for line in ["     lambda: from the handler", "     cloudflare: from the handler"] {
        says(dev, line);
    }

    save(RETURN, "return { location:: location,");
    says(dev, "\nthe version before the change goes on");
    says(dev, "\ncloudflare: the version before the change goes on");
    serve(dev, urls, "Oslo!");

    save(RETURN, "return { location: Number(location),");
    says(dev, "Type 'number' is not assignable to type 'string'.");
    says(dev, "FAIL check types");

    save(
        RETURN,
        "if (location === \"Nowhere\") throw new Error(\"no such place\");\n  return { location: `${location}?`,",
    );
    serve(dev, urls, "Oslo?");
    let line = 1 + text.lines().position(|line| line.contains(RETURN)).expect("it returns");
    for (url, name) in urls.iter().zip(["lambda", "cloudflare"]) {
        assert_eq!(call(url, "Nowhere")["result"]["isError"], true);
        says(dev, &format!("     {name}:     at Object.run ({HANDLER}:{line}:"));
    }
}

#[track_caller]
fn says(dev: &mut Running, words: &str) {
    dev.until(words, LONG, |dev| dev.stderr.text().contains(words).then_some(()));
}

/// Waits until every server gives this answer.
#[track_caller]
fn serve(dev: &mut Running, urls: &[String], location: &str) {
    for url in urls {
        dev.until(location, LONG, |_| (weather(url)["location"] == location).then_some(()));
    }
}

/// Calls again and again; each call must be answered. Gives their number.
fn load(url: &str, stop: &AtomicBool) -> usize {
    let mut asked = 0;
    while !stop.load(Ordering::Relaxed) {
        let answer = call(url, "Oslo");
        assert!(answer["result"]["content"][0]["text"].is_string(), "{answer}");
        asked += 1;
    }
    asked
}

fn call(url: &str, location: &str) -> Value {
    let params = json!({ "name": "get_weather", "arguments": { "location": location } });
    answer(url, Era::Modern, "tools/call", params)
}

fn weather(url: &str) -> Value {
    let params = json!({ "name": "get_weather", "arguments": { "location": "Oslo" } });
    ask(url, Era::Modern, "tools/call", params)["structuredContent"].take()
}
