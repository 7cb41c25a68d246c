//! The restrictions of a container: seccomp filters that a thread puts on itself and on all that it starts.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread;

use seccompiler::{BpfProgram, apply_filter, compile_from_json};
use serde_json::{Value, json};

/// Calls that are allowed whatever their arguments.
const ALLOWED: &str = include_str!("container/allowed.txt");
/// Families of sockets from 12 on that there may be; all below may be. Missing are AF_ALG, AF_VSOCK and what nobody uses.
const FAMILIES: [u32; 25] =
    [13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45];
/// The values that personality(2) may be asked for.
const PERSONALITIES: [u32; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];
/// The flags of clone(2) that make namespaces (CLONE_NEW*).
const NAMESPACES: u32 = 0x7e02_0000;

/// A call, all of them.
fn every(call: &str) -> Value {
    json!({ "syscall": call })
}

/// A call whose first argument compares with `value` as `operator` says.
fn some(call: &str, operator: Value, value: u32) -> Value {
    json!({ "syscall": call, "args": [{ "index": 0, "type": "dword", "op": operator, "val": value }] })
}

/// A filter that answers `calls` with `matched` and all others with `otherwise`.
fn compile(calls: Vec<Value>, matched: Value, otherwise: Value) -> Option<BpfProgram> {
    let filter = json!({ "all": { "mismatch_action": otherwise, "match_action": matched, "filter": calls } });
    let architecture = std::env::consts::ARCH.try_into().expect("an architecture with seccomp");
    compile_from_json(filter.to_string().as_bytes(), architecture).ok()?.remove("all")
}

/// Docker's default profile for a process without capabilities.
pub fn docker() -> Vec<BpfProgram> {
    let names = ALLOWED.lines().filter(|line| !line.starts_with('#')).flat_map(str::split_whitespace);
    // Each architecture has some that others have not.
    let exists = |name: &&str| compile(vec![every(name)], json!({ "errno": 1 }), json!("allow")).is_some();
    let mut allowed: Vec<Value> = names.filter(exists).map(every).collect();
    assert!(allowed.len() > 250, "{} calls are no profile", allowed.len());
    allowed.push(some("socket", json!("lt"), 12));
    allowed.extend(FAMILIES.map(|family| some("socket", json!("eq"), family)));
    allowed.extend(PERSONALITIES.map(|persona| some("personality", json!("eq"), persona)));
    allowed.push(some("clone", json!({ "masked_eq": NAMESPACES }), 0));
    let profile = compile(allowed, json!("allow"), json!({ "errno": libc::EPERM }));
    // The C library takes clone(2) then: its flags can be looked at, those of clone3(2) are in memory.
    let no_clone3 = refuse("clone3", libc::ENOSYS);
    // Of two filters that both refuse, the later says how.
    [profile.expect("a filter"), no_clone3].into()
}

/// A filter that answers `call` with `errno` and grants all else.
pub fn refuse(call: &str, errno: i32) -> BpfProgram {
    let filter = compile(vec![every(call)], json!({ "errno": errno }), json!("allow"));
    filter.unwrap_or_else(|| panic!("there is no call {call}"))
}

/// A filter that grants all but sockets of one family.
pub fn refuse_sockets(family: i32, errno: i32) -> BpfProgram {
    let calls = vec![some("socket", json!("eq"), family as u32)];
    compile(calls, json!({ "errno": errno }), json!("allow")).expect("a filter")
}

/// A filter that grants all but mappings that other processes see (mmap(2), MAP_SHARED).
pub fn refuse_shared_mappings(errno: i32) -> BpfProgram {
    let operator = json!({ "masked_eq": libc::MAP_SHARED });
    let flags = json!({ "index": 3, "type": "dword", "op": operator, "val": libc::MAP_SHARED });
    let calls = vec![json!({ "syscall": "mmap", "args": [flags] })];
    compile(calls, json!({ "errno": errno }), json!("allow")).expect("a filter")
}

/// Puts `filters` on the calling thread, and on all that it starts from now on.
pub fn enter(filters: &[BpfProgram]) {
    filters.iter().for_each(|filter| apply_filter(filter).expect("filters are for everybody"));
}

/// Runs `test` on a thread with `filters`, which are on all that it starts too.
pub fn inside<T: Send>(filters: &[BpfProgram], test: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let restricted = scope.spawn(|| {
            enter(filters);
            test()
        });
        restricted.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// `command` with a filter on what it starts alone. The thread that starts it has none.
pub fn filtered(mut command: Command, filter: BpfProgram) -> Command {
    #[allow(unsafe_code)]
    // SAFETY: between fork(2) and execve(2) only prctl(2) and seccomp(2) are called, and nothing is allocated or locked.
    unsafe {
        command.pre_exec(move || apply_filter(&filter).map_err(|_| io::ErrorKind::PermissionDenied.into()));
    }
    command
}
