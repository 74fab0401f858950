//! ORDER BY, LIMIT, OFFSET and FETCH.

use crate::sql::ast::{
    Expr, Fetch, LimitClause, Offset, OffsetRows, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort,
};
use crate::sql::ident;
use crate::sql::resolve::Columns;

use super::Walker;
use super::refuse::{Walked, absent, construct, foreign};

impl Walker<'_> {
    pub(super) fn order_by(&mut self, order: &mut OrderBy, columns: &Columns) -> Walked {
        let OrderBy { kind, interpolate } = order;
        absent("INTERPOLATE", interpolate.is_some())?;
        match kind {
            OrderByKind::All(_) => Err(foreign("ORDER BY ALL")),
            OrderByKind::Expressions(exprs) => {
                for OrderByExpr { expr, options, with_fill } in exprs {
                    sort_options(options, with_fill.is_some())?;
                    self.sort_key(expr, columns)?;
                }
                Ok(())
            }
        }
    }

    /// An item of ORDER BY or DISTINCT ON: a bare name is an output column first.
    pub(super) fn sort_key(&mut self, expr: &mut Expr, columns: &Columns) -> Walked {
        match expr {
            Expr::Identifier(name) if columns.has(&ident(name)) => {
                let name = ident(name);
                self.read_behind(&name);
                Ok(())
            }
            _ => self.expr(expr),
        }
    }

    /// ORDER BY inside of an aggregate, a window or WITHIN GROUP: it sees no output columns.
    pub(super) fn inner_order(&mut self, exprs: &mut [OrderByExpr]) -> Walked {
        for OrderByExpr { expr, options, with_fill } in exprs {
            sort_options(options, with_fill.is_some())?;
            self.expr(expr)?;
        }
        Ok(())
    }

    pub(super) fn limit(&mut self, limit: Option<&mut LimitClause>, fetch: Option<&mut Fetch>) -> Walked {
        match limit {
            None => {}
            Some(LimitClause::OffsetCommaLimit { .. }) => {
                return Err(construct("LIMIT a, b", "Use LIMIT b OFFSET a."));
            }
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) => {
                absent("LIMIT BY", !limit_by.is_empty())?;
                if let Some(expr) = limit {
                    self.expr(expr)?;
                }
                if let Some(Offset { value, rows }) = offset {
                    match rows {
                        OffsetRows::None | OffsetRows::Row | OffsetRows::Rows => self.expr(value)?,
                    }
                }
            }
        }
        if let Some(Fetch { with_ties: _, percent, quantity }) = fetch {
            absent("FETCH … PERCENT", *percent)?;
            if let Some(expr) = quantity {
                self.expr(expr)?;
            }
        }
        Ok(())
    }
}

/// ASC, DESC, NULLS FIRST, NULLS LAST and nothing more.
fn sort_options(options: &OrderByOptions, with_fill: bool) -> Walked {
    absent("WITH FILL", with_fill)?;
    let OrderByOptions { sort, nulls_first: _ } = options;
    match sort {
        None | Some(OrderBySort::Asc | OrderBySort::Desc) => Ok(()),
        // These two sort in every type that can be sorted. Another operator might be somebody's own.
        Some(OrderBySort::Using(name)) if matches!(name.to_string().as_str(), "<" | ">") => Ok(()),
        Some(OrderBySort::Using(_)) => Err(construct("ORDER BY … USING with this operator", "Use ASC or DESC.")),
    }
}
