//! Builds realistic, distinct telemetry whose every item can be recognised, and reads it back.
