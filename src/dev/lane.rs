//! One target of a session: the address that stays, the version that serves, and those that still have requests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::DevSession;
use super::front::{DevFront, RunningVersion};
use super::log;
use super::traffic::EndedRequest;
use crate::plan;
use crate::process::{self, Io, LogListener, Scratch};
use crate::project::Project;
use crate::secrets::dotenv;
use crate::ship::local::{self, LocalServers, Starting};
use crate::targets::{self, Build, Code, Target, WatchNews};
use crate::ui::{self, Mark};

/// What a running server cannot be given anew: its variables.
pub type Settings = Vec<(String, String)>;

pub fn settings(build: &Build<'_>) -> Result<Settings> {
    let mut settings = dotenv::local(build.root, build.manifest)?;
    settings.push((String::new(), format!("{:?}", build.manifest.access.auth)));
    Ok(settings)
}

pub struct Lane {
    pub starter: LaneStarter,
    front: DevFront,
    current: Option<LaneServer>,
    /// With requests that began on them.
    ending: Vec<LaneServer>,
    settings: Option<Settings>,
    news: Receiver<(WatchNews, Instant)>,
    /// Where a tool watches: the last version that it built, and what serves in its place while it cannot build.
    good: Option<Scratch>,
    substitute: Option<LaneServer>,
    is_broken: bool,
}

struct LaneServer {
    servers: LocalServers,
    version: Arc<RunningVersion>,
}

/// What starts a version, on any thread.
#[derive(Clone)]
pub struct LaneStarter {
    pub target: &'static Target,
    root: PathBuf,
    /// `lambda: `, where there are several.
    prefix: String,
    hears: Sender<(WatchNews, Instant)>,
}

const BUNDLE_LIMIT: Duration = Duration::from_secs(300);

impl Lane {
    /// Takes the port. Requests wait until there is a version.
    pub fn open(target: &'static Target, port: u16, root: &Path, is_one_of_several: bool) -> io::Result<Self> {
        let prefix = if is_one_of_several { format!("{}: ", target.name) } else { String::new() };
        let (starter, news) = LaneStarter::new(target, root, prefix.clone());
        let restarted = target.watch.as_ref().map(|watch| watch.restarted);
        let front = DevFront::bind(port, restarted, Box::new(move |request| tell(&prefix, request)))?;
        Ok(Lane {
            starter,
            front,
            current: None,
            ending: Vec::new(),
            settings: None,
            news,
            good: None,
            substitute: None,
            is_broken: false,
        })
    }

    /// Whether its server runs, and with these settings.
    pub fn runs_with(&self, settings: &Settings) -> bool {
        self.current.is_some() && self.settings.as_ref() == Some(settings)
    }

    /// The address, what runs it, and what clients must send.
    pub fn introduce(&self) {
        if let Some(LaneServer { servers, .. }) = &self.current {
            introduce(servers, &format!("{}{}/mcp", self.front.base(), servers.path()));
        }
    }

    /// From now on requests go to this version; those that began on the one before end there.
    pub fn take_over(&mut self, servers: LocalServers, settings: &Settings, time: Option<Duration>) {
        self.settings = Some(settings.clone());
        let Some(serving) = LaneServer::new(servers) else { return };
        self.front.serve(Some(serving.version.clone()));
        self.ending.extend(self.current.replace(serving));
        self.keep_what_is_good();
        if let Some(time) = time {
            self.tell_renewed(&format!(" ({:.2} s)", time.as_secs_f64()));
        }
    }

    fn tell_renewed(&self, how: &str) {
        ui::mark(Mark::Good, format_args!("{}the new version serves{how}", self.starter.prefix));
    }

    /// Calls the last tool once more, and shows what it answers.
    pub fn call_again(&self) {
        let Some(call) = self.front.call_again() else { return };
        let prefix = self.starter.prefix.clone();
        thread::spawn(move || {
            if let Ok(Some(result)) = call.join() {
                ui::say(format_args!("     {prefix}{result}"));
            }
        });
    }

    /// Lets go of versions without requests, and hears what became of the one that serves.
    pub fn look_after(&mut self, session: &DevSession) {
        for free in self.ending.extract_if(.., |serving| serving.is_free()) {
            // It may take its time to end.
            thread::spawn(move || drop(free));
        }
        if let Some(serving) = &mut self.current
            && let Err(error) = serving.servers.still_runs()
            && !process::interrupted()
        {
            ui::error(&error);
            ui::say("the next change starts it again");
            self.current = None;
            self.front.serve(None);
        }
        while let Ok((news, heard)) = self.news.try_recv() {
            // A reload loses what waits for an answer; what cannot be built holds it up.
            self.current.iter().for_each(|serving| serving.version.lose(heard));
            match news {
                WatchNews::Serves => self.built(),
                WatchNews::Broken => self.broken(session),
            }
        }
    }

    /// A copy of what the tool has built: it is there while the next version cannot be.
    fn keep_what_is_good(&mut self) {
        let LaneStarter { target, root, .. } = &self.starter;
        let made = target.watch.as_ref().and_then(|watch| (watch.made)(root));
        self.good = made.and_then(|made| copied(&made).ok());
    }

