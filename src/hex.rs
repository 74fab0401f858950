//! Bytes as lower-case hex digits.

/// 32 bytes, without an allocation.
pub fn digits(bytes: &[u8; 32]) -> [u8; 64] {
    let mut text = [b'0'; 64];
    for (pair, &byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    text
}

/// Any number of bytes.
pub fn text(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref().iter();
    bytes.flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).map(char::from).collect()
}

fn digit(n: u8) -> u8 {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    DIGITS.get(usize::from(n)).copied().unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_byte_has_two_digits() {
        assert_eq!(super::text([0x00, 0x0a, 0xf1, 0xff]), "000af1ff");
        assert_eq!(super::text([]), "");
        let bytes: [u8; 32] = std::array::from_fn(|n| u8::try_from(n * 8).unwrap());
        assert_eq!(super::digits(&bytes).as_slice(), super::text(bytes).as_bytes());
    }
}
