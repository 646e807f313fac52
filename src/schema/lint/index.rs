//! Where schemas stand, and what references mean.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::MAX_DEPTH;
use super::keywords::{children, known};
use super::pointer::{join, percent_decode};

/// Every schema inside a schema by its pointer. Bounded in depth, so that it can be made of anything.
pub struct Index<'a> {
    /// In document order.
    order: Vec<(String, &'a Value)>,
    /// Where in it a pointer is; only references ask.
    places: OnceCell<HashMap<String, usize>>,
    has_references: bool,
    anchors: HashMap<&'a str, String>,
}

impl<'a> Index<'a> {
    pub fn new(root: &'a Value) -> Index<'a> {
        let mut index =
            Index { order: Vec::new(), places: OnceCell::new(), has_references: false, anchors: HashMap::new() };
        index.add(root, String::new(), 0);
        index
    }

    fn add(&mut self, schema: &'a Value, pointer: String, depth: usize) {
        if depth > MAX_DEPTH || !(schema.is_object() || schema.is_boolean()) {
            return;
        }
        self.order.push((pointer.clone(), schema));
        for (key, value) in schema.as_object().into_iter().flatten() {
            match (key.as_str(), value.as_str()) {
                ("$ref" | "$dynamicRef" | "$recursiveRef", _) => self.has_references = true,
                ("$anchor" | "$dynamicAnchor", Some(name)) => drop(self.anchors.insert(name, pointer.clone())),
                ("$id", Some(id)) if id.len() > 1 && id.starts_with('#') => {
                    self.anchors.insert(&id[1..], pointer.clone());
                }
                _ => {}
            }
            let Some(keyword) = known(key) else { continue };
            for (path, _, child) in children(keyword, &join(&pointer, key), value) {
                self.add(child, path, depth + 1);
            }
        }
    }

    /// The pointer of the schema a local reference names.
    pub fn resolve(&self, reference: &str) -> Option<&str> {
        let fragment = reference.strip_prefix('#')?;
        if let Some(pointer) = self.anchors.get(fragment) {
            return Some(pointer);
        }
        let decoded = percent_decode(fragment)?;
        self.place(&decoded).map(|(pointer, _)| pointer)
    }

    pub fn get(&self, pointer: &str) -> Option<&'a Value> {
        self.place(pointer).map(|(_, schema)| schema)
    }

    fn place(&self, pointer: &str) -> Option<(&str, &'a Value)> {
        let places = self.places.get_or_init(|| {
            self.order.iter().enumerate().map(|(place, (pointer, _))| (pointer.clone(), place)).collect()
        });
        let (pointer, schema) = &self.order[*places.get(pointer)?];
        Some((pointer, schema))
    }

    pub fn pointers(&self) -> impl Iterator<Item = &str> {
        self.schemas().map(|(pointer, _)| pointer)
    }

    pub fn schemas(&self) -> impl Iterator<Item = (&str, &'a Value)> {
        self.order.iter().map(|(pointer, schema)| (pointer.as_str(), *schema))
    }

    /// What a reference could have meant: the definitions and anchors.
    pub fn targets(&self) -> Vec<String> {
        let defined =
            |p: &&str| p.matches('/').count() == 2 && (p.starts_with("/$defs/") || p.starts_with("/definitions/"));
        let mut all: Vec<String> = self.pointers().filter(defined).map(|p| format!("#{p}")).collect();
        let mut anchors: Vec<_> = self.anchors.keys().map(|name| format!("#{name}")).collect();
        anchors.sort();
        all.append(&mut anchors);
        all
    }

    /// The schemas whose `$ref` closes a cycle, when only `$ref` and `through` are followed: without those the schema
    /// has no such cycle.
    pub fn cycles(&self, through: &[&str]) -> HashSet<String> {
        let mut closing = HashSet::new();
        if !self.has_references {
            return closing;
        }
        let mut done: HashSet<&str> = HashSet::new();
        for start in self.pointers() {
            if done.contains(start) {
                continue;
            }
            // Depth first with an explicit stack: a chain of references may be long.
            let mut path = vec![(start, self.edges(start, through))];
            let mut open: HashSet<&str> = HashSet::from([start]);
            while let Some((at, edges)) = path.last_mut() {
                let Some((from, to)) = edges.pop() else {
                    open.remove(at);
                    done.insert(at);
                    path.pop();
                    continue;
                };
                if open.contains(to) {
                    closing.insert(from.to_string());
                } else if !done.contains(to) {
                    open.insert(to);
                    path.push((to, self.edges(to, through)));
                }
            }
        }
        closing
    }

    /// Every reference in the schema at `start` that is reached through the given keywords: where it stands, where it
    /// leads. The last one first.
    fn edges(&self, start: &str, through: &[&str]) -> Vec<(&str, &str)> {
        let mut found = Vec::new();
        let mut todo = vec![start.to_string()];
        while let Some(pointer) = todo.pop() {
            let Some((here, schema)) = self.place(&pointer) else {
                continue;
            };
            let Some(map) = schema.as_object() else {
                continue;
            };
            for key in ["$recursiveRef", "$dynamicRef", "$ref"] {
                let target = map.get(key).and_then(Value::as_str).and_then(|r| self.resolve(r));
                found.extend(target.map(|to| (here, to)));
            }
            let inner = map.iter().filter(|(key, _)| through.contains(&key.as_str()));
            let mut below: Vec<String> = inner
                .filter_map(|(key, value)| Some(children(known(key)?, &join(&pointer, key), value)))
                .flatten()
                .map(|(path, _, _)| path)
                .collect();
            below.reverse();
            todo.append(&mut below);
        }
        found.reverse();
        found
    }
}
