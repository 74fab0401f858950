//! Cases of the protocol: conversations frame by frame.
//!
//! `> …` sends. `parse NAME | SQL | OIDS`, `bind PORTAL | NAME | values`, `describe S NAME`, `execute PORTAL N`, `close S NAME`,
//! `query SQL`, `sync`, `flush`, `terminate` are the usual messages (`-` is the empty name); `message T BODY` is one of any
//! kind, `packet BODY` one without a letter, `bytes …` what it says; `startup k=v; k=v`, `sasl MECHANISM | DATA` and
//! `saslresponse DATA` belong to the start; `login k=v; …` does all of it. `repeat N …` sends N times, `{{n}}` counts.
//! `use NAME` goes on with another connection, `raw NAME` with one on which nothing was said. `edit FILE | OLD | NEW` changes
//! a file of pgveil's and waits until that serves, `warehouse SQL` goes past pgveil. `leave` gives the connection up.
//!
//! `< …` is what must come: letters of messages, `E:CODE`, `R:KIND`, `D*` (any number), `…` (anything up to what follows),
//! `byte:S`, `closed`. ParameterStatus and notices are passed over. `? words` must be in the last error, `= a | b` is the last row.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::message::frontend;

use crate::canaries;
use crate::common::proxy::Proxy;
use crate::common::wire::{Frame, Wire, answers};
use crate::fixture::{DATABASE, Fixture, edit, login, password};
use crate::script::{Case, expand, parts};

/// Who attacks, where a case does not say.
const USER: &str = "analyst";
/// How long an answer may take: longer than anything here, on any machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection of a case.
struct Line {
    wire: Wire,
    out: BytesMut,
    logged_in: bool,
    closed: bool,
}

struct Conversation<'a> {
    fixture: &'a Fixture,
    proxy: &'a Proxy,
    user: &'a str,
    lines: BTreeMap<String, Line>,
    current: String,
    sent: Vec<u8>,
    received: Vec<u8>,
    nonce: String,
    error: String,
    row: String,
}

type Step = Result<(), String>;

/// Runs the cases of a class; gives what is not as it should be.
pub fn run(fixture: &Fixture, proxy: &Proxy, cases: &[Case]) -> Vec<String> {
    let mut failures = Vec::new();
    // A login costs more than most cases: a connection that a case has left in order serves the next one.
    let mut kept: Option<Line> = None;
    for case in cases {
        let mut conversation = Conversation::new(fixture, proxy, case, &mut kept);
        let broken = case.lines.iter().find_map(|(number, line)| {
            let failed = conversation.step(line).err()?;
            Some(format!("{} (line {number}): {line}\n    {failed}", case.title))
        });
        let failed =
            broken.or_else(|| conversation.lives_on().err().map(|e| format!("{} (afterwards): {e}", case.title)));
        let found = canaries::found(&fixture.markers, &conversation.received, &conversation.sent);
        if !found.is_empty() {
            failures.push(format!("{}: LEAK of {}", case.title, found.join(", ")));
        }
        if failed.is_none() && conversation.user == USER {
            kept = conversation.lines.remove("main").filter(|line| line.logged_in && !line.closed);
        }
        failures.extend(failed);
    }
    let mut fresh = login(proxy, "boss", &[]).unwrap_or_else(|e| panic!("a login after all of it: {:?}", e.error));
    assert_eq!(fresh.one("SELECT 6 * 7").scalar(), "42");
    failures
}

impl<'a> Conversation<'a> {
    fn new(fixture: &'a Fixture, proxy: &'a Proxy, case: &'a Case, kept: &mut Option<Line>) -> Self {
        let user = case.option("user").unwrap_or(USER);
        let mut new = Self {
            fixture,
            proxy,
            user,
            lines: BTreeMap::new(),
            current: String::new(),
            sent: Vec::new(),
            received: Vec::new(),
            nonce: String::new(),
            error: String::new(),
            row: String::new(),
        };
        let raw = case.option("raw").is_some();
        if let (false, USER, Some(line)) = (raw, user, kept.take()) {
            new.lines.insert("main".to_owned(), line);
        }
        new.change("main", raw);
        new
    }

    fn change(&mut self, name: &str, raw: bool) {
        self.current = name.to_owned();
        if self.lines.contains_key(name) {
            return;
        }
        let wire = if raw {
            Wire::open(self.proxy.port)
        } else {
            login(self.proxy, self.user, &[]).unwrap_or_else(|e| panic!("{}: {:?}", self.user, e.error))
        };
        wire.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.lines.insert(name.to_owned(), Line { wire, out: BytesMut::new(), logged_in: !raw, closed: false });
    }

    fn line(&mut self) -> &mut Line {
        self.lines.get_mut(&self.current).unwrap()
    }

