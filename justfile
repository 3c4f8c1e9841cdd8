# Recipes for those who work on alveary. `just` alone lists them.

set shell := ["bash", "-euo", "pipefail", "-c"]

_default:
    @just --list --unsorted

# What a commit must pass: form, lints, documentation.
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets --all-features -- -D warnings
    RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --all-features --no-deps

# The README's test command. Arguments go to the tests: `just test restart`.
test *args:
    cargo test --workspace {{ args }}

# The benches, each with its baseline measured in the same run.
bench *args:
    cargo bench --workspace --all-features {{ args }}

# The bad days at full size, as a table.
torture:
    @cargo build --release --package alveary-cli --tests
    @printf '| %-58s | runs | lost | doubled | leaked | wrong |\n' scenario
    @ALVEARY_TORTURE=full cargo test --quiet --release --package alveary-cli --test cli bad_days -- --nocapture --test-threads 1 | grep -oE '\|.*\|$|panicked.*|FAILED'

# The five agents of the README.
quickstart:
    cargo run -p alveary-cli -- up --file examples/quickstart.toml

# Rewrites what rustfmt would have otherwise, and what clippy can mend by itself.
fix:
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged
    cargo fmt --all

# Licences, sources and banned crates.
deny:
    cargo deny check bans licenses sources

# All that CI runs, in CI's order.
ci:
    .ci/run
