//! Statements around a query: EXPLAIN, COPY, PREPARE, EXECUTE, DECLARE. The query, types and expressions in them go to
//! sqlparser; the rest is read here.

use sqlparser::ast;

use super::lex::{Kind, Lexeme};
use super::limits::SqlError;
use super::parse::{Found, begins_query, query, through_sqlparser};
use super::phrase::{Phrase, tree_name};
use super::refused;
use super::statement::{
    CopyFormat, CopyOptions, CopyOut, Declare, Explain, ExplainFormat, ForceQuote, Refused, Statement,
};

type Classified<'a> = (Statement, Option<&'a [Lexeme]>);

const EXPLAIN_HINT: &str = "Use EXPLAIN, EXPLAIN (COSTS off) or EXPLAIN (FORMAT json | xml | yaml).";

fn refuse<'a>(what: impl Into<String>, hint: &str) -> Result<Classified<'a>, SqlError> {
    Ok((Statement::Refused(Refused::new(what, Some(hint))), None))
}

/// The rest of the phrase as a query inside of a statement.
fn inner<'a>(
    phrase: &Phrase<'a>,
    outer: &str,
    make: impl FnOnce(Box<ast::Query>) -> Statement,
) -> Result<Classified<'a>, SqlError> {
    let rest = phrase.rest();
    if let Some(refused) = refused::by_first_words(rest) {
        return Ok((Statement::Refused(Refused { what: format!("{outer} {}", refused.what), ..refused }), None));
    }
    if !begins_query(rest) {
        return Err(phrase.unexpected());
    }
    Ok(match query(phrase, rest)? {
        Found::Query(query) => (make(query), Some(rest)),
        Found::Refused(refused) => (Statement::Refused(refused), None),
    })
}

/// EXPLAIN [ANALYZE] [VERBOSE] query, EXPLAIN (option, …) query.
pub(super) fn explain<'a>(phrase: &mut Phrase<'a>) -> Result<Classified<'a>, SqlError> {
    phrase.expect("explain")?;
    if phrase.word("analyze") || phrase.word("analyse") {
        return refuse("EXPLAIN ANALYZE", EXPLAIN_HINT);
    }
    if phrase.word("verbose") {
        return refuse("EXPLAIN VERBOSE", EXPLAIN_HINT);
    }
    let mut costs = true;
    let mut format = ExplainFormat::Text;
    if phrase.peek().is_some_and(|open| open.is_sign("(")) && !begins_query(phrase.rest().get(1..).unwrap_or_default())
    {
        phrase.skip(1);
        loop {
            let name = option_name(phrase)?;
            match name.as_str() {
                "costs" => costs = boolean(phrase)?,
                "format" => format = explain_format(phrase)?,
                _ if boolean(phrase)? => return refuse(format!("EXPLAIN {}", name.to_uppercase()), EXPLAIN_HINT),
                // An option that is turned off is as good as one that is not there.
                "analyze" | "analyse" | "verbose" | "buffers" | "settings" | "wal" | "timing" | "summary" => {}
                _ => return refuse(format!("EXPLAIN {}", name.to_uppercase()), EXPLAIN_HINT),
            }
            if !phrase.sign(",") {
                break;
            }
        }
        phrase.expect_sign(")")?;
    }
    if phrase.peek().is_some_and(|next| next.is_word("execute") || next.is_word("declare")) {
        let what = phrase.peek().and_then(Lexeme::word).unwrap_or_default().to_uppercase();
        return refuse(format!("EXPLAIN {what}"), "Explain the query itself.");
    }
    inner(phrase, "EXPLAIN", |query| Statement::Explain(Explain { costs, format, query }))
}

/// The name of an option: any word, reserved or not.
fn option_name(phrase: &mut Phrase<'_>) -> Result<String, SqlError> {
    match phrase.peek().and_then(Lexeme::word) {
        Some(word) => {
            phrase.skip(1);
            Ok(word)
        }
        None => phrase.name(),
    }
}

fn explain_format(phrase: &mut Phrase<'_>) -> Result<ExplainFormat, SqlError> {
    let position = phrase.position();
    let value = match phrase.peek().map(|lexeme| &lexeme.kind) {
        Some(Kind::Word(word) | Kind::Text(word) | Kind::Quoted(word)) => word.to_ascii_lowercase(),
        _ => return Err(phrase.unexpected()),
    };
    phrase.skip(1);
    match value.as_str() {
        "text" => Ok(ExplainFormat::Text),
        "json" => Ok(ExplainFormat::Json),
        "xml" => Ok(ExplainFormat::Xml),
        "yaml" => Ok(ExplainFormat::Yaml),
        _ => Err(SqlError::syntax(format!("unrecognized value for EXPLAIN option \"format\": \"{value}\""), position)),
    }
}

