#![no_main]

moq_fuzz::main!("token");
