//! What the server's routes take and give, told beside their handlers and put together here as OpenAPI 3.1
//! (spec.openapis.org/oas/v3.1.0). The page at `/docs` shows the same.
//!
//! A family of routes says what its operations are in constants of [`Operation`]; `Route::operations` lists them, and
//! the tests below fail when a route, a method, a part of a path or a schema is missing. Handlers refuse parameters by
//! the same lists: [`Operation::unknown`].

mod page;
mod schemas;

use serde_json::{Map, Value, json};

use crate::respond::Failure;
use crate::router::Route;
use crate::tokens::Scope;
pub(crate) use page::html;

/// What one method of one route does.
pub(crate) struct Operation {
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Name in generated clients.
    pub(crate) id: &'static str,
    pub(crate) group: Group,
    /// What a token must allow where the server asks for one; none where everybody may ask.
    pub(crate) needs: Option<Scope>,
    pub(crate) summary: &'static str,
    /// More about it, in sentences.
    pub(crate) text: &'static str,
    pub(crate) params: &'static [Param],
    /// Content types of the body with their schemas; none without a body.
    pub(crate) takes: &'static [(&'static str, Schema)],
    pub(crate) gives: &'static [Answer],
}

/// Where an operation stands in the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    Write,
    Read,
    Prometheus,
    Server,
}

impl Group {
    pub(crate) const ALL: [Self; 4] = [Self::Write, Self::Read, Self::Prometheus, Self::Server];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Write => "Writing",
            Self::Read => "Reading",
            Self::Prometheus => "Prometheus' query API",
            Self::Server => "The server",
        }
    }
}

/// One answer of an operation that did what was asked.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: &'static str,
    /// Content types with their schemas; none without a body.
    pub(crate) kinds: &'static [(&'static str, Schema)],
}

/// The shape of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// One of `components/schemas`.
    Named(&'static str),
    /// A text in a format of its own.
    Text,
}

/// One parameter.
#[derive(Debug)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) place: Place,
    pub(crate) text: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
    pub(crate) repeated: bool,
}

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// One of these.
    Words(&'static [&'static str]),
    /// A whole number from one to another.
    Whole(u64, u64),
}

impl Param {
    const fn new(place: Place, name: &'static str, text: &'static str) -> Self {
        Self { name, place, text, kind: Kind::Text, required: false, repeated: false }
    }

    /// In the query string.
    pub(crate) const fn query(name: &'static str, text: &'static str) -> Self {
        Self::new(Place::Query, name, text)
    }

    /// In the head.
    pub(crate) const fn header(name: &'static str, text: &'static str) -> Self {
        Self::new(Place::Header, name, text)
    }

    /// A part of the path.
    pub(crate) const fn path(name: &'static str, text: &'static str) -> Self {
        Self::new(Place::Path, name, text).required()
    }

    pub(crate) const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub(crate) const fn repeated(mut self) -> Self {
        self.repeated = true;
        self
    }

    pub(crate) const fn words(mut self, words: &'static [&'static str]) -> Self {
        self.kind = Kind::Words(words);
        self
    }

    pub(crate) const fn whole(mut self, least: u64, most: u64) -> Self {
        self.kind = Kind::Whole(least, most);
        self
    }

    fn document(&self) -> Value {
        let one = match self.kind {
            Kind::Text => json!({"type": "string"}),
            Kind::Words(words) => json!({"type": "string", "enum": words}),
            Kind::Whole(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        };
        let schema = if self.repeated { json!({"type": "array", "items": one}) } else { one };
        let place = match self.place {
            Place::Path => "path",
            Place::Query => "query",
            Place::Header => "header",
        };
        let mut value = json!({"name": self.name, "in": place, "description": self.text, "schema": schema});
        if self.required {
            value["required"] = true.into();
        }
        if self.repeated {
            value["explode"] = true.into();
        }
        value
    }
}

impl Operation {
    /// The parameters in the query string.
    pub(crate) fn query_names(&self) -> impl Iterator<Item = &'static str> {
        self.params.iter().filter(|param| param.place == Place::Query).map(|param| param.name)
    }

    /// Refuses a parameter that is none of this operation's.
    ///
    /// # Errors
    /// 400 names the parameter, and those that there are.
    pub(crate) fn check_known(&self, key: &str) -> Result<(), Failure> {
        if self.query_names().any(|name| name == key) {
            return Ok(());
        }
        let key: String = key.chars().take(64).collect();
        let known: Vec<&str> = self.query_names().collect();
        let known = match known.split_last() {
            None => "there are none here".to_owned(),
            Some((last, [])) => format!("use {last}"),
            Some((last, first)) => format!("use {} and {last}", first.join(", ")),
        };
        Err(Failure::malformed(format!("unknown parameter \"{key}\": {known}")))
    }

    fn document(&self) -> Value {
        let params: Vec<Value> = self.params.iter().map(Param::document).collect();
        let mut responses: Map<String, Value> =
            self.gives.iter().map(|answer| (answer.status.to_string(), answer.document())).collect();
        responses.insert("default".to_owned(), json!({"$ref": "#/components/responses/Refusal"}));
        let mut value = json!({
            "operationId": self.id, "tags": [self.group.name()], "summary": self.summary, "responses": responses,
        });
        let text = [self.text, self.needs.map_or("", needed)].map(str::trim).join(" ");
        if !text.trim().is_empty() {
            value["description"] = text.trim().into();
        }
        if self.needs.is_none() {
            value["security"] = json!([]);
        }
        if !params.is_empty() {
            value["parameters"] = params.into();
        }
        if !self.takes.is_empty() {
            value["requestBody"] = json!({"required": true, "content": contents(self.takes)});
        }
        value
    }
}

