//! A history for people: a time line with a column for each thread.
//!
//! # Idea         a row for each place where something began or ended. What isn't needed to see the violation is left out first: other cells,
//!   and then each call that only looked, as long as the rest is a violation without it
//! # Not here     finding violations: module `search`

use std::fmt::Write as _;

use crate::call::{Answer, Call, Cell};
use crate::history::{Event, History};
use crate::pace::Stamp;
use crate::search::{Violation, judge};

/// A smaller history that shows the same violation, and the violation in it. Each of its steps leaves out what a right history is
/// right without, so what is wrong then is wrong with it.
pub(crate) fn reduce(history: &History, violation: &Violation) -> (History, Violation) {
    let mut least = (history.clone(), violation.clone());
    if violation.cells.is_empty() {
        return least;
    }
    try_cells(&mut least, violation.cells.clone());
    for cell in violation.cells.iter().filter(|_| violation.cells.len() > 1) {
        let mut cells = least.0.cells.clone();
        cells.retain(|other| other != cell);
        if !cells.is_empty() {
            try_cells(&mut least, cells);
        }
    }
    let mut index = least.0.events.len();
    while index > 0 {
        index -= 1;
        let mut events = least.0.events.clone();
        let event = events.remove(index);
        let is_last = events.iter().all(|other| other.ended < event.begun);
        if is_last || least.0.idle.is_none() && only_looked(&event) {
            let cells = least.0.cells.clone();
            try_less(&mut least, cells, events);
        }
    }
    least
}

/// Leaves out what concerns other cells.
fn try_cells(least: &mut (History, Violation), cells: Vec<Cell>) -> bool {
    let concerns = |event: &&Event| {
        matches!(event.call, Call::Advance(_))
            || cells.iter().any(|cell| event.call.concerns(*cell))
    };
    let events = least.0.events.iter().filter(concerns).cloned().collect();
    try_less(least, cells, events)
}

/// Whether leaving a call out leaves what others may do as it is. A vain removal is one that loads take note of.
fn only_looked(event: &Event) -> bool {
    !event.wrote() && !matches!(event.call, Call::Advance(_) | Call::Remove(_))
}

fn try_less(least: &mut (History, Violation), cells: Vec<Cell>, events: Vec<Event>) -> bool {
    let history = History::new(cells, least.0.idle, events);
    let Some(violation) = judge(&history).violation else {
        return false;
    };
    *least = (history, violation);
    true
}

/// Draws the time line. Calls that were left over when most could be put in order have a question mark.
pub(crate) fn time_line(history: &History, violation: &Violation) -> String {
    let n_threads = history.events.iter().map(|event| event.thread + 1).max();
    let n_threads = n_threads.unwrap_or(0);
    let mut text = " at clock".to_owned();
    for thread in 0..n_threads {
        let _ = write!(text, "  {:<WIDTH$}", format!("thread {thread}"));
    }
    let mut marks: Vec<Mark> = (0..history.events.len())
        .flat_map(|index| marks(history, violation, index))
        .collect();
    marks.sort_by_key(|mark| mark.at);
    let first = marks.first().map_or(0, |mark| mark.at.place);
    let mut running = vec![false; n_threads];
    for mark in marks {
        text.truncate(text.trim_end().len());
        let (place, ticks) = (mark.at.place - first, mark.at.ticks);
        let _ = write!(text, "\n{place:>3} {ticks:>5}");
        for (thread, is_running) in running.iter_mut().enumerate() {
            let word = match (thread == mark.thread, *is_running) {
                (true, _) => &mark.word,
                (false, true) => "|",
                (false, false) => "",
            };
            let _ = write!(text, "  {word:<WIDTH$}");
            if thread == mark.thread {
                *is_running = mark.is_running;
            }
        }
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// A row of the time line.
struct Mark {
    at: Stamp,
    thread: usize,
    word: String,
    /// Whether the thread is within a call from then on.
    is_running: bool,
}

fn marks(history: &History, violation: &Violation, index: usize) -> Vec<Mark> {
    let event = &history.events[index];
    let mark = |at, word, is_running| Mark {
        at,
        thread: event.thread,
        word,
        is_running,
    };
    let is_left_over = violation.left_over.contains(&index);
    let sign = if is_left_over { "? " } else { "" };
    let is_point = event.begun == event.ended;
    let mut marks = vec![mark(
        event.begun,
        format!("{sign}{}", event.call),
        !is_point,
    )];
    if let Answer::Loaded(Some((from, to)), _) = event.answer {
        marks.push(mark(from, "loader runs".to_owned(), true));
        marks.push(mark(to, "loader ends".to_owned(), true));
    }
    if !is_point {
        marks.push(mark(event.ended, format!("-> {}", event.answer), false));
    }
    marks
}

const WIDTH: usize = 28;
