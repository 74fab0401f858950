//! Scalar expressions by type.

use super::{Grammar, Query};
use crate::schema::Ty;

/// Types of which most values can be made.
pub(super) const TYPES: [Ty; 16] = [
    Ty::Int,
    Ty::Text,
    Ty::Num,
    Ty::Big,
    Ty::Date,
    Ty::Bool,
    Ty::Int,
    Ty::Text,
    Ty::Ts,
    Ty::Tz,
    Ty::Json,
    Ty::Texts,
    Ty::Itv,
    Ty::Float,
    Ty::Uuid,
    Ty::Time,
];

/// How a type is written in a cast.
pub(super) fn sql_type(ty: Ty) -> &'static str {
    match ty {
        Ty::Int => "int",
        Ty::Big => "bigint",
        Ty::Num => "numeric",
        Ty::Float => "float8",
        Ty::Text | Ty::Mood | Ty::Row => "text",
        Ty::Bool => "boolean",
        Ty::Date => "date",
        Ty::Ts => "timestamp",
        Ty::Tz => "timestamptz",
        Ty::Itv => "interval",
        Ty::Json => "jsonb",
        Ty::Texts => "text[]",
        Ty::Ints => "int[]",
        Ty::Uuid => "uuid",
        Ty::Time => "time",
    }
}

