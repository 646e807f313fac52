//! S3, path style: objects of buckets that a stack made.

use std::collections::BTreeMap;

use super::super::http::{Request, Response};
use super::state::Region;
use super::xml::{around, escape, tag};

pub type Buckets = BTreeMap<String, BTreeMap<String, Vec<u8>>>;

pub fn answer(region: &mut Region, request: &Request) -> Response {
    let buckets = &mut region.buckets;
    let path = request.path.trim_start_matches('/');
    let (name, key) = path.split_once('/').unwrap_or((path, ""));
    let Some(bucket) = buckets.get_mut(name) else {
        return error(404, "NoSuchBucket", "The specified bucket does not exist");
    };
    match (request.method.as_str(), key) {
        ("GET", "") if request.query("location").is_some() => Response::xml(200, "<LocationConstraint/>"),
        ("GET", "") => list(name, bucket, request.query("prefix").unwrap_or_default()),
        ("HEAD", "") => Response::empty(200).with("x-amz-bucket-region", &region.name),
        ("POST", "") if request.query("delete").is_some() => delete_several(bucket, request),
        // What is large is uploaded in parts; each is kept under a name that no key has until all of them are there.
        ("POST", key) if request.query("uploads").is_some() => {
            Response::xml(200, around("InitiateMultipartUploadResult", &(tag("Key", key) + &tag("UploadId", "1"))))
        }
        ("PUT", key) if request.query("partNumber").is_some() => {
            let number: u32 = request.query("partNumber").and_then(|number| number.parse().ok()).unwrap_or(0);
            bucket.insert(part(key, number), body(request));
            Response::empty(200).with("etag", "\"0\"")
        }
        ("POST", key) if request.query("uploadId").is_some() => {
            let parts: Vec<Vec<u8>> = (1..).map_while(|number| bucket.remove(&part(key, number))).collect();
            bucket.insert(key.to_owned(), parts.concat());
            Response::xml(200, around("CompleteMultipartUploadResult", &(tag("Key", key) + &tag("ETag", "0"))))
        }
        ("PUT", key) => {
            bucket.insert(key.to_owned(), body(request));
            Response::empty(200).with("etag", "\"0\"")
        }
        ("GET" | "HEAD", key) => match bucket.get(key) {
            Some(object) => Response::new(200, "application/octet-stream", object.clone()).with("etag", "\"0\""),
            None => error(404, "NoSuchKey", "The specified key does not exist."),
        },
        ("DELETE", key) => {
            bucket.remove(key);
            Response::empty(204)
        }
        _ => error(405, "MethodNotAllowed", "The specified method is not allowed against this resource."),
    }
}

fn part(key: &str, number: u32) -> String {
    format!("{key}\0{number}")
}

pub fn error(status: u16, code: &str, message: &str) -> Response {
    Response::xml(status, around("Error", &(tag("Code", code) + &tag("Message", message))))
}

fn list(name: &str, bucket: &BTreeMap<String, Vec<u8>>, prefix: &str) -> Response {
    let found = bucket.iter().filter(|(key, _)| key.starts_with(prefix));
    let contents: String = found
        .map(|(key, object)| around("Contents", &(tag("Key", key) + &tag("Size", &object.len().to_string()))))
        .collect();
    let head = tag("Name", name) + &tag("Prefix", prefix) + "<IsTruncated>false</IsTruncated>";
    Response::xml(200, around("ListBucketResult", &(head + &contents)))
}

fn delete_several(bucket: &mut BTreeMap<String, Vec<u8>>, request: &Request) -> Response {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
    bucket.retain(|known, _| !keys.clone().any(|key| key == escape(known)));
    Response::xml(200, "<DeleteResult/>")
}

/// An `aws-chunked` body has lengths and signatures between its pieces.
fn body(request: &Request) -> Vec<u8> {
    if !request.header("content-encoding").is_some_and(|coding| coding.contains("aws-chunked")) {
        return request.body.clone();
    }
    let mut body = Vec::new();
    let mut rest = request.body.as_slice();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        let size = usize::from_str_radix(line.split(';').next().unwrap_or_default(), 16).unwrap_or(0);
        if size == 0 || rest.len() < end + 2 + size {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    body
}
