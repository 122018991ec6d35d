//! names — what the server makes up: unique ids and the endings of generated names.

use rand::Rng;

/// What Kubernetes uses in generated names: no vowels and no look-alikes, so that no words come out.
const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// Characters added to `metadata.generateName`.
const SUFFIX_LENGTH: usize = 5;

/// Longest prefix that still leaves room for the suffix within 63 characters.
const PREFIX_MAX: usize = 63 - SUFFIX_LENGTH;

/// `prefix` and five random characters.
pub fn generate(prefix: &str) -> String {
    let mut name: String = prefix.chars().take(PREFIX_MAX).collect();
    let mut dice = rand::rng();
    name.extend((0..SUFFIX_LENGTH).map(|_| LETTERS[dice.random_range(0..LETTERS.len())] as char));
    name
}

/// A random (version 4) UUID.
pub fn uid() -> String {
    let random: u128 = rand::rng().random();
    let bits = random & !(0xf << 76) & !(0b11 << 62) | (0x4 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ]
    .join("-")
}

/// A secret that cannot be guessed: 128 random bits in hexadecimal.
pub fn secret() -> String {
    format!("{:032x}", rand::rng().random::<u128>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_name_is_prefix_and_five_letters() {
        let name = generate("web-");
        assert_eq!(name.len(), 9);
        assert!(name.starts_with("web-"));
        assert!(name.bytes().skip(4).all(|b| LETTERS.contains(&b)));
        assert_eq!(generate(&"x".repeat(80)).len(), 63);
    }

    #[test]
    fn a_uid_looks_like_a_random_uuid() {
        let uid = uid();
        let lengths: Vec<_> = uid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&uid[14..15], "4");
        assert!("89ab".contains(&uid[19..20]));
    }
}
