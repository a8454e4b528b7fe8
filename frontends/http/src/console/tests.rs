//! Properties: the page's hashes are its own (CS1); its colours are legible in both schemes; nothing in it asks for anything elsewhere.

use super::*;

/// The value of a custom property, in the n-th block that sets it: light, then dark.
fn colour(name: &str, scheme: usize) -> [f64; 3] {
    let found = PAGE.match_indices(&format!("--{name}: #")).nth(scheme);
    let (at, _) = found.unwrap_or_else(|| panic!("--{name} in scheme {scheme}"));
    let hex = &PAGE[at + name.len() + 5..][..6];
    let channel = |at: usize| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
    [channel(0), channel(2), channel(4)]
}

/// Relative luminance and contrast, as WCAG 2 defines them.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let luminance = |colour: [f64; 3]| -> f64 {
        let linear = colour.map(|channel| {
            if channel <= 0.04045 {
                channel / 12.92
            } else {
                ((channel + 0.055) / 1.055).powf(2.4)
            }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_are_legible_in_both_schemes() {
    assert!((contrast([0.0; 3], [1.0; 3]) - 21.0).abs() < 1e-9);
    // Text wants 4.5, what is drawn 3.
    let pairs = [
        ("ink", "paper", 4.5),
        ("ink", "card", 4.5),
        ("quiet", "paper", 4.5),
        ("quiet", "card", 4.5),
        ("bad", "paper", 4.5),
        ("bad", "card", 4.5),
        ("on-accent", "accent", 4.5),
        ("accent", "card", 3.0),
        ("accent", "paper", 3.0),
        ("accent", "track", 3.0),
    ];
    for scheme in 0..2 {
        for (front, back, at_least) in pairs {
            let found = contrast(colour(front, scheme), colour(back, scheme));
            assert!(
                found >= at_least,
                "{front} on {back}, scheme {scheme}: {found:.2}"
            );
        }
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    for asking in [
        "src=",
        "url(",
        "@import",
        "innerHTML",
        "style=\"",
        "onclick",
    ] {
        assert!(!PAGE.contains(asking), "{asking}");
    }
    // An icon of nothing, so that none is asked for.
    assert_eq!(
        PAGE.matches("href=").count(),
        PAGE.matches("href=\"data:,\"").count()
    );
    let links = PAGE.matches("http").count();
    assert_eq!(links, PAGE.matches("http://www.w3.org/2000/svg").count());
    assert_eq!(PAGE.matches("<script>").count(), 1);
    assert_eq!(PAGE.matches("<style>").count(), 1);
    assert!(PAGE.is_ascii());
}

#[test]
fn the_policy_lets_the_pages_own_script_and_style_pass() {
    // The hash of nothing would mean that the text between the tags wasn't found.
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let policy = POLICY.as_str();
    assert!(!policy.contains(empty), "{policy}");
    assert_eq!(policy.matches("'sha256-").count(), 2);
    assert!(policy.starts_with("default-src 'none'; "));
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[test]
fn refusals_are_counted_for_whose_limit_it_was_until_the_cache_is_deleted() {
    use crate::admission::{Of, Refusals};
    use larder::{Cache, Cost, Limits, Rate, Rates};
    let cache: Cache<[u8]> = Cache::builder().max_bytes(1 << 20).build().unwrap();
    let once = Limits {
        rates: Rates {
            operations: Some(Rate::per_second(1)),
            bytes: None,
        },
        ..Limits::default()
    };
    let tenant = cache.create_tenant("a", Limits::default()).unwrap();
    let named = tenant.create_cache("c", once).unwrap();
    let refusals = Refusals::default();
    let of = Of(&tenant, &named, ["a", "c"]);
    let admits = || refusals.admit(of, Cost::calls(1), || Ok(())).is_ok();
    assert_eq!([(); 3].map(|()| admits()), [true, false, false]);
    tenant.set_limits(once).unwrap();
    named.set_limits(Limits::default()).unwrap();
    assert_eq!([(); 2].map(|()| admits()), [true, false]);
    named.set_limits(once).unwrap();
    let part = of_tenant(&tenant, "a", &refusals.counted()).unwrap();
    assert_eq!(part["rates"][0], json!({ "limit": 1, "refused": 1 }));
    assert_eq!(part["rates"][1], json!({ "limit": null, "refused": 0 }));
    assert_eq!(
        part["caches"][0]["rates"][0],
        json!({ "limit": 1, "refused": 2 })
    );
    refusals.forget("a", "c");
    let part = of_tenant(&tenant, "a", &refusals.counted()).unwrap();
    assert_eq!(part["caches"][0]["rates"][0]["refused"], 0);
}
