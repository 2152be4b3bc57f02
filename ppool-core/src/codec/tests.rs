use std::{collections::BTreeMap, fmt};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;

macro_rules! lane_of {
    ($type:ty) => {
        (&&&&Probe::<$type>::new()).lane()
    };
}

fn round_trip<P: PartialEq + fmt::Debug>(lane: Lane<P>, value: &P) -> usize {
    let mut out = Encoder::new();
    lane.encode(value, &mut out).unwrap();
    let mut input = Decoder::new(out.bytes());
    assert_eq!(&lane.decode(&mut input).unwrap(), value);
    assert!(input.rest().is_empty());
    out.len()
}

#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
struct Point {
    x: f32,
    y: f32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(u64),
    Names(BTreeMap<String, Vec<u8>>),
}

#[test]
fn plain_data_travels_as_its_bytes() {
    assert_eq!(round_trip(lane_of!(u64), &7), 8);
    assert_eq!(round_trip(lane_of!(()), &()), 0);
    assert_eq!(round_trip(lane_of!((u8, Option<char>)), &(1, Some('x'))), 6);
    assert_eq!(round_trip(lane_of!(String), &"héllo".to_string()), 14);
    assert_eq!(round_trip(lane_of!(Vec<f64>), &vec![1.5; 10]), 88);
    assert_eq!(round_trip(lane_of!(Point), &Point { x: 1.0, y: 2.0 }), 8);
    assert_eq!(
        round_trip(lane_of!(Vec<Point>), &vec![Point { x: 1.0, y: 2.0 }; 3]),
        32
    );
}

#[test]
fn everything_else_travels_as_cbor() {
    round_trip(lane_of!(Untagged), &Untagged::Number(3));
    round_trip(
        lane_of!(Untagged),
        &Untagged::Names(BTreeMap::from([("a".into(), vec![1, 2])])),
    );
    round_trip(lane_of!(Vec<String>), &vec!["a".into(), "b".into()]);
}

#[test]
fn a_slice_is_read_in_place_where_it_is_aligned() {
    let lane = lane_of!(Vec<u64>);
    let mut out = Encoder::new();
    (&[1u64, 2, 3][..]).encode_arg(&lane, &mut out).unwrap();
    let words: Vec<u64> = bytemuck::pod_collect_to_vec(out.bytes());
    let bytes = bytemuck::cast_slice(&words);
    let slice = lane.decode_slice(&mut Decoder::new(bytes)).unwrap();
    assert!(matches!(slice, Slice::InPlace(_)));
    assert_eq!(&*slice, [1, 2, 3]);

    let mut shifted = vec![0; out.len() + 1];
    shifted[1..].copy_from_slice(out.bytes());
    let mut input = Decoder::new(&shifted);
    input.take(1).unwrap();
    input.begin_item();
    assert_eq!(&*lane.decode_slice(&mut input).unwrap(), [1, 2, 3]);
}

#[test]
fn borrowed_arguments_encode_like_owned_ones() {
    fn bytes<Args: ArgList>(lanes: Args::Lanes, args: impl IntoArgs<Args>) -> Vec<u8> {
        let mut out = Encoder::new();
        args.encode_args(&lanes, &mut out).unwrap();
        out.into_bytes()
    }
    let text = (lane_of!(String),);
    assert_eq!(
        bytes::<(String,)>(text, "ab"),
        bytes::<(String,)>(text, "ab".to_string())
    );
    let names = (lane_of!(Vec<String>),);
    assert_eq!(
        bytes::<(Vec<String>,)>(names, ["a".to_string()]),
        bytes::<(Vec<String>,)>(names, (vec!["a".to_string()],))
    );
    let two = (lane_of!(Vec<u16>), lane_of!(u8));
    assert_eq!(
        bytes::<(Vec<u16>, u8)>(two, (&[1, 2][..], 3)),
        bytes::<(Vec<u16>, u8)>(two, (vec![1, 2], &3))
    );
}

proptest! {
    #[test]
    fn any_value_round_trips(
        number in any::<i128>(),
        text in ".*",
        floats in proptest::collection::vec(any::<u32>(), 0..50),
        names in proptest::collection::vec(".*", 0..5),
        letter in any::<Option<char>>(),
    ) {
        round_trip(lane_of!(i128), &number);
        round_trip(lane_of!(String), &text);
        round_trip(lane_of!(Vec<u32>), &floats);
        round_trip(lane_of!(Vec<String>), &names);
        round_trip(lane_of!(Option<char>), &letter);
    }

    /// LINK-2: whatever a dying process leaves behind gives a value or an error.
    #[test]
    fn any_bytes_decode_to_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let input = Decoder::new(&bytes);
        let _ = lane_of!(u64).decode(&mut input.clone());
        let _ = lane_of!(String).decode(&mut input.clone());
        let _ = lane_of!(Vec<u64>).decode_slice(&mut input.clone());
        let _ = lane_of!(Vec<String>).decode(&mut input.clone());
        let _ = lane_of!((bool, char, Option<u8>)).decode(&mut input.clone());
        let _ = lane_of!(Untagged).decode(&mut input.clone());
    }
}
