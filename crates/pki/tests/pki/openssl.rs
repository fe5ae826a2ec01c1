//! The `openssl` and `certtool` command lines, in a folder of their own.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder that is gone after the test.
pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        std::fs::write(self.path(name), content).unwrap();
        self
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Runs a command in the folder; arguments are separated by blanks, `'` keeps blanks together.
    pub(crate) fn try_run(&self, line: &str) -> Output {
        let mut words: Vec<String> = Vec::new();
        for (index, part) in line.split('\'').enumerate() {
            if index % 2 == 1 {
                words.push(part.to_owned());
            } else {
                words.extend(part.split_whitespace().map(str::to_owned));
            }
        }
        Command::new(&words[0]).args(&words[1..]).current_dir(self.0.path()).output().unwrap()
    }

    /// Runs a command that must succeed; returns what it printed.
    pub(crate) fn run(&self, line: &str) -> String {
        let output = self.try_run(line);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{line}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }

    /// `openssl req -new` with this key option, subject and configuration lines after `[req]`'s own; DER.
    pub(crate) fn csr(&self, key: &str, subject: &str, options: &str, extensions: &str) -> Vec<u8> {
        let config = format!(
            "[req]\ndistinguished_name=dn\nreq_extensions=ext\nprompt=no\nutf8=yes\n[dn]\n{subject}\n[ext]\n{extensions}\n"
        );
        let config = if extensions.is_empty() { config.replace("req_extensions=ext\n", "") } else { config };
        self.write("req.cnf", config);
        self.run(&format!(
            "openssl req -new -config req.cnf -outform DER -out a.csr -nodes -keyout a.key {key} {options}"
        ));
        self.read("a.csr")
    }
}
