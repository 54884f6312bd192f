//! `disk list` and `disk show`.

use super::find::find;
use crate::app::App;
use crate::commands::status::{disk_table, state_word};
use crate::output::failure::{Exit, Failure};
use crate::output::report::Report;
use crate::output::text::{Cell, Text};
use crate::pool::counters;
use crate::pool::disks::{self, Disk};
use crate::pool::open::look;
use schemars::JsonSchema;
use serde::Serialize;

/// The pool's disks.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskList {
    /// The disks, in the order of pool.toml.
    disks: Vec<Disk>,
}

/// All that is known of a disk.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct DiskShow {
    /// The disk.
    disk: Disk,
    /// What it has done since the pool was made, errors since they were cleared; null for one that is not here.
    counters: Option<DiskTotals>,
}

/// What a disk has done since the pool was made.
#[derive(Debug, Serialize, JsonSchema)]
struct DiskTotals {
    /// Reads.
    reads: u64,
    /// Bytes read.
    read_bytes: u64,
    /// Writes.
    writes: u64,
    /// Bytes written.
    write_bytes: u64,
    /// Reads that failed.
    read_errors: u64,
    /// Writes that failed.
    write_errors: u64,
    /// Flushes that failed.
    flush_errors: u64,
    /// Reads of what had not been written: a wrong checksum.
    checksum_errors: u64,
    /// Fragments and nodes that were rewritten because they were found bad.
    repairs: u64,
}

impl Report for DiskList {
    fn text(&self, text: &mut Text) {
        disk_table(text, &self.disks);
        text.line("");
        let or_none = |text: &Option<String>| Cell::from(text.clone().unwrap_or_else(|| "-".into()));
        // Files have neither model nor serial number.
        let is_known = self.disks.iter().any(|disk| disk.model.is_some() || disk.serial.is_some());
        let row = |disk: &Disk| -> Vec<Cell> {
            let hardware = [&disk.model, &disk.serial].into_iter().filter(|_| is_known).map(or_none);
            [disk.name.clone().into(), or_none(&disk.path)].into_iter().chain(hardware).collect()
        };
        let rows: Vec<_> = self.disks.iter().map(row).collect();
        let titles: &[&str] = if is_known { &["DISK", "PATH", "MODEL", "SERIAL"] } else { &["DISK", "PATH"] };
        text.table(titles, &[], &rows);
    }
}

impl Report for DiskShow {
    fn text(&self, text: &mut Text) {
        let disk = &self.disk;
        text.field("disk", &disk.name);
        text.field("path", disk.path.as_deref().unwrap_or("-"));
        let hardware = [("model", &disk.model), ("serial", &disk.serial)];
        hardware.iter().for_each(|(name, known)| known.iter().for_each(|known| text.field(name, known)));
        let note = disk.note.as_ref().map_or_else(String::new, |note| format!(": {note}"));
        text.field("state", format_args!("{}{note}", state_word(disk.state)));
        if let Some(why) = disk.condition_reason.as_ref().filter(|why| disk.note.as_ref() != Some(why)) {
            text.field("condition", why);
        }
        if let Some(micros) = disk.latency_micros {
            text.field("latency", format_args!("{micros} us a read"));
        }
        text.field("member", disk.member.map_or_else(|| "-".into(), |member| member.to_string()));
        text.field("identity", disk.id.as_deref().unwrap_or("-"));
        let used = disk.size_bytes.saturating_sub(disk.free_bytes);
        text.field("space", format_args!("{} of {} in use", text.size(used), text.size(disk.size_bytes)));
        if let Some(counters) = &self.counters {
            let (read, written) = (text.size(counters.read_bytes), text.size(counters.write_bytes));
            text.field("traffic", format_args!("{read} read, {written} written"));
            text.field(
                "errors",
                format_args!(
                    "{} reads, {} writes, {} flushes, {} wrong checksums; {} repaired",
                    counters.read_errors,
                    counters.write_errors,
                    counters.flush_errors,
                    counters.checksum_errors,
                    counters.repairs
                ),
            );
        }
    }
}

pub(super) fn run(app: &App) -> Result<Exit, Failure> {
    let seen = look(app, |session| Ok(disks::disks(session)))?;
    app.out.report(&DiskList { disks: seen.value })?;
    Ok(Exit::Done)
}

pub(super) fn show(app: &App, disk: &str) -> Result<Exit, Failure> {
    let seen = look(app, |session| {
        let meant = find(session, disk)?;
        let here = meant.place.filter(|&place| session.places[place].fault.is_none());
        let totals = here.map(|place| counters::totals(session, place));
        let counters = totals.map(|totals| DiskTotals {
            reads: totals.reads,
            read_bytes: totals.read_bytes,
            writes: totals.writes,
            write_bytes: totals.write_bytes,
            read_errors: totals.read_errors,
            write_errors: totals.write_errors,
            flush_errors: totals.flush_errors,
            checksum_errors: totals.checksum_errors,
            repairs: totals.repairs,
        });
        Ok(DiskShow { disk: meant.disk, counters })
    })?;
    app.out.report(&seen.value)?;
    Ok(Exit::Done)
}
