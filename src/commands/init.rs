//! `init`: a new project, all of it or nothing.

use std::fs::FileType;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum as _;

use super::{End, dry_run, mend, offered};
use crate::cli::{Example, Init};
use crate::error::Error;
use crate::files::{self, Exclusive};
use crate::manifest::{self, names};
use crate::plan::{self, Plan};
use crate::project::Project;
use crate::prompt::{self, Mode};
use crate::targets::{self, Target};
use crate::template::{self, Birth};
use crate::ui;

pub fn run(args: Init, dir: Option<&Path>) -> Result<End> {
    let mode = Mode::of(args.yes);
    let path = args.path.as_deref();
    if let Some(path) = path {
        refuse_occupied(&base(dir).join(path))?;
    }
    let name = name(&args, mode, dir)?;
    let root = base(dir).join(path.unwrap_or(Path::new(&name)));
    refuse_occupied(&root)?;
    let example = match args.example {
        Some(example) => example,
        None => ask_example(mode)?,
    };
    let description = match &args.description {
        Some(description) => description.clone(),
        None => {
            let default = example.description(&name);
            prompt::text(mode, "--description", "What does it offer, in one sentence?", Some(&default), empty)?
        }
    };
    if description.trim().is_empty() {
        bail!(Error::usage("`--description` is empty"));
    }
    let targets = match args.target.as_slice() {
        [] => ask_targets(mode)?,
        named => offered(named)?,
    };
    let _alone = alone(&root)?;
    refuse_occupied(&root)?;
    let plan = plan(&root, &Birth::new(name.clone(), description, &targets), example)?;
    if args.dry_run {
        return dry_run(&plan);
    }
    let applied = plan.apply(false)?;
    let count = applied.created.len() + applied.updated.len() + 2;
    ui::say(format_args!("created `{name}` in {} ({count} files)", root.display()));
    for path in &applied.kept {
        ui::say(format_args!("kept {path} as it was"));
    }
    if applied.kept.iter().any(|path| path == GITIGNORE) {
        let lacking = not_ignored(&root, plan.text_of(GITIGNORE).unwrap_or_default())?;
        if !lacking.is_empty() {
            ui::hint(format_args!("add to `{GITIGNORE}` what it lacks, a line each: {}", lacking.join(", ")));
        }
    }
    next_steps(&root);
    Ok(End::Done)
}

/// The files of a new project at `root`.
pub fn plan(root: &Path, birth: &Birth, example: Example) -> Result<Plan> {
    let (text, examples) = template::example(&example.name(), example.parts(), birth)?;
    let (manifest, faults) = manifest::parse(&text, &|name| Err(format!("cannot read `{name}`")));
    let Some(manifest) = manifest else {
        bail!(
            "the example's manifest is not sound: {}",
            faults.iter().map(|fault| fault.to_string()).collect::<Vec<_>>().join("; ")
        );
    };
    if let Some(target) = birth.forgotten(&manifest.targets) {
        let (example, name, title) = (example.name(), target.name, target.title);
        let why =
            format!("the example `{example}` has no `[targets.{name}]`: the project could not be deployed to {title}");
        bail!(Error::new(why).hint("choose another `--example`"));
    }
    let mut files = template::new_project(&manifest, example.packages())?;
    files.0.extend(template::birth(&manifest)?.0);
    // An example's handlers take the place of the starters.
    files.0.extend(examples.0);
    // One readme is enough, whatever its ending.
    let there = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.file_name());
    if there.into_iter().any(|name| name != README && is_readme(&name.to_string_lossy())) {
        files.0.remove(README);
    }
    Plan::new(root, &|_| Ok(files.clone()), None, Some(text))
}

/// Two at once must not both find the folder empty, nor both make it.
fn alone(root: &Path) -> Result<Option<Exclusive>> {
    let root = std::path::absolute(root).with_context(|| format!("cannot use `{}`", root.display()))?;
    loop {
        let nearest = || root.ancestors().find(|dir| dir.is_dir());
        let Some(found) = nearest() else { return Ok(None) };
        let alone = Exclusive::to_write(found)?;
        // It may have been made while we waited.
        if nearest() == Some(found) {
            return Ok(Some(alone));
        }
    }
}

fn base(dir: Option<&Path>) -> PathBuf {
    dir.map(Path::to_owned).unwrap_or_default()
}

fn name(args: &Init, mode: Mode, dir: Option<&Path>) -> Result<String> {
    if let Some(name) = &args.name {
        if let Some(problem) = names::server(name) {
            let error = Error::usage(problem);
            bail!(match names::server_like(name) {
                Some(like) => error.hint(format!("write `{like}`")),
                None => error,
            });
        }
        return Ok(name.clone());
    }
    let folder = args.path.as_ref().map(|path| base(dir).join(path));
    let folder = folder.map(|path| std::path::absolute(&path).unwrap_or(path));
    let like =
        folder.and_then(|path| names::server_like(&path.components().next_back()?.as_os_str().to_string_lossy()));
    prompt::text(mode, "--name", "Name of the server?", Some(like.as_deref().unwrap_or("my-server")), names::server)
}

fn empty(text: &str) -> Option<String> {
    text.trim().is_empty().then(|| "say something; assistants read it".to_owned())
}

