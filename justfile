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

# Measures everything that has a goal, and writes it into docs/performance.md. On a machine that is otherwise idle.
performance:
    #!/usr/bin/env bash
    set -euo pipefail
    page=docs/performance.md measured=$(mktemp)
    # What is compared is the spawn, not the disk.
    if [ -d /dev/shm ]; then export TMPDIR=/dev/shm; fi
    trap 'rm -f "$measured"' EXIT
    table() {
        printf '\n### %s\n' "$1"
        # Criterion's own figures are for `just bench`; a filter that fits nothing leaves the tables.
        cargo bench --quiet --package "$2" --bench "$3" "${@:4}" -- 'nothing' | awk '/^\|/ { if (!in_table) print ""; print } { in_table = /^\|/ }'
    }
    {
        sed '/^<!-- measured -->$/q' "$page"
        printf '\nOn %s, Linux %s, %s processors.\n' "$(date --iso-8601)" "$(uname --kernel-release | cut -d- -f1)" "$(nproc)"
        table 'A process' alveary process
        table 'The manager' alveary manager
        table 'Whole commands' alveary-cli commands
        table 'The coordinator' alveary-coordinator coordinator
        # On the engine that DOCKER_HOST or ALVEARY_TEST_ENGINES names; empty without one.
        table 'Docker' alveary docker --features docker-api,docker-cli
    } >"$measured"
    cp "$measured" "$page"

# Two cold installs, and a first swarm of one's own in a fresh clone: how long they take. On a machine that is otherwise idle.
from-nothing:
    #!/usr/bin/env bash
    set -euo pipefail
    away=$(mktemp -d)
    trap 'rm -rf "$away"' EXIT
    git clone --quiet . "$away/clone"
    unset CARGO_TARGET_DIR
    export CARGO_INCREMENTAL=0 TIMEFORMAT='%0R s | %0U s + %0S s'
    printf '| what | wall | processors | the program |\n|---|---|---|---|\n'
    for features in '' '--no-default-features --features process'; do
        rm -rf "$away/clone/target"
        took=$({ time cargo install --quiet --locked --path "$away/clone/cli" --root "$away/whole" $features; } 2>&1)
        printf '| `cargo install --locked --path cli %s` | %s | %s MB |\n' \
            "$features" "$took" "$(stat --format %s "$away/whole/bin/alveary" | awk '{ printf "%.1f", $1 / 1e6 }')"
    done
    rm -rf "$away/clone"
    mkdir "$away/mine"
    export PATH=$away/quick/bin:$PATH ALVEARY_STATE_DIR=$away/state
    took=$({ time {
        git clone --quiet . "$away/clone"
        cargo install --quiet --debug --locked --path "$away/clone/cli" --no-default-features --features process --root "$away/quick"
        cd "$away/mine"
        alveary init --yes && alveary up -d && alveary ps && alveary down
    } >"$away/said" 2>&1; } 2>&1)
    printf '| a clone, `cargo install --debug` of processes alone, `alveary init`, `up`, `ps`, `down` | %s | |\n' "$took"

# The bad days at full size, as one table: `just torture CYCLES ROUNDS`.
torture cycles='1000' rounds='50':
    #!/usr/bin/env bash
    set -euo pipefail
    # Beside what the command line's own tests count: `cycles` starts and stops, each given up at another moment,
    # and `rounds` kills of a manager that starts agents.
    cargo build --quiet --release --package alveary-cli --package alveary-process --tests
    status=0
    # A trial that passes has counted nothing amiss.
    rows() {
        cargo test --quiet --release --package alveary-process --test "$2" "$3" |
            awk -v runs="$1" '
                /^test .* ok$/ { amiss = 0 }
                /^test .* FAILED$/ { amiss = "yes" }
                /^test .* (ok|FAILED)$/ {
                    name = $2; gsub(/_/, " ", name); gsub(/::[a-z ]*::/, ": ", name)
                    printf "| %-86s | %4d | %4s | %7s | %6s | %5s |\n", name, runs, amiss, amiss, amiss, amiss
                }
                /panicked/' || status=1
    }
    printf '| %-86s | runs | lost | doubled | leaked | wrong |\n' scenario
    printf '|%s|------|------|---------|--------|-------|\n' "$(printf -- '-%.0s' {1..88})"
    ALVEARY_TORTURE=full cargo test --quiet --release --package alveary-cli --test cli bad_days -- --nocapture --test-threads 1 |
        grep -oE '\|.*\|$|panicked.*|FAILED' || status=1
    TORTURE_CYCLES={{ cycles }} rows {{ cycles }} bad_days dropped_futures
    CONFORMANCE_ROUNDS={{ rounds }} rows {{ rounds }} conformance agents_that_start_while_their_manager_is_killed
    exit $status

