//! `dev`: one URL for the whole session, whatever is changed; a signal ends all of it.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::child::{LONG, Running, SHORT};
use crate::support::mcp::{Era, ask};
use crate::support::site::{Turn, WEATHER, oslo};
use crate::support::work::{Marked, clone, mcp_deploy, read, write};

#[test]
fn serves_what_was_changed_until_it_is_stopped() {
    let project = clone(&WEATHER.root, "dev");
    let mut command = mcp_deploy(&project, ["dev", "--target", "cloudflare"]);
    let marked = Marked::new(&mut command);
    let _turn = Turn::of(&project);
    let mut dev = Running::start(command);
    let url = dev.until("the URL", LONG, |dev| dev.stdout.text().lines().next().map(str::to_owned));
    assert_eq!(weather(&url), oslo());
    dev.until("the server's log", LONG, |dev| {
        dev.stderr
            .text()
            .lines()
            .any(|line| line.starts_with("{\"timestamp\"") && line.contains("weather looked up"))
            .then_some(())
    });

    let handler = project.join("src/tools/get_weather.ts");
    let text = read(&handler);
    write(&handler, text.replace("return { location,", "return { location: 3,"));
    let cause = "Type 'number' is not assignable to type 'string'.";
    dev.until("the fault with its cause", LONG, |dev| dev.stderr.text().contains(cause).then_some(()));
    assert!(dev.stderr.text().contains("FAIL check types"), "{}", dev.stderr.text());
    write(&handler, text.replace("return { location,", "return { location: `${location}!`,"));
    dev.until("the second start", LONG, |dev| {
        (dev.stderr.text().matches("Ctrl-C stops it").count() == 2).then_some(())
    });
    assert_eq!(weather(&url)["location"], "Oslo!");

    dev.signal(Signal::INT);
    let ran = dev.wait(SHORT).expect(0);
    assert_eq!(ran.stdout.lines().collect::<Vec<_>>(), [url.as_str()], "{ran}");
    marked.assert_nothing_left(&project);
}

fn weather(url: &str) -> Value {
    let params = json!({ "name": "get_weather", "arguments": { "location": "Oslo" } });
    ask(url, Era::Modern, "tools/call", params)["structuredContent"].take()
}
