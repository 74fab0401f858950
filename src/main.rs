//! Arguments -> command.

fn main() {}
