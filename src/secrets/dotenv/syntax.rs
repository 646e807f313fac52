//! The one reading of a `.env`: what is accepted has the same value for `node --env-file`, and is what a person reads
//! there. Where readers disagree, the line is a fault.

use crate::fault::{Fault, Lines, Severity};

/// `NAME=value`, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub name: String,
    pub value: String,
    /// Of the name, in bytes.
    pub place: usize,
}

/// Every entry in its order, and what is wrong. No message has anything of a value.
pub fn parse(text: &str, file: &str) -> (Vec<Entry>, Vec<Fault>) {
    let mut reader = EnvReader::new(text);
    while reader.at < text.len() {
        reader.step();
    }
    let EnvReader { entries, mut faults, .. } = reader;
    for (at, entry) in entries.iter().enumerate() {
        if entries[..at].iter().any(|earlier| earlier.name == entry.name) {
            let message = format!("`{}` is set more than once, and the last value counts", entry.name);
            faults.push((Severity::Warning, entry.place, message, "keep one of the lines".to_owned()));
        }
    }
    let lines = Lines::of(text);
    let fault = |(severity, place, message, hint): EnvFault| Fault {
        severity,
        file: file.to_owned(),
        at: lines.position(place),
        message,
        hint: Some(hint),
    };
    let mut faults: Vec<Fault> = faults.into_iter().map(fault).collect();
    faults.sort_by_key(|fault| fault.at);
    (entries, faults)
}

/// Severity, place in bytes, message, hint.
type EnvFault = (Severity, usize, String, String);

struct EnvReader<'t> {
    text: &'t str,
    at: usize,
    entries: Vec<Entry>,
    /// Names whose line is at fault.
    broken: Vec<&'t str>,
    faults: Vec<EnvFault>,
}

const QUOTES: [char; 3] = ['\'', '"', '`'];

impl<'t> EnvReader<'t> {
    fn new(text: &'t str) -> Self {
        let mut reader = EnvReader { text, at: 0, entries: Vec::new(), broken: Vec::new(), faults: Vec::new() };
        if text.starts_with('\u{feff}') {
            let hint = "save it as UTF-8 without a byte order mark";
            reader.fault(
                0,
                "the file begins with a byte order mark, which Node.js takes for a part of the first name",
                hint,
            );
            reader.at = '\u{feff}'.len_utf8();
        }
        reader
    }

    /// One line, or all lines of one value.
    fn step(&mut self) {
        let line = self.line();
        match line.trim_start_matches([' ', '\t']) {
            "" => self.next_line(),
            rest if rest.starts_with('#') && rest.len() < line.len() && rest.contains('=') => {
                let hint = "begin the comment at the start of its line";
                self.fault(self.at, "Node.js reads this indented comment as `NAME=value`", hint);
                self.next_line();
            }
            rest if rest.starts_with('#') => self.next_line(),
            _ => self.assignment(line),
        }
    }

