//! Tables in Markdown that can be read as they are.

/// Writes rows under a head, with columns of equal width; all but the first are aligned to the
/// right.
pub(super) fn write(head: &[String], rows: &[Vec<String>]) -> String {
    let width_of = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widths = cells
            .chain(head.get(column))
            .map(|cell| cell.chars().count());
        widths.max().unwrap_or(0).max(3)
    };
    let widths: Vec<usize> = (0..head.len()).map(width_of).collect();
    let mut text = line(head, &widths);
    let rules = widths
        .iter()
        .enumerate()
        .map(|(column, width)| match column {
            0 => "-".repeat(*width),
            _ => format!("{}:", "-".repeat(width - 1)),
        });
    text += &line(&rules.collect::<Vec<_>>(), &widths);
    for row in rows {
        text += &line(row, &widths);
    }
    text
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::from("|");
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let space = " ".repeat(width.saturating_sub(cell.chars().count()));
        text += &match column {
            0 => format!(" {cell}{space} |"),
            _ => format!(" {space}{cell} |"),
        };
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let head = ["".into(), "µs".into()];
        let rows = [
            vec!["call".into(), "12345".into()],
            vec!["a".into(), "1".into()],
        ];
        let table = super::write(&head, &rows);
        let expected = "|      |    µs |\n| ---- | ----: |\n| call | 12345 |\n| a    |     1 |\n";
        assert_eq!(table, expected);
    }
}
