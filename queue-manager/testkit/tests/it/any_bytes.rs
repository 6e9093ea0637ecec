//! Whatever bytes come from outside, each reader answers. The same functions are fuzzed by `scripts/fuzz.sh`.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use testkit::any_bytes::{READERS, depth_scanner, frames, link_messages, paths, validator};

/// JSON of any shape, with words that a graph has.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("1"),
        Just("2"),
        Just("A"),
        Just("B"),
        Just("images"),
        Just("text"),
        Just("inputs"),
        Just("class_type"),
        Just("__value__")
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,8}".prop_map(Value::from),
        word.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 40, 6, move |inner| {
        let key = prop_oneof![word.clone().prop_map(str::to_owned), ".{0,4}"];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..5).prop_map(|pairs| Value::Object(Map::from_iter(pairs))),
        ]
    })
}

fn node() -> impl Strategy<Value = Value> {
    let class = prop_oneof![Just(json!("A")), Just(json!("B")), any_json()];
    let link =
        (prop_oneof![Just("1"), Just("2"), Just("9")], any::<i8>()).prop_map(|(id, slot)| json!([id, slot]));
    let value = prop_oneof![link, any_json()];
    let name = prop_oneof![
        Just("text"),
        Just("n"),
        Just("x"),
        Just("pick"),
        Just("on"),
        Just("in"),
        Just("images"),
        Just("model")
    ];
    (class, prop::collection::vec((name, value), 0..8)).prop_map(|(class, inputs)| {
        let inputs: Map<_, _> = inputs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        json!({"class_type": class, "inputs": inputs})
    })
}

proptest! {
    #[test]
    fn every_reader_answers_to_any_bytes(bytes: Vec<u8>) {
        for (_, read) in READERS {
            read(&bytes);
        }
    }

    #[test]
    fn every_reader_answers_to_any_json(value in any_json()) {
        let bytes = value.to_string().into_bytes();
        for (_, read) in READERS {
            read(&bytes);
        }
        let wrapped = json!({"prompt": value, "extra_data": value, "number": value, "client_id": value});
        validator(wrapped.to_string().as_bytes());
    }

    #[test]
    fn a_graph_of_any_nodes_is_judged(nodes in prop::collection::vec(node(), 0..6)) {
        let graph: Map<_, _> = nodes.into_iter().enumerate().map(|(n, node)| (n.to_string(), node)).collect();
        validator(json!({"prompt": graph}).to_string().as_bytes());
    }

    #[test]
    fn a_path_of_any_spelling_has_one_reading(pieces in prop::collection::vec(
        prop_oneof![Just("/"), Just(".."), Just("."), Just("%2e"), Just("%2F"), Just("%5c"), Just("\\"), Just("%00"), Just("%25"), Just("userdata"), Just("user001"), Just("a"), Just("é")],
        0..12,
    )) {
        paths(format!("/{}", pieces.concat()).as_bytes());
        paths(pieces.concat().as_bytes());
    }

    #[test]
    fn nesting_is_counted_as_a_parser_counts_it(depth in 0_usize..110, text in ".{0,20}") {
        let text = Value::from(text).to_string();
        depth_scanner(format!("{}{text}{}", "[".repeat(depth), "]".repeat(depth)).as_bytes());
        depth_scanner(format!("{}{text}{}", "{\"a\":".repeat(depth), "}".repeat(depth)).as_bytes());
    }

    #[test]
    fn frames_of_any_bytes_are_read(head in 0_u32..8, length in any::<u32>(), rest: Vec<u8>) {
        let bytes = [&head.to_be_bytes()[..], &length.to_be_bytes(), &rest].concat();
        frames(&bytes);
        frames(&[&[7; 24][..], &bytes].concat());
    }

    #[test]
    fn messages_of_any_fields_are_understood_or_refused(value in any_json(), token in any::<u64>()) {
        let held = json!({"job": "7f2c1b9e-0a55-4b7c-9f56-0e6c56b1f001", "token": token});
        for message in [json!({"released": held}), json!({"renew": {"leases": [held, value], "comfyui_alive": true, "vram_free": token}}),
            json!({"event": {"job": held["job"], "token": token, "number": 1, "frame": value}}), json!({"event": {"job": held["job"], "token": token, "number": value}}), json!({"cancel": value}), json!({"hello": value})] {
            link_messages(message.to_string().as_bytes());
        }
    }
}
