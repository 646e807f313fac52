//! Secrets of a local Worker, in the only form in which wrangler takes them beside its own environment: a file that it
//! reads with the package `dotenv` and then expands.

use anyhow::{Result, bail};

use crate::error::Error;

/// The text of such a file, which gives each name its value to the letter.
pub fn text(values: &[(&str, &str)]) -> Result<String> {
    let mut lines = Vec::new();
    for (name, value) in values {
        // What is expanded is unescaped as well.
        let escaped = value.replace('$', "\\$");
        let Some(quote) = quote(&escaped) else {
            let error = Error::new(format!("wrangler has no form for the value of `{name}` in a local run"));
            bail!(
                error.hint("it has quotes of all kinds, and a `#`, a line end or white space around it: leave one out")
            );
        };
        lines.push((*value, format!("{name}={quote}{escaped}{quote}\n")));
    }
    // The quote behind a `\` would not end its value if the next one began with a line end.
    lines.sort_by_key(|(value, _)| !value.starts_with('\n'));
    Ok(lines.into_iter().map(|(_, line)| line).collect())
}

/// The quote in which the value stays as it is; none where it needs none.
fn quote(value: &str) -> Option<&'static str> {
    let plain = value.trim() == value && !value.contains(['#', '\n']) && !value.starts_with(['\'', '"', '`']);
    let changes =
        |quote: &str| value.contains(quote) || quote == "\"" && (value.contains("\\n") || value.contains("\\r"));
    if plain && !value.is_empty() { Some("") } else { ["'", "`", "\""].into_iter().find(|quote| !changes(quote)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_gets_the_form_in_which_it_stays_as_it_is() {
        let table = [
            ("pa$$word$HOME", "A=pa\\$\\$word\\$HOME\n"),
            ("a b\\", "A=a b\\\n"),
            ("abc#def", "A='abc#def'\n"),
            ("it's\n\\n", "A=`it's\n\\n`\n"),
            ("'`#", "A=\"'`#\"\n"),
            ("{\"a\":'`'}", "A={\"a\":'`'}\n"),
        ];
        for (value, line) in table {
            assert_eq!(text(&[("A", value)]).unwrap(), line, "{value}");
        }
        assert!(text(&[("A", "'`\"#")]).unwrap_err().to_string().contains("`A`"));
        assert_eq!(text(&[("A", "#\\"), ("B", "\nb")]).unwrap(), "B='\nb'\nA='#\\'\n");
    }
}
