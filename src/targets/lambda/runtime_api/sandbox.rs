//! The Runtime API's side: hands events to the sandbox and takes its answers, streamed or buffered.

use std::sync::mpsc::SyncSender;
use std::time::{Instant, SystemTime};

use serde_json::json;

use super::event::Prelude;
use super::{LocalLambda, MAX_PAYLOAD, Piece, REGION, new_ids};
use crate::http_server::{Body, Conn, Head, ReadError, pair, reason};

const MAX_PRELUDE: usize = 1024 * 1024;
pub const PRELUDE_END: [u8; 8] = [0; 8];
const STREAM_ERROR: &str = "lambda-runtime-function-error-type";
const TOO_LARGE: &str = "Function.ResponseSizeTooLarge";
const NO_PRELUDE: &str = "Function.InvalidResponse";

pub fn serve(shared: &LocalLambda, mut conn: Conn) {
    while let Ok(Some(head)) = conn.head() {
        let path = head.target.split('?').next().unwrap_or_default().to_owned();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let served = match (head.method.as_str(), parts.as_slice()) {
            ("GET", ["2018-06-01", "runtime", "invocation", "next"]) => hand_over(shared, &mut conn, &head),
            ("POST", ["2018-06-01", "runtime", "invocation", id, "response"]) => respond(shared, &mut conn, &head, id),
            ("POST", ["2018-06-01", "runtime", "invocation", id, "error"]) => report(shared, &mut conn, &head, id),
            ("POST", ["2018-06-01", "runtime", "init", "error"])
            | ("POST", ["2020-01-01", "extension", "init" | "exit", "error"]) => give_up(shared, &mut conn, &head),
            ("POST", ["2020-01-01", "extension", "register"]) => register(shared, &mut conn, &head),
            ("GET", ["2020-01-01", "extension", "event", "next"]) => {
                // No events ever come, as the adapter asks for none; so its end is what ends this.
                let generation = shared.state().generation;
                conn.wait_until_closed();
                return shared.lost(generation);
            }
            _ => drained(&mut conn, &head).and_then(|()| reject(&mut conn, 404, "UnknownPath")),
        };
        if served.is_err() {
            return;
        }
    }
}

fn register(shared: &LocalLambda, conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    drained(conn, head)?;
    shared.state().absent_since = None;
    let body = json!({ "functionName": shared.function_name, "functionVersion": "$LATEST" }).to_string();
    Ok(conn.answer(200, &[json_type(), pair("lambda-extension-identifier", new_ids().0)], body.as_bytes())?)
}

fn hand_over(shared: &LocalLambda, conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    drained(conn, head)?;
    let (invocation, deadline) = shared.next().ok_or(ReadError::Gone)?;
    let left = deadline.saturating_duration_since(Instant::now());
    let deadline = (SystemTime::now() + left).duration_since(SystemTime::UNIX_EPOCH).map_or(0, |end| end.as_millis());
    let arn = format!("arn:aws:lambda:{REGION}:000000000000:function:{}", shared.function_name);
    let headers = [
        json_type(),
        pair("lambda-runtime-aws-request-id", &invocation.id),
        pair("lambda-runtime-deadline-ms", deadline),
        pair("lambda-runtime-invoked-function-arn", arn),
        pair("lambda-runtime-trace-id", &invocation.trace_id),
    ];
    let handed = conn.answer(200, &headers, &invocation.event);
    if handed.is_err() {
        shared.finish(&invocation.id);
    }
    Ok(handed?)
}

fn respond(shared: &LocalLambda, conn: &mut Conn, head: &Head, id: &str) -> Result<(), ReadError> {
    let Some(answer) = shared.take_answer(id) else {
        drained(conn, head)?;
        return reject(conn, 400, "InvalidRequestID");
    };
    let streamed = head.get("lambda-runtime-function-response-mode") == Some("streaming");
    let mut body = conn.body(head)?;
    let relayed = if streamed { relay_stream(&mut body, &answer) } else { relay_buffered(&mut body, &answer) };
    drop(answer);
    shared.finish(id);
    match relayed {
        Ok(()) => accepted(conn),
        Err(RelayFailure::Gone) => Err(ReadError::Gone),
        Err(RelayFailure::Response(kind)) => {
            body.drain()?;
            reject(conn, if kind == TOO_LARGE { 413 } else { 400 }, kind)
        }
    }
}

