//! The other operations on items: POST on `/caches/{name}/items/{operation}`, in JSON, bytes as base64.
//!
//! # Idea         each operation is a form that the body has to have, the keys that it is about, and one call of the engine
//! # Costs        the body is read whole, and parsed; a batch is one admission, of as many calls as it has items, and these are bounded
//! # Invariants   IT1 times to live are looked at before anything is done
//! # Not here     GET, PUT and DELETE: module `data`

mod forms;

use std::borrow::Cow;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use larder::{Cost, LevelView, TtlChange};
use larder_serve::to_base64;
use serde::Serialize;
use serde_json::json;

pub(crate) use self::forms::read;
use self::forms::{Batch, Exists, Increment, Keys, SetIf, TtlCall, TtlMode};
use crate::app::App;
use crate::auth::{Access, Caller, Rights};
use crate::error::ApiError;
use crate::levels::{look_up, missed};
use crate::query::{cache_name, ttl_of};
use crate::respond;

/// Which operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    SetIf,
    Increment,
    Ttl,
    Exists,
    GetBatch,
    SetBatch,
}

impl Op {
    /// Each with its name in the path.
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("set-if", Self::SetIf),
        ("increment", Self::Increment),
        ("ttl", Self::Ttl),
        ("exists", Self::Exists),
        ("get-batch", Self::GetBatch),
        ("set-batch", Self::SetBatch),
    ];
}

/// A request whose body has been read.
struct Asked {
    app: App,
    caller: Caller,
    cache: String,
    body_bytes: u64,
}

/// The answer to a batch. Written as it is: a tree of JSON would take fifty times the bytes of a miss.
#[derive(Serialize)]
struct Answer<T> {
    result: Vec<T>,
}

/// What a batch found of an item.
#[derive(Serialize)]
struct Found {
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

impl Default for Found {
    fn default() -> Self {
        let (result, value) = ("Miss", None);
        Self { result, value }
    }
}

/// What a batch did of an item.
#[derive(Serialize)]
struct Done {
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'static, str>>,
    result: &'static str,
}

impl Default for Done {
    fn default() -> Self {
        Self {
            code: None,
            message: None,
            result: "Stored",
        }
    }
}

/// Serves one of the operations.
pub(crate) async fn serve(app: App, op: Op, request: Request) -> Result<Response, ApiError> {
    let (head, body) = request.into_parts();
    let (caller, _) = app.caller(&head)?;
    let cache = cache_name(head.uri.path().split('/').nth(2).unwrap_or(""))?;
    let body = app.body(body, None).await?;
    let asked = Asked {
        app,
        caller,
        cache,
        body_bytes: body.len() as u64,
    };
    match op {
        Op::SetIf => asked.set_if(read(&body)?).await,
        Op::Increment => asked.increment(read(&body)?).await,
        Op::Ttl => asked.ttl(read(&body)?).await,
        Op::Exists => asked.exists(read(&body)?).await,
        Op::GetBatch => asked.get_batch(read(&body)?).await,
        Op::SetBatch => asked.set_batch(read(&body)?).await,
    }
}

impl Asked {
    async fn set_if(self, form: SetIf) -> Result<Response, ApiError> {
        let ttl = ttl_of(form.ttl_seconds.0)?;
        form.check()?;
        self.may(Access::ReadWrite, [&form.key.0])?;
        self.bound(ttl)?;
        self.run(1, false, move |view| {
            let (key, value) = (form.key.0.as_slice(), form.value.0.as_slice());
            let done = view.atomic()?.put_if(key, value, ttl, form.condition());
            let done = done.map_err(|error| ApiError::from(error.refusal))?;
            let result = match done.is_stored() {
                true => "Stored",
                false => "NotStored",
            };
            Ok(json!({ "result": result }))
        })
        .await
    }

    async fn increment(self, form: Increment) -> Result<Response, ApiError> {
        let ttl = ttl_of(form.ttl_seconds.0)?;
        self.may(Access::ReadWrite, [&form.key.0])?;
        self.bound(ttl)?;
        self.run(1, false, move |view| {
            let scope = view.atomic()?;
            let sum = scope.increment(form.key.0.as_slice(), form.amount, 0, ttl)?;
            Ok(json!({ "result": "Incremented", "value": sum }))
        })
        .await
    }

    async fn ttl(self, form: TtlCall) -> Result<Response, ApiError> {
        let ttl = form.ttl()?;
        let access = match form.mode {
            TtlMode::Get => Access::Read,
            _ => Access::ReadWrite,
        };
        self.may(access, [&form.key.0])?;
        if let Some(ttl) = ttl {
            self.bound(ttl)?;
        }
        self.run(1, false, move |view| {
            let key = form.key.0.as_slice();
            let Some(ttl) = ttl else {
                return Ok(match live(view, key)? {
                    None => json!({ "result": "Miss" }),
                    Some(left) => {
                        let ms = left.map(|left| u64::try_from(left.as_millis()));
                        let ms = ms.map(|ms| ms.unwrap_or(u64::MAX));
                        json!({ "result": "Hit", "ttl_ms": ms })
                    }
                });
            };
            let scope = view.atomic()?;
            let change = match form.mode {
                TtlMode::Increase => scope.increase_ttl(key, ttl)?,
                TtlMode::Decrease => scope.decrease_ttl(key, ttl)?,
                TtlMode::Get | TtlMode::Update => match scope.set_ttl(key, Some(ttl))? {
                    true => TtlChange::Set,
                    false => TtlChange::Absent,
                },
            };
            Ok(json!({ "result": match change {
                TtlChange::Set => "Set",
                TtlChange::NotSet => "NotSet",
                TtlChange::Absent => "Miss",
            } }))
        })
        .await
    }

