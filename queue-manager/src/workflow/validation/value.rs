//! Values as Python reads and writes them.

use serde_json::Value;

/// What Python makes of a value where a type is declared.
pub(super) enum Converted {
    /// This.
    To(Value),
    /// An exception.
    Refused {
        /// What came.
        value: Value,
        /// The exception's words.
        why: String,
    },
    /// Not decided here.
    Unclear,
}

/// `int(value)`, `float(value)`, or the value itself for other types.
pub(super) fn convert(value: Value, kind: &str) -> Converted {
    let converted = match kind {
        "INT" => to_int(&value),
        "FLOAT" => to_float(&value),
        _ => return Converted::To(value),
    };
    match converted {
        Ok(Some(converted)) => Converted::To(converted),
        Ok(None) => Converted::Unclear,
        Err(why) => Converted::Refused { value, why },
    }
}

#[expect(clippy::cast_possible_truncation, reason = "int() of a float cuts off what is behind the point")]
fn to_int(value: &Value) -> Result<Option<Value>, String> {
    match value {
        Value::Number(number) if number.is_f64() => {
            // Beyond this Python's int has digits that no float has.
            let float = number.as_f64().filter(|float| float.abs() < 9e15);
            Ok(float.map(|float| Value::from(float as i64)))
        }
        Value::Number(_) => Ok(Some(value.clone())),
        Value::Bool(yes) => Ok(Some(i64::from(*yes).into())),
        Value::String(text) => {
            let digits = text.trim();
            let read =
                digits.parse::<i64>().map(Value::from).or_else(|_| digits.parse::<u64>().map(Value::from));
            if read.is_ok() || may_be_a_number(digits) {
                return Ok(read.ok());
            }
            Err(format!("invalid literal for int() with base 10: {}", python_repr(value)))
        }
        Value::Null => Err("int() argument must be a string, a bytes-like object or a real number, not \
                            'NoneType'"
            .to_owned()),
        Value::Array(_) | Value::Object(_) => Ok(None),
    }
}

fn to_float(value: &Value) -> Result<Option<Value>, String> {
    match value {
        Value::Number(number) => Ok(number.as_f64().map(Value::from)),
        Value::Bool(yes) => Ok(Some(f64::from(u8::from(*yes)).into())),
        Value::String(text) => {
            let float = text.trim().parse::<f64>().ok();
            if float.is_none() && text.is_ascii() && !text.contains('_') {
                return Err(format!("could not convert string to float: {}", python_repr(value)));
            }
            Ok(float.filter(|float| float.is_finite()).map(Value::from))
        }
        Value::Null => Err("float() argument must be a string or a real number, not 'NoneType'".to_owned()),
        Value::Array(_) | Value::Object(_) => Ok(None),
    }
}

/// Python also takes `1_000`, digits of every script, and more digits than 64 bits hold.
fn may_be_a_number(text: &str) -> bool {
    let text = text.trim_start_matches(['+', '-']);
    !text.is_empty() && text.chars().all(|c| c.is_numeric() || c == '_')
}

/// Whether a value is one of these. Yes and no, which Python takes for numbers, are not judged, nor lists.
pub(super) fn is_choice(value: &Value, choices: &[Value]) -> bool {
    match value {
        Value::String(_) | Value::Null => choices.contains(value),
        Value::Number(_) => {
            choices.iter().any(|choice| choice.is_boolean() || choice.as_f64() == value.as_f64())
        }
        _ => true,
    }
}

/// `str(value)`.
pub(super) fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// `repr(value)`: texts in single quotes, unless there is one inside.
pub(super) fn python_repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) if text.contains('\'') && !text.contains('"') => format!("\"{text}\""),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(items) => format!("[{}]", items.iter().map(python_repr).collect::<Vec<_>>().join(", ")),
        Value::Object(_) | Value::Number(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value, kind: &str) -> String {
        match convert(value, kind) {
            Converted::To(value) => value.to_string(),
            Converted::Refused { why, .. } => why,
            Converted::Unclear => "unclear".to_owned(),
        }
    }

    #[test]
    fn numbers_are_read_as_python_reads_them() {
        assert_eq!(read(json!(" 7 "), "INT"), "7");
        assert_eq!(read(json!(-7.9), "INT"), "-7");
        assert_eq!(read(json!(true), "INT"), "1");
        assert_eq!(read(json!(u64::MAX), "INT"), u64::MAX.to_string());
        assert_eq!(read(json!("1_000"), "INT"), "unclear");
        assert_eq!(read(json!("7.5"), "INT"), "invalid literal for int() with base 10: '7.5'");
        assert_eq!(read(json!("7.5"), "FLOAT"), "7.5");
        assert_eq!(read(json!("nan"), "FLOAT"), "unclear");
        assert_eq!(read(json!("x"), "FLOAT"), "could not convert string to float: 'x'");
        assert_eq!(
            read(json!(null), "FLOAT"),
            "float() argument must be a string or a real number, not 'NoneType'"
        );
        assert_eq!(read(json!([1]), "INT"), "unclear");
    }

    #[test]
    fn texts_are_written_as_python_writes_them() {
        assert_eq!(python_repr(&json!(["a", "it's", 1, true, null])), r#"['a', "it's", 1, True, None]"#);
    }
}
