//! An environment, a clock that is moved by hand, and bundles made of a few policies.

use std::time::{Duration, SystemTime};

use larder::{Cache, Levels, ManualClock, MemoryLevel};
use larder_gateway::apigee::bundle::Bundle;
use larder_gateway::apigee::{Deployment, Environment, EnvironmentOptions, Handled, Var};
use larder_gateway::engine::{Engine, Time};
use larder_gateway::finding::Finding;
use larder_gateway::http::{Request, Response};
use larder_gateway::trace::Trace;
use larder_gateway::upstream::Reach;

use crate::world::{HOSTS, Others, birth};

/// A bundle's parts: policies as XML, and the steps by their places.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) application: String,
    pub(crate) proxy: String,
    pub(crate) target: String,
    pub(crate) policies: Vec<String>,
    /// Steps of the proxy's request flow, each a name or XML.
    pub(crate) proxy_in: Vec<String>,
    pub(crate) target_in: Vec<String>,
    pub(crate) proxy_back: Vec<String>,
    /// More of the proxy endpoint.
    pub(crate) more: String,
}

/// Policies that run in the proxy's request flow, in order.
pub(crate) fn parts<P: AsRef<str>>(policies: &[P]) -> Parts {
    Parts {
        application: "weatherapi".into(),
        proxy: "default".into(),
        target: "tgt".into(),
        policies: policies
            .iter()
            .map(|policy| policy.as_ref().to_owned())
            .collect(),
        proxy_in: policies
            .iter()
            .map(|policy| name_of(policy.as_ref()))
            .collect(),
        target_in: Vec::new(),
        proxy_back: Vec::new(),
        more: String::new(),
    }
}

/// The same in the target's request flow.
pub(crate) fn target_parts<P: AsRef<str>>(policies: &[P]) -> Parts {
    let mut parts = parts(policies);
    parts.target_in = std::mem::take(&mut parts.proxy_in);
    parts
}

fn name_of(policy: &str) -> String {
    let start = policy.find("name=\"").expect("a policy has a name") + 6;
    policy[start..].split('"').next().unwrap().to_owned()
}

impl Parts {
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let steps = |steps: &[String]| -> String {
            let step = |step: &String| match step.starts_with('<') {
                true => step.clone(),
                false => format!("<Step><Name>{step}</Name></Step>"),
            };
            steps.iter().map(step).collect()
        };
        let pre = |way_in: &[String], back: &[String]| {
            format!(
                "<PreFlow><Request>{}</Request><Response>{}</Response></PreFlow>",
                steps(way_in),
                steps(back)
            )
        };
        let Self {
            application,
            proxy,
            target,
            more,
            ..
        } = self;
        let mut files = vec![
            (
                format!("apiproxy/{application}.xml"),
                format!("<APIProxy name=\"{application}\" revision=\"3\"/>"),
            ),
            (
                "apiproxy/proxies/default.xml".to_owned(),
                format!(
                    "<ProxyEndpoint name=\"{proxy}\">{}{more}<HTTPProxyConnection><BasePath>/{application}</BasePath></HTTPProxyConnection>\n<RouteRule name=\"r\"><TargetEndpoint>{target}</TargetEndpoint></RouteRule></ProxyEndpoint>",
                    pre(&self.proxy_in, &self.proxy_back)
                ),
            ),
            (
                "apiproxy/targets/tgt.xml".to_owned(),
                format!(
                    "<TargetEndpoint name=\"{target}\">{}<HTTPTargetConnection><URL>https://backend.example/base</URL></HTTPTargetConnection></TargetEndpoint>",
                    pre(&self.target_in, &[])
                ),
            ),
        ];
        for (idx, policy) in self.policies.iter().enumerate() {
            files.push((format!("apiproxy/policies/{idx}.xml"), policy.clone()));
        }
        files
    }

    pub(crate) fn bundle(&self) -> Result<Bundle, Vec<Finding>> {
        let files = self.files();
        Bundle::read(files.iter().map(|(path, text)| (&**path, &**text)))
    }
}

