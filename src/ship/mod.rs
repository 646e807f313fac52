//! From tools to a live server.

mod adoption;
mod budget;
mod cause;
pub mod comparison;
pub mod live;
pub mod local;
pub mod local_credentials;
pub mod packages;
mod passed;
pub mod release;
pub mod server_log;
pub mod source_map;
