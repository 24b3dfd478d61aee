//! The same scenario against several systems, interleaved, with ratios pair by pair.
