//! Properties: what the tools print is read right, and what isn't theirs is refused; a section replaces its own place alone.

use std::io::Write;
use std::net::TcpListener;

use super::tools::{read_memaslap, read_redis_benchmark, read_wrk};
use super::*;

const WRK: &str = "\
Running 1s test @ http://127.0.0.1:1/
  1 threads and 16 connections
  Latency Distribution
     50%  180.00us
     99%    1.25ms
  40000 requests in 1.00s, 8.00MB read
Requests/sec:  40001.50
Transfer/sec:      8.00MB
";

#[test]
fn wrk_is_read_unless_some_answers_were_bad() {
    let read = read_wrk(WRK).unwrap();
    assert_eq!((read.per_second, read.p99_us), (40_001.5, 1250.0));
    assert_eq!(read.p99(1250.0), "1.25 ms");
    let bad = WRK.replace(
        "Requests/sec",
        "  Non-2xx or 3xx responses: 7\nRequests/sec",
    );
    assert_eq!(read_wrk(&bad), None);
    assert_eq!(read_wrk(""), None);
    let slow = read_wrk(&WRK.replace("1.25ms", "2.00s")).unwrap();
    assert_eq!(slow.p99_us, 2e6);
}

#[test]
fn redis_benchmark_is_read_by_the_names_of_its_columns() {
    let output = "\"test\",\"rps\",\"p99_latency_ms\"\n\"GET\",\"32552.08\",\"2.511\"\n";
    let read = read_redis_benchmark(output).unwrap();
    assert_eq!((read.per_second, read.p99_us), (32_552.08, 2511.0));
    assert_eq!(read_redis_benchmark("\"test\"\n\"GET\"\n"), None);
}

const MEMASLAP: &str = "\
Global   3        139693       46564        3.6        0          29
Get Statistics (1000 events)
   Min:        29
   Log2 Dist:
       4:        0        1        0        9
       8:      500      480        9        1

cmd_get: 139725
";

#[test]
fn memaslap_is_read_to_the_end_of_a_power_of_two() {
    let read = read_memaslap(MEMASLAP).unwrap();
    assert_eq!((read.per_second, read.p99_us), (46_564.0, 512.0));
    assert_eq!(read.p99(512.0), "<= 0.51 ms");
    assert_eq!(read_memaslap("Global 3"), None);
}

#[test]
fn a_section_replaces_what_was_between_its_marks() {
    let page = "a\n<!-- x -->\nold\n<!-- /x -->\nb <!-- y -->\n<!-- /y -->\n";
    let replaced = page::between(page, "x", "new\n").unwrap();
    assert_eq!(replaced, page.replace("old", "new"));
    assert_eq!(page::between(page, "z", "new\n"), None);
    let mut section = Section::new("x", "Title", &["a", "b"]);
    section.rows.push(Row(vec!["1".to_owned(), "2".to_owned()]));
    section.skipped.push("nginx".to_owned());
    let text = section.render();
    assert!(text.contains("| a | b |\n|---|---|\n| 1 | 2 |\n"), "{text}");
    assert!(text.contains("SKIPPED: nginx"), "{text}");
}

#[test]
fn medians_and_percentiles_are_those_of_the_values() {
    assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
    assert_eq!(median([4.0, 1.0].into_iter()), 2.5);
    let values: Vec<f64> = (1..=200).map(f64::from).collect();
    assert_eq!(percentile(&values, 99.0), 198.0);
    assert_eq!(percentile(&[7.0], 99.0), 7.0);
}

#[test]
fn an_answer_is_read_whole_and_a_bad_status_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let answers = [
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            "HTTP/1.1 404 Not Found\r\n\r\n",
        ];
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            // In two pieces, so that the length is what ends it.
            stream.write_all(&answer.as_bytes()[..20]).unwrap();
            stream.flush().unwrap();
            stream.write_all(&answer.as_bytes()[20..]).unwrap();
        }
    });
    assert_eq!(client::open(address, 1, Some("GET /")).unwrap().len(), 1);
    let failure = client::open(address, 1, Some("GET /")).unwrap_err();
    assert!(failure.to_string().contains("404"), "{failure}");
    server.join().unwrap();
}

#[test]
fn options_are_checked() {
    let read = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Options::read(&words)
    };
    let options = read(&["idle", "--seconds", "2"]).unwrap();
    assert_eq!(
        (options.parts, options.seconds),
        (vec!["idle".to_owned()], 2)
    );
    assert_eq!(read(&[]).unwrap().parts, PARTS);
    assert!(read(&["--rounds", "0"]).is_err());
    assert!(read(&["all"]).is_err());
}
