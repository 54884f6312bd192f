//! Names of the pool are any bytes: shown so that they can neither mislead nor command a terminal.

use std::fmt::Write;

/// The name as text: what is not UTF-8 or would control a terminal is escaped.
pub(crate) fn show(name: &[u8]) -> String {
    let mut shown = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || is_direction(character) {
                let _ = write!(shown, "{}", character.escape_default());
            } else {
                shown.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

/// Characters that turn the direction of writing round, so that a name looks like another.
const fn is_direction(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The bytes in hexadecimal, where [`show`] does not tell them exactly.
pub(crate) fn exact(name: &[u8]) -> Option<String> {
    (show(name).as_bytes() != name).then(|| name.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_command_a_terminal() {
        assert_eq!(show("größe".as_bytes()), "größe");
        assert_eq!(show(b"a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(show(b"\xff\xfe.txt"), "\\xff\\xfe.txt");
        assert_eq!(show("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(exact(b"plain"), None);
        assert_eq!(exact(b"\xff"), Some("ff".into()));
    }
}
