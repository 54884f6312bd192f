//! All tests that stand above the packages, as one program.

mod format_document;
mod golden_images;
mod hedged_reads;
mod large_directory;
mod large_objects;
mod layers;
mod mutants;
mod plain_words;
mod pool_model;
mod pool_shrinking;
mod quorum_histories;
mod sparse;
mod store;
