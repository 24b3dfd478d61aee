//! Whether the runtime can tell what it asks of a device before it opens a file on it directly.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What the runtime would look for in vain.
#[derive(Debug)]
pub(super) struct Unknown {
    path: PathBuf,
    error: io::Error,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.error)
    }
}

impl std::error::Error for Unknown {}

/// Checks that the runtime can read about the device of a file.
pub(super) fn known(about: &fs::Metadata) -> Result<(), Unknown> {
    // The runtime looks at the whole disk in the place of a partition: minor 0.
    let major = rustix::fs::major(about.dev());
    described(Path::new("/sys/dev/block"), major)
}

/// Reads what the runtime reads, where it would end the process at the first thing that is amiss.
fn described(devices: &Path, major: u32) -> Result<(), Unknown> {
    const NUMBERS: [&str; 6] = [
        "rotational",
        "minimum_io_size",
        "optimal_io_size",
        "logical_block_size",
        "physical_block_size",
        "max_sectors_kb",
    ];
    let amiss = |path: PathBuf, error: io::Error| Err(Unknown { path, error });
    let odd = || io::Error::new(io::ErrorKind::InvalidData, "not what the runtime expects");
    let device = devices.join(format!("{major}:0"));
    let folder = match fs::canonicalize(&device) {
        Ok(folder) => folder,
        // File systems without one device; the runtime takes them for memory, which suits them.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return amiss(device, error),
    };
    let queue = folder.join("queue");
    for name in NUMBERS.into_iter().chain(["max_segment_size"]) {
        let path = queue.join(name);
        match fs::read_to_string(&path) {
            Ok(text) if text.trim_matches('\n').parse::<isize>().is_ok() => {}
            Ok(_) => return amiss(path, odd()),
            Err(error) => return amiss(path, error),
        }
    }
    let path = queue.join("write_cache");
    match fs::read_to_string(&path) {
        Ok(text) if matches!(text.trim_matches('\n'), "write back" | "write through") => {}
        Ok(_) => return amiss(path, odd()),
        Err(error) => return amiss(path, error),
    }
    let path = folder.join("slaves");
    match fs::read_dir(&path) {
        Ok(_) => Ok(()),
        Err(error) => amiss(path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk(devices: &Path) -> PathBuf {
        let folder = devices.join("8:0");
        fs::create_dir_all(folder.join("queue")).unwrap();
        fs::create_dir(folder.join("slaves")).unwrap();
        let numbers = "rotational minimum_io_size optimal_io_size logical_block_size \
                       physical_block_size max_sectors_kb max_segment_size";
        for name in numbers.split_whitespace() {
            fs::write(folder.join("queue").join(name), "512\n").unwrap();
        }
        fs::write(folder.join("queue/write_cache"), "write back\n").unwrap();
        folder
    }

    #[test]
    fn a_whole_description_is_enough_and_each_missing_part_is_named() {
        let devices = tempfile::tempdir().unwrap();
        let folder = disk(devices.path());
        assert!(described(devices.path(), 8).is_ok());
        assert!(described(devices.path(), 0).is_ok(), "no device at all");

        fs::write(folder.join("queue/write_cache"), "none\n").unwrap();
        let unknown = described(devices.path(), 8).unwrap_err();
        assert!(unknown.path.ends_with("queue/write_cache"), "{unknown}");

        fs::remove_file(folder.join("queue/max_segment_size")).unwrap();
        let unknown = described(devices.path(), 8).unwrap_err();
        assert!(unknown.path.ends_with("queue/max_segment_size"));

        fs::remove_dir_all(folder.join("queue")).unwrap();
        let unknown = described(devices.path(), 8).unwrap_err();
        assert!(unknown.path.ends_with("queue/rotational"), "{unknown}");
    }
}
