//! API keys: every caller's name and the hash of its key, as the secret `MCP_API_KEYS` holds them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Result, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use sha2::{Digest as _, Sha256};

use super::dotenv;
use crate::manifest::API_KEYS;

/// Names of callers, each with the SHA-256 of its key in hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, String>);

/// A key as its owner gets it, once.
pub struct Key(pub String);

impl Key {
    /// 256 random bits. The prefix lets scanners of leaked secrets and people know what it is.
    pub fn new() -> Result<Key> {
        let mut bytes = [0; 32];
        if SystemRandom::new().fill(&mut bytes).is_err() {
            bail!("this machine gives no random numbers");
        }
        Ok(Key(format!("mcp_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))))
    }

    fn hash(&self) -> String {
        Sha256::digest(&self.0).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Keys {
    /// What the project's `.env` holds.
    pub fn read(root: &Path) -> Result<Keys> {
        let stored = dotenv::file(root)?.into_iter().rev().find(|(name, _)| name == API_KEYS);
        stored.map_or_else(|| Ok(Keys::default()), |(_, value)| Keys::parse(&value))
    }

    pub fn parse(value: &str) -> Result<Keys> {
        let hash = |hash: &String| hash.len() == 64 && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match serde_json::from_str::<BTreeMap<String, String>>(value) {
            _ if value.trim().is_empty() => Ok(Keys::default()),
            Ok(all) if all.values().all(hash) => Ok(Keys(all)),
            // A parser's message would quote the value.
            _ => bail!(
                "`{API_KEYS}` in `{}` is not what `mcp-deploy keys` writes: a JSON object of names and SHA-256 hashes",
                dotenv::FILE
            ),
        }
    }

    pub fn write(&self, root: &Path) -> Result<()> {
        dotenv::set(root, API_KEYS, &self.to_json())
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub fn add(&mut self, name: &str, key: &Key) {
        self.0.insert(name.to_owned(), key.hash());
    }

    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }
}

/// Why `name` cannot name a caller: it stands in logs and may name state.
pub fn problem(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.-@".contains(c);
    let ok = (1..=64).contains(&name.len())
        && name.chars().all(legal)
        && name.starts_with(|c: char| c.is_ascii_alphanumeric());
    (!ok).then(|| "a caller's name is 1 to 64 of A-Z a-z 0-9 _ . - @, beginning with a letter or a digit".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_stored_as_its_hash() {
        let key = Key("mcp_test".into());
        let mut keys = Keys::default();
        keys.add("alice", &key);
        let json = keys.to_json();
        let hash = "bb9c9abad60424739d208a28953a4fef9e624189af10a5f4818d258534d352ea";
        assert_eq!(json, format!("{{\"alice\":\"{hash}\"}}"));
        assert_eq!(Keys::parse(&json).unwrap(), keys);
        assert!(keys.remove("alice") && !keys.remove("alice"));
        assert_eq!(Keys::parse(&keys.to_json()).unwrap(), Keys::default());
    }

    #[test]
    fn keys_differ_and_are_long() {
        let (one, other) = (Key::new().unwrap().0, Key::new().unwrap().0);
        assert_ne!(one, other);
        assert_eq!(one.len(), "mcp_".len() + 43);
    }

    #[test]
    fn what_is_no_list_of_hashes_is_not_quoted() {
        for value in ["hunter2", "[]", r#"{"a":"hunter2"}"#, r#"{"a":1}"#] {
            let error = Keys::parse(value).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn names_of_callers() {
        for good in ["alice", "ci-1", "a@b.example", "9"] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in ["", "-a", "__proto__", "a b", "é", "a\"b", &"a".repeat(65)] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
