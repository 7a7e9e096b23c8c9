//! What is counted.

pub mod config;

pub use config::Config;
