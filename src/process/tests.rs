use std::path::Path;

use super::answering::Answering;
use super::*;

fn sh(script: &str) -> Cmd {
    Cmd::new("sh").args(["-c", script])
}

fn failed(result: anyhow::Result<Ended>) -> ToolFailed {
    ToolFailed::of(&result.unwrap_err()).unwrap().clone()
}

/// Is a process with this id there, and not just a zombie nobody reaped yet?
fn alive(pid: &str) -> bool {
    let out = Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    !String::from_utf8_lossy(&out.stdout).trim().is_empty() && !out.stdout.starts_with(b"Z")
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[test]
fn both_pipes_are_drained_while_it_runs() {
    let script = "i=0; while [ $i -lt 1500 ]; do printf '%01023d\\n' $i; printf '%01023d\\n' $i >&2; i=$((i+1)); done";
    let done = run(&sh(script), Io::Quiet, Some(Duration::from_secs(60))).unwrap();
    assert_eq!(done.code, Some(0));
    assert!(done.stdout.is_empty());
    assert!(done.log.len() <= output::KEEP && done.log.len() > output::KEEP / 2);
    assert!(done.log.lines().all(|line| line.len() == 1023));

    let done = run(&sh(script), Io::Answer, Some(Duration::from_secs(60))).unwrap();
    assert_eq!(done.stdout.len(), 1500 * 1024);
    assert!(done.log.ends_with("1499\n"));
}

#[test]
fn the_answer_and_the_log_are_kept_apart() {
    let done = run(&sh("echo answer; echo note >&2"), Io::Answer, None).unwrap();
    assert_eq!((done.stdout.as_str(), done.log.as_str()), ("answer\n", "note\n"));
}

#[test]
fn lines_are_heard_as_they_come_without_what_a_terminal_obeys() {
    let heard: std::sync::Arc<Mutex<Vec<String>>> = std::sync::Arc::default();
    let hearing = heard.clone();
    let script = "printf 'a\\033[2J\\033]0;t\\007b\\n'; printf 'c\\rd\\n' >&2; exit 4";
    let ended =
        run_heard(&sh(script), std::sync::Arc::new(move |line: &str| hearing.lock().unwrap().push(line.into())));
    assert_eq!(failed(ended).code, Some(4));
    let mut heard = heard.lock().unwrap().clone();
    heard.sort();
    assert_eq!(heard, ["ab", "d"]);
}

#[test]
fn a_failure_tells_code_and_last_lines() {
    let failure = failed(run(&sh("echo one; printf '\\033[31mtwo\\033[0m\\n' >&2; exit 7"), Io::Quiet, None));
    assert_eq!((failure.code, failure.signal, failure.exit_code()), (Some(7), None, 7));
    let mut lines: Vec<&str> = failure.tail.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["one", "two"]);

    let failure = failed(run(&sh("echo '{\"error\":1}'; exit 1"), Io::Answer, None));
    assert_eq!(failure.stdout, "{\"error\":1}\n");
    assert_eq!(failure.tail, "{\"error\":1}");
}

#[test]
fn a_signal_is_told_apart_from_a_code() {
    let failure = failed(run(&sh("kill -KILL $$"), Io::Quiet, None));
    assert_eq!((failure.code, failure.signal, failure.exit_code()), (None, Some(9), 137));
}

#[test]
fn secrets_stay_out_of_the_failure() {
    let cmd = sh("echo token is $TOKEN; exit 1").env_secret("TOKEN", "s3cr3t-value");
    let failure = failed(run(&cmd, Io::Quiet, None));
    assert_eq!(failure.tail, "token is ***");
    assert!(!format!("{failure:?} {failure}").contains("s3cr3t"));
}

#[test]
fn a_limit_ends_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let cmd = sh("echo begun; sleep 300 & echo $! > pid; wait").current_dir(dir.path());
    let started = Instant::now();
    let failure = failed(run(&cmd, Io::Quiet, Some(Duration::from_millis(700))));
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(failure.limit, Some(Duration::from_millis(700)));
    assert_eq!((failure.exit_code(), failure.tail.as_str()), (124, "begun"));
    wait_until("the grandchild ends", || !alive(&read(&pid)));
}

#[test]
fn a_deaf_child_is_killed() {
    let started = Instant::now();
    let cmd = sh("trap '' TERM; while :; do sleep 1; done");
    failed(run(&cmd, Io::Quiet, Some(Duration::from_millis(200))));
    assert!(started.elapsed() < GRACE + Duration::from_secs(5));
}

