//! What a parser found in one output, by field.

use std::collections::BTreeMap;

use super::{Problem, number};

/// Fields and their values; a field that occurs twice with different values is in doubt.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    cells: BTreeMap<String, Result<f64, Problem>>,
}

impl Table {
    /// Notes a number given as text.
    pub(crate) fn put_text(&mut self, field: impl Into<String>, text: &str) {
        self.put_result(field, number(text));
    }

    /// Notes a number.
    pub(crate) fn put(&mut self, field: impl Into<String>, value: f64) {
        let checked =
            if value.is_finite() { Ok(value) } else { Err(Problem::NotANumber { found: value.to_string() }) };
        self.put_result(field, checked);
    }

    /// Notes a number, or why there is none. What is in doubt stays in doubt.
    pub(crate) fn put_result(&mut self, field: impl Into<String>, value: Result<f64, Problem>) {
        use std::collections::btree_map::Entry;
        match self.cells.entry(field.into()) {
            Entry::Vacant(vacant) => {
                vacant.insert(value);
            }
            Entry::Occupied(mut occupied) => {
                let cell = occupied.get_mut();
                match (cell.clone(), value) {
                    (Ok(first), Ok(second)) if first != second => {
                        *cell = Err(Problem::Contradictory { first, second });
                    }
                    (Ok(_), Err(problem)) => *cell = Err(problem),
                    _ => {}
                }
            }
        }
    }

    /// Whether nothing was found.
    pub(crate) fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Whether this field was found, in doubt or not.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.cells.contains_key(field)
    }

    /// The value of `field`.
    pub(crate) fn get(&self, field: &str) -> Option<f64> {
        self.cells.get(field).and_then(|cell| cell.clone().ok())
    }

    /// The value of `field`, or why there is none.
    pub(crate) fn take(mut self, field: &str) -> Result<f64, Problem> {
        self.cells.remove(field).unwrap_or_else(|| {
            let found: Vec<String> = self.cells.keys().take(40).cloned().collect();
            Err(Problem::Absent {
                found: if found.is_empty() { "no field at all".into() } else { found.join(", ") },
            })
        })
    }

    /// The values that are not in doubt.
    pub(crate) fn into_values(self) -> BTreeMap<String, f64> {
        self.cells.into_iter().filter_map(|(field, value)| value.ok().map(|value| (field, value))).collect()
    }
}

/// The known word most like `word`.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|candidate| (candidate, strsim::jaro_winkler(word, candidate)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(candidate, _)| candidate.to_owned())
        .unwrap_or_default()
}