    fn step(&mut self, line: &str) -> Step {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            ">" => self.act(rest),
            "<" => self.expect(rest),
            "?" => match self.error.contains(rest) {
                true => Ok(()),
                false => Err(format!("the error says: {}", self.error)),
            },
            "=" => match self.row == rest {
                true => Ok(()),
                false => Err(format!("the row is: {}", self.row)),
            },
            _ => Err("no such line".to_owned()),
        }
    }

    fn act(&mut self, command: &str) -> Step {
        let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
        match verb {
            "use" => self.change(rest, false),
            "raw" => self.change(rest, true),
            "edit" => {
                let [file, from, to] = parts(rest).try_into().map_err(|_| "three parts are needed")?;
                let plain = |text: &str| text.replace("\\n", "\n");
                edit(self.proxy, file, &plain(from), &plain(to))?;
            }
            "warehouse" => self.fixture.sql(rest),
            "login" => self.log_in(rest),
            "leave" => self.line().closed = true,
            "repeat" => {
                let (times, command) = rest.split_once(' ').ok_or("repeat N command")?;
                for n in 0..times.parse::<u32>().map_err(|e| e.to_string())? {
                    self.queue(&command.replace("{{n}}", &n.to_string()))?;
                }
            }
            _ => self.queue(command)?,
        }
        Ok(())
    }

    fn log_in(&mut self, rest: &str) {
        let mut user = self.user.to_owned();
        let mut own = None;
        let mut database = DATABASE.to_owned();
        let mut parameters = Vec::new();
        for (name, value) in pairs(rest) {
            match name {
                "user" => user = value.to_owned(),
                "password" => own = Some(value.to_owned()),
                "database" => database = value.to_owned(),
                _ => parameters.push((name, value)),
            }
        }
        let secret = own.unwrap_or_else(|| password(&user).to_owned());
        self.sent.extend_from_slice(rest.as_bytes());
        let line = match Wire::connect(self.proxy.port, &user, &secret, &database, &parameters) {
            Ok(wire) => {
                self.received.extend(format!("{:?}", wire.parameters).bytes());
                self.error = "logged in".to_owned();
                Line { wire, out: BytesMut::new(), logged_in: true, closed: false }
            }
            Err(answer) => {
                let fields = answer.error.unwrap_or_default();
                self.error = format!("refused {}", fields.values().cloned().collect::<Vec<_>>().join(" "));
                self.received.extend_from_slice(self.error.as_bytes());
                Line { wire: Wire::open(self.proxy.port), out: BytesMut::new(), logged_in: false, closed: true }
            }
        };
        self.lines.insert(self.current.clone(), line);
    }

    fn queue(&mut self, command: &str) -> Step {
        let mut out = BytesMut::new();
        let nonce = self.nonce.clone();
        write(command, &|name| (name == "nonce").then(|| nonce.clone()), &mut out)?;
        self.sent.extend_from_slice(&out);
        self.line().out.extend_from_slice(&out);
        Ok(())
    }

    fn flush(&mut self) {
        let line = self.line();
        // Whoever was cut off does not hear the rest.
        let out = line.out.split();
        let _ = line.wire.stream.write_all(&out);
    }

    fn read(&mut self) -> Result<Option<Frame>, String> {
        match self.line().wire.read() {
            Ok(frame) => {
                self.received.extend_from_slice(&frame.body);
                match frame.tag {
                    b'E' => self.error = frame.fields().values().cloned().collect::<Vec<_>>().join(" "),
                    b'R' if frame.body.starts_with(&[0, 0, 0, 11]) => {
                        let text = String::from_utf8_lossy(&frame.body[4..]).into_owned();
                        let own = text.split(',').find_map(|part| part.strip_prefix("r="));
                        self.nonce = own.unwrap_or_default().to_owned();
                    }
                    b'D' => {
                        let row = answers(vec![frame.clone(), Frame { tag: b'C', body: Vec::new() }]);
                        self.row = row[0].text_rows()[0].join(" | ");
                    }
                    _ => {}
                }
                Ok(Some(frame))
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(format!("no answer in {PATIENCE:?}"))
            }
            Err(_) => Ok(None),
        }
    }

    fn expect(&mut self, wanted: &str) -> Step {
        self.flush();
        let tokens: Vec<&str> = wanted.split_whitespace().collect();
        let mut at = 0;
        let mut seen = String::new();
        while let Some(token) = tokens.get(at) {
            if let Some(byte) = token.strip_prefix("byte:") {
                let mut one = [0];
                self.line().wire.stream.read_exact(&mut one).map_err(|e| e.to_string())?;
                if one != byte.as_bytes() {
                    return Err(format!("came the byte {one:?}"));
                }
                at += 1;
                continue;
            }
            let Some(frame) = self.read().map_err(|what| format!("came {seen}and {what}"))? else {
                self.line().closed = true;
                let rest: Vec<&str> = tokens[at..].iter().copied().filter(|t| !matches!(*t, "D*" | "…")).collect();
                return if rest == ["closed"] { Ok(()) } else { Err(format!("came {seen}closed\n    {}", self.error)) };
            };
            seen.push_str(&named(&frame));
            seen.push(' ');
            if matches!(frame.tag, b'S' | b'N') {
                continue;
            }
            let fits = |token: &str| fits(token, &frame);
            match *token {
                "D*" if frame.tag == b'D' => {}
                "D*" | "…" if tokens.get(at + 1).is_some_and(|next| fits(next)) => at += 2,
                "…" => {}
                token if fits(token) => at += 1,
                _ => return Err(format!("came {seen}\n    {}", self.error)),
            }
        }
        Ok(())
    }

    /// Connections answer and are brought back to where they began, and the server is well.
    fn lives_on(&mut self) -> Step {
        let names: Vec<String> =
            self.lines.iter().filter(|(_, l)| l.logged_in && !l.closed).map(|(n, _)| n.clone()).collect();
        for name in names {
            self.current = name;
            for command in ["sync", "query ROLLBACK", "query DISCARD ALL", "query SELECT 41 + 1"] {
                self.queue(command)?;
                self.expect("… Z")?;
            }
            if self.row != "42" {
                return Err(format!("{} does not answer: {}", self.current, self.row));
            }
        }
        if self.proxy.is_ready() { Ok(()) } else { Err("pgveil is not ready".to_owned()) }
    }
}