#[test]
fn what_it_leaves_behind_is_killed_and_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let started = Instant::now();
    // The grandchild keeps both pipes open.
    let done = run(&sh("sleep 300 & echo $! > pid; echo done").current_dir(dir.path()), Io::Answer, None).unwrap();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(done.stdout, "done\n");
    wait_until("the grandchild ends", || !alive(&read(&pid)));
}

#[test]
fn stdin_is_empty_or_what_was_given() {
    assert_eq!(run(&Cmd::new("cat"), Io::Answer, None).unwrap().stdout, "");
    let big = "x".repeat(300_000);
    assert_eq!(run(&Cmd::new("cat").stdin(big.clone()), Io::Answer, None).unwrap().stdout, big);
    // One that never reads it does not fail.
    run(&Cmd::new("true").stdin(big), Io::Quiet, None).unwrap();
}

#[test]
fn what_cannot_be_run_is_named() {
    let error = format!("{:#}", run(&Cmd::new("/nowhere/sam"), Io::Quiet, None).unwrap_err());
    assert!(error.starts_with("cannot run `sam` (`/nowhere/sam`): "), "{error}");
    let error = format!("{:#}", run(&Cmd::new("sh").current_dir("/nowhere"), Io::Quiet, None).unwrap_err());
    assert!(error.starts_with("cannot run `sh`: there is no folder `/nowhere`"), "{error}");
}

#[test]
fn a_server_is_stopped_with_its_grandchildren() {
    for by_drop in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let cmd = sh("echo up; sh -c 'sleep 300 & echo $! > pid.new; mv pid.new pid; wait'").current_dir(dir.path());
        let mut server = ServerProcess::spawn(&cmd).unwrap();
        server.wait_ready(&mut || pid.is_file(), Duration::from_secs(20)).unwrap();
        assert!(server.exited().is_none());
        wait_until("the log is read", || server.log() == "up\n");
        let grandchild = read(&pid);
        assert!(alive(&grandchild));
        if by_drop {
            drop(server)
        } else {
            server.stop()
        }
        wait_until("the grandchild ends", || !alive(&grandchild));
    }
}

#[test]
fn a_server_that_dies_fails_at_once_with_its_last_words() {
    let mut server = ServerProcess::spawn(&sh("echo port is taken >&2; exit 4")).unwrap();
    let started = Instant::now();
    let error = server.wait_ready(&mut || false, Duration::from_secs(60)).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(error.to_string(), "`sh` ended before it was ready");
    let failure = ToolFailed::of(&error).unwrap();
    assert_eq!((failure.code, failure.tail.as_str()), (Some(4), "port is taken"));
    assert_eq!(server.exited().and_then(|status| status.code()), Some(4));
}

#[test]
fn a_server_that_never_gets_ready_is_stopped() {
    let mut server = ServerProcess::spawn(&sh("echo thinking; sleep 300")).unwrap();
    let error = server.wait_ready(&mut || false, Duration::from_millis(300)).unwrap_err();
    assert_eq!(ToolFailed::of(&error).unwrap().tail, "thinking");
    assert!(server.exited().is_some());
}

const ANSWERS: &str = "echo $$ >&2; while read -r line; do case $line in die) kill -KILL $$;; half) printf half; exit 0;; wait) sleep 60;; *) echo \"$$ $line\";; esac; done";

#[test]
fn one_child_answers_every_question() {
    let mut child = Answering::start(&sh(ANSWERS)).unwrap();
    let mut ask = |question: &str| child.ask(question.to_owned(), Duration::from_secs(20)).unwrap();
    let (first, second) = (ask("one"), ask("two"));
    let (pid, word) = first.split_once(' ').unwrap();
    assert_eq!((word, second), ("one", format!("{pid} two")));
    let long = "x".repeat(300_000);
    assert_eq!(ask(&long), format!("{pid} {long}"));
    let pid = pid.to_owned();
    drop(child);
    wait_until("it ends with its owner", || !alive(&pid));
}

#[test]
fn one_that_died_is_not_asked_again() {
    let answerers = Answerers::default();
    let ask = |question: &str| {
        answerers.ask("here", || Ok((sh(ANSWERS), Scratch::new()?)), question.to_owned(), Duration::from_secs(20))
    };
    let pid = |answer: String| answer.split_once(' ').unwrap().0.to_owned();
    let first = pid(ask("one").unwrap());
    assert_eq!(pid(ask("two").unwrap()), first);
    // Between two questions, and by one.
    assert!(Command::new("kill").args(["-KILL", &first]).status().unwrap().success());
    wait_until("it is gone", || !alive(&first));
    let second = pid(ask("three").unwrap());
    assert_ne!(second, first);
    assert!(ask("die").is_err());
    assert_ne!(pid(ask("four").unwrap()), second);
}

