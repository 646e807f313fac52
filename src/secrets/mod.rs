//! What only some may know: values on this machine, and the keys of callers.

pub mod api_keys;
pub mod dotenv;
