//! Commands that are told to be typed: each names the pool as this one did.

use super::names::ShowPath;
use crate::options::{Global, POOL_VARIABLE};
use std::path::PathBuf;
use std::sync::OnceLock;

/// What a command ends with to mean the same pool.
static ADDRESS: OnceLock<String> = OnceLock::new();

/// Commands that are about no pool that there is, or that name it themselves.
const NEED_NONE: [&str; 6] = ["--pool", "--disk", "--version", "--help", "help", "demo"];

/// Settles how the pool was named: by its folder, or where `by_disks`, by its disks. Where the environment
/// names it, it does so for the next command, too.
pub(crate) fn settle(global: &Global, by_disks: bool) {
    let usual = std::env::var_os(POOL_VARIABLE).map(PathBuf::from);
    let told = global.pool.as_ref().filter(|&pool| usual.as_ref() != Some(pool));
    let disks = by_disks && !global.disk.is_empty();
    let address = match told {
        _ if disks => global.disk.iter().fold(" --disk".to_owned(), |all, disk| all + " " + &disk.typed()),
        Some(pool) => format!(" --pool {}", pool.typed()),
        None => String::new(),
    };
    // It is settled once, before anything is told.
    let _ = ADDRESS.set(address);
}

/// A command, so that it means the same pool.
pub(crate) fn addressed(command: &str) -> String {
    with(command, address())
}

/// A text, so that the commands in backquotes in it mean the same pool.
pub(crate) fn all_addressed(text: &str) -> String {
    let parts = text.split('`').enumerate();
    let parts =
        parts.map(|(index, part)| if index % 2 == 1 { with(part, address()) } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("`")
}

fn address() -> &'static str {
    ADDRESS.get().map_or("", String::as_str)
}

fn with(command: &str, address: &str) -> String {
    let names_it = command.split(' ').any(|word| NEED_NONE.contains(&word));
    let address = if command.starts_with("dynamicfs ") && !names_it { address } else { "" };
    format!("{command}{address}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_about_the_pool_name_it() {
        let check = |command, expected| assert_eq!(with(command, " --pool /p"), expected);
        check("dynamicfs rebuild start", "dynamicfs rebuild start --pool /p");
        check("dynamicfs --force-degraded disk fail 1", "dynamicfs --force-degraded disk fail 1 --pool /p");
        check("dynamicfs labels --disk /dev/x", "dynamicfs labels --disk /dev/x");
        check("dynamicfs import --pool q --scan FOLDER", "dynamicfs import --pool q --scan FOLDER");
        check("dynamicfs --version", "dynamicfs --version");
        check("mount -o remount,rw /mnt", "mount -o remount,rw /mnt");
    }
}
