//! The stand-ins of the clouds, proven with the real `sam`, `vercel` and `wrangler`: what they upload is what answers;
//! and `mcp-deploy` itself, shipping to them.

#[path = "../support/answers.rs"]
mod answers;
#[path = "../support/clouds/mod.rs"]
mod clouds;
#[path = "../support/editor.rs"]
#[allow(dead_code)] // the fast tests use the rest
mod editor;
#[path = "../support/packages.rs"]
mod packages;
#[path = "../support/provisioned.rs"]
mod provisioned;
#[path = "../support/signals.rs"]
mod signals;

mod cloudflare;
mod faults;
mod lambda;
mod setting;
mod ship;
mod ship_failures;
mod ship_faults;
mod ship_foreign;
mod ship_gateway;
mod ship_interrupted;
mod ship_lambda;
mod ship_packages;
mod ship_secrets;
mod ship_stack_set;
mod ship_stage;
mod ship_state;
mod ship_together;
mod ship_vercel;
mod ship_websocket;
mod support;
mod vercel;
