//! Plain HTTP: what goes out and what came back, whatever the status; nothing here knows MCP.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::uri::Authority;
use ureq::http::{HeaderMap, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::AgentScope;
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, DefaultConnector, NextTimeout, Transport, TransportAdapter, time,
};

use super::{CheckFault, diagnose};
use crate::ui::shorten;

/// One request, still open to being spoiled on purpose.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// The JSON-RPC id whose answer ends an event stream.
    pub id: Option<u64>,
    pub timeout: Duration,
}

impl Request {
    pub fn with(mut self, name: &str, value: &str) -> Request {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn without(mut self, name: &str) -> Request {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = Some(body.into());
        self
    }
}

/// What came back, as far as it could be read.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
    /// The JSON body, or the event that answers the request.
    pub json: Option<Value>,
    /// Why the body ended early.
    pub cut: Option<String>,
}

impl Reply {
    #[cfg(test)]
    pub fn of(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let json: Option<Value> = serde_json::from_str(body).ok().filter(Value::is_object);
        Reply { status, headers, body: body.to_owned(), json, cut: None }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub fn is(&self, content_type: &str) -> bool {
        self.header("content-type").is_some_and(|value| value.to_ascii_lowercase().starts_with(content_type))
    }

    /// Seconds; a date is of no use to a program that trusts no clock.
    pub fn retry_after(&self) -> Option<u64> {
        self.header("retry-after")?.trim().parse().ok()
    }

    /// The code of the JSON-RPC error, if it is one.
    pub fn rpc_code(&self) -> Option<i64> {
        self.json.as_ref()?.pointer("/error/code")?.as_i64()
    }

    /// One short line: the status, and what speaks for itself in the body.
    pub fn summary(&self) -> String {
        let status = self.status;
        let json = self.json.as_ref();
        if let Some(error) = json.and_then(|json| json.get("error")).filter(|error| error.is_object()) {
            let message = error["message"].as_str().unwrap_or("");
            return format!("{status}, {} {}", error["code"], quoted(message)).trim_end().to_owned();
        }
        match (self.body.trim(), &self.cut) {
            (_, Some(cut)) => format!("{status}, then {cut}"),
            _ if self.is("text/html") => format!("{status} with an HTML page"),
            ("", None) => status.to_string(),
            (body, None) => format!("{status} {}", quoted(body)),
        }
    }
}

/// Checks the URL early, so that later errors are about the server.
pub fn parse(url: &str) -> Result<Uri, CheckFault> {
    let fault = |why: &str| {
        CheckFault::unreached(format!("`{}` is not the URL of a server: {why}", display(url)))
            .hint("give the whole URL, for example `https://weather.example.com/mcp`")
    };
    if !matches!(url.split_once("://"), Some(("http" | "https", _))) {
        return Err(fault("it does not begin with `https://` or `http://`"));
    }
    let uri: Uri = url.parse().map_err(|_| fault("it cannot be read as a URL"))?;
    if uri.host().is_none_or(str::is_empty) {
        return Err(fault("it has no host"));
    }
    Ok(uri)
}

/// How every server is reached: through the machine's proxy and with the certificates that the machine trusts, so that
/// a company's own are among them; this machine's own servers directly.
pub fn agent_config(uri: &Uri) -> ConfigBuilder<AgentScope> {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .tls_config(tls)
        .user_agent(concat!("mcp-deploy/", env!("CARGO_PKG_VERSION")));
    match uri.host().is_some_and(is_loopback) {
        true => config.proxy(None).max_idle_connections(0),
        false => config,
    }
}

/// A connection that speaks no HTTP any more: reached as every request is, through the machine's proxy and with its
/// certificates. The agent makes it for a request, which is given up as soon as there is a connection to send it on.
pub fn connect(uri: &Uri, timeout: Duration) -> Result<TransportAdapter, CheckFault> {
    let kept = Arc::default();
    let keep = Keep { inner: DefaultConnector::new(), authority: uri.authority().cloned(), kept: Arc::clone(&kept) };
    let config = agent_config(uri).timeout_global(Some(timeout)).build();
    let failed = Agent::with_parts(config, keep, DefaultResolver::default()).get(uri).call().err();
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (kept, failed) {
        (Some(transport), _) => {
            let mut connection = TransportAdapter::new(transport, Arc::new(time::Instant::now));
            allow(&mut connection, timeout);
            Ok(connection)
        }
        (None, Some(error)) => Err(diagnose::transport(&error, uri, timeout)),
        (None, None) => Err(CheckFault::unreached("there is no connection")),
    }
}

/// From now on all reads and writes together must end within this time.
pub fn allow(connection: &mut TransportAdapter, timeout: Duration) {
    connection.set_timeout(NextTimeout { after: time::Duration::Exact(timeout), ..NextTimeout::default() });
}

/// Takes the connection away from its agent.
#[derive(Debug)]
struct Keep {
    inner: DefaultConnector,
    /// Of the server: a proxy in front of it is connected to first.
    authority: Option<Authority>,
    kept: Arc<Mutex<Option<Box<dyn Transport>>>>,
}

impl Connector<()> for Keep {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, ureq::Error> {
        let transport = self.inner.connect(details, chained)?;
        if details.uri.authority() != self.authority.as_ref() {
            return Ok(transport);
        }
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = transport;
        Err(ureq::Error::ConnectionFailed)
    }
}

/// The URL without what may be secret: user information and query.
pub fn display(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or("");
    match bare.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or("");
            format!("{scheme}://{host}{path}")
        }
        None => bare.to_owned(),
    }
}

