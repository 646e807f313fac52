//! What AWS answers itself in place of a server.

use crate::probe::{Gate, Gated, Reply, quoted};

pub const ALL: &[Gate] = &[error];

fn error(reply: &Reply) -> Option<Gated> {
    let json = reply.json.as_ref()?;
    let message = json.get("Message").or_else(|| json.get("message"))?.as_str()?;
    let function_url = json.get("Message").is_some();
    let (said, hint) = match (reply.status, message) {
        (403, message) if function_url && message.starts_with("Forbidden") => (
            "AWS refused the call before the function saw it",
            "the function URL is not public: its policy needs both `lambda:InvokeFunctionUrl` and `lambda:InvokeFunction` \
             for everyone; the template must say `AuthType: NONE` as a literal",
        ),
        (403, "Missing Authentication Token") => {
            ("API Gateway has no such route", "check the path of the URL, with its stage")
        }
        (403, "Forbidden") => (
            "API Gateway refused the call before the function saw it",
            "it may ask for an API key (`x-api-key`), or a firewall rule matched",
        ),
        (404, "Not Found") => ("API Gateway has no such route", "check the path of the URL, with its stage"),
        (429, _) => ("AWS limits the calls", "the concurrency or rate limit is reached: try again, or raise it"),
        (500..=504, "Internal Server Error" | "Internal server error" | "Endpoint request timed out") => {
            ("the function failed or took too long, often at start-up", "look at its log with `sam logs`")
        }
        _ => return None,
    };
    Some(Gated { detail: format!("{}: {said}, {}", reply.status, quoted(message)), hint, lasting: false })
}
