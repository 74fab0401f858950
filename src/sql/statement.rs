//! The kinds of statement that pgveil knows. What is not one of them is [`Statement::Refused`].

use sqlparser::ast;

/// One statement of a client's text.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The statement's own part of the client's text, without the semicolon and surrounding white space.
    pub text: String,
    /// How many characters of the client's text precede it, for error positions.
    pub offset: usize,
    /// What it is.
    pub statement: Statement,
    /// Where in `text` (bytes) the query of EXPLAIN, COPY, PREPARE or DECLARE stands: what the second parser is asked about.
    /// `None` for a query, which is the whole text, and for `COPY t`, which has none.
    pub query_text: Option<std::ops::Range<usize>>,
}

/// A long chain of operators nests deeply, and so does its drop.
impl Drop for Parsed {
    fn drop(&mut self) {
        // Each level of a tree takes at least one character.
        const HARMLESS: usize = 512;
        if self.text.len() > HARMLESS {
            let statement = std::mem::replace(&mut self.statement, Statement::Empty);
            super::with_deep_stack(|| drop(statement));
        }
    }
}

/// A statement, classified. Names are exact (folded, undoubled, truncated).
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// Nothing but white space and comments.
    Empty,
    /// SELECT, VALUES, TABLE, WITH.
    Query(Box<ast::Query>),
    /// EXPLAIN of a query.
    Explain(Explain),
    /// COPY … TO STDOUT.
    CopyOut(CopyOut),
    /// PREPARE.
    Prepare { name: String, types: Vec<ast::DataType>, query: Box<ast::Query> },
    /// EXECUTE.
    Execute { name: String, arguments: Vec<ast::Expr> },
    /// DECLARE CURSOR.
    Declare(Declare),
    /// What concerns the session alone and reads no relation.
    Session(SessionStatement),
    /// A kind that is never allowed.
    Refused(Refused),
}

/// EXPLAIN: options that are not harmless are refused with their name before they get here.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    /// COSTS; default true
    pub costs: bool,
    /// FORMAT
    pub format: ExplainFormat,
    /// What is explained.
    pub query: Box<ast::Query>,
}

/// The FORMAT of EXPLAIN that the client asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExplainFormat {
    /// TEXT
    #[default]
    Text,
    /// JSON
    Json,
    /// XML
    Xml,
    /// YAML
    Yaml,
}

/// COPY (query) TO STDOUT; `COPY t (a, b) TO STDOUT` has become a query.
#[derive(Clone, Debug, PartialEq)]
pub struct CopyOut {
    /// What is copied.
    pub query: Box<ast::Query>,
    /// The options, each checked.
    pub options: CopyOptions,
}

/// Options of COPY TO that are known; every other is refused by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CopyOptions {
    /// text, csv or binary
    pub format: CopyFormat,
    /// DELIMITER
    pub delimiter: Option<String>,
    /// NULL
    pub null: Option<String>,
    /// HEADER
    pub header: bool,
    /// QUOTE
    pub quote: Option<String>,
    /// ESCAPE
    pub escape: Option<String>,
    /// FORCE_QUOTE
    pub force_quote: Option<ForceQuote>,
}

/// FORCE_QUOTE.
#[derive(Clone, Debug, PartialEq)]
pub enum ForceQuote {
    /// `*`
    All,
    /// named columns
    Columns(Vec<String>),
}

/// FORMAT of COPY.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CopyFormat {
    /// text
    #[default]
    Text,
    /// csv
    Csv,
    /// binary
    Binary,
}

/// DECLARE name … CURSOR … FOR query.
#[derive(Clone, Debug, PartialEq)]
pub struct Declare {
    /// The cursor.
    pub name: String,
    /// BINARY
    pub binary: bool,
    /// INSENSITIVE (true), ASENSITIVE (false)
    pub insensitive: Option<bool>,
    /// SCROLL (true), NO SCROLL (false)
    pub scroll: Option<bool>,
    /// WITH HOLD
    pub hold: bool,
    /// What it reads.
    pub query: Box<ast::Query>,
}

/// What concerns the session alone.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionStatement {
    /// BEGIN
    Begin(TransactionModes),
    /// START TRANSACTION: the same under another command tag
    StartTransaction(TransactionModes),
    /// COMMIT, END
    Commit { chain: bool },
    /// ROLLBACK, ABORT
    Rollback { chain: bool },
    /// SAVEPOINT
    Savepoint(String),
    /// RELEASE
    Release(String),
    /// ROLLBACK TO
    RollbackTo(String),
    /// SET TRANSACTION
    SetTransaction(TransactionModes),
    /// SET SESSION CHARACTERISTICS AS TRANSACTION
    SetCharacteristics(TransactionModes),
    /// SET [SESSION | LOCAL] name = value
    Set { local: bool, name: String, value: SetValue },
    /// RESET name, and SET name TO DEFAULT
    Reset { local: bool, name: String },
    /// RESET ALL
    ResetAll,
    /// SET [SESSION] AUTHORIZATION DEFAULT, RESET ROLE, SET ROLE NONE: there is nothing to undo
    ResetAuthorization,
    /// SHOW name
    Show(String),
    /// SHOW ALL
    ShowAll,
    /// DISCARD
    Discard(Discard),
    /// DEALLOCATE; `None`: ALL
    Deallocate(Option<String>),
    /// FETCH (`moving` false) and MOVE
    Fetch { moving: bool, cursor: String, direction: FetchDirection },
    /// CLOSE; `None`: ALL
    Close(Option<String>),
    /// UNLISTEN *: there is nothing to undo
    Unlisten,
}

/// DISCARD what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Discard {
    /// ALL
    All,
    /// PLANS
    Plans,
    /// SEQUENCES
    Sequences,
    /// TEMP, TEMPORARY
    Temp,
}

/// Modes of a transaction, where the client named them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionModes {
    /// ISOLATION LEVEL
    pub isolation: Option<Isolation>,
    /// READ ONLY (true), READ WRITE (false)
    pub read_only: Option<bool>,
    /// DEFERRABLE
    pub deferrable: Option<bool>,
}

/// Isolation levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isolation {
    /// READ UNCOMMITTED
    ReadUncommitted,
    /// READ COMMITTED
    ReadCommitted,
    /// REPEATABLE READ
    RepeatableRead,
    /// SERIALIZABLE
    Serializable,
}

/// The right side of SET: the items as Postgres reads them (`SET search_path = a, "B"` has two).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetValue(pub Vec<String>);

/// Where FETCH and MOVE go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchDirection {
    /// FORWARD n; NEXT is 1, a plain count likewise
    Forward(i64),
    /// FORWARD ALL, ALL
    ForwardAll,
    /// BACKWARD n; PRIOR is 1
    Backward(i64),
    /// BACKWARD ALL
    BackwardAll,
    /// ABSOLUTE n; FIRST is 1, LAST is -1
    Absolute(i64),
    /// RELATIVE n
    Relative(i64),
}

/// A statement kind that is never allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// As in Postgres' command tags: `INSERT`, `CREATE TABLE`, `DO`, `EXPLAIN ANALYZE`.
    pub what: String,
    /// What to use instead, where there is something.
    pub hint: Option<String>,
}
