//! A pool as this machine sees it: where its disks are, opening them, judging what is found.
//!
//! ```text
//! config.rs    pool.toml: where to look for disks
//! discover.rs  disks of pools, found by their labels
//! labels.rs    what a disk's label says, without a pool
//! occupied.rs  what else is on a disk that is to be used, and what else has it
//! wait.rs      a pool that another process has
//! wiping.rs    what was on a disk before goes with the first write
//! place.rs     a place for a disk, and what was found there
//! own.rs       a disk of this very pool, given as a new one
//! open.rs      disks opened, memory lent, the pool mounted
//! explain.rs   why it was not
//! forced.rs    what going on without missing members gives up
//! below.rs     what the images are stored in, and its room
//! histories.rs which histories the disks hold, and the choice of one
//! session.rs   an open pool, and leaving it
//! counters.rs  counters that outlive the process
//! condition.rs whether a disk can be relied on, over the errors of many processes
//! meter.rs     how long requests take
//! path.rs      paths in the pool
//! tree.rs      walking directories
//! files.rs     the files that paths mean
//! lost.rs      a folder whose pool.toml is gone
//! member_names.rs  what members are called
//! mend.rs      what reading finds damaged is rewritten
//! jobs.rs      scrub, rebuild and others: their records, and going on with them
//! pace.rs      how much of the disks a job may take
//! job_report.rs what a job's record says
//! away.rs      members that may have what it found lost
//! whole.rs     when every copy was last read
//! disks.rs     what each disk is to the pool
//! disk_reasons.rs what is wrong with a disk
//! judge.rs     how the pool is, with reasons
//! stored.rs    what is stored, counted by what is left of it
//! readable.rs  damage, told from other failures
//! forecast.rs  how it would be without some disks
//! tolerance.rs how many disks may fail, and what limits their number
//! fill.rs      how much fits, in a scheme
//! records.rs   what records take on the disks
//! room.rs      how much fits in the pool as it is
//! growth.rs    how fast it fills
//! reasons.rs   the finite list of reasons
//! job_reasons.rs those that jobs leave
//! next.rs      what to type next, as far as one reason does not tell
//! events.rs    what the core tells has happened
//! journal.rs   events.jsonl, where it is kept
//! ```

mod away;
pub(crate) mod below;
pub(crate) mod condition;
pub(crate) mod config;
pub(crate) mod counters;
pub(crate) mod discover;
mod disk_reasons;
pub(crate) mod disks;
pub(crate) mod events;
mod explain;
pub(crate) mod files;
pub(crate) mod fill;
mod forced;
pub(crate) mod forecast;
pub(crate) mod glob;
pub(crate) mod growth;
pub(crate) mod histories;
mod job_reasons;
pub(crate) mod job_report;
pub(crate) mod jobs;
pub(crate) mod journal;
pub(crate) mod judge;
pub(crate) mod labels;
mod lost;
pub(crate) mod member_names;
pub(crate) mod mend;
pub(crate) mod meter;
mod next;
pub(crate) mod occupied;
pub(crate) mod open;
pub(crate) mod own;
pub(crate) mod pace;
pub(crate) mod path;
pub(crate) mod place;
mod readable;
pub(crate) mod reasons;
mod records;
pub(crate) mod room;
pub(crate) mod session;
pub(crate) mod stored;
pub(crate) mod tolerance;
pub(crate) mod tree;
pub(crate) mod wait;
mod whole;
pub(crate) mod wiping;
