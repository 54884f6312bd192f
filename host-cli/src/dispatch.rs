//! From arguments to an exit code.

use crate::app::App;
use crate::cli::{Arguments, Command};
use crate::commands;
use crate::host::interrupt::{self, Effect};
use crate::options::Global;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names;
use crate::output::report::Output;
use crate::output::stream;
use crate::output::typed;
use crate::pool::jobs::JobName;
use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&printable(error)),
    };
    let app = App { out: Output::new(&arguments.global), global: arguments.global.settled() };
    // To these commands disks are what they work on.
    let of_disks = matches!(arguments.command, Command::Init(_) | Command::Import(_) | Command::Labels);
    typed::settle(&app.global, !of_disks);
    let caught = interrupt::install(app.out, effect(&app.global, &arguments.command))
        .map_err(|error| Failure::host("catch signals", &error));
    let done = match (caught, &arguments.command) {
        (Err(failure), Command::Health) => Ok(commands::health::cannot_tell(&app, &failure)),
        (caught, command) => caught.and_then(|()| dispatch(&app, command)),
    };
    ExitCode::from(done.unwrap_or_else(|failure| {
        app.out.failure(&failure);
        failure.exit() as u8
    }))
}

/// What a command leaves behind that is interrupted.
const fn effect(global: &Global, command: &Command) -> Effect {
    match command {
        _ if global.dry_run => Effect::None,
        Command::Salvage(_) => Effect::Folder,
        Command::Verify(options) if options.repair => Effect::Kept,
        Command::Verify(_)
        | Command::Check
        | Command::Status
        | Command::Health
        | Command::Metrics
        | Command::Events(_)
        | Command::Cat(_)
        | Command::Ls(_)
        | Command::Tree(_)
        | Command::Find(_)
        | Command::Du(_)
        | Command::Df
        | Command::Stat(_)
        | Command::Locate(_)
        | Command::Labels
        | Command::Whatif(_)
        | Command::OkToRemove(_)
        | Command::Capacity(_) => Effect::None,
        _ => Effect::Kept,
    }
}

fn dispatch(app: &App, command: &Command) -> Result<u8, Failure> {
    let exit = match command {
        Command::Health => return Ok(commands::health::run(app)),
        Command::Init(options) => commands::init::run(app, options),
        Command::Import(options) => commands::import::run(app, options),
        Command::Status => commands::status::run(app),
        Command::Metrics => commands::metrics::run(app),
        Command::Events(options) => commands::events::run(app, options),
        Command::Benchmark(options) => commands::benchmark::run(app, options),
        Command::Put(options) => commands::put::run(app, options),
        Command::Get(options) => commands::get::run(app, options),
        Command::Sync(options) => commands::sync::run(app, options),
        Command::Cat(options) => commands::cat::run(app, options),
        Command::Ls(options) => commands::ls::run(app, options),
        Command::Tree(options) => commands::tree::run(app, options),
        Command::Find(options) => commands::find::run(app, options),
        Command::Du(options) => commands::du::run(app, options),
        Command::Df => commands::df::run(app),
        Command::Stat(options) => commands::stat::run(app, options),
        Command::Mkdir(options) => commands::mkdir::run(app, options),
        Command::Mv(options) => commands::mv::run(app, options),
        Command::Cp(options) => commands::cp::run(app, options),
        Command::Rm(options) => commands::rm::run(app, options),
        Command::Locate(options) => commands::locate::run(app, options),
        Command::Verify(options) => commands::verify::run(app, options),
        Command::Check => commands::check::run(app),
        Command::Salvage(options) => commands::salvage::run(app, options),
        Command::Labels => commands::labels::run(app),
        Command::Whatif(command) => commands::whatif::run(app, command),
        Command::OkToRemove(options) => commands::ok_to_remove::run(app, options),
        Command::Capacity(options) => commands::capacity::run(app, options),
        Command::Demo(options) => commands::demo::run(app, options),
        Command::Scrub(command) => commands::maintenance::run(app, JobName::Scrub, command),
        Command::Rebuild(command) => commands::maintenance::run(app, JobName::Rebuild, command),
        Command::Rebalance(command) => commands::maintenance::run(app, JobName::Rebalance, command),
        Command::Repair(options) => commands::repair::run(app, options),
        Command::Policy(command) => commands::policy::run(app, command),
        Command::Trim(options) => commands::trim::run(app, options),
        Command::Pool(command) => commands::pool::run(app, command),
        Command::Disk(command) => commands::disk::run(app, command),
        Command::Completions(options) => commands::completions::run(app, options),
        Command::Man(options) => commands::man::run(app, options),
        Command::Schema(options) => commands::schema::run(app, options),
    };
    exit.map(|exit: Exit| exit as u8)
}

/// The same without what would command a terminal: arguments are any bytes.
fn printable(mut error: clap::Error) -> clap::Error {
    let show = |text: &String| names::show(text.as_bytes());
    let is_plain = std::env::args_os().all(|argument| names::exact(argument.as_bytes()).is_none());
    if !is_plain {
        // Tips are styled text, which repeats the argument.
        error.remove(ContextKind::Suggested);
    }
    let shown = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) => Some((kind, ContextValue::String(show(text)))),
        ContextValue::Strings(texts) => Some((kind, ContextValue::Strings(texts.iter().map(show).collect()))),
        _ => None,
    });
    for (kind, value) in shown.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
    error
}

/// Says what is wrong with the arguments, or prints the help that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let is_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let is_json = std::env::args_os().any(|argument| argument == "--json");
    let out = Output::without_options(is_json && !is_help);
    let rendered = error.render();
    let exit = if is_help {
        let printed = stream::write(stream::for_output(&rendered.ansi().to_string()).as_bytes());
        printed.map_or_else(
            |failure| {
                out.failure(&failure);
                failure.exit()
            },
            |_| Exit::Done,
        )
    } else {
        if is_json {
            let text = rendered.to_string();
            let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            out.failure(&Failure::new(Code::Usage, message).hint("see `dynamicfs --help`"));
        } else {
            stream::say(&rendered.ansi().to_string());
        }
        Exit::Usage
    };
    let is_verdict = exit != Exit::Done && commands::health::is_meant(std::env::args_os());
    ExitCode::from(if is_verdict { commands::health::UNKNOWN } else { exit as u8 })
}
