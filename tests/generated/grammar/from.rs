//! FROM: products in every spelling, CTEs, derived tables, functions, joins of all kinds.

use super::{Allowed, Grammar, Level, Rel};
use crate::schema::{PRODUCTS, Product, Ty};

/// A piece of a FROM clause.
pub(super) struct Join {
    pub sql: String,
    pub rels: Vec<Rel>,
    pub star: Vec<(String, Ty)>,
}

impl Join {
    fn of(sql: String, rel: Rel) -> Self {
        Self { sql, star: rel.columns.clone(), rels: vec![rel] }
    }
    fn level(&self) -> Level {
        Level { rels: self.rels.clone(), star: self.star.clone(), ..Level::default() }
    }
    /// Columns whose name stands in `*` once.
    fn single(&self) -> Vec<(String, Ty)> {
        let single = |name: &str| self.star.iter().filter(|c| c.0 == name).count() == 1;
        self.star.iter().filter(|c| single(&c.0)).cloned().collect()
    }
}

impl Grammar<'_> {
    /// A whole FROM clause, without the word.
    pub(super) fn from(&mut self, depth: usize) -> Join {
        let allowed = Allowed { aggregates: false, windows: false, subqueries: true, outer: true };
        self.with(allowed, |g| {
            let mut from = g.tree(depth, None);
            while g.fuel > 0 && g.percent(15) && from.rels.len() < 3 {
                let right = g.tree(depth, Some(&from));
                from.sql = format!("{}, {}", from.sql, right.sql);
                from.star.extend(right.star);
                from.rels.extend(right.rels);
            }
            from
        })
    }

    /// Joined relations. `before` is what stands before them in the clause: LATERAL sees it.
    fn tree(&mut self, depth: usize, before: Option<&Join>) -> Join {
        if self.percent(2) {
            return self.namesakes();
        }
        let mut tree = match before {
            Some(before) if self.percent(40) => self.lateral(depth, before),
            _ => self.item(depth),
        };
        while self.fuel > 0 && tree.rels.len() < 3 && self.percent(35) {
            tree = self.join(tree, depth);
        }
        tree
    }

    fn join(&mut self, left: Join, depth: usize) -> Join {
        let kind = self.below(10);
        let word = match kind {
            0..=3 => self.one(&["JOIN", "INNER JOIN"]),
            4 | 5 => self.one(&["LEFT JOIN", "LEFT OUTER JOIN"]),
            6 => "RIGHT JOIN",
            7 => self.one(&["FULL JOIN", "FULL OUTER JOIN"]),
            _ => "CROSS JOIN",
        };
        let right = if matches!(kind, 0..=5 | 8 | 9) && self.percent(20) {
            self.lateral(depth, &left)
        } else if self.percent(10) && self.fuel > 0 {
            let inner = self.item(depth);
            let inner = self.join(inner, depth);
            Join { sql: format!("({})", inner.sql), ..inner }
        } else {
            self.item(depth)
        };
        if word == "CROSS JOIN" {
            return together(&left, right, word, "");
        }
        let common: Vec<_> = left.single().into_iter().filter(|c| right.single().contains(c)).collect();
        match self.below(6) {
            0 if !common.is_empty() => {
                let mut columns = vec![common[self.below(common.len())].clone()];
                if common.len() > 1 && self.percent(20) {
                    columns = common;
                }
                self.using(&left, right, word, columns, true)
            }
            1 if natural(&left, &right, &common) => {
                let word = format!("NATURAL {word}");
                self.using(&left, right, &word, common, false)
            }
            _ => {
                let on = self.on(&left, &right, word.starts_with("FULL"));
                together(&left, right, word, &format!(" ON {on}"))
            }
        }
    }

    fn using(&mut self, left: &Join, right: Join, word: &str, columns: Vec<(String, Ty)>, named: bool) -> Join {
        let names: Vec<&str> = columns.iter().map(|c| c.0.as_str()).collect();
        let clause = if named { format!(" USING ({})", names.join(", ")) } else { String::new() };
        let mut join = together(left, right, word, &clause);
        // The merged columns come first, in the order of the clause; of NATURAL in that of the left side.
        join.star.retain(|c| !names.contains(&c.0.as_str()));
        join.star.splice(0..0, columns);
        join
    }

    fn on(&mut self, left: &Join, right: &Join, plain: bool) -> String {
        let pairs: Vec<String> = pairs(left, right);
        let mut level = left.level();
        level.rels.extend(right.rels.clone());
        level.star.extend(right.star.clone());
        self.levels.push(level);
        let mut on = match self.below(pairs.len() + 1) {
            0 if plain && !pairs.is_empty() => pairs[0].clone(),
            0 if plain => "true".to_owned(),
            0 => self.boolean(2),
            n => pairs[n - 1].clone(),
        };
        if !plain && self.percent(25) {
            on = format!("{on} AND {}", self.boolean(1));
        }
        self.levels.pop();
        on
    }

    fn item(&mut self, depth: usize) -> Join {
        self.fuel -= 1;
        let cte = self.ctes.len();
        match self.below(20) {
            0..=9 => self.product(),
            10..=12 if cte > 0 => {
                let at = self.below(cte);
                let (name, columns) = self.ctes[at].clone();
                self.aliased(&name, columns, Vec::new())
            }
            13..=15 if depth > 0 && self.fuel > 0 => self.derived("", depth - 1),
            16 => self.values(),
            17 => self.function(),
            _ => self.product(),
        }
    }

    fn product(&mut self) -> Join {
        let product = &PRODUCTS[self.below(PRODUCTS.len())];
        let Product { domain, name, .. } = product;
        let columns: Vec<_> = product.columns.iter().map(|c| (c.0.to_owned(), c.1)).collect();
        let key = product.key.iter().map(|k| (*k).to_owned()).collect();
        let alone = *name != "orders" && !self.ctes.iter().any(|c| c.0 == *name);
        let flat = format!("{domain}_{name}");
        let spelling = match self.below(8) {
            1 => format!("\"{domain}\".\"{name}\""),
            2 => format!("{}.{}", domain.to_uppercase(), name.to_uppercase()),
            3 | 4 if alone => (*name).to_owned(),
            5 if !self.ctes.iter().any(|c| c.0 == flat) => flat.clone(),
            _ => format!("{domain}.{name}"),
        };
        if !self.used.iter().any(|used| *used == *name || *used == flat) && self.percent(20) {
            self.used.push((*name).to_owned());
            self.used.push(flat.clone());
            let names = match spelling.contains('.') {
                true => vec![(*name).to_owned(), format!("{domain}.{name}")],
                false => vec![spelling.clone()],
            };
            return Join::of(spelling, Rel { names, columns, key });
        }
        self.aliased(&spelling, columns, key)
    }

    /// A relation under an alias, and perhaps other names for its columns.
    fn aliased(&mut self, spelling: &str, columns: Vec<(String, Ty)>, key: Vec<String>) -> Join {
        let mut alias = self.fresh("r");
        if self.percent(5) {
            alias = format!("\"R {alias}\"");
        }
        let key = if key.is_empty() { columns.iter().map(|c| c.0.clone()).collect() } else { key };
        let word = self.one(&["AS ", ""]);
        if self.percent(8) {
            let renamed = 1 + self.below(columns.len());
            let new = |n: usize| format!("{}_{n}", alias.trim_matches('"').replace([' ', 'R'], "").to_lowercase());
            let names: Vec<String> = (0..renamed).map(new).collect();
            let rename = |name: &String| match columns.iter().position(|c| c.0 == *name) {
                Some(at) if at < renamed => names[at].clone(),
                _ => name.clone(),
            };
            let key = key.iter().map(rename).collect();
            let sql = format!("{spelling} {word}{alias} ({})", names.join(", "));
            let columns = columns.iter().map(|c| (rename(&c.0), c.1)).collect();
            return Join::of(sql, Rel { names: vec![alias], columns, key });
        }
        Join::of(format!("{spelling} {word}{alias}"), Rel { names: vec![alias], columns, key })
    }

    fn derived(&mut self, word: &str, depth: usize) -> Join {
        let query = self.query(None, depth, false);
        let alias = self.fresh("d");
        let unnamed = query
            .columns
            .iter()
            .enumerate()
            .any(|(at, c)| c.0.is_empty() || query.columns[..at].iter().any(|other| other.0 == c.0));
        let columns: Vec<_> = if unnamed || self.percent(20) {
            (0..query.columns.len()).map(|n| (format!("{alias}_{n}"), query.columns[n].1)).collect()
        } else {
            query.columns.clone()
        };
        let renamed = columns != query.columns;
        let names: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
        let named = if renamed { format!(" ({})", names.join(", ")) } else { String::new() };
        let rel = Rel { names: vec![alias.clone()], columns, key: names };
        Join::of(format!("{word}({}) AS {alias}{named}", query.sql), rel)
    }

    fn values(&mut self) -> Join {
        let alias = self.fresh("v");
        let types = [Ty::Int, self.any_type()];
        let rows: Vec<String> =
            (0..=self.below(3)).map(|_| format!("({}, {})", self.literal(types[0]), self.literal(types[1]))).collect();
        let columns: Vec<_> = vec![(format!("{alias}_0"), types[0]), (format!("{alias}_1"), types[1])];
        let key: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
        let sql = format!("(VALUES {}) AS {alias} ({})", rows.join(", "), key.join(", "));
        Join::of(sql, Rel { names: vec![alias], columns, key })
    }

    fn function(&mut self) -> Join {
        let alias = self.fresh("f");
        let (call, ty) = match self.below(4) {
            0 => (format!("generate_series(1, {})", self.one(&["3", "2", "0"])), Ty::Int),
            1 => (format!("unnest({})", self.literal(Ty::Texts)), Ty::Text),
            2 => ("generate_series(date '2025-01-01', date '2025-01-04', interval '1 day')".to_owned(), Ty::Tz),
            _ => ("regexp_split_to_table('a,b', ',')".to_owned(), Ty::Text),
        };
        let mut columns = vec![(format!("{alias}_0"), ty)];
        let ordinality = self.percent(30);
        if ordinality {
            columns.push((format!("{alias}_1"), Ty::Big));
        }
        let key: Vec<String> = columns.iter().map(|c| c.0.clone()).collect();
        let with = if ordinality { " WITH ORDINALITY" } else { "" };
        Join::of(format!("{call}{with} AS {alias}({})", key.join(", ")), Rel { names: vec![alias], columns, key })
    }

    /// Something that reads what stands before it.
    fn lateral(&mut self, depth: usize, before: &Join) -> Join {
        self.levels.push(before.level());
        let lateral = match self.below(4) {
            0 => {
                let (argument, alias) = (self.leaf(Ty::Texts), self.fresh("u"));
                let column = (format!("{alias}_0"), Ty::Text);
                let key = vec![column.0.clone()];
                let sql = format!("{}unnest({argument}) AS {alias}({})", self.one(&["", "LATERAL "]), column.0);
                Join::of(sql, Rel { names: vec![alias], columns: vec![column], key })
            }
            1 => {
                let (argument, alias) = (self.leaf(Ty::Json), self.fresh("j"));
                let columns = vec![("key".to_owned(), Ty::Text), ("value".to_owned(), Ty::Text)];
                let key = vec!["key".to_owned(), "value".to_owned()];
                // A scalar has no keys: `- 'n'` of it would be an error.
                let argument = format!("CASE WHEN jsonb_typeof({argument}) = 'object' THEN {argument} END");
                let sql = format!("LATERAL jsonb_each_text({argument}) AS {alias}");
                Join::of(sql, Rel { names: vec![alias], columns, key })
            }
            _ => self.derived("LATERAL ", depth.saturating_sub(1)),
        };
        self.levels.pop();
        lateral
    }

    /// Two products of one name, told apart by their domains alone.
    fn namesakes(&mut self) -> Join {
        let (Some(shop), Some(ops)) = (
            PRODUCTS.iter().find(|p| p.domain == "shop" && p.name == "orders"),
            PRODUCTS.iter().find(|p| p.domain == "ops" && p.name == "orders"),
        ) else {
            return self.product();
        };
        if self.used.iter().any(|used| used == "orders") {
            return self.product();
        }
        self.used.push("orders".to_owned());
        let rel = |p: &Product| Rel {
            names: vec![format!("{}.{}", p.domain, p.name)],
            columns: p.columns.iter().map(|c| (c.0.to_owned(), c.1)).collect(),
            key: p.key.iter().map(|k| (*k).to_owned()).collect(),
        };
        let left = Join::of("shop.orders".to_owned(), rel(shop));
        let right = Join::of("ops.orders".to_owned(), rel(ops));
        together(&left, right, self.one(&["JOIN", "LEFT JOIN"]), " ON shop.orders.id = ops.orders.order_id")
    }
}

