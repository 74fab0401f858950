//! Statements that concern the session alone: Postgres' grammar for them, read from lexemes. sqlparser covers them in part
//! only, and prints some as others.

use crate::names::fold_identifier;

use super::keywords::{Reserved, reserved};
use super::lex::Kind;
use super::limits::SqlError;
use super::phrase::Phrase;
use super::statement::{
    Discard, FetchDirection, Isolation, Refused, SessionStatement as Session, SetValue, Statement, TransactionModes,
};

/// Reads a session statement; what begins none is a syntax error.
pub(super) fn session_statement(phrase: &mut Phrase<'_>) -> Result<Statement, SqlError> {
    let start = phrase.peek().and_then(super::lex::Lexeme::word).unwrap_or_default();
    let unknown = phrase.unexpected();
    phrase.skip(1);
    let statement = match start.as_str() {
        "begin" => {
            work(phrase);
            Session::Begin(modes(phrase, true)?)
        }
        "start" => {
            phrase.expect("transaction")?;
            Session::StartTransaction(modes(phrase, true)?)
        }
        "commit" | "end" => {
            work(phrase);
            Session::Commit { chain: chain(phrase)? }
        }
        "rollback" | "abort" => rollback(phrase, start == "rollback")?,
        "savepoint" => Session::Savepoint(phrase.name()?),
        "release" => {
            if phrase.rest().len() > 1 {
                phrase.word("savepoint");
            }
            Session::Release(phrase.name()?)
        }
        "set" => return set(phrase),
        "reset" => reset(phrase)?,
        "show" => show(phrase)?,
        "discard" => Session::Discard(discard(phrase)?),
        "deallocate" => {
            if phrase.rest().len() > 1 {
                phrase.word("prepare");
            }
            Session::Deallocate(if phrase.word("all") { None } else { Some(phrase.name()?) })
        }
        "fetch" => fetch(phrase, false)?,
        "move" => fetch(phrase, true)?,
        "close" => Session::Close(if phrase.word("all") { None } else { Some(phrase.name()?) }),
        "unlisten" => {
            if !phrase.operator("*") {
                phrase.name()?;
            }
            Session::Unlisten
        }
        _ => return Err(unknown),
    };
    phrase.done()?;
    Ok(Statement::Session(statement))
}

fn work(phrase: &mut Phrase<'_>) {
    if !phrase.word("work") {
        phrase.word("transaction");
    }
}

/// `AND [NO] CHAIN`.
fn chain(phrase: &mut Phrase<'_>) -> Result<bool, SqlError> {
    if !phrase.word("and") {
        return Ok(false);
    }
    let no = phrase.word("no");
    phrase.expect("chain")?;
    Ok(!no)
}

fn rollback(phrase: &mut Phrase<'_>, may_go_back: bool) -> Result<Session, SqlError> {
    work(phrase);
    if may_go_back && phrase.word("to") {
        if phrase.rest().len() > 1 {
            phrase.word("savepoint");
        }
        return Ok(Session::RollbackTo(phrase.name()?));
    }
    Ok(Session::Rollback { chain: chain(phrase)? })
}

/// Transaction modes, with or without commas; the last of a kind holds.
fn modes(phrase: &mut Phrase<'_>, may_be_none: bool) -> Result<TransactionModes, SqlError> {
    let mut modes = TransactionModes::default();
    if may_be_none && phrase.is_done() {
        return Ok(modes);
    }
    loop {
        if phrase.words(&["isolation", "level"]) {
            modes.isolation = Some(isolation(phrase)?);
        } else if phrase.words(&["read", "only"]) {
            modes.read_only = Some(true);
        } else if phrase.words(&["read", "write"]) {
            modes.read_only = Some(false);
        } else if phrase.words(&["not", "deferrable"]) {
            modes.deferrable = Some(false);
        } else if phrase.word("deferrable") {
            modes.deferrable = Some(true);
        } else {
            return Err(phrase.unexpected());
        }
        if !phrase.sign(",") && phrase.is_done() {
            return Ok(modes);
        }
    }
}

fn isolation(phrase: &mut Phrase<'_>) -> Result<Isolation, SqlError> {
    if phrase.words(&["read", "uncommitted"]) {
        Ok(Isolation::ReadUncommitted)
    } else if phrase.words(&["read", "committed"]) {
        Ok(Isolation::ReadCommitted)
    } else if phrase.words(&["repeatable", "read"]) {
        Ok(Isolation::RepeatableRead)
    } else if phrase.word("serializable") {
        Ok(Isolation::Serializable)
    } else {
        Err(phrase.unexpected())
    }
}

