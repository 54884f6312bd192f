//! `locate`: which disks hold a file, fragment by fragment.

use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::report::Report;
use crate::output::size;
use crate::output::text::{BAD, Cell, GOOD, Text, WARN};
use crate::pool::files::{Chosen, FailedPath};
use crate::pool::member_names::Names;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{Node, PoolPath};
use crate::pool::session::Session;
use dynamicfs_core::maintenance::{Located, Place, Standing, Worth};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Where files are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Location {
    /// The files.
    files: Vec<FileLocation>,
    /// The disks that hold any of them.
    disks: Vec<Share>,
    /// More disks that may fail, whichever, before a part of it cannot be read; null if a part of it cannot
    /// be read now.
    read_tolerance: Option<usize>,
    /// What could not be looked at, and why.
    failed: Vec<FailedPath>,
}

/// Where a file is.
#[derive(Debug, Serialize, JsonSchema)]
struct FileLocation {
    #[serde(flatten)]
    path: ToldPath,
    /// Its number.
    object: u64,
    /// Bytes of its contents.
    bytes: u64,
    /// Its contents stand in the pool's own records, which every disk may hold; it has no extents.
    inline: bool,
    /// More disks that may fail, whichever, before a part of it cannot be read. Its extents limit it, and the
    /// pool's own records of them. Null if a part of it cannot be read now.
    read_tolerance: Option<usize>,
    /// Its extents, by offset. Between them the contents are zeros that take no space.
    extents: Vec<ExtentLocation>,
}

/// Where an extent is.
#[derive(Debug, Serialize, JsonSchema)]
struct ExtentLocation {
    /// The first byte of the file that it holds.
    offset: u64,
    /// Bytes of the file that it holds.
    bytes: u32,
    /// The scheme it is stored in.
    scheme: String,
    /// The scheme that was asked for.
    asked: String,
    /// More disks that may fail, whichever, before it cannot be read; null if it cannot be read now.
    read_tolerance: Option<usize>,
    /// Bytes of each fragment: whole blocks.
    fragment_bytes: u32,
    /// Its fragments, data first.
    fragments: Vec<FragmentLocation>,
}

/// Where a fragment is.
#[derive(Debug, Serialize, JsonSchema)]
struct FragmentLocation {
    /// The disk; null if there was none for it.
    disk: Option<String>,
    /// The disk's number in the pool.
    member: Option<u16>,
    /// Its first block on the disk.
    block: Option<u64>,
    /// Whether it is there.
    state: FragmentState,
}

/// Whether a fragment is there, as far as is known without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FragmentState {
    /// It is there.
    There,
    /// It is there, and to be moved: its disk is being emptied.
    Leaving,
    /// Its disk is away, and may come back.
    Away,
    /// It is there, on a disk that has another fragment of the same extent: they are lost together.
    Shared,
    /// Its disk is there, and what was written to it then is not to be trusted.
    Doubted,
    /// Its disk failed or has left the pool, or there was none for it.
    Missing,
}

impl FragmentState {
    pub(crate) fn of(session: &Session<'_>, place: &Place) -> Self {
        match place.worth {
            Worth::Right => Self::There,
            Worth::Leaving => Self::Leaving,
            Worth::Away => Self::Away,
            Worth::Shared => Self::Shared,
            Worth::Missing if session.pool.disk_of(place.address.member).is_some() => Self::Doubted,
            Worth::Missing => Self::Missing,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::There => "there",
            Self::Leaving => "leaving",
            Self::Away => "away",
            Self::Shared => "shared",
            Self::Doubted => "doubted",
            Self::Missing => "missing",
        }
    }
}

/// What a disk holds of the files.
#[derive(Debug, Serialize, JsonSchema)]
struct Share {
    /// What it is called in pool.toml.
    disk: String,
    /// Its number in the pool.
    member: u16,
    /// Fragments.
    fragments: u64,
    /// Bytes of them.
    bytes: u64,
    /// Fragments that are there.
    there: u64,
}