pub(super) fn ask_targets(mode: Mode) -> Result<Vec<&'static Target>> {
    let titles: Vec<String> = targets::ALL.iter().map(|target| target.title.to_owned()).collect();
    let marked: Vec<bool> = targets::ALL.iter().map(|target| target.unasked).collect();
    let picked = prompt::several(mode, "--target", "For which clouds?", &titles, &marked)?;
    Ok(picked.into_iter().filter_map(|index| targets::ALL.get(index)).collect())
}

fn ask_example(mode: Mode) -> Result<Example> {
    let choices: Vec<String> = Example::value_variants().iter().map(|example| example.title()).collect();
    let picked = prompt::choice(mode, "--example", "Start from?", &choices, 0)?;
    Ok(Example::value_variants()[picked])
}

/// What a repository has before anything is in it. `init` leaves it as it is. Where a link leads nobody knows.
fn is_of_a_new_repository(name: &str, kind: FileType) -> bool {
    match name {
        ".git" => !kind.is_symlink(),
        ".gitignore" | ".gitattributes" => kind.is_file(),
        name => kind.is_file() && (is_readme(name) || begins(name, "LICENSE") || begins(name, "LICENCE")),
    }
}

fn is_readme(name: &str) -> bool {
    begins(name, "README")
}

/// Whether a name is this word, in capitals or not, or the word and an ending.
fn begins(name: &str, word: &str) -> bool {
    name.split(['.', '-', '_']).next().is_some_and(|first| first.eq_ignore_ascii_case(word))
}

/// Lines of our `.gitignore` that the one which is there lacks.
fn not_ignored(root: &Path, ours: &str) -> Result<Vec<String>> {
    let theirs = files::read(root, GITIGNORE, files::ANY).with_context(|| format!("cannot read `{GITIGNORE}`"))?;
    // A slash at either end changes what a line means, and not whether it covers what we mean.
    let bare = |line: &str| line.trim().trim_matches('/').to_owned();
    let has = |line: &str| theirs.lines().any(|theirs| bare(theirs) == bare(line));
    let lacking = ours.lines().filter(|line| !line.is_empty() && !line.starts_with('#') && !has(line));
    Ok(lacking.map(|line| format!("`{line}`")).collect())
}

const GITIGNORE: &str = ".gitignore";
const README: &str = "README.md";

/// A folder with anything else in it, but for an interrupted `init`, is not ours to fill.
fn refuse_occupied(root: &Path) -> Result<()> {
    let shown = root.display();
    if root.exists() && !root.is_dir() {
        bail!("`{shown}` is a file, so it cannot become the project folder");
    }
    if !root.exists() {
        return Ok(());
    }
    let unread = || format!("cannot read `{shown}`");
    let mut is_new = true;
    for entry in std::fs::read_dir(root).with_context(unread)? {
        let entry = entry.with_context(unread)?;
        let kind = entry.file_type().with_context(unread)?;
        is_new &= is_of_a_new_repository(&entry.file_name().to_string_lossy(), kind);
    }
    if is_new || plan::is_interrupted_init(root, &is_of_a_new_repository)? {
        return Ok(());
    }
    let project = root.join(manifest::FILE).is_file();
    if project && plan::was_interrupted(root)? {
        mend(&Project::open(Some(root))?)?;
    }
    let what = if project { "already holds a project" } else { "is not empty" };
    let error = Error::new(format!("`{shown}` {what}; nothing was written"));
    bail!(error.hint("name a new folder: `mcp-deploy init NAME`"))
}

fn next_steps(root: &Path) {
    let here = root.as_os_str().is_empty() || root == Path::new(".");
    if !here {
        ui::say(format_args!("\nnext: cd {}", root.display()));
    }
    ui::say("  mcp-deploy add-tool NAME                   another tool, typed");
    ui::say("  mcp-deploy ship --target all --local       build for every cloud, run and verify it here");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(example: Example, targets: &[&'static Target]) -> Vec<&'static str> {
        let birth = Birth::new("w".into(), "d".into(), targets);
        plan(Path::new("w"), &birth, example).unwrap_or_else(|error| panic!("{}: {error:#}", example.name()));
        let (text, _) = template::example(&example.name(), example.parts(), &birth).unwrap();
        let manifest = manifest::parse(&text, &|_| Err(String::new())).0.unwrap();
        targets::chosen(&manifest.targets).map(|target| target.name).collect()
    }

    /// One that an example forgot would be a project without any cloud, at exit code 0.
    #[test]
    fn every_example_names_the_clouds_that_it_is_asked_for() {
        let is_real = |target: &&Target| target.name != targets::fixture::TARGET.name;
        let every: Vec<&'static Target> = targets::ALL.iter().filter(is_real).collect();
        for example in Example::value_variants() {
            let names: Vec<&str> = every.iter().map(|target| target.name).collect();
            assert_eq!(named(*example, &every), names, "{}", example.name());
            for target in &every {
                assert_eq!(named(*example, &[target]), [target.name], "{}", example.name());
            }
        }
        assert!(every.iter().any(|target| target.unasked), "`init --yes` takes one at least");
    }

    #[test]
    fn a_forgotten_cloud_is_noticed() {
        let birth = Birth::new("w".into(), "d".into(), &[&targets::ALL[1]]);
        assert_eq!(
            birth.forgotten(&manifest::Targets::default()).map(|target| target.name),
            Some(targets::ALL[1].name)
        );
    }
}