    async fn exists(self, form: Exists) -> Result<Response, ApiError> {
        let (keys, is_one) = form.keys()?;
        self.may(Access::Read, keys.iter().map(|key| &key.0))?;
        self.run(keys.len().div_ceil(2) as u64, false, move |view| {
            let found = keys.iter().map(|key| Ok(live(view, &key.0)?.is_some()));
            let found = found.collect::<Result<Vec<bool>, ApiError>>()?;
            Ok(match is_one {
                true => json!({ "result": found.first() }),
                false => json!({ "result": found }),
            })
        })
        .await
    }

    async fn get_batch(self, form: Keys) -> Result<Response, ApiError> {
        self.may(Access::Read, form.keys.0.iter().map(|key| &key.0))?;
        let keys = form.keys.0.iter().map(|key| &key.0);
        let copies = self.app.copies(&self.caller, &self.cache, keys);
        let bytes_max = self.app.live().body_bytes_max;
        self.run(form.keys.0.len() as u64, copies.is_some(), move |view| {
            let (mut copies, mut room) = (copies.into_iter().flatten(), bytes_max);
            let mut get = |key: &[u8]| {
                let Some(entry) = look_up(view, key, copies.next())? else {
                    return Ok(Found::default());
                };
                let left = room.checked_sub(entry.len() as u64);
                room = left.ok_or_else(|| ApiError::batch_size(bytes_max))?;
                Ok(Found {
                    result: "Hit",
                    value: Some(to_base64(&entry)),
                })
            };
            let found = form.keys.0.iter().map(|key| get(&key.0));
            let result = found.collect::<Result<Vec<_>, ApiError>>()?;
            Ok(Answer { result })
        })
        .await
    }

    async fn set_batch(self, form: Batch) -> Result<Response, ApiError> {
        let ttls = form.ttls()?;
        self.may(Access::Write, form.items.0.iter().map(|item| &item.key.0))?;
        if let Some(longest) = ttls.iter().max() {
            self.bound(*longest)?;
        }
        let (app, caller, cache) = (self.app.clone(), self.caller.clone(), self.cache.clone());
        self.run(form.items.0.len() as u64, false, move |view| {
            let put = |(item, ttl): (&forms::Item, &Duration)| {
                let (key, value) = (item.key.0.as_slice(), item.value.0.as_slice());
                let Err(error) = view.put(key, value, *ttl) else {
                    return Done::default();
                };
                let error = app.explained(error.into(), &caller, &cache);
                Done {
                    code: Some(error.code),
                    message: Some(error.message),
                    result: "Error",
                }
            };
            let result: Vec<_> = form.items.0.iter().zip(&ttls).map(put).collect();
            Ok(Answer { result })
        })
        .await
    }

    fn may<'a>(
        &self,
        access: Access,
        keys: impl IntoIterator<Item = &'a Vec<u8>>,
    ) -> Result<(), ApiError> {
        let mut keys = keys.into_iter();
        keys.try_for_each(|key| self.caller.may(access, &self.cache, key))
    }

    /// Refuses a time to live that the cache doesn't allow.
    fn bound(&self, ttl: Duration) -> Result<(), ApiError> {
        let cost = Cost::calls(1).and_bytes(self.body_bytes);
        let limits = self.app.limits(&self.caller, &self.cache, ttl, |_| cost);
        limits.map(|_| ())
    }

    /// Admits and does it; the answer is charged as well.
    async fn run<T: Serialize>(
        self,
        calls: u64,
        is_at_hand: bool,
        operation: impl FnOnce(&LevelView<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Response, ApiError> {
        let cost = Cost::calls(calls).and_bytes(self.body_bytes);
        let app = self.app;
        let done = app.run(self.caller, self.cache, cost, is_at_hand, |cache, view| {
            let body = serde_json::to_string(&operation(view)?);
            let body = body.map_err(|_| ApiError::INTERNAL)?;
            cache.charge(body.len() as u64);
            Ok(respond::json(body))
        });
        done.await
    }
}

/// How long an item has to live, if it is there. No use of it.
fn live(view: &LevelView<'_>, key: &[u8]) -> Result<Option<Option<Duration>>, ApiError> {
    match view.ttl(key) {
        Ok(left) => Ok(Some(left)),
        Err(reason) => missed(view, reason).map(|()| None),
    }
}
