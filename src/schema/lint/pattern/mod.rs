//! Whether a regular expression may take time that nobody can wait for. JavaScript tries every way in which a pattern
//! can match before it gives up: where a text can be shared out among repetitions in many ways, that grows with a power
//! of its length, or doubles with each character.
//!
//! The pattern becomes an automaton of the positions in it (Glushkov), which is looked through for words that lead
//! along two ways.

mod parse;

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;

use regex_syntax::hir::ClassUnicode;

use parse::{Node, any, parse};

/// What is wrong with a pattern, and the part that is.
#[derive(Debug, PartialEq, Eq)]
pub enum Slow {
    /// `(a+)+`: a round can end in more than one place. The time doubles with each character.
    Nested(String),
    /// `.*.*`: two repetitions that follow each other share a text out between them.
    Adjacent(String, String),
    /// `.*a.*b.*c`: three repetitions that can take the same text, whatever stands between them.
    Several,
}

/// Up to so many rounds are taken for what they are; a repetition with a greater bound is as bad as one without.
const FEW_ROUNDS: usize = 4;
/// Copies of the body of `{n}`.
const MAX_COPIES: usize = 64;
const MAX_POSITIONS: usize = 600;
/// Characters of a pattern, and steps of looking through it: one that needs more is let through, and the server's bound
/// on the text holds.
const MAX_LENGTH: usize = 2_000;
const MAX_STEPS: usize = 200_000;

/// The first thing in `pattern`, which compiles, that makes it slow.
pub fn slow(pattern: &str) -> Option<Slow> {
    let text: Vec<char> = pattern.chars().take(MAX_LENGTH + 1).collect();
    if text.len() > MAX_LENGTH {
        return None;
    }
    let (whole, arounds) = parse(&text)?;
    let automaton = |node: &Node| {
        let mut automaton = Automaton::default();
        automaton.build(node);
        automaton
    };
    let found = std::iter::once(&whole).chain(&arounds).find_map(|node| automaton(node).nested_or_adjacent(&text));
    found.or_else(|| automaton(&searching(whole)).has_several().then_some(Slow::Several))
}

/// As it is searched for: from every place, unless it begins with `^`; what may be left out at the end cannot fail.
fn searching(node: Node) -> Node {
    let ways = match node {
        Node::Either(ways) => ways,
        one => vec![one],
    };
    let ways = ways.into_iter().map(|way| {
        let Node::Sequence(mut parts) = way else { return way };
        if !matches!(parts.first(), Some(Node::Start)) {
            parts.insert(0, Node::Repeat { body: Box::new(Node::Set(any())), min: 0, max: None, at: 0..0 });
        }
        while let Some(Node::Repeat { min, max, .. }) = parts.last_mut() {
            if *min > 0 {
                *max = Some(*min);
                break;
            }
            parts.pop();
        }
        Node::Sequence(parts)
    });
    Node::Either(ways.collect())
}

struct Loop {
    /// In the pattern.
    at: Range<usize>,
    positions: Range<usize>,
}

#[derive(Default)]
struct Fragment {
    first: Vec<usize>,
    last: Vec<usize>,
    /// Matches without a character.
    nullable: bool,
}

#[derive(Default)]
struct Automaton {
    /// Of each position, its set in `sets`.
    of: Vec<usize>,
    sets: Vec<ClassUnicode>,
    next: Vec<Vec<usize>>,
    /// Edges that there are two ways to take.
    twice: HashSet<(usize, usize)>,
    loops: Vec<Loop>,
    shared: HashMap<[usize; 3], bool>,
    steps: usize,
}

impl Automaton {
    /// False when there were too many.
    fn step(&mut self) -> bool {
        self.steps += 1;
        self.steps <= MAX_STEPS
    }

    fn build(&mut self, node: &Node) -> Fragment {
        if !self.step() {
            return Fragment::default();
        }
        match node {
            Node::Start | Node::Assert => Fragment { nullable: true, ..Fragment::default() },
            Node::Set(set) => {
                let id = self.sets.iter().position(|known| known == set).unwrap_or_else(|| {
                    self.sets.push(set.clone());
                    self.sets.len() - 1
                });
                let position = self.of.len();
                self.of.push(id);
                self.next.push(Vec::new());
                Fragment { first: vec![position], last: vec![position], nullable: false }
            }
            Node::Sequence(parts) => {
                let empty = Fragment { nullable: true, ..Fragment::default() };
                parts.iter().fold(empty, |before, part| {
                    let part = self.build(part);
                    self.join(before, part)
                })
            }
            Node::Either(ways) => {
                let mut all = Fragment::default();
                for way in ways {
                    let way = self.build(way);
                    all.first.extend(way.first);
                    all.last.extend(way.last);
                    all.nullable |= way.nullable;
                }
                all
            }
            Node::Repeat { body, min, max, at } => self.repeat(body, *min, *max, at),
        }
    }

