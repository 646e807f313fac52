//! The files of a project, which somebody else may have written.

mod exclusive;

pub use exclusive::Exclusive;
