//! POSIX access control lists, as Linux keeps them in extended attributes: what a file's mode may be without
//! one.
//!
//! With a list, the group bits of the mode are the list's mask. That is the most that it gives to users other
//! than the owner and the others. Without it they would be what the owning group may.

/// The attribute of a file's or folder's own list.
pub(crate) const ACCESS: &[u8] = b"system.posix_acl_access";

/// The attribute of the list that what is made in a folder gets.
pub(crate) const DEFAULT: &[u8] = b"system.posix_acl_default";

const VERSION: [u8; 4] = [2, 0, 0, 0];
const ENTRY_BYTES: usize = 8;

// Tags of entries. That of the owner is not looked at: its rights are in the mode.
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;

/// All rights of a class: read, write, execute.
const ALL: u16 = 0o7;

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acl(Vec<Entry>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    rights: u16,
    id: u32,
}

impl Acl {
    /// Reads the attribute's value.
    pub(crate) fn decode(value: &[u8]) -> Option<Self> {
        let entries = value.strip_prefix(&VERSION)?.chunks(ENTRY_BYTES).map(|bytes| match *bytes {
            [t0, t1, r0, r1, i0, i1, i2, i3] => Some(Entry {
                tag: u16::from_le_bytes([t0, t1]),
                rights: u16::from_le_bytes([r0, r1]),
                id: u32::from_le_bytes([i0, i1, i2, i3]),
            }),
            _ => None,
        });
        entries.collect::<Option<_>>().map(Self)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let entry = |entry: &Entry| {
            let mut bytes = [0; ENTRY_BYTES];
            bytes[..2].copy_from_slice(&entry.tag.to_le_bytes());
            bytes[2..4].copy_from_slice(&entry.rights.to_le_bytes());
            bytes[4..].copy_from_slice(&entry.id.to_le_bytes());
            bytes
        };
        VERSION.into_iter().chain(self.0.iter().flat_map(entry)).collect()
    }

    /// What all entries of these tags give; everything where there are none.
    fn least(&self, tags: &[u16]) -> u16 {
        let found = self.0.iter().filter(|entry| tags.contains(&entry.tag));
        found.fold(ALL, |rights, entry| rights & entry.rights)
    }

    /// The mode of a file that had this list and loses it: no user may more than before. A user in the list
    /// then counts as the owning group or the others, and may have had fewer rights than those.
    pub(crate) fn mode_without(&self, mode: u16) -> u16 {
        let mask = self.least(&[MASK]);
        let group = self.least(&[OWNING_GROUP, USER]) & mask & (mode >> 3);
        let named = self.0.iter().any(|entry| matches!(entry.tag, USER | GROUP));
        let others = if named { self.least(&[USER, GROUP]) & mask & mode } else { mode };
        mode & !0o077 | group << 3 | others & ALL
    }

    /// The same list for a file whose owning group is another one: that may what the others may, at most.
    #[must_use]
    pub(crate) fn without_group(mut self) -> Self {
        let others = self.least(&[OTHERS]);
        for entry in self.0.iter_mut().filter(|entry| entry.tag == OWNING_GROUP) {
            entry.rights &= others;
        }
        self
    }
}

/// The mode of a file whose owning group is another one: that may what the others may, at most.
pub(crate) const fn mode_without_group(mode: u16) -> u16 {
    mode & !0o070 | mode & (mode << 3) & 0o070
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: u16 = 0x01;

    fn list(entries: &[(u16, u16)]) -> Acl {
        Acl(entries.iter().map(|&(tag, rights)| Entry { tag, rights, id: u32::MAX }).collect())
    }

    #[test]
    fn a_list_is_written_as_it_was_read() {
        let acl = list(&[(OWNER, 6), (USER, 4), (OWNING_GROUP, 0), (MASK, 4), (OTHERS, 0)]);
        assert_eq!(Acl::decode(&acl.encode()), Some(acl.clone()));
        let whole = acl.encode();
        assert_eq!(Acl::decode(&whole[..whole.len() - 1]), None);
        assert_eq!(Acl::decode(&[1, 0, 0, 0]), None);
        assert_eq!(Acl::decode(b""), None);
    }

    #[test]
    fn nobody_may_more_without_a_list_than_with_it() {
        // The mask is what user 1001 may: the owning group may nothing.
        let readable = list(&[(OWNER, 6), (USER, 6), (OWNING_GROUP, 0), (MASK, 6), (OTHERS, 0)]);
        assert_eq!(readable.mode_without(0o660), 0o600);
        // One user may less than all others: without the list that user is one of those.
        let shut_out = list(&[(OWNER, 6), (USER, 0), (OWNING_GROUP, 4), (MASK, 4), (OTHERS, 4)]);
        assert_eq!(shut_out.mode_without(0o644), 0o600);
        let shut_out = list(&[(OWNER, 7), (OWNING_GROUP, 5), (GROUP, 1), (MASK, 5), (OTHERS, 5)]);
        assert_eq!(shut_out.mode_without(0o755), 0o751);
        // What the mask takes away stays away.
        let masked = list(&[(OWNER, 6), (OWNING_GROUP, 6), (MASK, 4), (OTHERS, 4)]);
        assert_eq!(masked.mode_without(0o4644), 0o4644);
    }

    #[test]
    fn another_group_may_what_others_may() {
        assert_eq!(mode_without_group(0o2775), 0o2755);
        assert_eq!(mode_without_group(0o640), 0o600);
        assert_eq!(mode_without_group(0o604), 0o604);
        let acl = list(&[(OWNING_GROUP, 7), (OTHERS, 4)]).without_group();
        assert_eq!(acl, list(&[(OWNING_GROUP, 4), (OTHERS, 4)]));
    }
}
