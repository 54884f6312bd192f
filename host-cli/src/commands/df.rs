//! `df`: how much is in the pool, and how much more fits.

use crate::app::App;
use crate::output::failure::{Exit, Failure};
use crate::output::names::ToldPath;
use crate::output::report::Report;
use crate::output::text::{Cell, Text};

use crate::pool::open::{Access, with_pool};
use crate::pool::room::PoolRoom;
use schemars::JsonSchema;
use serde::Serialize;

/// How much is in the pool, and how much more fits.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Free {
    #[serde(flatten)]
    pool: ToldPath,
    /// The scheme of what is made in the pool.
    scheme: String,
    /// Bytes of contents that are in it, holes of files included.
    content_bytes: u64,
    /// Bytes of contents that are sure to fit, as `capacity` tells it.
    usable_bytes: u64,
    /// Objects: files, directories and links.
    objects: u64,
}

pub(crate) fn run(app: &App) -> Result<Exit, Failure> {
    with_pool(app, Access::Read, |session| {
        let health = session.pool.health();
        let filled = PoolRoom::of(&mut session.pool)?.filled;
        app.out.report(&Free {
            pool: session.config.folder.as_path().into(),
            scheme: filled.scheme,
            content_bytes: health.content_bytes,
            usable_bytes: filled.usable_bytes,
            objects: health.objects,
        })?;
        Ok(Exit::Done)
    })
}

impl Report for Free {
    fn text(&self, text: &mut Text) {
        let all = self.content_bytes + self.usable_bytes;
        let percent = self.content_bytes * 100 / all.max(1);
        let row: Vec<Cell> = vec![
            self.pool.path.clone().into(),
            self.scheme.clone().into(),
            text.size(all).into(),
            text.size(self.content_bytes).into(),
            text.size(self.usable_bytes).into(),
            format!("{percent} %").into(),
        ];
        text.table(&["POOL", "SCHEME", "SIZE", "USED", "FREE", "USE"], &[2, 3, 4, 5], &[row]);
    }
}
