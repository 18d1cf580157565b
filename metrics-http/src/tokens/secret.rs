//! The secret that a token is: made here, shown once, and known afterwards by its hash alone.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::TokenError;

/// What every secret begins with, so that people and scanners of files know one when they see it.
const PREFIX: &str = "mtk_";
/// Random bytes of a secret.
const RANDOM_BYTES: usize = 32;

/// A new token's secret: `mtk_` and 32 random bytes in base64url. Nothing keeps it but whoever reads it here; its memory
/// is wiped when it is dropped.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// A secret that nobody has had before.
    ///
    /// # Errors
    /// [`TokenError::Random`] when the system gives no random bytes.
    pub(super) fn random() -> Result<Self, TokenError> {
        let mut bytes = Zeroizing::new([0; RANDOM_BYTES]);
        getrandom::fill(&mut *bytes).map_err(|error| TokenError::Random { reason: error.to_string() })?;
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        Ok(Self(text))
    }

    /// The secret itself, to be shown once.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    /// Not a character of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A secret's SHA-256. That of a random secret needs no salt and no slow function: there is nothing to guess.
#[derive(Clone, Copy)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// From 64 hexadecimal digits.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        let mut bytes = [0; 32];
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    pub(super) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the two are the same, told in a time that does not depend on where they differ.
    pub(super) fn matches(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_differ_and_are_not_shown_by_accident() {
        let (one, other) = (Secret::random().expect("random"), Secret::random().expect("random"));
        assert_ne!(one.expose(), other.expose());
        let bytes = URL_SAFE_NO_PAD.decode(one.expose().strip_prefix(PREFIX).expect("prefixed")).expect("base64url");
        assert_eq!(bytes.len(), RANDOM_BYTES);
        assert!(!format!("{one:?}").contains(&one.expose()[4..]));
    }

    #[test]
    fn a_digest_is_sha_256_and_is_read_as_it_is_written() {
        // The example of one block in NIST's publication of SHA-256.
        let abc = Digest::of(b"abc");
        assert_eq!(abc.hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(bool::from(Digest::from_hex(&abc.hex().to_uppercase()).expect("read").matches(&abc)));
        assert!(!bool::from(Digest::of(b"abd").matches(&abc)));
        for text in ["", "ba78", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
            assert!(Digest::from_hex(text).is_none(), "{text}");
        }
    }
}
