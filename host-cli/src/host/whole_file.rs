//! Small files that are replaced as a whole: whoever reads one sees the old or the new.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// What the name of one ends with that is being written.
const UNFINISHED: &str = ".new";

/// Replaces the file at a path by what `write` writes. It is its owner's alone, unless `write` makes it
/// another's. What a process left there that was killed goes; at a time one process writes it.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let unfinished: OsString = [name, UNFINISHED.as_ref()].into_iter().collect();
    let _ = fs::remove_file(folder.join(&unfinished));
    let mut file = tempfile::Builder::new().prefix(&unfinished).rand_bytes(0).tempfile_in(folder)?;
    write(file.as_file_mut())?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_left_by_a_process_that_was_killed_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        fs::write(folder.path().join("list.new"), "half").unwrap();
        replace(&path, |file| file.write_all(b"whole")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        replace(&path, |_| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
