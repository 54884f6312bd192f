//! What each command does.

pub(crate) mod benchmark;
pub(crate) mod cat;
pub(crate) mod check;
pub(crate) mod cp;
pub(crate) mod demo;
pub(crate) mod disk;
pub(crate) mod get;
pub(crate) mod health;
pub(crate) mod init;
pub(crate) mod labels;
pub(crate) mod locate;
pub(crate) mod ls;
pub(crate) mod maintenance;
pub(crate) mod metrics;
pub(crate) mod mkdir;
pub(crate) mod mv;
pub(crate) mod policy;
pub(crate) mod put;
pub(crate) mod repair;
pub(crate) mod rm;
pub(crate) mod stat;
pub(crate) mod status;
pub(crate) mod transfer;
pub(crate) mod tree;
pub(crate) mod trim;
pub(crate) mod verify;
