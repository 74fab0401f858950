//! Names in certificates (RFC 4514).

use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::db::DB;
use x509_cert::der::{Decode, Encode, Tag, Tagged};

/// A distinguished name, compared part by part: neither the spelling of an attribute's type (`CN`, `2.5.4.3`), nor escapes,
/// nor the string type in the certificate matter. Values are compared exactly, case included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateName {
    /// In the order of the certificate (the reverse of the text); each sorted, since it is a set.
    parts: Vec<Vec<(ObjectIdentifier, Value)>>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    /// What is no text, in its encoding.
    Encoded(Vec<u8>),
}

/// A text that is no RFC 4514 name, or a certificate that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a distinguished name of the form CN=superset,O=Example")]
pub struct InvalidName(String);

impl CertificateName {
    /// Reads the text form. Blanks around separators are passed over.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let mut parts = vec![vec![]];
        let mut rest = text;
        loop {
            let (attribute, separator, behind) = attribute(rest).ok_or_else(|| InvalidName(text.to_owned()))?;
            if let Some(part) = parts.last_mut() {
                part.push(attribute);
            }
            match separator {
                None => break,
                Some(',') => parts.push(vec![]),
                Some(_) => (),
            }
            rest = behind;
        }
        parts.reverse();
        Ok(Self::sorted(parts))
    }

    /// The subject of a certificate in DER.
    pub fn of_certificate(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let value = |part: &AttributeTypeAndValue| Some((part.oid, Value::of(part)?));
        let subject = certificate.tbs_certificate.subject;
        let parts = subject.0.iter().map(|set| set.0.iter().map(value).collect()).collect::<Option<_>>()?;
        Some(Self::sorted(parts))
    }

    fn sorted(mut parts: Vec<Vec<(ObjectIdentifier, Value)>>) -> Self {
        for part in &mut parts {
            part.sort();
        }
        Self { parts }
    }
}

impl std::fmt::Display for CertificateName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (n, part) in self.parts.iter().rev().enumerate() {
            for (m, (oid, value)) in part.iter().enumerate() {
                f.write_str(if m > 0 { "+" } else { ["", ","].get(n.min(1)).copied().unwrap_or_default() })?;
                match DB.find_names_for_oid(*oid).min_by_key(|name| name.len()) {
                    Some(name) => write!(f, "{}=", name.to_ascii_uppercase())?,
                    None => write!(f, "{oid}=")?,
                }
                value.fmt(f)?;
            }
        }
        Ok(())
    }
}

impl Value {
    fn of(part: &AttributeTypeAndValue) -> Option<Self> {
        let bytes = part.value.value();
        let text = match part.value.tag() {
            Tag::Utf8String => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Tag::PrintableString | Tag::Ia5String | Tag::TeletexString if bytes.is_ascii() => {
                std::str::from_utf8(bytes).ok().map(str::to_owned)
            }
            Tag::BmpString => {
                let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|unit| u16::from_be_bytes(*unit)).collect();
                String::from_utf16(&units).ok().filter(|_| bytes.len().is_multiple_of(2))
            }
            _ => None,
        };
        match text {
            Some(text) => Some(Self::Text(text)),
            None => part.value.to_der().ok().map(Self::Encoded),
        }
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Encoded(der) => {
                f.write_str("#")?;
                f.write_str(&crate::hex::text(der))
            }
            Self::Text(text) => {
                let last = text.chars().count().saturating_sub(1);
                for (n, c) in text.chars().enumerate() {
                    match c {
                        '#' if n == 0 => write!(f, "\\#")?,
                        ' ' if n == 0 || n == last => write!(f, "\\ ")?,
                        '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
                        c if c.is_ascii_control() => write!(f, "\\{:02x}", u32::from(c))?,
                        c => write!(f, "{c}")?,
                    }
                }
                Ok(())
            }
        }
    }
}

/// One `TYPE=VALUE` at the front of `text`, the separator behind it and the rest.
fn attribute(text: &str) -> Option<((ObjectIdentifier, Value), Option<char>, &str)> {
    let (key, rest) = text.split_once('=')?;
    let key = key.trim_matches(' ');
    let oid = match key.starts_with(|c: char| c.is_ascii_digit()) {
        true => ObjectIdentifier::new(key).ok()?,
        // RFC 4514 calls it ST where the table calls it by its X.500 name.
        false => *DB
            .by_name(&key.to_ascii_lowercase())
            .or_else(|| DB.by_name(key))
            .or_else(|| DB.by_name(&key.to_ascii_uppercase()))?,
    };
    let (value, separator, behind) = match rest.trim_start_matches(' ').strip_prefix('#') {
        Some(hex) => encoded_value(hex)?,
        None => text_value(rest.trim_start_matches(' '))?,
    };
    Some(((oid, value), separator, behind))
}

fn encoded_value(text: &str) -> Option<(Value, Option<char>, &str)> {
    let end = text.find([',', '+']).unwrap_or(text.len());
    let (hex, rest) = text.split_at_checked(end)?;
    let digits: Vec<u8> = hex.trim_end_matches(' ').bytes().map(hex_digit).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let der: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    let any = x509_cert::der::Any::from_der(&der).ok()?;
    let value = Value::of(&AttributeTypeAndValue { oid: ObjectIdentifier::new("2.5.4.3").ok()?, value: any })?;
    let mut behind = rest.chars();
    Some((value, behind.next(), behind.as_str()))
}