    /// What is left of the line, without its end.
    fn line(&self) -> &'t str {
        let rest = &self.text[self.at..];
        let line = rest.split_once('\n').map_or(rest, |(line, _)| line);
        line.strip_suffix('\r').unwrap_or(line)
    }

    fn next_line(&mut self) {
        self.at += self.text[self.at..].find('\n').map_or(self.text.len() - self.at, |end| end + 1);
    }

    fn fault(&mut self, place: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.faults.push((Severity::Error, place, message.into(), hint.into()));
    }

    fn assignment(&mut self, line: &'t str) {
        let start = self.at + (line.len() - line.trim_start_matches([' ', '\t']).len());
        let Some((before, rest)) = line.split_once('=') else {
            // The line may be a part of a value, and so nothing of it is shown.
            self.fault(start, "this line is not `NAME=value`", "write `NAME='value'`, or `#` before a comment");
            return self.next_line();
        };
        let before = before.trim_matches([' ', '\t']);
        let name = before.strip_prefix("export ").map_or(before, |name| name.trim_start_matches([' ', '\t']));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c)) {
            let hint =
                "write `NAME='value'`: a name has letters, digits and `_`; a value of several lines stands in quotes";
            self.fault(start, "what stands before `=` is not a name", hint);
            return self.next_line();
        }
        let place = start + before.len() - name.len();
        let value = rest.trim_start_matches([' ', '\t']);
        self.at += line.len() - value.len();
        let read = match value.chars().next() {
            Some(quote) if QUOTES.contains(&quote) => self.quoted(name, quote),
            None if name.len() < before.len() => Err((
                place,
                format!("Node.js does not read an empty `{name}` behind `export`"),
                format!("write `{name}=`, or leave the line out"),
            )),
            _ => self.plain(name, value, rest.len() > value.len()),
        };
        let sound = self.entries.len();
        match read {
            Ok(value) => match value.chars().find(|c| c.is_control() && !"\n\t".contains(*c)) {
                Some(_) => self.fault(
                    place,
                    format!("the value of `{name}` has a control character, which readers take in different ways"),
                    format!("set it with `mcp-deploy secrets set {name}`, without that character"),
                ),
                None => self.entries.push(Entry { name: name.to_owned(), value, place }),
            },
            Err((place, message, hint)) => self.fault(place, message, hint),
        }
        if self.entries.len() == sound {
            self.broken.push(name);
        }
        self.next_line();
    }

    /// A value without quotes: to the end of the line, or to a comment behind white space.
    fn plain(&self, name: &str, value: &str, is_apart: bool) -> Result<String, (usize, String, String)> {
        let in_quotes = format!("write `{name}='…'`, in single quotes");
        if value.is_empty() && is_apart {
            let message = format!("`{name}` has white space for a value: Node.js takes the next line for it");
            return Err((self.at, message, format!("write `{name}=` without white space, or `{name}=''`")));
        }
        let (shown, comment) = value.split_at(value.find('#').unwrap_or(value.len()));
        let trimmed = shown.trim_end_matches([' ', '\t']);
        let is_comment = trimmed.len() < shown.len() || (shown.is_empty() && is_apart);
        if !comment.is_empty() && !is_comment {
            let message = format!("the value of `{name}` has a `#`, and some readers take what follows for a comment");
            let hint = format!("{in_quotes}; a comment has white space before its `#`");
            return Err((self.at + shown.len(), message, hint));
        }
        let is_open = |quote: &char| shown.matches(*quote).count() % 2 == 1;
        if !comment.is_empty() && QUOTES.iter().any(is_open) {
            let message = format!("the value of `{name}` has a quote that no other closes before a `#`");
            return Err((self.at + shown.len(), message, in_quotes));
        }
        if trimmed != trimmed.trim() {
            let message = format!("the value of `{name}` begins or ends with an unusual white space");
            return Err((self.at, message, in_quotes));
        }
        Ok(trimmed.to_owned())
    }

    /// A value in quotes, also of several lines; afterwards the reader is behind it.
    fn quoted(&mut self, name: &str, quote: char) -> Result<String, (usize, String, String)> {
        let start = self.at;
        let inside = &self.text[start + 1..];
        let Some(length) = inside.find(quote) else {
            let message = format!("the value of `{name}` begins with the quote {quote}, which is not closed");
            let other = QUOTES.iter().find(|other| **other != quote).unwrap_or(&'"');
            let hint =
                format!("close it; a quote that belongs to the value stands in others: `{name}={other}…{other}`");
            return Err((start, message, hint));
        };
        let value = inside[..length].replace("\r\n", "\n");
        self.at = start + 1 + length + 1;
        let after = self.line();
        let rest = after.trim_start_matches([' ', '\t']);
        let is_comment = rest.starts_with('#') && rest.len() < after.len();
        if !rest.is_empty() && !is_comment {
            let message = format!("text follows the closing quote of `{name}`");
            let hint = "put all of the value into one pair of quotes that it does not have itself: ' or \" or `";
            return Err((self.at, message, hint.to_owned()));
        }
        if quote == '"' {
            return unescaped(&value).ok_or_else(|| {
                let message =
                    format!("the value of `{name}` has a `\\` in double quotes, where only `\\n` has one meaning");
                (start, message, format!("write `{name}='…'`, in single quotes: there a `\\` is a `\\`"))
            });
        }
        Ok(value)
    }
}

