//! Base64, taken as clients write it.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Decodes base64 of either alphabet, padded as it should be or not at all.
pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    const fn engine(mode: DecodePaddingMode) -> GeneralPurpose {
        let config = GeneralPurposeConfig::new().with_decode_padding_mode(mode);
        GeneralPurpose::new(&URL_SAFE, config)
    }
    const PADDED: GeneralPurpose = engine(DecodePaddingMode::RequireCanonical);
    const UNPADDED: GeneralPurpose = engine(DecodePaddingMode::RequireNone);
    let text: Vec<u8> = text
        .iter()
        .map(|byte| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        })
        .collect();
    let engine = if text.ends_with(b"=") {
        PADDED
    } else {
        UNPADDED
    };
    engine.decode(text).ok()
}

/// Base64 as it is answered: the alphabet of URLs, unpadded.
pub fn to_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
