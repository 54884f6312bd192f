//! A copy of the sources in which every mutant is a switch. It asks `dynamicfs_hal::mutant(7)` whether the
//! mutated text counts, or the original.

use super::{Mutant, read, root};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The variable that says to a program of the copy which mutant it is.
pub const VARIABLE: &str = "DYNAMICFS_MUTANT";

/// The switch, at the end of the copy's HAL, which every other package knows.
const SWITCH: &str = r#"
extern crate std;

/// Whether this process is the mutant of that number.
#[doc(hidden)]
pub fn mutant(number: u32) -> bool {
    static CHOSEN: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        std::env::var("DYNAMICFS_MUTANT").ok().and_then(|chosen| chosen.parse().ok()).unwrap_or(0)
    });
    *CHOSEN == number
}
"#;

/// The file that it goes to.
const SWITCH_FILE: &str = "hal/src/lib.rs";

/// Folders that no build of the copy needs.
const LEFT_OUT: [&str; 4] = ["target", "fuzz", "firmware", "golden"];

/// Brings a copy in `to` up to date. Files that are the same stay, so that little is built anew.
///
/// # Errors
/// In words: what cannot be read or written, or a mutant whose place is not found.
pub fn make(mutants: &[Mutant], to: &Path) -> Result<(), String> {
    let mut switched = switched(mutants)?;
    let from = root();
    let mut files = BTreeSet::new();
    list(&from, Path::new(""), &mut files)?;
    for file in &files {
        let name = file.to_string_lossy().into_owned();
        let mut bytes = match switched.remove(&name) {
            Some(text) => text.into_bytes(),
            None => std::fs::read(from.join(file)).map_err(|error| format!("{name}: {error}"))?,
        };
        if name == SWITCH_FILE {
            bytes.extend_from_slice(SWITCH.as_bytes());
        }
        put(&to.join(file), &bytes)?;
    }
    remove_others(to, &files)
}

/// The texts of the files that have mutants, with their switches.
///
/// # Errors
/// In words: a mutant whose place is not found, or is in another's.
pub fn switched(mutants: &[Mutant]) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::<&str, Vec<(Range<usize>, u32, &Mutant)>>::new();
    for (mutant, number) in mutants.iter().zip(1..) {
        let text = read(&root().join(&mutant.file))?;
        files.entry(&mutant.file).or_default().push((mutant.place(&text)?, number, mutant));
    }
    let mut texts = BTreeMap::new();
    for (file, mut places) in files {
        places.sort_by_key(|(place, number, _)| (place.start, *number));
        let mut text = read(&root().join(file))?;
        for group in places.chunk_by(|(a, ..), (b, ..)| a == b).rev() {
            let (place, _, first) = &group[0];
            let next = places.iter().find(|(other, ..)| other.start > place.start || other.end > place.end);
            if let Some((other, _, second)) = next
                && other.start < place.end
            {
                return Err(format!("{} and {} are in each other's way", first.name, second.name));
            }
            text.replace_range(place.clone(), &switch(group));
        }
        texts.insert(file.to_owned(), text);
    }
    Ok(texts)
}

/// One place, with all that may stand there.
fn switch(group: &[(Range<usize>, u32, &Mutant)]) -> String {
    let original = &group[0].2.original;
    let mut text = String::new();
    for (_, number, mutant) in group {
        text += &format!("if dynamicfs_hal::mutant({number}) {{ {} }} else ", mutant.mutated);
    }
    text += &format!("{{ {original} }}");
    // An expression is one in every place; statements are none.
    match original.trim_end().ends_with([';', '}']) {
        true => text,
        false => format!("({text})"),
    }
}

fn list(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    let path = root.join(folder);
    let entries = std::fs::read_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    for entry in entries {
        let entry = entry.map_err(|error| format!("{}: {error}", path.display()))?;
        let name = entry.file_name();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let shown = name.to_string_lossy();
        if shown.starts_with('.') || is_folder && LEFT_OUT.contains(&&*shown) {
            continue;
        }
        match is_folder {
            true => list(root, &folder.join(&name), files)?,
            false => _ = files.insert(folder.join(&name)),
        }
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, bytes))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Removes files that were there once.
fn remove_others(copy: &Path, wanted: &BTreeSet<PathBuf>) -> Result<(), String> {
    let mut files = BTreeSet::new();
    list(copy, Path::new(""), &mut files)?;
    for file in files.difference(wanted).filter(|file| *file != Path::new("Cargo.lock")) {
        let path = copy.join(file);
        std::fs::remove_file(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}
