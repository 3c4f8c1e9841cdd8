//! The memory backend's figures: what the contract itself costs.

use alveary_conformance::{MemoryHarness, bench};
use criterion::{Criterion, criterion_group, criterion_main};

fn memory(c: &mut Criterion) {
    bench(c, &MemoryHarness::default());
}

criterion_group!(benches, memory);
criterion_main!(benches);
