//! How calls and answers read.

use std::fmt;

use crate::call::{
    Answer, Asks, Call, Cell, Form, Got, Left, Life, Loads, Made, Makes, Only, Place, Seen,
};
use crate::number::Number;

impl Call {
    /// What the counts are by.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Call::Get(_) => "get",
            Call::Read(_) => "read",
            Call::Peek(_) => "peek",
            Call::Lookup(_) => "lookup",
            Call::Contains(_) => "contains_key",
            Call::Ttl(_) => "ttl",
            Call::GetMany(_) => "get_many",
            Call::Insert { .. } => "insert",
            Call::Remove(_) => "remove",
            Call::RemoveIf(_) => "remove_if",
            Call::SetTtl { only, .. } => match only {
                Only::Always => "set_ttl",
                Only::Longer => "increase_ttl",
                Only::Shorter => "decrease_ttl",
            },
            Call::PutIf { .. } => "put_if",
            Call::Compute { .. } => "compute",
            Call::Increment { .. } => "increment",
            Call::Append { .. } => "append",
            Call::Load { form, .. } => match form {
                Form::Insert => "load",
                Form::Load => "get_or_load",
                Form::Task => "load by task",
            },
            Call::Retain(_) => "retain",
            Call::Invalidate(_) => "invalidate",
            Call::Clear(_) => "clear",
            Call::Advance(_) => "advance",
            Call::Maintain => "maintain",
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Root => "",
            Place::Outer => "outer/",
            Place::Inner => "inner/",
        };
        write!(f, "{place}{}", char::from(b'a' + self.index))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.write())?;
        if self.sum() > 0 {
            write!(f, "+{}", self.sum())?;
        }
        let mut appended = self.writes().skip(1);
        appended.try_for_each(|part| write!(f, ".{part}"))
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Life::Endless => Ok(()),
            Life::Ticks(ticks) => write!(f, " ttl {ticks}"),
            Life::Stale(fresh, stale) => write!(f, " fresh {fresh} stale {stale}"),
            Life::Kept => f.write_str(" ttl kept"),
        }
    }
}

impl fmt::Display for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asks::Absent => f.write_str("absent"),
            Asks::Present => f.write_str("present"),
            Asks::LastSeen => f.write_str("unchanged"),
            Asks::Version(version) => write!(f, "v{version}"),
            Asks::Equal(value) => write!(f, "is {value}"),
            Asks::NotEqual(value) => write!(f, "isn't {value}"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if let Some(cell) = self.cell() {
            write!(f, " {cell}")?;
        }
        match self {
            Call::GetMany(cells) => cells.iter().try_for_each(|cell| write!(f, " {cell}")),
            Call::Insert { value, life, .. } => write!(f, "={value}{life}"),
            Call::SetTtl { life, .. } => match life {
                Life::Endless => f.write_str(" to none"),
                life => life.fmt(f),
            },
            Call::PutIf {
                value, life, asks, ..
            } => write!(f, "={value}{life} if {asks}"),
            Call::Compute {
                value, life, makes, ..
            } => match makes {
                Makes::Value => write!(f, "={value}{life}"),
                Makes::Missing => write!(f, "={value}{life} or keep"),
                Makes::Successor => write!(f, "={value} in its place"),
                Makes::Removal => f.write_str(" remove odd"),
                Makes::Opposite => write!(f, "={value}{life} or remove"),
            },
            Call::Increment {
                by, initial, life, ..
            } => write!(f, "+{by} from {initial}{life}"),
            Call::Append { more, life, .. } => write!(f, " {more}{life}"),
            Call::Load {
                value, life, loads, ..
            } => match loads {
                Loads::Value => write!(f, "={value}{life}"),
                Loads::Absent(ticks) => write!(f, " and find nothing for {ticks}"),
                Loads::Dropped(n) => write!(f, "={value}{life} of {n} polls"),
                Loads::Error => f.write_str(" and fail"),
                Loads::Panic => f.write_str(" and panic"),
            },
            Call::Invalidate(place) | Call::Clear(place) => f.write_str(match place {
                Place::Root => " all",
                Place::Outer => " outer",
                Place::Inner => " inner",
            }),
            Call::Advance(ticks) => write!(f, " {ticks}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Made::Kept => f.write_str("keep it"),
            Made::Removed => f.write_str("remove it"),
            Made::Written(_) => f.write_str("write it"),
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)?;
        if let Some(version) = self.version {
            write!(f, " v{version}")?;
        }
        match self.left {
            Left::Untold | Left::Forever => {}
            Left::Ticks(ticks) => write!(f, " ttl {ticks}")?,
        }
        match self.is_stale {
            Some(true) => f.write_str(" stale"),
            Some(false) | None => Ok(()),
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Left::Untold => f.write_str("untold"),
            Left::Forever => f.write_str("forever"),
            Left::Ticks(ticks) => write!(f, "ttl {ticks}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Entry(entry) => Shown(entry).fmt(f),
            Answer::Negative => f.write_str("known to be nothing"),
            Answer::Entries(entries) => List(entries.iter().map(Shown)).fmt(f),
            Answer::Flag(flag) => write!(f, "{flag}"),
            Answer::Ttl(done) => match done {
                Some(true) => f.write_str("set"),
                Some(false) => f.write_str("not set"),
                None => f.write_str("nothing"),
            },
            Answer::Left(left) => Shown(left).fmt(f),
            Answer::Asked(asked, taken) => {
                write!(f, "{}; took {}", List(asked.iter()), Shown(taken))
            }
            Answer::Counted(asked, n) => write!(f, "{}; took {n}", List(asked.iter())),
            Answer::Put(true, entry) => write!(f, "stored over {}", Shown(entry)),
            Answer::Put(false, entry) => write!(f, "unmet by {}", Shown(entry)),
            Answer::Computed { given, was, is } => {
                let given = List(given.iter().map(Shown));
                write!(f, "given {given}; {} to {}", Shown(was), Shown(is))
            }
            Answer::Sum(sum) => sum.fmt(f),
            Answer::Loaded(ran, got) => {
                f.write_str(if ran.is_some() { "loaded " } else { "" })?;
                match got {
                    Got::Entry(seen) => seen.fmt(f),
                    Got::Nothing => f.write_str("that there is nothing"),
                    Got::Failure => f.write_str("nothing"),
                    Got::Dropped => f.write_str("until it was dropped"),
                }
            }
            Answer::Done => f.write_str("done"),
            Answer::Broke(how) => write!(f, "BROKE: {how}"),
        }
    }
}

/// Something, or nothing.
struct Shown<'a, T>(&'a Option<T>);

impl<T: fmt::Display> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(shown) => shown.fmt(f),
            None => f.write_str("nothing"),
        }
    }
}

/// One after the other, with commas.
struct List<I>(I);

impl<I: Iterator<Item = T> + Clone, T: fmt::Display> fmt::Display for List<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, shown) in self.0.clone().enumerate() {
            write!(f, "{}{shown}", if index > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
