//! The `[[server]]` tables of a scenario: what may stand in them.

use std::path::{Path, PathBuf};

use model::schema::{ExternalServer, Protocol, Scenario};
use rustix::fs::{Access, access};

use super::text::Mistakes;
use crate::mechanisms;

/// The longest name of a server: it stands at the end of a line in every figure.
const LONGEST_NAME: usize = 24;
/// The range that `patience_s` must be in.
const PATIENCE_S: std::ops::RangeInclusive<f64> = 0.01..=3600.0;

/// Puts the folder of the scenario's file in the place of `{here}`, as an absolute path, so that the campaign
/// can be resumed from anywhere.
///
/// # Errors
///
/// When the folder has no absolute path.
pub fn resolve_here(scenario: &mut Scenario, file: &Path) -> Result<(), String> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for word in scenario.servers.iter_mut().flat_map(|server| &mut server.command) {
        if word.contains("{here}") {
            let here = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
            let here = here.to_str().ok_or_else(|| format!("{}: not UTF-8", folder.display()))?;
            *word = word.replace("{here}", here);
        }
    }
    Ok(())
}

/// Notes what is wrong with the external servers of a scenario.
pub fn check(scenario: &Scenario, wrong: &mut Mistakes) {
    for (at, server) in scenario.servers.iter().enumerate() {
        let before = &scenario.servers[..at];
        let mistakes = name_mistake(server, before).into_iter().chain(command_mistakes(&server.command));
        let who =
            if server.name.is_empty() { format!("number {}", at + 1) } else { format!("'{}'", server.name) };
        let key = format!("server[{at}]");
        mistakes.for_each(|mistake| wrong.note(&*key, format!("server {who}: {mistake}")));
        if let Some(patience_s) = server.patience_s.filter(|patience_s| !PATIENCE_S.contains(patience_s)) {
            let what = format!("server {who}: patience_s = {patience_s} makes no sense: from 0.01 to 3600");
            wrong.note(format!("{key}.patience_s"), what);
        }
    }
    if !scenario.servers.is_empty() && scenario.load.protocol == Protocol::Ack {
        let what = "\"ack\" is spoken by muxbench's own servers only: with a [[server]] use \"echo\"";
        wrong.note("load.protocol", what);
    }
}

fn name_mistake(server: &ExternalServer, before: &[ExternalServer]) -> Option<String> {
    let name = &server.name;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() {
        Some("it has no name".into())
    } else if !name.bytes().all(allowed) || name.len() > LONGEST_NAME {
        Some(format!("a name is at most {LONGEST_NAME} lower-case letters, digits and dashes"))
    } else if mechanisms::find(name).is_some() {
        Some("a mechanism has that name; choose another".into())
    } else if before.iter().any(|other| other.name == *name) {
        Some("another server has that name; choose another".into())
    } else {
        None
    }
}

fn command_mistakes(command: &[String]) -> Vec<String> {
    let Some(program) = command.first().filter(|program| !program.is_empty()) else {
        return vec!["it has no command".into()];
    };
    let mut wrong = Vec::new();
    if !command.iter().any(|word| word.contains("{port}")) {
        wrong.push("its command does not say {port}, which stands for the port to listen on".into());
    }
    for placeholder in command.iter().flat_map(|word| placeholders(word)) {
        match placeholder {
            "port" => {}
            "here" => {
                wrong.push("{here} is the folder of a scenario's file, and this scenario has none".into())
            }
            other => wrong.push(format!("there is no {{{other}}}; there are {{port}} and {{here}}")),
        }
    }
    wrong.extend(program_mistake(program));
    wrong
}

