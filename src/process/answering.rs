//! A child that answers questions until nobody has another: a line of its stdin each, a line of its stdout each.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::output::{Capture, Sink};
use super::running::{ChildRole, LAST_WORDS, Running};
use super::{Cmd, GRACE, Interrupted, SETTLE, Scratch, ToolFailed, cannot_run, interrupted};

/// Ends when it is dropped: between two questions it has nothing to finish. The end of its stdin ends it too, whatever
/// becomes of us.
pub struct Answering {
    cmd: Cmd,
    running: Running,
    capture: Capture,
    questions: Sender<String>,
    answers: Receiver<String>,
}

impl Answering {
    pub fn start(cmd: &Cmd) -> anyhow::Result<Self> {
        if interrupted() {
            return Err(Interrupted.into());
        }
        let mut command = cmd.to_std();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = Running::spawn(&mut command, ChildRole::Job).with_context(|| cannot_run(cmd))?;
        let capture = Capture::new(cmd.secrets());
        let (input, out, err) = running.pipes();
        let ((questions, asked), (said, answers)) = (mpsc::channel(), mpsc::channel());
        if let Some(pipe) = input {
            std::thread::spawn(move || pass_on(&asked, pipe));
        }
        if let Some(pipe) = out {
            std::thread::spawn(move || listen(pipe, &said));
        }
        if let Some(pipe) = err {
            capture.drain(Box::new(pipe), Sink::Log);
        }
        Ok(Answering { cmd: cmd.clone(), running, capture, questions, answers })
    }

    /// Whether it has not ended.
    pub fn is_there(&mut self) -> bool {
        self.running.poll().is_ok_and(|status| status.is_none())
    }

    /// Waits for the answer to one question, which has no line end in it. As for a child that is run for one answer, an
    /// end of it, whatever its exit code, and an overrun limit are a [`ToolFailed`]: it answers nothing afterwards.
    pub fn ask(&mut self, question: String, limit: Duration) -> anyhow::Result<String> {
        if interrupted() {
            return Err(Interrupted.into());
        }
        let deadline = Instant::now() + limit;
        // One that has ended reads nothing; the code below reports how it ended.
        let _ended = self.questions.send(question);
        let mut told = None;
        loop {
            match self.answers.recv_timeout(Duration::from_millis(50)) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(self.failed(None)),
                Err(RecvTimeoutError::Timeout) => {}
            }
            if interrupted() && told.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS {
                return Err(self.failed(None));
            }
            if Instant::now() >= deadline {
                return Err(self.failed(Some(limit)));
            }
        }
    }

    /// How it ended, or was made to.
    fn failed(&mut self, limit: Option<Duration>) -> anyhow::Error {
        let ended = match limit {
            Some(_) => None,
            // Its stdout is closed: it is about to end.
            None => self.running.wait(Some(Instant::now() + GRACE)).ok().flatten(),
        };
        let status = ended.unwrap_or_else(|| self.running.stop(GRACE));
        self.capture.settle(SETTLE);
        ToolFailed::new(&self.cmd, status, limit, &self.capture.log()).into()
    }
}

/// Children of one kind, each of which answers one question after the other: as many as were asked at once so far.
#[derive(Default)]
pub struct Answerers(Mutex<Vec<Answerer>>);

struct Answerer {
    /// Where it has been, so that it knows its way.
    place: String,
    child: Answering,
    _folder: Scratch,
}

impl Answerers {
    /// One that nobody is asking answers, of this place if there is one; else another is started, which needs its
    /// folder.
    pub fn ask(
        &self,
        place: &str,
        cmd: impl FnOnce() -> anyhow::Result<(Cmd, Scratch)>,
        question: String,
        limit: Duration,
    ) -> anyhow::Result<String> {
        let mut answerer = match self.take(place) {
            Some(there) => there,
            None => {
                let (cmd, folder) = cmd()?;
                Answerer { place: place.to_owned(), child: Answering::start(&cmd)?, _folder: folder }
            }
        };
        // One that did not answer is not asked again: it ends here.
        let answer = answerer.child.ask(question, limit)?;
        self.idle().push(answerer);
        Ok(answer)
    }

    /// The next question starts anew.
    pub fn end(&self) {
        self.idle().clear();
    }

    fn take(&self, place: &str) -> Option<Answerer> {
        let mut idle = self.idle();
        idle.retain_mut(|answerer| answerer.child.is_there());
        let at = idle.iter().position(|answerer| answerer.place == place).or(idle.len().checked_sub(1))?;
        Some(idle.swap_remove(at))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Answerer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pass_on(questions: &Receiver<String>, mut pipe: ChildStdin) {
    for question in questions {
        if pipe.write_all(format!("{question}\n").as_bytes()).is_err() {
            return;
        }
    }
}

fn listen(pipe: ChildStdout, answers: &Sender<String>) {
    let mut pipe = BufReader::new(pipe);
    loop {
        let mut line = Vec::new();
        // Without its end it is half an answer.
        if !pipe.read_until(b'\n', &mut line).is_ok_and(|_| line.pop() == Some(b'\n')) {
            return;
        }
        if answers.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return;
        }
    }
}
