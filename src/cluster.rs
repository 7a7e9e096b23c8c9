//! Nodes that know each other: a broadcast that one of them has can be watched on all.

pub mod config;

pub use config::Config;