fn set(phrase: &mut Phrase<'_>) -> Result<Statement, SqlError> {
    let local = phrase.word("local");
    if !local && phrase.words(&["session", "characteristics", "as", "transaction"]) {
        let modes = modes(phrase, false)?;
        phrase.done()?;
        return Ok(Statement::Session(Session::SetCharacteristics(modes)));
    }
    // `session` alone may also be the first part of a name, as in `SET session.x = 1`.
    let session =
        !local && phrase.rest().get(1).is_some_and(|next| !is_assignment(&next.kind)) && phrase.word("session");
    if phrase.word("transaction") {
        let modes = modes(phrase, false)?;
        phrase.done()?;
        return Ok(Statement::Session(Session::SetTransaction(modes)));
    }
    let statement = set_special(phrase, local, session)?;
    phrase.done()?;
    Ok(statement)
}

fn is_assignment(kind: &Kind) -> bool {
    match kind {
        Kind::Sign(sign) => *sign == ".",
        Kind::Operator(operator) => operator == "=",
        Kind::Word(word) => word.eq_ignore_ascii_case("to"),
        _ => false,
    }
}

/// The forms of SET that have a grammar of their own, then the plain one.
fn set_special(phrase: &mut Phrase<'_>, local: bool, session: bool) -> Result<Statement, SqlError> {
    let set = |name: &str, value: String| Session::Set { local, name: name.to_owned(), value: SetValue(vec![value]) };
    let statement = if phrase.words(&["time", "zone"]) {
        time_zone(phrase, local)?
    } else if phrase.word("authorization") || (!session && phrase.words(&["session", "authorization"])) {
        return authorization(phrase, "SET SESSION AUTHORIZATION", "default");
    } else if plain_follows(phrase) {
        plain(phrase, local)?
    } else if phrase.word("role") {
        return authorization(phrase, "SET ROLE", "none");
    } else if phrase.word("schema") {
        set("search_path", phrase.string()?)
    } else if phrase.word("names") {
        match phrase.is_done() || phrase.word("default") {
            true => Session::Reset { local, name: "client_encoding".to_owned() },
            false => set("client_encoding", phrase.string()?),
        }
    } else if phrase.words(&["xml", "option"]) {
        match phrase.word("document") {
            true => set("xmloption", "document".to_owned()),
            false => {
                phrase.expect("content")?;
                set("xmloption", "content".to_owned())
            }
        }
    } else {
        plain(phrase, local)?
    };
    Ok(Statement::Session(statement))
}

/// Whether a name and `=` or TO follow: `SET role = x`, `SET names TO y` are plain settings.
fn plain_follows(phrase: &Phrase<'_>) -> bool {
    phrase.rest().get(1).is_some_and(|next| is_assignment(&next.kind))
}

fn authorization(phrase: &mut Phrase<'_>, what: &str, harmless: &str) -> Result<Statement, SqlError> {
    if phrase.word(harmless) {
        phrase.done()?;
        return Ok(Statement::Session(Session::ResetAuthorization));
    }
    match phrase.peek().map(|lexeme| &lexeme.kind) {
        Some(Kind::Text(_) | Kind::Word(_) | Kind::Quoted(_)) => phrase.skip(1),
        _ => return Err(phrase.unexpected()),
    }
    phrase.done()?;
    Ok(Statement::Refused(Refused::new(
        what,
        Some("Log in as the user whose rights you need; roles come from pgveil's policy."),
    )))
}

fn time_zone(phrase: &mut Phrase<'_>, local: bool) -> Result<Session, SqlError> {
    let name = "timezone".to_owned();
    if phrase.word("default") || phrase.word("local") {
        return Ok(Session::Reset { local, name });
    }
    let value = if phrase.word("interval") {
        let offset = phrase.string()?;
        if phrase.word("hour") && phrase.word("to") {
            phrase.expect("minute")?;
        }
        format!("INTERVAL {}", crate::names::quote_literal(&offset))
    } else {
        item(phrase)?
    };
    Ok(Session::Set { local, name, value: SetValue(vec![value]) })
}

/// `name { TO | = } { DEFAULT | item, … }`.
fn plain(phrase: &mut Phrase<'_>, local: bool) -> Result<Session, SqlError> {
    let name = setting_name(phrase)?;
    if !phrase.operator("=") {
        phrase.expect("to")?;
    }
    if name == "role" && phrase.rest().len() == 1 && phrase.word("none") {
        return Ok(Session::ResetAuthorization);
    }
    if phrase.word("default") {
        return Ok(match name.as_str() {
            "role" | "session_authorization" => Session::ResetAuthorization,
            _ => Session::Reset { local, name },
        });
    }
    let mut items = vec![item(phrase)?];
    while phrase.sign(",") {
        items.push(item(phrase)?);
    }
    Ok(Session::Set { local, name, value: SetValue(items) })
}

