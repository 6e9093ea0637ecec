//! What a JSON value looks like without what is in it: every path in it, and which types stand there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Path → types. Ids and numbers of nodes in a path count as one name, and so do places in a list.
pub(super) type Shape = BTreeMap<String, BTreeSet<&'static str>>;

/// Fields whose content is a participant's own graph, or what a node of it was given.
const CLIENTS_OWN: [&str; 3] = ["inputs", "current_inputs", "extra_pnginfo"];

/// The shape of one value, or of several together.
pub(super) fn of<'a>(values: impl IntoIterator<Item = &'a Value>) -> Shape {
    let mut shape = Shape::new();
    values.into_iter().for_each(|value| add("", value, &mut shape));
    shape
}

fn add(path: &str, value: &Value, shape: &mut Shape) {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    };
    shape.entry(path.to_owned()).or_default().insert(kind);
    match value {
        Value::Array(items) => items.iter().for_each(|item| add(&format!("{path}/[]"), item, shape)),
        Value::Object(fields) if !CLIENTS_OWN.iter().any(|own| path.ends_with(&format!("/{own}"))) => {
            for (name, field) in fields {
                let is_id = name.len() == 36 || name.bytes().all(|byte| byte.is_ascii_digit());
                add(&format!("{path}/{}", if is_id { "{}" } else { name }), field, shape);
            }
        }
        _ => {}
    }
}

/// Every way in which one shape is not the other. What is empty on one side cannot be compared.
pub(super) fn differences(theirs: &Shape, ours: &Shape) -> Vec<String> {
    let lacking = |one: &Shape, other: &Shape, word: &str| -> Vec<String> {
        let lacks = |path: &&String| {
            let (parent, name) = path.rsplit_once('/').unwrap_or_default();
            let around = other.get(parent).is_some_and(|kinds| kinds.contains("object"));
            !other.contains_key(*path) && around && !matches!(name, "[]" | "{}")
        };
        one.keys().filter(lacks).map(|path| format!("{word} {path}")).collect()
    };
    let mut found = lacking(theirs, ours, "lacks");
    found.extend(lacking(ours, theirs, "has"));
    for (path, kinds) in theirs {
        let others = ours.get(path).map(|ours| ours.difference(kinds).copied().collect::<Vec<_>>());
        if let Some(others) = others.filter(|others| !others.is_empty()) {
            let kinds: Vec<_> = kinds.iter().copied().collect();
            found.push(format!("{path} is {}, not {}", others.join(" or "), kinds.join(" or ")));
        }
    }
    found
}

#[test]
fn a_missing_field_a_new_one_and_another_type_are_three_differences() {
    use serde_json::json;
    let theirs = of([&json!({"a": [{"x": 1}], "7": {"b": "c"}, "gone": 1, "empty": []})]);
    let ours = of([&json!({"a": [{"x": "1"}, {"x": 2}], "12": {"b": "c"}, "new": {}, "empty": [1]})]);
    assert_eq!(differences(&theirs, &ours), ["lacks /gone", "has /new", "/a/[]/x is text, not number"]);
    assert_eq!(differences(&theirs, &theirs), Vec::<String>::new());
}
