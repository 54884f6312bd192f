//! What people and machines read: one model, two forms.

pub(crate) mod duration;
pub(crate) mod failure;
pub(crate) mod histories;
pub(crate) mod names;
pub(crate) mod progress;
pub(crate) mod report;
pub(crate) mod size;
pub(crate) mod stream;
pub(crate) mod text;
pub(crate) mod typed;