impl Answer {
    fn document(&self) -> Value {
        let mut value = json!({"description": self.text});
        if !self.kinds.is_empty() {
            value["content"] = contents(self.kinds);
        }
        value
    }
}

/// The sentence about a scope.
fn needed(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "Where tokens are asked for: scope `read`.",
        Scope::Write => "Where tokens are asked for: scope `write`.",
        Scope::Sql => "Where tokens are asked for: scope `sql`.",
        Scope::Admin => "Where tokens are asked for: scope `admin`.",
    }
}

/// In which ways a token is sent. None of them counts where the server asks for no token: hence the empty one.
fn security() -> (Value, Value) {
    let schemes = json!({
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "A token of the server's token file, as `Authorization: Bearer TOKEN`.",
        },
        "password": {
            "type": "http",
            "scheme": "basic",
            "description": "The token as password of any user, for clients of InfluxDB 1.",
        },
        "token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token TOKEN`, as clients of InfluxDB 2 send it.",
        },
    });
    (schemes, json!([{"bearer": []}, {"password": []}, {"token": []}, {}]))
}

fn contents(kinds: &[(&str, Schema)]) -> Value {
    let one = |(kind, schema): &(&str, Schema)| ((*kind).to_owned(), json!({"schema": schema.document()}));
    Value::Object(kinds.iter().map(one).collect())
}

impl Schema {
    fn document(self) -> Value {
        match self {
            Self::Named(name) => json!({"$ref": format!("#/components/schemas/{name}")}),
            Self::Text => json!({"type": "string"}),
        }
    }
}

/// The whole document.
pub(crate) fn document() -> Value {
    let mut paths = Map::new();
    for route in Route::ALL {
        let operations = route.operations().iter();
        let methods: Map<String, Value> =
            operations.map(|operation| (operation.method.to_ascii_lowercase(), operation.document())).collect();
        if !methods.is_empty() {
            paths.insert(route.pattern().to_owned(), Value::Object(methods));
        }
    }
    let (schemes, security) = security();
    let tags: Vec<Value> = Group::ALL.iter().map(|group| json!({"name": group.name()})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "metrics",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Metrics on one machine: write points, ask for windows of time.",
            "description": "Times are UTC, stored to the microsecond; spans are half-open. Where GET is taken, HEAD is \
                too. A refusal is JSON with a message that says what was wrong, where, and what would be right; 503 \
                has Retry-After. A server that asks for tokens answers 401 without a good one, and 403 where it does not \
                allow what is asked for; tokens in addresses are not read.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "security": security,
        "components": {
            "securitySchemes": schemes,
            "schemas": schemas::all(),
            "responses": {
                "Refusal": {
                    "description": "A refusal.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use metrics_core::wire::params;

    use super::*;
    use crate::routes;

    fn operations() -> impl Iterator<Item = (Route, &'static Operation)> {
        Route::ALL.into_iter().flat_map(|route| route.operations().iter().map(move |operation| (route, operation)))
    }

    #[test]
    fn every_method_of_every_route_is_described_once() {
        for route in Route::ALL.into_iter().filter(|route| *route != Route::Unknown) {
            let taken: Vec<&str> = route.allow().split(", ").filter(|method| *method != "HEAD").collect();
            let told: Vec<&str> = route.operations().iter().map(|operation| operation.method).collect();
            assert_eq!(told, taken, "{}", route.pattern());
        }
        let ids: BTreeSet<&str> = operations().map(|(_, operation)| operation.id).collect();
        assert_eq!(ids.len(), operations().count(), "names are used once");
    }

    #[test]
    fn the_parts_of_a_path_are_those_of_its_pattern() {
        for (route, operation) in operations() {
            let parts: Vec<&str> =
                route.pattern().split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
            let told = operation.params.iter().filter(|param| param.place == Place::Path);
            assert_eq!(told.map(|param| param.name).collect::<Vec<_>>(), parts, "{}", route.pattern());
        }
    }

    #[test]
    fn parameters_are_told_once_and_in_a_sentence() {
        for (route, operation) in operations() {
            let names: BTreeSet<_> = operation.params.iter().map(|param| (param.name, param.place as u8)).collect();
            assert_eq!(names.len(), operation.params.len(), "{}", route.pattern());
            assert!(operation.params.iter().all(|param| param.text.ends_with('.')), "{}", route.pattern());
            assert!(operation.summary.ends_with('.') && !operation.gives.is_empty(), "{}", route.pattern());
        }
    }

    #[test]
    fn a_query_is_told_with_the_parameters_that_it_is_read_by() {
        let told: BTreeSet<&str> = routes::read::QUERY.query_names().collect();
        let read: BTreeSet<&str> = params::KEYS.into_iter().chain(["epoch"]).collect();
        assert_eq!(told, read);
    }

    #[test]
    fn every_schema_that_is_named_is_there_and_every_one_there_is_named() {
        let text = document().to_string();
        let named: BTreeSet<&str> =
            text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        let schemas = schemas::all();
        let there: BTreeSet<&str> = schemas.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(named, there);
    }

    #[test]
    fn the_page_shows_every_operation_and_escapes_what_it_shows() {
        let html = html(&document());
        for (route, operation) in operations() {
            assert!(html.contains(&format!("id=\"{}\"", operation.id)), "{}", route.pattern());
            assert!(operation.params.iter().all(|param| html.contains(&format!("<code>{}</code>", param.name))));
        }
        assert!(!html.contains("<script") && !html.contains("style="), "nothing that the policy would stop");
    }
}
