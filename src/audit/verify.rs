//! Reading a log again: edited, dropped, reordered and inserted lines.