fn named(frame: &Frame) -> String {
    match frame.tag {
        b'E' => format!("E:{}", frame.fields().get(&'C').cloned().unwrap_or_default()),
        b'R' => format!("R:{}", frame.body.get(3).copied().unwrap_or_default()),
        tag => char::from(tag).to_string(),
    }
}

fn fits(token: &str, frame: &Frame) -> bool {
    token == named(frame) || token == char::from(frame.tag).to_string()
}

fn pairs(text: &str) -> Vec<(&str, &str)> {
    text.split("; ").filter_map(|pair| pair.split_once('=')).collect()
}

fn named_by(text: &str) -> &str {
    if text == "-" { "" } else { text }
}

/// One message of the client's.
fn write(command: &str, known: &dyn Fn(&str) -> Option<String>, out: &mut BytesMut) -> Step {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    let bytes = |text: &str| expand(text, known);
    let mut framed = |tag: Option<u8>, pieces: &[&[u8]]| {
        out.extend(tag);
        let length = 4 + pieces.iter().map(|p| p.len()).sum::<usize>();
        out.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
        pieces.iter().for_each(|p| out.extend_from_slice(p));
    };
    let list = parts(rest.strip_suffix(" |").unwrap_or(rest));
    match verb {
        "query" => framed(Some(b'Q'), &[&bytes(rest), &[0]]),
        "message" => {
            let (tag, body) = rest.split_once(' ').unwrap_or((rest, ""));
            framed(tag.bytes().next(), &[&bytes(body)]);
        }
        "packet" => framed(None, &[&bytes(rest)]),
        "bytes" => out.extend_from_slice(&bytes(rest)),
        "startup" => {
            let mut body = vec![0, 3, 0, 0];
            for (name, value) in pairs(rest) {
                for part in [name, value] {
                    body.extend(bytes(part));
                    body.push(0);
                }
            }
            body.push(0);
            framed(None, &[&body]);
        }
        "sasl" => {
            let data = bytes(list.get(1).copied().unwrap_or_default());
            let length = u32::try_from(data.len()).unwrap().to_be_bytes();
            framed(Some(b'p'), &[list[0].as_bytes(), &[0], &length, &data]);
        }
        "saslresponse" => framed(Some(b'p'), &[&bytes(rest)]),
        "parse" => {
            let types: Vec<u32> =
                list.get(2).map(|t| t.split(',').map(|o| o.parse().unwrap()).collect()).unwrap_or_default();
            let mut body =
                [named_by(list[0]).as_bytes(), &[0], &bytes(list.get(1).copied().unwrap_or_default()), &[0]].concat();
            body.extend(u16::try_from(types.len()).unwrap().to_be_bytes());
            types.iter().for_each(|t| body.extend(t.to_be_bytes()));
            framed(Some(b'P'), &[&body]);
        }
        "bind" => {
            let values = list[2..].iter().map(|v| bytes(v));
            let serialize = |value: Vec<u8>, buffer: &mut BytesMut| {
                buffer.extend_from_slice(&value);
                Ok(postgres_protocol::IsNull::No)
            };
            let done = frontend::bind(named_by(list[0]), named_by(list[1]), [0], values, serialize, [0], out);
            done.map_err(|_| "bind")?;
        }
        "describe" | "close" => {
            let (kind, name) = rest.split_once(' ').ok_or("S or P, and a name")?;
            let tag = if verb == "close" { b'C' } else { b'D' };
            framed(Some(tag), &[kind.as_bytes(), named_by(name).as_bytes(), &[0]]);
        }
        "execute" => {
            let (portal, rows) = rest.split_once(' ').ok_or("a portal and a number")?;
            let rows: i32 = rows.parse().map_err(|_| "a number")?;
            framed(Some(b'E'), &[named_by(portal).as_bytes(), &[0], &rows.to_be_bytes()]);
        }
        "sync" => frontend::sync(out),
        "flush" => frontend::flush(out),
        "terminate" => frontend::terminate(out),
        _ => return Err(format!("{verb}: no such command")),
    }
    Ok(())
}
