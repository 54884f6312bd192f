//! Small files that are replaced as a whole: a reader sees the old or the new.

use super::target::UNFINISHED;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What the name of one ends with that is being written. Before that it is drawn: where a filesystem has no
/// locks two processes may write at a time.
const NEW: &str = ".new";

/// One that is older is left by a process that was killed.
const LEFT_AFTER: Duration = Duration::from_secs(60 * 60);

/// Replaces the file at a path, or the one that a link there leads to, by what `write` writes. It is its
/// owner's alone, unless `write` makes it another's.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).suffix(NEW).tempfile_in(folder)?;
    write(file.as_file_mut())?;
    file.persist(path)?;
    Ok(())
}

/// Takes away what processes that were killed left in a folder. What cannot be taken away does no harm.
pub(crate) fn clear(folder: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_unfinished =
            name.to_str().is_some_and(|name| name.starts_with(UNFINISHED) && name.ends_with(NEW));
        let changed = || entry.metadata().ok()?.modified().ok();
        let is_left =
            || changed().and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > LEFT_AFTER);
        if is_unfinished && is_left() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_or_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("list"), folder.path().join("link"));
        std::os::unix::fs::symlink("list", &link).unwrap();
        // A name that looks unfinished may be a user's own.
        fs::write(folder.path().join("list.new"), "precious").unwrap();
        replace(&path, |file| file.write_all(b"whole")).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        replace(&link, |file| file.write_all(b"through")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        replace(&path, |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"through");
        assert_eq!(fs::read(folder.path().join("list.new")).unwrap(), b"precious");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn what_was_left_long_ago_goes() {
        let folder = tempfile::tempdir().unwrap();
        for (name, age) in [(".dynamicfs-a.new", 7200), (".dynamicfs-b.new", 10), ("c.new", 7200)] {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
        }
        clear(folder.path());
        let left = ["a", "b"].map(|name| folder.path().join(format!(".dynamicfs-{name}.new")).exists());
        assert_eq!((left, folder.path().join("c.new").exists()), ([false, true], true));
    }
}
