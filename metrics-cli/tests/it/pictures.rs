//! Pictures in files, this machine's figures, and what is drawn of a running server.

use crate::program::Program;
use crate::running::Server;

const SPAN: &str = "--from 2024-02-02 --to 2024-02-03 --per hour";

fn filled() -> Program {
    let program = Program::new();
    program.file("a.csv", "timestamp,name,value,host\n2024-02-02T10:00:00Z,cpu,1,a\n2024-02-02T11:00:00Z,cpu,3,<b>\n");
    program.ok("ingest a.csv");
    program
}

#[test]
fn a_plot_goes_into_a_picture_or_a_page() {
    let program = filled();
    let read = |name: &str| std::fs::read_to_string(program.path(name)).expect("the file is there");
    assert_eq!(
        program.ok(&format!("plot cpu {SPAN} --group-by host --out a.svg --width 500 --theme dark --title x<y")),
        ""
    );
    let picture = read("a.svg");
    assert!(picture.starts_with("<svg ") && picture.contains("width=\"500\""), "{picture}");
    assert!(picture.contains("x&lt;y") && picture.contains("host=&lt;b&gt;"), "{picture}");
    assert_eq!(program.ok(&format!("plot cpu {SPAN} --out -")).matches("<svg ").count(), 1);
    program.ok(&format!("plot cpu {SPAN} --out a.png --width 300 --height 200"));
    let pixels = std::fs::read(program.path("a.png")).expect("the file is there");
    assert_eq!((&pixels[1..4], &pixels[16..24]), (&b"PNG"[..], &[0, 0, 1, 44, 0, 0, 0, 200][..]));
    program.ok(&format!("plot cpu {SPAN} --group-by host --out a.html"));
    let page = read("a.html");
    assert!(page.contains(r#""label":"host=\u003cb>""#) && !page.contains("<b>"), "{page}");
}

#[test]
fn what_cannot_be_drawn_is_wrong_usage() {
    let program = filled();
    for (line, word) in [
        ("plot cpu --out a.gif", ".svg, .png or .html"),
        ("plot cpu --out a.svg --width 5", "--width"),
        ("plot cpu --follow", "--url"),
        ("top", "--url"),
    ] {
        let ran = program.run(line);
        assert_eq!((ran.code, ran.stderr.contains(word)), (Some(2), true), "{line}: {ran:?}");
    }
    let ran = program.run("plot cpu --out no/such/folder/a.svg");
    assert_eq!((ran.code, ran.stderr.contains("no/such/folder")), (Some(1), true), "{ran:?}");
}

#[test]
fn a_terminal_without_unicode_gets_ascii() {
    let plot = filled().ok(&format!("plot cpu {SPAN} --ascii"));
    assert!(plot.is_ascii() && plot.contains('*'), "{plot}");
}

#[test]
fn a_machine_collects_its_own_figures() {
    let program = Program::new();
    program.ok("collect --interval 500ms --duration 1200ms");
    let latest = program.json("latest --format json");
    let names: Vec<&str> = latest.as_array().expect("a list").iter().filter_map(|one| one["name"].as_str()).collect();
    for name in ["cpu_used_percent", "cpu_core_used_percent", "memory_used_bytes"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(latest[0]["labels"]["host"].is_string(), "{latest}");
}

#[test]
fn a_server_collects_beside_its_work_and_top_shows_it() {
    let program = Program::new();
    let server = Server::start(&program, "--collect");
    let url = server.url.clone();
    // The first sample comes within a second of the start: each try is a question to the server.
    let seen = std::iter::repeat_with(|| program.ok(&format!("top memory_* --url {url}")));
    let top = seen.take(200).find(|top| top.contains("memory_total_bytes")).expect("a sample comes");
    assert!(top.contains("host=") && top.lines().all(|line| line.chars().count() <= 80), "{top}");
    server.signal("-TERM");
    assert_eq!(server.wait().code, Some(0));
}
