//! What a client is told of an error that the warehouse raised.
//!
//! A message of the warehouse may hold a value of a hidden row (`invalid input syntax for type integer: "…"`), the name of a
//! hidden relation or an expression of a mask. So a statement that touches a guarded product gets a fixed text per SQLSTATE;
//! others get the message where its SQLSTATE says that it speaks of the client's own statement. Which of the two it is
//! depends on the permit alone, never on a comparison of texts.

use crate::error::{ClientError, ErrorKind, SqlState, sqlstate};
use crate::govern::permit::ProductUse;
use crate::sql::{Named, Origin};
use crate::wire::answer::Report;

/// The statement that an error speaks of.
#[derive(Clone, Debug, Default)]
pub struct Statement<'a> {
    /// A product that it reads is masked, filtered or fenced.
    pub guarded: bool,
    /// What it reads, as far as that is known.
    pub products: &'a [ProductUse],
    /// Where in the client's text the mistake is.
    pub origin: Option<Origin>,
}

/// The error for the client.
pub fn from_warehouse(report: &Report<'_>, statement: &Statement<'_>) -> ClientError {
    let code = report.sqlstate().unwrap_or(sqlstate::INTERNAL_ERROR);
    let origin = statement.origin.as_ref();
    let (message, hint) = fixed(code);
    let error = ClientError::new(ErrorKind::Warehouse, code, message);
    let error = ClientError { position: origin.map(|origin| origin.position), ..error };
    if !statement.guarded && speaks_of_the_statement(code) {
        let message = without_our_schema(&report.message(), code, origin);
        let told = ClientError { message, ..error };
        return match report.field(b'H') {
            Some(hint) => told.with_hint(hint),
            None => told,
        };
    }
    let error = match origin.and_then(|origin| origin.named.as_ref()).and_then(|named| by_name(code, named)) {
        Some(message) => ClientError { message, ..error },
        None => error,
    };
    let error = match withheld_for(code, statement) {
        Some(detail) => error.with_detail(detail),
        None => error,
    };
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

/// Where the SQL that was sent has the mistake, for the codes whose place is told.
pub fn position(report: &Report<'_>) -> Option<usize> {
    let told =
        [sqlstate::SYNTAX_ERROR, sqlstate::UNDEFINED_TABLE, sqlstate::UNDEFINED_COLUMN, sqlstate::UNDEFINED_FUNCTION];
    report.sqlstate().filter(|code| told.contains(code)).and_then(|_| report.position())
}

/// What does not exist, in the client's own words.
fn by_name(code: SqlState, named: &Named) -> Option<String> {
    match named {
        _ if code != sqlstate::UNDEFINED_FUNCTION => None,
        Named::Function(name) => Some(format!("function {name} does not exist for arguments of these types")),
        Named::Operator(sign) => Some(format!("operator does not exist for operands of these types: {sign}")),
    }
}

/// For whose sake the warehouse's words are kept back.
fn withheld_for(code: SqlState, statement: &Statement<'_>) -> Option<String> {
    let guarded = statement.products.iter().filter(|product| product.guarded);
    let names: Vec<String> = guarded.map(|product| product.id.to_string()).collect();
    let kept_back = statement.guarded && speaks_of_the_statement(code) && !names.is_empty();
    kept_back.then(|| {
        format!(
            "The warehouse's own message is not shown: it could tell of what you may not see of {}.",
            names.join(", ")
        )
    })
}

/// Functions are called with their schema, which the client has not written.
fn without_our_schema(message: &str, code: SqlState, origin: Option<&Origin>) -> String {
    match origin.and_then(|origin| origin.named.as_ref()) {
        Some(Named::Function(name)) if code == sqlstate::UNDEFINED_FUNCTION && !name.contains('.') => {
            message.replacen("function pg_catalog.", "function ", 1)
        }
        _ => message.to_owned(),
    }
}

/// Whether an error of the warehouse may mean that a relation is no longer what the facts say: every name that is sent was
/// found in them. `body` is that of the ErrorResponse.
pub fn doubts_facts(body: &[u8]) -> bool {
    let code = Report::parse(body).ok().and_then(|report| report.sqlstate());
    code.is_some_and(|code| matches!(code.as_str(), "0A000" | "42501" | "42703" | "42809" | "42P01"))
}

/// Whether the warehouse's own words about this SQLSTATE concern the text and the values of the statement, and not the
/// warehouse's relations, rights and machine.
fn speaks_of_the_statement(code: SqlState) -> bool {
    let code = code.as_str();
    match code {
        // Rights, relations and schemas of the warehouse.
        "42501" | "42P01" | "42P15" | "42704" => false,
        _ => matches!(
            code.get(..2),
            Some("02" | "08" | "0A" | "21" | "22" | "24" | "25" | "26" | "34" | "3B" | "42" | "54")
        ),
    }
}

/// Message and hint by SQLSTATE, else by class.
fn fixed(code: SqlState) -> (&'static str, Option<&'static str>) {
    let code = code.as_str();
    by_code(code).or_else(|| code.get(..2).and_then(by_class)).unwrap_or((
        "the warehouse could not run the statement",
        Some("Its own message is not shown; the warehouse's log has it. Tell the operators of pgveil the time and this code."),
    ))
}

const WITHHELD: &str =
    "Look for the cause in your own terms: try the expressions one after the other, or the statement on fewer rows.";
const OPERATOR: &str =
    "This is not your statement's fault: tell the operators of the warehouse, with the time and this code.";
const AGAIN: &str = "Run the statement again.";

fn by_code(code: &str) -> Option<(&'static str, Option<&'static str>)> {
    Some(match code {
        "0A000" => ("the warehouse does not support what the statement asks for", Some(WITHHELD)),
        "21000" => {
            ("a subquery used as an expression returned more than one row", Some("Use LIMIT 1, an aggregate or IN."))
        }
        "22001" => ("a value is too long for its type", Some("Cast to text, or to a longer type.")),
        "22003" => {
            ("a number is out of range", Some("Cast to bigint, numeric or double precision before the computation."))
        }
        "22004" => ("a null value is not allowed here", Some("Use coalesce().")),
        "22007" => (
            "a value has not the form of the date or time type that it is converted to",
            Some("Look for empty or free texts among the values, and filter or CASE them out before the cast."),
        ),
        "22008" => ("a date or time is out of range", None),
        "2200H" | "22009" | "22023" => ("a parameter of a function has an invalid value", None),
        "22011" => ("a substring has a negative length", None),
        "22012" => ("division by zero", Some("Divide by nullif(x, 0).")),
        "22014" => ("the argument of ntile must be greater than zero", None),
        "22016" => ("the argument of nth_value must be greater than zero", None),
        "2201B" => ("a regular expression is invalid", None),
        "2201E" => {
            ("the logarithm of a value that is not greater than zero is not defined", Some("Filter such values out."))
        }
        "2201F" => ("a power has no real result", None),
        "2201G" => ("an argument of width_bucket is invalid", None),
        "2201W" => ("LIMIT must not be negative", None),
        "2201X" => ("OFFSET must not be negative", None),
        "22021" | "22P05" => ("a character does not exist in the encoding", None),
        "22024" => ("a text ends too early", None),
        "22025" => ("an escape sequence is invalid", None),
        "2202E" => ("an array subscript is invalid", None),
        "22030" | "22032" | "22033" | "22034" | "22035" | "22036" | "22037" | "22038" | "22039" | "2203A" | "2203B"
        | "2203C" | "2203D" | "2203E" | "2203F" | "2203G" => ("a JSON value has not the expected form", Some(WITHHELD)),
        "22P01" => ("a floating-point computation is invalid", None),
        "22P02" => (
            "a value has not the form of the type that it is converted to",
            Some("Masked values are converted too. Look for those that do not fit: WHERE x !~ '^-?[0-9]+$'."),
        ),
        "22P03" => ("a binary parameter has not the form of its type", None),
        "25001" => ("a transaction is in progress already", None),
        "25006" => {
            ("the transaction is read-only", Some("pgveil answers questions; it changes nothing in the warehouse."))
        }
        "25P01" => ("there is no transaction in progress", None),
        "25P02" => ("current transaction is aborted, commands ignored until end of transaction block", None),
        "26000" => ("prepared statement does not exist", None),
        "34000" => ("cursor does not exist", None),
        "3B001" => ("savepoint does not exist", None),
        "40001" => ("could not serialize access because of a concurrent change", Some(AGAIN)),
        "40P01" => ("deadlock detected", Some(AGAIN)),
        "42501" => (
            "the warehouse does not let pgveil read a relation behind this statement",
            Some("Send this message and the statement to those who run pgveil; other products are not affected."),
        ),
        "42601" => {
            ("the warehouse sees a syntax error in the statement", Some("Write the statement in a simpler form."))
        }
        "42602" | "42622" => ("a name is invalid", None),
        "42702" => ("a column reference is ambiguous", Some("Write the table or its alias before the column.")),
        "42703" => {
            ("a column does not exist", Some("Only the columns of a product's contract exist; look for a misspelling."))
        }
        "42704" => ("an object that the statement names does not exist", None),
        "42712" => ("a table name is specified more than once", Some("Give the tables different aliases.")),
        "42725" => ("a function or operator is not unique", Some("Add explicit type casts.")),
        "42803" => (
            "a column must appear in the GROUP BY clause or be used in an aggregate function",
            Some("Add it to GROUP BY, or aggregate it."),
        ),
        "42804" => ("the types of two expressions do not fit", Some("Add explicit type casts.")),
        "42809" => ("an object has not the kind that is needed here", None),
        "42846" => ("there is no cast between the two types", Some("Cast by way of text.")),
        "42883" => (
            "no function or operator fits the name and the types of its arguments",
            Some("Add explicit type casts; a mask keeps a column's type."),
        ),
        "42P01" => (
            "the relation behind a data product does not exist in the warehouse",
            Some("Tell the product's owner, or the operators of pgveil: `pgveil check --warehouse` says which."),
        ),
        "42P02" => ("there is no parameter of that number", None),
        "42P03" => ("a cursor of that name exists already", None),
        "42P05" => ("a prepared statement of that name exists already", None),
        "42P08" => ("the type of a parameter is ambiguous", Some("Cast the parameter: $1::text.")),
        "42P10" => (
            "a column reference is invalid here",
            Some("SELECT DISTINCT needs its ORDER BY expressions in the select list."),
        ),
        "42P18" => ("the type of a parameter cannot be determined", Some("Cast the parameter: $1::text.")),
        "42P19" => ("a recursive query has not the form that it needs", None),
        "42P20" => ("a window definition is invalid", None),
        "42P21" | "42P22" => ("the collation to use cannot be determined", Some("Add a COLLATE clause.")),
        "53100" => ("the warehouse's disk is full", Some(OPERATOR)),
        "53200" => {
            ("the warehouse is out of memory", Some("Ask for less at once: filter earlier, or group by fewer columns."))
        }
        "53300" => ("the warehouse has too many connections", Some(OPERATOR)),
        "53400" => (
            "the statement needs more temporary space than the warehouse allows",
            Some("Ask for less at once: filter earlier, or group by fewer columns."),
        ),
        "54001" => ("the statement is too complex for the warehouse", Some("Split it, or write it in a simpler form.")),
        "54011" => ("the statement has too many columns", None),
        "54023" => ("a function has too many arguments", None),
        "55P03" => ("a relation is locked by somebody else", Some(AGAIN)),
        "57014" => ("canceling statement due to user request", None),
        "57P01" => ("the warehouse ended the connection", Some(AGAIN)),
        _ => return None,
    })
}

fn by_class(class: &str) -> Option<(&'static str, Option<&'static str>)> {
    Some(match class {
        "0A" => ("the warehouse does not support what the statement asks for", Some(WITHHELD)),
        "20" | "21" => ("a subquery returned more rows than its place allows", None),
        "22" => ("a value is not valid where the statement uses it", Some(WITHHELD)),
        "23" => ("a constraint of the warehouse forbids it", None),
        "24" | "34" => ("the cursor cannot be used like this", None),
        "25" => ("the statement is not allowed in this state of the transaction", None),
        "38" | "39" => ("a function of the warehouse failed", Some(WITHHELD)),
        "3B" => ("the savepoint cannot be used like this", None),
        "40" => ("the transaction was rolled back", Some(AGAIN)),
        "42" => (
            "the warehouse does not accept the statement",
            Some("Compare names and types with the product's contract."),
        ),
        "53" => ("the warehouse lacks resources for the statement", Some("Ask for less at once, or try again later.")),
        "54" => ("a limit of the warehouse is exceeded", Some("Ask for less at once.")),
        "55" => ("an object is not in the state that the statement needs", Some(AGAIN)),
        "57" => ("the warehouse ended the statement", Some(AGAIN)),
        "58" | "F0" | "HV" | "P0" | "XX" => ("the warehouse had an internal error", Some(OPERATOR)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(fields: &[(u8, &str)]) -> Vec<u8> {
        let mut body = Vec::new();
        for (code, text) in fields {
            body.push(*code);
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
        body.push(0);
        body
    }

    fn told(code: &str, guarded: bool) -> ClientError {
        let body = report(&[
            (b'S', "ERROR"),
            (b'C', code),
            (b'M', "canary in the message"),
            (b'D', "canary in the detail"),
            (b'W', "canary in the context"),
            (b'q', "canary in the internal query"),
            (b't', "canary in the table"),
            (b'P', "17"),
        ]);
        from_warehouse(&Report::parse(&body).unwrap(), &Statement { guarded, ..Statement::default() })
    }

    #[test]
    fn a_guarded_statement_gets_none_of_the_warehouses_words() {
        for code in ["22P02", "22012", "42703", "42501", "XX000", "0A000", "99ZZZ", "40001", "22000"] {
            let error = told(code, true);
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
            assert_eq!(error.sqlstate.as_str(), code);
            assert!(!error.message.is_empty());
            assert_eq!(error.position, None);
        }
    }

    #[test]
    fn others_get_the_message_alone_and_only_about_the_statement() {
        let error = told("22P02", false);
        assert_eq!(error.message, "canary in the message");
        assert_eq!((error.detail, error.hint, error.position), (None, None, None));
        for code in ["42501", "42P01", "XX000", "58030", "53200", "99ZZZ"] {
            assert!(!format!("{:?}", told(code, false)).contains("canary"), "{code}");
        }
    }

    #[test]
    fn texts_are_in_postgres_style() {
        for code in 0..36u32.pow(2) {
            let class: String = [code / 36, code % 36]
                .iter()
                .filter_map(|d| char::from_digit(*d, 36))
                .collect::<String>()
                .to_uppercase();
            if let Some((message, hint)) = by_class(&class) {
                assert!(!message.ends_with('.') && !message.starts_with(char::is_uppercase), "{message}");
                assert!(hint.is_none_or(|hint| hint.ends_with('.')), "{hint:?}");
            }
        }
    }
}
