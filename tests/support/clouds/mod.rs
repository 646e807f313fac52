//! Stand-ins for the clouds on 127.0.0.1: their APIs as far as `sam`, `vercel` and `wrangler` call them, which run what
//! was uploaded at the address that they hand out. Dropped, a stand-in ends every process and thread that it started.
//!
//! Not the clouds: permissions, quotas, propagation delays and most of the refusals are missing. What is here was
//! written after the calls that the real tools make.

#![allow(dead_code, unused_imports)] // each test binary uses a part

mod api;
pub mod aws;
pub mod cloudflare;
mod edge;
mod http;
mod site;
mod time;
pub mod vercel;

pub use api::{Api, Fault};
pub use edge::{Edge, Hosts};
pub use http::{Request, Response};
pub use site::Outage;
