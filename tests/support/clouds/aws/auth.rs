//! Who asks for what: the credential scope of a signature (SigV4). The signature itself is not verified.

use super::super::http::Request;

pub struct Caller {
    pub key: String,
    pub region: String,
    pub service: String,
}

impl Caller {
    pub fn of(request: &Request) -> Option<Caller> {
        let authorization = request.header("authorization")?.strip_prefix("AWS4-HMAC-SHA256 ")?;
        let credential = authorization.split(',').find_map(|part| part.trim().strip_prefix("Credential="))?;
        let mut parts = credential.split('/');
        let key = parts.next()?.to_owned();
        let (_date, region, service) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Caller { key, region: region.to_owned(), service: service.to_owned() })
    }
}
