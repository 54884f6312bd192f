//! Names and paths are any bytes, in the pool and on this machine. They are shown so that they can neither
//! mislead nor command a terminal.

use super::failure::{Code, Failure};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt::{self, Display, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

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

/// A name that needs no escapes and no quotes on a command line, as like the given one as that allows.
pub(crate) fn printable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    let is_plain = |character: char| {
        character.is_alphanumeric() || matches!(character, '.' | '-' | '_' | ':' | '+' | '=' | '@' | ',')
    };
    let plain: String =
        text.chars().map(|character| if is_plain(character) { character } else { '-' }).collect();
    // A name that begins so would be taken for an option.
    match plain.trim_start_matches('-') {
        "" => "disk".to_owned(),
        rest => rest.to_owned(),
    }
}

/// Refuses a name for something, "a disk", that is not [`printable`].
pub(crate) fn check_printable(name: &str, what: &str) -> Result<(), Failure> {
    if printable(name.as_bytes()) == name {
        return Ok(());
    }
    let message = format!("`{}` cannot be the name of {what}", show(name.as_bytes()));
    Err(Failure::new(Code::InvalidName, message)
        .hint("use letters, digits and . - _ : + = @ , and no - at the beginning"))
}

/// A name or path as a command is given it in a shell. A name with control characters, or that is not UTF-8,
/// is written as bash and zsh take it. So is a name with a bar, which ends the text of a plug-in.
pub(crate) fn typed(name: &[u8]) -> String {
    let is_plain =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'+' | b'@');
    match str::from_utf8(name) {
        Ok(text) if !name.is_empty() && name.iter().all(is_plain) => text.to_owned(),
        Ok(text) if exact(name).is_none() && !name.contains(&b'|') => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => format!("$'{}'", name.iter().map(escaped).collect::<String>()),
    }
}

/// A byte between `$'` and `'`.
fn escaped(byte: &u8) -> String {
    match byte {
        b'\\' | b'\'' => format!("\\{}", char::from(*byte)),
        b' '..=b'{' | b'}' | b'~' => char::from(*byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    }
}

/// Paths of this machine, shown as [`show`] does. `Path::display` would print a newline or an escape sequence
/// as it is: the lints forbid it.
pub(crate) trait ShowPath {
    /// The path as text, in messages and in JSON.
    fn shown(&self) -> ShownPath<'_>;

    /// The path as a command is given it in a shell, which takes it for no option.
    fn typed(&self) -> String;

    /// Its bytes in hexadecimal, where the text does not tell them exactly.
    fn hex(&self) -> Option<String>;
}

impl ShowPath for Path {
    fn shown(&self) -> ShownPath<'_> {
        ShownPath(self)
    }

    fn typed(&self) -> String {
        let bytes = self.as_os_str().as_bytes();
        match bytes.first() {
            Some(b'-') => typed(&[b"./", bytes].concat()),
            _ => typed(bytes),
        }
    }

    fn hex(&self) -> Option<String> {
        exact(self.as_os_str().as_bytes())
    }
}

/// A path that is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShownPath<'p>(&'p Path);

impl Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&show(self.0.as_os_str().as_bytes()))
    }
}

/// A path, as JSON has it: in the pool or on this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ToldPath {
    /// The path; what is not UTF-8 or a control character is escaped.
    pub(crate) path: String,
    /// The path's bytes in hexadecimal, where `path` does not tell them exactly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_hex: Option<String>,
}

impl ToldPath {
    /// The path as a command is given it in a shell.
    pub(crate) fn typed(&self) -> String {
        let Some(hex) = &self.path_hex else { return typed(self.path.as_bytes()) };
        let digits = hex.as_bytes().chunks(2).filter_map(|pair| str::from_utf8(pair).ok());
        let bytes: Vec<u8> = digits.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
        typed(&bytes)
    }
}

impl Display for ToldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.path)
    }
}

impl From<&[u8]> for ToldPath {
    fn from(path: &[u8]) -> Self {
        Self { path: show(path), path_hex: exact(path) }
    }
}

impl From<&Path> for ToldPath {
    fn from(path: &Path) -> Self {
        path.as_os_str().as_bytes().into()
    }
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
    fn a_printable_name_can_be_typed() {
        for (name, printed) in [
            (&b"sda1"[..], "sda1"),
            (b"wwn-0x5000:1", "wwn-0x5000:1"),
            (b"a b\n", "a-b-"),
            (b"\xff", "disk"),
            (b"--force", "force"),
            (b"", "disk"),
            ("größe".as_bytes(), "größe"),
        ] {
            assert_eq!(printable(name), printed);
            assert_eq!(printable(printed.as_bytes()), printed);
        }
    }

    /// Each name, given to a command as it is to be typed, arrives as it is.
    #[test]
    fn a_shell_takes_a_typed_name_for_what_it_is() {
        use std::os::unix::ffi::OsStrExt;
        let names: [&[u8]; 10] = [
            b"/a/b-1.img",
            b"a b",
            b"it's",
            b"",
            b"$(x) `y` \\",
            b"a\nb'\x1b",
            b"\xff0",
            "größe".as_bytes(),
            b"-x",
            b"x|a'y",
        ];
        for name in names {
            assert!(!typed(name).contains('|'), "{}", typed(name));
            let line = format!("printf %s {}", typed(name));
            let said = std::process::Command::new("bash").arg("-c").arg(line).output().unwrap();
            assert_eq!(said.stdout, name, "{}", typed(name));
        }
        assert_eq!(Path::new(std::ffi::OsStr::from_bytes(b"-x y")).typed(), "'./-x y'");
        assert_eq!(typed(b"/plain"), "/plain");
        assert_eq!(ToldPath::from(&b"/a\xff"[..]).typed(), "$'/a\\xff'");
    }

    #[test]
    fn names_cannot_command_a_terminal() {
        assert_eq!(show("größe".as_bytes()), "größe");
        assert_eq!(show(b"a\x1b[31mb\n"), "a\\u{1b}[31mb\\n");
        assert_eq!(show(b"\xff\xfe.txt"), "\\xff\\xfe.txt");
        assert_eq!(show("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(Path::new("a\nb").shown().to_string(), "a\\nb");
        assert_eq!((Path::new("a\nb").hex(), Path::new("ä").hex()), (Some("610a62".into()), None));
        assert_eq!(exact(b"plain"), None);
        assert_eq!(exact(b"\xff"), Some("ff".into()));
    }
}
