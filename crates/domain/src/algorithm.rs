//! Key and signature algorithms, by their names on the wire.

use crate::violation::Invalid;

macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident, $code:literal, $what:literal { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire and in storage.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the name; upper and lower case matter.
            pub fn parse(text: &str) -> Result<Self, $crate::violation::Invalid> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err($crate::violation::Invalid::new($code,
                        format!(concat!("`{}` is not a known ", $what, "."), text.escape_debug()),
                        concat!("Choose one of:" $(, " ", $text)+))),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(self.as_str()) }
        }
    };
}
pub(crate) use named_enum;

named_enum! {
    /// Family of a master key, as it is asked for.
    KeyFamily, "invalid_key_algorithm", "key algorithm" {
        /// Symmetric key of 128, 192 or 256 bits.
        Aes = "AES",
        /// RSA key of 2048, 3072 or 4096 bits.
        Rsa = "RSA",
        /// ECDSA key on a NIST curve.
        Ecdsa = "ECDSA",
        /// Ed25519 key.
        Ed25519 = "ED25519",
    }
}

named_enum! {
    /// A key algorithm together with its size or curve.
    KeyAlgorithm, "invalid_key_algorithm", "key algorithm" {
        /// AES with 128 bits.
        Aes128 = "AES_128",
        /// AES with 192 bits.
        Aes192 = "AES_192",
        /// AES with 256 bits.
        Aes256 = "AES_256",
        /// RSA with 2048 bits.
        Rsa2048 = "RSA_2048",
        /// RSA with 3072 bits.
        Rsa3072 = "RSA_3072",
        /// RSA with 4096 bits.
        Rsa4096 = "RSA_4096",
        /// ECDSA on NIST P-256.
        EcdsaP256 = "ECDSA_P256",
        /// ECDSA on NIST P-384.
        EcdsaP384 = "ECDSA_P384",
        /// ECDSA on NIST P-521.
        EcdsaP521 = "ECDSA_P521",
        /// Ed25519 (RFC 8410).
        Ed25519 = "ED25519",
    }
}

impl KeyAlgorithm {
    /// From family and length in bits (AES 128/192/256, RSA 2048/3072/4096, ECDSA 256/384/521). A missing length
    /// means AES 256, RSA 3072, ECDSA P-256; Ed25519 has only one.
    pub fn from_parts(family: KeyFamily, length: Option<u32>) -> Result<Self, Invalid> {
        Ok(match (family, length) {
            (KeyFamily::Aes, Some(128)) => Self::Aes128,
            (KeyFamily::Aes, Some(192)) => Self::Aes192,
            (KeyFamily::Aes, Some(256) | None) => Self::Aes256,
            (KeyFamily::Rsa, Some(2048)) => Self::Rsa2048,
            (KeyFamily::Rsa, Some(3072) | None) => Self::Rsa3072,
            (KeyFamily::Rsa, Some(4096)) => Self::Rsa4096,
            (KeyFamily::Ecdsa, Some(256) | None) => Self::EcdsaP256,
            (KeyFamily::Ecdsa, Some(384)) => Self::EcdsaP384,
            (KeyFamily::Ecdsa, Some(521)) => Self::EcdsaP521,
            (KeyFamily::Ed25519, Some(255 | 256) | None) => Self::Ed25519,
            (family, Some(length)) => {
                let allowed = match family {
                    KeyFamily::Aes => "128, 192 or 256",
                    KeyFamily::Rsa => "2048, 3072 or 4096",
                    KeyFamily::Ecdsa => "256, 384 or 521",
                    KeyFamily::Ed25519 => "256, or leave it out",
                };
                return Err(Invalid::new(
                    "invalid_key_length",
                    format!("An {family} key cannot have a length of {length} bits."),
                    format!("Use a length of {allowed}."),
                ));
            }
        })
    }

