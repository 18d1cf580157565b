//! The shapes of bodies, as JSON Schema (2020-12).

use serde_json::{Value, json};

/// `components/schemas`.
pub(super) fn all() -> Value {
    let mut all = json!({
        "Time": {
            "description": "RFC 3339 in UTC; with `epoch` a whole number of milliseconds or microseconds since 1970.",
            "anyOf": [{"type": "string"}, {"type": "integer"}],
        },
        "Labels": {"type": "object", "additionalProperties": {"type": "string"}, "maxProperties": 32},
        "Names": {"type": "array", "items": {"type": "string"}},
        "Refusal": refusal(),
        "Ping": {
            "type": "object", "required": ["status"], "properties": {"status": {"const": "up"}},
        },
        "Health": health(),
        "Backup": {
            "type": "object",
            "required": ["file", "bytes", "dropped", "seconds"],
            "properties": {
                "file": {"type": "string"}, "bytes": {"type": "integer"}, "checked_points": {"type": "integer"},
                "dropped": {"type": "integer"}, "seconds": {"type": "number"},
            },
        },
        "OtlpAnswer": {
            "type": "object",
            "properties": {
                "partialSuccess": {
                    "type": "object",
                    "properties": {"rejectedDataPoints": {"type": "string"}, "errorMessage": {"type": "string"}},
                },
            },
        },
        "PrometheusAnswer": {
            "type": "object",
            "required": ["status", "data"],
            "properties": {
                "status": {"const": "success"}, "data": {},
                "warnings": {"type": "array", "items": {"type": "string"}},
            },
        },
        "PrometheusForm": {"type": "object", "additionalProperties": {"type": "string"}},
        "SqlStatement": {
            "type": "object", "required": ["sql"], "additionalProperties": false,
            "properties": {"sql": {"type": "string", "maxLength": 16_384}},
        },
        "SqlResult": {
            "type": "object",
            "required": ["columns", "rows"],
            "properties": {
                "columns": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["name", "type", "values"],
                        "properties": {
                            "name": {"type": "string"}, "type": {"type": "string"}, "values": {"type": "array"},
                        },
                    },
                },
                "rows": {"type": "integer"},
            },
        },
        "Document": {"type": "object", "required": ["openapi", "paths"]},
    });
    for part in [written(), frames(), lists()] {
        let (Value::Object(all), Value::Object(part)) = (&mut all, part) else { continue };
        all.extend(part);
    }
    all
}

fn refusal() -> Value {
    json!({
        "type": "object",
        "required": ["message"],
        "properties": {
            "message": {"type": "string", "description": "What was wrong, where, and what would be right."},
            "error": {"type": "string", "description": "The message, where clients of InfluxDB 1 look for it."},
            "code": {"type": "string", "description": "A word for the status, where clients of InfluxDB 2 look for it."},
            "errors": {
                "type": "array",
                "description": "The first rows that are wrong.",
                "items": {
                    "type": "object",
                    "required": ["message"],
                    "properties": {
                        "index": {"type": "integer"}, "line": {"type": "integer"},
                        "field": {"type": "string"}, "message": {"type": "string"},
                    },
                },
            },
        },
    })
}

fn health() -> Value {
    let status = json!({"enum": ["up", "down"]});
    json!({
        "type": "object",
        "required": ["status", "resources"],
        "properties": {
            "status": status,
            "resources": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["name", "status", "message"],
                    "properties": {"name": {"type": "string"}, "status": status, "message": {"type": "string"}},
                },
            },
        },
    })
}

/// What is written, and what is answered.
fn written() -> Value {
    json!({
        "Point": {
            "type": "object",
            "required": ["name", "value"],
            "properties": {
                "timestamp": {
                    "description": "RFC 3339, or a whole number of seconds, milliseconds, microseconds or nanoseconds \
                        since 1970, told apart by magnitude; now where it is missing.",
                    "type": ["string", "integer"],
                },
                "name": {"type": "string", "minLength": 1, "maxLength": 255},
                "value": {"type": "number"},
                "labels": {"$ref": "#/components/schemas/Labels"},
            },
            "examples": [{"timestamp": "2024-02-02T11:43:02.099Z", "name": "temperature", "value": 30}],
        },
        "Points": {
            "anyOf": [
                {"$ref": "#/components/schemas/Point"},
                {"type": "array", "items": {"$ref": "#/components/schemas/Point"}},
            ],
        },
        "Written": {
            "type": "object",
            "required": ["status", "points"],
            "properties": {"status": {"const": "success"}, "points": {"type": "integer", "minimum": 0}},
        },
        "Statement": {
            "type": "object", "required": ["q"], "properties": {"q": {"type": "string"}},
        },
        "Results": {
            "type": "object", "required": ["results"], "properties": {"results": {"type": "array"}},
        },
    })
}

/// Answers of queries.
fn frames() -> Value {
    let time = json!({"$ref": "#/components/schemas/Time"});
    json!({
        "Averages": {
            "type": "object",
            "required": ["metricName", "granularity", "startTime", "endTime", "data"],
            "properties": {
                "metricName": {"type": "string"}, "granularity": {"type": "string"},
                "startTime": {"type": "string"}, "endTime": {"type": "string"},
                "data": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["timeFrame", "avg"],
                        "properties": {"timeFrame": {"type": "string"}, "avg": {"type": ["number", "null"]}},
                    },
                },
            },
        },
        "Frame": {
            "type": "object",
            "required": ["from", "to", "per", "tz", "series"],
            "properties": {
                "epoch": {"enum": ["ms", "us"], "description": "The unit of times that are numbers."},
                "from": time, "to": time, "per": {"type": "string"}, "tz": {"type": "string"},
                "series": {"type": "array", "items": {"$ref": "#/components/schemas/FrameSeries"}},
                "explain": {"type": "object", "description": "Tiers used, rows read and microseconds."},
            },
        },
        "FrameSeries": {
            "type": "object",
            "description": "Columns of one length: the starts of the windows, and one column for each aggregate \
                (`value` for raw points).",
            "required": ["name", "labels", "time"],
            "properties": {
                "name": {"type": "string"}, "labels": {"$ref": "#/components/schemas/Labels"},
                "time": {"type": "array", "items": time},
                "quantiles": {"type": "object", "additionalProperties": {"enum": ["exact", "sketch"]}},
            },
            "additionalProperties": {"type": "array", "items": {"type": ["number", "null"]}},
        },
    })
}

/// What the store knows by heart.
fn lists() -> Value {
    let labels = json!({"$ref": "#/components/schemas/Labels"});
    let number = json!({"type": ["number", "null"]});
    json!({
        "SeriesList": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "labels", "first", "last", "last_value", "count"],
                "properties": {
                    "name": {"type": "string"}, "labels": labels, "first": {"type": "string"},
                    "last": {"type": "string"}, "last_value": number, "count": {"type": "integer"},
                },
            },
        },
        "LatestList": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "labels", "timestamp", "value"],
                "properties": {
                    "name": {"type": "string"}, "labels": labels, "timestamp": {"type": "string"}, "value": number,
                },
            },
        },
    })
}
