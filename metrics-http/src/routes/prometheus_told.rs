//! What Prometheus' API takes and gives here, for the description of the interface.

use crate::negotiate::FORM;
use crate::openapi::{Answer, Group, Operation, Param, Schema};
use crate::respond::JSON;
use crate::tokens::Scope;

const EXPRESSION: Param = Param::query("query", "A PromQL expression.").required();
const TIMEOUT: Param = Param::query("timeout", "Most time that it may take, such as `30s`.");
const LOOKBACK: Param = Param::query("lookback_delta", "How far back an instant looks for a sample; 5m by default.");
const LIMIT: Param = Param::query("limit", "Most results; 0 and nothing mean all.");
const MATCH: Param = Param::query("match[]", "A selector of series, such as `up{job=\"a\"}`.").repeated();
const START: Param = Param::query("start", "Start: RFC 3339, or seconds since 1970.");
const END: Param = Param::query("end", "End, included: RFC 3339, or seconds since 1970.");

const FORMS: &[(&str, Schema)] = &[(FORM, Schema::Named("PrometheusForm"))];
const ANSWERS: &[Answer] =
    &[Answer { status: 200, text: "What was asked for.", kinds: &[(JSON, Schema::Named("PrometheusAnswer"))] }];

pub(crate) const QUERY: Operation = Operation {
    method: "GET",
    id: "prometheus_query",
    group: Group::Prometheus,
    needs: Some(Scope::Read),
    summary: "The value of a PromQL expression at one instant.",
    text: "The semantics are those of Prometheus 3. What is not evaluated is refused by name.",
    params: &[EXPRESSION, Param::query("time", "The instant; now by default."), TIMEOUT, LIMIT, LOOKBACK],
    takes: &[],
    gives: ANSWERS,
};

/// The same parameters may stand in the form, in the address, or in both.
pub(crate) const QUERY_FORM: Operation = Operation {
    method: "POST",
    id: "prometheus_query_form",
    params: &[Param::query("query", "A PromQL expression, where no form holds it.")],
    takes: FORMS,
    ..QUERY
};

pub(crate) const RANGE: Operation = Operation {
    id: "prometheus_query_range",
    summary: "The values of a PromQL expression at every step of a time.",
    params: &[
        EXPRESSION,
        Param::query("start", "The first step: RFC 3339, or seconds since 1970.").required(),
        Param::query("end", "No step comes after it: RFC 3339, or seconds since 1970.").required(),
        Param::query("step", "From step to step, such as `5m` or seconds; at most 11,000 steps.").required(),
        TIMEOUT,
        LIMIT,
        LOOKBACK,
    ],
    ..QUERY
};

pub(crate) const RANGE_FORM: Operation = Operation {
    method: "POST",
    id: "prometheus_query_range_form",
    params: &[Param::query("query", "A PromQL expression, where no form holds it.")],
    takes: FORMS,
    ..RANGE
};

pub(crate) const EXEMPLARS: Operation =
    Operation { id: "prometheus_exemplars", summary: "Exemplars: there are none.", text: "", params: &[], ..QUERY };

pub(crate) const EXEMPLARS_FORM: Operation =
    Operation { method: "POST", id: "prometheus_exemplars_form", takes: FORMS, ..EXEMPLARS };

pub(crate) const SERIES: Operation = Operation {
    id: "prometheus_series",
    summary: "Names and labels of the series that any selector takes.",
    text: "",
    params: &[Param::query("match[]", "A selector of series.").repeated().required(), START, END, LIMIT],
    ..QUERY
};

pub(crate) const SERIES_FORM: Operation =
    Operation { method: "POST", id: "prometheus_series_form", params: &[MATCH], takes: FORMS, ..SERIES };

pub(crate) const LABELS: Operation = Operation {
    id: "prometheus_labels",
    summary: "Names of labels, of all series or of those that a selector takes.",
    text: "",
    params: &[MATCH, START, END, LIMIT],
    ..QUERY
};

pub(crate) const LABELS_FORM: Operation =
    Operation { method: "POST", id: "prometheus_labels_form", takes: FORMS, ..LABELS };

pub(crate) const LABEL_VALUES: Operation = Operation {
    id: "prometheus_label_values",
    summary: "Values of a label; of `__name__`, the metrics' names.",
    text: "",
    params: &[Param::path("name", "The label."), MATCH, START, END, LIMIT],
    ..QUERY
};

pub(crate) const METADATA: Operation = Operation {
    id: "prometheus_metadata",
    summary: "The metrics; of their types and units nothing is known.",
    text: "",
    params: &[Param::query("metric", "Only this one."), LIMIT],
    ..QUERY
};

pub(crate) const RULES: Operation =
    Operation { id: "prometheus_rules", summary: "Rules: there are none.", text: "", params: &[], ..QUERY };

pub(crate) const BUILD_INFO: Operation = Operation {
    id: "prometheus_build_info",
    summary: "The version of Prometheus whose API this is.",
    text: "",
    params: &[],
    ..QUERY
};
