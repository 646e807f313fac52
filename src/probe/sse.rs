//! Server-sent events, read as they arrive.

/// Collects the `data` of each event; the other fields mean nothing to MCP.
#[derive(Default)]
pub struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_cr: bool,
}

impl Events {
    /// Takes a piece of the stream and gives the events that it completed.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut events = Vec::new();
        for &byte in bytes {
            let lf_of_crlf = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                _ if lf_of_crlf => {}
                b'\r' | b'\n' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    fn end_line(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            return std::mem::take(&mut self.has_data).then(|| String::from_utf8_lossy(&data).into_owned());
        }
        if let Some(value) = field(&line, b"data") {
            if self.has_data {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
            self.has_data = true;
        }
        None
    }
}

fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_stream_is_cut() {
        let stream = b": keep-alive\n\nevent: message\r\ndata: {\"a\":\r\ndata:1}\r\n\r\nid: 7\rdata: two\r\rdatax: no\n\ndata\n\n";
        for size in [1, 2, 3, 7, stream.len()] {
            let mut events = Events::default();
            let seen: Vec<String> = stream.chunks(size).flat_map(|piece| events.push(piece)).collect();
            assert_eq!(seen, ["{\"a\":\n1}", "two", ""], "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_its_blank_line_is_not_complete() {
        assert!(Events::default().push(b"data: {}\n").is_empty());
    }
}
