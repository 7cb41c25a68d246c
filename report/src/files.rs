//! Writing a file so that a reader never sees half of it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file could not be written; what stood there before is untouched.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// Writes `content` to `path` whole or not at all: into a temporary file beside it, synced, renamed.
///
/// A path that exists and is not a regular file (`/dev/stdout`, `/dev/full`) is written directly,
/// since renaming over it would replace a device by a file.
///
/// # Errors
///
/// When any step fails; the old content of `path` is then intact.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let attempt = || -> io::Result<()> {
        if is_special(path) {
            return fs::File::options().write(true).open(path)?.write_all(content);
        }
        let mut temporary = temporary_beside(path)?;
        temporary.write_all(content)?;
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|error| error.error)?;
        // The rename itself is durable once the folder is synced.
        fs::File::open(folder_of(path))?.sync_all()
    };
    attempt().map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Finds out whether [`write_atomically`] could write `path` now, so that nobody measures for an hour and then has
/// nowhere to put it. A disk may still fill up meanwhile.
///
/// # Errors
///
/// When it could not.
pub fn check_writable(path: &Path) -> Result<(), WriteError> {
    let attempt = || -> io::Result<()> {
        if path.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        // A pipe is not opened twice: its reader would take the first close for the end.
        if is_special(path) {
            return Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?);
        }
        temporary_beside(path).map(drop)
    };
    attempt().map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Whether `path` exists and is something that a rename must not replace.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary_beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".muxbench-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder_of(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_device_is_an_error_that_names_it() {
        let error = write_atomically(Path::new("/dev/full"), b"new").expect_err("always full");
        assert!(error.to_string().contains("/dev/full"), "{error}");
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_intact() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("result.json");
        write_atomically(&path, b"old").expect("written");
        // A folder in the place of the target's parent's name makes the rename fail, after everything was written.
        let target = path.join("below a file");
        write_atomically(&target, b"new").expect_err("a file has nothing below it");
        assert_eq!(fs::read(&path).expect("read"), b"old");
    }

    #[test]
    fn the_new_content_replaces_the_old_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("result.json");
        write_atomically(&path, b"old").expect("written");
        write_atomically(&path, b"new").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"new");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 1);
    }

    #[test]
    fn what_cannot_be_written_is_found_out_without_writing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("result.json");
        check_writable(&path).expect("it could be");
        assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0);
        check_writable(Path::new("/dev/full")).expect("it is full only once written to");
        for bad in [folder.path(), &folder.path().join("absent/result.json"), Path::new("/proc/result.json")]
        {
            let error = check_writable(bad).expect_err("not writable").to_string();
            assert!(error.contains(&*bad.to_string_lossy()), "{error}");
        }
    }

    #[test]
    fn an_unwritable_folder_is_named_in_the_error() {
        let error = write_atomically(Path::new("/proc/nowhere/result.json"), b"x").expect_err("no folder");
        assert!(error.to_string().contains("/proc/nowhere/result.json"), "{error}");
    }
}