pub(crate) struct Edge {
    pub(crate) clock: ManualClock,
    pub(crate) environment: Environment,
    pub(crate) others: Others,
    pub(crate) level: Option<MemoryLevel>,
    runtime: tokio::runtime::Runtime,
}

impl Edge {
    pub(crate) fn new() -> Self {
        Self::with(EnvironmentOptions::default())
    }

    pub(crate) fn with(options: EnvironmentOptions) -> Self {
        Self::made(options, ManualClock::new(), None, birth())
    }

    /// A node beside others that share a level and a clock.
    pub(crate) fn node(level: &MemoryLevel, clock: &ManualClock) -> Self {
        Self::node_with(level, clock, EnvironmentOptions::default())
    }

    /// The same with other options.
    pub(crate) fn node_with(
        level: &MemoryLevel,
        clock: &ManualClock,
        options: EnvironmentOptions,
    ) -> Self {
        Self::made(options, clock.clone(), Some(level.clone()), birth())
    }

    pub(crate) fn born(birth: SystemTime) -> Self {
        Self::made(
            EnvironmentOptions::default(),
            ManualClock::new(),
            None,
            birth,
        )
    }

    fn made(
        options: EnvironmentOptions,
        clock: ManualClock,
        level: Option<MemoryLevel>,
        birth: SystemTime,
    ) -> Self {
        let time = Time::manual(clock.clone(), birth);
        let cache = Cache::builder()
            .max_bytes(32 << 20)
            .clock(time.clone())
            .build()
            .unwrap();
        let mut engine = Engine::new(cache, time);
        if let Some(level) = &level {
            engine = engine.with_levels(Levels::new(level.clone(), b"test"));
        }
        Self {
            clock,
            environment: Environment::new(engine, "apifactory", "test", options).unwrap(),
            others: Others::new(|_| Ok(Response::text(200, "ok"))),
            level,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .unwrap(),
        }
    }

    pub(crate) fn environment(&self, organization: &str, name: &str) -> Environment {
        let options = self.environment.options().clone();
        Environment::new(
            self.environment.engine().clone(),
            organization,
            name,
            options,
        )
        .unwrap()
    }

    pub(crate) fn seconds(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) fn reach(&self) -> Reach {
        Reach::new(self.others.clone(), HOSTS)
    }

    pub(crate) fn deploy(&self, parts: &Parts) -> Result<Deployment, Vec<Finding>> {
        Deployment::new(parts.bundle()?, self.environment.clone(), self.reach())
    }

    pub(crate) fn handle(&self, deployment: &Deployment, request: Request) -> Handled {
        self.runtime
            .block_on(deployment.handle(request, Trace::on()))
    }

    /// Runs a bundle once, for a request below its path.
    pub(crate) fn run(&self, parts: &Parts, request: &str) -> Handled {
        let path = format!("/{}{request}", parts.application);
        self.run_with(parts, Request::get(&path))
    }

    pub(crate) fn run_with(&self, parts: &Parts, request: Request) -> Handled {
        let deployment = self
            .deploy(parts)
            .unwrap_or_else(|findings| panic!("{findings:?}"));
        self.handle(&deployment, request)
    }

    /// The same in another environment.
    pub(crate) fn run_in(&self, environment: &Environment, parts: &Parts) -> Handled {
        let deployment =
            Deployment::new(parts.bundle().unwrap(), environment.clone(), self.reach());
        let path = format!("/{}/x", parts.application);
        self.handle(&deployment.unwrap(), Request::get(&path))
    }

    /// Stores a value under a key, which is given as the inner XML of the policy.
    pub(crate) fn put(&self, key: &str, value: &str) {
        self.put_as(&parts::<&str>(&[]), key, value);
    }

