//! A small blocking client that speaks the protocol frame by frame: it shows exactly what a server sent.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use postgres_protocol::message::frontend;

/// How long an answer may take: long, since machines are slow and busy.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// One message of the server: its tag and body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub tag: u8,
    pub body: Vec<u8>,
}

impl Frame {
    /// Fields of an ErrorResponse or NoticeResponse by their letter.
    pub fn fields(&self) -> BTreeMap<char, String> {
        self.body
            .split(|b| *b == 0)
            .filter(|f| !f.is_empty())
            .map(|f| (char::from(f[0]), String::from_utf8_lossy(&f[1..]).into_owned()))
            .collect()
    }
    /// The body as text, without its last byte (a CommandComplete's tag).
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.body.strip_suffix(&[0]).unwrap_or(&self.body)).into_owned()
    }
}

/// One column of a RowDescription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnDescription {
    pub name: String,
    pub table: u32,
    pub attribute: i16,
    pub type_oid: u32,
    pub typmod: i32,
    pub format: i16,
}

/// One result: what was described, which rows came, how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub columns: Vec<ColumnDescription>,
    pub rows: Vec<Vec<Option<Vec<u8>>>>,
    pub tag: String,
    pub notices: Vec<BTreeMap<char, String>>,
    pub error: Option<BTreeMap<char, String>>,
    pub copied: Vec<u8>,
    pub status: char,
}

impl Answer {
    /// The error's SQLSTATE, or nothing.
    pub fn sqlstate(&self) -> &str {
        self.error.as_ref().map_or("", |e| e[&'C'].as_str())
    }
    /// The value of the first row's first column.
    pub fn scalar(&self) -> String {
        String::from_utf8(self.rows[0][0].clone().expect("a value")).expect("text")
    }
    /// Every row as text, NULL as `∅`.
    pub fn text_rows(&self) -> Vec<Vec<String>> {
        let cell =
            |c: &Option<Vec<u8>>| c.as_ref().map_or("∅".to_owned(), |v| String::from_utf8_lossy(v).into_owned());
        self.rows.iter().map(|r| r.iter().map(cell).collect()).collect()
    }
}

/// The client.
pub struct Wire {
    pub stream: TcpStream,
    pub parameters: BTreeMap<String, String>,
    pub key: (i32, Vec<u8>),
    out: BytesMut,
}

