//! The projects that `init` starts from, beside their templates in `templates/examples`.

use clap::ValueEnum as _;

use crate::cli::Example;
use crate::template::packages::Package;

impl Example {
    /// Also the template's folder.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// `weather: A tool, a resource template and a prompt`
    pub fn title(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        format!("{}: {}", self.name(), help.unwrap_or_default())
    }

    /// What the server offers until somebody says it better.
    pub fn description(self, name: &str) -> String {
        match self {
            Example::Weather => "Current weather, forecasts and packing advice for any city".into(),
            Example::Github => "Search of GitHub's repositories, and what each of them is".into(),
            Example::Dynamodb => "Queries of a DynamoDB table".into(),
            Example::LogAnalytics => "Search of a CloudWatch log group".into(),
            Example::LongOperation => "A long import that reports how far it is and can be stopped".into(),
            Example::Counter => "Counters that keep their value".into(),
            Example::Empty => format!("Tools of {name}"),
        }
    }

    /// What it shares with others: folders of `templates/parts`.
    pub fn parts(self) -> &'static [&'static str] {
        match self {
            Example::Dynamodb | Example::LogAnalytics => &["aws"],
            Example::Weather | Example::Github | Example::LongOperation | Example::Counter | Example::Empty => &[],
        }
    }

    /// npm packages that its handlers import, in the version that was run.
    pub fn packages(self) -> &'static [Package] {
        match self {
            Example::Dynamodb | Example::LogAnalytics => &[AWS4FETCH],
            Example::Weather | Example::Github | Example::LongOperation | Example::Counter | Example::Empty => &[],
        }
    }
}

/// Signs requests to AWS with what every runtime has: `fetch` and Web Crypto.
const AWS4FETCH: Package = Package { name: "aws4fetch", version: "1.0.20", needed_by: "the example" };
