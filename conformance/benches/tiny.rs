//! How fast the backend of `docs/new-backend.md` is: all that its author writes for it is here.

use alveary_conformance::bench;
use criterion::{Criterion, criterion_group, criterion_main};

// In a crate of your own the backend comes from your library.
#[path = "../examples/tiny_backend.rs"]
#[expect(dead_code, reason = "its `main` runs the suite")]
mod tiny_backend;

fn tiny(c: &mut Criterion) {
    bench(c, &tiny_backend::TinyHarness);
}

criterion_group!(benches, tiny);
criterion_main!(benches);