impl Wire {
    /// A connection on which nothing was said.
    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connect");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, parameters: BTreeMap::new(), key: (0, Vec::new()), out: BytesMut::new() }
    }

    /// Logs in; the error is the server's.
    pub fn connect(
        port: u16,
        user: &str,
        password: &str,
        database: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Self, Box<Answer>> {
        let mut wire = Self::open(port);
        let mut all = vec![("user", user), ("database", database)];
        all.extend_from_slice(parameters);
        frontend::startup_message(all, &mut wire.out).unwrap();
        wire.flush();
        wire.authenticate(password)?;
        Ok(wire)
    }

    fn authenticate(&mut self, password: &str) -> Result<(), Box<Answer>> {
        let mut scram: Option<ScramSha256> = None;
        loop {
            let frame = self.read().expect("a message during start-up");
            match (frame.tag, frame.body.get(..4)) {
                (b'R', Some([0, 0, 0, 0])) => {}
                (b'R', Some([0, 0, 0, 10])) => {
                    let client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
                    frontend::sasl_initial_response("SCRAM-SHA-256", client.message(), &mut self.out).unwrap();
                    self.flush();
                    scram = Some(client);
                }
                (b'R', Some([0, 0, 0, 11])) => {
                    let client = scram.as_mut().unwrap();
                    client.update(&frame.body[4..]).unwrap();
                    frontend::sasl_response(client.message(), &mut self.out).unwrap();
                    self.flush();
                }
                (b'R', Some([0, 0, 0, 12])) => scram.as_mut().unwrap().finish(&frame.body[4..]).unwrap(),
                (b'S', _) => self.note_parameter(&frame),
                (b'K', _) => {
                    self.key = (i32::from_be_bytes(frame.body[..4].try_into().unwrap()), frame.body[4..].to_vec())
                }
                (b'E', _) => return Err(Box::new(Answer { error: Some(frame.fields()), ..Answer::default() })),
                (b'Z', _) => return Ok(()),
                (b'N' | b'v', _) => {}
                (tag, _) => panic!("unexpected message {:?} during start-up", char::from(tag)),
            }
        }
    }

    fn note_parameter(&mut self, frame: &Frame) {
        let mut parts = frame.body.split(|b| *b == 0).map(|p| String::from_utf8_lossy(p).into_owned());
        if let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            self.parameters.insert(name, value);
        }
    }

    /// Sends what was queued.
    pub fn flush(&mut self) {
        self.stream.write_all(&self.out.split()).expect("write");
    }

    /// Queues a message made by `build`.
    pub fn queue(&mut self, build: impl FnOnce(&mut BytesMut)) -> &mut Self {
        build(&mut self.out);
        self
    }

    /// Queues Parse.
    pub fn parse(&mut self, name: &str, sql: &str, types: &[u32]) -> &mut Self {
        self.queue(|out| frontend::parse(name, sql, types.iter().copied(), out).unwrap())
    }

    /// Queues Bind with parameters in text; results in the given format.
    pub fn bind(&mut self, portal: &str, statement: &str, parameters: &[Option<&str>], binary: bool) -> &mut Self {
        self.queue(|out| {
            let write = |p: Option<&str>, buf: &mut BytesMut| {
                Ok(match p {
                    Some(text) => {
                        buf.extend_from_slice(text.as_bytes());
                        postgres_protocol::IsNull::No
                    }
                    None => postgres_protocol::IsNull::Yes,
                })
            };
            let formats = [i16::from(binary)];
            let done = frontend::bind(portal, statement, [0], parameters.iter().copied(), write, formats, out);
            assert!(done.is_ok());
        })
    }

    /// Queues Describe of a statement (`b'S'`) or portal (`b'P'`).
    pub fn describe(&mut self, kind: u8, name: &str) -> &mut Self {
        self.queue(|out| frontend::describe(kind, name, out).unwrap())
    }

    /// Queues Execute.
    pub fn execute(&mut self, portal: &str, max_rows: i32) -> &mut Self {
        self.queue(|out| frontend::execute(portal, max_rows, out).unwrap())
    }

    /// Queues Sync, sends everything.
    pub fn sync(&mut self) -> &mut Self {
        self.queue(frontend::sync);
        self.flush();
        self
    }

    /// The next message; an error when the server closed the connection.
    pub fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let mut body = vec![0; length - 4];
        self.stream.read_exact(&mut body)?;
        Ok(Frame { tag: head[0], body })
    }

    /// Messages up to and with ReadyForQuery.
    pub fn until_ready(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            let frame = self.read().unwrap_or_else(|e| panic!("connection ended after {} messages: {e}", frames.len()));
            if frame.tag == b'S' {
                self.note_parameter(&frame);
            }
            let ready = frame.tag == b'Z';
            frames.push(frame);
            if ready {
                return frames;
            }
        }
    }

    /// The error among the messages up to ReadyForQuery.
    pub fn error_until_ready(&mut self) -> BTreeMap<char, String> {
        let frames = self.until_ready();
        let error = frames.iter().find(|frame| frame.tag == b'E');
        error.unwrap_or_else(|| panic!("no error among {} messages", frames.len())).fields()
    }

    /// The letters of the messages up to ReadyForQuery, ParameterStatus and notices left out.
    pub fn letters(&mut self) -> String {
        self.until_ready().iter().map(|f| char::from(f.tag)).filter(|c| !matches!(c, 'S' | 'N')).collect()
    }

    /// Runs a text in the simple protocol: one answer a statement.
    pub fn simple(&mut self, sql: &str) -> Vec<Answer> {
        self.queue(|out| frontend::query(sql, out).unwrap()).flush();
        answers(self.until_ready())
    }

    /// Runs one statement in the simple protocol.
    pub fn one(&mut self, sql: &str) -> Answer {
        let mut all = self.simple(sql);
        assert_eq!(all.len(), 1, "{sql}: {all:?}");
        all.remove(0)
    }

    /// Runs one statement in the extended protocol through the unnamed statement and portal.
    pub fn extended(&mut self, sql: &str, parameters: &[Option<&str>], binary: bool) -> Answer {
        self.parse("", sql, &[]).bind("", "", parameters, binary).describe(b'P', "").execute("", 0).sync();
        let mut all = answers(self.until_ready());
        assert_eq!(all.len(), 1, "{sql}: {all:?}");
        all.remove(0)
    }

    /// Says goodbye.
    pub fn terminate(mut self) {
        self.queue(frontend::terminate).flush();
    }
}

/// Cuts a run of messages into one answer a statement.
pub fn answers(frames: Vec<Frame>) -> Vec<Answer> {
    let mut all = Vec::new();
    let mut answer = Answer::default();
    for frame in frames {
        match frame.tag {
            b'T' => answer.columns = columns(&frame.body),
            b'D' => answer.rows.push(row(&frame.body)),
            b'd' => answer.copied.extend_from_slice(&frame.body),
            b'N' => answer.notices.push(frame.fields()),
            b'C' | b'I' => {
                answer.tag = if frame.tag == b'I' { "(empty)".into() } else { frame.text() };
                all.push(std::mem::take(&mut answer));
            }
            b'E' => {
                answer.error = Some(frame.fields());
                all.push(std::mem::take(&mut answer));
            }
            b's' => {
                answer.tag = "(suspended)".into();
                all.push(std::mem::take(&mut answer));
            }
            b'Z' => {
                for a in &mut all {
                    a.status = char::from(frame.body[0]);
                }
            }
            _ => {}
        }
    }
    all
}

/// The columns of a RowDescription.
pub fn columns(body: &[u8]) -> Vec<ColumnDescription> {
    let mut rest = &body[2..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == 0).unwrap();
        let name = String::from_utf8_lossy(&rest[..end]).into_owned();
        let f = &rest[end + 1..];
        all.push(ColumnDescription {
            name,
            table: u32::from_be_bytes(f[..4].try_into().unwrap()),
            attribute: i16::from_be_bytes(f[4..6].try_into().unwrap()),
            type_oid: u32::from_be_bytes(f[6..10].try_into().unwrap()),
            typmod: i32::from_be_bytes(f[12..16].try_into().unwrap()),
            format: i16::from_be_bytes(f[16..18].try_into().unwrap()),
        });
        rest = &f[18..];
    }
    all
}

fn row(body: &[u8]) -> Vec<Option<Vec<u8>>> {
    let mut at = 2;
    let cell = |_| {
        let length = i32::from_be_bytes(body[at..at + 4].try_into().unwrap());
        at += 4;
        let length = usize::try_from(length).ok()?;
        at += length;
        Some(body[at - length..at].to_vec())
    };
    (0..u16::from_be_bytes([body[0], body[1]])).map(cell).collect()
}
