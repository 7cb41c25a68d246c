//! A pool whose workers do as they are told to.

use std::sync::mpsc::Sender;
use std::thread;

use model::schema::WaitPolicy;
use sys::descriptor_table::Table;

use super::*;

/// A worker that answers each command with what `answer` makes of it.
fn worker(answers: &Sender<Answer>, answer: impl Fn(Command) -> Answer + Send + 'static) -> WorkerHandle {
    let (commands, orders) = mpsc::channel();
    let answers = answers.clone();
    let thread = thread::spawn(move || {
        for command in orders {
            let _ = answers.send(answer(command));
        }
    });
    WorkerHandle { live: Arc::default(), commands: Some(commands), thread: Some(thread) }
}

/// The answer of a worker that works.
fn sound(command: Command) -> Answer {
    match command {
        Command::Run(task) => Answer::Ran(Box::new(Recorder::new(task.order.window, false, Arc::default()))),
        Command::Check { .. } => Answer::Checked(Checked::default()),
    }
}

#[test]
fn what_is_answered_after_a_failure_is_no_answer_to_what_is_asked_next() {
    let (gate, passes) = mpsc::channel::<()>();
    let (answer, answers) = mpsc::channel();
    let fails_once = AtomicBool::new(true);
    let workers = vec![
        worker(&answer, move |command| match fails_once.swap(false, Relaxed) {
            true => Answer::Unable(std::io::Error::other("the ring is broken")),
            false => sound(command),
        }),
        // It has not answered when the run has failed.
        worker(&answer, move |command| {
            let _ = passes.recv();
            sound(command)
        }),
    ];
    let target: std::net::SocketAddr = "127.0.0.1:7777".parse().expect("an address");
    let options = PoolOptions { threads: 2, ..PoolOptions::new(target, 2, 2) };
    let placement = Placement::new(2, 2, 2, 1024, Table::Own).expect("room for two");
    let mut pool = Pool {
        shared: Arc::new(shared(options, placement, EngineKind::Epoll, Arc::default())),
        workers,
        answers,
        connections: Connections::default(),
        connect: model::histogram::empty(),
        pending: 1,
        past: Progress::default(),
        failure: None,
    };
    let load = Load {
        mode: LoadMode::Closed { pipeline: 1 },
        wait: WaitPolicy::Sleep,
        warmup: Duration::ZERO,
        duration: Duration::from_millis(1),
        interval: None,
    };
    let failed = pool.run(&load, &mut ()).expect_err("a worker fails").to_string();
    assert!(failed.contains("the ring is broken"), "{failed}");
    drop(gate);
    assert_eq!(pool.run(&load, &mut ()).expect_err("it stays failed").to_string(), failed);
    assert_eq!(pool.drain().expect_err("it stays failed").to_string(), failed);
}