/// The words in braces: `port` of `TCP-LISTEN:{port},fork`.
fn placeholders(word: &str) -> impl Iterator<Item = &str> {
    let after_braces = word.split('{').skip(1);
    let words = after_braces.filter_map(|rest| Some(rest.split_once('}')?.0));
    words.filter(|word| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// Returns the reason that `program` cannot be started, if that is known beforehand.
pub fn program_mistake(program: &str) -> Option<String> {
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![program.into()]
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
    };
    let found: Vec<&PathBuf> = candidates.iter().filter(|path| path.is_file()).collect();
    let is_executable = |path: &&PathBuf| access(path.as_path(), Access::EXEC_OK).is_ok();
    match found.first() {
        None if program.contains('/') => Some(format!("there is no file {program}")),
        None => Some(format!("there is no program '{program}' on the PATH; install it, or name its path")),
        Some(_) if found.iter().any(is_executable) => None,
        Some(path) => Some(format!("{} is not executable", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::scenario::{DEFAULT, load};

    fn server(name: &str, command: &[&str]) -> ExternalServer {
        ExternalServer {
            name: name.into(),
            command: command.iter().map(ToString::to_string).collect(),
            about: None,
            patience_s: None,
        }
    }

    fn whats(scenario: &Scenario) -> Vec<String> {
        let mut wrong = Mistakes::default();
        check(scenario, &mut wrong);
        wrong.0.into_iter().map(|mistake| mistake.what).collect()
    }

    fn wrong_with(servers: Vec<ExternalServer>) -> Vec<String> {
        whats(&Scenario { servers, ..load(DEFAULT).expect("embedded") })
    }

    #[test]
    fn each_mistake_is_a_line_that_names_the_server_and_the_remedy() {
        for (server, words) in [
            (server("", &["sh", "{port}"]), vec!["number 1", "no name"]),
            (server("a", &[]), vec!["'a'", "no command"]),
            (server("a", &["", "{port}"]), vec!["'a'", "no command"]),
            (server("poll", &["sh", "{port}"]), vec!["'poll'", "a mechanism has that name"]),
            (server("a_b", &["sh", "{port}"]), vec!["'a_b'", "dashes"]),
            (server("../a", &["sh", "{port}"]), vec!["'../a'", "dashes"]),
            (server(&"a".repeat(25), &["sh", "{port}"]), vec!["at most 24"]),
            (server("a", &["sh", "8080"]), vec!["'a'", "{port}", "does not say"]),
            (server("a", &["sh", "{port}", "-t{threads}"]), vec!["'a'", "no {threads}"]),
            (server("a", &["sh", "{here}/x", "{port}"]), vec!["'a'", "this scenario has none"]),
            (server("a", &["muxbench-nowhere", "{port}"]), vec!["'a'", "on the PATH"]),
            (server("a", &["./nowhere", "{port}"]), vec!["'a'", "no file ./nowhere"]),
            (server("a", &["./Cargo.toml", "{port}"]), vec!["'a'", "not executable"]),
            (
                ExternalServer { patience_s: Some(0.0), ..server("a", &["sh", "{port}"]) },
                vec!["'a'", "patience_s"],
            ),
        ] {
            let wrong = wrong_with(vec![server]);
            let [line] = &wrong[..] else { panic!("{words:?}: {wrong:?}") };
            assert!(
                words.iter().all(|word| line.contains(word)) && !line.contains('\n'),
                "{words:?}: {line}"
            );
        }
    }

    #[test]
    fn two_servers_of_one_name_are_one_too_many() {
        let wrong = wrong_with(vec![server("a", &["sh", "{port}"]), server("a", &["sh", "{port}"])]);
        assert!(wrong.len() == 1 && wrong[0].contains("another server"), "{wrong:?}");
    }

    #[test]
    fn an_external_server_echoes() {
        let mut scenario = load(DEFAULT).expect("embedded");
        scenario.load.protocol = Protocol::Ack;
        assert_eq!(whats(&scenario), [""; 0]);
        scenario.servers = vec![server("a", &["sh", "{port}"])];
        assert!(whats(&scenario)[0].contains("use \"echo\""));
    }

    #[test]
    fn braces_that_hold_no_word_are_left_alone() {
        let script = "awk '{ print $1 }' <<< {}; x=${port}; echo {{port}}";
        assert_eq!(placeholders(script).collect::<Vec<_>>(), ["port", "port"]);
        assert_eq!(wrong_with(vec![server("a", &["sh", "-c", script])]), [""; 0]);
    }

    #[test]
    fn here_is_the_folder_of_the_file() {
        let mut scenario = load(DEFAULT).expect("embedded");
        scenario.servers = vec![server("a", &["{here}/echo", "--port={port}"])];
        resolve_here(&mut scenario, Path::new("src/../scenarios/any.toml")).expect("it exists");
        let here = Path::new("scenarios").canonicalize().expect("it exists");
        assert_eq!(scenario.servers[0].command, [format!("{}/echo", here.display()), "--port={port}".into()]);
        let mut elsewhere = Scenario { servers: vec![server("a", &["{here}/echo"])], ..scenario };
        assert!(resolve_here(&mut elsewhere, Path::new("/nowhere/any.toml")).is_err());
    }
}
