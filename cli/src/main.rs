//! The `alveary` program.

fn main() {}
