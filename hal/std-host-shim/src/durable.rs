//! Names that survive a power cut.

use std::fs::File;
use std::io;
use std::path::Path;

/// Makes the name of a file durable that was just created, renamed or removed: flushes the folder it is in.
///
/// Flushing the file alone keeps its bytes but not its name.
///
/// # Errors
/// Those of opening and flushing the folder; `path` without a folder part means the current one.
pub fn sync_parent_directory(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) => Path::new("."),
        // The root has no name to keep.
        None => return Ok(()),
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_path() {
        let folder = tempfile::tempdir().unwrap();
        sync_parent_directory(&folder.path().join("name")).unwrap();
        sync_parent_directory(Path::new("name")).unwrap();
        sync_parent_directory(Path::new("/")).unwrap();
        assert!(sync_parent_directory(&folder.path().join("missing/name")).is_err());
    }
}