pub(crate) fn run(app: &App, chosen: &Chosen) -> Result<Exit, Failure> {
    with_pool(app, Access::Read, |session| {
        let files = chosen.find(session)?;
        let names = Names::of(session);
        let standing = session.pool.standing(false)?;
        let mut location =
            Location { files: Vec::new(), disks: Vec::new(), read_tolerance: None, failed: files.failed };
        let mut shares = BTreeMap::new();
        for (path, node) in &files.found {
            crate::host::interrupt::check()?;
            match locate(session, path, node, &standing, &names, &mut shares) {
                Ok(file) => location.files.push(file),
                Err(failure) => location.failed.push(FailedPath::new(path, &failure)),
            }
        }
        location.disks = shares.into_values().collect();
        // Where something is unreadable all is at most that.
        let tolerances = location.files.iter().map(|file| file.read_tolerance);
        location.read_tolerance = tolerances.min().unwrap_or(Some(session.pool.health().read_tolerance));
        finish(app, &location)
    })
}

fn locate(
    session: &mut Session<'_>,
    path: &PoolPath,
    node: &Node,
    standing: &Standing,
    names: &Names,
    shares: &mut BTreeMap<u16, Share>,
) -> Result<FileLocation, Failure> {
    let mut file = FileLocation {
        path: path.into(),
        object: node.object.0,
        bytes: node.inode.size,
        inline: node.inode.inline,
        read_tolerance: Some(session.pool.health().read_tolerance),
        extents: Vec::new(),
    };
    let mut from = 0;
    let next = |session: &mut Session<'_>, from| {
        let located = session.pool.locate(node.object, from, standing);
        located.map_err(|error| Failure::object(error, path))
    };
    while let Some(located) = next(session, from)? {
        from = located.end();
        file.read_tolerance = file.read_tolerance.min(located.spare());
        let extent = ExtentLocation::of(session, &located, names);
        for (fragment, place) in extent.fragments.iter().zip(&located.places) {
            let (Some(disk), true) = (&fragment.disk, place.address.is_some()) else { continue };
            let share = shares.entry(place.address.member.0).or_insert_with(|| Share {
                disk: disk.clone(),
                member: place.address.member.0,
                fragments: 0,
                bytes: 0,
                there: 0,
            });
            share.fragments += 1;
            share.bytes += u64::from(located.fragment_bytes);
            share.there += u64::from(matches!(fragment.state, FragmentState::There | FragmentState::Leaving));
        }
        file.extents.push(extent);
    }
    Ok(file)
}

impl ExtentLocation {
    fn of(session: &Session<'_>, located: &Located, names: &Names) -> Self {
        let fragment = |place: &Place| {
            let address = Some(place.address).filter(|address| address.is_some());
            FragmentLocation {
                disk: address.map(|address| names.get(address.member.0)),
                member: address.map(|address| address.member.0),
                block: address.map(|address| address.block),
                state: FragmentState::of(session, place),
            }
        };
        Self {
            offset: located.start,
            bytes: located.bytes,
            scheme: located.scheme.to_string(),
            asked: located.asked.to_string(),
            read_tolerance: located.spare(),
            fragment_bytes: located.fragment_bytes,
            fragments: located.places.iter().map(fragment).collect(),
        }
    }
}

/// Tells where the files are; fails if some could not be looked at.
fn finish(app: &App, location: &Location) -> Result<Exit, Failure> {
    let shortfall = (!location.failed.is_empty()).then(|| {
        let is_loss = location.failed.iter().any(FailedPath::is_loss);
        let what = size::count(location.failed.len() as u64, "path");
        let code = if is_loss { Code::Damaged } else { Code::Partial };
        Failure::new(code, format!("{what} could not be looked at"))
            .hint("see what is damaged with `dynamicfs check`")
    });
    app.out.finish(location, shortfall.as_ref())
}

