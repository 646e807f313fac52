//! From an answer nobody wanted to what it means and what to do: the clouds' own gates and error pages.

use std::time::Duration;

use ureq::http::Uri;

use super::Fault;
use super::http::{Reply, display, is_loopback, quoted};

/// No answer at all.
pub fn transport(error: &ureq::Error, uri: &Uri, timeout: Duration) -> Fault {
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
    Fault::unreached(detail).hint(hint)
}

fn unknown_name(host: &str) -> (String, &'static str) {
    (
        format!("the name `{host}` is not known"),
        "check the URL and this machine's network; the name of a new deployment can take a minute",
    )
}

const TLS_HINT: &str = "check the certificate of the host, and the clock of this machine";

/// An answer that is not the one asked for: names the gate it comes from, where there is one.
pub fn unexpected(reply: &Reply) -> Fault {
    gate(reply).unwrap_or_else(|| ordinary(reply))
}

/// Something in front of the server answered, or the server never started: nothing behind it can be asked.
pub fn gate(reply: &Reply) -> Option<Fault> {
    GATES.iter().find_map(|gate| gate(reply))
}

/// Whether the answer stays as it is, however long one waits: nothing is still on its way.
pub fn lasting(reply: &Reply) -> bool {
    let threw = |fault: Fault| ["error 1101,", "error 10021,"].iter().any(|code| fault.detail.contains(code));
    vercel_protection(reply).is_some() || cloudflare(reply).is_some_and(threw)
}

const GATES: [fn(&Reply) -> Option<Fault>; 5] = [vercel_protection, vercel_error, aws, cloudflare, redirect];

fn vercel_protection(reply: &Reply) -> Option<Fault> {
    let login = [reply.header("location"), reply.header("set-cookie"), Some(&reply.body)];
    let asks = login.iter().flatten().any(|text| text.contains("_vercel_sso_nonce") || text.contains("vercel.com/sso"));
    (asks && matches!(reply.status, 301..=303 | 307 | 308 | 401 | 403)).then(|| {
        Fault::unreached(format!("{}: Vercel's Deployment Protection asks for a login", reply.status)).hint(
            "use the production domain of the project; or turn it off with `vercel project protection disable --sso`; \
             or send the header `x-vercel-protection-bypass`",
        )
    })
}

fn vercel_error(reply: &Reply) -> Option<Fault> {
    let code = reply.header("x-vercel-error")?;
    let hint = match code {
        "DEPLOYMENT_NOT_FOUND" => "no deployment has this domain: check the URL, or deploy again",
        "NOT_FOUND" => "the deployment has no such path: check the path of the URL",
        "FUNCTION_INVOCATION_TIMEOUT" => "the function took too long: look at `vercel logs`",
        _ => "the function failed, often at start-up: look at `vercel logs`",
    };
    Some(Fault::unreached(format!("{}: Vercel answered `{code}`", reply.status)).hint(hint))
}

fn aws(reply: &Reply) -> Option<Fault> {
    let json = reply.json.as_ref()?;
    let message = json.get("Message").or_else(|| json.get("message"))?.as_str()?;
    let function_url = json.get("Message").is_some();
    let (said, hint) = match (reply.status, message) {
        (403, message) if function_url && message.starts_with("Forbidden") => (
            "AWS refused the call before the function saw it",
            "the function URL is not public: its policy needs both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` \
             for everyone; the template must say `AuthType: NONE` as a literal",
        ),
        (403, "Missing Authentication Token") => {
            ("API Gateway has no such route", "check the path of the URL, with its stage")
        }
        (403, "Forbidden") => (
            "API Gateway refused the call before the function saw it",
            "it may ask for an API key (`x-api-key`), or a firewall rule matched",
        ),
        (404, "Not Found") => ("API Gateway has no such route", "check the path of the URL, with its stage"),
        (429, _) => ("AWS limits the calls", "the concurrency or rate limit is reached: try again, or raise it"),
        (500..=504, "Internal Server Error" | "Internal server error" | "Endpoint request timed out") => {
            ("the function failed or took too long, often at start-up", "look at its log with `sam logs`")
        }
        _ => return None,
    };
    Some(Fault::unreached(format!("{}: {said}, {}", reply.status, quoted(message))).hint(hint))
}

const CLOUDFLARE: [(&str, &str, &str); 8] = [
    (
        "1101",
        "the Worker threw an exception",
        "often at start-up: look at `wrangler tail`, or run it with `wrangler dev`",
    ),
    ("1102", "the Worker used up its CPU time or memory", "look at `wrangler tail`; start-up work counts too"),
    ("1027", "the account's daily limit of requests is reached", "wait until midnight UTC, or change the plan"),
    ("1015", "a rate limit of the zone", "wait, or change the rule"),
    ("1042", "no Worker at this address", "check that the `workers.dev` route is enabled, and the URL"),
    ("1016", "the name has no origin", "check the route or custom domain of the Worker"),
    ("10021", "the script failed at start-up", "look at the error of `wrangler deploy`, or run it with `wrangler dev`"),
    ("1020", "a firewall rule of the zone refused the call", "look at the zone's security events"),
];

