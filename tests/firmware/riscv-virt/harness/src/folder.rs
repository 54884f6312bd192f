//! The workload's tree as a folder of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use workload::Tree;
use workload::tree::{SEQUENCE, SEQUENCE_DIGITS};

/// What is at a path: a file's contents, or a directory.
#[derive(PartialEq, Eq)]
enum Entry {
    File(Vec<u8>),
    Directory,
}

/// Makes a folder with all that a transaction leaves.
pub fn lay_out(tree: &Tree, folder: &Path) {
    fs::create_dir(folder).expect("a new folder");
    for (path, entry) in wanted(tree) {
        let path = folder.join(path.trim_start_matches('/'));
        match entry {
            Entry::File(contents) => fs::write(path, contents).expect("a file"),
            Entry::Directory => fs::create_dir(path).expect("a folder"),
        }
    }
}

/// In what a folder differs from what a transaction leaves.
pub fn differences(tree: &Tree, folder: &Path) -> Vec<String> {
    let wanted = wanted(tree);
    let mut found = BTreeMap::new();
    walk(folder, "", &mut found);
    let missing =
        wanted.keys().filter(|path| !found.contains_key(*path)).map(|path| format!("{path} is missing"));
    let other = found.iter().filter_map(|(path, entry)| match wanted.get(path) {
        None => Some(format!("{path} is too much")),
        Some(wanted) if wanted != entry => Some(format!("{path} {}", difference(wanted, entry))),
        Some(_) => None,
    });
    missing.chain(other).collect()
}

fn difference(wanted: &Entry, found: &Entry) -> String {
    match (wanted, found) {
        (Entry::File(wanted), Entry::File(found)) if wanted.len() == found.len() => {
            let at = wanted.iter().zip(found).position(|(wanted, found)| wanted != found);
            format!("has another byte at {at:?}")
        }
        (Entry::File(wanted), Entry::File(found)) => {
            format!("has {} bytes, not {}", found.len(), wanted.len())
        }
        _ => "is of another kind".into(),
    }
}

/// All paths but the root's, each after what it is in.
fn wanted(tree: &Tree) -> BTreeMap<String, Entry> {
    let directories = tree.directories().filter(|directory| !directory.path().is_empty());
    let directories = directories.map(|directory| (directory.path().to_owned(), Entry::Directory));
    let files = tree.files().map(|(path, contents)| {
        let mut bytes = vec![0; contents.size() as usize];
        contents.fill(0, &mut bytes);
        (path.to_string(), Entry::File(bytes))
    });
    let digits = format!("{:0SEQUENCE_DIGITS$}", tree.sequence()).into_bytes();
    let sequence = (tree.sequence() > 0).then(|| (format!("/{SEQUENCE}"), Entry::File(digits)));
    directories.chain(files).chain(sequence).collect()
}

fn walk(folder: &Path, path: &str, found: &mut BTreeMap<String, Entry>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let below = format!("{path}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().expect("its kind").is_dir() {
            walk(&entry.path(), &below, found);
            found.insert(below, Entry::Directory);
        } else {
            found.insert(below, Entry::File(fs::read(entry.path()).expect("its contents")));
        }
    }
}
