//! JSON Schema: what is wrong with one, what assistants refuse of it, and the TypeScript types of what it describes.

pub mod arguments;
pub mod clients;
pub mod lint;
pub mod typescript;
