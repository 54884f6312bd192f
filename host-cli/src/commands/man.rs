//! `man`: manual pages, from the definitions that the program reads its arguments by.

use crate::app::App;
use crate::cli::Arguments;
use crate::output::failure::{Code, Exit, Failure};
use crate::output::names::{self, ShowPath};
use crate::output::report::Report;
use crate::output::text::Text;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use schemars::JsonSchema;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// Which page, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The command, as `status` or `disk add`; without one, the main page
    #[arg(conflicts_with = "folder")]
    command: Vec<String>,
    /// Write all pages into this folder, as /usr/local/share/man/man1
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Pages of the manual.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Manual {
    /// Nothing was written: `--dry-run`.
    dry_run: bool,
    /// The folder that they are written into; null where one is printed.
    folder: Option<String>,
    /// The pages.
    pages: Vec<Page>,
}

/// A page of the manual.
#[derive(Debug, Serialize, JsonSchema)]
struct Page {
    /// Its file's name, as `dynamicfs-disk-add.1`.
    file: String,
    /// The page in roff, as `man` reads it.
    roff: String,
}

impl Report for Manual {
    fn text(&self, text: &mut Text) {
        match &self.folder {
            Some(folder) => {
                let written = if self.dry_run { "would be written" } else { "written" };
                text.line(format_args!("{} pages {written} to {folder}", self.pages.len()));
            }
            None => self.pages.iter().for_each(|page| text.line(page.roff.trim_end())),
        }
    }

    fn is_answer(&self) -> bool {
        self.dry_run || self.folder.is_none()
    }
}

pub(crate) fn run(app: &App, options: &Options) -> Result<Exit, Failure> {
    let mut main = Arguments::command().disable_help_subcommand(true);
    // Gives the commands below it their whole names and the options of all commands.
    main.build();
    let (pages, folder) = match &options.folder {
        Some(folder) => {
            let pages = all(&main)?;
            if !app.global.dry_run {
                write(&pages, folder)?;
            }
            (pages, Some(folder.shown().to_string()))
        }
        None => (vec![page(find(&main, &options.command)?)?], None),
    };
    app.out.report(&Manual { dry_run: app.global.dry_run, folder, pages })?;
    Ok(Exit::Done)
}

/// The command that is named, word by word.
fn find<'c>(main: &'c Command, words: &[String]) -> Result<&'c Command, Failure> {
    let found = words.iter().try_fold(main, |command, word| command.find_subcommand(word));
    found.ok_or_else(|| {
        let typed = names::show(words.join(" ").as_bytes());
        Failure::new(Code::NotFound, format!("there is no command `{typed}`"))
            .hint("list the commands with `dynamicfs help`")
    })
}

fn page(command: &Command) -> Result<Page, Failure> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let page = Man::new(command.clone()).source(concat!("dynamicfs ", env!("CARGO_PKG_VERSION")));
    let (file, mut roff) = (page.get_filename(), Vec::new());
    page.render(&mut roff).map_err(|error| Failure::host(format_args!("make the page {name}"), &error))?;
    Ok(Page { file, roff: String::from_utf8_lossy(&roff).into_owned() })
}

/// The page of a command and those of all below it.
fn all(command: &Command) -> Result<Vec<Page>, Failure> {
    let mut pages = vec![page(command)?];
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages.extend(all(below)?);
    }
    Ok(pages)
}

fn write(pages: &[Page], folder: &Path) -> Result<(), Failure> {
    let refused = |path: &Path, error| Failure::host(format_args!("write {}", path.shown()), &error);
    fs::create_dir_all(folder).map_err(|error| refused(folder, error))?;
    for page in pages {
        let path = folder.join(&page.file);
        fs::write(&path, &page.roff).map_err(|error| refused(&path, error))?;
    }
    Ok(())
}
