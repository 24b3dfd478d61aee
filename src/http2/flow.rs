//! Windows: how much one side may send before the other has made room.

use super::frame::{ErrorCode, WINDOW_MAX};

/// What may still be sent, or received; negative after a setting has made it smaller.
///
/// - Source: RFC 9113, section 6.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    left: i64,
}

impl Window {
    /// A window of so many bytes.
    #[must_use]
    pub const fn new(bytes: u32) -> Self {
        Self { left: bytes as i64 }
    }

    /// Bytes that fit into it now.
    #[must_use]
    pub fn room(self) -> usize {
        usize::try_from(self.left).unwrap_or(0)
    }

    /// Takes bytes out of it; `false` when there are not as many.
    #[must_use]
    pub fn take(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.room();
        if fits {
            self.left = self.left.saturating_sub_unsigned(bytes as u64);
        }
        fits
    }

    /// Makes it larger, or after a change of settings smaller.
    ///
    /// # Errors
    ///
    /// `FLOW_CONTROL_ERROR` when it would grow over the largest window.
    pub fn grow(&mut self, bytes: i64) -> Result<(), ErrorCode> {
        self.left = self.left.saturating_add(bytes);
        if self.left > i64::from(WINDOW_MAX) {
            return Err(ErrorCode::FLOW_CONTROL_ERROR);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_gives_what_it_has_and_takes_what_it_can_hold() {
        let mut window = Window::new(10);
        assert!(window.take(10));
        assert!(!window.take(1));
        window.grow(-5).unwrap();
        assert_eq!(window.room(), 0);
        window.grow(6).unwrap();
        assert_eq!(window.room(), 1);
        assert_eq!(
            window.grow(i64::from(WINDOW_MAX)),
            Err(ErrorCode::FLOW_CONTROL_ERROR)
        );
    }
}
