//! What no byte for the analyst may hold.

/// One thing to look for: its name, and the bytes. Letters are compared without regard to case.
#[derive(Debug)]
pub struct Marker {
    pub name: &'static str,
    bytes: Vec<u8>,
}

/// Every marker, those of the mask key included.
pub fn markers(hash_key: &str) -> Vec<Marker> {
    let mut all: Vec<Marker> = Vec::new();
    let mut add = |name: &'static str, bytes: &[u8]| {
        let bytes = bytes.to_ascii_lowercase();
        all.push(Marker { name, bytes });
    };
    for (name, text) in [
        ("a text", "qzkv"),
        ("a text, reversed", "vkzq"),
        ("a text, in hex", "717a6b76"),
        ("a physical name", "phqx"),
        ("a number", "1264220"),
        ("a date", "1931-07"),
        ("a moment", "17.131719"),
        ("a UUID", "c0ffee51"),
        ("a verifier", "SCRAM-SHA-256$"),
        ("a path", "pgveil-postgres-"),
        ("a file", "root:x:0"),
        ("a product that may not be discovered", "secret_plans"),
        ("a statement of pgveil's own", "pg_catalog.\"left\"(pg_catalog.split_part"),
    ] {
        add(name, text.as_bytes());
    }
    add("a UUID in binary", &[0xc0, 0xff, 0xee, 0x51]);
    // 1264220160 to …415 begin with the same three bytes.
    add("a number in binary", &1_264_220_160_i32.to_be_bytes()[..3]);
    // Days since 2000; microseconds since 2000, of the sixth of a second that every hidden moment has.
    for day in 0..9_i32 {
        add("a date in binary", &(-25_011 + day).to_be_bytes());
    }
    for day in 1..=6_i64 {
        let second = 436_164_257 + day * 86_400;
        add("a moment in binary", &(second * 1_000_000 + 131_719).to_be_bytes());
    }
    // 1264220 in NUMERIC's base of ten thousand.
    add("a decimal in binary", &[0, 126, 0x10, 0x7c]);
    for n in 1..=6_i32 {
        add("a float in binary", &(1_264_220.5 + f64::from(n)).to_be_bytes());
    }
    add("the mask key", hash_key.as_bytes());
    for (_, padded) in pgveil::govern::masks::hash_key_options(hash_key.as_bytes()) {
        add("a padded mask key", &padded.as_bytes()[..24]);
    }
    all
}

/// The markers that stand in what was received, those left out that the client itself sent.
pub fn found<'m>(markers: &'m [Marker], received: &[u8], sent: &[u8]) -> Vec<&'m str> {
    let (received, sent) = (received.to_ascii_lowercase(), sent.to_ascii_lowercase());
    let holds = |bytes: &[u8], marker: &Marker| bytes.windows(marker.bytes.len()).any(|w| w == marker.bytes);
    markers.iter().filter(|m| holds(&received, m) && !holds(&sent, m)).map(|m| m.name).collect()
}
