//! Whether a task's result says that it failed, where nobody is there to look at its type: the result
//! of an initializer, or of the only task of a process.

use ciborium::Value;

use crate::error::RemoteError;

/// The message of the error, when `output`, the encoded value that an initializer returned, is the
/// `Err` of a `Result`.
///
/// The worker has only the bytes of the value, not its type. But a `Result` always travels as CBOR,
/// as a map of one entry named `Ok` or `Err`. Values of other types are taken for an `Err` only when
/// they look like that too, which nobody returns from an initializer to say that all is well.
#[must_use]
pub fn boot_call_failure(output: &[u8]) -> Option<String> {
    task_failure(output).map(|error| format!("{error:#}"))
}

/// The same as an error, which keeps its chain of sources when it is a [`RemoteError`].
#[must_use]
pub fn task_failure(output: &[u8]) -> Option<RemoteError> {
    /// A map of one entry, a text of three letters: `Err`.
    const ERR: &[u8] = b"\xa1\x63Err";

    let error = output.strip_prefix(ERR)?;
    if let Ok(error) = ciborium::from_reader::<RemoteError, _>(error) {
        return Some(error);
    }
    match ciborium::from_reader(error) {
        Ok(Value::Text(message)) => Some(RemoteError::new(message)),
        Ok(other) => Some(RemoteError::new(plain_text(&other))),
        Err(_) => None,
    }
}

/// A value of a type that only the initializer knows, as a reader would like it.
fn plain_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Integer(number) => i128::from(*number).to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null => "()".to_string(),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(plain_text).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Map(entries) => {
            let entry = |(name, value): &(Value, Value)| {
                format!("{}: {}", plain_text(name), plain_text(value))
            };
            let entries: Vec<String> = entries.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    fn failure<T: Serialize>(value: T) -> Option<String> {
        boot_call_failure(&super::super::message::to_cbor(&value))
    }

    #[test]
    fn an_err_is_a_failure_whatever_its_type() {
        #[derive(Serialize)]
        enum Cause {
            Missing { port: u16 },
            Broken,
        }
        assert_eq!(failure(Err::<(), _>("no disk")).unwrap(), "no disk");
        assert_eq!(failure(Err::<u8, _>(Cause::Broken)).unwrap(), "Broken");
        assert_eq!(
            failure(Err::<u8, _>(Cause::Missing { port: 80 })).unwrap(),
            "{Missing: {port: 80}}"
        );
        let error = RemoteError::new("no such host").context("connecting");
        assert_eq!(
            failure(Err::<(), _>(error)).unwrap(),
            "connecting: no such host"
        );
    }

    #[test]
    fn everything_else_is_none() {
        assert_eq!(failure(Ok::<_, String>(7)), None);
        assert_eq!(failure("Err"), None);
        assert_eq!(failure(()), None);
        assert_eq!(boot_call_failure(&7u64.to_le_bytes()), None);
        assert_eq!(boot_call_failure(b"\xa1\x63Err"), None);
    }
}
