//! Why a literal input is refused, and the form in which every reason is given.

use serde_json::{Value, json};

use super::convert::{python_repr, python_str};
use crate::catalogue::InputSpec;

/// Longer lists of choices are not repeated in an error.
const LONGEST_LIST: usize = 20;

pub(super) fn out_of_range(spec: &InputSpec<'_>, value: &Value) -> Option<Value> {
    let number = value.as_f64()?;
    let limits = [("min", "value_smaller_than_min", "smaller"), ("max", "value_bigger_than_max", "bigger")];
    limits.into_iter().find_map(|(key, kind, word)| {
        let limit = spec.options.get(key)?;
        let beyond = limit.as_f64()?;
        let outside = if key == "min" { number < beyond } else { number > beyond };
        outside.then(|| {
            let message = format!("Value {value} {word} than {key} of {limit}");
            reason(kind, &message, spec.name, received(spec, &spec.config(), value))
        })
    })
}

pub(super) fn not_in_list(spec: &InputSpec<'_>, value: &Value) -> Option<Value> {
    let choices = spec.choices()?;
    if choices.contains(value) {
        return None;
    }
    let (list, config) = if choices.len() > LONGEST_LIST {
        (format!("(list of length {})", choices.len()), Value::Null)
    } else {
        (python_repr(&Value::Array(choices.clone())), spec.config())
    };
    let details = format!("{}: '{}' not in {list}", spec.name, python_str(value));
    Some(reason("value_not_in_list", "Value not in list", &details, received(spec, &config, value)))
}

fn received(spec: &InputSpec<'_>, config: &Value, value: &Value) -> Value {
    json!({"input_name": spec.name, "input_config": config, "received_value": value})
}

pub(super) fn reason(kind: &str, message: &str, details: &str, extra_info: Value) -> Value {
    let mut reason = json!({"type": kind, "message": message, "details": details});
    reason["extra_info"] = extra_info;
    reason
}

/// One line where the real server has a Python stack.
pub(super) fn traceback() -> Value {
    json!(["  File \"simulated-comfyui\", in validate_inputs\n"])
}
