//! A folder without pool.toml: whether disks of a pool are there all the same, and how to list them again.

use super::discover::{self, Found};
use crate::output::names::ShowPath;
use std::path::Path;

/// What to do about a folder that holds no pool.toml.
pub(super) fn hint(folder: &Path) -> String {
    let typed = folder.typed();
    let places = discover::usual_places(Some(folder));
    let found: Vec<Found> = places.iter().filter_map(|path| Found::at(path)).collect();
    let make =
        format!("make one with `dynamicfs init --pool {typed} --disks 6 --disk-size 1GiB --scheme 4+2`");
    let Some(first) = found.first() else {
        return format!(
            "{make}; if there was one, `dynamicfs import --pool {typed} --scan FOLDER` finds its disks by their labels"
        );
    };
    let own = found.iter().filter(|other| other.pool.pool == first.pool.pool);
    let names: Vec<String> = own.map(|found| found.path.shown().to_string()).collect();
    let (pool, names) = (first.pool_id(), names.join(", "));
    let import = discover::import_of(Some(&pool), folder);
    match first.path.starts_with(folder) {
        true => format!("disks of pool {pool} are here: {names}; `{import}` lists them again"),
        // Attached they are, and may be those of a pool whose folder is another one.
        false => format!("{make}; if it was pool {pool}, on {names}: `{import}` lists its disks again"),
    }
}
