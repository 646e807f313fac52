//! Types, and how they are put together.

use std::collections::HashSet;

use super::kinds::{ALL, Kinds};

#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Type {
    Unknown,
    Never,
    /// Text that can stand before `[]`, and the sorts of value it admits.
    Atom(String, Kinds),
    Union(Vec<Type>),
    Intersection(Vec<Type>),
}

/// TypeScript multiplies an intersection of unions out, and gives up at 100,000.
const MAX_WIDTH: usize = 10_000;

impl Type {
    pub fn text(&self) -> String {
        match self {
            Type::Unknown => "unknown".into(),
            Type::Never => "never".into(),
            Type::Atom(text, _) => text.clone(),
            Type::Union(parts) => parts.iter().map(Type::text).collect::<Vec<_>>().join(" | "),
            Type::Intersection(parts) => parts.iter().map(Type::operand).collect::<Vec<_>>().join(" & "),
        }
    }

    /// The text where something that binds stronger follows.
    pub fn operand(&self) -> String {
        match self {
            Type::Union(_) | Type::Intersection(_) => format!("({})", self.text()),
            other => other.text(),
        }
    }

    pub fn kinds(&self) -> Kinds {
        match self {
            Type::Unknown => ALL,
            Type::Never => 0,
            Type::Atom(_, kinds) => *kinds,
            Type::Union(parts) => parts.iter().fold(0, |kinds, part| kinds | part.kinds()),
            Type::Intersection(parts) => parts.iter().fold(ALL, |kinds, part| kinds & part.kinds()),
        }
    }

    /// How many types TypeScript makes of it.
    pub fn width(&self) -> usize {
        match self {
            Type::Union(parts) => parts.iter().map(Type::width).sum(),
            Type::Intersection(parts) => parts.iter().map(Type::width).product(),
            _ => 1,
        }
    }
}

pub fn union(types: Vec<Type>) -> Type {
    let flat = types.into_iter().flat_map(|part| match part {
        Type::Union(parts) => parts,
        other => vec![other],
    });
    let mut seen = HashSet::new();
    let mut parts: Vec<Type> = flat.filter(|t| *t != Type::Never && seen.insert(t.clone())).collect();
    match parts.len() {
        _ if parts.contains(&Type::Unknown) => Type::Unknown,
        0 => Type::Never,
        1 => parts.remove(0),
        _ => Type::Union(parts),
    }
}

/// Leaving a part out of an intersection only admits more.
pub fn intersection(types: Vec<Type>) -> Type {
    let mut seen = HashSet::new();
    let mut width = 1usize;
    let mut fits = |part: &Type| {
        let product = width.saturating_mul(part.width());
        let fits = *part != Type::Unknown && product <= MAX_WIDTH && seen.insert(part.clone());
        if fits {
            width = product;
        }
        fits
    };
    if types.contains(&Type::Never) {
        return Type::Never;
    }
    let mut parts: Vec<Type> = types.into_iter().filter(|part| fits(part)).collect();
    match parts.len() {
        0 => Type::Unknown,
        1 => parts.remove(0),
        _ => Type::Intersection(parts),
    }
}
