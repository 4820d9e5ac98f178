//! Problems with their places in a file.

use std::ops::Range;

use toml_edit::{Item, Table, Value};

use crate::problem::Problem;

/// Everything that is wrong with a file; printed, each with its line and a caret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Diagnostics {
    /// The file's name as it was given.
    pub file: String,
    /// In the order of the file.
    pub all: Vec<Diagnostic>,
}

/// One problem and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub problem: Problem,
    /// Absent if the file could not be read.
    pub place: Option<Place>,
}

/// A part of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The line itself.
    pub text: String,
    /// How many characters are meant, at least 1.
    pub length: usize,
}

impl Place {
    /// The place of a range of bytes; what goes beyond the line is cut off.
    pub(super) fn of(text: &str, span: &Range<usize>) -> Self {
        let boundary =
            |at: usize| (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let (from, to) = (boundary(span.start), boundary(span.end));
        let begin = text[..from].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[from..].find('\n').map_or(text.len(), |newline| from + newline);
        Self {
            line: text[..from].matches('\n').count() + 1,
            column: text[begin..from].chars().count() + 1,
            text: text[begin..end].trim_end().to_owned(),
            length: text[from..to.min(end).max(from)].trim_end().chars().count().max(1),
        }
    }
}

impl std::fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, Diagnostic { problem, place }) in self.all.iter().enumerate() {
            if i > 0 {
                f.write_str("\n\n")?;
            }
            let Some(place) = place else {
                write!(f, "{}: {problem}", self.file)?;
                continue;
            };
            // a tab stays a tab, so that the caret stands below its place
            let indent: String =
                place.text.chars().take(place.column - 1).map(|c| if c == '\t' { c } else { ' ' }).collect();
            let (line, carets) = (place.line.to_string(), "^".repeat(place.length));
            let margin = " ".repeat(line.len());
            writeln!(f, "{}:{line}:{}: {problem}", self.file, place.column)?;
            write!(f, "  {line} | {}\n  {margin} | {indent}{carets}", place.text)?;
        }
        Ok(())
    }
}

/// A part of the document: toml_edit has no single type for them all.
#[derive(Clone, Copy)]
enum Node<'a> {
    Item(&'a Item),
    Value(&'a Value),
    Table(&'a Table),
}

impl<'a> Node<'a> {
    fn key(self, key: &str) -> Option<Self> {
        match self {
            Self::Item(item) => item.as_table_like()?.get(key).map(Self::Item),
            Self::Value(value) => value.as_inline_table()?.get(key).map(Self::Value),
            Self::Table(table) => table.get(key).map(Self::Item),
        }
    }

    fn index(self, index: usize) -> Option<Self> {
        let array = match self {
            Self::Item(item) => match item.as_array_of_tables() {
                Some(tables) => return tables.get(index).map(Self::Table),
                None => item.as_array(),
            },
            Self::Value(value) => value.as_array(),
            Self::Table(_) => None,
        };
        array?.get(index).map(Self::Value)
    }

    fn span(self) -> Option<Range<usize>> {
        match self {
            Self::Item(item) => item.span(),
            Self::Value(value) => value.span(),
            Self::Table(table) => table.span(),
        }
    }
}

/// The range of what `path` names, or of the nearest thing around it that is in the file.
pub(super) fn locate(root: &Item, path: &str) -> Range<usize> {
    // the whole document is named by its beginning
    let mut found = 0..0;
    let mut node = Node::Item(root);
    for part in path.replace('[', ".[").split('.').filter(|part| !part.is_empty()) {
        let index = part.strip_prefix('[').and_then(|p| p.strip_suffix(']')).and_then(|p| p.parse().ok());
        let child = match index {
            Some(index) => node.index(index),
            None => node.key(part),
        };
        let Some(child) = child else { break };
        found = child.span().unwrap_or(found);
        node = child;
    }
    found
}
