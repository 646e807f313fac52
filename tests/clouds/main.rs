//! The stand-ins of the clouds, proven with the real `sam`, `vercel` and `wrangler`: what they upload is what answers.

#[path = "../support/clouds/mod.rs"]
mod clouds;

mod cloudflare;
mod lambda;
mod support;
mod vercel;
