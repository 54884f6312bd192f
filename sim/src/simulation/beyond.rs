//! What must hold beyond the bound: every read gives the bytes of one whole commit, or a typed error.

use super::examine::findings;
use super::probe::Probe;
use super::report::{Failure, FailureKind};
use super::run::{Doing, Flow, Mounted, Run};
use crate::model::{self, Contents, Model, Node};
use crate::world::Placed;
use dynamicfs_core::ReadObjects;
use dynamicfs_core::error::Error;
use dynamicfs_core::types::ObjectId;
use std::ops::ControlFlow;
use std::sync::Arc;

impl Run {
    /// Every read gives the bytes of one whole commit, or a typed error.
    pub(super) fn examine_beyond(&mut self, pool: &mut Mounted<'_>) -> Result<Flow, Failure> {
        self.doing = Doing::Checking;
        // A check of a damaged pool finds what it finds, and comes to an end.
        let (_, done) = findings(pool);
        if pool.array().halted().is_some() {
            return Ok(Flow::End);
        }
        if self.atlas.has_lied() {
            let _ = model::observe(pool);
            return Ok(Flow::On);
        }
        if done.is_err() {
            self.hit(Probe::NamedLost);
        }
        let candidates: Vec<Arc<Model>> = self.oracle.candidates().cloned().collect();
        let (mut best, mut first) = (None::<(u64, Arc<Model>)>, None);
        for candidate in candidates {
            match agree(pool, &candidate) {
                Ok(lost) if best.as_ref().is_none_or(|(least, _)| lost < *least) => {
                    best = Some((lost, candidate));
                }
                Ok(_) => {}
                Err(difference) => _ = first.get_or_insert(difference),
            }
            if best.as_ref().is_some_and(|(lost, _)| *lost == 0) {
                break;
            }
        }
        if pool.array().halted().is_some() {
            return Ok(Flow::End);
        }
        let Some((lost, state)) = best else {
            let what = format!("what can be read is of no commit: {}", first.unwrap_or_default());
            return Err(self.fail(FailureKind::WrongState, what));
        };
        if lost > 0 {
            self.hit(Probe::NamedLost);
        }
        if self.depth > 0 {
            self.counts.cycles += 1;
            self.depth = 0;
        }
        self.refusals = 0;
        self.is_blurred = lost > 0;
        self.oracle.go_back(state);
        Ok(Flow::On)
    }
}

/// Compares what can be read with a state: how much cannot, or where it differs.
pub(super) fn agree(pool: &mut Mounted<'_>, model: &Model) -> Result<u64, String> {
    let mut lost = 0;
    for (&number, node) in &model.nodes {
        let object = ObjectId(number);
        let inode = match pool.inode(object) {
            Ok(inode) => inode,
            Err(error) if is_lost(&error) => {
                lost += 1;
                continue;
            }
            Err(error) => return Err(format!("object {number}: {error}")),
        };
        lost += attributes_agree(pool, object, node)?;
        if inode.links != node.links {
            return Err(format!("object {number}: {} links", inode.links));
        }
        let agreed = match &node.contents {
            Contents::Directory(entries) => {
                let (mut wrong, mut known) = (None, 0);
                let listed = pool.list(object, 0, |entry| {
                    known += 1;
                    if entries.get(entry.name) != Some(&entry.object.0) {
                        wrong = Some(format!("directory {number} has an entry too many"));
                    }
                    ControlFlow::<()>::Continue(())
                });
                if listed.is_ok() && known < entries.len() {
                    wrong = Some(format!("directory {number} lacks an entry"));
                }
                wrong.map_or(listed.map(|_| ()).map_err(Ok), |wrong| Err(Err(wrong)))
            }
            Contents::File(bytes) | Contents::Symlink(bytes) => {
                if inode.size != bytes.len() as u64 {
                    return Err(format!("object {number} has {} bytes", inode.size));
                }
                let mut worst = Ok(());
                for (index, part) in bytes.chunks(4096).enumerate() {
                    let mut placed = Placed::new(number as usize % 3 * 256 + index, part.len());
                    let buf = placed.bytes();
                    match pool.read(object, index as u64 * 4096, buf) {
                        Ok(read) if buf[..read] == *part => {}
                        Ok(_) => worst = Err(Err(format!("object {number} has wrong bytes in part {index}"))),
                        Err(error) => worst = worst.and(Err(Ok(error))),
                    }
                }
                worst
            }
        };
        match agreed {
            Ok(()) => {}
            Err(Ok(error)) if is_lost(&error) => lost += 1,
            Err(Ok(error)) => return Err(format!("object {number}: {error}")),
            Err(Err(difference)) => return Err(difference),
        }
    }
    Ok(lost)
}

/// Whether an error says that something is lost.
const fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Storage(_) | Error::Unreadable { .. })
}

/// Compares an object's attributes: how many cannot be read, or where they differ.
pub(super) fn attributes_agree(pool: &mut Mounted<'_>, object: ObjectId, node: &Node) -> Result<u64, String> {
    let mut lost = 0;
    let mut unknown = false;
    let listed = pool.attributes(object, |name| {
        unknown |= !node.attributes.contains_key(name);
        ControlFlow::<()>::Continue(())
    });
    if unknown {
        return Err(format!("object {} has an attribute too many", object.0));
    }
    if listed.is_err() {
        lost += 1;
    }
    for (name, value) in &node.attributes {
        let mut buf = [0; 4096];
        match pool.attribute(object, name, &mut buf) {
            Ok(length) if buf[..length] == *value => {}
            Err(error) if is_lost(&error) => lost += 1,
            other => return Err(format!("object {}: an attribute: {other:?}", object.0)),
        }
    }
    Ok(lost)
}
