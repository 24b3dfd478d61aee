//! Labels beside each other without overlap.

/// Width of a text in the plots' type, about.
pub(super) fn width(text: &str) -> f64 {
    text.chars().count() as f64 * 6.4
}

/// Moves labels apart along one direction, in the order that they lie, each as near to where it
/// belongs as the least distance allows, and all within the bounds while they fit there.
pub(super) fn apart(wanted: &[f64], distance: f64, from: f64, to: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|one, other| wanted[*one].total_cmp(&wanted[*other]));
    let mut placed = wanted.to_vec();
    let mut least = from;
    for &label in &order {
        placed[label] = placed[label].max(least);
        least = placed[label] + distance;
    }
    let mut most = to;
    for &label in order.iter().rev() {
        placed[label] = placed[label].min(most);
        most = placed[label] - distance;
    }
    placed
}

/// Puts labels that begin at the given places into as few rows as keep them apart.
pub(super) fn rows(extents: &[(f64, f64)]) -> Vec<usize> {
    let mut ends: Vec<f64> = Vec::new();
    extents
        .iter()
        .map(|&(start, end)| {
            let row = ends
                .iter()
                .position(|taken| *taken <= start)
                .unwrap_or_else(|| {
                    ends.push(end);
                    ends.len() - 1
                });
            ends[row] = end;
            row
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_order_and_distance() {
        let placed = apart(&[50.0, 48.0, 10.0], 12.0, 0.0, 100.0);
        assert_eq!(placed, [60.0, 48.0, 10.0]);
        // At the far end they move back.
        assert_eq!(apart(&[99.0, 98.0], 12.0, 0.0, 100.0), [100.0, 88.0]);
    }

    #[test]
    fn rows_are_as_few_as_can_be() {
        assert_eq!(rows(&[(0.0, 10.0), (5.0, 15.0), (12.0, 20.0)]), [0, 1, 0]);
    }
}
