//! The story of one run: a timeline for each disk, as text and as a picture.

use super::{Limit, one};
use dynamicfs_sim::simulation::{Event, EventKind, ReplayId};
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

pub(super) fn run(id: ReplayId, svg: &Path, limit: Limit) -> ExitCode {
    let title = id.to_string();
    let (done, story) = one::tell(&id, true, limit);
    let disks = story.iter().filter_map(|event| event.member).max().map_or(0, |most| most + 1);
    say!("everything, in order");
    story.iter().for_each(|event| say!("  {}", one::line(event)));
    for disk in 0..disks {
        say!("disk {disk}");
        let own = story.iter().filter(|event| event.member.is_none_or(|member| member == disk));
        let own = own.filter(|event| event.member.is_some() || is_turning_point(event.kind));
        own.for_each(|event| say!("  {}", one::line(event)));
    }
    if let Err(error) = std::fs::write(svg, picture(&title, &story, disks)) {
        return super::sorry("cannot write", svg, &error);
    }
    say!("the picture is in {}", svg.display());
    match done {
        Ok(_) => ExitCode::SUCCESS,
        Err(failure) => {
            say!("{failure}");
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// What every disk's timeline shows, whichever disk it was about.
const fn is_turning_point(kind: EventKind) -> bool {
    matches!(kind, EventKind::Crash | EventKind::Heal | EventKind::Failure)
}

/// Pixels from one event to the next, and of a lane.
const STEP: usize = 14;
const LANE: usize = 34;
const LEFT: usize = 70;
const TOP: usize = 60;

const fn colour(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Commit => "#2a7f3f",
        EventKind::Fault => "#d1771e",
        EventKind::Crash | EventKind::Failure => "#c0262d",
        EventKind::Heal => "#2b6cb0",
        EventKind::Repair => "#7b3fa0",
        EventKind::Mount => "#555555",
        _ => "#999999",
    }
}

/// The story as SVG: disks are lanes, what concerns all of them crosses all lanes.
fn picture(title: &str, story: &[Event], disks: usize) -> String {
    let (width, height) = (LEFT + STEP * (story.len() + 2), TOP + LANE * disks.max(1) + 60);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"18\" font-size=\"14\">{}</text>\n",
        escape(title)
    );
    let kinds = [
        EventKind::Mount,
        EventKind::Commit,
        EventKind::Maintain,
        EventKind::Repair,
        EventKind::Fault,
        EventKind::Crash,
        EventKind::Heal,
        EventKind::Failure,
    ];
    for (i, kind) in kinds.into_iter().enumerate() {
        let (x, name) = (10 + 90 * i, format!("{kind:?}").to_lowercase());
        let colour = colour(kind);
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"36\" r=\"4\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"40\">{name}</text>", x + 8);
    }
    for disk in 0..disks {
        let y = TOP + LANE * disk + LANE / 2;
        let _ = writeln!(svg, "<text x=\"10\" y=\"{}\">disk {disk}</text>", y + 4);
        let _ =
            writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{width}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#dddddd\"/>");
    }
    let bottom = TOP + LANE * disks.max(1);
    for (i, event) in story.iter().enumerate() {
        let x = LEFT + STEP * (i + 1);
        let (colour, what) = (colour(event.kind), escape(&one::line(event)));
        let mark = match event.member {
            Some(disk) => {
                let y = TOP + LANE * disk + LANE / 2;
                format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"5\" fill=\"{colour}\">")
            }
            None => format!(
                "<rect x=\"{}\" y=\"{TOP}\" width=\"3\" height=\"{}\" fill=\"{colour}\">",
                x - 1,
                bottom - TOP
            ),
        };
        let end = if event.member.is_some() { "</circle>" } else { "</rect>" };
        let _ = writeln!(svg, "{mark}<title>{what}</title>{end}");
    }
    svg + "</svg>\n"
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
