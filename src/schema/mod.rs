//! JSON Schema: what is wrong with one, and the TypeScript types of what it describes.

pub mod lint;
pub mod typescript;
