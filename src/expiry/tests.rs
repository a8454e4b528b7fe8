use super::*;

/// 2021-12-18 14:29:59 UTC.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_639_837_799)
}

fn after(expiry: Result<Expiry, ExpiryError>) -> Option<Duration> {
    let deadline = expiry.unwrap().deadline(now()).unwrap();
    deadline.duration_since(now()).ok()
}

#[test]
fn e20_seconds_and_milliseconds_count_from_now() {
    for ttl in [Duration::from_secs(5), Duration::from_millis(7)] {
        assert_eq!(after(Ok(Expiry::after(ttl))), Some(ttl));
    }
}

#[test]
fn e21_a_date_is_its_first_moment_in_utc() {
    let to_midnight = Duration::from_secs(9 * 3600 + 30 * 60 + 1);
    assert_eq!(after(Expiry::date("12-19-2021")), Some(to_midnight));
    let leap_day = Expiry::date("02-29-2024").unwrap();
    assert!(leap_day.deadline(now()).is_some());
}

#[test]
fn e22_a_time_of_day_is_the_next_one_strictly_after_now() {
    assert_eq!(
        after(Expiry::time_of_day("14:30:00")),
        Some(Duration::from_secs(1))
    );
    let day = Duration::from_secs(86_400);
    assert_eq!(after(Expiry::time_of_day("14:29:59")), Some(day));
    assert_eq!(
        after(Expiry::time_of_day("14:29:58")),
        Some(day - Duration::from_secs(1))
    );
    // A fraction of a second later, the same second has passed.
    let later = now() + Duration::from_nanos(1);
    let deadline = Expiry::time_of_day("14:29:59")
        .unwrap()
        .deadline(later)
        .unwrap();
    assert_eq!(deadline.duration_since(now()).unwrap(), day);
}

#[test]
fn e23_a_date_and_a_time_are_that_moment() {
    let expiry = Expiry::date_and_time("12-18-2021", "14:30:01");
    assert_eq!(after(expiry), Some(Duration::from_secs(2)));
}

#[test]
fn e24_what_is_unbounded_has_no_deadline() {
    assert_eq!(Expiry::NEVER.deadline(now()), None);
}

#[test]
fn e28_a_date_may_have_passed() {
    assert_eq!(after(Expiry::date("12-18-2021")), None);
    assert_eq!(after(Expiry::date("01-01-1970")), None);
}

#[test]
fn e29_what_is_beyond_the_calendar_is_never() {
    assert_eq!(Expiry::after(Duration::MAX).deadline(now()), None);
    let last = Expiry::date("12-30-9999").unwrap();
    assert!(last.deadline(now()).is_some());
    // Moments end in the last day of that year.
    assert_eq!(Expiry::date("12-31-9999").unwrap().deadline(now()), None);
}

#[test]
fn what_is_no_date_or_time_is_refused() {
    for date in [
        "2021-22-99",
        "13-01-2030",
        "1-2-2030",
        "02-29-2023",
        "00-01-2030",
        "01-00-2030",
        "12-19-30",
        "12/19/2030",
        "12-19-2030 ",
        "",
        "12-19",
        "12-19-2030-01",
        "+1-01-2030",
    ] {
        assert_eq!(Expiry::date(date), Err(ExpiryError::Date), "{date}");
    }
    for time in [
        "25:00:00", "24:00:00", "12:60:00", "12:00:60", "1:00:00", "12:00", "", "12-00-00",
    ] {
        assert_eq!(
            Expiry::time_of_day(time),
            Err(ExpiryError::TimeOfDay),
            "{time}"
        );
    }
}
