//! `labels`: what the disks say of themselves, and what the newest states on them are. It needs no working
//! pool and writes nothing.

use crate::app::App;
use crate::host::times::rfc3339;
use crate::output::failure::{Exit, Failure};
use crate::output::names::{ShowPath, ToldPath};
use crate::output::report::Report;
use crate::output::text::{BAD, Cell, GOOD, Text, WARN};
use crate::pool::config::Config;
use crate::pool::discover;
use crate::pool::histories::Survey;
use crate::pool::labels::{self, Labels};
use dynamicfs_hal::UnixTime;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;
use std::slice;

/// What the labels of some disks say.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LabelList {
    /// One for each disk.
    disks: Vec<DiskLabels>,
}

/// What one disk's labels say.
#[derive(Debug, Serialize, JsonSchema)]
struct DiskLabels {
    /// Where the disk is.
    #[serde(flatten)]
    path: ToldPath,
    /// Its size in bytes; null if it cannot be read.
    bytes: Option<u64>,
    /// The label at the beginning: "ok", or what is wrong.
    first: String,
    /// Its copy, a little further on: "ok", or what is wrong.
    copy: String,
    /// The label at the end: "ok", or what is wrong.
    last: String,
    /// What the label says that was changed last; null if none is whole.
    label: Option<Label>,
    /// The history of the newest state on the disk, 16 hexadecimal digits; null where none can be read.
    branch: Option<String>,
    /// The number of that state's commit.
    generation: Option<u64>,
    /// What is wrong with the disk.
    note: Option<String>,
}

/// A label.
#[derive(Debug, Serialize, JsonSchema)]
struct Label {
    /// The pool.
    pool: String,
    /// The disk.
    disk: String,
    /// The member's number.
    member: u16,
    /// It holds no data.
    witness: bool,
    /// 0 the fastest.
    tier: u8,
    /// Disks with the same value are expected to fail together; 0 is a domain of its own.
    failure_domain: u32,
    /// When the pool was made, RFC 3339 in UTC.
    created: String,
    /// Bytes of a block.
    block_bytes: u64,
    /// Bytes of a tree node.
    node_bytes: u64,
    /// Bytes of a chunk.
    chunk_bytes: u64,
    /// Members that the pool can have.
    members_max: u8,
    /// Blocks that may be allocated.
    data_blocks: u64,
}

pub(crate) fn run(app: &App) -> Result<Exit, Failure> {
    let mut list = LabelList { disks: Vec::new() };
    if app.global.disk.is_empty() {
        let config = Config::load(app)?;
        list.disks.extend(config.disks.iter().map(|entry| look(&config.path_of(entry))));
        tell_states(app, &config, &mut list.disks);
    } else {
        for path in &app.global.disk {
            let mut disk = [look(path)];
            // Each for itself: they may be of several pools, and some of none.
            if let Ok(config) = discover::of_given(slice::from_ref(path)) {
                tell_states(app, &config, &mut disk);
            }
            list.disks.extend(disk);
        }
    }
    app.out.report(&list)?;
    Ok(if list.disks.iter().all(|disk| disk.label.is_some()) { Exit::Done } else { Exit::Failed })
}

/// Tells the newest state on each of these disks, also beside a process that writes. Where none can be read
/// the labels alone tell.
fn tell_states(app: &App, config: &Config, disks: &mut [DiskLabels]) {
    let Ok(survey) = Survey::beside_a_writer(app, config) else { return };
    for (place, disk) in disks.iter_mut().enumerate() {
        (disk.branch, disk.generation) = survey.state_of(place).unzip();
    }
}

fn look(path: &Path) -> DiskLabels {
    let shown = path.shown();
    let found = match Labels::read(path) {
        Ok(found) => found,
        Err(error) => {
            let failure = Failure::host(format_args!("read {shown}"), &error);
            let unknown = || "unknown".to_owned();
            let note = Some(failure.message().to_owned());
            return DiskLabels {
                path: path.into(),
                bytes: None,
                first: unknown(),
                copy: unknown(),
                last: unknown(),
                label: None,
                branch: None,
                generation: None,
                note,
            };
        }
    };
    let state = |label: Result<_, _>| label.map_or_else(labels::fault, |_| "ok".to_owned());
    let note = match found.truncated_from() {
        Some(bytes) => Some(format!("the disk is shorter than the {bytes} bytes it had")),
        None if found.read_only_features != 0 => Some(format!(
            "features {:#x}, with which this version may read the pool and not write to it",
            found.read_only_features
        )),
        None => found.disagree().then(|| "the labels differ".to_owned()),
    };
    let label = found.identity().map(|(pool, disk)| Label {
        pool: pool.pool.to_string(),
        disk: disk.disk.to_string(),
        member: disk.member.0,
        witness: disk.witness,
        tier: disk.tier,
        failure_domain: disk.failure_domain,
        created: rfc3339(UnixTime { seconds: pool.created, nanoseconds: 0 }),
        block_bytes: pool.block_bytes() as u64,
        node_bytes: pool.node_bytes() as u64,
        chunk_bytes: pool.chunk_bytes() as u64,
        members_max: pool.members_max,
        data_blocks: disk.data_blocks,
    });
    DiskLabels {
        path: path.into(),
        bytes: Some(found.bytes),
        first: state(found.first),
        copy: state(found.copy),
        last: state(found.last),
        label,
        branch: None,
        generation: None,
        note,
    }
}

impl Report for LabelList {
    fn text(&self, text: &mut Text) {
        let row = |disk: &DiskLabels| -> Vec<Cell> {
            let state = |state: &str| Cell::styled(state, if state == "ok" { GOOD } else { BAD });
            let label =
                |say: &dyn Fn(&Label) -> String| disk.label.as_ref().map_or_else(|| "-".to_owned(), say);
            vec![
                disk.path.path.clone().into(),
                disk.bytes.map_or_else(|| "-".into(), |bytes| text.size(bytes)).into(),
                state(&disk.first),
                state(&disk.copy),
                state(&disk.last),
                label(&|label| label.member.to_string()).into(),
                label(&|label| label.disk.clone()).into(),
                label(&|label| label.pool.clone()).into(),
                disk.branch.clone().unwrap_or_else(|| "-".into()).into(),
                disk.generation.map_or_else(|| "-".into(), |generation| generation.to_string()).into(),
                Cell::styled(disk.note.clone().unwrap_or_default(), WARN),
            ]
        };
        let rows: Vec<_> = self.disks.iter().map(row).collect();
        let titles = [
            "PATH",
            "SIZE",
            "FIRST",
            "COPY",
            "LAST",
            "MEMBER",
            "DISK",
            "POOL",
            "BRANCH",
            "GENERATION",
            "NOTE",
        ];
        text.table(&titles, &[1, 5, 9], &rows);
    }
}
