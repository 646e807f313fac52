//! From tools to a live server.

pub mod live;