/// The name of a setting, in lower case as Postgres compares it.
fn setting_name(phrase: &mut Phrase<'_>) -> Result<String, SqlError> {
    let mut name = phrase.name()?;
    while phrase.sign(".") {
        name.push('.');
        name.push_str(&phrase.name()?);
    }
    Ok(name.to_ascii_lowercase())
}

/// One item of a setting's value as Postgres reads it.
fn item(phrase: &mut Phrase<'_>) -> Result<String, SqlError> {
    let sign = if phrase.operator("-") {
        "-"
    } else if phrase.operator("+") {
        ""
    } else {
        let value = match phrase.peek().map(|lexeme| &lexeme.kind) {
            Some(Kind::Text(value)) => value.clone(),
            Some(Kind::Quoted(name)) => fold_identifier(name, true),
            Some(Kind::Number(number)) => number.clone(),
            Some(Kind::Word(word)) => {
                let lower = word.to_ascii_lowercase();
                let allowed = matches!(lower.as_str(), "true" | "false" | "on");
                if !allowed && reserved(&lower) == Some(Reserved::Fully) {
                    return Err(phrase.unexpected());
                }
                fold_identifier(word, false)
            }
            _ => return Err(phrase.unexpected()),
        };
        phrase.skip(1);
        return Ok(value);
    };
    match phrase.peek().map(|lexeme| &lexeme.kind) {
        Some(Kind::Number(number)) => {
            phrase.skip(1);
            Ok(format!("{sign}{number}"))
        }
        _ => Err(phrase.unexpected()),
    }
}

fn reset(phrase: &mut Phrase<'_>) -> Result<Session, SqlError> {
    Ok(if phrase.word("all") {
        Session::ResetAll
    } else if phrase.words(&["session", "authorization"]) {
        Session::ResetAuthorization
    } else {
        match special_name(phrase)? {
            name if matches!(name.as_str(), "role" | "session_authorization") => Session::ResetAuthorization,
            name => Session::Reset { local: false, name },
        }
    })
}

fn show(phrase: &mut Phrase<'_>) -> Result<Session, SqlError> {
    Ok(if phrase.word("all") {
        Session::ShowAll
    } else if phrase.words(&["session", "authorization"]) {
        Session::Show("session_authorization".to_owned())
    } else {
        Session::Show(special_name(phrase)?)
    })
}

/// A setting by one of its written-out names, or by its own.
fn special_name(phrase: &mut Phrase<'_>) -> Result<String, SqlError> {
    if phrase.words(&["time", "zone"]) {
        Ok("timezone".to_owned())
    } else if phrase.words(&["transaction", "isolation", "level"]) {
        Ok("transaction_isolation".to_owned())
    } else {
        setting_name(phrase)
    }
}

fn discard(phrase: &mut Phrase<'_>) -> Result<Discard, SqlError> {
    let what = match phrase.peek().and_then(super::lex::Lexeme::word).as_deref() {
        Some("all") => Discard::All,
        Some("plans") => Discard::Plans,
        Some("sequences") => Discard::Sequences,
        Some("temp" | "temporary") => Discard::Temp,
        _ => return Err(phrase.unexpected()),
    };
    phrase.skip(1);
    Ok(what)
}

/// FETCH and MOVE. A word that could be a direction is the cursor's name when nothing follows it.
fn fetch(phrase: &mut Phrase<'_>, moving: bool) -> Result<Session, SqlError> {
    let direction = if phrase.rest().len() > 1 { direction(phrase)? } else { FetchDirection::Forward(1) };
    if !phrase.word("from") {
        phrase.word("in");
    }
    Ok(Session::Fetch { moving, cursor: phrase.name()?, direction })
}

fn direction(phrase: &mut Phrase<'_>) -> Result<FetchDirection, SqlError> {
    use FetchDirection::{Absolute, Backward, BackwardAll, Forward, ForwardAll, Relative};
    if let Some(count) = phrase.integer()? {
        return Ok(Forward(count));
    }
    let required = |phrase: &mut Phrase<'_>| phrase.integer()?.ok_or_else(|| phrase.unexpected());
    Ok(if phrase.word("all") {
        ForwardAll
    } else if phrase.word("next") {
        Forward(1)
    } else if phrase.word("prior") {
        Backward(1)
    } else if phrase.word("first") {
        Absolute(1)
    } else if phrase.word("last") {
        Absolute(-1)
    } else if phrase.word("absolute") {
        Absolute(required(phrase)?)
    } else if phrase.word("relative") {
        Relative(required(phrase)?)
    } else if phrase.word("forward") {
        if phrase.word("all") { ForwardAll } else { Forward(phrase.integer()?.unwrap_or(1)) }
    } else if phrase.word("backward") {
        if phrase.word("all") { BackwardAll } else { Backward(phrase.integer()?.unwrap_or(1)) }
    } else {
        Forward(1)
    })
}

#[cfg(test)]
#[path = "session_statement_tests.rs"]
mod tests;