fn cloudflare(reply: &Reply) -> Option<Fault> {
    let body = reply.body.to_ascii_lowercase();
    let told = |code: &str| {
        ["error code: ", "error ", "code: ", "cf-error-code\">"].iter().any(|before| {
            body.match_indices(&format!("{before}{code}"))
                .any(|(at, found)| !body[at + found.len()..].starts_with(|next: char| next.is_ascii_digit()))
        })
    };
    let from_edge = reply.status >= 400 && !reply.is("application/json") && reply.json.is_none();
    let (code, said, hint) = CLOUDFLARE.iter().find(|(code, ..)| from_edge && told(code))?;
    Some(Fault::unreached(format!("{}: Cloudflare error {code}, {said}", reply.status)).hint(*hint))
}

fn redirect(reply: &Reply) -> Option<Fault> {
    let target = reply.header("location").filter(|_| (300..400).contains(&reply.status))?;
    Some(
        Fault::unreached(format!("{}: redirected to `{}`, which is not followed", reply.status, display(target)))
            .hint("give the URL that answers itself"),
    )
}

fn ordinary(reply: &Reply) -> Fault {
    let fault = Fault::wrong(reply.summary());
    match reply.status {
        401 => Fault::wrong(format!("{}: the server asks for credentials{}", reply.status, challenge(reply)))
            .hint("send them, as the header `authorization` or `x-api-key`"),
        403 => fault.hint("the server refused the call: check the credentials and its access rules"),
        404 => fault.hint("check the path of the URL: the endpoint is usually `/mcp`"),
        405 | 406 | 415 => fault.hint("this is no MCP endpoint, or one of an older kind: check the path of the URL"),
        429 => fault.hint("the rate limit is reached: try again in a minute"),
        500.. => fault.hint("the server failed: look at its log"),
        _ if reply.cut.is_some() => fault.hint("the answer was never finished: look at the server's log"),
        _ => fault.hint("this is not an answer in MCP: check the path of the URL"),
    }
}

/// Lambda's function URLs and REST APIs rename the header.
pub fn challenge(reply: &Reply) -> String {
    let names = ["www-authenticate", "x-amzn-remapped-www-authenticate"];
    match names.iter().find_map(|name| Some((name, reply.header(name)?))) {
        Some((name, value)) => format!(", `{name}: {}`", super::http::shorten(value, 120)),
        None => String::new(),
    }
}

/// The codes by which a server shows that it knows the modern era, even as it refuses.
pub fn is_modern_code(code: i64) -> bool {
    (-32022..=-32020).contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use ureq::http::HeaderMap;

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let json: Option<Value> = serde_json::from_str(body).ok().filter(Value::is_object);
        Reply { status, headers, body: body.to_owned(), json, cut: None }
    }

    #[test]
    fn each_gate_is_known_by_its_answer() {
        let html = ("content-type", "text/html; charset=utf-8");
        let json = ("content-type", "application/json");
        let aws = r#"{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: x"}"#;
        for (reply, hint) in [
            (
                reply(401, &[html, ("set-cookie", "_vercel_sso_nonce=x; Path=/")], "<!doctype html>"),
                "protection disable",
            ),
            (reply(302, &[("location", "https://vercel.com/sso-api?url=x")], ""), "protection disable"),
            (reply(401, &[html], "<script>_vercel_sso_nonce</script>"), "protection disable"),
            (reply(404, &[("x-vercel-error", "DEPLOYMENT_NOT_FOUND")], ""), "no deployment"),
            (reply(500, &[("x-vercel-error", "FUNCTION_INVOCATION_FAILED")], ""), "vercel logs"),
            (reply(403, &[json], aws), "lambda:InvokeFunctionUrl"),
            (reply(403, &[json], r#"{"Message":"Forbidden"}"#), "lambda:InvokeFunction"),
            (reply(403, &[json], r#"{"message":"Missing Authentication Token"}"#), "stage"),
            (reply(502, &[json], r#"{"message": "Internal server error"}"#), "sam logs"),
            (reply(500, &[("content-type", "text/plain")], "error code: 1101"), "wrangler tail"),
            (reply(500, &[html], "<span class=\"cf-error-code\">1102</span>"), "wrangler tail"),
            (reply(500, &[html], "failed [code: 10021]"), "wrangler deploy"),
            (reply(404, &[], "error code: 1042"), "workers.dev"),
            (reply(308, &[("location", "https://b.example/mcp?token=x")], ""), "answers itself"),
        ] {
            let fault = gate(&reply).unwrap_or_else(|| panic!("no gate seen in {reply:?}"));
            assert!(fault.hint.as_deref().unwrap().contains(hint), "{fault:?}");
            assert!(!fault.detail.contains("token=x"));
        }
    }

    /// `invalid` is a name that nobody has, by its definition.
    #[test]
    fn a_name_that_does_not_resolve_is_no_broken_connection() {
        let silence = super::super::pulse("http://nobody.invalid/mcp").unwrap_err();
        assert_eq!(silence.detail, "the name `nobody.invalid` is not known", "{silence:?}");
    }

    #[test]
    fn an_ordinary_error_is_no_gate() {
        for body in [r#"{"error":"x"}"#, "Not Found", "error 11015"] {
            assert!(gate(&reply(404, &[], body)).is_none(), "{body}");
        }
        let remapped = reply(401, &[("x-amzn-remapped-www-authenticate", "Bearer scope=\"a\"")], "");
        let fault = unexpected(&remapped);
        assert!(fault.detail.contains("remapped") && fault.hint.unwrap().contains("authorization"));
    }
}
