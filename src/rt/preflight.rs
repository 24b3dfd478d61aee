//! Asks the kernel for an io_uring before a shard does, to say which obstacle it is and the fix.

use std::{fmt, fs, io};

use rustix::process::{Resource, getrlimit};

/// Locked memory that one executor needs.
///
/// - Source: the runtime refuses to start below it.
const MEMLOCK_BYTES: u64 = 512 * 1024;

/// Why this host cannot run the shards, and the fix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoRuntime {
    /// The kernel has no io_uring, or a seccomp profile pretends so.
    Missing {
        /// The kernel's release.
        kernel: String,
    },
    /// `kernel.io_uring_disabled` forbids it.
    Disabled {
        /// The value of the setting.
        value: String,
    },
    /// A seccomp profile forbids it.
    Forbidden,
    /// `RLIMIT_MEMLOCK` is too low.
    MemoryLock {
        /// The limit in bytes.
        limit: u64,
    },
    /// Something else.
    Other(String),
}

impl fmt::Display for NoRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { kernel } => write!(
                f,
                "io_uring is not there: kernel {kernel} answers \"not implemented\". It needs Linux \
                 5.8 or newer; on such a kernel a seccomp profile answers so: run with a profile \
                 that allows io_uring_setup, io_uring_enter and io_uring_register (containers: \
                 --security-opt seccomp=PROFILE, or seccompProfile type Localhost)"
            ),
            Self::Disabled { value } => write!(
                f,
                "io_uring is switched off on this host: the sysctl kernel.io_uring_disabled is \
                 {value}. Set it to 0 (sysctl -w kernel.io_uring_disabled=0), or to 1 and run in \
                 the group that kernel.io_uring_group names"
            ),
            Self::Forbidden => write!(
                f,
                "io_uring is forbidden to this process, most likely by a seccomp profile (the \
                 default of Docker 25 and containerd 2 forbids it). Run with a profile that allows \
                 io_uring_setup, io_uring_enter and io_uring_register (--security-opt \
                 seccomp=PROFILE, or seccompProfile type Localhost)"
            ),
            Self::MemoryLock { limit } => write!(
                f,
                "RLIMIT_MEMLOCK is {limit} bytes, and a shard needs {MEMLOCK_BYTES}. Raise it \
                 (systemd: LimitMEMLOCK=64M; containers: --ulimit memlock=67108864; shell: \
                 ulimit -l 65536)"
            ),
            Self::Other(error) => write!(f, "io_uring does not start: {error}"),
        }
    }
}

impl std::error::Error for NoRuntime {}

/// Checks that an executor can start here.
///
/// # Errors
///
/// [`NoRuntime`] with the obstacle and its fix.
pub fn preflight() -> Result<(), NoRuntime> {
    let limit = getrlimit(Resource::Memlock).current.unwrap_or(u64::MAX);
    if limit < MEMLOCK_BYTES {
        return Err(NoRuntime::MemoryLock { limit });
    }
    let disabled = fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let kernel = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    match io_uring::IoUring::new(8) {
        Ok(_) => Ok(()),
        Err(error) => Err(diagnose(&error, disabled.trim(), kernel, limit)),
    }
}

/// Names the obstacle behind an error of `io_uring_setup`.
fn diagnose(error: &io::Error, disabled: &str, kernel: String, limit: u64) -> NoRuntime {
    use rustix::io::Errno;
    match Errno::from_io_error(error) {
        Some(Errno::NOSYS) => NoRuntime::Missing { kernel },
        Some(Errno::PERM | Errno::ACCESS) if disabled == "1" || disabled == "2" => {
            NoRuntime::Disabled {
                value: disabled.to_owned(),
            }
        }
        Some(Errno::PERM | Errno::ACCESS) => NoRuntime::Forbidden,
        Some(Errno::NOMEM) => NoRuntime::MemoryLock { limit },
        _ => NoRuntime::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    fn named(errno: Errno, disabled: &str) -> NoRuntime {
        diagnose(&errno.into(), disabled, "5.4.0".to_owned(), 65_536)
    }

    #[test]
    fn each_obstacle_is_told_from_the_others() {
        assert_eq!(
            named(Errno::NOSYS, ""),
            NoRuntime::Missing {
                kernel: "5.4.0".to_owned()
            }
        );
        assert_eq!(named(Errno::PERM, "0"), NoRuntime::Forbidden);
        assert_eq!(named(Errno::PERM, ""), NoRuntime::Forbidden);
        assert_eq!(
            named(Errno::PERM, "2"),
            NoRuntime::Disabled {
                value: "2".to_owned()
            }
        );
        assert_eq!(
            named(Errno::NOMEM, "0"),
            NoRuntime::MemoryLock { limit: 65_536 }
        );
        assert!(matches!(named(Errno::INVAL, "0"), NoRuntime::Other(_)));
    }
}