impl Grammar<'_> {
    /// A type, most often of a column in sight.
    pub(super) fn any_type(&mut self) -> Ty {
        if self.percent(65)
            && let Some(level) = self.levels.last()
        {
            let all: Vec<Ty> = match &level.grouped {
                Some(keys) => keys.iter().map(|k| k.1).collect(),
                None => level.rels.iter().flat_map(|r| r.columns.iter().map(|c| c.1)).collect(),
            };
            if !all.is_empty() {
                return all[self.below(all.len())];
            }
        }
        TYPES[self.below(TYPES.len())]
    }

    pub(super) fn expr(&mut self, ty: Ty, depth: usize) -> String {
        self.fuel -= 1;
        if depth == 0 || self.fuel <= 0 {
            return self.leaf(ty);
        }
        match self.below(24) {
            0..=9 => self.leaf(ty),
            10 => {
                let (when, then, other) = (self.boolean(depth - 1), self.expr(ty, depth - 1), self.expr(ty, depth - 1));
                let other = if self.percent(70) { format!(" ELSE {other}") } else { String::new() };
                format!("CASE WHEN {when} THEN {then}{other} END")
            }
            11 => format!("coalesce({}, {})", self.expr(ty, depth - 1), self.expr(ty, depth - 1)),
            12 if ty != Ty::Mood => format!("nullif({}, {})", self.expr(ty, depth - 1), self.expr(ty, depth - 1)),
            13 | 14 if self.allowed.subqueries => self.scalar_subquery(ty, depth - 1),
            15 if self.allowed.windows => self.window(ty, depth - 1),
            16 if !matches!(ty, Ty::Mood | Ty::Bool | Ty::Json | Ty::Uuid) => {
                format!(
                    "{}({}, {})",
                    self.one(&["greatest", "least"]),
                    self.expr(ty, depth - 1),
                    self.expr(ty, depth - 1)
                )
            }
            17 => {
                let (subject, value) = (self.expr(Ty::Int, depth - 1), self.expr(ty, depth - 1));
                format!("CASE {subject} WHEN 1 THEN {value} WHEN 2 THEN {} END", self.leaf(ty))
            }
            _ => self.typed(ty, depth - 1),
        }
    }

    /// A column of the type, or a literal.
    pub(super) fn leaf(&mut self, ty: Ty) -> String {
        if self.allowed.aggregates && self.percent(50) {
            return self.aggregate(ty);
        }
        let columns = self.columns(ty);
        // The more columns there are, the fewer literals.
        match self.below(columns.len() + 1 + columns.len() / 3) {
            0 => self.literal(ty),
            n => columns[(n - 1) % columns.len()].clone(),
        }
    }

    /// What columns of a type can be named here.
    pub(super) fn columns(&mut self, ty: Ty) -> Vec<String> {
        let mut found = Vec::new();
        let innermost = self.levels.len().saturating_sub(1);
        for (at, level) in self.levels.iter().enumerate() {
            if at != innermost && !self.allowed.outer {
                continue;
            }
            if let Some(keys) = &level.grouped {
                let simple = |key: &str| key.chars().all(|c| c.is_alphanumeric() || "_.\"".contains(c));
                let keys = keys.iter().filter(|k| k.1 == ty && (at == innermost || simple(&k.0)));
                found.extend(keys.map(|k| k.0.clone()));
                continue;
            }
            for rel in &level.rels {
                for (column, _) in rel.columns.iter().filter(|c| c.1 == ty) {
                    found.extend(rel.names.iter().map(|name| format!("{name}.{column}")));
                    let alone = level.star.iter().filter(|c| c.0 == *column).count() == 1;
                    if at == innermost && level.bare && alone && rel.names.len() == 1 {
                        found.push(column.clone());
                    }
                }
            }
        }
        found
    }

    pub(super) fn literal(&mut self, ty: Ty) -> String {
        let text = match ty {
            Ty::Int => self.one(&["1", "0", "2", "3", "7", "(-1)", "100"]),
            Ty::Big => self.one(&["1::bigint", "2::bigint", "0::bigint", "5000000000"]),
            Ty::Num => self.one(&["1.5", "0.0", "10.25", "(-2.5)", "1e2"]),
            Ty::Float => self.one(&["1.5::float8", "0::float8", "float8 '2.5'"]),
            Ty::Text => {
                let all = [
                    "'a'::text",
                    "'EU'::text",
                    "''::text",
                    "'draft'::text",
                    "'1'::text",
                    "E'\\n'::text",
                    "'ü''s'::text",
                    "$$x$$::text",
                ];
                self.one(&all)
            }
            Ty::Bool => self.one(&["true", "false", "NULL::bool"]),
            Ty::Date => self.one(&["date '2025-01-05'", "'2025-01-01'::date", "date '1970-01-01'"]),
            Ty::Ts => self.one(&["timestamp '2025-02-01 12:00'", "'2021-01-01'::timestamp"]),
            Ty::Tz => self.one(&["timestamptz '2025-03-02 12:00+00'", "'2024-01-01 00:00+00'::timestamptz"]),
            Ty::Itv => self.one(&["interval '1 day'", "'2 hours'::interval", "interval '1' month"]),
            Ty::Json => {
                let all = ["'{\"n\": \"1\"}'::jsonb", "'[1, \"x\"]'::jsonb", "jsonb '{\"a\": 1}'", "'null'::jsonb"];
                self.one(&all)
            }
            Ty::Texts => self.one(&["ARRAY['a', 'b']", "'{b}'::text[]", "ARRAY[]::text[]"]),
            Ty::Ints => self.one(&["ARRAY[1, 2]", "'{3}'::int[]"]),
            Ty::Uuid => self.one(&["'00000000-0000-0000-0000-000000000001'::uuid"]),
            Ty::Time => self.one(&["time '07:00'", "'06:30'::time"]),
            Ty::Mood => "NULL",
            Ty::Row => "row(1, 'a')",
        };
        let sent = matches!(ty, Ty::Int | Ty::Text | Ty::Date | Ty::Num | Ty::Bool);
        if sent && self.parameters.is_some() && self.percent(40) {
            return self.parameter(ty);
        }
        if self.percent(4) && ty != Ty::Row {
            return if ty == Ty::Mood { "NULL".to_owned() } else { format!("NULL::{}", sql_type(ty)) };
        }
        text.to_owned()
    }

    fn parameter(&mut self, ty: Ty) -> String {
        let value = match ty {
            Ty::Int => self.one(&["1", "0", "3"]),
            Ty::Num => self.one(&["1.5", "0"]),
            Ty::Date => "2025-01-03",
            Ty::Bool => self.one(&["t", "f"]),
            _ => self.one(&["a", "EU", "", "it's"]),
        };
        let Some(parameters) = &mut self.parameters else { return "1".to_owned() };
        parameters.push(value.to_owned());
        format!("${}::{}", parameters.len(), sql_type(ty))
    }

    fn typed(&mut self, ty: Ty, d: usize) -> String {
        match ty {
            Ty::Int => self.int(d),
            Ty::Big => match self.below(4) {
                0 => format!("({})::bigint", self.expr(Ty::Int, d)),
                1 => format!("({} + {})", self.expr(Ty::Big, d), self.leaf(Ty::Int)),
                2 if self.allowed.subqueries => self.counting(d),
                _ => format!("abs({})", self.expr(Ty::Big, d)),
            },
            Ty::Num => self.num(d),
            Ty::Float => match self.below(4) {
                0 => format!("({})::float8", self.expr(Ty::Int, d)),
                1 => format!("sqrt(abs({}))", self.expr(Ty::Float, d)),
                2 => format!("({} * {})", self.expr(Ty::Float, d), self.leaf(Ty::Float)),
                _ => format!("round({})", self.expr(Ty::Float, d)),
            },
            Ty::Text => self.text(d),
            Ty::Bool => self.boolean(d),
            Ty::Date => match self.below(5) {
                0 => format!("({} + {})", self.leaf(Ty::Date), self.one(&["1", "7", "0"])),
                1 => format!("({})::date", self.expr(Ty::Ts, d)),
                2 => format!("date_trunc('month', {})::date", self.expr(Ty::Date, d)),
                3 => format!("make_date(2025, {}, 1)", self.expr(Ty::Int, d)),
                _ => format!("CAST({} AS date)", self.expr(Ty::Tz, d)),
            },
            Ty::Ts => match self.below(4) {
                0 => format!("({})::timestamp", self.expr(Ty::Date, d)),
                1 => format!("({} + {})", self.expr(Ty::Ts, d), self.literal(Ty::Itv)),
                2 => format!("({} AT TIME ZONE 'UTC')", self.expr(Ty::Tz, d)),
                _ => format!("date_trunc('{}', {})", self.one(&["day", "year", "hour"]), self.expr(Ty::Ts, d)),
            },
            Ty::Tz => match self.below(3) {
                0 => format!("({} AT TIME ZONE 'Europe/Berlin')", self.expr(Ty::Ts, d)),
                1 => format!("({} - {})", self.expr(Ty::Tz, d), self.literal(Ty::Itv)),
                _ => format!("date_trunc('week', {})", self.expr(Ty::Tz, d)),
            },
            Ty::Itv => match self.below(5) {
                0 => format!("({} - {})", self.expr(Ty::Ts, d), self.leaf(Ty::Ts)),
                1 => format!("make_interval(days => {})", self.expr(Ty::Int, d)),
                2 => format!("({} * 2)", self.expr(Ty::Itv, d)),
                3 => format!("age({}, {})", self.leaf(Ty::Ts), self.literal(Ty::Ts)),
                _ => format!("justify_hours({})", self.expr(Ty::Itv, d)),
            },
            Ty::Json => self.json(d),
            Ty::Texts => match self.below(6) {
                0 => format!("ARRAY[{}, {}]", self.expr(Ty::Text, d), self.leaf(Ty::Text)),
                1 => format!("string_to_array({}, '{}')", self.expr(Ty::Text, d), self.one(&["@", "-", " "])),
                2 => format!("array_append({}, {})", self.expr(Ty::Texts, d), self.leaf(Ty::Text)),
                3 => format!("({} || {})", self.expr(Ty::Texts, d), self.leaf(Ty::Texts)),
                4 => format!("({})[1:{}]", self.leaf(Ty::Texts), self.one(&["1", "2"])),
                _ if self.allowed.subqueries => {
                    let query = self.subquery(Some(&[Ty::Text]), d);
                    format!("ARRAY(SELECT x FROM ({}) AS {}(x) ORDER BY 1)", query.sql, self.fresh("t"))
                }
                _ => self.leaf(ty),
            },
            Ty::Ints => match self.below(2) {
                0 => format!("ARRAY[{}, {}]", self.expr(Ty::Int, d), self.leaf(Ty::Int)),
                _ => format!("array_remove({}, {})", self.leaf(Ty::Ints), self.leaf(Ty::Int)),
            },
            Ty::Uuid | Ty::Time | Ty::Mood | Ty::Row => self.leaf(ty),
        }
    }

    fn int(&mut self, d: usize) -> String {
        match self.below(21) {
            0 => format!("({} + {})", self.expr(Ty::Int, d), self.expr(Ty::Int, d)),
            1 => format!("({} - {})", self.expr(Ty::Int, d), self.leaf(Ty::Int)),
            2 => format!("{} * {}", self.leaf(Ty::Int), self.leaf(Ty::Int)),
            3 => format!("{} / nullif({}, 0)", self.leaf(Ty::Int), self.leaf(Ty::Int)),
            4 => format!("length({})", self.expr(Ty::Text, d)),
            5 => format!("extract({} FROM {})::int", self.one(&["year", "month", "dow"]), self.expr(Ty::Date, d)),
            6 => format!("({})::int", self.boolean(d)),
            7 => format!("cardinality({})", self.expr(Ty::Texts, d)),
            8 => format!("strpos({}, {})", self.expr(Ty::Text, d), self.leaf(Ty::Text)),
            9 => format!("position('a' IN {})", self.expr(Ty::Text, d)),
            10 => format!("(- {})", self.leaf(Ty::Int)),
            11 => format!("({} - {})", self.expr(Ty::Date, d), self.leaf(Ty::Date)),
            12 => format!("ascii({})", self.expr(Ty::Text, d)),
            13 => format!("({} % 3)", self.expr(Ty::Int, d)),
            14 => format!("abs({})", self.expr(Ty::Int, d)),
            15 => format!("({})[1]", self.expr(Ty::Ints, d)),
            16 => format!("CAST({} AS integer)", self.expr(Ty::Num, d)),
            17 => format!("({} & {})", self.leaf(Ty::Int), self.leaf(Ty::Int)),
            18 => format!("round({})::int", self.expr(Ty::Num, d)),
            19 if self.percent(40) => format!("{} / {}", self.leaf(Ty::Int), self.leaf(Ty::Int)),
            20 if self.percent(40) => format!("({})::int", self.expr(Ty::Text, d)),
            _ => format!("mod({}, 5)", self.expr(Ty::Int, d)),
        }
    }

    fn num(&mut self, d: usize) -> String {
        match self.below(10) {
            0 => format!("({} + {})", self.expr(Ty::Num, d), self.leaf(Ty::Num)),
            1 => format!("({} * {})", self.expr(Ty::Num, d), self.leaf(Ty::Int)),
            2 => format!("round({}, 1)", self.expr(Ty::Num, d)),
            3 => format!("({})::numeric(12, 3)", self.expr(Ty::Int, d)),
            4 => format!("trunc({})", self.expr(Ty::Num, d)),
            5 => format!("extract(epoch FROM {})", self.expr(Ty::Ts, d)),
            6 if self.percent(40) => format!("({} ->> 'n')::numeric", self.leaf(Ty::Json)),
            7 if self.percent(40) => format!("({} / {})", self.leaf(Ty::Num), self.leaf(Ty::Num)),
            8 => format!("({} / nullif({}, 0))", self.expr(Ty::Num, d), self.leaf(Ty::Num)),
            _ => format!("ceil({})", self.expr(Ty::Num, d)),
        }
    }

    fn text(&mut self, d: usize) -> String {
        match self.below(27) {
            0 => format!("upper({})", self.expr(Ty::Text, d)),
            1 => format!("{} || {}", self.leaf(Ty::Text), self.leaf(Ty::Text)),
            2 => format!("left({}, 2)", self.expr(Ty::Text, d)),
            3 => format!("substring({} FROM 2 FOR 3)", self.expr(Ty::Text, d)),
            4 => format!("replace({}, 'a', {})", self.expr(Ty::Text, d), self.leaf(Ty::Text)),
            5 => format!("trim(both ' ' from {})", self.expr(Ty::Text, d)),
            6 => format!("concat({}, {}, {})", self.expr(Ty::Int, d), self.leaf(Ty::Text), self.leaf(Ty::Date)),
            7 => format!("to_char({}, 'YYYY-MM')", self.expr(Ty::Date, d)),
            8 => format!("to_char({}, 'FM9990.00')", self.expr(Ty::Num, d)),
            9 => format!("({})::text", self.expr(Ty::Int, d)),
            10 => {
                let ty = self.any_type();
                format!("({})::text", self.expr(ty, d))
            }
            11 => format!("({} ->> '{}')", self.expr(Ty::Json, d), self.one(&["n", "k", "a"])),
            12 => format!("format('%s-%s', {}, {})", self.expr(Ty::Text, d), self.leaf(Ty::Int)),
            13 => format!("split_part({}, '{}', 1)", self.expr(Ty::Text, d), self.one(&["@", "-"])),
            14 => format!("md5({})", self.expr(Ty::Text, d)),
            15 => format!("regexp_replace({}, '[0-9]+', '#', 'g')", self.expr(Ty::Text, d)),
            16 => format!("lpad({}, 4, '.')", self.expr(Ty::Text, d)),
            17 => format!("reverse({})", self.expr(Ty::Text, d)),
            18 => format!("initcap({})", self.expr(Ty::Text, d)),
            19 => format!("({})[1]", self.expr(Ty::Texts, d)),
            20 => format!("array_to_string({}, ',')", self.expr(Ty::Texts, d)),
            21 => match self.whole_row() {
                Some(row) => format!("{}({row})::text", self.one(&["", "row_to_json", "to_jsonb"])),
                None => self.leaf(Ty::Text),
            },
            22 => format!("overlay({} placing 'X' from 1 for 1)", self.expr(Ty::Text, d)),
            23 => format!("concat_ws('/', {}, {})", self.expr(Ty::Text, d), self.leaf(Ty::Text)),
            24 => format!("({})::varchar(3)::text", self.expr(Ty::Text, d)),
            25 => format!("coalesce({} #>> '{{tags,1}}', 'none')", self.leaf(Ty::Json)),
            _ => format!("lower({} COLLATE \"C\")", self.leaf(Ty::Text)),
        }
    }

    fn json(&mut self, d: usize) -> String {
        match self.below(7) {
            0 => {
                let ty = self.any_type();
                format!("to_jsonb({})", self.expr(ty, d))
            }
            1 => {
                let ty = self.any_type();
                format!("jsonb_build_object('k', {}, 'n', {})", self.expr(ty, d), self.leaf(Ty::Int))
            }
            2 => format!("({} -> '{}')", self.expr(Ty::Json, d), self.one(&["n", "tags", "a"])),
            3 => match self.whole_row() {
                Some(row) => format!("to_jsonb({row})"),
                None => self.leaf(Ty::Json),
            },
            4 => format!("({} || {})", self.expr(Ty::Json, d), self.leaf(Ty::Json)),
            5 => format!("jsonb_path_query_first({}, '$.n')", self.leaf(Ty::Json)),
            _ => format!("({} - 'n')", self.leaf(Ty::Json)),
        }
    }

    /// A relation's name that stands for its whole row.
    pub(super) fn whole_row(&mut self) -> Option<String> {
        let level = self.levels.last().filter(|level| level.grouped.is_none())?;
        let names: Vec<String> =
            level.rels.iter().map(|r| &r.names[0]).filter(|name| !name.contains('.')).cloned().collect();
        if names.is_empty() { None } else { Some(names[self.below(names.len())].clone()) }
    }

    pub(super) fn boolean(&mut self, d: usize) -> String {
        self.fuel -= 1;
        if d == 0 || self.fuel <= 0 {
            return self.comparison(0);
        }
        match self.below(33) {
            0..=5 => self.comparison(d - 1),
            30..=32 => self.brittle(),
            6 => format!("({} AND {})", self.boolean(d - 1), self.boolean(d - 1)),
            7 => format!("({} OR {})", self.boolean(d - 1), self.boolean(d - 1)),
            8 => format!("NOT ({})", self.boolean(d - 1)),
            9 => {
                let ty = self.any_type();
                format!("{} {}", self.expr(ty, d - 1), self.one(&["IS NULL", "IS NOT NULL"]))
            }
            10 => {
                let ty = self.any_type();
                let items: Vec<String> = (0..=self.below(3)).map(|_| self.leaf(ty)).collect();
                format!("{} {} ({})", self.expr(ty, d - 1), self.one(&["IN", "NOT IN"]), items.join(", "))
            }
            11 | 12 if self.allowed.subqueries => {
                let ty = self.any_type();
                let (subject, query) = (self.expr(ty, d - 1), self.subquery(Some(&[ty]), d - 1));
                format!("{subject} {} ({})", self.one(&["IN", "NOT IN", "= ANY", "<> ALL", "= SOME"]), query.sql)
            }
            13 | 14 if self.allowed.subqueries => {
                let query = self.subquery(None, d - 1);
                format!("{}EXISTS ({})", self.one(&["", "NOT "]), query.sql)
            }
            15 => {
                let ty = if self.percent(50) { Ty::Int } else { self.any_type() };
                let (subject, low, high) = (self.expr(ty, d - 1), self.leaf(ty), self.leaf(ty));
                format!("{subject} {} {low} AND {high}", self.one(&["BETWEEN", "NOT BETWEEN"]))
            }
            16 => {
                let like = self.one(&["LIKE", "NOT LIKE", "ILIKE", "~", "!~*", "SIMILAR TO"]);
                format!(
                    "{} {like} '{}'",
                    self.expr(Ty::Text, d - 1),
                    self.one(&["%a%", "a", "E_", "***%"])
                        .replace("***", if like.contains('~') || like.starts_with('S') { "a" } else { "***" })
                )
            }
            17 => {
                let ty = self.any_type();
                let (one, other) = (self.expr(ty, d - 1), self.leaf(ty));
                format!("{one} {} {other}", self.one(&["IS DISTINCT FROM", "IS NOT DISTINCT FROM"]))
            }
            18 => format!("{} = ANY ({})", self.expr(Ty::Text, d - 1), self.expr(Ty::Texts, d - 1)),
            19 => {
                let (a, b) = (self.any_type(), self.any_type());
                let row = |g: &mut Self| format!("({}, {})", g.leaf(a), g.leaf(b));
                format!("{} {} {}", row(self), self.one(&["=", "<", "<>", ">="]), row(self))
            }
            20 if self.allowed.subqueries => {
                let (a, b) = (self.any_type(), self.any_type());
                let (one, other) = (self.leaf(a), self.leaf(b));
                let query = self.subquery(Some(&[a, b]), d - 1);
                format!("({one}, {other}) {} ({})", self.one(&["IN", "NOT IN"]), query.sql)
            }
            21 => match (self.whole_row(), self.whole_row()) {
                (Some(one), Some(other)) if one == other || self.percent(20) => {
                    format!("{one} {} {other}", self.one(&["=", "<", "IS DISTINCT FROM"]))
                }
                (Some(row), _) => format!("{row} {}", self.one(&["IS NULL", "IS NOT NULL"])),
                _ => self.comparison(d - 1),
            },
            22 => {
                format!("({}) {}", self.boolean(d - 1), self.one(&["IS TRUE", "IS NOT TRUE", "IS UNKNOWN", "IS FALSE"]))
            }
            23 => format!("{} {} {}", self.expr(Ty::Texts, d - 1), self.one(&["@>", "&&", "<@"]), self.leaf(Ty::Texts)),
            24 => format!(
                "{} {}",
                self.expr(Ty::Json, d - 1),
                self.one(&["? 'n'", "@> '{\"n\": \"1\"}'", "?| ARRAY['k', 'a']"])
            ),
            25 => format!("starts_with({}, {})", self.expr(Ty::Text, d - 1), self.leaf(Ty::Text)),
            26 => {
                let side = |g: &mut Self| format!("({}, {})", g.leaf(Ty::Ts), g.literal(Ty::Itv));
                format!("{} OVERLAPS {}", side(self), side(self))
            }
            27 if self.allowed.subqueries => {
                let query = self.subquery(Some(&[Ty::Int]), d - 1);
                format!("{} {} ALL ({})", self.expr(Ty::Int, d - 1), self.one(&[">", "<=", "<>"]), query.sql)
            }
            28 => {
                format!("{} BETWEEN SYMMETRIC {} AND {}", self.novelty(Ty::Int), self.leaf(Ty::Int), self.leaf(Ty::Int))
            }
            _ => self.leaf(Ty::Bool),
        }
    }

    /// A condition that no row in sight fails to evaluate, and many a hidden one does.
    fn brittle(&mut self) -> String {
        let innermost = self.levels.len().saturating_sub(1);
        let levels = self
            .levels
            .iter()
            .enumerate()
            .filter(|(at, level)| level.grouped.is_none() && (*at == innermost || self.allowed.outer));
        let mut all = Vec::new();
        for rel in levels.flat_map(|(_, level)| &level.rels) {
            for (column, ty) in &rel.columns {
                let c = format!("{}.{column}", rel.names[0]);
                all.extend(match (column.as_str(), ty) {
                    ("qty" | "priority", Ty::Int) => vec![format!("100 / {c} > 0"), format!("{c} + 2147483000 > 5")],
                    ("customer_id", Ty::Big) => vec![format!("100 / {c} > 0"), format!("{c}::int > 0")],
                    ("ref", Ty::Text) => vec![format!("{c}::int >= 0"), format!("CAST({c} AS smallint) < 9")],
                    ("weight", Ty::Text) => vec![format!("{c}::numeric >= 0")],
                    ("attrs", Ty::Json) => vec![format!("({c} ->> 'n')::int > 0")],
                    ("total" | "balance", Ty::Num) => vec![format!("1 / {c} <> 0"), format!("{c}::int < 1000")],
                    ("placed", Ty::Date) => vec![format!("{c} - date '2000-01-01' > 0")],
                    ("took", Ty::Itv) => vec![format!("{c} * 1000 > interval '0'")],
                    ("opened", Ty::Ts | Ty::Tz) => vec![format!("extract(year FROM {c})::int > 0")],
                    ("id", Ty::Int) => vec![format!("100 / {c} >= 0")],
                    _ => Vec::new(),
                });
            }
        }
        if all.is_empty() { self.comparison(0) } else { all.swap_remove(self.below(all.len())) }
    }

    /// A leaf beside a form that pgveil may refuse.
    pub(super) fn novelty(&mut self, ty: Ty) -> String {
        self.novel = true;
        self.leaf(ty)
    }

    fn comparison(&mut self, d: usize) -> String {
        let ty = self.any_type();
        let (one, other) = (self.expr(ty, d), self.expr(ty, d));
        match ty {
            Ty::Row => format!("{one} IS NOT NULL"),
            _ => format!("{one} {} {other}", self.one(&["=", "<>", "<", ">", "<=", ">=", "!="])),
        }
    }

    /// A query in an expression: it sees the levels around it.
    pub(super) fn subquery(&mut self, types: Option<&[Ty]>, depth: usize) -> Query {
        let allowed = super::Allowed { aggregates: false, windows: false, subqueries: true, outer: true };
        self.with(allowed, |g| g.query(types, depth.min(2), false))
    }

    fn scalar_subquery(&mut self, ty: Ty, depth: usize) -> String {
        let query = self.subquery(Some(&[ty]), depth);
        let name = self.fresh("s");
        match self.below(3) {
            0 => format!("(SELECT x FROM ({}) AS {name}(x) ORDER BY 1 LIMIT 1)", query.sql),
            1 if matches!(ty, Ty::Int | Ty::Big | Ty::Num | Ty::Float | Ty::Text | Ty::Date | Ty::Ts | Ty::Tz) => {
                format!("(SELECT {}({name}.x) FROM ({}) AS {name}(x))", self.one(&["max", "min"]), query.sql)
            }
            _ => format!(
                "(SELECT {name}.x FROM ({}) AS {name}(x) ORDER BY 1 DESC NULLS LAST FETCH FIRST ROW ONLY)",
                query.sql
            ),
        }
    }

    fn counting(&mut self, depth: usize) -> String {
        let query = self.subquery(None, depth);
        format!("(SELECT count(*) FROM ({}) AS {})", query.sql, self.fresh("n"))
    }
}
