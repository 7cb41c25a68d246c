//! The needs that a test can have besides the code that it tests, and how they are looked for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub use Need::{Met, Node, Peer, Program, Python, Unshare};

/// Something without which a test cannot run.
#[derive(Debug, Clone, Copy)]
pub enum Need {
    /// A program in a folder of PATH.
    Program(&'static str),
    /// A package of Python: see [`python`].
    Python(&'static str),
    /// A package of npm in `target/peers`, and node: see [`node`].
    Node(&'static str),
    /// A file or folder below `target/peers`.
    Peer(&'static str),
    /// Namespaces: that unshare(1) works with these options.
    Unshare(&'static [&'static str]),
    /// Anything else: its name, and what finds out whether it is there, or else says why not.
    Met(&'static str, fn() -> Result<(), String>),
}

/// To be the superuser.
pub const ROOT: Need = Met("root", || match rustix::process::geteuid().is_root() {
    true => Ok(()),
    false => Err("only root may do this".into()),
});

/// A user namespace, and in it a network namespace.
pub const NETWORK_NAMESPACE: Need = Unshare(&["--user", "--map-root-user", "--net"]);

/// A user namespace, and in it a mount namespace.
pub const MOUNT_NAMESPACE: Need = Unshare(&["--user", "--map-root-user", "--mount"]);

/// That strace(1) is there and may trace.
pub const STRACE: Need = Met("strace", || {
    let status = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    match status.is_ok_and(|status| status.success()) {
        true => Ok(()),
        false => Err("strace is not installed, or may not trace".into()),
    }
});

impl Need {
    /// Its name, which an exemption is made out for.
    pub fn name(&self) -> String {
        match self {
            Self::Program(name) | Self::Python(name) | Self::Node(name) | Self::Met(name, _) => {
                (*name).into()
            }
            Self::Peer(path) => path.split('/').next().unwrap_or(path).into(),
            Self::Unshare(_) => "namespaces".into(),
        }
    }

    /// Looks whether it is there.
    ///
    /// # Errors
    ///
    /// The reason why a test that needs it cannot run.
    pub fn look(&self) -> Result<(), String> {
        let or = |there: bool, why: String| if there { Ok(()) } else { Err(why) };
        match self {
            Self::Program(name) => or(program(name).is_some(), format!("{name} is not installed")),
            Self::Python(package) => {
                or(find_python(package).is_some(), format!("{package} of PyPI is not installed"))
            }
            Self::Node(package) => {
                or(node(package).is_dir(), format!("{package} of npm is not installed"))?;
                Self::Program("node").look()
            }
            Self::Peer(path) => or(peers().join(path).exists(), format!("there is no target/peers/{path}")),
            Self::Unshare(options) => {
                let mut unshare = Command::new("unshare");
                unshare.args(*options).arg("true").stdout(Stdio::null()).stderr(Stdio::null());
                let works = unshare.status().is_ok_and(|status| status.success());
                or(works, format!("unshare {} is refused here", options.join(" ")))
            }
            Self::Met(_, look) => look(),
        }
    }
}

/// The folder in which the scripts of `.ci` put what no package of the distribution has.
pub fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/peers")
}

/// The path of program `name`.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there =
        |file: &PathBuf| file.is_file() && rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(is_there)
}

/// A Python that has `package`: that of `target/peers`, or else the system's.
///
/// # Panics
///
/// Without one; a test that calls this needs [`Need::Python`].
pub fn python(package: &str) -> PathBuf {
    find_python(package).unwrap_or_else(|| panic!("Need::Python({package:?}) is not stated"))
}

fn find_python(package: &str) -> Option<PathBuf> {
    let has_it = |python: &PathBuf| {
        let mut import = Command::new(python);
        import.args(["-c", &format!("import {package}")]).stdout(Stdio::null()).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    };
    [peers().join("python/bin/python"), PathBuf::from("python3")].into_iter().find(has_it)
}

/// The folder of npm's `package`.
pub fn node(package: &str) -> PathBuf {
    peers().join("node/node_modules").join(package)
}
