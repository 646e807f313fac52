//! KeyPresses that act at once, without Enter, for a command that stays.

use std::io::{IsTerminal as _, Read as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// Dropped, it leaves the terminal as it was.
pub struct KeyPresses {
    before: Option<Termios>,
    pressed: Option<Receiver<char>>,
}

impl KeyPresses {
    /// From now on; where nobody sits at a terminal, or the command does not have it, no key ever comes.
    pub fn listen() -> Self {
        let stdin = std::io::stdin();
        let none = KeyPresses { before: None, pressed: None };
        // From the background the terminal would stop us.
        if !stdin.is_terminal() || tcgetpgrp(&stdin).ok() != Some(getpgrp()) {
            return none;
        }
        let Ok(before) = tcgetattr(&stdin) else { return none };
        let mut at_once = before.clone();
        at_once.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        if tcsetattr(&stdin, OptionalActions::Now, &at_once).is_err() {
            return none;
        }
        let (press, pressed) = mpsc::channel();
        thread::spawn(move || {
            let keys = std::io::stdin().lock().bytes().map_while(Result::ok);
            keys.map(char::from).take_while(|key| press.send(*key).is_ok()).for_each(drop);
        });
        KeyPresses { before: Some(before), pressed: Some(pressed) }
    }

    /// Whether keys can come at all.
    pub fn are_heard(&self) -> bool {
        self.before.is_some()
    }

    /// The next key, if one is pressed within this time.
    pub fn wait(&mut self, limit: Duration) -> Option<char> {
        let next = self.pressed.as_ref().map(|pressed| pressed.recv_timeout(limit));
        match next {
            Some(Ok(key)) => return Some(key),
            Some(Err(RecvTimeoutError::Timeout)) => {}
            Some(Err(RecvTimeoutError::Disconnected)) => self.pressed = None,
            None => thread::sleep(limit),
        }
        None
    }
}

impl Drop for KeyPresses {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}
