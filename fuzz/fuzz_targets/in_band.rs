#![no_main]

moq_fuzz::main!("in_band");
