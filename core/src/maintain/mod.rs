//! Looking after a pool: what is owed, what is wrong, and putting it right in bounded steps.
//!
//! ```text
//! survey.rs   how redundant each extent is, from the tree alone
//! planning.rs what would be the case if further members were lost
//! room.rs     space, and whether a rebuild would find enough of it
//! salvage.rs  what can still be read where parts are lost
//! check.rs    everything is read and proved, and allocated = referenced
//! records.rs  whether the records of the tree belong together                      pure
//! usage.rs    which blocks something refers to
//! locate.rs   where an object's contents are, and whether they are right there
//! trim.rs     free space given back to the disks
//! counters.rs counters that outlive the process
//! standing.rs where a fragment or replica counts, and where not                     pure
//! verdict.rs  what a pass decides about an extent                                   pure
//! balance.rs  what a rebalance decides about an extent
//! pass.rs     one walk of the tree for all maintenance
//! visit.rs    a step of it: what it meets is judged, and put right
//! recount.rs  the free map, counted anew
//! assess.rs   members taken out of use for their errors
//! lifecycle.rs members out of use and in again, emptied, removed
//! job.rs      what it is to do, and how far it is
//! progress.rs what this mount knows of it beyond its record
//! step.rs     one bounded step of whatever work there is
//! ```

mod assess;
mod balance;
mod check;
mod counters;
mod job;
mod lifecycle;
mod locate;
mod pass;
mod planning;
mod progress;
mod records;
mod recount;
mod room;
mod salvage;
mod standing;
mod step;
mod survey;
mod trim;
mod usage;
mod verdict;
mod visit;

pub use crate::format::job::{Job, JobKind, JobOptions, JobState};
pub use check::{CheckReport, Finding};
pub use job::{FAILED_LISTED, Lost};
pub use locate::{Located, Place, Proof};
pub use planning::{Footing, LossForecast, OBJECTS_NAMED};
#[cfg(not(feature = "internals"))]
pub(crate) use progress::Progress;
#[cfg(feature = "internals")]
pub use progress::Progress;
pub use room::{MemberRoom, RebuildForecast, RebuildSpace, Rooms};
pub use salvage::Survivor;
pub use standing::{FragmentCounts, Standing, Worth, Worths, read_standing};
pub use step::Work;
pub use survey::ExtentCounts;
pub use trim::{Trim, TrimOptions};
#[cfg(feature = "internals")]
pub use verdict::{Indices, NodeVerdict, Verdict, judge, judge_node};