/// How many more disks may fail, in a few words.
fn tolerance(spare: Option<usize>) -> Cell {
    match spare {
        None => Cell::styled("unreadable", BAD),
        Some(0) => Cell::styled("0", WARN),
        Some(spare) => Cell::styled(spare.to_string(), GOOD),
    }
}

impl Location {
    /// A line for each file.
    fn summary(&self, text: &mut Text) {
        let row = |file: &FileLocation| -> Vec<Cell> {
            let fragments = file.extents.iter().flat_map(|extent| &extent.fragments);
            let mut disks: Vec<&str> = fragments.filter_map(|fragment| fragment.disk.as_deref()).collect();
            disks.sort_unstable();
            disks.dedup();
            vec![
                file.path.path.clone().into(),
                text.size(file.bytes).into(),
                file.extents.len().to_string().into(),
                tolerance(file.read_tolerance),
                if file.inline { "in the pool's own records".into() } else { disks.join(" ").into() },
            ]
        };
        let rows: Vec<_> = self.files.iter().map(row).collect();
        text.table(&["PATH", "SIZE", "EXTENTS", "MAY FAIL", "DISKS"], &[1, 2, 3], &rows);
    }
}

impl FileLocation {
    /// A line for each extent.
    fn extents(&self, text: &mut Text) {
        text.field("path", &self.path);
        text.field("size", text.size(self.bytes));
        if self.inline {
            text.field("contents", "in the pool's own records, which have no place of their own");
            return;
        }
        text.line("");
        let row = |extent: &ExtentLocation| -> Vec<Cell> {
            let fragment = |fragment: &FragmentLocation| {
                let place = match (&fragment.disk, fragment.block) {
                    (Some(disk), Some(block)) => format!("{disk}:{block}"),
                    _ => "nowhere".to_owned(),
                };
                match fragment.state {
                    FragmentState::There => place,
                    state => format!("{place} ({})", state.word()),
                }
            };
            let places: Vec<String> = extent.fragments.iter().map(fragment).collect();
            let scheme = if extent.scheme == extent.asked {
                extent.scheme.clone()
            } else {
                format!("{} for {}", extent.scheme, extent.asked)
            };
            vec![
                extent.offset.to_string().into(),
                text.size(extent.bytes.into()).into(),
                scheme.into(),
                text.size(extent.fragment_bytes.into()).into(),
                tolerance(extent.read_tolerance),
                places.join("  ").into(),
            ]
        };
        let rows: Vec<_> = self.extents.iter().map(row).collect();
        let head =
            ["OFFSET", "SIZE", "SCHEME", "FRAGMENT", "MAY FAIL", "DISK:BLOCK OF EACH FRAGMENT, DATA FIRST"];
        text.table(&head, &[0, 1, 3, 4], &rows);
    }
}

impl Report for Location {
    fn text(&self, text: &mut Text) {
        match &self.files[..] {
            [file] => file.extents(text),
            _ => self.summary(text),
        }
        text.line("");
        if !self.disks.is_empty() {
            let row = |share: &Share| -> Vec<Cell> {
                let there = match share.there {
                    there if there == share.fragments => Cell::from("all"),
                    0 => Cell::styled("none", WARN),
                    there => Cell::styled(there.to_string(), WARN),
                };
                vec![
                    share.disk.clone().into(),
                    share.fragments.to_string().into(),
                    there,
                    text.size(share.bytes).into(),
                ]
            };
            let rows: Vec<_> = self.disks.iter().map(row).collect();
            text.table(&["DISK", "FRAGMENTS", "THERE", "BYTES"], &[1, 2, 3], &rows);
        }
        for failed in &self.failed {
            text.line(format_args!("{BAD}failed{BAD:#} {}: {}", failed.path, failed.error.message));
        }
        text.line(match self.read_tolerance {
            Some(spare) => {
                format!(
                    "{}, whichever, may fail before a part cannot be read",
                    size::count(spare as u64, "more disk")
                )
            }
            None => format!("{BAD}a part of it cannot be read{BAD:#}"),
        });
    }
}
