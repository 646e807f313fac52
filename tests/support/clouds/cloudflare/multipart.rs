//! The parts of a `multipart/form-data` body.

use super::super::http::Request;

pub struct Part {
    pub name: String,
    pub file: Option<String>,
    pub content_type: String,
    pub body: Vec<u8>,
}

pub fn parts(request: &Request) -> Option<Vec<Part>> {
    let content_type = request.header("content-type")?;
    let boundary = content_type.split("boundary=").nth(1)?.split(';').next()?.trim().trim_matches('"');
    let between = format!("\r\n--{boundary}").into_bytes();
    // The first boundary has no line before it.
    let body = [b"\r\n".as_slice(), &request.body].concat();
    let mut rest = &body[find(&body, &between)? + between.len()..];
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let end = find(rest, &between)?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + between.len()..];
    }
    Some(parts)
}

fn part(bytes: &[u8]) -> Option<Part> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&bytes[..end]);
    let header = |name: &str| {
        let named = |line: &&str| line.split(':').next().is_some_and(|key| key.eq_ignore_ascii_case(name));
        head.lines().find(named)?.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let disposition = header("content-disposition")?;
    let parameter = |name: &str| {
        let start = disposition.find(&format!(" {name}=\""))? + name.len() + 3;
        disposition[start..].split('"').next().map(str::to_owned)
    };
    Some(Part {
        name: parameter("name")?,
        file: parameter("filename"),
        content_type: header("content-type").unwrap_or_default(),
        body: bytes[end + 4..].to_vec(),
    })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
