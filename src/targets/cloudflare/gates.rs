//! What Cloudflare answers itself in place of a server.

use crate::probe::{Gate, Gated, Reply};

pub const ALL: &[Gate] = &[protection, error];

fn protection(reply: &Reply) -> Option<Gated> {
    let to = reply.header("location").unwrap_or_default();
    let is_access = to.contains("cloudflareaccess.com") || to.contains("/cdn-cgi/access/login");
    let is_access_page = reply.is("text/html") && reply.body.contains("cloudflareaccess.com");
    let (said, hint) = if is_access || is_access_page {
        (
            "Cloudflare Access asks for a login",
            "let programs through: a bypass policy for the server's path, or an address without Access; the server checks \
             credentials itself (`[access] auth`)",
        )
    } else if reply.header("cf-mitigated") == Some("challenge") {
        ("Cloudflare challenges the client as a browser", "add a rule that skips the challenge for the server's path")
    } else {
        return None;
    };
    Some(Gated { detail: format!("{}: {said}", reply.status), hint, lasting: true })
}

/// Code, what it says, what to do.
const CODES: [(&str, &str, &str); 9] = [
    (
        "1101",
        "the Worker threw an exception",
        "often at start-up: look at `wrangler tail`, or run it with `wrangler dev`",
    ),
    ("1102", "the Worker used up its CPU time or memory", "look at `wrangler tail`; start-up work counts too"),
    ("1027", "the account's daily limit of requests is reached", "wait until midnight UTC, or change the plan"),
    ("1015", "a rate limit of the zone", "wait, or change the rule"),
    ("1042", "no Worker at this address", "check that the `workers.dev` route is enabled, and the URL"),
    ("1033", "the tunnel is not connected", "start `cloudflared` and the server behind it, and check the URL"),
    ("1016", "the name has no origin", "check the route or custom domain of the Worker"),
    ("10021", "the script failed at start-up", "look at the error of `wrangler deploy`, or run it with `wrangler dev`"),
    ("1020", "a firewall rule of the zone refused the call", "look at the zone's security events"),
];

/// What waiting does not mend.
const LASTING: [&str; 2] = ["1101", "10021"];

fn error(reply: &Reply) -> Option<Gated> {
    let body = reply.body.to_ascii_lowercase();
    let told = |code: &str| {
        ["error code: ", "error ", "code: ", "cf-error-code\">"].iter().any(|before| {
            body.match_indices(&format!("{before}{code}"))
                .any(|(at, found)| !body[at + found.len()..].starts_with(|next: char| next.is_ascii_digit()))
        })
    };
    let from_edge = reply.status >= 400 && !reply.is("application/json") && reply.json.is_none();
    let (code, said, hint) = CODES.iter().find(|(code, ..)| from_edge && told(code))?;
    let detail = format!("{}: Cloudflare error {code}, {said}", reply.status);
    Some(Gated { detail, hint, lasting: LASTING.contains(code) })
}
