pub mod schema;
pub mod typescript;
