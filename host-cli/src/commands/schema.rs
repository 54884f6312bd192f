//! `schema`: the JSON Schema of a command's output.

use crate::app::App;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names;
use crate::output::report::Report;
use crate::output::stream;
use crate::output::text::Text;
use crate::schemas;
use schemars::JsonSchema;
use serde::Serialize;

/// The command.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The command, as `status` or `disk add`; `error` for failures; without one, the schemas are listed
    command: Vec<String>,
}

/// The schemas that there are.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SchemaList {
    /// Their names, sorted: those of the commands, and `error`.
    schemas: Vec<String>,
}

impl Report for SchemaList {
    fn text(&self, text: &mut Text) {
        self.schemas.iter().for_each(|name| text.line(name));
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let all = schemas::all();
    if options.command.is_empty() {
        let schemas = all.iter().map(|(name, _)| (*name).to_owned()).collect();
        app.out.report(&SchemaList { schemas })?;
        return Ok(Exit::Done);
    }
    // Commands below another one may share the schema of that one: `scrub start` and `scrub status`.
    let lengths = (1..=options.command.len()).rev();
    let mut names = lengths.map(|length| options.command[..length].join("-"));
    let found = names.find_map(|wanted| all.iter().find(|(name, _)| *name == wanted));
    let Some((_, schema)) = found else {
        let typed = names::show(options.command.join(" ").as_bytes());
        return Err(Failure::new(Code::NotFound, format!("there is no schema of `{typed}`"))
            .hint("list the schemas with `dynamicfs schema`"));
    };
    let text = schemas::text(schema).map_err(|error| Failure::host("write JSON", &error.into()))?;
    stream::write(text.as_bytes())?;
    Ok(Exit::Done)
}
