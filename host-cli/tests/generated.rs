//! What the program generates from its own definitions: completions, manual pages, schemas. None of it needs
//! a pool.

use crate::common::{Answer, TestPool, answer, assert_valid};
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// How `timeout` ends where there is no such program.
const NOT_INSTALLED: i32 = 127;

/// Runs the program where no pool is named.
fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Answer {
    let mut command = TestPool::none().command(arguments);
    answer(command.env_remove("DYNAMICFS_POOL").output().unwrap())
}

/// What another program prints that reads `input`; `None` where it is not installed.
fn said_by(program: &str, arguments: &[&str], input: &[u8]) -> Option<Answer> {
    let mut command = Command::new("timeout");
    command.args(["-k", "1", "60", program]).args(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that is not there reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    let answer = answer(child.wait_with_output().unwrap());
    if answer.code == NOT_INSTALLED {
        eprintln!("not tried: {program} is not installed here");
        return None;
    }
    Some(answer)
}

#[test]
fn the_schemas_that_are_printed_are_those_that_are_kept() {
    let listed = run(["schema"]).ok().text();
    let mut kept = 0;
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(listed.lines().any(|line| line == name), "{name} is not listed: {listed}");
        assert_eq!(run(["schema", name]).ok().text(), fs::read_to_string(&path).unwrap(), "{name}");
        kept += 1;
    }
    assert_eq!(listed.lines().count(), kept);
    // As the command is typed, too; some commands share one.
    assert_eq!(run(["schema", "disk", "add"]).ok().text(), run(["schema", "disk-add"]).ok().text());
    assert_eq!(run(["schema", "scrub", "start"]).ok().text(), run(["schema", "scrub"]).ok().text());
    let unknown = run(["--json", "schema", "cat"]).expect(1).json();
    assert_eq!(unknown["error"]["code"], "not_found", "{unknown}");
}

#[test]
fn generated_output_is_as_its_schema_says() {
    let folder = TestPool::none();
    let pages = folder.beside("man");
    for (name, arguments) in [
        ("schema", &["schema"][..]),
        ("completions", &["completions", "bash"]),
        ("man", &["man", "disk", "add"]),
        ("man", &["man", "--folder", pages.to_str().unwrap()]),
    ] {
        assert_valid(name, &run(["--json"].iter().chain(arguments)).ok());
    }
}

#[test]
fn there_is_a_page_for_each_command_and_it_can_be_formatted() {
    let folder = TestPool::none();
    let pages = folder.beside("share/man1");
    let dry = run(["man", "-n", "--folder", pages.to_str().unwrap()]).ok();
    assert!(dry.text().contains("would be written") && !pages.exists(), "{}", dry.text());
    run(["man", "--folder", pages.to_str().unwrap()]).ok();
    for page in ["dynamicfs.1", "dynamicfs-disk.1", "dynamicfs-disk-add.1", "dynamicfs-scrub-start.1"] {
        let words: Vec<&str> = page.trim_end_matches(".1").split('-').skip(1).collect();
        let printed = run(["man"].iter().chain(&words)).ok().text();
        assert_eq!(fs::read_to_string(pages.join(page)).unwrap(), printed, "{page}");
    }
    for page in fs::read_dir(&pages).unwrap().map(|page| page.unwrap().path()) {
        let roff = fs::read(&page).unwrap();
        let arguments = ["-ww", "-man", "-Tutf8"];
        let Some(formatted) = said_by("groff", &arguments, &roff) else { return };
        let formatted = formatted.ok();
        assert!(formatted.stderr.is_empty(), "{}: {}", page.to_string_lossy(), formatted.stderr);
    }
    assert_eq!(run(["--json", "man", "disk", "frobnicate"]).expect(1).json()["error"]["code"], "not_found");
}

/// What completes commands in a shell, and then some lines for that shell.
fn script(shell: &str, then: &str) -> Vec<u8> {
    let mut script = run(["completions", shell]).ok().stdout;
    script.extend(then.as_bytes());
    script
}

#[test]
fn bash_completes() {
    let then = "
COMP_WORDS=(dynamicfs disk gr) COMP_CWORD=2
_dynamicfs dynamicfs gr disk
echo ${COMPREPLY[@]}
";
    let Some(answer) = said_by("bash", &["-s"], &script("bash", then)) else { return };
    let answer = answer.ok();
    assert_eq!((answer.text().trim(), answer.stderr.as_str()), ("grow", ""));
}

#[test]
fn fish_completes() {
    let script = script("fish", "\ncomplete -C 'dynamicfs disk re'\n");
    let Some(answer) = said_by("fish", &["--no-config"], &script) else { return };
    let text = answer.ok().text();
    let words: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(words.contains(&"remove") && words.contains(&"replace"), "{text}");
}

#[test]
fn zsh_completes() {
    let folder = TestPool::none();
    folder.file("_dynamicfs", &run(["completions", "zsh"]).ok().stdout);
    let path = folder.folder.path().to_str().unwrap();
    let start = format!(
        "
fpath=({path} $fpath)
autoload -Uz compinit
compinit -u -D
dynamicfs() {{ print -r -- \"<$*>\" }}
print started
"
    );
    folder.file(".zshrc", start.as_bytes());
    // A shell at a terminal of its own, in which the tabulator is typed.
    let session = format!(
        "
zmodload zsh/zpty
zpty shell 'PS1= ZDOTDIR={path} zsh -d -i'
zpty -r -m shell said '*started*'
zpty -w shell $'dynamicfs disk gro\t'
zpty -r -m shell said '*<disk grow>*'
print completed
zpty -d shell
"
    );
    let Some(answer) = said_by("zsh", &["-f", "-s"], session.as_bytes()) else { return };
    assert!(answer.text().contains("completed"), "{}{}", answer.text(), answer.stderr);
}
