//! Files, into a container and out of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::common::IMAGE;
use crate::ground::Ground;
use crate::hive::finish;

/// In Podman's containers only who has more capabilities than an agent writes into `/`.
fn fleet() -> String {
    format!(
        r#"
        swarm = "copying"
        [agents.echo]
        command = ["sh", "-c", "mkdir /tmp/data && echo made > /tmp/data/made && ln -s data /tmp/door && echo here; exec sleep 1000"]
        stop = {{ grace = "0s" }}
        ready = {{ log = "here" }}
        container = {{ image = "{IMAGE}" }}
        "#
    )
}

pub(crate) fn a_folder_goes_in_and_comes_out_as_it_was(ground: &Ground) {
    let swarm = ground.swarm(ground.file(&fleet()));
    swarm.ok(&["up", "--detach", "--wait"]);
    let here = ground.path().join("app");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("run.sh"), "echo run\n").unwrap();
    fs::set_permissions(here.join("run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("run.sh", here.join("link")).unwrap();
    let at = |name: &str| ground.path().join(name).display().to_string();

    // Into a directory that is there, by a link to it, and under a name of its own.
    swarm.ok(&["cp", &at("app"), "echo:/tmp/data"]);
    swarm.ok(&["cp", &at("app/run.sh"), "echo:/tmp/door"]);
    swarm.ok(&["cp", &at("app"), "echo:/tmp/other"]);
    swarm.ok(&["cp", &at("app/."), "echo:/tmp/data/app"]);
    assert_eq!(
        swarm.ok(&["exec", "echo", "sh", "/tmp/data/app/link"]),
        "run\n"
    );
    assert_eq!(
        swarm.ok(&["exec", "echo", "sh", "/tmp/data/run.sh"]),
        "run\n"
    );
    assert_eq!(
        swarm.ok(&["exec", "echo", "ls", "/tmp/other"]),
        "link\nrun.sh\n"
    );
    swarm
        .by(ground.other_way())
        .ok(&["cp", "echo:/tmp/data", &at("back")]);
    let back = ground.path().join("back");
    assert_eq!(fs::read_to_string(back.join("made")).unwrap(), "made\n");
    assert_eq!(
        fs::read_link(back.join("app/link")).unwrap().to_str(),
        Some("run.sh")
    );
    let mode = fs::metadata(back.join("app/run.sh")).unwrap().permissions();
    assert_eq!(mode.mode() & 0o777, 0o750);
    swarm.ok(&["cp", "echo:/tmp/data/made", &at("back/renamed")]);
    assert_eq!(fs::read_to_string(back.join("renamed")).unwrap(), "made\n");

    for (args, words) in [
        (["cp", "echo:/no/such", &at("x")], "/no/such"),
        (["cp", &at("nothing"), "echo:/tmp/data"], "nothing"),
        (["cp", &at("app"), "echo:/tmp/data/made"], "is no directory"),
        (
            ["cp", &at("app/run.sh"), "echo:/tmp/data/made/"],
            "made is no directory",
        ),
        (
            ["cp", &at("app/run.sh"), "echo:/tmp/absent/"],
            "there is no directory /tmp/absent",
        ),
        (
            ["cp", &at("app/run.sh"), "echo:/tmp/data/made/x"],
            "there is no directory `/tmp/data/made`",
        ),
    ] {
        let ran = swarm.run(&args);
        assert_eq!(ran.code(), Some(2), "{args:?}: {ran}");
        assert!(ran.stderr().contains(words), "{args:?}: {ran}");
    }
    swarm.ok(&["down"]);
}

/// What is put is given up by the engine's side while there is more to send.
pub(crate) fn what_cannot_be_put_is_told_and_not_blamed_on_what_is_here(ground: &Ground) {
    let named = fleet().replace("container = {", "container = { user = \"agent\",");
    let swarm = ground.swarm(ground.file(&named));
    swarm.ok(&["up", "--detach", "--wait"]);
    let large = ground.path().join("large");
    fs::write(&large, vec![b'x'; 3 << 20]).unwrap();
    let ran = swarm.run(&["cp", &large.display().to_string(), "echo:/tmp"]);
    if ground.engine.name == "docker-20" {
        assert_eq!(ran.code(), Some(2), "{ran}");
        assert!(ran.stderr().contains("who the agent's user is"), "{ran}");
        assert!(ran.stderr().contains("owners by --archive"), "{ran}");
    } else {
        assert_eq!(ran.code(), Some(0), "{ran}");
    }
    swarm.ok(&["down"]);
}

pub(crate) fn an_archive_goes_through_a_pipe(ground: &Ground) {
    let file = ground.file(&fleet());
    let swarm = ground.swarm(&file);
    swarm.ok(&["up", "--detach", "--wait"]);
    let mut shell = ground.client_command("sh");
    shell.current_dir(ground.path()).args([
        "-c",
        r#"
        set -e
        mkdir in && echo packed > in/note
        tar -c in | "$0" --backend "$1" cp - echo:/tmp/data
        "$0" --backend "$1" cp echo:/tmp/data/in - | tar -tv | sort
        "$0" --backend "$1" cp echo:/tmp/data/in - | tar -xO in/note
        "#,
        env!("CARGO_BIN_EXE_alveary"),
        ground.way,
    ]);
    shell.env("ALVEARY_STATE_DIR", ground.path().join("state"));
    let ran = finish(&mut shell);
    assert_eq!(ran.code(), Some(0), "{ran}");
    assert!(ran.stdout().contains("in/note"), "{ran}");
    assert!(ran.stdout().ends_with("packed\n"), "{ran}");

    // Whose it is there: the agent's, unless the owners in the archive are kept.
    let owner = |flags: &str, name: &str| {
        let mut shell = ground.client_command("sh");
        shell.current_dir(ground.path()).args([
            "-c",
            r#"
            set -e
            echo owned > "$2"
            tar -c --owner=:7 --group=:8 "$2" | "$0" --backend "$1" cp $3 - echo:/tmp/data
            "$0" --backend "$1" exec echo stat -c %u:%g "/tmp/data/$2"
            "#,
            env!("CARGO_BIN_EXE_alveary"),
            ground.way,
            name,
            flags,
        ]);
        finish(shell.env("ALVEARY_STATE_DIR", ground.path().join("state")))
    };
    let given = owner("", "given");
    assert_eq!(given.stdout(), "0:0\n", "{given}");
    let kept = owner("--archive", "kept");
    if ground.engine.name == "podman" {
        assert_eq!(kept.code(), Some(2), "{kept}");
        assert!(kept.stderr().contains("leave out --archive"), "{kept}");
    } else {
        assert_eq!(kept.stdout(), "7:8\n", "{kept}");
    }
    swarm.ok(&["down"]);
}