/// The value of a switch; left out it is on.
fn boolean(phrase: &mut Phrase<'_>) -> Result<bool, SqlError> {
    let value = match phrase.peek().map(|lexeme| &lexeme.kind) {
        Some(Kind::Word(word) | Kind::Text(word) | Kind::Number(word)) => word.to_ascii_lowercase(),
        _ => return Ok(true),
    };
    let value = match value.as_str() {
        "true" | "on" | "1" => true,
        "false" | "off" | "0" => false,
        _ => return Err(phrase.unexpected()),
    };
    phrase.skip(1);
    Ok(value)
}

/// PREPARE name [(type, …)] AS query.
pub(super) fn prepare<'a>(phrase: &mut Phrase<'a>) -> Result<Classified<'a>, SqlError> {
    phrase.expect("prepare")?;
    let name = phrase.name()?;
    let mut types = Vec::new();
    if phrase.sign("(") {
        let inside = phrase.parenthesised()?;
        types = through_sqlparser(phrase, inside, |parser| {
            parser.parse_comma_separated(|parser| parser.parse_data_type())
        })?;
    }
    phrase.expect("as")?;
    inner(phrase, "PREPARE", |query| Statement::Prepare { name, types, query })
}

/// EXECUTE name [(expression, …)].
pub(super) fn execute<'a>(phrase: &mut Phrase<'a>) -> Result<Classified<'a>, SqlError> {
    phrase.expect("execute")?;
    let name = phrase.name()?;
    let mut arguments = Vec::new();
    if phrase.sign("(") {
        let inside = phrase.parenthesised()?;
        arguments =
            through_sqlparser(phrase, inside, |parser| parser.parse_comma_separated(|parser| parser.parse_expr()))?;
    }
    phrase.done()?;
    Ok((Statement::Execute { name, arguments }, None))
}

/// DECLARE name [BINARY] [ASENSITIVE | INSENSITIVE] [[NO] SCROLL] CURSOR [{WITH | WITHOUT} HOLD] FOR query.
pub(super) fn declare<'a>(phrase: &mut Phrase<'a>) -> Result<Classified<'a>, SqlError> {
    phrase.expect("declare")?;
    let name = phrase.name()?;
    let (mut binary, mut insensitive, mut scroll) = (false, None, None);
    loop {
        if phrase.word("binary") {
            binary = true;
        } else if phrase.word("insensitive") {
            insensitive = Some(true);
        } else if phrase.word("asensitive") {
            insensitive = Some(false);
        } else if phrase.word("scroll") {
            scroll = Some(true);
        } else if phrase.words(&["no", "scroll"]) {
            scroll = Some(false);
        } else {
            break;
        }
    }
    phrase.expect("cursor")?;
    let hold = phrase.words(&["with", "hold"]);
    if !hold {
        phrase.words(&["without", "hold"]);
    }
    phrase.expect("for")?;
    inner(phrase, "DECLARE", |query| Statement::Declare(Declare { name, binary, insensitive, scroll, hold, query }))
}

const COPY_HINT: &str = "Use COPY (query) TO STDOUT.";

/// COPY { (query) | table [(column, …)] } TO STDOUT with options of the new or the old syntax.
pub(super) fn copy<'a>(phrase: &mut Phrase<'a>) -> Result<Classified<'a>, SqlError> {
    phrase.expect("copy")?;
    let mut options = CopyOptions::default();
    if phrase.word("binary") {
        options.format = CopyFormat::Binary;
    }
    let (copied, lexemes) = if phrase.sign("(") {
        let inside = phrase.parenthesised()?;
        if let Some(refused) = refused::by_first_words(inside) {
            return refuse(format!("COPY ({})", refused.what), COPY_HINT);
        }
        match query(phrase, inside)? {
            Found::Query(query) => (query, Some(inside)),
            Found::Refused(refused) => return Ok((Statement::Refused(refused), None)),
        }
    } else {
        (table(phrase)?, None)
    };
    if phrase.word("from") {
        return refuse("COPY FROM", "pgveil gives read access to data products; it changes nothing in the warehouse.");
    }
    phrase.expect("to")?;
    if !phrase.word("stdout") {
        let into_server = phrase.word("program")
            || phrase.peek().is_some_and(|target| matches!(target.kind, Kind::Text(_)) || target.is_word("stdin"));
        return if into_server { refuse("COPY TO a file or program", COPY_HINT) } else { Err(phrase.unexpected()) };
    }
    let refused = read_options(phrase, &mut options)?;
    phrase.done()?;
    if let Some(option) = refused {
        return refuse(
            format!("COPY option {}", option.to_uppercase()),
            "The options FORMAT, DELIMITER, NULL, HEADER, QUOTE, ESCAPE, FORCE_QUOTE and ENCODING 'UTF8' are known.",
        );
    }
    Ok((Statement::CopyOut(CopyOut { query: copied, options }), lexemes))
}

