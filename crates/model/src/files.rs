//! Writing a file so that a reader never sees half of it.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::streams;

/// The time before a FIFO without a reader is tried again: the kernel does not tell when a reader opens it.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A file could not be written; what stood there before is untouched.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    /// The file that was to be written.
    pub path: PathBuf,
    /// The error of the system.
    pub source: io::Error,
}

/// Writes `content` to `path` whole or not at all: into a temporary file beside it, synced, renamed, and the folder synced.
///
/// A path that exists and is not a regular file (`/dev/stdout`, `/dev/full`, a FIFO) is written directly,
/// since renaming over it would replace a device by a file.
///
/// # Errors
///
/// When any step fails; the old content of `path` is then intact, unless the last, the folder's, is what failed.
pub fn write_atomically(path: &Path, content: &[u8]) -> Result<(), WriteError> {
    let attempt = || -> io::Result<()> {
        if is_special(path) {
            return streams::write_all(open_special(path)?, content);
        }
        let mut temporary = temporary_beside(path)?;
        temporary.write_all(content)?;
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|error| error.error)?;
        sync_folder_of(path)
    };
    attempt().map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Makes the name of a file or folder that was created or renamed durable: it is an entry of the folder above, which has to be
/// synced as well (fsync(2)).
///
/// # Errors
///
/// What open(2) and fsync(2) say, but for EACCES, EINVAL and their like: a folder that may not be read, and those of some file systems,
/// cannot be synced, and nothing more can be done there.
pub fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = match fs::File::open(folder_of(path)) {
        // One that may be written and not read.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(()),
        folder => folder?,
    };
    match rustix::fs::fsync(folder) {
        Ok(()) | Err(Errno::INVAL | Errno::NOTSUP | Errno::ROFS | Errno::BADF) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Makes the folder `path`, and those above it that are missing, durably. One that exists is left as it is.
///
/// # Errors
///
/// When one cannot be made, or synced.
pub fn make_folder(path: &Path) -> Result<(), WriteError> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).collect();
    fs::create_dir_all(path)
        .and_then(|()| missing.into_iter().try_for_each(sync_folder_of))
        .map_err(|source| WriteError { path: path.to_owned(), source })
}

/// Opens what is not a regular file to write to it. Opening a FIFO would wait for its reader, whatever signals come: it is tried
/// again and again.
fn open_special(path: &Path) -> io::Result<OwnedFd> {
    loop {
        match rustix::fs::open(path, OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NXIO) if is_fifo(path) => {
                if streams::interrupted().load(Relaxed) {
                    return Err(ErrorKind::Interrupted.into());
                }
                std::thread::sleep(LOOK_AGAIN);
            }
            opened => return Ok(opened?),
        }
    }
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

fn is_fifo(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo())
}

/// Returns whether `path` exists and is something that a rename must not replace.
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
    fn folders_are_made_with_those_above_them_and_made_already_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("a/b/c");
        make_folder(&deep).expect("made");
        make_folder(&deep).expect("there already");
        assert!(deep.is_dir());
        let file = deep.join("file");
        write_atomically(&file, b"x").expect("written");
        let error = make_folder(&file.join("below")).expect_err("a file has nothing below it").to_string();
        assert!(error.contains("file/below"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_synced_is_no_reason_to_fail() {
        // Of /proc fsync(2) says EINVAL.
        sync_folder_of(Path::new("/proc/self/status")).expect("nothing more can be done");
    }

    #[test]
    fn a_fifo_is_written_when_somebody_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .expect("made");
        std::thread::scope(|scope| {
            let written = scope.spawn(|| write_atomically(&path, b"new"));
            assert_eq!(fs::read(&path).expect("read"), b"new");
            written.join().expect("no panic").expect("written");
        });
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