    fn join(&mut self, one: Fragment, two: Fragment) -> Fragment {
        for last in &one.last {
            for first in &two.first {
                self.edge(*last, *first);
            }
        }
        let mut joined = Fragment { first: one.first, last: two.last, nullable: one.nullable && two.nullable };
        if one.nullable {
            joined.first.extend(two.first);
        }
        if two.nullable {
            joined.last.extend(one.last);
        }
        joined
    }

    fn edge(&mut self, from: usize, to: usize) {
        if !self.step() {
            return;
        }
        if self.next[from].contains(&to) {
            self.twice.insert((from, to));
        } else {
            self.next[from].push(to);
        }
    }

    fn repeat(&mut self, body: &Node, min: usize, max: Option<usize>, at: &Range<usize>) -> Fragment {
        let optional = |mut fragment: Fragment| {
            fragment.nullable = true;
            fragment
        };
        let fixed = is_fixed(body);
        let room = self.of.len() < MAX_POSITIONS;
        match max {
            Some(0) => return Fragment { nullable: true, ..Fragment::default() },
            Some(1) => {
                let one = self.build(body);
                return if min == 0 { optional(one) } else { one };
            }
            Some(max)
                if room && (max <= FEW_ROUNDS && depth(body) <= 1 || fixed && min == max && max <= MAX_COPIES) =>
            {
                // `X{1,3}` is `X(X(X)?)?`.
                let mut parts: Vec<Fragment> = (0..max).map(|_| self.build(body)).collect();
                let mut all = parts.pop().unwrap_or_default();
                for count in (0..max).rev() {
                    if count >= min {
                        all = optional(all);
                    }
                    if let Some(before) = parts.pop() {
                        all = self.join(before, all);
                    }
                }
                return all;
            }
            _ => {}
        }
        let copies = if fixed && room { min.saturating_sub(1).min(MAX_COPIES) } else { 0 };
        let start = Fragment { nullable: true, ..Fragment::default() };
        let before = (0..copies).fold(start, |before, _| {
            let one = self.build(body);
            self.join(before, one)
        });
        let from = self.of.len();
        let round = self.build(body);
        for last in &round.last {
            for first in &round.first {
                self.edge(*last, *first);
            }
        }
        self.loops.push(Loop { at: at.clone(), positions: from..self.of.len() });
        let round = if min == 0 { optional(round) } else { round };
        self.join(before, round)
    }

    fn nested_or_adjacent(&mut self, text: &[char]) -> Option<Slow> {
        if let Some(inside) = self.two_ways_back() {
            let around = self.loops.iter().filter(|one| one.positions.contains(&inside));
            // The outermost shows what is nested in it.
            let outer = around.max_by_key(|one| one.positions.len())?;
            return Some(Slow::Nested(written(text, &outer.at)));
        }
        let (one, two) = self.pairs().into_iter().find(|(one, two)| self.share(*one, *two, true))?;
        let [one, two] = [one, two].map(|index| written(text, &self.loops[index].at));
        Some(Slow::Adjacent(one, two))
    }

    fn has_several(&mut self) -> bool {
        let mut chain = vec![1; self.loops.len()];
        for (one, two) in self.pairs() {
            if chain[two] <= chain[one] && self.share(one, two, false) {
                chain[two] = chain[one] + 1;
            }
        }
        chain.into_iter().any(|length| length > 2)
    }