/// The URL of a page next to the endpoint: `…/mcp` → `…/health`. The query stays, since it may open a gate.
pub fn sibling(uri: &Uri, name: &str) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let path = uri.path().trim_end_matches('/');
    let folder = path.rfind('/').map_or("", |end| &path[..end]);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{authority}{folder}/{name}{query}")
}

pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "[::1]" || host == "::1" || host.starts_with("127.")
}

/// In backticks, on one line and short.
pub fn quoted(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { String::new() } else { format!("`{}`", shorten(&line, 120)) }
}

/// A value for an MCP header: as it is, or in the base64 form where HTTP could not carry it.
pub fn header_value(text: &str) -> String {
    let plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if plain && text.trim() == text && !text.starts_with("=?base64?") {
        return text.to_owned();
    }
    format!("=?base64?{}?=", BASE64_STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_form_only_where_it_is_needed() {
        for (text, value) in [
            ("get_weather", "get_weather"),
            ("Oslo sentrum", "Oslo sentrum"),
            ("Zürich", "=?base64?WsO8cmljaA==?="),
            (" x", "=?base64?IHg=?="),
            ("a\nb", "=?base64?YQpi?="),
            ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
        ] {
            assert_eq!(header_value(text), value);
        }
    }

    #[test]
    fn the_health_page_is_next_to_the_endpoint() {
        for (url, health) in [
            ("http://127.0.0.1:3000/mcp", "http://127.0.0.1:3000/health"),
            ("https://a.example/prod/mcp/", "https://a.example/prod/health"),
            ("https://a.example", "https://a.example/health"),
            ("https://a.example/mcp?key=x", "https://a.example/health?key=x"),
        ] {
            assert_eq!(sibling(&parse(url).unwrap(), "health"), health);
        }
    }

    #[test]
    fn what_is_shown_of_a_url_holds_no_secret() {
        assert_eq!(display("https://me:pass@a.example/mcp?bypass=s3cret#x"), "https://a.example/mcp");
        assert_eq!(display("https://a.example?x"), "https://a.example");
    }

    #[test]
    fn a_url_that_is_none_says_why() {
        for (url, why) in [("a.example/mcp", "does not begin"), ("ftp://a/mcp", "does not begin"), ("http://", "URL")] {
            assert!(parse(url).unwrap_err().detail.contains(why), "{url}");
        }
    }
}
