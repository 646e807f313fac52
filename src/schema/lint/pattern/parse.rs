//! A regular expression of JavaScript as a tree, as far as its repetitions need it. It compiles already: nothing is
//! judged here.

use std::ops::Range;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

#[derive(Debug, Clone)]
pub enum Node {
    /// `^`
    Start,
    /// Takes no character, and may fail: `$`, `\b`, a look around.
    Assert,
    /// One character of these.
    Set(ClassUnicode),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat {
        body: Box<Node>,
        min: usize,
        max: Option<usize>,
        at: Range<usize>,
    },
}

/// The tree of a pattern, and that of each look around in it; `None` where it is nested too deep.
pub fn parse(pattern: &[char]) -> Option<(Node, Vec<Node>)> {
    let mut parser = Parser { text: pattern, at: 0, arounds: Vec::new(), depth: 0 };
    let node = parser.either()?;
    (parser.at == pattern.len()).then_some((node, parser.arounds))
}

struct Parser<'p> {
    text: &'p [char],
    at: usize,
    arounds: Vec<Node>,
    depth: usize,
}

/// Groups in groups; the parser calls itself for each.
const MAX_DEPTH: usize = 100;

pub fn any() -> ClassUnicode {
    set(&[('\0', char::MAX)])
}

fn set(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(from, to)| ClassUnicodeRange::new(*from, *to)))
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += 1;
        Some(next)
    }

    fn eat(&mut self, text: &str) -> bool {
        let length = text.chars().count();
        let found =
            self.text.get(self.at..self.at + length).is_some_and(|found| found.iter().copied().eq(text.chars()));
        if found {
            self.at += length;
        }
        found
    }

    /// Up to `end`, which is taken too.
    fn until(&mut self, end: char) -> Option<String> {
        let length = self.text[self.at..].iter().position(|c| *c == end)?;
        let found = self.text[self.at..self.at + length].iter().collect();
        self.at += length + 1;
        Some(found)
    }

    fn either(&mut self) -> Option<Node> {
        let mut all = vec![self.sequence()?];
        while self.eat("|") {
            all.push(self.sequence()?);
        }
        if all.len() == 1 { all.pop() } else { Some(Node::Either(all)) }
    }

    fn sequence(&mut self) -> Option<Node> {
        let mut parts = Vec::new();
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            let from = self.at;
            let atom = self.atom()?;
            parts.push(match self.quantifier() {
                Some((min, max)) => Node::Repeat { body: Box::new(atom), min, max, at: from..self.at },
                None => atom,
            });
        }
        Some(Node::Sequence(parts))
    }

    fn quantifier(&mut self) -> Option<(usize, Option<usize>)> {
        let found = match self.peek()? {
            '*' => (0, None),
            '+' => (1, None),
            '?' => (0, Some(1)),
            '{' => {
                self.at += 1;
                let text = self.until('}')?;
                let (min, max) = text.split_once(',').unwrap_or((&text, &text));
                // More than a number can hold counts as unbounded.
                let found = (min.parse().unwrap_or(usize::MAX), max.parse().ok());
                self.at -= 1;
                found
            }
            _ => return None,
        };
        self.at += 1;
        self.eat("?");
        Some(found)
    }

    fn atom(&mut self) -> Option<Node> {
        Some(match self.next()? {
            '^' => Node::Start,
            '$' => Node::Assert,
            '.' => {
                let mut set = set(&[('\n', '\n'), ('\r', '\r'), ('\u{2028}', '\u{2029}')]);
                set.negate();
                Node::Set(set)
            }
            '(' => self.group()?,
            '[' => Node::Set(self.class()?),
            '\\' => match self.peek()? {
                'b' | 'B' => {
                    self.at += 1;
                    Node::Assert
                }
                // What it repeats is not followed.
                'k' => {
                    self.until('>')?;
                    Node::Assert
                }
                '1'..='9' => {
                    while self.peek().is_some_and(|c| c.is_ascii_digit()) {
                        self.at += 1;
                    }
                    Node::Assert
                }
                _ => Node::Set(self.escape()?),
            },
            literal => Node::Set(set(&[(literal, literal)])),
        })
    }

    fn group(&mut self) -> Option<Node> {
        let around = ["?=", "?!", "?<=", "?<!"].into_iter().any(|start| self.eat(start));
        if !around && self.eat("?<") {
            self.until('>')?;
        } else if !around && self.eat("?") {
            self.until(':')?;
        }
        self.depth += 1;
        let inner = if self.depth > MAX_DEPTH { None } else { self.either() }?;
        self.depth -= 1;
        if !self.eat(")") {
            return None;
        }
        if around {
            self.arounds.push(inner);
            return Some(Node::Assert);
        }
        Some(inner)
    }

    fn class(&mut self) -> Option<ClassUnicode> {
        let negated = self.eat("^");
        let mut all = set(&[]);
        while !self.eat("]") {
            let from = self.class_atom()?;
            let single = |set: &ClassUnicode| match set.ranges() {
                [range] if range.start() == range.end() => Some(range.start()),
                _ => None,
            };
            let is_range = self.peek() == Some('-') && self.text.get(self.at + 1) != Some(&']');
            match single(&from).filter(|_| is_range) {
                Some(from) => {
                    self.at += 1;
                    let to = single(&self.class_atom()?)?;
                    all.union(&set(&[(from, to)]));
                }
                None => all.union(&from),
            }
        }
        if negated {
            all.negate();
        }
        Some(all)
    }

    fn class_atom(&mut self) -> Option<ClassUnicode> {
        match self.next()? {
            '\\' if self.eat("b") => Some(set(&[('\u{8}', '\u{8}')])),
            '\\' => self.escape(),
            literal => Some(set(&[(literal, literal)])),
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Option<ClassUnicode> {
        let escaped = self.next()?;
        let literal = match escaped {
            'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P' => {
                let mut found = match escaped {
                    'd' | 'D' => set(&[('0', '9')]),
                    'w' | 'W' => set(&[('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')]),
                    's' | 'S' => regex_class(
                        r"[\t-\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}]",
                    ),
                    _ => regex_class(&format!("\\p{}}}", self.until('}')?)),
                };
                if escaped.is_ascii_uppercase() {
                    found.negate();
                }
                return Some(found);
            }
            't' => '\t',
            'n' => '\n',
            'r' => '\r',
            'v' => '\u{b}',
            'f' => '\u{c}',
            '0' => '\0',
            'c' => char::from(u8::try_from(self.next()?).ok()? % 32),
            'x' => self.hex(2)?,
            'u' if self.eat("{") => u32::from_str_radix(&self.until('}')?, 16)
                .ok()
                .and_then(char::from_u32)
                .unwrap_or(char::REPLACEMENT_CHARACTER),
            'u' => self.hex(4)?,
            other => other,
        };
        Some(set(&[(literal, literal)]))
    }

    fn hex(&mut self, digits: usize) -> Option<char> {
        let unit = |text: &[char]| u32::from_str_radix(&text.iter().collect::<String>(), 16).ok();
        let high = unit(self.text.get(self.at..self.at + digits)?)?;
        self.at += digits;
        if (0xd800..0xdc00).contains(&high) && self.eat("\\u") {
            let low = unit(self.text.get(self.at..self.at + 4)?)?;
            self.at += 4;
            return char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low.wrapping_sub(0xdc00))
                .or(Some(char::REPLACEMENT_CHARACTER));
        }
        Some(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }
}

/// A class as the crate writes it; one that it does not know may be anything.
fn regex_class(class: &str) -> ClassUnicode {
    match regex_syntax::parse(class).map(|parsed| parsed.into_kind()) {
        Ok(HirKind::Class(Class::Unicode(class))) => class,
        _ => any(),
    }
}
