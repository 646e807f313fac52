//! End to end: the program with the clouds' real tools, the official clients and the official conformance suites.
//!
//! Everything they need is installed into the private cache (`$MCP_DEPLOY_CACHE`, or the user's own), pinned, the first
//! time; the Lambda Web Adapter takes minutes to compile. Projects lie in cargo's folder for tests and vanish with the
//! run; `MCP_DEPLOY_E2E_KEEP=1` keeps them.

mod adapter;
#[path = "../support/answers.rs"]
mod answers;
mod attacks;
mod auth;
mod beside;
mod budget;
mod causes;
mod clients;
mod clouds;
mod conformance;
mod dev;
mod dockerfile;
mod doctor;
mod dotenv;
#[path = "../support/editor.rs"]
#[allow(dead_code)] // the fast tests use the rest
mod editor;
mod examples;
mod generated;
#[allow(dead_code)] // the fast tests use the rest
#[path = "../fast/golden.rs"]
mod golden;
mod hostile_text;
#[allow(dead_code)] // the stand-ins of the clouds use the rest
#[path = "../support/clouds/http.rs"]
mod http;
mod image;
mod imports;
mod installed;
mod interrupt;
mod large;
mod managers;
mod npm;
mod ownership;
#[path = "../support/packages.rs"]
mod packages;
mod parts;
#[path = "../support/provisioned.rs"]
mod provisioned;
mod rate_limit;
mod runtime;
mod secrets;
mod ship;
#[path = "../support/signals.rs"]
mod signals;
mod state;
mod streaming;
mod support;
mod templates;
mod websocket;
mod workflows;
