//! Units of the system, in a folder that stands for its root.

use super::*;

const OF_THE_SYSTEM: Startup = Startup {
    system: true,
    user: None,
    print: false,
    remove: false,
};

fn unit() -> Unit {
    Unit {
        swarm: "shop".to_owned(),
        program: "/usr/bin/alveary".into(),
        arguments: Vec::new(),
        folder: "/srv".into(),
        variables: Vec::new(),
        needs_docker: false,
        system_user: Some("ada".to_owned()),
    }
}

/// What was refused, with its cure.
fn refused(outcome: Result<(), Failure>) -> (String, String) {
    match outcome {
        Err(Failure::Input { what, cure }) => (what, cure),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_unit_of_the_system_is_written_where_systemd_looks_and_taken_away_again() {
    let root = tempfile::tempdir().unwrap();
    let folder = OF_THE_SYSTEM.folder(root.path()).unwrap();
    assert_eq!(folder, root.path().join("etc/systemd/system"));
    let file = folder.join("alveary-shop.service");
    let other = folder.join("other.service");
    // Once more is as once, whatever was in it.
    for _ in 0..2 {
        OF_THE_SYSTEM.write_into(&folder, &unit()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), unit().text());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        fs::write(&file, "an older one").unwrap();
    }
    fs::write(&other, "somebody else's").unwrap();

    // As `systemctl enable` leaves it.
    let wants = folder.join("multi-user.target.wants");
    let enabled = wants.join("alveary-shop.service");
    fs::create_dir(&wants).unwrap();
    std::os::unix::fs::symlink(&file, &enabled).unwrap();
    OF_THE_SYSTEM.remove_from(&folder, &unit()).unwrap();
    assert!(!file.exists() && enabled.symlink_metadata().is_err());
    let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(other.exists());
    let (what, cure) = refused(OF_THE_SYSTEM.remove_from(&folder, &unit()));
    assert!(
        what.contains("alveary-shop.service` cannot be removed"),
        "{what}"
    );
    assert!(cure.contains("--system"), "{cure}");
}

#[test]
fn where_a_unit_of_the_system_cannot_be_written_root_is_who_can() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("etc"), "no folder").unwrap();
    let folder = OF_THE_SYSTEM.folder(root.path()).unwrap();
    let (what, cure) = refused(OF_THE_SYSTEM.write_into(&folder, &unit()));
    assert!(
        what.contains("alveary-shop.service` cannot be written"),
        "{what}"
    );
    assert_eq!(cure, "do it as root: `sudo alveary startup --system`");
}
