//! Mutations of seeds, the same for the same number.

/// Numbers at which lengths and counts go wrong.
const EDGES: [i32; 9] = [0, 1, -1, 3, 4, 5, i32::MAX, i32::MIN, 65_536];

/// Where mutations come from.
pub struct Mutation<'w> {
    state: u64,
    words: &'w [&'w str],
}

impl<'w> Mutation<'w> {
    pub fn new(seed: u64, words: &'w [&'w str]) -> Self {
        Self { state: seed, words }
    }

    /// A number below `n` (splitmix64).
    fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % n.max(1) as u64).unwrap()
    }

    /// One of the seeds, changed in some places.
    pub fn of(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            if self.below(2) == 0 || self.words.is_empty() {
                self.bytes(&mut input, seeds);
            } else {
                self.tokens(&mut input, seeds);
            }
        }
        input
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length - from } else { 8.min(length - from) };
        from..from + self.below(most + 1)
    }

    fn bytes(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap(),
            2 => input.insert(at, b"\0\x01\xff\x7f'\"\\;-()$"[self.below(12)]),
            3 => drop(input.drain(self.range(input.len()))),
            4 => {
                let copied = input[self.range(input.len())].to_vec();
                input.splice(at..at, copied);
            }
            5 if at + 4 <= input.len() => {
                let edge = EDGES[self.below(EDGES.len())];
                input[at..at + 4].copy_from_slice(&edge.to_be_bytes());
            }
            6 if at + 2 <= input.len() => {
                let edge = EDGES[self.below(EDGES.len())] as u16;
                input[at..at + 2].copy_from_slice(&edge.to_be_bytes());
            }
            _ => {
                let other = &seeds[self.below(seeds.len())];
                let piece = other[self.range(other.len())].to_vec();
                input.splice(at..at, piece);
            }
        }
    }

    fn tokens(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let text = String::from_utf8_lossy(input).into_owned();
        let mut tokens = tokens(&text);
        if tokens.is_empty() {
            return;
        }
        let at = self.below(tokens.len());
        match self.below(7) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at]),
            2 => {
                let other = self.below(tokens.len());
                tokens.swap(at, other);
            }
            3 | 4 => tokens.insert(at, self.words[self.below(self.words.len())]),
            5 => tokens[at] = self.words[self.below(self.words.len())],
            _ => {
                // A stretch of another seed.
                let other = String::from_utf8_lossy(&seeds[self.below(seeds.len())]).into_owned();
                let other = self::tokens(&other);
                let stretch = other[self.range(other.len())].concat();
                *input = [&tokens[..at].concat(), " ", &stretch, " ", &tokens[at..].concat()].concat().into_bytes();
                return;
            }
        }
        *input = tokens.join("").into_bytes();
    }
}

/// Words, blanks and signs.
fn tokens(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let end = if word(first) { rest.find(|c| !word(c)).unwrap_or(rest.len()) } else { first.len_utf8() };
        let (token, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        all.push(token);
        rest = tail;
    }
    all
}

/// An input that still fails, with as few bytes as some hundred attempts leave.
pub fn shrink(input: &[u8], mut fails: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
    let mut small = input.to_vec();
    let mut size = small.len() / 2;
    let mut tries = 2_000;
    while size > 0 {
        let mut at = 0;
        while at < small.len() && tries > 0 {
            tries -= 1;
            let without = [&small[..at], &small[(at + size).min(small.len())..]].concat();
            if fails(&without) { small = without } else { at += size }
        }
        size /= 2;
    }
    small
}
