//! A command as data, and the one line a person can paste into a shell to run it again.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A program, its arguments and its surroundings.
#[derive(Clone)]
pub struct Cmd {
    program: OsString,
    /// The script that `program` interprets; never shown, because `shown` stands for both.
    script: Option<OsString>,
    shown: Option<String>,
    args: Vec<OsString>,
    dir: Option<PathBuf>,
    env: Vec<(OsString, Var)>,
    /// Whether it gets none of our variables.
    is_alone: bool,
    input: Option<Vec<u8>>,
    /// Secrets that the program finds by itself.
    known: Vec<String>,
}

#[derive(Clone)]
enum Var {
    Shown(OsString),
    Noise(OsString),
    Secret(OsString),
    Removed,
}

/// A shorter secret would also blot out half of an innocent log.
pub(super) const SHORTEST_SECRET: usize = 6;

impl Cmd {
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref().to_owned();
        Cmd {
            program,
            script: None,
            shown: None,
            args: Vec::new(),
            dir: None,
            env: Vec::new(),
            is_alone: false,
            input: None,
            known: Vec::new(),
        }
    }

    /// A script and its interpreter: `node path/to/bin.js`, shown by the script's name alone.
    pub fn script(interpreter: impl AsRef<OsStr>, script: impl AsRef<OsStr>) -> Self {
        Cmd { script: Some(script.as_ref().to_owned()), ..Cmd::new(interpreter) }
    }

    pub fn is_script(&self) -> bool {
        self.script.is_some()
    }

    pub fn shown_as(mut self, name: impl Into<String>) -> Self {
        self.shown = Some(name.into());
        self
    }

    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// A variable the command needs, so the shown line sets it too.
    pub fn env(self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_owned();
        self.set(key, Var::Shown(value))
    }

    /// A variable that changes nothing the reader cares about (telemetry, PATH): set, not shown.
    pub fn env_noise(self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_owned();
        self.set(key, Var::Noise(value))
    }

    /// A secret: shown as `KEY="$KEY"`, and blotted out of everything the child writes.
    pub fn env_secret(self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref().to_owned();
        self.set(key, Var::Secret(value))
    }

    /// A secret that the program reads from elsewhere: not given to it, but blotted out of its log.
    pub fn knows_secret(mut self, value: impl Into<String>) -> Self {
        self.known.push(value.into());
        self
    }

    pub fn env_remove(self, key: impl AsRef<OsStr>) -> Self {
        self.set(key, Var::Removed)
    }

    /// No variable of ours from here on, and none that was set before: only those that are set now.
    pub fn env_clear(mut self) -> Self {
        self.env.clear();
        self.is_alone = true;
        self
    }

    /// Bytes for the child's stdin, for secrets that no argument may carry. Never shown.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = Some(bytes.into());
        self
    }

    /// The short name of the program.
    pub fn name(&self) -> Cow<'_, str> {
        if let Some(shown) = &self.shown {
            return shown.into();
        }
        let path = Path::new(self.script.as_ref().unwrap_or(&self.program));
        let name = if self.script.is_some() { path.file_stem() } else { path.file_name() };
        name.unwrap_or(path.as_os_str()).to_string_lossy()
    }

    pub fn program(&self) -> &Path {
        Path::new(&self.program)
    }

    pub(super) fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    pub(super) fn input(&self) -> Option<&[u8]> {
        self.input.as_deref()
    }

    pub(super) fn secrets(&self) -> Vec<String> {
        let secret = |var: &Var| match var {
            Var::Secret(value) => value.to_str().map(str::to_owned),
            _ => None,
        };
        let given = self.env.iter().filter_map(|(_, var)| secret(var));
        given.chain(self.known.iter().cloned()).filter(|value| value.len() >= SHORTEST_SECRET).collect()
    }

    pub(super) fn to_std(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.script).args(&self.args);
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if self.is_alone {
            command.env_clear();
        }
        for (key, var) in &self.env {
            match var {
                Var::Shown(value) | Var::Noise(value) | Var::Secret(value) => command.env(key, value),
                Var::Removed => command.env_remove(key),
            };
        }
        command
    }

    fn set(mut self, key: impl AsRef<OsStr>, var: Var) -> Self {
        self.env.retain(|(known, _)| known != key.as_ref());
        self.env.push((key.as_ref().to_owned(), var));
        self
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dir) = self.dir.as_deref().and_then(elsewhere) {
            write!(f, "cd {} && ", quote(dir.as_os_str()))?;
        }
        for (key, var) in &self.env {
            let key = key.to_string_lossy();
            match var {
                Var::Shown(value) => write!(f, "{key}={} ", quote(value))?,
                Var::Secret(_) => write!(f, "{key}=\"${key}\" ")?,
                Var::Noise(_) | Var::Removed => {}
            }
        }
        let name = self.name();
        // Bare, a first word holding `=` would be an assignment.
        match quote(OsStr::new(name.as_ref())) {
            bare if bare == name && bare.contains('=') => write!(f, "'{bare}'")?,
            quoted => f.write_str(&quoted)?,
        }
        self.args.iter().try_for_each(|arg| write!(f, " {}", quote(arg)))
    }
}

