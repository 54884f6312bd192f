//! Names and paths. They are checked once, here, at the API.

use crate::error::Code;
use crate::limits::NAME_BYTES_MAX;

/// Whether a directory can hold this name: any bytes but `/` and NUL, 1 to 255 of them, and neither `.` nor `..`.
///
/// # Errors
/// [`InvalidName`](Code::InvalidName) for all others.
pub fn check_name(name: &[u8]) -> Result<(), Code> {
    let bad = name.is_empty()
        || name.len() > NAME_BYTES_MAX
        || name == b"."
        || name == b".."
        || name.iter().any(|&byte| byte == b'/' || byte == 0);
    if bad { Err(Code::InvalidName) } else { Ok(()) }
}

/// The names of a path, from the root down; empty ones between slashes are passed over. Each must be checked
/// ([`check_name`]) before it is used.
pub fn split_path(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_lead_astray_are_refused() {
        for bad in [&b""[..], b".", b"..", b"a/b", b"a\0b", &[b'x'; 256]] {
            assert_eq!(check_name(bad), Err(Code::InvalidName), "{bad:?}");
        }
        for good in [&b"a"[..], b"...", b"\xFF\xFE", b" ", &[b'x'; 255]] {
            assert_eq!(check_name(good), Ok(()), "{good:?}");
        }
    }

    #[test]
    fn paths_split_at_slashes() {
        assert!(split_path(b"//a/b//c/").eq([b"a", b"b", b"c"]));
        assert_eq!(split_path(b"/").count(), 0);
    }
}
