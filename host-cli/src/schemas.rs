//! The JSON Schemas of all output: made from the types that the output is made from. `dynamicfs schema`
//! prints them, and `schemas/` keeps them, so that a change to one is seen.
//!
//! `DYNAMICFS_UPDATE_SCHEMAS=1 cargo test -p dynamicfs schemas` writes the files anew.

use crate::commands::{
    benchmark, capacity, check, completions, demo, df, disk, du, events, find, health, import, init, labels,
    locate, ls, maintenance, man, metrics, ok_to_remove, policy, pool, repair, salvage, schema, stat, status,
    transfer, tree, trim, verify, whatif,
};
use crate::output::report::{Printed, PrintedError};
use schemars::{JsonSchema, Schema, schema_for};

fn of<T: JsonSchema + 'static>() -> Schema {
    schema_for!(Printed<'static, T>)
}

/// The schema of each command's output, and that of a failure.
pub(crate) fn all() -> Vec<(&'static str, Schema)> {
    let mut all = vec![
        ("error", schema_for!(PrintedError<'static>)),
        ("benchmark", of::<benchmark::Benchmark>()),
        ("capacity", of::<capacity::Capacity>()),
        ("check", of::<check::Check>()),
        ("completions", of::<completions::Completions>()),
        ("demo", of::<demo::Demo>()),
        ("df", of::<df::Free>()),
        ("disk-add", of::<disk::add::Added>()),
        ("disk-drain", of::<disk::drain::DiskDrained>()),
        ("disk-grow", of::<disk::grow::DiskGrown>()),
        ("disk-identify", of::<disk::identify::Identified>()),
        ("disk-list", of::<disk::list::DiskList>()),
        ("disk-remove", of::<disk::drain::DiskRemoved>()),
        ("disk-rename", of::<disk::attach::DiskRenamed>()),
        ("disk-replace", of::<disk::replace::DiskReplaced>()),
        ("disk-show", of::<disk::list::DiskShow>()),
        ("du", of::<du::Usage>()),
        ("events", of::<events::Events>()),
        ("find", of::<find::Found>()),
        ("health", of::<health::Health>()),
        ("import", of::<import::Imported>()),
        ("init", of::<init::Made>()),
        ("labels", of::<labels::LabelList>()),
        ("locate", of::<locate::Location>()),
        ("ls", of::<ls::Listing>()),
        ("man", of::<man::Manual>()),
        ("metrics", of::<metrics::Metrics>()),
        ("ok-to-remove", of::<ok_to_remove::OkToRemove>()),
        ("policy", of::<policy::PolicyList>()),
        ("pool-rename", of::<pool::PoolRenamed>()),
        ("repair", of::<repair::Repair>()),
        ("salvage", of::<salvage::Salvaged>()),
        ("schema", of::<schema::SchemaList>()),
        ("stat", of::<stat::Stat>()),
        ("status", of::<status::Status>()),
        ("tree", of::<tree::Tree>()),
        ("trim", of::<trim::Trimmed>()),
        ("verify", of::<verify::Verification>()),
        ("whatif-lose", of::<whatif::WhatIf>()),
    ];
    all.extend(
        ["put", "get", "sync", "cp", "mv", "rm", "mkdir"]
            .map(|command| (command, of::<transfer::Transfer>())),
    );
    all.extend(
        ["disk-clear", "disk-fail", "disk-offline", "disk-online"]
            .map(|command| (command, of::<disk::shut::DiskChanged>())),
    );
    all.extend(["scrub", "rebuild", "rebalance"].map(|command| (command, of::<maintenance::Maintenance>())));
    for (name, schema) in &mut all {
        schema.insert("title".into(), format!("dynamicfs {name}").into());
    }
    all.sort_by_key(|(name, _)| *name);
    all
}

/// A schema as it is printed and kept.
pub(crate) fn text(schema: &Schema) -> Result<String, serde_json::Error> {
    Ok(serde_json::to_string_pretty(schema)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_files_say_what_the_types_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
        let update = std::env::var_os("DYNAMICFS_UPDATE_SCHEMAS").is_some();
        for (name, schema) in all() {
            let file = folder.join(format!("{name}.json"));
            let text = text(&schema).unwrap();
            if update {
                fs::write(&file, &text).unwrap();
            }
            let kept = fs::read_to_string(&file).unwrap_or_default();
            assert!(
                kept == text,
                "{} is out of date: set DYNAMICFS_UPDATE_SCHEMAS=1 and run this test again",
                file.to_string_lossy()
            );
        }
        let kept = fs::read_dir(folder).unwrap().count();
        assert_eq!(kept, all().len(), "a file in schemas/ belongs to no command");
    }
}
