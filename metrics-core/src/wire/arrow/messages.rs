//! The messages of a stream, cut apart and looked at before anything is made of them.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::{self, MessageHeader, RecordBatch, root_as_message};

use super::buffers;
use crate::wire::error::{DecodeError, Place};
use crate::wire::guard::{CONTRADICTION, guarded};
use crate::wire::table::unreadable;

/// Stands before the length of every message.
const CONTINUATION: [u8; 4] = [0xFF; 4];
/// The first eight bytes of the file format, behind which the stream stands.
const FILE_MAGIC: [u8; 8] = *b"ARROW1\0\0";
/// Most zeros, four bytes each, between them: messages are aligned to 64 bytes at most.
const MAX_PADDING_WORDS: usize = 16;
/// Largest description of a message, in bytes: a schema of as many columns as are taken is far smaller.
const MAX_DESCRIPTION_BYTES: usize = 4 << 20;
/// The marker and the length in front of a description.
const HEAD_BYTES: usize = 8;

/// The most that is taken, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// Of one message, as it is and after decompression.
    pub(super) message: usize,
    /// Of all messages after decompression.
    pub(super) all: usize,
}

/// What a message brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Schema,
    /// A new dictionary.
    Dictionary,
    /// Words that are added to a dictionary, which is copied for it.
    Delta {
        dictionary_bytes: usize,
    },
    /// Rows, and what the dictionaries of the stream take.
    Rows {
        dictionary_bytes: usize,
    },
}

/// A message that keeps within its bounds.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) kind: Kind,
    /// All of it: marker, length, description, body.
    pub(super) bytes: Vec<u8>,
    /// What its buffers take after decompression.
    pub(super) plain_bytes: usize,
}

/// Reads a stream message by message.
#[derive(Debug)]
pub(super) struct Messages<R> {
    input: R,
    bound: Bound,
    /// Bytes of what was read after decompression.
    plain_bytes: usize,
    read_bytes: usize,
    /// Of the first message; without columns until then.
    schema: Arc<Schema>,
    /// What each dictionary takes.
    dictionaries: HashMap<i64, usize>,
    ended: bool,
}

fn syntax(message: impl Into<String>) -> DecodeError {
    DecodeError::Syntax { place: Place::Body, message: message.into() }
}

fn cut() -> DecodeError {
    syntax("the Arrow stream ends within a message: is it cut?")
}

pub(super) fn damaged(reason: &str) -> DecodeError {
    unreadable("the Arrow stream is damaged", reason)
}

impl<R: Read> Messages<R> {
    pub(super) fn new(input: R, bound: Bound) -> Self {
        let (schema, dictionaries) = (Arc::new(Schema::empty()), HashMap::new());
        Self { input, bound, plain_bytes: 0, read_bytes: 0, schema, dictionaries, ended: false }
    }

    /// Bytes read so far.
    pub(super) fn read_bytes(&self) -> usize {
        self.read_bytes
    }

    /// The first message, which must be the schema.
    ///
    /// # Errors
    /// [`DecodeError::Syntax`] when it is something else.
    pub(super) fn schema(&mut self) -> Result<(Arc<Schema>, Message), DecodeError> {
        let Some(message) = self.next()? else { return Err(DecodeError::Empty) };
        let described = message.bytes.get(HEAD_BYTES..).and_then(|description| root_as_message(description).ok());
        let schema = described.and_then(|described| described.header_as_schema());
        let schema = schema.ok_or_else(|| damaged("it does not begin with a schema"))?;
        let schema = guarded(|| ipc::convert::try_fb_to_schema(schema)).ok_or_else(|| damaged(CONTRADICTION))?;
        let schema = schema.map_err(|error| damaged(&error.to_string()))?;
        self.schema = Arc::new(schema);
        Ok((Arc::clone(&self.schema), message))
    }

    /// The next message; none at the end.
    ///
    /// # Errors
    /// [`DecodeError`] when the input fails or the message passes a bound.
    pub(super) fn next(&mut self) -> Result<Option<Message>, DecodeError> {
        let Some(description_bytes) = self.length()? else { return Ok(None) };
        let mut bytes = CONTINUATION.to_vec();
        bytes.extend_from_slice(&u32::try_from(description_bytes).expect("it was read as 32 bits").to_le_bytes());
        self.append(&mut bytes, description_bytes)?;
        let body_start = bytes.len();
        let described = root_as_message(&bytes[HEAD_BYTES..]).map_err(|error| damaged(&error.to_string()))?;
        let body_bytes = usize::try_from(described.bodyLength()).ok().filter(|bytes| *bytes <= self.bound.message);
        let body_bytes = body_bytes.ok_or_else(|| self.too_large())?;
        self.append(&mut bytes, body_bytes)?;
        let described = root_as_message(&bytes[HEAD_BYTES..body_start]).expect("it was read before");
        let (kind, plain_bytes) = self.look(&described, &bytes[body_start..])?;
        self.plain_bytes = self.plain_bytes.saturating_add(plain_bytes);
        if self.plain_bytes > self.bound.all {
            return Err(self.too_large());
        }
        Ok(Some(Message { kind, bytes, plain_bytes }))
    }