/// What stands in double quotes. Only `\n` means the same to all.
fn unescaped(value: &str) -> Option<String> {
    let mut parts = value.split('\\');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push('\n');
        text.push_str(part.strip_prefix('n')?);
    }
    Some(text)
}

/// The line that gives `name` this value; `None` for one that cannot stand in the file as it is.
pub fn line(name: &str, value: &str) -> Option<String> {
    let quote = QUOTES.iter().find(|quote| !value.contains(**quote) && (**quote != '"' || !value.contains('\\')));
    // With all of them in it, it may still stand without any.
    let quote = quote.map_or_else(String::new, char::to_string);
    let line = format!("{name}={quote}{value}{quote}\n");
    let (entries, faults) = parse(&line, "");
    let is_read = entries.len() == 1 && entries[0].name == name && entries[0].value == value && faults.is_empty();
    is_read.then_some(line)
}

/// What stands behind `=`, for a file of examples: in quotes, unless no quotes keep it as it is.
pub fn written(value: &str) -> String {
    let line = line("X", value).filter(|line| line.lines().count() == 1);
    line.and_then(|line| Some(line.strip_prefix("X=")?.trim_end().to_owned())).unwrap_or_default()
}

/// The text without the lines of `name`: of a value of several lines all of them.
pub fn without(text: &str, name: &str) -> String {
    replaced(text, name, |_| String::new())
}

/// The text with empty lines instead of those of `name`, so that every other line keeps its place.
pub fn blanked(text: &str, name: &str) -> String {
    replaced(text, name, |lines| "\n".repeat(lines.matches('\n').count()))
}

