//! The clients' side, a function URL or a REST API: turns a client's request into an event, and what comes back into an
//! HTTP answer.

use std::io;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;

use super::event::{self, Prelude, RequestContext};
use super::{LocalFront, LocalLambda, MAX_PAYLOAD, Piece, new_ids, rest};
use crate::http_server::{Conn, Head, LAST_CHUNK, ReadError, chunk, head_bytes, pair, reason};

pub fn serve(shared: &LocalLambda, mut conn: Conn) {
    conn.set_read_timeout(shared.limits.idle);
    loop {
        match exchange(shared, &mut conn) {
            Ok(After::Stay) => {}
            Ok(After::Close) | Err(ReadError::Gone) => return,
            Err(ReadError::Refused(status)) => {
                if refuse(&mut conn, shared.front, status, None).is_ok() {
                    conn.close_gently(Duration::from_secs(2));
                }
                return;
            }
        }
    }
}

/// What becomes of a client's connection after an answer.
#[derive(Clone, Copy, PartialEq)]
enum After {
    Stay,
    Close,
}

/// One request and its answer.
fn exchange(shared: &LocalLambda, conn: &mut Conn) -> Result<After, ReadError> {
    let Some(head) = conn.head()? else {
        return Ok(After::Close);
    };
    let body = conn.body(&head)?.collect(MAX_PAYLOAD)?;
    let (request_id, trace_id) = new_ids();
    let client = conn.peer();
    let call = RequestContext {
        request_id: &request_id,
        trace_id: &trace_id,
        client: &client,
        port: shared.url_port,
        time: SystemTime::now(),
    };
    let event = match shared.front {
        LocalFront::FunctionUrl => event::from_request(&head, &body, &call).ok_or(ReadError::Refused(400))?,
        LocalFront::RestApi { stage } => match rest::from_request(&head, &body, stage, &call) {
            Some(event) => event,
            None => return Ok(refuse(conn, shared.front, 403, Some(&head))?),
        },
    };
    drop(body);
    if event.len() > MAX_PAYLOAD {
        return Ok(refuse(conn, shared.front, 413, Some(&head))?);
    }
    let since = Instant::now();
    let Some(pieces) = shared.submit(&request_id, &trace_id, event) else {
        return Ok(refuse(conn, shared.front, 429, Some(&head))?);
    };
    let headers = vec![pair("x-amzn-requestid", &request_id), pair("x-amzn-trace-id", &trace_id)];
    let mut answer = Delivery { conn, front: shared.front, head: &head, headers, form: None, gone: false };
    let mut deadline: Option<Instant> = None;
    loop {
        let wait = match deadline {
            Some(end) => end.saturating_duration_since(Instant::now()),
            None => shared.patience(since),
        };
        // A function that never pauses is not to outrun its timeout.
        let piece = if wait.is_zero() { Err(RecvTimeoutError::Timeout) } else { pieces.recv_timeout(wait) };
        match piece {
            Ok(Piece::Taken(end)) => deadline = Some(end),
            Ok(Piece::Prelude(prelude)) => answer.begin(prelude, wait),
            Ok(Piece::Data(data)) => answer.send(&data),
            Ok(Piece::End) => return Ok(answer.end()),
            Err(RecvTimeoutError::Disconnected) => return Ok(answer.fail(502)),
            Err(RecvTimeoutError::Timeout) if deadline.is_some() => {
                shared.kill(&request_id);
                return Ok(answer.fail(504));
            }
            Err(RecvTimeoutError::Timeout) => {
                if shared.patience(since).is_zero() && shared.withdraw(&request_id) {
                    return Ok(answer.fail(502));
                }
            }
        }
    }
}

/// An answer from here, not from the function. Without a head the request could not be read to its end, and nothing can
/// follow it.
fn refuse(conn: &mut Conn, front: LocalFront, status: u16, head: Option<&Head>) -> io::Result<After> {
    let body = match front {
        LocalFront::FunctionUrl => {
            json!({ "Message": if status == 502 { "Internal Server Error" } else { reason(status) } })
        }
        LocalFront::RestApi { .. } => json!({ "message": match status {
            403 => "Missing Authentication Token", // what an API says of a path it does not have
            502 => "Internal server error",
            504 => "Endpoint request timed out",
            _ => reason(status),
        } }),
    };
    let body = body.to_string();
    let after = if head.is_some_and(Head::keeps_alive) { After::Stay } else { After::Close };
    let mut headers = vec![pair("content-type", "application/json")];
    headers.extend((after == After::Close).then(|| pair("connection", "close")));
    match head.is_some_and(|head| head.method == "HEAD") {
        true => conn.write(&head_bytes(status, &headers))?,
        false => conn.answer(status, &headers, body.as_bytes())?,
    }
    Ok(after)
}

/// How the end of a body is marked.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Chunks,
    UntilClosed,
    NoBody,
}

/// The answer to a client, who may leave before its end.
struct Delivery<'a> {
    conn: &'a mut Conn,
    front: LocalFront,
    head: &'a Head,
    headers: Vec<(String, String)>,
    form: Option<Form>,
    gone: bool,
}

impl Delivery<'_> {
    fn begin(&mut self, prelude: Prelude, patience: Duration) {
        let form = match prelude.status {
            204 | 304 => Form::NoBody,
            _ if self.head.method == "HEAD" => Form::NoBody,
            _ if self.head.takes_chunks() => Form::Chunks,
            _ => Form::UntilClosed,
        };
        self.form = Some(form);
        self.headers.extend((form == Form::Chunks).then(|| pair("transfer-encoding", "chunked")));
        self.headers.extend((!self.head.keeps_alive()).then(|| pair("connection", "close")));
        // A client that stops reading holds the function up, and no longer than that may run.
        self.conn.set_write_timeout(patience);
        self.write(&head_bytes(prelude.status, self.headers.iter().chain(&prelude.headers)));
    }

    fn send(&mut self, data: &[u8]) {
        match self.form {
            Some(Form::Chunks) => self.write(&chunk(data)),
            Some(Form::UntilClosed) => self.write(data),
            Some(Form::NoBody) | None => {}
        }
    }

    fn end(mut self) -> After {
        if self.form == Some(Form::Chunks) {
            self.write(LAST_CHUNK);
        }
        if self.gone || !self.head.keeps_alive() { After::Close } else { After::Stay }
    }

    fn fail(self, status: u16) -> After {
        match self.form {
            None => refuse(self.conn, self.front, status, Some(self.head)).unwrap_or(After::Close),
            Some(Form::NoBody) => self.end(),
            Some(_) => After::Close, // without the last chunk: the client sees that something is missing
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        self.gone = self.gone || self.conn.write(bytes).is_err();
    }
}