#[test]
fn a_child_that_does_not_answer_is_a_failure() {
    let fails = |question: &str, limit| {
        let mut child = Answering::start(&sh(ANSWERS)).unwrap();
        let failed = ToolFailed::of(&child.ask(question.to_owned(), limit).unwrap_err()).unwrap().clone();
        assert!(!child.is_there(), "{question}");
        failed
    };
    let long = Duration::from_secs(20);
    assert_eq!(fails("die", long).signal, Some(9));
    assert_eq!((fails("half", long).code, fails("half", long).exit_code()), (Some(0), 1));
    let limit = Duration::from_millis(300);
    assert_eq!(fails("wait", limit).limit, Some(limit));
}

#[test]
fn free_ports_differ() {
    let ports: HashSet<u16> = (0..50).map(|_| free_port().unwrap()).collect();
    assert_eq!(ports.len(), 50);
    assert!(!ports.contains(&0));
}

/// The interrupted program of the tests below: a server in the background and a job in the foreground.
#[test]
#[ignore = "runs in a separate process"]
fn interrupted_program() {
    let dir = std::path::PathBuf::from(std::env::var_os("INTERRUPTED_DIR").unwrap());
    install_interrupt_handler();
    let server =
        ServerProcess::spawn(&sh("sleep 300 & echo $! > server.new; mv server.new server; wait").current_dir(&dir));
    let job = std::env::var("INTERRUPTED_JOB").unwrap();
    let job = format!("{job}; echo $$ > job.new; mv job.new job; while :; do sleep 0.05; done");
    let ended = run(&sh(&job).current_dir(&dir), Io::Quiet, None);
    let code = ended.map_or_else(|error| crate::error::exit_code(&error), |_| 0);
    let next = run(&sh("true"), Io::Quiet, None).unwrap_err();
    let said = format!("{code} {} {next} {}", interrupted(), crate::error::exit_code(&next));
    drop(server);
    std::fs::write(dir.join("said"), said).unwrap();
}

/// Starts it, sends it SIGTERM until it ends, and returns what it said and its exit code.
fn interrupt(job: &str, times: usize) -> (String, Option<i32>) {
    use rustix::process::{Pid, Signal, kill_process};
    let dir = tempfile::tempdir().unwrap();
    let (server, job_id) = (dir.path().join("server"), dir.path().join("job"));
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::interrupted_program", "--ignored", "--quiet"])
        .envs([("INTERRUPTED_DIR", dir.path().as_os_str()), ("INTERRUPTED_JOB", job.as_ref())])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("both run", || server.is_file() && job_id.is_file());
    for _ in 0..times {
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    let code = child.wait().unwrap().code();
    for file in [server, job_id] {
        wait_until("nothing is left", || !alive(&read(&file)));
    }
    (read(&dir.path().join("said")), code)
}

#[test]
fn an_interruption_is_passed_on_and_waited_for() {
    let said = interrupt("trap 'sleep 0.5; exit 42' TERM", 1);
    assert_eq!(said, ("42 true interrupted 143".to_owned(), Some(0)));
}

#[test]
fn a_second_interruption_kills_at_once() {
    assert_eq!(interrupt("trap '' TERM", 2), (String::new(), Some(143)));
}

#[test]
#[ignore = "the program that a test below kills"]
fn killed_program() {
    let dir = std::path::PathBuf::from(std::env::var_os("KILLED_DIR").expect("set by the test below"));
    // One that does not obey, and has a child; one that does; one that ended before.
    let stubborn = "trap '' TERM; sleep 300 & echo $! > child; echo $$ > stubborn; wait; sleep 300";
    let _stubborn = ServerProcess::spawn(&sh(stubborn).current_dir(&dir)).unwrap();
    run(&sh("true"), Io::Quiet, None).unwrap();
    let _ = run(&sh("echo $$ > obedient; exec sleep 300").current_dir(&dir), Io::Quiet, None);
}

/// SIGKILL, also of the whole group: nothing of it goes on.
#[test]
fn a_killed_program_leaves_nothing() {
    use std::os::unix::process::CommandExt as _;

    use rustix::process::{Pid, Signal, kill_process_group};
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "process::tests::killed_program", "--ignored", "--quiet"])
        .env("KILLED_DIR", dir.path())
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let files = ["child", "stubborn", "obedient"].map(|name| dir.path().join(name));
    wait_until("all run", || files.iter().all(|file| !read(file).is_empty()));
    kill_process_group(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
    for file in &files {
        wait_until("nothing is left", || !alive(&read(file)));
    }
}
