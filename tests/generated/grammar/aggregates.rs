//! Aggregates and windows.

use super::{Allowed, Grammar, list};
use crate::schema::Ty;

impl Grammar<'_> {
    /// An aggregate of this level's rows.
    pub(super) fn aggregate(&mut self, ty: Ty) -> String {
        let grouped = self.levels.last_mut().and_then(|level| level.grouped.take());
        // A column of an outer query would make it that query's aggregate.
        let allowed = Allowed { aggregates: false, windows: false, subqueries: false, outer: false };
        let mut aggregate = self.with(allowed, |g| g.bare_aggregate(ty));
        if self.percent(15) && !aggregate.starts_with('(') {
            let filter = self.with(allowed, |g| g.boolean(1));
            aggregate = format!("{aggregate} FILTER (WHERE {filter})");
        }
        if let Some(level) = self.levels.last_mut() {
            level.grouped = grouped;
        }
        aggregate
    }

    fn bare_aggregate(&mut self, ty: Ty) -> String {
        let distinct = if self.percent(15) { "DISTINCT " } else { "" };
        match ty {
            Ty::Big => match self.below(5) {
                0 => "count(*)".to_owned(),
                1 => {
                    let of = self.any_type();
                    format!("count({distinct}{})", self.expr(of, 1))
                }
                2 => match self.whole_row() {
                    Some(row) => format!("count({row})"),
                    None => "count(*)".to_owned(),
                },
                _ => format!("sum({distinct}{})", self.expr(Ty::Int, 1)),
            },
            Ty::Num => match self.below(4) {
                0 => format!("sum({distinct}{})", self.expr(Ty::Num, 1)),
                1 => format!("avg({distinct}{})", self.expr(Ty::Int, 1)),
                2 => format!("round(stddev_samp({}), 3)", self.expr(Ty::Int, 1)),
                _ => format!("max({})", self.expr(Ty::Num, 1)),
            },
            Ty::Int | Ty::Date | Ty::Ts | Ty::Tz | Ty::Itv | Ty::Time | Ty::Float => {
                let inner = self.expr(ty, 1);
                match self.below(5) {
                    0 => format!("max({inner})"),
                    1 => format!("percentile_disc(0.5) WITHIN GROUP (ORDER BY {inner})"),
                    2 => format!("mode() WITHIN GROUP (ORDER BY {inner} DESC)"),
                    3 if ty == Ty::Int => format!("bit_or({inner})"),
                    _ => format!("min({inner})"),
                }
            }
            Ty::Text => {
                let inner = self.expr(Ty::Text, 1);
                match self.below(4) {
                    0 => format!("min({inner})"),
                    1 => format!("string_agg({inner}, ',' ORDER BY {inner})"),
                    2 => format!("string_agg(DISTINCT {inner}, '' ORDER BY {inner})").replace("'' ORDER", "'+' ORDER"),
                    _ => format!("max({inner})"),
                }
            }
            Ty::Bool => {
                let inner = self.boolean(1);
                format!("{}({inner})", self.one(&["bool_and", "bool_or", "every"]))
            }
            Ty::Json => match (self.below(3), self.whole_row()) {
                (1, Some(row)) => format!("jsonb_agg({row} ORDER BY {row})"),
                _ => {
                    let of = self.any_type();
                    let inner = self.expr(of, 1);
                    format!("jsonb_agg({inner} ORDER BY {inner} {})", self.one(&["", "DESC", "NULLS FIRST"]))
                }
            },
            Ty::Texts | Ty::Ints => {
                let inner = self.expr(if ty == Ty::Texts { Ty::Text } else { Ty::Int }, 1);
                format!("array_agg({distinct}{inner} ORDER BY {inner})")
            }
            Ty::Uuid | Ty::Mood | Ty::Row => {
                let of = if ty == Ty::Row { Ty::Int } else { ty };
                let inner = self.leaf(of);
                format!("(array_agg({inner} ORDER BY {inner}))[1]")
            }
        }
    }

    /// A window function.
    pub(super) fn window(&mut self, ty: Ty, depth: usize) -> String {
        let no_windows = Allowed { windows: false, ..self.allowed };
        self.with(no_windows, |g| g.window_of(ty, depth))
    }

    fn window_of(&mut self, ty: Ty, depth: usize) -> String {
        let d = depth.min(1);
        match ty {
            Ty::Big => match self.below(5) {
                0 => format!("row_number() OVER ({})", self.total()),
                1 => {
                    let over = self.over();
                    format!("{}() OVER ({over})", self.one(&["rank", "dense_rank"]))
                }
                2 => format!("count(*) OVER ({})", self.over()),
                3 => format!("count(*) FILTER (WHERE {}) OVER ({})", self.boolean(d), self.framed()),
                _ => format!("sum({}) OVER ({})", self.expr(Ty::Int, d), self.framed()),
            },
            Ty::Num => format!("avg({}) OVER ({})", self.expr(Ty::Num, d), self.framed()),
            Ty::Float => format!("{}() OVER ({})", self.one(&["percent_rank", "cume_dist"]), self.over()),
            Ty::Bool => format!("bool_or({}) OVER ({})", self.boolean(d), self.framed()),
            Ty::Int if self.percent(30) => format!("ntile(3) OVER ({})", self.total()),
            Ty::Int | Ty::Text | Ty::Date | Ty::Ts if self.percent(50) => {
                format!("{}({}) OVER ({})", self.one(&["max", "min"]), self.expr(ty, d), self.framed())
            }
            _ => {
                let inner = self.expr(ty, d);
                let call = match self.below(5) {
                    0 => format!("lag({inner})"),
                    1 => format!("lead({inner}, 2)"),
                    2 => format!("first_value({inner})"),
                    3 => format!("nth_value({inner}, 2)"),
                    _ => format!("last_value({inner})"),
                };
                match self.levels.last().and_then(|level| level.window.clone()) {
                    Some(name) if self.percent(50) => format!("{call} OVER {name}"),
                    _ => format!("{call} OVER ({})", self.total()),
                }
            }
        }
    }

    fn partition(&mut self) -> String {
        if self.percent(50) {
            let ty = self.any_type();
            format!("PARTITION BY {} ", self.expr(ty, 1))
        } else {
            String::new()
        }
    }

    /// A window that knows peers.
    fn over(&mut self) -> String {
        let ty = self.any_type();
        format!("{}ORDER BY {}{}", self.partition(), self.expr(ty, 1), self.one(&["", " DESC", " NULLS FIRST"]))
    }

    /// A window in which no two rows that differ are peers.
    pub(super) fn total(&mut self) -> String {
        let identity = self.identity();
        let partition = self.partition();
        if identity.is_empty() {
            return format!("{partition}ORDER BY 1");
        }
        let first = if self.percent(50) {
            let ty = self.any_type();
            format!("{}{}, ", self.expr(ty, 1), self.one(&["", " DESC", " NULLS LAST"]))
        } else {
            String::new()
        };
        format!("{partition}ORDER BY {first}{}", list(&identity))
    }

    /// A window with a frame that has one meaning.
    fn framed(&mut self) -> String {
        match self.below(8) {
            0 => self.over(),
            1 => self.partition(),
            2 => format!("{} ROWS BETWEEN 1 PRECEDING AND CURRENT ROW", self.total()),
            3 => format!("{} ROWS UNBOUNDED PRECEDING", self.total()),
            4 => format!("{} GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING", self.over()),
            5 => {
                format!("{}ORDER BY {} RANGE BETWEEN 2 PRECEDING AND 1 FOLLOWING", self.partition(), self.leaf(Ty::Int))
            }
            6 => format!(
                "{}ORDER BY {} RANGE BETWEEN INTERVAL '3 days' PRECEDING AND CURRENT ROW",
                self.partition(),
                self.leaf(Ty::Date)
            ),
            _ => {
                self.novel = true;
                format!("{} ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE CURRENT ROW", self.total())
            }
        }
    }
}