/// `table [(column, …)]` as the query that reads it.
fn table(phrase: &mut Phrase<'_>) -> Result<Box<ast::Query>, SqlError> {
    let start = phrase.rest();
    phrase.name()?;
    let mut length = 1;
    while phrase.sign(".") {
        phrase.name()?;
        length += 2;
    }
    let named = start.get(..length).unwrap_or_default();
    let mut columns = Vec::new();
    if phrase.sign("(") {
        loop {
            columns.push(phrase.name()?);
            if !phrase.sign(",") {
                break;
            }
        }
        phrase.expect_sign(")")?;
    }
    let Some(first) = named.first() else { return Err(phrase.unexpected()) };
    let head = |kind: Kind| Lexeme { kind, ..first.clone() };
    let mut lexemes = vec![
        head(Kind::Word("SELECT".to_owned())),
        head(Kind::Operator("*".to_owned())),
        head(Kind::Word("FROM".to_owned())),
    ];
    lexemes.extend_from_slice(named);
    let mut query = through_sqlparser(phrase, &lexemes, |parser| parser.parse_query())?;
    if !columns.is_empty()
        && let ast::SetExpr::Select(select) = query.body.as_mut()
    {
        let item = |name: &String| ast::SelectItem::UnnamedExpr(ast::Expr::Identifier(tree_name(name)));
        select.projection = columns.iter().map(item).collect();
    }
    Ok(query)
}

/// Reads the options; gives the name of one that is not known.
fn read_options(phrase: &mut Phrase<'_>, options: &mut CopyOptions) -> Result<Option<String>, SqlError> {
    let with = phrase.word("with");
    if phrase.sign("(") {
        return new_options(phrase, options);
    }
    if with && phrase.is_done() {
        return Ok(None);
    }
    while !phrase.is_done() {
        if phrase.word("binary") {
            options.format = CopyFormat::Binary;
        } else if phrase.word("csv") {
            options.format = CopyFormat::Csv;
        } else if phrase.word("header") {
            options.header = true;
        } else if phrase.word("delimiter") {
            options.delimiter = Some(old_value(phrase)?);
        } else if phrase.word("null") {
            options.null = Some(old_value(phrase)?);
        } else if phrase.word("quote") {
            options.quote = Some(old_value(phrase)?);
        } else if phrase.word("escape") {
            options.escape = Some(old_value(phrase)?);
        } else if phrase.word("encoding") {
            if !is_utf8(&phrase.string()?) {
                return Ok(Some("encoding".to_owned()));
            }
        } else if phrase.words(&["force", "quote"]) {
            options.force_quote = Some(force_quote(phrase, false)?);
        } else {
            return Err(phrase.unexpected());
        }
    }
    Ok(None)
}

fn old_value(phrase: &mut Phrase<'_>) -> Result<String, SqlError> {
    phrase.word("as");
    phrase.string()
}

fn is_utf8(encoding: &str) -> bool {
    matches!(encoding.to_ascii_lowercase().replace(['-', '_'], "").as_str(), "utf8" | "unicode")
}

fn new_options(phrase: &mut Phrase<'_>, options: &mut CopyOptions) -> Result<Option<String>, SqlError> {
    let mut refused = None;
    loop {
        let name = option_name(phrase)?;
        match name.as_str() {
            "format" => options.format = copy_format(phrase)?,
            "delimiter" => options.delimiter = Some(phrase.string()?),
            "null" => options.null = Some(phrase.string()?),
            "header" => options.header = boolean(phrase)?,
            "quote" => options.quote = Some(phrase.string()?),
            "escape" => options.escape = Some(phrase.string()?),
            "force_quote" => options.force_quote = Some(force_quote(phrase, true)?),
            "encoding" if is_utf8(&phrase.string()?) => {}
            _ => {
                // The statement is refused; its end is still looked for.
                while phrase.peek().is_some_and(|next| !next.is_sign(",") && !next.is_sign(")")) {
                    phrase.skip(1);
                }
                refused = Some(name);
            }
        }
        if !phrase.sign(",") {
            break;
        }
    }
    phrase.expect_sign(")")?;
    Ok(refused)
}

fn copy_format(phrase: &mut Phrase<'_>) -> Result<CopyFormat, SqlError> {
    let position = phrase.position();
    let value = match phrase.peek().map(|lexeme| &lexeme.kind) {
        Some(Kind::Word(word) | Kind::Text(word) | Kind::Quoted(word)) => word.to_ascii_lowercase(),
        _ => return Err(phrase.unexpected()),
    };
    phrase.skip(1);
    match value.as_str() {
        "text" => Ok(CopyFormat::Text),
        "csv" => Ok(CopyFormat::Csv),
        "binary" => Ok(CopyFormat::Binary),
        _ => Err(SqlError::syntax(format!("COPY format \"{value}\" not recognized"), position)),
    }
}

/// `*` or columns, in parentheses in the new syntax.
fn force_quote(phrase: &mut Phrase<'_>, parentheses: bool) -> Result<ForceQuote, SqlError> {
    if phrase.operator("*") {
        return Ok(ForceQuote::All);
    }
    if parentheses {
        phrase.expect_sign("(")?;
    }
    let mut columns = vec![phrase.name()?];
    while phrase.sign(",") {
        columns.push(phrase.name()?);
    }
    if parentheses {
        phrase.expect_sign(")")?;
    }
    Ok(ForceQuote::Columns(columns))
}

#[cfg(test)]
#[path = "wrapped_tests.rs"]
mod tests;
