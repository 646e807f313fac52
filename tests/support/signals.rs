//! A test run that was started in the background ignores Ctrl-C, and so would every program that it starts.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Once};

use signal_hook::consts::{SIGHUP, SIGINT};
use signal_hook::flag::register_conditional_shutdown;

/// Heeds these signals in this process; a program that it starts then has the default for them, as from a terminal.
pub fn heed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for signal in [SIGINT, SIGHUP] {
            let always = Arc::new(AtomicBool::new(true));
            register_conditional_shutdown(signal, 128 + signal, always).expect("a signal handler");
        }
    });
}
