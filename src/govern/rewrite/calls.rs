//! Function calls, windows, and the keywords that are calls.

use sqlparser::ast::helpers::attached_token::AttachedToken;
use sqlparser::tokenizer::Span;

use crate::govern::fold;
use crate::govern::functions::{self, Answer, FunctionRule};
use crate::govern::types;
use crate::introspect;
use crate::sql::ast::{
    CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, GroupByExpr, Ident, ObjectNamePart, Query, Select, SelectFlavor,
    SelectItem, SetExpr, Value, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use crate::sql::resolve::{Ambiguous, ColumnLookup};
use crate::sql::{exact, forms, ident};

use super::Walker;
use super::columns::identifiers;
use super::refuse::{Pointing, Walked, absent, construct, foreign, refused, span_of};
use super::tables::{arguments, object_name};

/// What became of a call.
pub(super) enum Called {
    /// It stays, under its full name.
    Function,
    /// This takes its place: pgveil's own answer, or the call inside of a cast.
    Answer(Box<Expr>),
}

/// Names that are keywords of Postgres' grammar and no functions, in lower case and without quotes.
const QUANTIFIERS: [&str; 3] = ["any", "some", "all"];

impl Walker<'_> {
    /// A call in an expression; gives what takes its place.
    pub(super) fn call(&mut self, function: &mut Function) -> Walked<Option<Expr>> {
        let place = self.place(span_of(&identifiers(&function.name)?));
        if let Some(column) = self.column_as_call(function)? {
            return Ok(Some(column));
        }
        match self.called(function).map_err(|denied| denied.pointing(place))? {
            Called::Function => Ok(None),
            Called::Answer(answer) => Ok(Some(*answer)),
        }
    }

    /// `email(t)` is `t.email` to Postgres where `t` is a relation with such a column and there is no function of that name.
    /// Where there is one, in pg_catalog or as a type, it is a call.
    fn column_as_call(&mut self, function: &Function) -> Walked<Option<Expr>> {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        let more = *uses_odbc_syntax
            || !matches!(parameters, FunctionArguments::None)
            || !within_group.is_empty()
            || filter.is_some()
            || null_treatment.is_some()
            || over.is_some();
        let FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses }) = args else {
            return Ok(None);
        };
        let (
            [ObjectNamePart::Identifier(column)],
            [FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(table)))],
        ) = (name.0.as_slice(), args.as_slice())
        else {
            return Ok(None);
        };
        let (own, relation) = (ident(column), ident(table));
        let known = functions::is_known(&own) || types::is_known(&own);
        if more || known || !clauses.is_empty() || self.scopes.column(&relation) != ColumnLookup::Missing {
            return Ok(None);
        }
        match self.scopes.relation(&relation) {
            Ok(Some(entry)) if entry.columns.complete && entry.columns.has(&own) => {
                let parts = self.column_parts(vec![table.clone(), column.clone()])?;
                Ok(Some(Expr::CompoundIdentifier(parts)))
            }
            Ok(_) | Err(Ambiguous) => Ok(None),
        }
    }

    /// A pattern of LIKE, which may be `ALL (array)`.
    pub(super) fn quantified(&mut self, pattern: &mut Expr) -> Walked {
        if let Expr::Function(function) = pattern
            && let [ObjectNamePart::Identifier(name)] = function.name.0.as_slice()
            && name.quote_style.is_none()
            && QUANTIFIERS.contains(&ident(name).as_str())
        {
            return self.parts_of_call(function);
        }
        self.expr(pattern)
    }

    /// Reads a call, checks its name, bounds its arguments and writes its full name.
    pub(super) fn called(&mut self, function: &mut Function) -> Walked<Called> {
        let parts = identifiers(&function.name)?;
        if let [name] = parts.as_slice()
            && name.quote_style.is_none()
            && ident(name) == "array"
        {
            return self.array_of_query(function).map(|()| Called::Function);
        }
        let (schema, name) = match parts.as_slice() {
            [name] => (None, ident(name)),
            [schema, name] => (Some(ident(schema)), ident(name)),
            _ => return Err(construct("a function name of more than two parts", "Write pg_catalog.NAME or NAME.")),
        };
        if let [quoted] = parts.as_slice()
            && quoted.quote_style.is_some()
            && functions::is_grammar(&name)
        {
            // In quotes it is no grammar but somebody's function, which would be looked for along the search path.
            return Err(construct(&format!("the function \"{name}\" in quotes"), "Write it without quotes."));
        }
        if matches!(schema.as_deref(), None | Some("pg_catalog"))
            && let Some(governed) = introspect::function(&name, super::tables::width(function))
            && self.queries_allowed
        {
            return self.governed_call(governed, function);
        }
        let rule = functions::lookup(schema.as_deref(), &name, self.input.snapshot);
        if let FunctionRule::Refused { reason, hint } = rule {
            return Err(refused(functions::refusal(schema.as_deref(), &name, reason, hint)));
        }
        let quoted = parts.last().is_some_and(|name| name.quote_style.is_some());
        if quoted && rule == FunctionRule::Grammar {
            // In quotes it is no keyword: it would be somebody's function of that name.
            let hint = Some(format!("Write {name} without quotes."));
            return Err(refused(functions::refusal(None, &name, "in quotes it is no part of the grammar", hint)));
        }
        if name == "normalize" && self.normalize_form(function)? {
            self.needs.functions.insert((Some("pg_catalog".to_owned()), name));
            return Ok(Called::Function);
        }
        self.parts_of_call(function)?;
        match rule {
            FunctionRule::Grammar => {
                self.needs.functions.insert((None, name));
                Ok(Called::Function)
            }
            FunctionRule::Allowed => {
                self.write_name(function, schema.as_deref(), &name);
                Ok(Called::Function)
            }
            FunctionRule::Bounded(bound) => {
                bound.apply(&name, self.plain_arguments(function)?).map_err(refused)?;
                self.needs.literal_values = true;
                self.write_name(function, schema.as_deref(), &name);
                Ok(Called::Function)
            }
            FunctionRule::AsText => {
                self.write_name(function, schema.as_deref(), &name);
                Ok(Called::Answer(Box::new(Expr::Cast {
                    kind: CastKind::DoubleColon,
                    expr: Box::new(Expr::Function(function.clone())),
                    data_type: DataType::Text,
                    format: None,
                })))
            }
            FunctionRule::Answered(answer) => {
                self.answer(answer, &name, Some(function)).map(|answer| Called::Answer(Box::new(answer)))
            }
            FunctionRule::Refused { reason, hint } => {
                Err(refused(functions::refusal(schema.as_deref(), &name, reason, hint)))
            }
        }
    }

    /// What takes the place of a call that pgveil answers.
    fn answer(&mut self, answer: Answer, name: &str, call: Option<&Function>) -> Walked<Expr> {
        let folded = fold::fold(answer, name, call, self.input)?;
        self.needs.session_values |= folded.of_session;
        self.needs.literal_values = true;
        Ok(folded.expr)
    }

    /// `unnest(a, b)` in FROM is grammar: Postgres knows it without a schema alone.
    pub(super) fn unnest_several(&mut self, function: &mut Function) -> Walked {
        self.parts_of_call(function)?;
        function.name = object_name(vec![Ident::new("unnest")]);
        self.needs.functions.insert((None, "unnest".to_owned()));
        self.needs.functions.insert((Some("pg_catalog".to_owned()), "unnest".to_owned()));
        Ok(())
    }

    /// Every call is written with its schema, so that nobody else's function of the name can be found.
    fn write_name(&mut self, function: &mut Function, schema: Option<&str>, name: &str) {
        let schema = schema.unwrap_or("pg_catalog");
        // The place is kept: the warehouse may have something to say about the call.
        let span = function.name.0.first().and_then(ObjectNamePart::as_ident).map_or(Span::empty(), |part| part.span);
        let placed = |part: &str| Ident { span, ..plain_or_exact(part) };
        function.name = object_name(vec![placed(schema), placed(name)]);
        self.needs.functions.insert((Some(schema.to_owned()), name.to_owned()));
    }

    /// The arguments of a call whose arguments are bounded by their place.
    fn plain_arguments<'f>(&self, function: &'f mut Function) -> Walked<&'f mut [FunctionArg]> {
        match &mut function.args {
            FunctionArguments::List(list)
                if list.args.iter().all(|arg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Expr(_)))) =>
            {
                Ok(&mut list.args)
            }
            _ => Err(construct("a named argument of this function", "Give its arguments in their order.")),
        }
    }

    /// A keyword without parentheses that is a call: `current_role`, `current_schema`. The parser tells the others apart.
    pub(super) fn keyword(&mut self, name: &Ident) -> Walked<Option<Expr>> {
        if name.quote_style.is_some() {
            return Ok(None);
        }
        let exact_name = ident(name);
        // From PostgreSQL 16 on `system_user` is a keyword as well; before, it is a name that may be quoted.
        if !matches!(exact_name.as_str(), "current_role" | "current_schema" | "system_user") {
            return Ok(None);
        }
        match functions::lookup(None, &exact_name, self.input.snapshot) {
            FunctionRule::Answered(answer) => self.answer(answer, &exact_name, None).map(Some),
            FunctionRule::Allowed | FunctionRule::Grammar | FunctionRule::Bounded(_) | FunctionRule::AsText => Ok(None),
            FunctionRule::Refused { reason, hint } => {
                Err(refused(functions::refusal(None, &exact_name, reason, hint)).pointing(self.place(name.span)))
            }
        }
    }

    /// `ARRAY(SELECT …)`.
    fn array_of_query(&mut self, function: &mut Function) -> Walked {
        let Function { name: _, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        let more = *uses_odbc_syntax
            || !matches!(parameters, FunctionArguments::None)
            || !within_group.is_empty()
            || filter.is_some()
            || null_treatment.is_some()
            || over.is_some();
        absent("a clause after ARRAY(…)", more)?;
        match args {
            FunctionArguments::Subquery(query) => self.query(query, None, None).map(|_| ()),
            FunctionArguments::None | FunctionArguments::List(_) => Err(construct("ARRAY(…)", "Use ARRAY[…].")),
        }
    }

    /// `normalize(text, NFC)` is grammar: the form is a keyword and no column, and the call has no schema. False: it is none.
    fn normalize_form(&mut self, function: &mut Function) -> Walked<bool> {
        let is_form = |arg: &FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Identifier(name))) => {
                name.quote_style.is_none() && matches!(ident(name).as_str(), "nfc" | "nfd" | "nfkc" | "nfkd")
            }
            _ => false,
        };
        let FunctionArguments::List(list) = &mut function.args else { return Ok(false) };
        if function.name.0.len() > 1 || list.args.len() != 2 || !list.args.last().is_some_and(is_form) {
            return Ok(false);
        }
        let form = list.args.pop();
        self.parts_of_call(function)?;
        if let FunctionArguments::List(list) = &mut function.args {
            list.args.extend(form);
        }
        Ok(true)
    }

    /// Everything of a call but its name.
    pub(super) fn parts_of_call(&mut self, function: &mut Function) -> Walked {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        absent("{fn …}", *uses_odbc_syntax)?;
        absent("a parametric function", !matches!(parameters, FunctionArguments::None))?;
        absent("IGNORE NULLS or RESPECT NULLS", null_treatment.is_some())?;
        let before = self.log.len();
        let aggregates = match name.0.last() {
            Some(ObjectNamePart::Identifier(name)) => super::grouping::is_aggregate(&ident(name)),
            Some(ObjectNamePart::Function(_)) | None => false,
        };
        let aggregates_here = aggregates && over.is_none();
        let outer = self.in_aggregate;
        self.in_aggregate |= aggregates_here;
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return Err(foreign("a subquery as the arguments of a function")),
            FunctionArguments::List(list) => {
                let counts = matches!(name.0.last(), Some(ObjectNamePart::Identifier(name)) if ident(name) == "count");
                self.argument_list(list, counts)?;
            }
        }
        self.inner_order(within_group)?;
        if let Some(condition) = filter {
            self.expr(condition)?;
        }
        self.in_aggregate = outer;
        match over {
            None if aggregates => {
                // What an aggregate reads needs no place in GROUP BY, unless it is an outer query's.
                self.forget_own(before);
                Ok(())
            }
            None | Some(WindowType::NamedWindow(_)) => Ok(()),
            Some(WindowType::WindowSpec(spec)) => self.window(spec),
        }
    }

    fn argument_list(&mut self, list: &mut FunctionArgumentList, counts: bool) -> Walked {
        let FunctionArgumentList { duplicate_treatment: _, args, clauses } = list;
        let (alone, last) = (args.len() == 1, args.len().saturating_sub(1));
        for (at, arg) in args.iter_mut().enumerate() {
            let expr = match arg {
                FunctionArg::Unnamed(expr) => expr,
                FunctionArg::Named { name: _, arg, operator } => named(operator, arg)?,
                FunctionArg::ExprNamed { name: Expr::Identifier(_), arg, operator } => named(operator, arg)?,
                FunctionArg::ExprNamed { .. } => return Err(foreign("an expression as an argument's name")),
            };
            match expr {
                FunctionArgExpr::Expr(Expr::Prefixed { prefix, value })
                    if forms::is_form(prefix, forms::VARIADIC) && at == last =>
                {
                    self.expr(value)?;
                }
                FunctionArgExpr::Expr(expr) => self.expr(expr)?,
                FunctionArgExpr::QualifiedWildcard(name) => {
                    self.whole_relation(name)?;
                }
                FunctionArgExpr::Wildcard if counts && alone => {}
                FunctionArgExpr::Wildcard => return Err(construct("* as an argument", "Only count(*) takes it.")),
                FunctionArgExpr::WildcardWithOptions(_) => return Err(foreign("an option of *")),
            }
        }
        for clause in clauses {
            match clause {
                FunctionArgumentClause::OrderBy(order) => self.inner_order(order)?,
                FunctionArgumentClause::IgnoreOrRespectNulls(_) => {
                    return Err(foreign("IGNORE NULLS or RESPECT NULLS"));
                }
                FunctionArgumentClause::Where(_) => return Err(construct("WHERE in a call", "Use FILTER.")),
                FunctionArgumentClause::Limit(_) => return Err(foreign("LIMIT in a call")),
                FunctionArgumentClause::OnOverflow(_) => return Err(foreign("ON OVERFLOW")),
                FunctionArgumentClause::Having(_) => return Err(foreign("HAVING in a call")),
                FunctionArgumentClause::Separator(_) => return Err(construct("SEPARATOR", "Use string_agg.")),
                FunctionArgumentClause::JsonNullClause(_) | FunctionArgumentClause::JsonReturningClause(_) => {
                    return Err(construct("a clause of SQL/JSON", "Use json_build_object or jsonb_build_object."));
                }
            }
        }
        Ok(())
    }

    pub(super) fn window(&mut self, spec: &mut WindowSpec) -> Walked {
        // The name may be marked with EXCLUDE, which reads nothing.
        let WindowSpec { window_name: _, partition_by, order_by, window_frame } = spec;
        self.exprs(partition_by)?;
        self.inner_order(order_by)?;
        let Some(WindowFrame { units, start_bound, end_bound }) = window_frame else { return Ok(()) };
        match units {
            WindowFrameUnits::Rows | WindowFrameUnits::Range | WindowFrameUnits::Groups => {}
        }
        for bound in std::iter::once(start_bound).chain(end_bound) {
            match bound {
                WindowFrameBound::CurrentRow
                | WindowFrameBound::Preceding(None)
                | WindowFrameBound::Following(None) => {}
                WindowFrameBound::Preceding(Some(expr)) | WindowFrameBound::Following(Some(expr)) => self.expr(expr)?,
            }
        }
        Ok(())
    }

    /// Makes a call of what the parser keeps in a node of its own, so that it too is written with its schema.
    pub(super) fn replace_by_call(&mut self, place: &mut Expr, name: &str, args: Vec<Expr>) -> Walked {
        let mut function = Function {
            name: object_name(vec![Ident::new(name)]),
            uses_odbc_syntax: false,
            parameters: FunctionArguments::None,
            args: arguments(args),
            within_group: Vec::new(),
            filter: None,
            null_treatment: None,
            over: None,
        };
        *place = match self.called(&mut function)? {
            Called::Function => Expr::Function(function),
            Called::Answer(answer) => *answer,
        };
        Ok(())
    }

    /// `substring(x FROM a FOR b)` is grammar; `substring(x, a, b)` and `substr` are calls.
    pub(super) fn substring(&mut self, place: &mut Expr) -> Walked {
        let Expr::Substring { expr, substring_from, substring_for, special, shorthand } = place else {
            return Err(foreign("this expression"));
        };
        if !*special {
            absent("SUBSTR … FROM", *shorthand)?;
            self.expr(expr)?;
            for part in [substring_from, substring_for].into_iter().flatten() {
                self.expr(part)?;
            }
            return Ok(());
        }
        let name = if *shorthand { "substr" } else { "substring" };
        let mut args = vec![std::mem::replace(&mut **expr, Expr::value(Value::Null))];
        args.extend([substring_from.take(), substring_for.take()].into_iter().flatten().map(|expr| *expr));
        self.replace_by_call(place, name, args)
    }
}

