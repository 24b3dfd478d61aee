//! The sending end: requests go out when they are due, whatever the answers do.
