//! Time limits as `#[task(timeout = "..")]` writes them: `"500ms"`, `"30s"`, `"1.5s"`, `"5m"`, `"1h"`.

use std::time::Duration;

const SECOND: u128 = 1_000_000_000;

/// The duration that `text` says, or a sentence that says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    if let Some(rest) = text.strip_prefix('-') {
        return Err(match parse(rest) {
            Ok(_) => format!("`{text}` is negative: a time limit must be longer than zero"),
            Err(sentence) => sentence,
        });
    }
    let number_len = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(number_len);
    let unit = match unit {
        "ms" => SECOND / 1000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3600 * SECOND,
        _ => return Err(unreadable(text)),
    };
    let nanoseconds = scale(number, unit).ok_or_else(|| unreadable(text))?;
    let seconds = u64::try_from(nanoseconds / SECOND)
        .map_err(|_| format!("`{text}` is longer than any clock can measure"))?;
    let rest = u32::try_from(nanoseconds % SECOND).map_err(|_| unreadable(text))?;
    match Duration::new(seconds, rest) {
        Duration::ZERO => Err(format!(
            "`{text}` is zero: a time limit must be longer than that"
        )),
        duration => Ok(duration),
    }
}

/// `number` × `unit`, where `number` is decimal digits with at most one point among them. What is
/// finer than a nanosecond is cut off.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) => (whole, fraction),
        None => (number, "0"),
    };
    let mut value = digits(whole)?.checked_mul(unit)?;
    let mut share = unit;
    for digit in digits(fraction).and(Some(fraction.bytes()))? {
        share /= 10;
        value = value.checked_add(u128::from(digit - b'0') * share)?;
    }
    Some(value)
}

fn digits(text: &str) -> Option<u128> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    all_digits.then(|| text.parse().ok()).flatten()
}

fn unreadable(text: &str) -> String {
    format!(
        "`{text}` is no duration: write a number and one of the units ms, s, m and h, as in \
         \"500ms\", \"30s\", \"1.5s\", \"5m\" or \"1h\""
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_unit_are_durations() {
        for (text, milliseconds) in [
            ("500ms", 500),
            ("30s", 30_000),
            ("1.5s", 1500),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("0.5h", 1_800_000),
            ("007s", 7000),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        assert_eq!(parse("0.0000015ms"), Ok(Duration::from_nanos(1)));
        assert_eq!(
            parse("0.33333333333h"),
            Ok(Duration::from_nanos(1_199_999_999_988))
        );
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        for text in [
            "", "s", "30", "30 s", " 30s", "30sec", "1.2.3s", ".5s", "1.s", "1e3s", "1h30m", "½h",
            "+1s",
        ] {
            let sentence = parse(text).unwrap_err();
            assert!(sentence.contains("is no duration"), "{text}: {sentence}");
        }
        for (text, reason) in [
            ("0s", "is zero"),
            ("0.0000001ms", "is zero"),
            ("-1s", "is negative"),
            ("-x", "is no duration"),
            ("99999999999999999999h", "is longer than any clock"),
        ] {
            let sentence = parse(text).unwrap_err();
            assert!(sentence.contains(reason), "{text}: {sentence}");
        }
    }
}
