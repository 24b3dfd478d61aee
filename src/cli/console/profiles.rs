//! One profile as one line.

use opentelemetry_proto::tonic::profiles::v1development::Profile;

use super::text::{Paint, duration, safe, short_id};

/// `cpu nanoseconds  250 samples  over 10.0 s  every 10000000  4bf92f35`
pub(super) fn profile(profile: &Profile, strings: &[String], paint: Paint) -> String {
    let string = |index: i32| {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        strings.get(index).map_or("-", String::as_str)
    };
    let (kind, unit) = profile.sample_type.as_ref().map_or(("-", ""), |it| {
        (string(it.type_strindex), string(it.unit_strindex))
    });
    let samples = u64::try_from(profile.samples.len()).unwrap_or(u64::MAX);
    format!(
        "{:<12} {:<14} {}  over {}  {}",
        safe(kind, 40),
        safe(unit, 40),
        super::text::counted(samples, "sample"),
        duration(profile.duration_nano),
        paint.dim(&short_id(&profile.profile_id)),
    )
}
