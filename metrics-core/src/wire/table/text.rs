//! A column of texts, whichever way it stores them.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, LargeStringArray, StringArray, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;

/// Ends a text in a spelling: no text holds this byte.
const END: u8 = 0xFF;

/// Types that hold texts.
pub(super) fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, words) => is_plain(words),
        plain => is_plain(plain),
    }
}

fn is_plain(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

/// The texts of a column.
#[derive(Debug)]
pub(super) enum Text {
    Utf8(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
    Dictionary { keys: Int64Array, words: Box<Text> },
}

impl Text {
    /// A column's texts; none when it holds something else.
    pub(super) fn of(column: &ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8 => Self::Utf8(column.as_string().clone()),
            DataType::LargeUtf8 => Self::Large(column.as_string().clone()),
            DataType::Utf8View => Self::View(column.as_string_view().clone()),
            DataType::Dictionary(_, words) if is_plain(words) => {
                let dictionary = column.as_any_dictionary_opt()?;
                let keys = cast(dictionary.keys(), &DataType::Int64).ok()?.as_primitive_opt()?.clone();
                Self::Dictionary { keys, words: Box::new(Self::of(dictionary.values())?) }
            }
            _ => return None,
        })
    }

    /// The text of a row; none where it is null.
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        match self {
            Self::Utf8(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Large(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::View(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Dictionary { keys, words } => {
                let key = keys.is_valid(row).then(|| keys.value(row))?;
                words.get(usize::try_from(key).ok()?)
            }
        }
    }

    /// Appends what tells the text of a row from others of this table: the text, or its number in the dictionary.
    /// Beyond `most` bytes, which no valid text has, it is cut.
    pub(super) fn spell(&self, row: usize, most: usize, spelling: &mut Vec<u8>) {
        match self {
            Self::Dictionary { keys, .. } => {
                let key = if keys.is_valid(row) { keys.value(row) } else { -1 };
                spelling.extend_from_slice(&key.to_le_bytes());
            }
            plain => {
                let text = plain.get(row).unwrap_or_default().as_bytes();
                spelling.extend_from_slice(&text[..text.len().min(most + 1)]);
                spelling.push(END);
            }
        }
    }
}
