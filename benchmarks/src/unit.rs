//! Units of figures, and how they are written.

/// What a number means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// A time, in seconds.
    Seconds,
    /// Calls or items in a second.
    PerSecond,
    /// Bytes in a second.
    BytesPerSecond,
    /// Bytes.
    Bytes,
    /// A part of one.
    Share,
    /// A plain number.
    Count,
    /// One for yes, zero for no.
    YesNo,
}

/// Which of two figures is the better one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Better {
    /// The smaller one.
    Lower,
    /// The larger one.
    Higher,
    /// Neither: there is one right value, or none at all.
    Neither,
}

impl Unit {
    /// `value` with its unit, in three digits.
    #[must_use]
    pub fn write(self, value: f64) -> String {
        match self {
            Unit::Seconds => scaled(
                value,
                &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")],
            ),
            Unit::PerSecond => scaled(value, &[(1e6, "M/s"), (1e3, "k/s"), (1.0, "/s")]),
            Unit::BytesPerSecond => scaled(value, &[(1e9, "GB/s"), (1e6, "MB/s"), (1.0, "B/s")]),
            Unit::Bytes => scaled(
                value,
                &[(1024.0 * 1024.0, "MiB"), (1024.0, "KiB"), (1.0, "B")],
            ),
            Unit::Share => format!("{} %", digits(value * 100.0)),
            Unit::Count => digits(value),
            Unit::YesNo => if value > 0.5 { "yes" } else { "no" }.into(),
        }
    }
}

/// `value` in the largest of `scales` that it reaches, else in the last one.
fn scaled(value: f64, scales: &[(f64, &str)]) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let fits = scales.iter().find(|(scale, _)| value.abs() >= *scale);
    match fits.or(scales.last()) {
        Some((scale, name)) => format!("{} {name}", digits(value / scale)),
        None => digits(value),
    }
}

/// A number in three digits, without zeros that say nothing.
#[must_use]
pub fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        large if large >= 99.95 => 0,
        middle if middle >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// How many times as good something is: `×3`, or `÷3` when the other one is three times as good.
#[must_use]
pub fn times(advantage: f64) -> String {
    match advantage >= 1.0 {
        true => format!("×{}", digits(advantage)),
        false => format!("÷{}", digits(1.0 / advantage)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_and_a_unit_that_suits_them() {
        assert_eq!(Unit::Seconds.write(1.6e-6), "1.6 µs");
        assert_eq!(Unit::Seconds.write(0.0), "0");
        assert_eq!(Unit::PerSecond.write(812_345.0), "812 k/s");
        assert_eq!(Unit::BytesPerSecond.write(3.0e9), "3 GB/s");
        assert_eq!(Unit::Bytes.write(366.0), "366 B");
        assert_eq!(Unit::Bytes.write(786_432.0), "768 KiB");
        assert_eq!(Unit::Share.write(0.983), "98.3 %");
        assert_eq!(Unit::Count.write(5.0), "5");
        assert_eq!(Unit::YesNo.write(1.0), "yes");
        assert_eq!(times(3.0), "×3");
        assert_eq!(times(0.0002), "÷5000");
    }
}