    /// The tool has built the change, and serves it.
    fn built(&mut self) {
        self.keep_what_is_good();
        if let (Some(serving), true) = (&self.current, std::mem::take(&mut self.is_broken)) {
            self.front.serve(Some(serving.version.clone()));
            self.ending.extend(self.substitute.take());
        }
        self.tell_renewed("");
    }

    /// The tool cannot build the change, and answers nothing until it can: the version before it goes on in another
    /// process.
    fn broken(&mut self, session: &DevSession) {
        if std::mem::replace(&mut self.is_broken, true) {
            return;
        }
        ui::say(format_args!("{}the version before the change goes on", self.starter.prefix));
        let (Some(serving), Some(good)) = (&self.current, &self.good) else { return };
        self.front.serve(None);
        serving.version.lose(Instant::now());
        let started = Project::open(Some(&self.starter.root)).and_then(|project| {
            let build = Build { root: &project.root, manifest: &project.manifest, tools: &session.tools };
            self.starter.begin(&build, Code::Bundle(good.path()), None)
        });
        match started.map(LaneServer::new) {
            Ok(Some(substitute)) => {
                self.front.serve(Some(substitute.version.clone()));
                self.substitute = Some(substitute);
            }
            Ok(None) => {}
            Err(error) => ui::error(&error),
        }
    }
}

impl LaneServer {
    fn new(servers: LocalServers) -> Option<Self> {
        Some(LaneServer { version: RunningVersion::at(servers.address()?), servers })
    }

    /// Whether it has no request any more, and the front sends it none.
    fn is_free(&self) -> bool {
        Arc::strong_count(&self.version) == 1
    }
}

impl LaneStarter {
    /// With what the servers that it starts say of changes.
    pub fn new(target: &'static Target, root: &Path, prefix: String) -> (Self, Receiver<(WatchNews, Instant)>) {
        let (hears, news) = mpsc::channel();
        (LaneStarter { target, root: root.to_owned(), prefix, hears }, news)
    }

    /// Builds a version and starts it; how long that took.
    pub fn start(&self, build: &Build<'_>) -> Result<(LocalServers, Duration)> {
        let began = Instant::now();
        let servers = match self.target.watch {
            Some(_) => self.begin(build, Code::Sources, None)?,
            None => {
                let folder = Scratch::new()?;
                let cmd = targets::bundle(build, self.target.name).args(["--readable", "--sourcemap", "--outdir"]);
                process::run(&cmd.arg(folder.path()), Io::Quiet, Some(BUNDLE_LIMIT))?;
                self.begin(build, Code::Bundle(folder.path()), None)?
            }
        };
        Ok((servers, began.elapsed()))
    }

    /// Starts a server at this port, or at a free one.
    pub fn begin(&self, build: &Build<'_>, code: Code<'_>, port: Option<u16>) -> Result<LocalServers> {
        let state = build.manifest.has_state().then(|| plan::local_state(build.root)).transpose()?;
        let listener = Some(self.listener(matches!(code, Code::Sources)));
        local::start(self.target, build, &Starting { port, state: state.as_deref(), listener, code })
    }

    fn listener(&self, watches: bool) -> LogListener {
        let (root, prefix, hears) = (self.root.clone(), self.prefix.clone(), self.hears.clone());
        let (is_chatter, watch) = (self.target.is_chatter, self.target.watch.as_ref().filter(|_| watches));
        Arc::new(move |line: &str| {
            if let Some(news) = watch.and_then(|watch| (watch.news)(line)) {
                // Nobody listens any more when the session ends.
                let _ended = hears.send((news, Instant::now()));
            }
            for line in log::shown(line, &root, is_chatter) {
                ui::say(format_args!("     {prefix}{line}"));
            }
        })
    }
}

/// The address, what runs there, and what clients must send.
pub fn introduce(servers: &LocalServers, url: &str) {
    ui::mark(Mark::Good, format_args!("{url} on {}", servers.runtime()));
    if let Some(bearer) = servers.bearer() {
        ui::say(format_args!("     for as long as it runs, clients may send: Authorization: Bearer {bearer}"));
    }
    ui::answer(url);
}

fn copied(folder: &Path) -> Result<Scratch> {
    let copy = Scratch::new()?;
    plan::copy_folder(folder, copy.path()).context("cannot keep the last version")?;
    Ok(copy)
}

/// `ok   tools/call get_weather, claude-code 2.1.0, 12 ms`
fn tell(prefix: &str, EndedRequest { asked, elapsed, outcome }: &EndedRequest<'_>) {
    let client = asked.client.as_ref().map(|client| format!(", {client}")).unwrap_or_default();
    let said = format!("{prefix}{}{client}, {} ms", asked.what, elapsed.as_millis());
    match outcome {
        Ok(()) => ui::mark(Mark::Good, ui::flat(&said)),
        Err(error) => ui::mark(Mark::Bad, ui::flat(&format!("{said}: {error}"))),
    }
}
