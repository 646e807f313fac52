//! From an answer nobody wanted, or none at all, to what it means and what to do.

use std::time::Duration;

use ureq::http::Uri;

use super::http::{Reply, display, is_loopback};
use super::{CheckFault, Gate, pages};

/// No answer at all.
pub fn transport(error: &ureq::Error, uri: &Uri, timeout: Duration) -> CheckFault {
    let authority = uri.authority().map_or("", |authority| authority.as_str().rsplit('@').next().unwrap_or(""));
    let host = uri.host().unwrap_or("");
    let refused = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
    let (detail, hint) = match error {
        ureq::Error::Timeout(_) => (
            format!("no answer within {} s", timeout.as_secs_f32()),
            "a handler or the start-up may hang: look at the server's log, or allow more time",
        ),
        ureq::Error::HostNotFound => unknown_name(host),
        // The resolver of the standard library has no kind for it.
        ureq::Error::Io(error) if error.to_string().contains("failed to lookup address") => unknown_name(host),
        ureq::Error::Io(error) if refused(error) && is_loopback(host) => (
            format!("nothing listens at `{authority}`"),
            "start the server, or check the port; it may have stopped: look at its log",
        ),
        ureq::Error::Io(error) if refused(error) => {
            (format!("`{authority}` refused the connection"), "check the URL and its port")
        }
        ureq::Error::ConnectionFailed => (
            format!("no connection to `{authority}`"),
            "check the URL, and that this machine's network or proxy lets you out",
        ),
        ureq::Error::Io(error) => (
            format!("the connection to `{authority}` broke: {error}"),
            "the server closed it without an answer: look at its log",
        ),
        ureq::Error::Tls(why) => (format!("no secure connection to `{authority}`: {why}"), TLS_HINT),
        ureq::Error::Rustls(why) => (format!("no secure connection to `{authority}`: {why}"), TLS_HINT),
        ureq::Error::Protocol(why) => (
            format!("`{authority}` does not answer in HTTP: {why}"),
            "check the port: another program may listen there",
        ),
        other => (format!("no answer from `{authority}`: {other}"), "check the URL"),
    };
    CheckFault::unreached(detail).hint(hint)
}

fn unknown_name(host: &str) -> (String, &'static str) {
    (
        format!("the name `{host}` is not known"),
        "check the URL and this machine's network; the name of a new deployment can take a minute",
    )
}

const TLS_HINT: &str = "check the certificate of the host, and the clock of this machine";

/// An answer that is not the one asked for: names the gate it comes from, where there is one.
pub fn unexpected(reply: &Reply, gates: &[Gate], asked: &SentWith<'_>) -> CheckFault {
    gate(reply, gates).unwrap_or_else(|| ordinary(reply, asked))
}

/// What a request had, as far as it may be the reason of an answer.
pub struct SentWith<'a> {
    pub uri: &'a Uri,
    pub has_credentials: bool,
}

/// Something in front of the server answered, or the server never started: nothing behind it can be asked.
pub fn gate(reply: &Reply, gates: &[Gate]) -> Option<CheckFault> {
    let gated = gates.iter().find_map(|gate| gate(reply)).or_else(|| pages::page(reply));
    gated.map(|gated| CheckFault::unreached(gated.detail).hint(gated.hint)).or_else(|| redirect(reply))
}

/// Whether the answer stays as it is, however long one waits: nothing is still on its way.
pub fn lasting(reply: &Reply, gates: &[Gate]) -> bool {
    gates.iter().find_map(|gate| gate(reply)).or_else(|| pages::page(reply)).is_some_and(|gated| gated.lasting)
}

fn redirect(reply: &Reply) -> Option<CheckFault> {
    let target = reply.header("location").filter(|_| (300..400).contains(&reply.status))?;
    Some(
        CheckFault::unreached(format!("{}: redirected to `{}`, which is not followed", reply.status, display(target)))
            .hint("use the URL that answers without a redirect"),
    )
}

fn ordinary(reply: &Reply, asked: &SentWith<'_>) -> CheckFault {
    let fault = CheckFault::refused(reply.summary());
    let path = asked.uri.path().trim_end_matches('/');
    match reply.status {
        401 if asked.has_credentials => {
            let said =
                format!("{}: the server refuses the key or token that was sent{}", reply.summary(), challenge(reply));
            CheckFault::refused(said).hint(
                "check the variable of `--bearer-env`: it may be revoked, expired, of another server, or not pushed yet \
                 (`mcp-deploy secrets push`)",
            )
        }
        401 => CheckFault::refused(format!("{}: the server asks for credentials{}", reply.summary(), challenge(reply)))
            .hint("put a key or token into an environment variable, and name that with `--bearer-env`"),
        404 | 405 if !path.ends_with("/mcp") => fault.hint(format!(
            "the URL has no endpoint in its path: try `{}`",
            super::http::display(&super::http::sibling(asked.uri, "mcp"))
        )),
        403 => fault.hint("the server refused the call: check the credentials and its access rules"),
        404 => fault.hint("check the path of the URL: the endpoint is usually `/mcp`"),
        405 | 406 | 415 => {
            fault.hint("this is not an MCP endpoint, or one of an older kind: check the path of the URL")
        }
        429 => fault.hint("the rate limit is reached: try again in a minute"),
        500.. => fault.hint("the server failed: look at its log"),
        _ if reply.cut.is_some() => fault.hint("the answer was never finished: look at the server's log"),
        _ => fault.hint("this is not an answer in MCP: check the path of the URL"),
    }
}

/// Some platforms rename the header.
pub fn challenge(reply: &Reply) -> String {
    let names = ["www-authenticate", "x-amzn-remapped-www-authenticate"];
    match names.iter().find_map(|name| Some((name, reply.header(name)?))) {
        Some((name, value)) => format!(", `{name}: {}`", crate::ui::shorten(value, 120)),
        None => String::new(),
    }
}

/// The codes by which a server shows that it knows the modern era, even as it refuses.
pub fn is_modern_code(code: i64) -> bool {
    (-32022..=-32020).contains(&code)
}

#[cfg(test)]
mod tests {
    use super::super::Platforms;
    use super::*;

    #[test]
    fn a_redirect_is_a_gate() {
        let fault = gate(&Reply::of(308, &[("location", "https://b.example/mcp?token=x")], ""), &[]).unwrap();
        assert!(fault.hint.as_deref().unwrap().contains("answers without a redirect"), "{fault:?}");
        assert!(!fault.detail.contains("token=x"));
    }

    /// `invalid` is a name that nobody has, by its definition.
    #[test]
    fn a_name_that_does_not_resolve_is_no_broken_connection() {
        let silence = super::super::pulse("http://nobody.invalid/mcp", &Platforms::default()).unwrap_err();
        assert_eq!(silence.detail, "the name `nobody.invalid` is not known", "{silence:?}");
    }

    #[test]
    fn a_renamed_challenge_is_told() {
        let remapped = Reply::of(401, &[("x-amzn-remapped-www-authenticate", "Bearer scope=\"a\"")], "");
        let uri: Uri = "https://a.example/".parse().unwrap();
        let asked = |has_credentials| unexpected(&remapped, &[], &SentWith { uri: &uri, has_credentials });
        assert!(asked(false).detail.contains("remapped") && asked(false).hint.unwrap().contains("--bearer-env"));
        assert!(asked(true).detail.contains("refuses the key or token"));
        let missing =
            unexpected(&Reply::of(404, &[], "Not Found"), &[], &SentWith { uri: &uri, has_credentials: false });
        assert!(missing.hint.unwrap().contains("`https://a.example/mcp`"));
    }
}
