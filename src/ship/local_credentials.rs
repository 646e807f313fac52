//! Credentials for a run on this machine: made for it by this process, and worth nothing anywhere else.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::http_server::{Conn, Listener, ReadError, pair};
use crate::manifest::{API_KEYS, Auth, Manifest, OAuth};
use crate::secrets::api_keys::{Key, Keys};

/// How the local server knows us, and what we send.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    /// Variables of the server's process, in place of those of `.env`.
    pub env: Vec<(String, String)>,
    /// What a client sends; `None` where nobody has to prove anything.
    pub bearer: Option<String>,
    /// What opens further budgets of calls; `None` where there is no limit.
    pub budget: Option<String>,
}

const NAME: &str = "mcp-deploy-local";
/// The environment variable that names the local issuer; `oauth.ts` says why it is of no use in a cloud.
pub const ISSUER: &str = "MCP_LOCAL_ISSUER";
/// That which makes a local server count calls in its memory, where it has no store, and give us budgets;
/// `rate-limit.ts` says the same.
const BUDGET: &str = "MCP_LOCAL_RATE_LIMIT";

/// That which makes a local server import all of its handlers at once, so that its health page tells which cannot be.
const IMPORT: &str = "MCP_LOCAL_IMPORT";

impl Guest {
    /// The same for the whole life of this process: clients of `dev` stay welcome across restarts.
    pub fn of(manifest: &Manifest, env: &[(String, String)]) -> Result<Guest> {
        let mut guest = match &manifest.access.auth {
            Auth::None => Guest::default(),
            Auth::ApiKey => api_key(env)?,
            Auth::OAuth(oauth) => access_token(manifest, oauth)?,
        };
        if manifest.access.rate_limit.is_some() {
            guest.budget = Some(budget()?);
            guest.env.extend(guest.budget.clone().map(|secret| (BUDGET.to_owned(), secret)));
        }
        guest.env.push((IMPORT.to_owned(), "1".to_owned()));
        Ok(guest)
    }

    pub fn headers(&self) -> Vec<(String, String)> {
        self.bearer.iter().map(|token| bearer(token)).collect()
    }
}

/// The header that carries a key or a token.
pub fn bearer(token: &str) -> (String, String) {
    ("authorization".to_owned(), format!("Bearer {token}"))
}

fn budget() -> Result<String> {
    static SECRET: OnceLock<String> = OnceLock::new();
    if let Some(secret) = SECRET.get() {
        return Ok(secret.clone());
    }
    let mut bytes = [0; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| anyhow!("this machine gives no random numbers"))?;
    Ok(SECRET.get_or_init(|| bytes.iter().map(|byte| format!("{byte:02x}")).collect()).clone())
}

fn api_key(env: &[(String, String)]) -> Result<Guest> {
    static KEY: OnceLock<Key> = OnceLock::new();
    let key = match KEY.get() {
        Some(key) => key,
        None => {
            let made = Key::new()?;
            KEY.get_or_init(|| made)
        }
    };
    let stored = env.iter().rev().find(|(name, _)| name == API_KEYS);
    let mut keys = stored.map_or_else(|| Ok(Keys::default()), |(_, value)| Keys::parse(value))?;
    keys.add(NAME, key);
    Ok(Guest { env: vec![(API_KEYS.into(), keys.to_json())], bearer: Some(key.0.clone()), budget: None })
}

fn access_token(manifest: &Manifest, oauth: &OAuth) -> Result<Guest> {
    static ISSUED: OnceLock<Issuer> = OnceLock::new();
    let issuer = match ISSUED.get() {
        Some(issuer) => issuer,
        None => {
            let started = Issuer::start()?;
            ISSUED.get_or_init(|| started)
        }
    };
    let scopes = oauth.scopes.iter().chain(manifest.tools.iter().flat_map(|tool| &tool.scopes));
    let scope = scopes.map(String::as_str).collect::<Vec<_>>().join(" ");
    // An issuer that names the client alone does so in `aud` too, or beside it.
    let audience = if oauth.audience.is_empty() { &oauth.client_ids } else { &oauth.audience };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = json!({
        "iss": issuer.url, "sub": NAME, "aud": audience, "scope": scope, "iat": now, "exp": now + 12 * 60 * 60,
    });
    Ok(Guest { env: vec![(ISSUER.into(), issuer.url.clone())], bearer: Some(issuer.sign(&claims)?), budget: None })
}

/// An authorization server as far as a resource server sees it: metadata and keys, on this machine alone.
pub struct Issuer {
    pub url: String,
    keys: EcdsaKeyPair,
    _listener: Listener,
}

/// It has one key at a time.
const KEY_ID: &str = "local";
/// Far more than the servers of a run open.
const CONNECTIONS: usize = 64;

impl Issuer {
    pub fn start() -> Result<Issuer> {
        let none = |_| anyhow!("this machine gives no key to sign with");
        let random = SystemRandom::new();
        let private = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).map_err(none)?;
        let keys = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private.as_ref(), &random)
            .map_err(|_| anyhow!("this machine gives no key to sign with"))?;
        let mut listener = Listener::bind(0).context("no free port on 127.0.0.1")?;
        let url = listener.url();
        let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/jwks") });
        let jwks = json!({ "keys": [jwk(keys.public_key().as_ref())] });
        let serving = listener.serve(CONNECTIONS, move |stream, _| {
            // A client may leave.
            let _ = serve(Conn::new(stream), &metadata, &jwks);
        });
        serving.context("cannot start a thread for the local authorization server")?;
        Ok(Issuer { url, keys, _listener: listener })
    }

    /// A token with these claims.
    pub fn sign(&self, claims: &Value) -> Result<String> {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": KEY_ID });
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let signature = self.keys.sign(&SystemRandom::new(), signed.as_bytes());
        let signature = signature.map_err(|_| anyhow!("cannot sign a token for the local run"))?;
        Ok(format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// The public key, from its uncompressed point.
fn jwk(point: &[u8]) -> Value {
    let part = |from: usize| BASE64_URL_SAFE_NO_PAD.encode(&point[from..from + 32]);
    json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KEY_ID, "x": part(1), "y": part(33) })
}

fn serve(mut conn: Conn, metadata: &Value, jwks: &Value) -> Result<(), ReadError> {
    conn.set_read_timeout(Duration::from_secs(5));
    while let Some(head) = conn.head()? {
        conn.body(&head)?.drain()?;
        let (status, body) = match head.target.as_str() {
            "/.well-known/openid-configuration" => (200, metadata.to_string()),
            "/jwks" => (200, jwks.to_string()),
            _ => (404, "{}".to_owned()),
        };
        conn.answer(status, &[pair("content-type", "application/json")], body.as_bytes())?;
    }
    Ok(())
}
