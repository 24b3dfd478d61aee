//! What was acknowledged against what arrived: loss, duplication, alteration.
