//! Which statements may run: those that DuckDB's own parser takes for one SELECT, made of nothing but parts that are
//! listed here. What is not known is refused, so that nothing new of DuckDB's gets in unseen.

use std::collections::HashSet;
use std::sync::LazyLock;

use duckdb::Connection;
use serde_json::{Map, Value};

use super::SqlError;

/// What may be read, besides a statement's own common table expressions.
const TABLES: [&str; 2] = ["points", "series"];
/// Functions that may stand in the place of a table.
const TABLE_FUNCTIONS: [&str; 3] = ["range", "generate_series", "unnest"];
/// Functions that may stand in an expression.
static FUNCTIONS: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("functions.txt").lines().filter(|line| !line.starts_with('#'));
    lines.flat_map(str::split_whitespace).collect()
});
/// Expressions, by DuckDB's names for their classes.
const EXPRESSIONS: [&str; 18] = [
    "BETWEEN",
    "CASE",
    "CAST",
    "COLLATE",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "LAMBDA",
    "LAMBDA_REF",
    "OPERATOR",
    "POSITIONAL_REFERENCE",
    "STAR",
    "SUBQUERY",
    "TYPE",
    "WINDOW",
    "BOUND_LAMBDA_REF",
];
/// Everything else that has a type: queries, sources of rows, what orders and limits them.
const PARTS: [&str; 18] = [
    "SELECT_NODE",
    "SET_OPERATION_NODE",
    "RECURSIVE_CTE_NODE",
    "BASE_TABLE",
    "EMPTY",
    "EXPRESSION_LIST",
    "JOIN",
    "SUBQUERY",
    "TABLE_FUNCTION",
    "DISTINCT_MODIFIER",
    "LIMIT_MODIFIER",
    "LIMIT_PERCENT_MODIFIER",
    "ORDER_MODIFIER",
    "ORDER_DEFAULT",
    "ASCENDING",
    "DESCENDING",
    "EMPTY_FROM",
    "INVALID",
];
const QUERY_ONLY: &str = "only one SELECT is allowed (WITH, FROM and VALUES are)";

/// Refuses a statement that is not made of what is allowed. DuckDB parses it here, and binds nothing.
pub(super) fn check(connection: &Connection, text: &str) -> Result<(), SqlError> {
    // A literal rather than a parameter: it is evaluated while the statement is planned, on this thread and its stack.
    let sql = format!("SELECT json_serialize_sql('{}')", text.replace('\'', "''"));
    let json: String = connection.query_row(&sql, [], |row| row.get(0)).map_err(|error| SqlError::of(&error))?;
    look(&json)
}

fn refused<T>(message: impl Into<String>) -> Result<T, SqlError> {
    Err(SqlError::Refused(message.into()))
}

fn look(json: &str) -> Result<(), SqlError> {
    // The reader's own limit on nesting is what keeps the walk below from growing the stack.
    let Ok(parsed) = serde_json::from_str::<Value>(json) else {
        return refused("the statement is nested too deeply: simplify it, or put parts of it into WITH");
    };
    if parsed["error"] != Value::Bool(false) {
        let message = parsed["error_message"].as_str().unwrap_or_default();
        return match parsed["error_type"].as_str() {
            Some("parser" | "syntax") => Err(SqlError::Failed(format!("Parser Error: {message}"))),
            _ => refused(QUERY_ONLY),
        };
    }
    match parsed["statements"].as_array().map(Vec::as_slice) {
        Some([statement]) => walk(statement, &Scope::default()),
        Some([]) => refused("the statement is empty"),
        _ => refused(QUERY_ONLY),
    }
}

/// The common table expressions that can be seen from a place.
#[derive(Default, Clone)]
struct Scope {
    tables: Vec<String>,
}

impl Scope {
    fn has(&self, name: &str) -> bool {
        TABLES.contains(&name) || self.tables.iter().any(|table| table == name)
    }
}

/// Looks at a value and at all that it holds.
fn walk(value: &Value, scope: &Scope) -> Result<(), SqlError> {
    match value {
        Value::Array(values) => values.iter().try_for_each(|value| walk(value, scope)),
        Value::Object(part) => walk_part(part, scope),
        _ => Ok(()),
    }
}