/// A value with its escapes undone, up to a separator that is not escaped.
fn text_value(text: &str) -> Option<(Value, Option<char>, &str)> {
    let mut value = Vec::new();
    // Bytes up to here are kept even when they are blanks: they were escaped, or something follows them.
    let mut kept = 0;
    let mut chars = text.chars();
    let separator = loop {
        match chars.next() {
            None => break None,
            Some(separator @ (',' | '+')) => break Some(separator),
            Some('\\') => {
                match chars.next()? {
                    c @ (' ' | '"' | '#' | '=' | '\\' | '+' | ',' | ';' | '<' | '>') => value.push(c as u8),
                    high => value.push(
                        hex_digit(u8::try_from(high).ok()?)? << 4 | hex_digit(u8::try_from(chars.next()?).ok()?)?,
                    ),
                }
                kept = value.len();
            }
            Some('"' | ';' | '<' | '>' | '\0') => return None,
            Some(' ') => value.push(b' '),
            Some(c) => {
                value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                kept = value.len();
            }
        }
    };
    value.truncate(kept);
    Some((Value::Text(String::from_utf8(value).ok()?), separator, chars.as_str()))
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn name(text: &str) -> CertificateName {
        CertificateName::parse(text).unwrap()
    }

    fn certificate(parts: &[(DnType, DnValue)]) -> CertificateName {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let key = KeyPair::generate().unwrap();
        CertificateName::of_certificate(params.self_signed(&key).unwrap().der()).unwrap()
    }

    fn utf8(text: &str) -> DnValue {
        DnValue::Utf8String(text.into())
    }

    #[test]
    fn a_certificate_is_the_name_that_its_subject_says() {
        let shown = certificate(&[
            (DnType::OrganizationName, utf8("Example, Inc.")),
            (DnType::CommonName, DnValue::PrintableString("superset".try_into().unwrap())),
        ]);
        for same in [
            r"CN=superset,O=Example\, Inc.",
            r"cn=superset, o=Example\2C Inc.",
            r"2.5.4.3=superset , 2.5.4.10=Example\, Inc.",
            r"CN=#0c087375706572736574,O=Example\, Inc.",
            r"CN=#13087375706572736574,O=Example\, Inc.",
        ] {
            assert_eq!(name(same), shown, "{same}");
        }
        for other in [
            r"O=Example\, Inc.,CN=superset",
            r"CN=superset",
            r"CN=Superset,O=Example\, Inc.",
            r"CN=superset+O=Example\, Inc.",
            r"CN=superset\ ,O=Example\, Inc.",
            r"CN=superset,O=Example\, Inc.,C=DE",
            r"CN=superset,OU=Example\, Inc.",
            r"CN=superset\,O=Example\, Inc.",
        ] {
            assert_ne!(name(other), shown, "{other}");
        }
        assert_eq!(shown.to_string(), r"CN=superset,O=Example\, Inc.");
    }

    /// A value that looks like more parts, or that ends early, is one value.
    #[test]
    fn a_value_cannot_pretend_to_be_parts() {
        let shown = certificate(&[(DnType::CommonName, utf8("superset,O=Example"))]);
        assert_ne!(shown, name("CN=superset,O=Example"));
        assert_eq!(shown, name(r"CN=superset\,O\=Example"));
        let nul = certificate(&[(DnType::CommonName, utf8("superset\0.evil"))]);
        assert_ne!(nul, name("CN=superset"));
        assert_eq!(nul, name(r"CN=superset\00.evil"));
        let slash = certificate(&[(DnType::CommonName, utf8(r"a\"))]);
        assert_eq!(slash, name(r"CN=a\\"));
        let both = certificate(&[(DnType::OrganizationName, utf8("b")), (DnType::CommonName, utf8(r"a\"))]);
        assert_eq!(both, name(r"CN=a\\,O=b"));
    }

    #[test]
    fn names_survive_their_text() {
        for text in [
            r"CN=superset,O=Example",
            r"CN=\ a\ ,OU=\#x",
            r"CN=a\+b+UID=c,DC=example,DC=com",
            r"CN=\00\1f",
            r"CN=Zoë,C=DE,ST=Berlin,L=x",
            r"1.2.3.4=#0401ff",
        ] {
            assert_eq!(name(&name(text).to_string()), name(text), "{text}");
        }
        assert_eq!(name("CN=a+UID=b"), name("UID=b+CN=a"), "a set has no order");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in [
            "",
            "superset",
            "CN",
            "=x",
            "nonsense=x",
            "CN=a,",
            "CN=a,,O=b",
            r"CN=a\",
            r"CN=a\g",
            r"CN=\ff",
            "CN=a\"b",
            "CN=#0",
            "CN=#zz",
            "CN=#",
            "9=x",
        ] {
            assert!(CertificateName::parse(bad).is_err(), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}", der in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let _ = CertificateName::parse(&text);
            let _ = CertificateName::of_certificate(&der);
        }

        #[test]
        fn every_value_survives(value in "[^\u{0}]{1,20}") {
            let shown = CertificateName { parts: vec![vec![(ObjectIdentifier::new_unwrap("2.5.4.3"), Value::Text(value))]] };
            proptest::prop_assert_eq!(CertificateName::parse(&shown.to_string()).unwrap(), shown);
        }
    }
}
