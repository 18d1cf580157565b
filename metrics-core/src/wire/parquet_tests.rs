use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Float64Array, StringArray, TimestampMillisecondArray};
use arrow::datatypes::Int32Type;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{ColumnChunkMetaDataBuilder, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::*;

fn file(rows: usize, compression: Compression) -> Vec<u8> {
    let hosts: DictionaryArray<Int32Type> = (0..rows).map(|row| (row % 3 > 0).then_some(["a", "b"][row % 2])).collect();
    let times = TimestampMillisecondArray::from_iter_values((0..rows as i64).map(|row| row * 1_000));
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("timestamp", Arc::new(times), false),
        ("name", Arc::new(StringArray::from(vec!["cpu"; rows])), false),
        ("host", Arc::new(hosts), true),
        ("value", Arc::new(Float64Array::from_iter((0..rows).map(|row| (row != 5).then_some(row as f64)))), true),
    ];
    let table = RecordBatch::try_from_iter_with_nullable(columns).expect("one length");
    let properties = WriterProperties::builder().set_compression(compression);
    let properties = properties.set_max_row_group_row_count(Some(10)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), table.schema(), Some(properties)).expect("a schema");
    writer.write(&table).expect("a table");
    writer.into_inner().expect("an end")
}

fn read(bytes: Vec<u8>) -> Result<(Vec<String>, Vec<String>), DecodeError> {
    let mut reader = ParquetReader::of(Bytes::from(bytes), None)?;
    let (mut points, mut errors) = (Vec::new(), Vec::new());
    while let Some(chunk) = reader.next_batch(7)? {
        points.extend(chunk.batch.points().map(|(key, at, value)| format!("{key} {at} {value}")));
        errors.extend(chunk.errors.iter().map(ToString::to_string));
    }
    Ok((points, errors))
}

#[test]
fn files_of_every_usual_compression_give_their_points() {
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let gzip = Compression::GZIP(parquet::basic::GzipLevel::default());
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::LZ4_RAW, gzip, zstd] {
        let (points, errors) = read(file(25, compression)).expect("intact");
        assert_eq!(points.len(), 24, "{compression}");
        assert_eq!(points[..2], ["cpu 1970-01-01T00:00:00Z 0", "cpu{host=\"b\"} 1970-01-01T00:00:01Z 1"]);
        assert_eq!(errors, ["index 5: value is null: a finite number is required"]);
    }
}

#[test]
fn progress_counts_the_rows_of_the_file() {
    let mut reader = ParquetReader::of(Bytes::from(file(25, Compression::SNAPPY)), None).expect("intact");
    assert_eq!(reader.progress(), (0, 25));
    reader.next_batch(10).expect("intact").expect("rows");
    assert_eq!(reader.progress(), (10, 25));
}

#[test]
fn what_is_no_parquet_file_is_told_so() {
    for bytes in [&b"timestamp,name,value\n2024-02-02,a,1\n"[..], b"", b"PAR1", b"PAR1aaaa\xFF\xFF\xFF\xFFPAR1"] {
        let error = ParquetReader::of(Bytes::copy_from_slice(bytes), None).map(|_| ()).expect_err("no file");
        assert!(error.to_string().starts_with("body: the Parquet file cannot be read"), "{error}");
    }
}

#[test]
fn a_file_that_says_impossible_things_of_its_parts_is_refused_before_they_are_read() {
    let bytes = Bytes::from(file(25, Compression::SNAPPY));
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes).expect("intact");
    assert_eq!(rows_of(&metadata).expect("intact"), 25);
    let group = || metadata.row_group(0).clone().into_builder();
    let with_column = |change: fn(ColumnChunkMetaDataBuilder) -> ColumnChunkMetaDataBuilder| {
        let mut columns = metadata.row_group(0).columns().to_vec();
        columns[1] = change(columns[1].clone().into_builder()).build().expect("a column");
        group().set_column_metadata(columns).build().expect("a row group")
    };
    let few = |rows: i64| group().set_num_rows(rows).build().expect("a row group");
    for groups in [
        vec![with_column(|column| column.set_data_page_offset(-1))],
        vec![with_column(|column| column.set_dictionary_page_offset(Some(-1)))],
        vec![with_column(|column| column.set_total_compressed_size(-1))],
        vec![few(-1)],
        vec![few(i64::MAX - 1), few(1)],
    ] {
        let forged = ParquetMetaData::new(metadata.file_metadata().clone(), groups);
        let error = rows_of(&forged).expect_err("impossible").to_string();
        assert!(error.contains("it says of its parts"), "{error}");
    }
}

proptest! {
    /// Seen to hold for `PROPTEST_CASES=1000000`, in a minute. On one file in two thousand the crate panics over what
    /// stands in a page, which only its decoders look at: that is an answer too.
    #[test]
    fn prop_damaged_files_are_refused_or_read_and_never_worse(
        compression in 0..3_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        thread_local! {
            static SEEDS: [Vec<u8>; 3] =
                [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())]
                    .map(|compression| file(25, compression));
        }
        let mut bytes = SEEDS.with(|seeds| seeds[compression].clone());
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok((points, errors)) = read(bytes) {
            prop_assert!(points.len() + errors.len() <= 1_000, "more rows than the bytes can hold");
        }
    }
}
