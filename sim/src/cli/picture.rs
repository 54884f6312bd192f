//! The story of a run as a picture: time goes to the right, each disk is a lane, and below stands what happened.

use super::one;
use dynamicfs_sim::simulation::{Event, EventKind, ReplayId};
use std::fmt::Write as _;

/// Pixels from one event to the next: a line of text beside the next.
const STEP: usize = 14;
const LANE: usize = 30;
const LEFT: usize = 60;
const TOP: usize = 70;
/// Characters of an event's text, and pixels of each.
const TEXT_CHARS: usize = 60;
const CHAR: usize = 6;
/// Pixels that the legend takes.
const LEGEND: usize = 680;

/// The sorts of events that are drawn, and how.
const KINDS: [(EventKind, &str); 8] = [
    (EventKind::Mount, "#555555"),
    (EventKind::Commit, "#2a7f3f"),
    (EventKind::Maintain, "#8a8a8a"),
    (EventKind::Repair, "#7b3fa0"),
    (EventKind::Fault, "#d1771e"),
    (EventKind::Crash, "#d2555b"),
    (EventKind::Heal, "#2b6cb0"),
    (EventKind::Failure, "#7a0014"),
];

fn colour(kind: EventKind) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("#000000", |(_, colour)| colour)
}

/// The story as SVG.
pub(super) fn draw(id: &ReplayId, story: &[Event], disks: usize) -> String {
    let (begin, events): (Vec<_>, Vec<_>) = story.iter().partition(|event| event.kind == EventKind::Begin);
    let bottom = TOP + LANE * disks.max(1);
    let width = (LEFT + STEP * (events.len() + 2)).max(LEGEND);
    let height = bottom + 20 + CHAR * (TEXT_CHARS + 1);
    let pool = begin.iter().find(|event| event.member.is_none()).map_or("", |event| event.what.as_str());
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"10\" y=\"18\" font-size=\"14\">seed {}</text>\n<text x=\"10\" y=\"34\" fill=\"#666666\">{}</text>\n",
        escape(&id.to_string()),
        // What may happen is in the text; here it would be longer than the picture.
        escape(pool.split(';').next().unwrap_or_default())
    );
    legend(&mut svg);
    for disk in 0..disks {
        let y = TOP + LANE * disk + LANE / 2;
        let own = begin.iter().find(|event| event.member == Some(disk));
        let title = escape(own.map_or("", |event| event.what.as_str()));
        let _ = writeln!(svg, "<text x=\"10\" y=\"{}\">disk {disk}<title>{title}</title></text>", y + 4);
        let _ =
            writeln!(svg, "<line x1=\"{LEFT}\" x2=\"{width}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#dddddd\"/>");
    }
    for (i, event) in events.iter().enumerate() {
        mark(&mut svg, event, LEFT + STEP * (i + 1), bottom);
    }
    svg + "</svg>\n"
}

fn legend(svg: &mut String) {
    for (i, (kind, colour)) in KINDS.iter().enumerate() {
        let (x, name) = (14 + 80 * i, one::name(*kind));
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"50\" r=\"4\" fill=\"{colour}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"54\">{name}</text>", x + 8);
    }
}

/// One event: a dot on its disk's lane, or a bar over all lanes, and what happened below.
fn mark(svg: &mut String, event: &Event, x: usize, bottom: usize) {
    let (colour, title) = (colour(event.kind), escape(&one::line(event)));
    let _ = match event.member {
        Some(disk) => {
            let y = TOP + LANE * disk + LANE / 2;
            writeln!(
                svg,
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"5\" fill=\"{colour}\"><title>{title}</title></circle>"
            )
        }
        None => writeln!(
            svg,
            "<rect x=\"{}\" y=\"{TOP}\" width=\"3\" height=\"{}\" fill=\"{colour}\"><title>{title}</title></rect>",
            x - 1,
            bottom - TOP
        ),
    };
    let text = format!("{}: {}", event.step, event.what);
    let mut shown: String = text.chars().take(TEXT_CHARS).collect();
    if shown.len() < text.len() {
        shown.pop();
        shown.push('…');
    }
    let y = bottom + 8;
    let _ = writeln!(
        svg,
        "<text transform=\"translate({},{y}) rotate(90)\" font-size=\"10\" fill=\"{colour}\">{}</text>",
        x - 3,
        escape(&shown)
    );
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use dynamicfs_sim::Simulation;

    #[test]
    fn every_disk_has_a_lane_and_every_event_its_text_inside_the_picture() {
        let id = ReplayId::of(7);
        let (_, story) = Simulation::replay(id.clone()).tell();
        let disks = story.iter().filter(|e| e.kind == EventKind::Begin && e.member.is_some()).count();
        assert!(disks > 1);
        let svg = draw(&id, &story, disks);
        let size = |name: &str| {
            let from = svg.split(&format!(" {name}=\"")).nth(1).expect("a size");
            from.split('"').next().and_then(|number| number.parse::<usize>().ok()).expect("a number")
        };
        let events = story.iter().filter(|event| event.kind != EventKind::Begin).count();
        let (width, height) = (size("width"), size("height"));
        assert!(width > LEFT + STEP * (events + 1) && width >= LEGEND);
        assert!(height > TOP + LANE * disks + CHAR * TEXT_CHARS);
        assert!((0..disks).all(|disk| svg.contains(&format!(">disk {disk}<"))));
        assert_eq!(svg.matches("rotate(90)").count(), events);
        assert!(svg.contains("seed 7"));
    }

    #[test]
    fn what_svg_would_take_for_its_own_is_escaped() {
        assert_eq!(escape("a<b & \"c\">"), "a&lt;b &amp; &quot;c&quot;&gt;");
    }
}
