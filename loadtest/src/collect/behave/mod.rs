//! What a collector is told to do wrong, to which requests and for how long.
//!
//! A behaviour is one line of text; `PUT /behave` and `--behave` take the same. Its grammar:
//!
//! ```text
//! script  = phase *( "then" phase ) [ "then" "repeat" ]
//!         | "flap" 2*( act "=" DURATION )                 ; ok=5s hang=2s: a script that repeats
//! phase   = 1*( act | option )                            ; words, in any order
//! act     = ok | hang | reset | refuse | garbage | truncate | lose-answer | discard
//!         | goaway every=N | status=CODE [retry-info=DURATION]
//!         | http=STATUS [retry-after=SECONDS | retry-after=date:SECONDS]
//!         | partial=N | content-type=TYPE | oversize=SIZE
//! option  = slow=DURATION | read=SIZE/s | share=FRACTION | for=DURATION
//! ```
//!
//! Every phase but the last needs `for=`; after the last one the collector behaves well again,
//! unless the script repeats.

mod act;
mod phase;
mod script;
mod switch;
mod units;
mod words;

pub use act::{Act, RetryAfter};
pub use phase::Phase;
pub use script::{Moment, Script};
pub use switch::{Struck, Switch};
pub use units::{Share, Size};
pub use words::SpecError;
