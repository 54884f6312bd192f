//! The units for systemd that are shipped, as its own checker sees them, and what they run.

use std::fs;
use std::path::Path;
use std::process::Command;

/// Pools' folders, as instances: the second one has what has to be escaped.
const INSTANCES: [&str; 2] = ["data-pool", r"srv-my\x2dpools-a\x20b"];

#[test]
fn the_units_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let mut units = Vec::new();
    for entry in fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Where it is installed is for the system to say.
        let program = format!("ExecStart={} ", env!("CARGO_BIN_EXE_dynamicfs"));
        let text = fs::read_to_string(&path).unwrap().replace("ExecStart=dynamicfs ", &program);
        fs::write(folder.path().join(name), text).unwrap();
        units.extend(INSTANCES.map(|instance| name.replace("@.", &format!("@{instance}."))));
    }
    let mut verify = Command::new("systemd-analyze");
    verify.args(["verify", "--man=no"]).args(units.iter().map(|unit| format!("./{unit}")));
    let Ok(verified) = verify.current_dir(folder.path()).output() else {
        eprintln!("not tried: systemd-analyze is not installed here");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
}

/// The command of a unit, with these values for its specifiers and variables.
fn command(unit: &str, values: &[(&str, &str)]) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(unit);
    let text = fs::read_to_string(path).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("ExecStart=dynamicfs ")).unwrap();
    let fill =
        |word: &str| values.iter().fold(word.to_owned(), |word, (name, value)| word.replace(name, value));
    line.split_whitespace().map(fill).collect()
}

// What the units run is a command that this version has.
#[test]
fn what_the_units_run_works() {
    let folder = tempfile::tempdir().unwrap();
    let pool = folder.path().join("pool");
    let pool = pool.to_str().unwrap();
    let run = |arguments: &[String]| {
        Command::new(env!("CARGO_BIN_EXE_dynamicfs")).args(arguments).output().unwrap()
    };
    let init = ["--pool", pool, "init", "--disks", "2", "--disk-size", "32MiB"].map(str::to_owned);
    assert!(run(&init).status.success());
    let scrub = run(&command("dynamicfs-scrub@.service", &[("%f", pool), ("${THROTTLE}", "50%")]));
    assert!(scrub.status.success() && scrub.stdout.is_empty() && scrub.stderr.is_empty(), "{scrub:?}");
    let health = command("dynamicfs-health@.service", &[("%f", pool)]);
    assert_eq!(run(&health).status.code(), Some(0));
    fs::remove_file(folder.path().join("pool/disks/disk-0.img")).unwrap();
    assert!(matches!(run(&health).status.code(), Some(1 | 2)));
}
