//! Server-sent events: from bytes to records, whatever pieces the bytes come in.

/// One record of the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    /// For `Last-Event-ID` when the stream is taken up again.
    pub(crate) id: Option<String>,
    /// Lines of `data`, joined; a record may do without.
    pub(crate) data: Option<String>,
}

/// Takes pieces in, gives whole records out. Format: WHATWG HTML, section 9.2.6.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    line: Vec<u8>,
    record: Record,
}

impl Reader {
    /// The records that are complete with these bytes.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Vec<Record> {
        let mut complete = Vec::new();
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                complete.extend(self.end_line(&String::from_utf8_lossy(&line)));
            } else {
                self.line.push(byte);
            }
        }
        complete
    }

    fn end_line(&mut self, line: &str) -> Option<Record> {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            let record = std::mem::take(&mut self.record);
            return (record != Record::default()).then_some(record);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "id" => self.record.id = Some(value.to_owned()),
            "data" => match &mut self.record.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                none => *none = Some(value.to_owned()),
            },
            // comments (keep-alive) and fields that are not used here
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_do_not_depend_on_where_the_bytes_are_cut() {
        let stream = ": keep-alive\n\nid: 6\n\nid: 7\ndata: {\"a\":\ndata: 1}\n\nid: 8\r\ndata: é\r\n\r\ndata: unfinished\n";
        let whole = Reader::default().take(stream.as_bytes());
        assert_eq!(
            whole,
            [
                Record { id: Some("6".into()), data: None },
                Record { id: Some("7".into()), data: Some("{\"a\":\n1}".into()) },
                Record { id: Some("8".into()), data: Some("é".into()) },
            ]
        );
        let mut reader = Reader::default();
        let pieces: Vec<_> = stream.as_bytes().chunks(1).flat_map(|piece| reader.take(piece)).collect();
        assert_eq!(pieces, whole);
    }
}