    pub(crate) fn put_as(&self, like: &Parts, key: &str, value: &str) {
        let handled = self.run(
            &like.clone().running(&[&assign(value), &populate(key)]),
            "/x",
        );
        assert_eq!(
            handled.response.status,
            200,
            "{}",
            handled.response.body_text()
        );
    }

    /// What a look-up finds.
    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.get_as(&parts::<&str>(&[]), key)
    }

    pub(crate) fn get_as(&self, like: &Parts, key: &str) -> Option<String> {
        let handled = self.run(&like.clone().running(&[&lookup(key)]), "/x");
        value(&handled)
    }

    /// Runs a removal.
    pub(crate) fn invalidate(&self, inner: &str) {
        self.run(&parts(&[invalidate(inner)]), "/x");
    }
}

impl Parts {
    /// The same with other policies, where the present ones run: in the target's flow or the proxy's.
    pub(crate) fn running(mut self, policies: &[&str]) -> Self {
        let names: Vec<String> = policies.iter().map(|policy| name_of(policy)).collect();
        self.policies = policies.iter().map(|&policy| policy.to_owned()).collect();
        match self.more.as_str() {
            "target" => {
                self.more.clear();
                self.target_in = names;
            }
            _ => self.proxy_in = names,
        }
        self
    }

    /// To run in the target's flow.
    pub(crate) fn in_target(mut self) -> Self {
        self.more = "target".to_owned();
        self
    }

    pub(crate) fn of(application: &str, proxy: &str, target: &str) -> Self {
        let mut made = parts::<&str>(&[]);
        (made.application, made.proxy, made.target) =
            (application.into(), proxy.into(), target.into());
        made
    }
}

pub(crate) fn value(handled: &Handled) -> Option<String> {
    handled
        .context
        .get("out")
        .map(|var| var.to_text().unwrap().to_string())
}

/// A variable of the look-up `L`.
pub(crate) fn told(handled: &Handled, what: &str) -> Option<Var> {
    handled.context.get(&format!("lookupcache.L.{what}"))
}

pub(crate) fn rendered(handled: &Handled) -> String {
    told(handled, "cachekey")
        .unwrap()
        .to_text()
        .unwrap()
        .to_string()
}

pub(crate) fn lookup(inner: &str) -> String {
    format!("<LookupCache name=\"L\">{inner}<AssignTo>out</AssignTo></LookupCache>")
}

pub(crate) fn populate(inner: &str) -> String {
    populate_for(
        inner,
        "<ExpirySettings><TimeoutInSeconds>120</TimeoutInSeconds></ExpirySettings>",
    )
}

pub(crate) fn populate_for(inner: &str, expiry: &str) -> String {
    format!("<PopulateCache name=\"P\">{inner}<Source>flowVar</Source>{expiry}</PopulateCache>")
}

pub(crate) fn invalidate(inner: &str) -> String {
    format!("<InvalidateCache name=\"I\">{inner}</InvalidateCache>")
}

/// Sets the variable that is stored.
pub(crate) fn assign(value: &str) -> String {
    format!(
        "<AssignMessage name=\"A\"><AssignVariable><Name>flowVar</Name><Value>{value}</Value></AssignVariable></AssignMessage>"
    )
}

/// A key out of a prefix and fragments; `$` in front of a fragment makes it a reference.
pub(crate) fn key(prefix: &str, fragments: &[&str]) -> String {
    let fragment = |fragment: &&str| match fragment.strip_prefix('$') {
        Some(name) => format!("<KeyFragment ref=\"{name}\"/>"),
        None => format!("<KeyFragment>{fragment}</KeyFragment>"),
    };
    let fragments: String = fragments.iter().map(fragment).collect();
    format!("<CacheKey><Prefix>{prefix}</Prefix>{fragments}</CacheKey>")
}

/// A key in a scope.
pub(crate) fn scoped(scope: &str, fragments: &[&str]) -> String {
    format!("<Scope>{scope}</Scope>{}", key("", fragments))
}
