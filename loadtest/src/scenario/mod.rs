//! One test from a file: what is started, how it is loaded, how it is judged.
