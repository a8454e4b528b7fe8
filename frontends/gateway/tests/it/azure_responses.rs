//! Whole responses.

use larder_gateway::azure::read::read;
use larder_gateway::http::{Method, Request, Response};

use crate::world::World;

fn responses(attributes: &str, inner: &str) -> World {
    let world = World::new(&format!(
        r#"<policies><inbound><cache-lookup {attributes}>{inner}</cache-lookup></inbound>
        <outbound><cache-store duration="60" /></outbound></policies>"#
    ));
    world
        .others
        .answer(|call| Ok(Response::text(200, call.url.path()).header("X-A", "1")));
    world
}

#[test]
fn z_150_whole_responses_are_cached_by_url_and_what_they_vary_by() {
    let world = responses("", "<vary-by-header>Accept</vary-by-header>");
    let get = |path: &str, accept: &str| world.handle(Request::get(path).header("Accept", accept));
    let first = get("/x", "a");
    assert_eq!((get("/x", "a"), world.others.take().len()), (first, 1));
    get("/x", "b");
    get("/x?q=1", "a");
    get("/y", "a");
    assert_eq!(world.others.take().len(), 3);
    get("/x?q=1", "a");
    assert!(world.others.take().is_empty());
    for _ in 0..2 {
        world.handle(Request::new(Method::POST, "/x"));
    }
    assert_eq!(world.others.take().len(), 2);
    world.seconds(60);
    get("/x", "a");
    assert_eq!(world.others.take().len(), 1);
}

#[test]
fn z_150_what_is_for_one_alone_is_not_given_to_others() {
    let asked = |world: &World, requests: &[Request]| {
        requests.iter().for_each(|request| {
            world.handle(request.clone());
        });
        world.others.take().len()
    };
    let private = Request::get("/x").header("Authorization", "a");
    assert_eq!(
        asked(&responses("", ""), &[private.clone(), private.clone()]),
        2
    );
    let allowed = responses(r#"allow-private-response-caching="true""#, "");
    assert_eq!(asked(&allowed, &[private.clone(), private]), 1);
    let keyed = |key: &str| Request::get("/x").header("Ocp-Apim-Subscription-Key", key);
    let by_developer = responses(r#"vary-by-developer="true""#, "");
    assert_eq!(
        asked(&by_developer, &[keyed("K1"), keyed("K2"), keyed("K1")]),
        2
    );
    let by_parameter = responses("", "<vary-by-query-parameter>a;b</vary-by-query-parameter>");
    assert_eq!(
        asked(
            &by_parameter,
            &[
                Request::get("/x?a=1&c=1"),
                Request::get("/x?a=1&c=2"),
                Request::get("/x?a=&b=1")
            ]
        ),
        2
    );
    // What one policy varies by is nothing that a client can say to another.
    let two = World::new(
        r#"<policies><inbound><choose>
          <when condition="@(context.Request.Url.Query.GetValueOrDefault("by","") == "header")"><cache-lookup><vary-by-header>X-Tenant</vary-by-header><vary-by-query-parameter>v</vary-by-query-parameter></cache-lookup></when>
          <otherwise><cache-lookup vary-by-developer="true"><vary-by-query-parameter>v</vary-by-query-parameter></cache-lookup></otherwise>
        </choose></inbound><outbound><cache-store duration="60" /></outbound></policies>"#,
    );
    let forged = Request::get("/x?by=header").header("X-Tenant", "id-K1");
    assert_eq!(asked(&two, &[keyed("K1"), forged, keyed("K1")]), 2);
    // A header of several lines is all of them.
    let lines = |second: &str| {
        let request = Request::get("/x").header("Accept", "a");
        request.header("Accept", second)
    };
    let by_header = responses("", "<vary-by-header>Accept</vary-by-header>");
    assert_eq!(asked(&by_header, &[lines("b"), lines("c"), lines("b")]), 2);
    for (name, value) in [
        ("Set-Cookie", "a=b"),
        ("Cache-Control", "max-age=1, private"),
        ("Vary", "*"),
    ] {
        let world = responses("", "");
        world
            .others
            .answer(move |_| Ok(Response::text(200, "").header(name, value)));
        assert_eq!(
            asked(&world, &[Request::get("/x"), Request::get("/x")]),
            2,
            "{name}"
        );
    }
    let world = responses("", "");
    world.others.answer(|_| Ok(Response::text(404, "")));
    assert_eq!(asked(&world, &[Request::get("/x"), Request::get("/x")]), 2);
    // Values and responses never meet.
    assert!(
        read(
            "<cache-lookup><vary-by>Accept</vary-by></cache-lookup>",
            &()
        )
        .is_err()
    );
}
