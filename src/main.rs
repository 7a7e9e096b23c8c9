//! Flags → configuration → relay → wait for a signal → goodbye.

fn main() {}
