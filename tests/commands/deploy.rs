//! The recipes for several machines: manifests fit the schemas of Kubernetes, scripts are sound (those elsewhere too), and what they
//! give to load-gen is what load-gen reads.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use load_gen::command::cli::Cli;
use load_gen::plan::shard;
use trials::test;

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn assert_success(what: &str, output: &Output) {
    let said = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{what}: {}", said.concat());
}

/// The command line of load-gen in `command`, without what starts it and where its output goes.
fn parsed(command: &str) -> Cli {
    use clap::Parser;
    let words = command.split_whitespace().map(|word| word.trim_matches('"'));
    Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{command}: {error}"))
}

#[test(needs(Python("kubernetes_validate")))]
fn the_manifests_fit_the_schemas_of_kubernetes() {
    let python = trials::need::python("kubernetes_validate");
    for manifest in ["kubernetes/load-gen.yaml", "kubernetes/server.yaml"] {
        let validate = |path: &Path| {
            let mut command = Command::new(&python);
            command.args(["-m", "kubernetes_validate", "--strict"]).arg(path).output().expect("python starts")
        };
        assert_success(manifest, &validate(&deploy(manifest)));
        // A key that Kubernetes does not know is noticed.
        let folder = tempfile::tempdir().expect("a folder");
        let misspelt = folder.path().join("misspelt.yaml");
        fs::write(&misspelt, text(manifest).replace("imagePullPolicy", "imagePullPolitics"))
            .expect("written");
        assert!(!validate(&misspelt).status.success(), "{manifest}");
    }
}

#[test]
fn the_job_has_as_many_shards_as_it_tells_load_gen() {
    let manifest = text("kubernetes/load-gen.yaml");
    let value = |key: &str| {
        let line = manifest.lines().find_map(|line| line.trim().strip_prefix(key));
        line.unwrap_or_else(|| panic!("{key} in the manifest")).trim().trim_matches('"').to_owned()
    };
    let completions = value("completions:");
    assert_eq!(value("parallelism:"), completions);
    assert_eq!(value("completionMode:"), "Indexed");
    let (_, variable) = manifest.split_once("- name: JOB_COMPLETIONS\n").expect("the variable");
    assert_eq!(variable.lines().next().expect("its value").trim(), format!("value: \"{completions}\""));
    let environment = |name: &str| match name {
        // What the job's controller sets (pkg/controller/job/indexed_job_utils.go).
        "JOB_COMPLETION_INDEX" => Some("2".to_owned()),
        "JOB_COMPLETIONS" => Some(completions.clone()),
        _ => None,
    };
    let (shard, _) = shard::from_environment(environment).expect("complete").expect("a shard");
    assert_eq!(shard.to_string(), "3/3");
}

#[test]
fn the_commands_in_the_recipes_are_such_as_load_gen_understands() {
    let manifest = text("kubernetes/load-gen.yaml");
    let arguments = manifest.lines().filter_map(|line| line.trim().strip_prefix("- --"));
    let line: String = arguments.map(|argument| format!(" --{argument}")).collect();
    let line = line.replace("START_AT", "1767322800").replace("muxbench-serve", "127.0.0.1");
    let job = parsed(&format!("load-gen{line}"));
    assert!(job.json && job.quiet && job.start_at.is_some() && job.rate.is_some());

    let script = text("slurm/load-gen.sbatch").replace("\\\n", "");
    let line = script.lines().find(|line| line.starts_with("load-gen")).expect("the command");
    let array = parsed(&line.replace("$START_AT", "1767322800").replace("$TARGET", "127.0.0.1:7777"));
    // A file that is written only once there is a result: one that is missing is a shard that is missing.
    assert!(array.exports().is_any() && array.start_at.is_some() && array.shard.is_none());
    assert!(script.contains("#SBATCH --array=0-3\n"), "a plain range");

    let script = text("parallel/run-shards");
    for option in ["--shard", "--start-at", "--quiet", "--json"] {
        assert!(script.contains(option), "{option}");
    }
}

/// The scripts of the recipes, of the scenarios and of CI.
fn scripts() -> impl Iterator<Item = PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recipes =
        ["parallel/run-shards", "parallel/netns-shell", "parallel/in-namespaces", "slurm/load-gen.sbatch"];
    let of_ci = fs::read_dir(repository.join(".ci")).expect("a folder").flatten().map(|entry| entry.path());
    let others = ["million", "reference"].map(|name| repository.join("scenarios").join(name));
    recipes.map(deploy).into_iter().chain(others).chain(of_ci)
}

#[test]
fn bash_reads_the_scripts() {
    for script in scripts() {
        let output = Command::new("bash").arg("-n").arg(&script).output().expect("bash starts");
        assert_success(&script.display().to_string(), &output);
    }
}

#[test(needs(Program("shellcheck")))]
fn shellcheck_has_nothing_to_say_of_the_scripts() {
    for script in scripts() {
        let output = Command::new("shellcheck").arg(&script).output().expect("it starts");
        assert_success(&script.display().to_string(), &output);
    }
}

#[test]
fn a_script_without_arguments_says_what_it_wants() {
    for script in ["parallel/run-shards", "parallel/in-namespaces"] {
        let output = Command::new(deploy(script)).output().expect("it starts");
        assert_eq!(output.status.code(), Some(2), "{script}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("usage: "), "{script}");
    }
}
