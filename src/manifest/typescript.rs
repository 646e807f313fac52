pub fn type_of(_: &serde_json::Value, _: &str, _: &str, _: bool, _: usize) -> String {
    "any".into()
}
pub fn defs_of(_: &serde_json::Value, _: &str, _: &str, _: usize) -> Option<String> {
    None
}
pub fn literal(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}
