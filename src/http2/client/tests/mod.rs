//! Laws of the client against scripted peers.

mod faults;
mod hostile;
mod order;
mod script;
