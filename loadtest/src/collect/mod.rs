//! A collector that counts, audits and, on request, misbehaves.
