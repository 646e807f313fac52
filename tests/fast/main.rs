//! The fast tests: the program itself and its pure parts; no npm, no cloud tools, no network.
//! One binary, because linking is what costs.

#[path = "../support/answers.rs"]
mod answers;
mod beside;
mod ci;
mod cli;
mod connect;
mod dev;
#[path = "../support/editor.rs"]
mod editor;
mod errors;
mod faults;
mod golden;
mod hostile;
#[cfg(debug_assertions)]
mod interruption;
mod json;
mod keys;
mod layers;
mod lazy;
mod licences;
mod machine;
mod manifests;
mod misnamed;
mod once;
mod own_place;
mod packages;
mod pages;
mod properties;
mod repository;
mod secrets;
#[path = "../support/signals.rs"]
mod signals;
mod source;
mod state;
mod style;
mod support;
mod targets;
mod terminal;
mod together;
mod trees;
mod untrusted;