impl fmt::Debug for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cmd({self})")
    }
}

/// The folder to change to before pasting, or nothing when it is the one we are in.
fn elsewhere(dir: &Path) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let there = here.join(dir);
    let relative = there.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(there);
    let plain: PathBuf = relative.components().filter(|part| part.as_os_str() != ".").collect();
    (!plain.as_os_str().is_empty()).then_some(plain)
}

/// One word of a POSIX shell; control characters and bytes that are not UTF-8 take the `$'…'` form of bash and zsh.
fn quote(word: &OsStr) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(harmless) => text.to_owned(),
        Some(text) if !text.chars().any(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => quote_bytes(word),
    }
}

fn quote_bytes(word: &OsStr) -> String {
    let mut out = String::from("$'");
    for chunk in word.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => out.extend(['\\', c]),
                '\n' => out.push_str("\\n"),
                '\t' => out.push_str("\\t"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() => c.to_string().bytes().for_each(|byte| out.push_str(&format!("\\x{byte:02x}"))),
                c => out.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| out.push_str(&format!("\\x{byte:02x}")));
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_needs_it() {
        let table: &[(&str, &str)] = &[
            ("", "''"),
            ("--port=8787", "--port=8787"),
            ("https://x.dev/a?b=1", "'https://x.dev/a?b=1'"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("*", "'*'"),
            ("a;b", "'a;b'"),
            ("a\\b", "'a\\b'"),
            ("\"q\"", "'\"q\"'"),
            ("`id`", "'`id`'"),
            ("!x", "'!x'"),
            ("#x", "'#x'"),
            ("[x]", "'[x]'"),
            ("Zürich", "'Zürich'"),
            ("two\nlines", r"$'two\nlines'"),
            ("\u{1b}[31mit's\\", r"$'\x1b[31mit\'s\\'"),
            ("\u{85}f", r"$'\xc2\x85f'"),
        ];
        for (word, shown) in table {
            assert_eq!(quote(OsStr::new(word)), *shown, "{word:?}");
        }
        assert_eq!(quote(OsStr::from_bytes(b"a\xff'")), r"$'a\xff\''");
    }

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let words = ["", "a b", "it's", "$HOME", "\\", "\"", "`id`", "*", "two\nlines\t", "\u{1b}[1m'\\x", "Zürich"];
        let line = words.iter().map(|word| quote(OsStr::new(word))).collect::<Vec<_>>().join(" ");
        let script = format!("printf '%s\\0' {line}");
        let out = Command::new("bash").args(["-c", &script]).output().unwrap();
        let want: String = words.iter().map(|word| format!("{word}\0")).collect();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), want);
    }

    #[test]
    fn shown_as_one_line_without_noise_or_secrets() {
        let cmd = Cmd::script("/cache/bin/node", "/cache/wrangler/bin/wrangler.js")
            .args(["dev", "--port", "8787"])
            .env("CI", "1")
            .env_noise("PATH", "/somewhere")
            .env_remove("NOISE")
            .env_secret("API_TOKEN", "hunter2hunter2")
            .stdin("hunter3");
        assert_eq!(cmd.to_string(), "CI=1 API_TOKEN=\"$API_TOKEN\" wrangler dev --port 8787");
        assert_eq!(format!("{cmd:?}"), format!("Cmd({cmd})"));
        assert_eq!(cmd.clone().shown_as("npx wrangler").name(), "npx wrangler");
        assert_eq!(Cmd::new("/usr/bin/a=b").to_string(), "'a=b'");
    }

    #[test]
    fn the_folder_is_shown_when_it_is_another_one() {
        let line = |dir: &Path| Cmd::new("sam").arg("build").current_dir(dir).to_string();
        let here = std::env::current_dir().unwrap();
        assert_eq!(line(Path::new(".")), "sam build");
        assert_eq!(line(&here), "sam build");
        assert_eq!(line(&here.join("my dir")), "cd 'my dir' && sam build");
        assert_eq!(line(Path::new("/nowhere")), "cd /nowhere && sam build");
    }

    #[test]
    fn a_variable_set_again_is_set_once() {
        let cmd = Cmd::new("x").env("A", "1").env("A", "2");
        assert_eq!(cmd.to_string(), "A=2 x");
        assert_eq!(cmd.env_remove("A").to_string(), "x");
    }

    #[test]
    fn what_is_alone_has_only_what_is_set_from_there_on() {
        let cmd = Cmd::new("/usr/bin/env").env("A", "1").env_clear().env("B", "2").env_noise("C", "3");
        let out = cmd.to_std().output().unwrap();
        assert_eq!(String::from_utf8(out.stdout).unwrap(), "B=2\nC=3\n");
    }
}
