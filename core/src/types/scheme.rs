//! A scheme as it is written: `single`, `mirror:3`, `4+2`.

use super::Scheme;
use core::str::FromStr;

/// Why a text is no scheme.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ParseSchemeError {
    /// It has another form than a scheme.
    Form,
    /// A mirror has 1 to 5 copies.
    Copies,
    /// A scheme has 1 to 16 data and 0 to 4 parity fragments.
    Fragments,
}

impl core::fmt::Display for ParseSchemeError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Form => "not a scheme; write 4+2, mirror:3 or single",
            Self::Copies => "a mirror has 1 to 5 copies",
            Self::Fragments => "a scheme has 1 to 16 data and 0 to 4 parity fragments",
        })
    }
}

impl core::error::Error for ParseSchemeError {}

/// Reads a scheme as [`Display`](core::fmt::Display) writes it.
impl FromStr for Scheme {
    type Err = ParseSchemeError;

    fn from_str(text: &str) -> Result<Self, ParseSchemeError> {
        if text == "single" {
            return Ok(Self::SINGLE);
        }
        if let Some(copies) = text.strip_prefix("mirror:") {
            let copies = number(copies)?;
            let is_mirror = (1..=Self::PARITY_MAX + 1).contains(&copies);
            return if is_mirror { Ok(Self::mirror(copies)) } else { Err(ParseSchemeError::Copies) };
        }
        let (data, parity) = text.split_once('+').ok_or(ParseSchemeError::Form)?;
        let scheme = Self { data: number(data)?, parity: number(parity)? };
        if scheme.is_valid() { Ok(scheme) } else { Err(ParseSchemeError::Fragments) }
    }
}

/// Digits alone: `str::parse` takes a sign as well.
fn number(text: &str) -> Result<u8, ParseSchemeError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number).ok_or(ParseSchemeError::Form)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::ToString;

    #[test]
    fn every_scheme_is_read_as_it_is_written() {
        for (data, parity) in (1..=16).flat_map(|data| (0..=4).map(move |parity| (data, parity))) {
            let scheme = Scheme { data, parity };
            assert_eq!(scheme.to_string().parse(), Ok(scheme));
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in [
            "",
            "4",
            "4+",
            "+2",
            "4++2",
            "4+-2",
            "4 + 2",
            "mirror",
            "mirror:",
            "mirror:+2",
            "256+1",
            "Single",
        ] {
            assert_eq!(text.parse::<Scheme>(), Err(ParseSchemeError::Form), "{text}");
        }
        assert_eq!("mirror:0".parse::<Scheme>(), Err(ParseSchemeError::Copies));
        assert_eq!("mirror:6".parse::<Scheme>(), Err(ParseSchemeError::Copies));
        assert_eq!("0+1".parse::<Scheme>(), Err(ParseSchemeError::Fragments));
        assert_eq!("17+1".parse::<Scheme>(), Err(ParseSchemeError::Fragments));
        assert_eq!("4+5".parse::<Scheme>(), Err(ParseSchemeError::Fragments));
    }
}
