//! Situations of objects that cannot be waited for: files, folders, and devices that are always ready.

use std::io::{self, Seek, Write};

use rustix::fs::{CWD, Mode, OFlags, openat};

use super::{Action, READ_ONE, Scene, Situation, UNEVENTFUL, read_all};

pub static SITUATIONS: [Situation; 3] = [
    Situation {
        name: "regular-file",
        about: "a regular file of 4 bytes in the folder for temporary files, at its beginning",
        set_up: || {
            let mut file = tempfile::tempfile()?;
            file.write_all(b"data")?;
            file.rewind()?;
            Ok(Scene::new(file.into(), Vec::new()))
        },
        partial: READ_ONE,
        more: Action::silent("4 bytes are appended", |scene| {
            rustix::io::pwrite(scene.own()?, b"more", 4)?;
            Ok(())
        }),
        drain: Action::silent("all is read, to the end of the file", |scene| read_all(scene.own()?)),
        ..UNEVENTFUL
    },
    Situation {
        name: "directory",
        about: "a directory",
        set_up: || open(&std::env::temp_dir(), OFlags::RDONLY | OFlags::DIRECTORY),
        ..UNEVENTFUL
    },
    Situation {
        name: "dev-null",
        about: "/dev/null, open for reading and writing",
        set_up: || open("/dev/null".as_ref(), OFlags::RDWR),
        ..UNEVENTFUL
    },
];

fn open(path: &std::path::Path, flags: OFlags) -> io::Result<Scene> {
    Ok(Scene::new(openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty())?, Vec::new()))
}