fn together(left: &Join, right: Join, word: &str, clause: &str) -> Join {
    let mut rels = left.rels.clone();
    let mut star = left.star.clone();
    rels.extend(right.rels);
    star.extend(right.star);
    Join { sql: format!("{} {word} {}{clause}", left.sql, right.sql), rels, star }
}

/// Whether every name that both sides have is one column of one type.
fn natural(left: &Join, right: &Join, common: &[(String, Ty)]) -> bool {
    let shared = left.star.iter().filter(|c| right.star.iter().any(|r| r.0 == c.0)).count();
    !common.is_empty()
        && shared == common.len()
        && common.len() == right.star.iter().filter(|c| left.star.iter().any(|l| l.0 == c.0)).count()
}

/// Equalities of columns of one type, those of like names first.
fn pairs(left: &Join, right: &Join) -> Vec<String> {
    let mut alike = Vec::new();
    let mut others = Vec::new();
    for l in &left.rels {
        for (name, ty) in &l.columns {
            for r in &right.rels {
                for (other, _) in r.columns.iter().filter(|c| c.1 == *ty && !matches!(ty, Ty::Row | Ty::Bool)) {
                    let pair = format!("{}.{name} = {}.{other}", l.names[0], r.names[0]);
                    if name == other || name.ends_with("id") && other.ends_with("id") {
                        &mut alike
                    } else {
                        &mut others
                    }
                    .push(pair);
                }
            }
        }
    }
    let few = others.len().min(alike.len() / 2 + 1);
    alike.extend(others.into_iter().take(few));
    alike
}
