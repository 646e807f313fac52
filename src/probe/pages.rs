//! Pages that people would see in place of the server: of a tunnel, of a login.

use super::Gated;
use super::http::Reply;

/// Knows one, whatever platform the server is on.
pub fn page(reply: &Reply) -> Option<Gated> {
    tunnel(reply).or_else(|| login(reply))
}

fn tunnel(reply: &Reply) -> Option<Gated> {
    let gated = |what: String, hint| Gated { detail: format!("{}: {what}", reply.status), hint, lasting: true };
    if let Some(code) = reply.header("ngrok-error-code") {
        return Some(match code {
            "ERR_NGROK_6024" => gated(
                "ngrok's warning page answers in place of the server".to_owned(),
                "send the header `ngrok-skip-browser-warning`, or use an address without that page",
            ),
            _ => gated(
                format!("the tunnel answers in place of the server: ngrok `{}`", crate::ui::shorten(code, 40)),
                "start the tunnel and the server behind it, and check the URL: it may be an old one",
            ),
        });
    }
    let names = ["loca.lt", "localtunnel", "ngrok", "devtunnels.ms", "trycloudflare.com"];
    let is_page = reply.is("text/html") && reply.json.is_none();
    let name = names.iter().find(|name| is_page && reply.body.contains(**name))?;
    Some(gated(
        format!("a page of a tunnel ({name}) answers in place of the server"),
        "start the tunnel and the server behind it, let programs through without its page, and check the URL",
    ))
}

fn login(reply: &Reply) -> Option<Gated> {
    let body = reply.body.to_ascii_lowercase();
    let words = ["type=\"password\"", "type='password'", "sign in", "signin", "log in", "login", "single sign-on"];
    let asks = reply.is("text/html") && words.iter().any(|word| body.contains(word));
    asks.then(|| Gated {
        detail: format!("{}: a login page answers in place of the server", reply.status),
        hint: "use an address that programs may call, or turn the login off for the server's path",
        lasting: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_for_people_are_known_for_what_they_are() {
        let html = ("content-type", "text/html; charset=utf-8");
        let table = [
            (
                Reply::of(404, &[html, ("ngrok-error-code", "ERR_NGROK_3200")], "<h1>offline</h1>"),
                "ngrok `ERR_NGROK_3200`",
            ),
            (Reply::of(200, &[html, ("ngrok-error-code", "ERR_NGROK_6024")], ""), "warning page"),
            (Reply::of(511, &[html], "<a href=\"https://loca.lt\">Tunnel website ahead</a>"), "a tunnel (loca.lt)"),
            (Reply::of(200, &[html], "<form><input type=\"password\"></form>"), "login page"),
            (Reply::of(403, &[html], "<title>Sign In</title>"), "login page"),
        ];
        for (reply, said) in table {
            let gated = page(&reply).unwrap_or_else(|| panic!("{reply:?}"));
            assert!(gated.detail.contains(said), "{}", gated.detail);
        }
        assert!(page(&Reply::of(200, &[("content-type", "application/json")], "{\"login\":\"ngrok\"}")).is_none());
        assert!(page(&Reply::of(404, &[html], "<h1>Not found</h1>")).is_none());
    }
}
