//! A folder without pool.toml: whether disks of a pool are there all the same, and how to list them again.

use super::config::DISKS;
use super::labels::Labels;
use crate::output::names::ShowPath;
use std::fs;
use std::path::{Path, PathBuf};

/// What to do about a folder that holds no pool.toml.
pub(super) fn hint(folder: &Path) -> String {
    let shown = folder.shown();
    let found = disks(folder);
    let Some((_, pool)) = found.first() else {
        return format!(
            "make one with `dynamicfs init --pool {shown} --disks 6 --disk-size 1GiB --scheme 4+2`; if there was one, \
             `dynamicfs labels --disk PATH...` finds its disks by what they say of themselves"
        );
    };
    let own: Vec<&PathBuf> = found.iter().filter(|(_, other)| other == pool).map(|(path, _)| path).collect();
    let names: Vec<String> = own.iter().map(|path| path.shown().to_string()).collect();
    format!(
        "the disks of pool {pool} are here: {}. `dynamicfs labels --disk PATH...` says so, of others too; pool.toml is to \
         say `version = 1`, `pool = \"{pool}\"`, and for each disk `[[disk]]`, `name = \"...\"` and `path = \"...\"`",
        names.join(", ")
    )
}

/// Disks of pools in the folder, and the pools that they are of.
fn disks(folder: &Path) -> Vec<(PathBuf, String)> {
    let listed =
        [folder.to_owned(), folder.join(DISKS)].into_iter().filter_map(|folder| fs::read_dir(folder).ok());
    let mut paths: Vec<PathBuf> = listed.flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let identify = |path: PathBuf| {
        let (pool, _) = Labels::read(&path).ok()?.identity()?;
        Some((path, pool.pool.to_string()))
    };
    paths.into_iter().filter_map(identify).collect()
}