/// Also a line of `name` that is at fault is replaced.
fn replaced(text: &str, name: &str, by: impl Fn(&str) -> String) -> String {
    let mut reader = EnvReader::new(text);
    let mut kept = text[..reader.at].to_owned();
    while reader.at < text.len() {
        let (start, entries, broken) = (reader.at, reader.entries.len(), reader.broken.len());
        let next = text[start..].find('\n').map_or(text.len(), |end| start + end + 1);
        reader.step();
        let is_broken = reader.broken[broken..].contains(&name);
        let mut is_its = is_broken || reader.entries[entries..].iter().any(|entry| entry.name == name);
        if is_broken && reader.at > next {
            // A quote that a later line closes may have taken in what is not its own: that line is read anew, if it is
            // sound then.
            let (_, faults) = parse(&text[next..], "");
            is_its = faults.iter().all(|fault| fault.severity != Severity::Error);
            if is_its {
                reader.at = next;
            }
        }
        let lines = &text[start..reader.at];
        kept.push_str(&if is_its { by(lines) } else { lines.to_owned() });
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let (entries, faults) = parse(text, ".env");
        assert_eq!(faults, [], "{text}");
        entries.into_iter().map(|entry| (entry.name, entry.value)).collect()
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let table = [
            ("A=abcd efgh ijkl", "abcd efgh ijkl"),
            ("A=C:\\new\\table", "C:\\new\\table"),
            ("A=pa$$word$HOME", "pa$$word$HOME"),
            (r#"A={"type":"x","key":"a\nb"}"#, r#"{"type":"x","key":"a\nb"}"#),
            ("A=postgres://u:p%40ss@db:5432/x?a=b", "postgres://u:p%40ss@db:5432/x?a=b"),
            ("A='abc#def'", "abc#def"),
            ("A=abc # a comment", "abc"),
            ("A= # a comment", ""),
            ("A=", ""),
            ("A=it's", "it's"),
            ("A=`it's \"so\"`", "it's \"so\""),
            ("A='two\nlines' # and a comment", "two\nlines"),
            ("A=\"two\\nlines\"", "two\nlines"),
            ("A='two\\nlines\\'", "two\\nlines\\"),
            ("  export  A =\t'x'  \r", "x"),
        ];
        for (text, value) in table {
            for text in [text.to_owned(), format!("# A=0\n\n{text}\nB='b'\n")] {
                assert_eq!(read(&text)[0], ("A".to_owned(), value.to_owned()), "{text}");
            }
        }
    }

    #[test]
    fn what_readers_disagree_on_is_a_fault_at_its_place_and_shows_no_value() {
        let table = [
            ("A=hunter2#hunter3", (1, 10), "a `#`"),
            ("A=#hunter2", (1, 3), "a `#`"),
            ("A={\"hunter2\": \" #hunter3\"}", (1, 17), "that no other closes"),
            ("\nA= \nB=hunter2", (2, 4), "the next line"),
            ("A='hunter2", (1, 3), "is not closed"),
            ("A='hunter2' hunter3", (1, 12), "follows the closing quote"),
            ("A='hunter2'#hunter3", (1, 12), "follows the closing quote"),
            ("A='hunter2\nB='hunter3'", (2, 4), "follows the closing quote"),
            ("A=\"C:\\hunter2\"", (1, 3), "in double quotes"),
            ("A=\"hunter2\\\\n\"", (1, 3), "in double quotes"),
            ("A=hunter2\rhunter3", (1, 1), "a control character"),
            ("A='hunter2\0'", (1, 1), "a control character"),
            ("A=\u{a0}hunter2", (1, 3), "an unusual white space"),
            ("hunter2", (1, 1), "is not `NAME=value`"),
            ("A: hunter2", (1, 1), "is not `NAME=value`"),
            ("=hunter2", (1, 1), "is not a name"),
            ("hunter 2=", (1, 1), "is not a name"),
            ("export\tA=hunter2", (1, 1), "is not a name"),
            ("B=1\n  # A=hunter2", (2, 1), "indented comment"),
            ("B=hunter2\nexport A=\n\n", (2, 8), "behind `export`"),
            ("\u{feff}A=hunter2", (1, 1), "byte order mark"),
        ];
        for (text, (line, column), message) in table {
            let (_, faults) = parse(text, ".env");
            let [fault] = faults.as_slice() else { panic!("{text:?}: {faults:?}") };
            assert_eq!((fault.at.line, fault.at.column), (line, column), "{text:?}: {fault}");
            assert!(fault.message.contains(message) && !fault.to_string().contains("hunter"), "{fault}");
        }
        let (entries, faults) = parse("A=1\nB=\"\\x\"\nA=2\n", ".env");
        assert_eq!((entries.len(), faults.len()), (2, 2));
        assert_eq!((faults[1].severity, faults[1].at.line), (Severity::Warning, 3), "{}", faults[1]);
    }

    #[test]
    fn a_line_at_fault_is_replaced_and_takes_no_other_with_it() {
        let table = [
            ("B=1\nA=x#y\nC=2\n", "B=1\nC=2\n"),
            ("A='x\nB='1'\n", "B='1'\n"),
            ("A='x\nA='y'\nB='1'\n", "B='1'\n"),
            ("A='x\nB=1\n", "B=1\n"),
            ("A= \nB=1\n", "B=1\n"),
            ("A=\"\\x\"\nA=1\nB='1\n2'", "B='1\n2'"),
            // Whose the second line is, nobody knows.
            ("A='x\ny' z\nB=1\n", "A='x\ny' z\nB=1\n"),
        ];
        for (text, rest) in table {
            assert_eq!(without(text, "A"), rest, "{text}");
        }
        assert_eq!(blanked("A='1\n2'\nB=x#y\n", "A"), "\n\nB=x#y\n");
    }

    #[test]
    fn an_example_is_written_so_that_it_is_read_as_it_is() {
        for value in ["info", "a \"b\" #c", "C:\\x", "it's \\", "", "$HOME"] {
            assert_eq!(read(&format!("A={}\n", written(value))), [("A".to_owned(), value.to_owned())]);
        }
        assert_eq!(written("two\nlines"), "");
    }
}