# A thousand tasks, fifty agents, and a coordinator that is killed twenty times while they work.
torture-coordinator *args:
    # As the benches are built: optimised, and a panic still says where.
    ALVEARY_TORTURE=full cargo test --profile bench --package alveary-coordinator --test crowd -- {{ args }}

# The bad days of containers at full size, as one table, on engines that are there for this alone. As root.
torture-docker *args:
    #!/usr/bin/env bash
    set -euo pipefail
    # Bigger than what CI has the time for: 50 kills of a manager, 5 of an engine in each of its verbs, half a minute of
    # standing still, every fault by the program too. A trial that finds anything amiss is named above the table.
    export CI=true ALVEARY_TORTURE=full
    tests/engines/engine run docker-20 -- bash -c '
        tests/engines/images docker-20
        cargo test --quiet --package alveary-docker --all-features --test faults -- "$@"' -- {{ args }}

# The quickstart in containers of a plain busybox, by a static build of the program: nothing of it is in the image. As root.
static-quickstart:
    #!/usr/bin/env bash
    set -euo pipefail
    export CI=true RUSTFLAGS='-C target-feature=+crt-static'
    tests/engines/engine run docker-20 -- bash -c '
        tests/engines/images docker-20
        cargo test --target "$(uname -m)-unknown-linux-gnu" --package alveary-cli --test docker -- \
            on-docker-20::quickstart::the_quickstart_runs_to_its_end_in_containers --test-threads 1'

# The pictures of the coordinator's page in docs/pictures, anew. Needs Debian's chromium and chromium-driver, and pngquant.
pictures:
    tests/pictures

# The pictures of terminals in docs/pictures, anew: what the program prints, as a terminal shows it. Needs `pip install pyte rich`.
terminal:
    cargo build --quiet -p alveary-cli
    tests/terminal "${CARGO_TARGET_DIR:-target}/debug/alveary"

# The picture of `alveary bench` in docs/pictures, anew, with the `docker` of the PATH. On a machine that is otherwise idle.
bench-picture runs='40':
    #!/usr/bin/env bash
    set -euo pipefail
    cargo build --quiet --release -p alveary-cli
    program=$(realpath "${CARGO_TARGET_DIR:-target}/release/alveary") picture=$PWD/docs/pictures/bench.svg
    away=$(mktemp -d)
    trap 'rm -rf "$away"' EXIT
    cd "$away"
    cat >alveary.toml <<'FLEET'
    swarm = "timed"
    [defaults]
    container = { image = "busybox" }
    [agents.echo]
    command = ["sh", "-c", "echo here; exec sleep 1000"]
    ready = { log = "here" }
    FLEET
    ALVEARY_STATE_DIR=$away/state "$program" bench --backend process,docker-api,docker-cli -n {{ runs }} --picture "$picture"

# Holds a coordinator against its document; arguments are schemathesis's own.
fuzz *args:
    tests/openapi/fuzz {{ args }}

# The five agents of the README.
quickstart:
    cargo run -p alveary-cli -- up --file examples/quickstart.toml

# Rewrites what rustfmt would have otherwise, and what clippy can mend by itself.
fix:
    cargo clippy --workspace --all-targets --all-features --fix --allow-dirty --allow-staged
    cargo fmt --all

# Whether what is public is as it is listed, and names no types of other crates unmeant; `just api --write` lists it anew.
api *args:
    .ci/api {{ args }}

# Licences, sources and banned crates.
deny:
    cargo deny check bans licenses sources

# Builds the book of docs/ and checks it, links and transcripts too. With `--write` the transcripts are written anew.
book *args:
    cargo build --quiet -p alveary-cli
    python3 .ci/book "${CARGO_TARGET_DIR:-target}/debug/alveary" {{ args }}

# All that CI runs, in CI's order.
ci:
    .ci/run
