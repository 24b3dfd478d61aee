//! Thinning held against doing it on the decoded request.
