//! The story of one run: a timeline for each disk, as text and as a picture.

use super::{Limit, one, picture};
use dynamicfs_sim::simulation::{EventKind, ReplayId};
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(id: ReplayId, svg: &Path, limit: Limit) -> ExitCode {
    let (done, story) = one::tell(&id, true, limit);
    if story.is_empty() {
        // It has no end, and there is no report of how it came to that.
        return one::judge(done.map(|_| ()));
    }
    let disks = story.iter().filter_map(|event| event.member).max().map_or(0, |most| most + 1);
    say!("everything, in order\n  {}", one::HEAD);
    story.iter().for_each(|event| say!("  {}", one::line(event)));
    for disk in 0..disks {
        say!("disk {disk}");
        let own = story.iter().filter(|event| event.member.is_none_or(|member| member == disk));
        let own = own.filter(|event| event.member.is_some() || is_turning_point(event.kind));
        own.for_each(|event| say!("  {}", one::line(event)));
    }
    if let Err(error) = std::fs::write(svg, picture::draw(&id, &story, disks)) {
        return super::sorry("cannot write", svg, &error);
    }
    say!("the picture is in {}", svg.display());
    one::judge(done.map(|_| ()))
}

/// What every disk's timeline shows, whichever disk it was about.
const fn is_turning_point(kind: EventKind) -> bool {
    matches!(kind, EventKind::Crash | EventKind::Heal | EventKind::Failure)
}
