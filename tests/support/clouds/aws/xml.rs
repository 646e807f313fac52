//! XML as the query APIs answer it.

use super::super::http::Response;

pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `<name>text</name>`
pub fn tag(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// `<name>…</name>` around what is XML already.
pub fn around(name: &str, inner: &str) -> String {
    format!("<{name}>{inner}</{name}>")
}

/// `<name><member>…</member>…</name>`
pub fn members(name: &str, items: impl IntoIterator<Item = String>) -> String {
    let items: String = items.into_iter().map(|item| around("member", &item)).collect();
    around(name, &items)
}

/// The answer to an action.
pub fn answer(action: &str, result: &str) -> Response {
    let metadata = "<ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId></ResponseMetadata>";
    let result = around(&format!("{action}Result"), result);
    Response::xml(200, around(&format!("{action}Response"), &format!("{result}{metadata}")))
}

pub fn error(status: u16, code: &str, message: &str) -> Response {
    let kind = if status < 500 { "Sender" } else { "Receiver" };
    let error = [tag("Type", kind), tag("Code", code), tag("Message", message)].concat();
    let error = around("Error", &error) + &tag("RequestId", "00000000-0000-4000-8000-000000000000");
    Response::xml(status, around("ErrorResponse", &error))
}
