//! JSON pointers.

use serde_json::Value;

pub fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

pub fn unescape(token: &str) -> Option<String> {
    let bad = token.match_indices('~').any(|(i, _)| !matches!(token.as_bytes().get(i + 1), Some(b'0' | b'1')));
    (!bad).then(|| token.replace("~1", "/").replace("~0", "~"))
}

/// Where a pointer is in the document: the place of every step among its siblings.
pub fn position(root: &Value, pointer: &str) -> Vec<usize> {
    let mut at = Some(root);
    let step = |token: &str| {
        let (place, child) = match at? {
            Value::Object(map) => {
                let name = unescape(token)?;
                let (place, (_, child)) = map.iter().enumerate().find(|(_, (key, _))| **key == name)?;
                (place, child)
            }
            Value::Array(list) => (token.parse().ok()?, list.get(token.parse::<usize>().ok()?)?),
            _ => return None,
        };
        at = Some(child);
        Some(place)
    };
    pointer.split('/').skip(1).map_while(step).collect()
}
