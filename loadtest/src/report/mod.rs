//! Results for people: a summary in the terminal, a page with plots.