    /// Loops of which one stands behind the other, in the order of the later ones.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let mut order: Vec<usize> = (0..self.loops.len()).collect();
        order.sort_by_key(|index| self.loops[*index].positions.start);
        let pairs = order.iter().flat_map(|&two| order.iter().map(move |&one| (one, two)));
        pairs.filter(|(one, two)| self.loops[*one].positions.end <= self.loops[*two].positions.start).collect()
    }

    /// Whether one character can be of all three.
    fn meet(&mut self, positions: [usize; 3]) -> bool {
        let mut key = positions.map(|position| self.of[position]);
        key.sort_unstable();
        if let Some(known) = self.shared.get(&key) {
            return *known;
        }
        let mut set = self.sets[key[0]].clone();
        set.intersect(&self.sets[key[1]]);
        set.intersect(&self.sets[key[2]]);
        let found = !set.ranges().is_empty();
        self.shared.insert(key, found);
        found
    }

    /// A position that a text leads back to along two ways at once.
    fn two_ways_back(&mut self) -> Option<usize> {
        let component = components(&self.next);
        let inside = |from: usize, to: usize| component[from] == component[to];
        let twice = self.twice.iter().filter(|(from, to)| inside(*from, *to)).map(|(from, _)| *from).min();
        if twice.is_some() {
            return twice;
        }
        // Two walkers that read the same: they part, and meet again.
        let mut seen = HashSet::new();
        let mut todo: VecDeque<(usize, usize)> = (0..self.of.len()).map(|position| (position, position)).collect();
        while let Some((one, two)) = todo.pop_front() {
            for next_one in self.next[one].clone() {
                for next_two in self.next[two].clone() {
                    if !self.step() {
                        return None;
                    }
                    if !inside(one, next_one) || !inside(two, next_two) || !self.meet([next_one, next_two, next_two]) {
                        continue;
                    }
                    match (one == two, next_one == next_two) {
                        (false, true) => return Some(next_one),
                        (_, false) if seen.insert((next_one, next_two)) => todo.push_back((next_one, next_two)),
                        _ => {}
                    }
                }
            }
        }
        None
    }

    /// Whether a text that goes round in the first loop, and round in the second, also leads from the one to the other;
    /// `directly`: with nothing between them that takes a character.
    fn share(&mut self, one: usize, two: usize, directly: bool) -> bool {
        let [first, second] = [one, two].map(|index| self.loops[index].positions.clone());
        for start in first.clone() {
            for end in second.clone() {
                if !self.step() {
                    return false;
                }
                let mut seen = HashSet::new();
                let mut todo = vec![[start, start, end]];
                while let Some([x, y, z]) = todo.pop() {
                    for next_x in self.next[x].clone().into_iter().filter(|next| first.contains(next)) {
                        for next_z in self.next[z].clone().into_iter().filter(|next| second.contains(next)) {
                            if !self.step() {
                                return false;
                            }
                            if !self.meet([next_x, next_z, next_z]) {
                                continue;
                            }
                            for next_y in self.next[y].clone() {
                                if !self.step() {
                                    return false;
                                }
                                let allowed = !directly || first.contains(&next_y) || second.contains(&next_y);
                                let state = [next_x, next_y, next_z];
                                if allowed && self.meet(state) && seen.insert(state) {
                                    if state == [start, end, end] {
                                        return true;
                                    }
                                    todo.push(state);
                                }
                            }
                        }
                    }
                }
            }
        }
        false
    }
}

/// Without a choice: it matches texts of one length, in one way.
fn is_fixed(node: &Node) -> bool {
    match node {
        Node::Start | Node::Assert | Node::Set(_) => true,
        Node::Sequence(parts) => parts.iter().all(is_fixed),
        Node::Either(_) => false,
        Node::Repeat { body, min, max, .. } => *max == Some(*min) && is_fixed(body),
    }
}

/// How many repetitions that leave a choice are nested in each other.
fn depth(node: &Node) -> usize {
    match node {
        Node::Start | Node::Assert | Node::Set(_) => 0,
        Node::Sequence(parts) | Node::Either(parts) => parts.iter().map(depth).max().unwrap_or_default(),
        Node::Repeat { body, min, max, .. } => {
            depth(body) + usize::from(*max != Some(1) && !(*max == Some(*min) && is_fixed(body)))
        }
    }
}

fn written(text: &[char], at: &Range<usize>) -> String {
    text[at.clone()].iter().collect()
}

