//! What the runner of migrations decides: which steps a database has, which it lacks, and when to refuse.

use crate::Error;
use sqlx::migrate::{Migration, MigrationType};
use sqlx::{SqlSafeStr, SqlStr};

/// One numbered step, embedded in the program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    /// Number; later steps have higher ones.
    pub(crate) number: i64,
    /// Name of the file without its ending.
    pub(crate) name: &'static str,
    /// The statements.
    pub(crate) sql: &'static str,
}

impl Step {
    /// SHA-384 of the statements.
    pub(crate) fn checksum(&self) -> Vec<u8> {
        let sql: SqlStr = self.sql.into_sql_str();
        Migration::new(self.number, self.name.into(), MigrationType::Simple, sql, false).checksum.into_owned()
    }
}

/// A step as the database remembers it.
#[derive(Debug, Clone)]
pub(crate) struct Applied {
    pub(crate) number: i64,
    pub(crate) name: String,
    pub(crate) checksum: Vec<u8>,
}

/// The steps that `applied` (in order of number) lacks, or why this program must keep its hands off the database.
/// A step and its bookkeeping row are one transaction, so a half-applied step cannot be met.
pub(crate) fn missing(known: &'static [Step], applied: &[Applied]) -> Result<&'static [Step], Error> {
    for (index, found) in applied.iter().enumerate() {
        let Some(step) = known.get(index) else {
            return Err(Error::Schema(format!(
                "The database has migration {} ({}), which this version of certwright does not know. \
                 Start the version that made it, or a newer one.",
                found.number, found.name
            )));
        };
        if found.number != step.number || found.checksum != step.checksum() {
            return Err(Error::Schema(format!(
                "Migration {} ({}) in the database is not the migration {} ({}) of this version of certwright. \
                 The database belongs to another program or an unreleased build; restore a backup or use another one.",
                found.number, found.name, step.number, step.name
            )));
        }
    }
    Ok(known.get(applied.len()..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[Step] =
        &[Step { number: 1, name: "one", sql: "SELECT 1" }, Step { number: 2, name: "two", sql: "SELECT 2" }];

    fn applied(step: &Step) -> Applied {
        Applied { number: step.number, name: step.name.to_owned(), checksum: step.checksum() }
    }

    #[test]
    fn lists_what_is_missing() {
        let names = |steps: &[Step]| steps.iter().map(|s| s.name).collect::<Vec<_>>();
        assert_eq!(names(missing(STEPS, &[]).unwrap()), ["one", "two"]);
        assert_eq!(names(missing(STEPS, &[applied(&STEPS[0])]).unwrap()), ["two"]);
        assert!(missing(STEPS, &[applied(&STEPS[0]), applied(&STEPS[1])]).unwrap().is_empty());
    }

    #[test]
    fn refuses_newer_and_altered_schemas() {
        let mut altered = applied(&STEPS[0]);
        altered.checksum.push(0);
        let newer = Applied { number: 3, name: "three".into(), checksum: vec![] };
        let all: Vec<Applied> = STEPS.iter().map(applied).chain([newer]).collect();
        for (case, hint) in [
            (vec![altered], "restore a backup"),
            (all, "Start the version"),
            (vec![applied(&STEPS[1])], "another program"),
        ] {
            let Err(Error::Schema(text)) = missing(STEPS, &case) else { panic!("must be refused: {case:?}") };
            assert!(text.contains(hint), "{text}");
        }
    }
}
