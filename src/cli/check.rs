//! `otlp check`: says whether a configuration holds, without starting anything.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::{
    config::{Config, Endpoint, Environment, LoadOptions, Loaded, Protocol, load},
    signal::Signal,
};

/// The exit code of a configuration that does not hold.
/// Source: `EX_CONFIG` of sysexits(3).
pub const EX_CONFIG: u8 = 78;

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Which configuration.
    pub load: LoadOptions,
    /// Whether a warning counts as an error.
    pub deny_warnings: bool,
}

/// Checks a configuration: a summary to `out`, or what is wrong to `err`.
///
/// The exit code is 0 where it holds, [`EX_CONFIG`] where it does not, and 1 where the result
/// cannot be written.
pub fn check(
    options: &CheckOptions,
    env: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> ExitCode {
    report(options, env, out, err).unwrap_or(ExitCode::FAILURE)
}

fn report(
    options: &CheckOptions,
    env: &Environment,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<ExitCode> {
    let loaded = match load(&options.load, env) {
        Ok(loaded) => loaded,
        Err(errors) => {
            write!(err, "{errors}")?;
            let count = errors.problems().len();
            writeln!(
                err,
                "\nthe configuration does not hold: {}",
                counted(count, "error")
            )?;
            return Ok(ExitCode::from(EX_CONFIG));
        }
    };
    for warning in &loaded.warnings {
        writeln!(err, "warning: {warning}")?;
    }
    if options.deny_warnings && !loaded.warnings.is_empty() {
        let count = counted(loaded.warnings.len(), "warning");
        writeln!(
            err,
            "the configuration does not hold: {count}, and warnings are denied"
        )?;
        return Ok(ExitCode::from(EX_CONFIG));
    }
    summarize(&loaded, out)?;
    Ok(ExitCode::SUCCESS)
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

fn summarize(loaded: &Loaded, out: &mut dyn Write) -> io::Result<()> {
    let file = loaded.file.as_ref().map_or_else(
        || "no configuration file".to_owned(),
        |file| file.display().to_string(),
    );
    writeln!(
        out,
        "ok: {file}, {}",
        counted(loaded.warnings.len(), "warning")
    )?;
    let config = &loaded.config;
    for (name, address) in [
        ("gRPC", config.listen.grpc),
        ("HTTP", config.listen.http),
        ("admin", config.listen.admin),
    ] {
        let address = address.map_or_else(|| "off".to_owned(), |address| address.to_string());
        writeln!(out, "  {name:<8} {address}")?;
    }
    for signal in Signal::ALL {
        writeln!(
            out,
            "  {:<8} {}",
            signal.name(),
            destinations(config, signal)
        )?;
    }
    Ok(())
}

fn destinations(config: &Config, signal: Signal) -> String {
    let shown = |endpoint: &Endpoint| match endpoint.protocol {
        Protocol::Grpc => format!("grpc://{}", endpoint.authority()),
        Protocol::HttpProtobuf => {
            format!(
                "http://{}{}",
                endpoint.authority(),
                endpoint.path_of(signal)
            )
        }
    };
    let endpoints: Vec<String> = config
        .export
        .endpoints_of(signal)
        .iter()
        .map(shown)
        .collect();
    if endpoints.is_empty() {
        "to the console".to_owned()
    } else {
        endpoints.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(set: &[&str], deny_warnings: bool) -> (ExitCode, String, String) {
        let set = set.iter().map(|text| (*text).to_owned()).collect();
        let load = LoadOptions {
            set,
            search: Vec::new(),
            ..LoadOptions::default()
        };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let options = CheckOptions {
            load,
            deny_warnings,
        };
        let code = check(&options, &Environment::default(), &mut out, &mut err);
        (
            code,
            String::from_utf8(out).unwrap(),
            String::from_utf8(err).unwrap(),
        )
    }

    #[test]
    fn a_configuration_that_holds_is_summarized() {
        let (code, out, err) = run(&["endpoint=c:4317", "logs_endpoint=c:4318/l"], true);
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(
            out.starts_with("ok: no configuration file, 0 warnings"),
            "{out}"
        );
        assert!(out.contains("traces   grpc://c:4317"), "{out}");
        assert!(out.contains("logs     http://c:4318/l"), "{out}");
        assert!(err.is_empty());
    }

    #[test]
    fn errors_are_told_and_counted() {
        let (code, out, err) = run(&["batch_size=0", "endpoint=c"], false);
        assert_eq!(code, ExitCode::from(EX_CONFIG));
        assert!(
            out.is_empty() && err.ends_with("does not hold: 2 errors\n"),
            "{err}"
        );
    }

    #[test]
    fn warnings_are_told_and_can_be_denied() {
        let (code, out, err) = run(&["monitoring.tracing_enabled=true"], false);
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(
            err.contains("not in effect") && out.contains("1 warning\n"),
            "{out}{err}"
        );
        let (code, out, _) = run(&["monitoring.tracing_enabled=true"], true);
        assert_eq!(code, ExitCode::from(EX_CONFIG));
        assert!(out.is_empty());
    }
}