/// Why an answer did not reach its end.
enum RelayFailure {
    Gone,
    Response(&'static str),
}

impl From<ReadError> for RelayFailure {
    fn from(_: ReadError) -> Self {
        Self::Gone
    }
}

/// A prelude, eight NULs, and the body as it comes. Without a client the pieces go nowhere, and are read all the same.
fn relay_stream(body: &mut Body, answer: &SyncSender<Piece>) -> Result<(), RelayFailure> {
    let mut start = Vec::new();
    let prelude_length = loop {
        start.extend(body.read()?.ok_or(RelayFailure::Response(NO_PRELUDE))?);
        match start.windows(PRELUDE_END.len()).position(|window| window == PRELUDE_END) {
            Some(length) => break length,
            None if start.len() > MAX_PRELUDE => return Err(RelayFailure::Response(NO_PRELUDE)),
            None => {}
        }
    };
    let prelude = Prelude::parse(&start[..prelude_length]).ok_or(RelayFailure::Response(NO_PRELUDE))?;
    let _ = answer.send(Piece::Prelude(prelude));
    let mut next = Some(start.split_off(prelude_length + PRELUDE_END.len()));
    while let Some(piece) = next {
        // Held back until it is known to be the last; every other piece goes on at once.
        let suspect = says_error(&piece).then(|| body.read()).transpose()?;
        if suspect == Some(None) {
            return Ok(());
        }
        if !piece.is_empty() {
            let _ = answer.send(Piece::Data(piece));
        }
        next = if let Some(read) = suspect { read } else { body.read()? };
    }
    if !body.has_trailer(STREAM_ERROR) {
        let _ = answer.send(Piece::End);
    }
    Ok(())
}

/// The adapter's way to say that the server behind it broke off (see the top of this module).
fn says_error(piece: &[u8]) -> bool {
    piece.get(..STREAM_ERROR.len()).is_some_and(|start| start.eq_ignore_ascii_case(STREAM_ERROR.as_bytes()))
}

fn relay_buffered(body: &mut Body, answer: &SyncSender<Piece>) -> Result<(), RelayFailure> {
    let whole = body.collect(MAX_PAYLOAD).map_err(|error| match error {
        ReadError::Refused(413) => RelayFailure::Response(TOO_LARGE),
        _ => RelayFailure::Gone,
    })?;
    let (prelude, data) = Prelude::parse_buffered(&whole).ok_or(RelayFailure::Response(NO_PRELUDE))?;
    for piece in [Piece::Prelude(prelude), Piece::Data(data), Piece::End] {
        if !matches!(&piece, Piece::Data(data) if data.is_empty()) {
            let _ = answer.send(piece);
        }
    }
    Ok(())
}

fn report(shared: &LocalLambda, conn: &mut Conn, head: &Head, id: &str) -> Result<(), ReadError> {
    let known = shared.take_answer(id).is_some();
    shared.finish(id);
    drained(conn, head)?;
    if known { accepted(conn) } else { reject(conn, 400, "InvalidRequestID") }
}

fn give_up(shared: &LocalLambda, conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    drained(conn, head)?;
    let generation = shared.state().generation;
    shared.lost(generation);
    accepted(conn)
}

fn accepted(conn: &mut Conn) -> Result<(), ReadError> {
    Ok(conn.answer(202, &[json_type()], br#"{"status":"OK"}"#)?)
}

fn reject(conn: &mut Conn, status: u16, kind: &str) -> Result<(), ReadError> {
    let body = json!({ "errorMessage": reason(status), "errorType": kind }).to_string();
    Ok(conn.answer(status, &[json_type()], body.as_bytes())?)
}

fn drained(conn: &mut Conn, head: &Head) -> Result<(), ReadError> {
    conn.body(head)?.drain()
}

fn json_type() -> (String, String) {
    pair("content-type", "application/json")
}
