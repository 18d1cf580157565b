//! The document as a page to read: plain HTML, no script, the styles in a file of their own.

use std::fmt::Write;

use serde_json::Value;

/// Writes the page.
pub(crate) fn html(document: &Value) -> String {
    let mut page = Page(String::with_capacity(64 << 10));
    let info = &document["info"];
    page.raw(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>metrics: HTTP interface</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<link rel=\"stylesheet\" href=\"/page/theme.css\">\n\
         <link rel=\"stylesheet\" href=\"/page/docs.css\">\n</head>\n<body>\n",
    );
    page.raw("<header><h1>metrics <span class=\"version\">");
    page.text(text(&info["version"]));
    page.raw(
        "</span></h1><nav><a href=\"/\">Charts</a> <a href=\"/openapi.json\">openapi.json</a></nav></header>\n<main>\n",
    );
    page.paragraph("lead", text(&info["summary"]));
    page.paragraph("", text(&info["description"]));
    let tags = document["tags"].as_array().into_iter().flatten().map(|tag| text(&tag["name"]));
    let groups: Vec<(&str, Vec<Entry<'_>>)> = tags.map(|tag| (tag, entries(document, tag))).collect();
    page.contents(&groups);
    for (tag, entries) in &groups {
        page.raw("<h2>");
        page.text(tag);
        page.raw("</h2>\n");
        entries.iter().for_each(|entry| page.entry(document, entry));
    }
    page.raw("<h2>Shapes</h2>\n");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        page.shape(name, schema);
    }
    page.raw("</main>\n</body>\n</html>\n");
    page.0
}

/// An operation with its place in the document.
struct Entry<'a> {
    path: &'a str,
    method: &'a str,
    operation: &'a Value,
}

fn entries<'a>(document: &'a Value, tag: &str) -> Vec<Entry<'a>> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| Entry { path, method, operation })
    });
    all.filter(|entry| text(&entry.operation["tags"][0]) == tag).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    /// Text, with what would be markup escaped.
    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    /// Text in which `words` between backquotes are code.
    fn prose(&mut self, text: &str) {
        for (at, part) in text.split('`').enumerate() {
            let is_code = at % 2 == 1;
            self.raw(if is_code { "<code>" } else { "" });
            self.text(part);
            self.raw(if is_code { "</code>" } else { "" });
        }
    }

    fn paragraph(&mut self, class: &str, text: &str) {
        if !text.is_empty() {
            write!(self.0, "<p class=\"{class}\">").expect("a String takes everything");
            self.prose(text);
            self.raw("</p>\n");
        }
    }

    fn contents(&mut self, groups: &[(&str, Vec<Entry<'_>>)]) {
        self.raw("<nav class=\"contents\" aria-label=\"Operations\">\n");
        for (tag, entries) in groups {
            self.raw("<section><h2>");
            self.text(tag);
            self.raw("</h2><ul>");
            for entry in entries {
                self.raw("<li><a href=\"#");
                self.text(text(&entry.operation["operationId"]));
                self.raw("\">");
                self.call(entry);
                self.raw("</a></li>");
            }
            self.raw("</ul></section>\n");
        }
        self.raw("</nav>\n");
    }

    fn call(&mut self, entry: &Entry<'_>) {
        self.raw("<span class=\"method\">");
        self.text(&entry.method.to_ascii_uppercase());
        self.raw("</span> <span class=\"path\">");
        // A long path may be broken before each of its parts.
        for (at, part) in entry.path.split('/').enumerate() {
            self.raw(if at == 0 { "" } else { "<wbr>/" });
            self.text(part);
        }
        self.raw("</span>");
    }

    fn entry(&mut self, document: &Value, entry: &Entry<'_>) {
        let operation = entry.operation;
        self.raw("<article id=\"");
        self.text(text(&operation["operationId"]));
        self.raw("\"><h3>");
        self.call(entry);
        self.raw("</h3>\n");
        self.paragraph("summary", text(&operation["summary"]));
        self.paragraph("", text(&operation["description"]));
        if let Some(params) = operation["parameters"].as_array() {
            self.params(params);
        }
        if let Some(kinds) = operation["requestBody"]["content"].as_object() {
            self.raw("<h4>Body</h4><ul class=\"kinds\">");
            self.kinds(kinds);
            self.raw("</ul>\n");
        }
        self.raw("<h4>Answers</h4><dl class=\"answers\">");
        for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
            let told = match answer["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
                Some(path) => document.pointer(path).unwrap_or(answer),
                None => answer,
            };
            self.raw("<dt>");
            self.text(if status == "default" { "other" } else { status });
            self.raw("</dt><dd>");
            self.prose(text(&told["description"]));
            if let Some(kinds) = told["content"].as_object() {
                self.raw("<ul class=\"kinds\">");
                self.kinds(kinds);
                self.raw("</ul>");
            }
            self.raw("</dd>");
        }
        self.raw("</dl></article>\n");
    }

    fn params(&mut self, params: &[Value]) {
        self.raw("<h4>Parameters</h4><dl class=\"params\">");
        for param in params {
            self.raw("<dt><code>");
            self.text(text(&param["name"]));
            self.raw("</code> <span class=\"place\">");
            self.text(text(&param["in"]));
            if param["required"] == true {
                self.raw(", required");
            }
            if param["explode"] == true {
                self.raw(", repeatable");
            }
            self.raw("</span></dt><dd>");
            self.prose(text(&param["description"]));
            self.bounds(&param["schema"]);
            self.raw("</dd>");
        }
        self.raw("</dl>\n");
    }

    fn bounds(&mut self, schema: &Value) {
        let words: Vec<&str> = schema["enum"].as_array().into_iter().flatten().map(text).collect();
        if !words.is_empty() {
            self.prose(&format!(" One of `{}`.", words.join("`, `")));
        }
        if let (Some(least), Some(most)) = (schema["minimum"].as_u64(), schema["maximum"].as_u64()) {
            self.prose(&format!(" {least} to {most}."));
        }
    }

    fn kinds(&mut self, kinds: &serde_json::Map<String, Value>) {
        for (kind, content) in kinds {
            self.raw("<li><code>");
            self.text(kind);
            self.raw("</code>");
            if let Some(name) = content["schema"]["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
                self.raw(": <a href=\"#shape-");
                self.text(name);
                self.raw("\">");
                self.text(name);
                self.raw("</a>");
            }
            self.raw("</li>");
        }
    }

    fn shape(&mut self, name: &str, schema: &Value) {
        self.raw("<article id=\"shape-");
        self.text(name);
        self.raw("\"><h3>");
        self.text(name);
        self.raw("</h3><pre tabindex=\"0\">");
        let pretty = serde_json::to_string_pretty(schema).expect("it was JSON before");
        self.text(&pretty);
        self.raw("</pre></article>\n");
    }
}
