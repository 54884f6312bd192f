//! `stat`: all that is known of a file or directory.

use super::ls::Entry;
use crate::app::App;
use crate::host::attributes;
use crate::host::times::rfc3339;
use crate::output::failure::{Exit, Failure};
use crate::output::names::{self, ToldPath};
use crate::output::report::Report;
use crate::output::text::Text;
use crate::pool::glob;
use crate::pool::open::{Access, with_pool};
use crate::pool::path::{self, PoolPath};
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;

/// What to look at.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A path in the pool; a symbolic link is looked at itself
    path: OsString,
}

/// All that is known of an object.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Stat {
    #[serde(flatten)]
    path: ToldPath,
    #[serde(flatten)]
    entry: Entry,
    /// The scheme of what is written to it.
    scheme: String,
    /// Largest extent of what is written to it, in bytes.
    extent_bytes: u64,
    /// Its contents stand in the pool's own records.
    inline: bool,
    /// Last access, RFC 3339 in UTC.
    accessed: String,
    /// Last change of the attributes, RFC 3339 in UTC.
    changed: String,
    /// When it was made, RFC 3339 in UTC.
    created: String,
    /// Extended attributes, by name.
    xattrs: Vec<Xattr>,
}

/// An extended attribute.
#[derive(Debug, Serialize, JsonSchema)]
struct Xattr {
    /// Its name.
    name: String,
    /// The name's bytes in hexadecimal, where `name` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    /// Its value; what is not text is escaped.
    value: String,
    /// The value's bytes in hexadecimal, where `value` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    value_hex: Option<String>,
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let path = PoolPath::new(&options.path)?;
    with_pool(app, Access::Read, |session| {
        let contents = &mut session.pool;
        let path = glob::expand_one(contents, &path)?;
        let node = path::find(contents, &path, false)?;
        let inode = node.inode;
        let xattrs =
            attributes::xattrs(contents, node.object).map_err(|error| Failure::object(error, &path))?;
        let xattr = |(name, value): (Vec<u8>, Vec<u8>)| Xattr {
            name: names::show(&name),
            name_hex: names::exact(&name),
            value: names::show(&value),
            value_hex: names::exact(&value),
        };
        let stat = Stat {
            path: (&path).into(),
            entry: Entry::new(contents, path.name().unwrap_or(b"/"), &node),
            scheme: inode.scheme.to_string(),
            extent_bytes: 1 << inode.extent_shift,
            inline: inode.inline,
            accessed: rfc3339(inode.accessed),
            changed: rfc3339(inode.changed),
            created: rfc3339(inode.created),
            xattrs: xattrs.into_iter().map(xattr).collect(),
        };
        app.out.report(&stat)?;
        Ok(Exit::Done)
    })
}

impl Report for Stat {
    fn text(&self, text: &mut Text) {
        let entry = &self.entry;
        let kind = serde_json::to_value(entry.kind).ok();
        text.field("path", &self.path);
        text.field("kind", kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default());
        if let Some(target) = &entry.target {
            text.field("target", target);
        }
        text.field("object", entry.object);
        let unit = if entry.kind == super::ls::Kind::Directory {
            format!("{} entries", entry.size)
        } else {
            text.size(entry.size)
        };
        text.field("size", unit);
        text.field(
            "mode",
            format_args!("{} ({}), owner {}:{}", entry.mode_letters(), entry.mode, entry.uid, entry.gid),
        );
        text.field("links", entry.links);
        let place = if self.inline {
            "inline".to_owned()
        } else {
            format!("extents of up to {}", text.size(self.extent_bytes))
        };
        text.field("scheme", format_args!("{}, {place}", self.scheme));
        text.field("modified", &entry.modified);
        text.field("accessed", &self.accessed);
        text.field("changed", &self.changed);
        text.field("created", &self.created);
        for xattr in &self.xattrs {
            text.field("xattr", format_args!("{} = {}", xattr.name, xattr.value));
        }
    }
}
