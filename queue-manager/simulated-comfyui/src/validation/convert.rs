//! Python's conversions of literal inputs, with the words of its exceptions.

use serde_json::{Number, Value};

/// Converts a literal to the declared type; other types stay as they are.
pub(super) fn convert(value: &Value, kind: &str) -> Result<Value, String> {
    match kind {
        "INT" => to_int(value),
        "FLOAT" => to_float(value),
        "STRING" => Ok(Value::String(python_str(value))),
        "BOOLEAN" => Ok(Value::Bool(truthy(value))),
        _ => Ok(value.clone()),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "int() of a float cuts off what is behind the point")]
fn to_int(value: &Value) -> Result<Value, String> {
    match value {
        Value::Number(number) if number.is_f64() => Ok((number.as_f64().unwrap_or(0.0) as i64).into()),
        Value::Number(_) => Ok(value.clone()),
        Value::Bool(yes) => Ok(i64::from(*yes).into()),
        Value::String(text) => {
            let digits = text.trim();
            let signed = digits.parse::<i64>().map(Value::from);
            signed
                .or_else(|_| digits.parse::<u64>().map(Value::from))
                .map_err(|_| format!("invalid literal for int() with base 10: '{text}'"))
        }
        other => Err(format!(
            "int() argument must be a string, a bytes-like object or a real number, not '{}'",
            python_type(other)
        )),
    }
}

fn to_float(value: &Value) -> Result<Value, String> {
    let float = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::String(text) => {
            Some(text.trim().parse().map_err(|_| format!("could not convert string to float: '{text}'"))?)
        }
        other => {
            return Err(format!(
                "float() argument must be a string or a real number, not '{}'",
                python_type(other)
            ));
        }
    };
    Ok(float.and_then(Number::from_f64).map_or(Value::Null, Value::Number))
}

/// `str(value)`, which is also how values appear inside messages.
pub(super) fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => python_repr(other),
    }
}

/// `repr(value)`: texts in single quotes.
pub(super) fn python_repr(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        Value::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Value::Object(_) | Value::Number(_) => value.to_string(),
        other => python_str(other),
    }
}

fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
    }
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Array(_) => "list",
        Value::Object(_) => "dict",
        Value::Bool(_) => "bool",
        Value::Number(_) => "int",
        Value::String(_) => "str",
    }
}
