//! The clouds, one row each: what differs between them is data and a few pure functions.

use std::time::Duration;

use crate::manifest::Targets;

/// One cloud.
pub struct Target {
    /// `lambda`: in the manifest, in `--target` and as the template folder.
    pub name: &'static str,
    /// `AWS Lambda`: for people.
    pub title: &'static str,
    pub limits: Limits,
    /// Whether the manifest names this cloud.
    pub chosen: fn(&Targets) -> bool,
}

/// What the platform itself allows one request.
pub struct Limits {
    /// `None`: no limit while the client is connected.
    pub timeout: Option<Duration>,
    /// Bytes of a request body.
    pub body: u64,
}

pub const ALL: [Target; 3] = [
    Target { name: "lambda", title: "AWS Lambda", limits: Limits { timeout: Some(Duration::from_secs(900)), body: 6 << 20 }, chosen: |t| t.lambda.is_some() },
    Target { name: "vercel", title: "Vercel", limits: Limits { timeout: Some(Duration::from_secs(800)), body: 4_500_000 }, chosen: |t| t.vercel.is_some() },
    Target { name: "cloudflare", title: "Cloudflare Workers", limits: Limits { timeout: None, body: 100 << 20 }, chosen: |t| t.cloudflare.is_some() },
];

/// The clouds that the manifest names, in the order of [`ALL`].
pub fn chosen(targets: &Targets) -> impl Iterator<Item = &'static Target> {
    ALL.iter().filter(|target| (target.chosen)(targets))
}