    /// The family.
    pub const fn family(self) -> KeyFamily {
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => KeyFamily::Aes,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => KeyFamily::Rsa,
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 => KeyFamily::Ecdsa,
            Self::Ed25519 => KeyFamily::Ed25519,
        }
    }

    /// The length in bits, as operators give it.
    pub const fn length(self) -> u32 {
        match self {
            Self::Aes128 => 128,
            Self::Aes192 => 192,
            Self::Aes256 | Self::EcdsaP256 | Self::Ed25519 => 256,
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
            Self::EcdsaP384 => 384,
            Self::EcdsaP521 => 521,
        }
    }

    /// Can the key sign certificates?
    pub const fn is_asymmetric(self) -> bool {
        !matches!(self.family(), KeyFamily::Aes)
    }

    /// The signature algorithms that a key of this kind may be used with, the default first.
    pub const fn signature_algorithms(self) -> &'static [SignatureAlgorithm] {
        use SignatureAlgorithm as S;
        match self {
            Self::Aes128 | Self::Aes192 | Self::Aes256 => &[],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[S::Sha256WithRsa, S::Sha384WithRsa, S::Sha512WithRsa],
            Self::EcdsaP256 => &[S::Sha256WithEcdsa],
            Self::EcdsaP384 => &[S::Sha384WithEcdsa],
            Self::EcdsaP521 => &[S::Sha512WithEcdsa],
            Self::Ed25519 => &[S::Ed25519],
        }
    }
}

named_enum! {
    /// A signature algorithm of certificates.
    SignatureAlgorithm, "invalid_signature_algorithm", "signature algorithm" {
        /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 4055).
        Sha256WithRsa = "SHA256_WITH_RSA",
        /// RSASSA-PKCS1-v1_5 with SHA-384.
        Sha384WithRsa = "SHA384_WITH_RSA",
        /// RSASSA-PKCS1-v1_5 with SHA-512.
        Sha512WithRsa = "SHA512_WITH_RSA",
        /// ECDSA with SHA-256 (RFC 5758), for P-256.
        Sha256WithEcdsa = "SHA256_WITH_ECDSA",
        /// ECDSA with SHA-384, for P-384.
        Sha384WithEcdsa = "SHA384_WITH_ECDSA",
        /// ECDSA with SHA-512, for P-521.
        Sha512WithEcdsa = "SHA512_WITH_ECDSA",
        /// Ed25519 (RFC 8410).
        Ed25519 = "ED25519",
    }
}

impl SignatureAlgorithm {
    /// Is it one of RSA, whose signatures take about a millisecond to make?
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Sha256WithRsa | Self::Sha384WithRsa | Self::Sha512WithRsa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_they_are_shown() {
        for algorithm in KeyAlgorithm::ALL {
            assert_eq!(KeyAlgorithm::parse(algorithm.as_str()), Ok(*algorithm));
            let same = KeyAlgorithm::from_parts(algorithm.family(), Some(algorithm.length()));
            assert_eq!(same, Ok(*algorithm));
            assert_eq!(algorithm.signature_algorithms().is_empty(), !algorithm.is_asymmetric());
        }
        assert!(KeyAlgorithm::parse("rsa_2048").is_err() && SignatureAlgorithm::parse("SHA1_WITH_RSA").is_err());
    }

    #[test]
    fn lengths() {
        for (family, length, expected) in [
            (KeyFamily::Aes, None, Ok(KeyAlgorithm::Aes256)),
            (KeyFamily::Rsa, None, Ok(KeyAlgorithm::Rsa3072)),
            (KeyFamily::Ecdsa, None, Ok(KeyAlgorithm::EcdsaP256)),
            (KeyFamily::Ed25519, None, Ok(KeyAlgorithm::Ed25519)),
            (KeyFamily::Rsa, Some(1024), Err("invalid_key_length")),
            (KeyFamily::Ecdsa, Some(512), Err("invalid_key_length")),
            (KeyFamily::Aes, Some(0), Err("invalid_key_length")),
        ] {
            assert_eq!(KeyAlgorithm::from_parts(family, length).map_err(|fault| fault.code), expected);
        }
    }
}
