//! The type check beside a session: it tells what it finds, and stops nothing.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use anyhow::Result;

use crate::fault::Fault;
use crate::process;
use crate::project::{self, Project, npm};
use crate::toolchain::Toolchain;
use crate::ui::{self, Mark};

pub struct TypeCheck {
    root: PathBuf,
    tools: Toolchain,
    running: Option<JoinHandle<Result<Vec<Fault>>>>,
    /// Whether the files were changed since it began.
    is_stale: bool,
    /// Whether the last one found something.
    found: bool,
}

impl TypeCheck {
    pub fn start(root: &Path, tools: &Toolchain) -> Self {
        let mut check =
            TypeCheck { root: root.to_owned(), tools: tools.clone(), running: None, is_stale: false, found: false };
        check.again();
        check
    }

    /// After a change: now, or when the one that runs has ended.
    pub fn again(&mut self) {
        self.is_stale = self.running.is_some();
        if self.running.is_none() {
            let (root, tools) = (self.root.clone(), self.tools.clone());
            self.running = Some(thread::spawn(move || {
                let project = Project::open(Some(&root))?;
                let mut faults = project::code_faults(&project);
                faults.extend(npm::type_faults(&project, &tools)?);
                Ok(faults)
            }));
        }
    }

    /// Tells the result of one that has ended.
    pub fn tell(&mut self) {
        let Some(ended) = self.running.take_if(|running| running.is_finished()) else { return };
        let result = ended.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        if std::mem::take(&mut self.is_stale) {
            return self.again();
        }
        match result {
            Ok(faults) => {
                project::print(&faults);
                let is_sound = project::errors(&faults) == 0;
                if !is_sound {
                    ui::mark(Mark::Bad, "check types: what is wrong stops nothing here; `ship` would not build it");
                } else if self.found {
                    ui::mark(Mark::Good, "check types");
                }
                self.found = !is_sound;
            }
            Err(_) if process::interrupted() => {}
            Err(error) => ui::error(&error),
        }
    }
}
