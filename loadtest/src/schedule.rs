//! When each request is due.
