//! The answer to a call, as it comes.

use std::io::{BufRead, BufReader};

use serde_json::{Value, json};

use super::mcp::{Era, post};

pub struct Stream {
    lines: std::io::Lines<BufReader<ureq::BodyReader<'static>>>,
}

impl Stream {
    /// A call that is answered by a stream; with a token it asks for progress.
    #[track_caller]
    pub fn call(url: &str, era: Era, tool: &str, arguments: Value, token: Option<&str>) -> Self {
        let mut params = json!({ "name": tool, "arguments": arguments });
        if let Some(token) = token {
            params["_meta"] = json!({ "progressToken": token });
        }
        let response = post(url, era, "tools/call", params);
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok());
        assert_eq!(kind, Some("text/event-stream"), "{response:?}");
        Stream { lines: BufReader::new(response.into_body().into_reader()).lines() }
    }

    #[track_caller]
    pub fn line(&mut self) -> Option<String> {
        Some(self.lines.next()?.expect("the stream goes on"))
    }

    /// The next message of the stream.
    #[track_caller]
    pub fn next(&mut self) -> Option<Value> {
        loop {
            let line = self.line()?;
            if let Some(data) = line.strip_prefix("data:") {
                return Some(serde_json::from_str(data.trim()).expect("each event is one message"));
            }
        }
    }

    /// The next message, which has to report progress: `[progress, total, message]`.
    #[track_caller]
    pub fn progress(&mut self) -> Value {
        let message = self.next().expect("a report");
        assert_eq!(message["method"], "notifications/progress", "{message}");
        assert_eq!(message["params"]["progressToken"], "here", "{message}");
        let params = &message["params"];
        json!([params["progress"], params["total"], params["message"]])
    }

    /// The next message, which has to be the result, and the last one.
    #[track_caller]
    pub fn result(mut self) -> Value {
        let mut message = self.next().expect("the result");
        assert!(message["result"].is_object(), "{message}");
        assert_eq!(self.next(), None, "the stream ends with the result");
        message["result"].take()
    }
}
