//! JSON pointers, and how a URL's fragment spells them.

use percent_encoding::percent_decode_str;
use serde_json::Value;

pub fn join(pointer: &str, key: &str) -> String {
    let mut joined = String::with_capacity(pointer.len() + 1 + key.len());
    joined.push_str(pointer);
    joined.push('/');
    match key.contains(['~', '/']) {
        true => joined.push_str(&key.replace('~', "~0").replace('/', "~1")),
        false => joined.push_str(key),
    }
    joined
}

pub fn unescape(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
}

pub fn percent_decode(fragment: &str) -> Option<String> {
    percent_decode_str(fragment).decode_utf8().ok().map(Into::into)
}

/// Where a pointer is in the document: the place of every step among its siblings.
pub fn position(root: &Value, pointer: &str) -> Vec<usize> {
    let mut at = root;
    let step = |token: &str| {
        let place = match at {
            Value::Object(map) => map.keys().position(|key| *key == unescape(token))?,
            _ => token.parse().ok()?,
        };
        at = at.pointer(&format!("/{token}"))?;
        Some(place)
    };
    pointer.split('/').skip(1).map_while(step).collect()
}