/// The value of a named argument.
fn named<'a>(operator: &FunctionArgOperator, arg: &'a mut FunctionArgExpr) -> Walked<&'a mut FunctionArgExpr> {
    match operator {
        FunctionArgOperator::RightArrow | FunctionArgOperator::Assignment => Ok(arg),
        FunctionArgOperator::Equals
        | FunctionArgOperator::Colon
        | FunctionArgOperator::Value
        | FunctionArgOperator::Space => Err(construct("this form of a named argument", "Use name => value.")),
    }
}

/// A part of a function's name as an identifier. Behind a dot no word is a keyword.
fn plain_or_exact(name: &str) -> Ident {
    let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if plain { Ident::new(name) } else { exact(name) }
}

/// `SELECT expr AS column`.
pub(super) fn select_one(expr: Expr, column: &str) -> Query {
    let select = Select {
        select_token: AttachedToken::empty(),
        optimizer_hints: Vec::new(),
        distinct: None,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![SelectItem::ExprWithAlias { expr, alias: exact(column) }],
        exclude: None,
        into: None,
        from: Vec::new(),
        lateral_views: Vec::new(),
        prewhere: None,
        selection: None,
        connect_by: Vec::new(),
        group_by: GroupByExpr::Expressions(Vec::new(), Vec::new()),
        cluster_by: Vec::new(),
        distribute_by: Vec::new(),
        sort_by: Vec::new(),
        having: None,
        named_window: Vec::new(),
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    };
    Query {
        with: None,
        body: Box::new(SetExpr::Select(Box::new(select))),
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: Vec::new(),
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: Vec::new(),
    }
}
