//! How JavaScript spells and reads URLs.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub fn percent_decode(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

/// JavaScript's `encodeURI`, under which the server's validator files every schema.
pub fn encode_uri(text: &str) -> String {
    const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b';')
        .remove(b',')
        .remove(b'/')
        .remove(b'?')
        .remove(b':')
        .remove(b'@')
        .remove(b'&')
        .remove(b'=')
        .remove(b'+')
        .remove(b'$')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'!')
        .remove(b'~')
        .remove(b'*')
        .remove(b'\'')
        .remove(b'(')
        .remove(b')')
        .remove(b'#');
    utf8_percent_encode(text, ENCODED).to_string()
}

/// A fragment as `new URL()` spells it: that is how the server's validator looks a reference up.
pub fn as_url_fragment(text: &str) -> String {
    const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');
    let trimmed = text.trim_end_matches(|c: char| c <= ' ').replace(['\t', '\n', '\r'], "");
    utf8_percent_encode(&trimmed, ENCODED).to_string()
}

/// Whether `new URL(text, base)` takes it; in doubt it does not.
pub fn is_url(text: &str) -> bool {
    let plain = !text.contains(|c: char| c <= ' ' || c == '\\');
    let Some((scheme, rest)) = text.split_once(':') else {
        return plain && !text.starts_with("//");
    };
    let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let Some(rest) = rest.strip_prefix("//") else {
        return plain && named && !["http", "https", "ws", "wss", "ftp", "file"].contains(&scheme);
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.split_once(':').unwrap_or((authority, "0"));
    let numeric = host.rsplit('.').next().is_some_and(|l| l.starts_with(|c: char| c.is_ascii_digit()));
    plain
        && named
        && !host.is_empty()
        && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && (!numeric || host.parse::<std::net::Ipv4Addr>().is_ok())
        && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The two spellings of a name that the server's validator compares; the right ones are what `encodeURI` and
    /// `new URL().hash` gave.
    #[test]
    fn references_are_spelt_like_urls() {
        let table = [
            ("a b", "a%20b", "a%20b"),
            ("é", "%C3%A9", "%C3%A9"),
            ("P[I]", "P%5BI%5D", "P[I]"),
            ("P<I>", "P%3CI%3E", "P%3CI%3E"),
            ("a`b^|{}", "a%60b%5E%7C%7B%7D", "a%60b^|{}"),
            ("a%20b", "a%2520b", "a%20b"),
            ("a\tb", "a%09b", "ab"),
            ("a\"b\\c", "a%22b%5Cc", "a%22b\\c"),
            ("a'b~0c!*()", "a'b~0c!*()", "a'b~0c!*()"),
        ];
        for (name, filed_under, looked_up) in table {
            assert_eq!(encode_uri(name), filed_under);
            assert_eq!(as_url_fragment(name), looked_up);
        }
    }

    #[test]
    fn only_what_new_url_takes_is_a_url() {
        for url in [
            "https://example.com/x#",
            "http://localhost:8080",
            "x.json",
            "/x/y",
            "urn:a:b",
            "tag:x,2026:y",
            "http://10.0.0.1/x",
        ] {
            assert!(is_url(url), "{url}");
        }
        for text in
            ["http://", "https://a b", "http://x:99999", "http://1.2.3.999", "//", "http:x", "1:2", "https://[", "a\\b"]
        {
            assert!(!is_url(text), "{text}");
        }
    }
}
