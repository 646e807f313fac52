//! End to end: the program with the clouds' real tools, the official clients and the official conformance suites.
//! Everything they need is installed into the private cache, pinned, the first time.

mod auth;
mod clients;
mod clouds;
mod conformance;
mod doctor;
mod hostile_text;
mod interrupt;
mod large;
mod ship;
mod streaming;
mod support;
