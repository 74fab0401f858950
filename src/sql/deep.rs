//! Stack for trees: flat chains (`a OR b OR …`) nest as deep as they are long, and a runtime's threads have 2 MiB.

/// What a tree of the largest allowed statement needs to be parsed, walked, printed or dropped, in an unoptimised build too.
/// Only what is touched takes memory.
pub const DEEP_STACK: usize = 256 * 1024 * 1024;
/// Less than this is left only outside of a deep stack.
const RED_ZONE: usize = 192 * 1024 * 1024;

/// Runs `work` on a stack that holds the deepest tree that the limits allow. Everything that parses, walks, prints, compares,
/// clones or drops a tree belongs inside. Calls may nest; the inner one costs nothing.
pub fn with_deep_stack<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, DEEP_STACK, work)
}
