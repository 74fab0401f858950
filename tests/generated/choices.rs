//! What a generated thing is made of: a row of numbers. A shorter row of smaller numbers makes a simpler thing, so that one
//! shrinker serves every generator.

/// Numbers that come from a seed at first, and from what was recorded when a case is made again.
pub struct Choices {
    taken: Vec<u32>,
    at: usize,
    random: Option<u64>,
}

impl Choices {
    pub fn seeded(seed: u64) -> Self {
        Self { taken: Vec::new(), at: 0, random: Some(seed) }
    }
    /// Gives these numbers, and zeros when they are used up.
    pub fn recorded(taken: Vec<u32>) -> Self {
        Self { taken, at: 0, random: None }
    }
    /// A number below `n`. Zero is the simplest.
    pub fn below(&mut self, n: usize) -> usize {
        if self.at == self.taken.len() {
            let next = self.random.as_mut().map_or(0, |state| u32::try_from(splitmix(state) >> 32).unwrap());
            self.taken.push(next);
        }
        let number = self.taken[self.at] as usize % n.max(1);
        // What is kept is the number that was meant: it shrinks in steps that change something.
        self.taken[self.at] = u32::try_from(number).unwrap();
        self.at += 1;
        number
    }
    /// Every number that was taken.
    pub fn taken(mut self) -> Vec<u32> {
        self.taken.truncate(self.at);
        self.taken
    }
}

/// The next number of a splitmix64 sequence.
pub fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A row that still fails, as small as `tries` attempts make it.
pub fn shrink(mut row: Vec<u32>, mut tries: usize, mut fails: impl FnMut(&[u32]) -> bool) -> Vec<u32> {
    let mut attempt = |candidate: Vec<u32>, row: &mut Vec<u32>| {
        if tries == 0 || candidate == *row {
            return false;
        }
        tries -= 1;
        let smaller = fails(&candidate);
        if smaller {
            *row = candidate;
        }
        smaller
    };
    let mut progress = true;
    while progress {
        progress = false;
        let mut size = row.len().max(1);
        while size > 0 {
            let mut at = 0;
            while at < row.len() {
                let end = (at + size).min(row.len());
                let without = [&row[..at], &row[end..]].concat();
                let mut zeros = row.clone();
                zeros[at..end].fill(0);
                if attempt(without, &mut row) {
                    progress = true;
                } else {
                    progress |= attempt(zeros, &mut row);
                    at = end;
                }
            }
            size /= 2;
        }
        for at in 0..row.len() {
            for smaller in [row[at] / 2, row[at].saturating_sub(1)] {
                let mut candidate = row.clone();
                candidate[at] = smaller;
                progress |= attempt(candidate, &mut row);
            }
        }
    }
    row
}

/// A text that still fails, with as few of its tokens as `tries` attempts leave.
pub fn shrink_text(text: &str, mut tries: usize, mut fails: impl FnMut(&str) -> bool) -> String {
    let mut tokens = tokens(text);
    let mut size = tokens.len() / 2;
    while size > 0 && tries > 0 {
        let mut at = 0;
        let mut found = false;
        while at + size <= tokens.len() && tries > 0 {
            let without = [&tokens[..at], &tokens[at + size..]].concat();
            tries -= 1;
            if fails(&without.concat()) {
                tokens = without;
                found = true;
            } else {
                at += 1;
            }
        }
        if !found {
            size = if size > 8 { size / 2 } else { size - 1 };
        }
    }
    tokens.concat()
}

/// Words, literals and signs, with the blanks before them.
pub fn tokens(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut quote = None;
    let mut blank = String::new();
    for c in text.chars() {
        let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
        if let Some(open) = quote {
            all.last_mut().unwrap().push(c);
            if c == open {
                quote = None;
            }
        } else if c.is_whitespace() {
            blank.push(c);
        } else if blank.is_empty() && word(c) && all.last().and_then(|t| t.chars().last()).is_some_and(word) {
            all.last_mut().unwrap().push(c);
        } else {
            let mut token = std::mem::take(&mut blank);
            token.push(c);
            if c == '\'' || c == '"' {
                quote = Some(c);
            }
            all.push(token);
        }
    }
    all
}