fn walk_part(part: &Map<String, Value>, scope: &Scope) -> Result<(), SqlError> {
    let word = |key: &str| part.get(key).and_then(Value::as_str);
    match (word("class"), word("type")) {
        (Some("PARAMETER"), _) => return refused("a statement has no parameters here: write the values into it"),
        (Some(class), _) if !EXPRESSIONS.contains(&class) => return refused(not_allowed(class)),
        (None, Some(kind)) if !PARTS.contains(&kind) => return refused(not_allowed(kind)),
        (None, Some("BASE_TABLE")) => check_table(part, scope)?,
        (None, Some("TABLE_FUNCTION")) => return walk_table_function(part, scope),
        _ => {}
    }
    if part.contains_key("function_name") {
        check_function(part, |name| FUNCTIONS.contains(name))?;
    }
    if part.contains_key("cte_map") {
        return walk_query(part, scope);
    }
    part.values().try_for_each(|value| walk(value, scope))
}

/// A part's name as a person reads it.
fn not_allowed(kind: &str) -> String {
    let kind = kind.replace("_NODE", "").replace("_QUERY", "").replace("_REF", "").replace('_', " ");
    format!("{kind} is not allowed: {QUERY_ONLY}")
}

/// A query with its common table expressions: each sees those before it, and itself where it is recursive.
fn walk_query(part: &Map<String, Value>, outer: &Scope) -> Result<(), SqlError> {
    let mut scope = outer.clone();
    for entry in part["cte_map"]["map"].as_array().into_iter().flatten() {
        let name = entry["key"].as_str().unwrap_or_default().to_lowercase();
        let mut inner = scope.clone();
        if entry["value"]["query_node"]["type"] == "RECURSIVE_CTE_NODE" {
            inner.tables.push(name.clone());
        }
        walk(&entry["value"], &inner)?;
        scope.tables.push(name);
    }
    part.iter().filter(|(key, _)| *key != "cte_map").try_for_each(|(_, value)| walk(value, &scope))
}

/// Whether a name stands alone: without a schema or database before it.
fn is_unqualified(part: &Map<String, Value>) -> bool {
    let empty = |key: &str| part.get(key).is_none_or(|value| value.as_str().is_none_or(str::is_empty));
    let path = part.get("qualified_name").and_then(|name| name["path"].as_array());
    ["catalog_name", "schema_name", "catalog", "schema"].into_iter().all(empty)
        && path.is_none_or(|path| path.len() == 1)
}

fn check_table(part: &Map<String, Value>, scope: &Scope) -> Result<(), SqlError> {
    let name: String = part.get("table_name").and_then(Value::as_str).unwrap_or_default().to_lowercase();
    let at_a_version = part.get("at_clause").is_some_and(|at| !at.is_null());
    if is_unqualified(part) && !at_a_version && scope.has(&name) {
        return Ok(());
    }
    let name: String = name.chars().take(64).collect();
    refused(format!("table {name:?} is not allowed: read points (timestamp, name, labels, value) or series"))
}

fn check_function(part: &Map<String, Value>, allowed: impl Fn(&str) -> bool) -> Result<(), SqlError> {
    let name = part["function_name"].as_str().unwrap_or_default().to_lowercase();
    if is_unqualified(part) && (name.is_empty() || allowed(&name)) {
        return Ok(());
    }
    let name: String = name.chars().take(64).collect();
    refused(format!("function {name:?} is not allowed"))
}

fn walk_table_function(part: &Map<String, Value>, scope: &Scope) -> Result<(), SqlError> {
    let Some(Value::Object(call)) = part.get("function") else { return refused(not_allowed("TABLE_FUNCTION")) };
    check_function(call, |name| TABLE_FUNCTIONS.contains(&name))?;
    if call.get("function_name").and_then(Value::as_str).is_none_or(str::is_empty) {
        return refused(not_allowed("TABLE_FUNCTION"));
    }
    // The call itself was looked at: its other members, and the table's, are walked as any others.
    let members = call.iter().filter(|(key, _)| !matches!(key.as_str(), "function_name" | "class" | "type"));
    members.map(|(_, value)| value).try_for_each(|value| walk(value, scope))?;
    let members = part.iter().filter(|(key, _)| *key != "function");
    members.map(|(_, value)| value).try_for_each(|value| walk(value, scope))
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