    /// The length of the next description; none at the end of the stream.
    fn length(&mut self) -> Result<Option<usize>, DecodeError> {
        if self.ended {
            return Ok(None);
        }
        let first = self.read_bytes == 0;
        let Some(mut word) = self.word()? else {
            self.ended = true;
            return Ok(None);
        };
        let is_file = first && word == FILE_MAGIC[..4];
        if is_file {
            if self.word()?.as_ref().map(<[u8; 4]>::as_slice) != Some(&FILE_MAGIC[4..]) {
                return Err(no_stream());
            }
            // Zeros may follow, up to where the writer wants its first message.
            word = [0; 4];
            let mut skipped = 0;
            while word == [0; 4] && skipped < MAX_PADDING_WORDS {
                word = self.word()?.ok_or_else(cut)?;
                skipped += 1;
            }
        }
        // Streams of before Arrow 0.15 have no marker. Files that polars writes have none before their schema, which is
        // found from the file's end only: they hold no stream.
        let marked = word == CONTINUATION;
        if is_file && !marked {
            return Err(no_stream());
        }
        if marked {
            word = self.word()?.ok_or_else(cut)?;
        }
        match u32::from_le_bytes(word) as usize {
            0 => {
                self.ended = true;
                Ok(None)
            }
            length if length <= MAX_DESCRIPTION_BYTES => Ok(Some(length)),
            _ if first && !marked => Err(no_stream()),
            _ => Err(damaged("the description of a message is larger than 4 MiB")),
        }
    }

    /// The next four bytes; none at the end of the input.
    fn word(&mut self) -> Result<Option<[u8; 4]>, DecodeError> {
        let mut bytes = Vec::with_capacity(4);
        self.read(&mut bytes, 4)?;
        match bytes.len() {
            0 => Ok(None),
            _ => Ok(Some(bytes.try_into().map_err(|_| cut())?)),
        }
    }

    /// Appends exactly so many bytes. Room is made for what arrives, not for what was announced.
    fn append(&mut self, bytes: &mut Vec<u8>, count: usize) -> Result<(), DecodeError> {
        let before = bytes.len();
        self.read(bytes, count)?;
        if bytes.len() - before == count { Ok(()) } else { Err(cut()) }
    }

    fn read(&mut self, bytes: &mut Vec<u8>, most: usize) -> Result<(), DecodeError> {
        let failed = |source: io::Error| DecodeError::Read { line: 0, source };
        let count = self.input.by_ref().take(most as u64).read_to_end(bytes).map_err(failed)?;
        self.read_bytes = self.read_bytes.saturating_add(count);
        Ok(())
    }

    fn too_large(&self) -> DecodeError {
        let limit = self.bound.message.min(self.bound.all);
        syntax(format!("the Arrow stream takes more than {limit} bytes at once: write smaller record batches"))
    }

    /// Looks at what a message says of its buffers.
    fn look(&mut self, message: &ipc::Message<'_>, body: &[u8]) -> Result<(Kind, usize), DecodeError> {
        match message.header_type() {
            MessageHeader::Schema => Ok((Kind::Schema, 0)),
            MessageHeader::RecordBatch => {
                let rows = message.header_as_record_batch().ok_or_else(|| damaged("a record batch is missing"))?;
                let columns = self.schema.fields().iter().map(|field| field.data_type());
                let plain_bytes = self.plain_bytes_of(&rows, body, columns)?;
                let dictionary_bytes = self.dictionaries.values().fold(0, |all: usize, one| all.saturating_add(*one));
                Ok((Kind::Rows { dictionary_bytes }, plain_bytes))
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch();
                let dictionary = dictionary.ok_or_else(|| damaged("a dictionary is missing"))?;
                let words = dictionary.data().ok_or_else(|| damaged("a dictionary has no words"))?;
                let of = self.words_of(dictionary.id())?;
                let plain_bytes = self.plain_bytes_of(&words, body, std::iter::once(of))?;
                let known = self.dictionaries.entry(dictionary.id()).or_insert(0);
                if dictionary.isDelta() {
                    *known = known.saturating_add(plain_bytes);
                    return Ok((Kind::Delta { dictionary_bytes: *known }, plain_bytes));
                }
                *known = plain_bytes;
                Ok((Kind::Dictionary, plain_bytes))
            }
            other => Err(damaged(&format!("a message is neither rows nor a dictionary: {other:?}"))),
        }
    }

    /// The type of a dictionary's words.
    fn words_of(&self, dictionary: i64) -> Result<&DataType, DecodeError> {
        // The reader finds it so too; the crate means to keep the number out of its fields one day.
        #[expect(deprecated)]
        let fields = self.schema.fields_with_dict_id(dictionary);
        match fields.first().map(|field: &&Field| field.data_type()) {
            Some(DataType::Dictionary(_, words)) => Ok(words),
            _ => Err(damaged("a dictionary belongs to no column")),
        }
    }

    /// What the buffers of a batch take after decompression; they are what the columns need.
    fn plain_bytes_of<'a>(
        &self,
        batch: &RecordBatch<'_>,
        body: &[u8],
        columns: impl Iterator<Item = &'a DataType>,
    ) -> Result<usize, DecodeError> {
        let lengths = buffers::plain_lengths(batch, body, self.bound.message)?.ok_or_else(|| self.too_large())?;
        buffers::check(batch, &lengths, columns)?;
        Ok(lengths.iter().sum())
    }
}

fn no_stream() -> DecodeError {
    syntax("this is no Arrow IPC stream: pyarrow writes one with pyarrow.ipc.new_stream, polars with write_ipc_stream")
}
