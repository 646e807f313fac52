//! Whose something in a cloud is: everything we make carries a mark, and what has none, or another, is left alone.

use std::fmt;

use super::data_loss::Loss;
use super::deployment::{Context, Problem};

/// The tag of everything in AWS.
pub const TAG: &str = "mcp-deploy:project";

/// The variable of a Worker, and of a project at Vercel.
pub const VARIABLE: &str = "MCP_DEPLOY_PROJECT";

/// Which project and stage something belongs to. It is not secret, and it proves nothing against whoever can write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectMark {
    /// The random id in `mcp.lock`.
    pub project: String,
    pub stage: String,
    /// Of the server: for people.
    pub name: String,
}

impl fmt::Display for ProjectMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.project, self.stage, self.name)
    }
}

impl ProjectMark {
    /// Whether a mark that was found is this one: the server may have another name by now.
    fn is(&self, found: &str) -> bool {
        let mut parts = found.split('/');
        (parts.next(), parts.next()) == (Some(&self.project), Some(&self.stage))
    }

    /// Whose another mark is.
    fn describe(&self, found: &str) -> String {
        match found.split('/').collect::<Vec<_>>().as_slice() {
            [project, stage, _, ..] if *project == self.project => {
                format!("it is marked as the stage `{stage}` of this project")
            }
            [project, stage, name, ..] => {
                let id = project.chars().take(8).collect::<String>();
                format!("it is marked as the stage `{stage}` of another project, `{name}` (id {id}…)")
            }
            _ => format!("it has a mark that mcp-deploy did not make: `{found}`"),
        }
    }
}

/// To whom something belongs that has the name of what a deployment makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// It carries our mark.
    Ours,
    /// It has no mark, as 0.1.0 made it; the record names it, and the cloud confirms that it is the one.
    Recorded,
    /// Somebody else's, as far as anybody can tell.
    Foreign,
}

/// What a deployment marks that had no mark of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Nothing,
    /// What the record knows.
    Recorded,
    /// What somebody else made, and its name was typed.
    Foreign,
}

/// Something in a cloud that has the name of what a deployment makes.
#[derive(Debug)]
pub struct Found {
    /// ``the stack `weather` in eu-west-1``
    pub what: String,
    /// What is typed to take it over.
    pub name: String,
    pub whose: Whose,
    /// A stack, which cannot stand beside a stack set of its name.
    pub is_stack: bool,
    /// What tells whose it is.
    pub signs: Vec<String>,
    /// What it has and a deployment takes away.
    pub changes: Vec<String>,
    /// Of this, what holds data: it is not taken over.
    pub lost: Vec<String>,
    /// What the deployment would take away of what is ours.
    pub losses: Vec<Loss>,
    /// Why it cannot be changed now.
    pub blocked: Option<Problem>,
}

impl Found {
    /// `mark`: what was read; `recorded`: whether the record names exactly this.
    pub fn new(
        context: &Context<'_>,
        what: String,
        name: &str,
        mark: Option<&str>,
        recorded: impl FnOnce() -> bool,
    ) -> Self {
        let (whose, sign) = match mark {
            Some(mark) if context.mark.is(mark) => (Whose::Ours, None),
            Some(mark) => (Whose::Foreign, Some(context.mark.describe(mark))),
            None if recorded() => (Whose::Recorded, None),
            None => (Whose::Foreign, Some("it has no mark of mcp-deploy".to_owned())),
        };
        let signs = sign.into_iter().collect();
        let (changes, lost, losses) = (Vec::new(), Vec::new(), Vec::new());
        Found { what, name: name.to_owned(), whose, is_stack: false, signs, changes, lost, losses, blocked: None }
    }

    /// Why it is left alone.
    pub fn refusal(&self) -> Problem {
        let message = format!("{} is not this project's: {}", self.what, self.signs.join("; "));
        let hint = format!(
            "ship under another `name` or stage; or take it over with `--adopt {}`. If it is yours, restore `mcp.lock` with git: its `project` is the mark",
            self.name
        );
        Problem::new(message, hint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_that_of_a_project_and_its_stage() {
        let mark = |project: &str, stage: &str, name: &str| ProjectMark {
            project: project.to_owned(),
            stage: stage.to_owned(),
            name: name.to_owned(),
        };
        let own = mark("0123456789abcdef", "production", "weather");
        assert!(own.is(&own.to_string()));
        assert!(own.is(&mark("0123456789abcdef", "production", "renamed").to_string()));
        for other in [mark("0123456789abcdef", "staging", "weather"), mark("fedcba9876543210", "production", "weather")]
        {
            assert!(!own.is(&other.to_string()), "{other}");
        }
        assert!(!own.is("") && !own.is("0123456789abcdef"));
        assert!(own.describe("0123456789abcdef/staging/weather").contains("stage `staging` of this project"));
        assert!(
            own.describe("fedcba9876543210/production/billing").contains("another project, `billing` (id fedcba98…)")
        );
        assert!(own.describe("billing team").contains("did not make"));
    }
}