/// For each position the strongly connected component it is in, by Kosaraju; walked without recursion.
fn components(next: &[Vec<usize>]) -> Vec<usize> {
    let mut back = vec![Vec::new(); next.len()];
    for (from, all) in next.iter().enumerate() {
        for &to in all {
            back[to].push(from);
        }
    }
    let mut order = Vec::new();
    let mut seen = vec![false; next.len()];
    for root in 0..next.len() {
        let mut stack = vec![(root, 0)];
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        while let Some((at, child)) = stack.pop() {
            match next[at].get(child) {
                Some(&to) => {
                    stack.push((at, child + 1));
                    if !std::mem::replace(&mut seen[to], true) {
                        stack.push((to, 0));
                    }
                }
                None => order.push(at),
            }
        }
    }
    let mut component = vec![usize::MAX; next.len()];
    for &root in order.iter().rev() {
        let mut stack = vec![root];
        while let Some(at) = stack.pop() {
            if component[at] == usize::MAX {
                component[at] = root;
                stack.extend(back[at].iter().copied());
            }
        }
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_patterns_pass() {
        for pattern in [
            "",
            "^a",
            "a+",
            r"\s+$",
            r"^[^\s@]+@[^\s@]+\.[^\s@]+$",
            r"[^@\s]+@[^@\s]+\.[^@\s]+",
            r"^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}$",
            r"^[a-zA-Z0-9.!#$%&'*+\/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$",
            r"^[\w.+-]+@([\w-]+\.)+[\w-]{2,}$",
            "^[a-z]+(-[a-z]+)*$",
            "^[a-z0-9]+(?:-[a-z0-9]+)*$",
            "^[a-z][a-z0-9-]{0,61}[a-z0-9]$",
            r"^\d{4}-\d{2}-\d{2}$",
            r"^\d{4}\d{2}\d{2}T\d{6}Z?$",
            r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$",
            "^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
            r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$",
            "^[0-9a-f]{64}$",
            r"^(25[0-5]|2[0-4]\d|[01]?\d\d?)(\.(25[0-5]|2[0-4]\d|[01]?\d\d?)){3}$",
            r"^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$",
            r"^https?:\/\/[^\s/$.?#].[^\s]*$",
            r"^\+?[1-9]\d{1,14}$",
            r"^\p{L}[\p{L}\p{N} '-]*$",
            r"^\p{L}+\d+$",
            r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z]).{8,}$",
            r"^\s*\S+\s*$",
            r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$",
            ".*foo.*",
            "^.*foo.*$",
            "^(?:[a-z]+, ?)*[a-z]+$",
            r"^(a|b|c)*$",
            r"^#(?:[0-9a-fA-F]{3}){1,2}$",
            r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
            r"^\u{1F600}+\uD83D\uDE01*$",
            r"^(?<year>\d+)-\k<year>$",
            r"^[^]*$",
        ] {
            assert_eq!(slow(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_repetition_that_can_match_in_more_than_one_way_is_found() {
        for (pattern, part) in [
            ("(a+)+", "(a+)+"),
            ("^(a*)*$", "(a*)*"),
            ("^(a|a)*$", "(a|a)*"),
            ("^(.*)*$", "(.*)*"),
            ("^(a|aa)+$", "(a|aa)+"),
            ("^(a|ab|b)*$", "(a|ab|b)*"),
            (r"^([a-z]+\s?)+$", r"([a-z]+\s?)+"),
            (r"^(\w+-?)*x$", r"(\w+-?)*"),
            ("^(a?b?)*$", "(a?b?)*"),
            ("^([a-z]{1,10})*$", "([a-z]{1,10})*"),
            ("^(a{1,20}){20}$", "(a{1,20}){20}"),
            (r"^(\d|[0-5])+x", r"(\d|[0-5])+"),
            (r"^x(?=(a+)+b)", "(a+)+"),
            (r"^(?:\p{L}|é)*$", r"(?:\p{L}|é)*"),
        ] {
            assert_eq!(slow(pattern), Some(Slow::Nested(part.into())), "{pattern}");
        }
    }

    #[test]
    fn repetitions_that_share_a_text_are_found() {
        for (pattern, one, two) in [
            ("^.*.*$", ".*", ".*"),
            (r"^\d+\.?\d*$", r"\d+", r"\d*"),
            (r"^\s*.*\s*$", r"\s*", ".*"),
            ("^[a-z]*[a-z0-9]*-$", "[a-z]*", "[a-z0-9]*"),
            ("^(ab)*(ab)*$", "(ab)*", "(ab)*"),
            ("^[a-z]{1,63}[a-z]{1,63}$", "[a-z]{1,63}", "[a-z]{1,63}"),
        ] {
            assert_eq!(slow(pattern), Some(Slow::Adjacent(one.into(), two.into())), "{pattern}");
        }
        for pattern in [r"^\S+@\S+\.\S+$", "^.*a.*b.*c$", "foo.*bar.*baz", "^(.*,){3}x$"] {
            assert_eq!(slow(pattern), Some(Slow::Several), "{pattern}");
        }
        for pattern in ["^(ab)*(ac)*$", "^(ab)*a*$", "^a*b*c*$"] {
            assert_eq!(slow(pattern), None, "{pattern}");
        }
    }

    /// Whoever wrote the pattern: looking through it ends.
    #[test]
    fn a_hostile_pattern_is_not_followed_for_ever() {
        let nested = format!("{}a{}", "(".repeat(900), ")*".repeat(900));
        let copies = (0..60).fold("a".to_owned(), |inner, _| format!("(?:{inner}){{60}}"));
        let words = format!("^({})*$", ('a'..='z').cycle().take(900).map(|c| format!("{c}|")).collect::<String>());
        let loops = "[a-z]*\\p{L}+-?".repeat(120);
        for pattern in [nested, copies, words, loops, "(".repeat(100_000), "a".repeat(1_000_000)] {
            slow(&pattern);
        }
    }
}
