//! The prompts of `init` on a real terminal, and what others wrote there.

use std::time::Duration;

use rexpect::session::{PtySession, spawn_command};

use crate::support::Sandbox;

pub const LIMIT: Option<u64> = Some(10_000);
const CTRL_C: char = 'c';
const SHOW_CURSOR: &str = "\u{1b}[?25h";
const ENTER: &str = "\r";
const DOWN: &str = "\u{1b}[B";

fn init(sandbox: &Sandbox, args: &[&str]) -> PtySession {
    let mut command = sandbox.command(&[&["init"], args].concat());
    command.stdin(std::process::Stdio::inherit()).env("TERM", "xterm-256color");
    spawn_command(command, LIMIT).unwrap()
}

/// Waits for the question, then types.
pub fn answer(terminal: &mut PtySession, question: &str, keys: &str) {
    terminal.exp_string(question).unwrap_or_else(|error| panic!("no `{question}`: {error}"));
    // The question is on the screen a moment before the terminal is switched to single keys.
    std::thread::sleep(Duration::from_millis(50));
    terminal.send(keys).unwrap();
    terminal.flush().unwrap();
}

pub fn exit_code(mut terminal: PtySession) -> i32 {
    terminal.exp_eof().unwrap();
    match terminal.process_mut().wait().unwrap() {
        rexpect::process::WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn enter_takes_the_defaults() {
    let sandbox = Sandbox::new();
    let mut terminal = init(&sandbox, &["weather"]);
    answer(&mut terminal, "Name of the server?", ENTER);
    answer(&mut terminal, "Start from?", ENTER);
    answer(&mut terminal, "What does it offer", ENTER);
    answer(&mut terminal, "For which clouds?", ENTER);
    assert_eq!(exit_code(terminal), 0);
    let expected = Sandbox::new();
    expected.ok(&["init", "weather", "--yes"]);
    crate::support::assert_same(&sandbox.tree(), &expected.tree(), "asked and answered with Enter");
}

#[test]
fn answers_are_checked_and_taken() {
    let sandbox = Sandbox::new();
    let mut terminal = init(&sandbox, &[]);
    answer(&mut terminal, "Name of the server?", "Order Desk\r");
    // It is not accepted: the name stays to be mended.
    terminal.exp_string("cannot be its name on every cloud").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    terminal.send(&format!("{}orders\r", "\u{7f}".repeat(10))).unwrap();
    terminal.flush().unwrap();
    answer(&mut terminal, "Start from?", &format!("{DOWN}{ENTER}"));
    answer(&mut terminal, "What does it offer", "Orders of the \"shop\"\r");
    // Not the first cloud.
    answer(&mut terminal, "For which clouds?", &format!(" {ENTER}"));
    assert_eq!(exit_code(terminal), 0);
    let expected = Sandbox::new();
    let description = "Orders of the \"shop\"";
    let flags =
        ["--name", "orders", "--description", description, "--target", "vercel,cloudflare", "--example", "github"];
    expected.ok(&[&["init"], &flags[..]].concat());
    crate::support::assert_same(&sandbox.tree(), &expected.tree(), "asked and answered");
}

#[test]
fn flags_are_not_asked_for() {
    let sandbox = Sandbox::new();
    let terminal = init(&sandbox, &["w", "--description", "d", "--target", "all", "--example", "empty", "--name", "w"]);
    assert_eq!(exit_code(terminal), 0);
    assert!(sandbox.path("w/mcp.toml").exists());
}

/// At each prompt: a text, several choices, one choice.
#[test]
fn ctrl_c_leaves_nothing_and_shows_the_cursor() {
    let prompts = ["Name of the server?", "Start from?", "What does it offer", "For which clouds?"];
    for stop in 0..prompts.len() {
        let sandbox = Sandbox::new();
        let mut terminal = init(&sandbox, &["weather"]);
        for prompt in &prompts[..stop] {
            answer(&mut terminal, prompt, ENTER);
        }
        terminal.exp_string(prompts[stop]).unwrap();
        std::thread::sleep(Duration::from_millis(50));
        terminal.send_control(CTRL_C).unwrap();
        let rest = terminal.exp_eof().unwrap();
        let context = format!("Ctrl-C at `{}`: {rest:?}", prompts[stop]);
        assert!(rest.contains("interrupted; nothing was written"), "{context}");
        let hidden = rest.rfind("\u{1b}[?25l");
        assert!(rest.contains(SHOW_CURSOR) && rest.rfind(SHOW_CURSOR) > hidden, "{context}");
        match terminal.process_mut().wait().unwrap() {
            rexpect::process::WaitStatus::Exited(_, code) => assert_eq!(code, 130, "{context}"),
            other => panic!("{context}: {other:?}"),
        }
        assert!(sandbox.tree().is_empty(), "{context}");
    }
}

/// A signal from elsewhere counts too: the next answer ends the questions.
#[test]
fn an_interruption_from_elsewhere_is_not_forgotten() {
    let sandbox = Sandbox::new();
    let mut terminal = init(&sandbox, &["weather"]);
    terminal.exp_string("Name of the server?").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    terminal.process_mut().signal(rexpect::process::Signal::SIGINT).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    terminal.send(ENTER).unwrap();
    terminal.flush().unwrap();
    assert_eq!(exit_code(terminal), 130);
    assert!(sandbox.tree().is_empty());
}

/// Our own colours are there; what the manifest brings is written out.
#[test]
fn colours_are_ours_alone() {
    let sandbox = Sandbox::new();
    sandbox.write("mcp.toml", "[server]\nname = \"a\\u001b[2Jb\"\n");
    let run = |args: &[&str]| {
        let mut command = sandbox.command(args);
        command.stdin(std::process::Stdio::inherit()).env("TERM", "xterm-256color").env_remove("NO_COLOR");
        spawn_command(command, LIMIT).unwrap().exp_eof().unwrap()
    };
    let said = run(&["check"]);
    assert!(said.contains("`a\\u{1b}[2Jb`") && !said.contains("\u{1b}[2J"), "{said:?}");
    let said = run(&["check", "-C", "no\u{1b}[2Jwhere\u{202e}"]);
    assert!(said.contains("\u{1b}[31m") && said.contains("no\\u{1b}[2Jwhere\\u{202e}"), "{said:?}");
    assert!(!said.contains("\u{1b}[2J") && !said.contains('\u{202e}'), "{said:?}");
    let said = run(&["check", "--no\u{1b}[2Jflag"]);
    assert!(said.contains("--no\\u{1b}[2Jflag") && !said.contains("\u{1b}[2J"), "{said:?}");
    // What is clap's own keeps its colours.
    assert!(run(&["check", "--noflag"]).contains("\u{1b}["));
}
