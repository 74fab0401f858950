//! Queries: SELECT with all its clauses, set operations, VALUES, TABLE, and WITH around them.

use super::{Allowed, Grammar, Level, Query, list};
use crate::schema::{PRODUCTS, Ty};

impl Grammar<'_> {
    /// A query, of these types when they matter. `top`: nothing is around it.
    pub(super) fn query(&mut self, types: Option<&[Ty]>, depth: usize, top: bool) -> Query {
        let ctes = self.ctes.len();
        let with = if depth > 0 && self.fuel > 0 && self.percent(if top { 25 } else { 6 }) {
            self.with_clause(depth - 1)
        } else {
            String::new()
        };
        let mut query = if depth > 0 && self.fuel > 0 {
            match self.below(20) {
                0..=16 => self.select(types, depth - 1, top, true),
                17 | 18 => self.set_operation(types, depth - 1, top),
                _ => self.rows(types),
            }
        } else {
            self.select(types, 0, top, true)
        };
        query.sql = with + &query.sql;
        self.ctes.truncate(ctes);
        query
    }

    fn with_clause(&mut self, depth: usize) -> String {
        if self.percent(20) {
            return self.recursive();
        }
        let mut parts = Vec::new();
        for _ in 0..=self.below(2) {
            let name = if self.percent(25) {
                self.one(&["customers", "orders", "items", "shop_orders", "tickets", "campaigns"]).to_owned()
            } else {
                self.fresh("w")
            };
            if parts.iter().any(|part: &String| part.starts_with(&format!("{name} "))) {
                continue;
            }
            let query = self.plainly(|g| g.query(None, depth, false));
            let columns: Vec<_> = query.columns.iter().enumerate().map(|(n, c)| (format!("k{n}"), c.1)).collect();
            let names: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
            let kind = self.one(&["", "", "MATERIALIZED ", "NOT MATERIALIZED "]);
            parts.push(format!("{name} ({}) AS {kind}({})", names.join(", "), query.sql));
            self.ctes.retain(|c| c.0 != name);
            self.ctes.push((name, columns));
        }
        format!("WITH {} ", parts.join(", "))
    }

    fn recursive(&mut self) -> String {
        let name = self.fresh("w");
        let (columns, sql) = match self.below(3) {
            0 => (
                vec![("k0".to_owned(), Ty::Int)],
                format!("{name}(k0) AS (VALUES (1) UNION ALL SELECT k0 + 1 FROM {name} WHERE k0 < 5)"),
            ),
            1 => (
                vec![("id".to_owned(), Ty::Int), ("parent".to_owned(), Ty::Int), ("depth".to_owned(), Ty::Int)],
                format!(
                    "{name} AS (SELECT id, parent, 0 AS depth FROM shop.accounts WHERE parent IS NULL UNION ALL \
                     SELECT a.id, a.parent, t.depth + 1 FROM shop.accounts a JOIN {name} t ON a.parent = t.id)"
                ),
            ),
            _ => (
                vec![("region".to_owned(), Ty::Text), ("n".to_owned(), Ty::Int)],
                format!(
                    "{name}(region, n) AS (SELECT region, 1 FROM shop.orders UNION \
                     SELECT o.region, t.n + 1 FROM {name} t, ops.orders o WHERE o.region = t.region AND t.n < 3)"
                ),
            ),
        };
        self.ctes.push((name, columns));
        format!("WITH RECURSIVE {sql} ")
    }

    fn set_operation(&mut self, types: Option<&[Ty]>, depth: usize, top: bool) -> Query {
        let left = self.select(types, depth, false, false);
        let types: Vec<Ty> = left.columns.iter().map(|c| c.1).collect();
        let word =
            self.one(&["UNION ALL", "UNION", "INTERSECT", "EXCEPT", "EXCEPT ALL", "INTERSECT ALL", "UNION DISTINCT"]);
        let right = if self.percent(20) {
            self.query(Some(&types), depth.min(1), false)
        } else {
            self.select(Some(&types), depth, false, false)
        };
        let right = if self.percent(30)
            || right.sql.contains("LIMIT")
            || right.sql.starts_with("WITH")
            || right.sql.contains("ORDER BY")
            || right.sql.contains("UNION")
            || right.sql.contains("EXCEPT")
            || right.sql.contains("INTERSECT")
        {
            format!("({})", right.sql)
        } else {
            right.sql
        };
        let left_sql =
            if self.percent(20) || left.sql.contains("ORDER BY") { format!("({})", left.sql) } else { left.sql };
        let mut query = Query { sql: format!("{left_sql} {word} {right}"), columns: left.columns, ordered: false };
        self.tail(&mut query, top);
        query
    }

    /// VALUES, or TABLE.
    fn rows(&mut self, types: Option<&[Ty]>) -> Query {
        if types.is_none() && self.percent(50) {
            let product = &PRODUCTS[self.below(PRODUCTS.len())];
            let columns = product.columns.iter().map(|c| (c.0.to_owned(), c.1)).collect();
            return Query { sql: format!("TABLE {}.{}", product.domain, product.name), columns, ordered: false };
        }
        let types: Vec<Ty> = types.map_or_else(|| vec![Ty::Int, Ty::Text], <[Ty]>::to_vec);
        let row = |g: &mut Self| {
            let cells: Vec<String> = types.iter().map(|ty| g.leaf(*ty)).collect();
            format!("({})", cells.join(", "))
        };
        let rows: Vec<String> = (0..=self.below(2)).map(|_| self.plainly(row)).collect();
        let columns = types.iter().enumerate().map(|(n, ty)| (format!("column{}", n + 1), *ty)).collect();
        Query { sql: format!("VALUES {}", rows.join(", ")), columns, ordered: false }
    }

    /// Without `tail` it may stand in a set operation as it is.
    fn select(&mut self, types: Option<&[Ty]>, depth: usize, top: bool, tail: bool) -> Query {
        self.fuel -= 1;
        let from = if self.percent(4) { None } else { Some(self.from(depth)) };
        let mut sql = String::new();
        let mut level = Level { bare: self.percent(15), ..Level::default() };
        if let Some(from) = from {
            sql = format!(" FROM {}", from.sql);
            (level.rels, level.star) = (from.rels, from.star);
        }
        self.levels.push(level);
        if self.percent(55) {
            let condition = self.plainly(|g| g.boolean(depth.min(2)));
            sql = format!("{sql} WHERE {condition}");
        }
        let has_from = sql.starts_with(" FROM");
        let grouped = has_from && self.percent(28);
        let windows = self.percent(25);
        if grouped {
            sql += &self.group_by(depth);
        } else if windows && has_from && self.percent(25) {
            let name = self.fresh("win");
            let window = self.plainly(Self::total);
            sql = format!("{sql} WINDOW {name} AS ({window})");
            self.levels.last_mut().unwrap().window = Some(name);
        }
        let allowed = Allowed { aggregates: grouped, windows, subqueries: true, outer: true };
        let (items, columns) = self.with(allowed, |g| g.select_list(types, depth, top, grouped || !has_from));
        let mut query = Query { sql: format!("{items}{sql}"), columns, ordered: false };
        let distinct = self.percent(12);
        if tail && !grouped && !windows && has_from && !distinct && self.percent(5) {
            self.distinct_on(&mut query);
        } else {
            query.sql = format!("SELECT {}{}", if distinct { "DISTINCT " } else { "" }, query.sql);
            if tail {
                if !distinct && self.percent(15) {
                    // An order that says nothing of the rows' number, and need not be total.
                    let ty = self.any_type();
                    let by = self.with(allowed, |g| g.expr(ty, 1));
                    if !by.chars().next().is_some_and(|c| c.is_ascii_digit() || c == '\'' || c == '$') {
                        query.sql = format!(
                            "{} ORDER BY {by}{}",
                            query.sql,
                            self.one(&["", " DESC", " NULLS FIRST", " ASC NULLS LAST"])
                        );
                    }
                } else {
                    self.tail(&mut query, top);
                }
            }
        }
        self.levels.pop();
        query
    }

    fn distinct_on(&mut self, query: &mut Query) {
        let ty = self.any_type();
        let by = self.leaf_column(ty);
        let identity = list(&self.identity());
        query.sql = format!("SELECT DISTINCT ON ({by}) {} ORDER BY {by}, {identity}", query.sql);
    }

    /// A column, of another type when there is none of this.
    fn leaf_column(&mut self, ty: Ty) -> String {
        let columns = self.columns(ty);
        if columns.is_empty() {
            return self.identity().first().cloned().unwrap_or_else(|| "1".to_owned());
        }
        columns[self.below(columns.len())].clone()
    }

    fn group_by(&mut self, depth: usize) -> String {
        let mut keys: Vec<(String, Ty)> = Vec::new();
        for _ in 0..self.below(3) {
            let ty = self.any_type();
            let key = if self.percent(30) { self.plainly(|g| g.expr(ty, 1)) } else { self.leaf_column(ty) };
            let constant = key.starts_with(|c: char| c.is_ascii_digit() || "'$(".contains(c))
                || key.contains("SELECT")
                || key.contains('$')
                || key.starts_with("NULL")
                || key.starts_with("ARRAY[");
            // A column of another type may have taken its place.
            let known = key.contains('(') || self.columns(ty).contains(&key);
            if !constant && known && !keys.iter().any(|k| k.0 == key) {
                keys.push((key, ty));
            }
        }
        let names: Vec<String> = keys.iter().map(|k| k.0.clone()).collect();
        let mut sets = String::new();
        let clause = match (keys.len(), self.below(8)) {
            (0, _) => String::new(),
            (_, 5) => format!(" GROUP BY ROLLUP ({})", list(&names)),
            (2, 6) => format!(" GROUP BY GROUPING SETS (({}), ({}), ())", list(&names), names[1]),
            (2, 7) => format!(" GROUP BY CUBE ({})", list(&names)),
            _ => {
                sets = list(&names);
                format!(" GROUP BY {sets}")
            }
        };
        if sets.is_empty() && !keys.is_empty() {
            keys.push((format!("grouping({})", list(&names)), Ty::Int));
        }
        // What the primary key determines needs no mention.
        if keys.is_empty()
            && self.percent(30)
            && let Some(rel) = self.level().and_then(|l| l.rels.first()).cloned()
        {
            let by: Vec<String> = rel.key.iter().map(|k| format!("{}.{k}", rel.names[0])).collect();
            let columns = rel.columns.iter().map(|c| (format!("{}.{}", rel.names[0], c.0), c.1)).collect();
            self.levels.last_mut().unwrap().grouped = Some(columns);
            return format!(" GROUP BY {}{}", list(&by), self.having(depth));
        }
        self.levels.last_mut().unwrap().grouped = Some(keys);
        clause + &self.having(depth)
    }

    fn having(&mut self, depth: usize) -> String {
        if !self.percent(30) {
            return String::new();
        }
        let allowed = Allowed { aggregates: true, windows: false, subqueries: true, outer: true };
        format!(" HAVING {}", self.with(allowed, |g| g.boolean(depth.min(1))))
    }

    fn select_list(
        &mut self,
        types: Option<&[Ty]>,
        depth: usize,
        top: bool,
        plain: bool,
    ) -> (String, Vec<(String, Ty)>) {
        if let Some(types) = types {
            let items: Vec<String> = types.iter().map(|ty| self.expr(*ty, depth.min(2))).collect();
            let columns = types.iter().map(|ty| (String::new(), *ty)).collect();
            return (list(&items), columns);
        }
        let star = self.level().map(|l| l.star.clone()).unwrap_or_default();
        if !plain && self.percent(12) && !star.is_empty() {
            return ("*".to_owned(), star);
        }
        let (mut items, mut columns) = (Vec::new(), Vec::new());
        for at in 0..=self.below(4) {
            let rels = self.level().map_or(0, |l| l.rels.len());
            if !plain && rels > 0 && self.percent(6) {
                let rel = self.levels.last().unwrap().rels[at % rels].clone();
                items.push(format!("{}.*", rel.names[0]));
                columns.extend(rel.columns);
            } else if top
                && !plain
                && self.percent(4)
                && let Some(row) = self.whole_row()
            {
                if self.percent(20) {
                    self.novel = true;
                    items.push(format!("({row}).*"));
                    let rel = self.levels.last().unwrap().rels.iter().find(|r| r.names[0] == row).unwrap().clone();
                    columns.extend(rel.columns);
                } else {
                    items.push(row);
                    columns.push((String::new(), Ty::Row));
                }
            } else {
                let ty = self.any_type();
                let item = self.expr(ty, depth.min(3));
                let name = if top && self.percent(50) { String::new() } else { format!("c{at}") };
                items.push(if name.is_empty() { item } else { format!("{item} AS {name}") });
                columns.push((name, ty));
            }
        }
        (list(&items), columns)
    }

    /// An order of all columns, and a limit that it makes exact.
    fn tail(&mut self, query: &mut Query, top: bool) {
        if !self.percent(if top { 45 } else { 20 }) || query.columns.is_empty() {
            return;
        }
        let by: Vec<String> = (1..=query.columns.len())
            .map(|n| format!("{n}{}", self.one(&["", "", " DESC", " NULLS FIRST", " DESC NULLS LAST"])))
            .collect();
        query.ordered = true;
        let limit = match self.below(9) {
            0..=2 => "",
            3 => " LIMIT 3",
            4 => " LIMIT 5 OFFSET 1",
            5 => " OFFSET 2 ROWS FETCH NEXT 4 ROWS ONLY",
            6 => " FETCH FIRST 3 ROWS WITH TIES",
            7 => " LIMIT ALL OFFSET 1",
            _ => " LIMIT 2 + 1",
        };
        query.sql = format!("{} ORDER BY {}{limit}", query.sql, by.join(", "));
    }
}
