//! Bundles: `apiproxy/` with its policies, proxies and targets.
//!
//! # Idea         files by their paths, in memory; whoever loads them from a folder or an archive gives them here
//! # Costs        once a bundle
//! # Invariants   B1 every step, route and flow refers to what is there, or the bundle has findings and isn't given out
//! # Not here     environments: which caches there are

mod ends;
mod timeouts;

use std::collections::BTreeMap;

pub use self::timeouts::Timeouts;
use super::condition::Condition;
use super::policy::Policy;
use super::read;
use crate::finding::{Finding, Position};
use crate::xml::{self, Bounds, Dialect, Element};

/// A bundle that was read.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// The proxy's name.
    pub name: String,
    /// Its revision.
    pub revision: String,
    /// Policies by name.
    pub policies: BTreeMap<String, Located>,
    /// Who takes requests.
    pub proxies: Vec<Endpoint>,
    /// Who is asked.
    pub targets: Vec<Endpoint>,
    /// What is to be warned of.
    pub warnings: Vec<Finding>,
}

/// A policy and its file.
#[derive(Debug, Clone)]
pub struct Located {
    /// The policy.
    pub policy: Policy,
    /// The path of its file.
    pub file: String,
}

/// A proxy or target endpoint.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Its name.
    pub name: String,
    /// Of a proxy: what its paths begin with.
    pub base_path: String,
    /// Of a target: where it is.
    pub url: Option<String>,
    /// Of a target: how long it may take.
    pub timeouts: Timeouts,
    /// Before all flows.
    pub before: Steps,
    /// The first whose condition holds.
    pub flows: Vec<Flow>,
    /// After them.
    pub after: Steps,
    /// Of a proxy: which target is asked.
    pub routes: Vec<Route>,
    /// What is done about faults.
    pub faults: Vec<FaultRule>,
    /// What is done if no rule's condition holds.
    pub default_fault: Option<Vec<Step>>,
}

/// Steps of request and response.
#[derive(Debug, Clone, Default)]
pub struct Steps {
    /// On the way in.
    pub request: Vec<Step>,
    /// On the way back.
    pub response: Vec<Step>,
}

/// Steps under a condition.
#[derive(Debug, Clone)]
pub struct Flow {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub condition: Option<Condition>,
    /// What it runs.
    pub steps: Steps,
}

/// One policy to be run.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its name.
    pub policy: String,
    /// When it runs.
    pub condition: Option<Condition>,
}

/// Which target is asked.
#[derive(Debug, Clone)]
pub struct Route {
    /// When.
    pub condition: Option<Condition>,
    /// Which; `None`: nobody.
    pub target: Option<String>,
}

/// What is done about some faults.
#[derive(Debug, Clone)]
pub struct FaultRule {
    /// Its name.
    pub name: String,
    /// Which faults.
    pub condition: Option<Condition>,
    /// What is done.
    pub steps: Vec<Step>,
}

impl Bundle {
    /// Reads a bundle: texts of files by their paths, each below `apiproxy/`.
    ///
    /// # Errors
    /// All findings, if one of them is an error.
    pub fn read<'f>(
        files: impl IntoIterator<Item = (&'f str, &'f str)>,
    ) -> Result<Self, Vec<Finding>> {
        let mut reader = Reader {
            bundle: Self {
                name: String::new(),
                revision: "1".to_owned(),
                policies: BTreeMap::new(),
                proxies: Vec::new(),
                targets: Vec::new(),
                warnings: Vec::new(),
            },
            findings: Vec::new(),
            references: Vec::new(),
        };
        for (path, text) in files {
            reader.file(path, text);
        }
        reader.check();
        let (errors, warnings) = reader.findings.into_iter().partition(Finding::is_error);
        reader.bundle.warnings = warnings;
        let errors: Vec<Finding> = errors;
        match errors.is_empty() {
            true => Ok(reader.bundle),
            false => Err(errors.into_iter().chain(reader.bundle.warnings).collect()),
        }
    }

    /// A target by its name.
    pub fn target(&self, name: &str) -> Option<&Endpoint> {
        self.targets.iter().find(|target| target.name == name)
    }
}

/// What something refers to.
enum Reference {
    Policy(String),
    Target(String),
}

struct Reader {
    bundle: Bundle,
    findings: Vec<Finding>,
    references: Vec<(Reference, String, Position)>,
}

impl Reader {
    fn file(&mut self, path: &str, text: &str) {
        let inside = path.trim_start_matches("./").strip_prefix("apiproxy/");
        let Some(inside) = inside.filter(|inside| inside.ends_with(".xml")) else {
            return;
        };
        match inside.split_once('/') {
            Some(("policies", _)) => self.policy(path, text),
            Some(("proxies", _)) => self.endpoint(path, text, "ProxyEndpoint"),
            Some(("targets", _)) => self.endpoint(path, text, "TargetEndpoint"),
            Some(_) => {}
            None => self.proxy(path, text),
        }
    }

    fn add(&mut self, path: &str, findings: impl IntoIterator<Item = Finding>) {
        self.findings
            .extend(findings.into_iter().map(|finding| finding.in_file(path)));
    }

    /// What was read, or in its place nothing and a finding.
    fn good<T: Default>(&mut self, path: &str, read: Result<T, Finding>) -> T {
        read.unwrap_or_else(|finding| {
            self.add(path, [finding]);
            T::default()
        })
    }

    fn proxy(&mut self, path: &str, text: &str) {
        match xml::read_one(text, Dialect::Strict, Bounds::default(), |_| None) {
            Ok(element) => {
                let attribute = |name: &str| {
                    let value = element.attribute(name)?.value.literal()?;
                    Some(value.to_owned())
                };
                self.bundle.name = attribute("name").unwrap_or_default();
                if let Some(revision) = attribute("revision") {
                    self.bundle.revision = revision;
                }
            }
            Err(finding) => self.add(path, [finding]),
        }
    }

    fn policy(&mut self, path: &str, text: &str) {
        match read::read(text) {
            Ok((policy, warnings)) => {
                self.add(path, warnings);
                let (name, at) = (policy.name.to_string(), policy.at);
                let file = path.to_owned();
                if self
                    .bundle
                    .policies
                    .insert(name.clone(), Located { policy, file })
                    .is_some()
                {
                    let message = format!("a policy `{name}` is there already");
                    self.add(path, [Finding::error(at, message)]);
                }
            }
            Err(findings) => self.add(path, findings),
        }
    }

    fn endpoint(&mut self, path: &str, text: &str, kind: &str) {
        let element = match xml::read_one(text, Dialect::Strict, Bounds::default(), |_| None) {
            Ok(element) => element,
            Err(finding) => return self.add(path, [finding]),
        };
        if element.name != kind {
            let message = format!("<{}> is here, and <{kind}> should be", element.name);
            return self.add(path, [Finding::error(element.at, message)]);
        }
        let name = element
            .attribute("name")
            .and_then(|name| name.value.literal())
            .unwrap_or_default();
        if name.is_empty() {
            let message = format!("<{kind}> has no `name`, which is required");
            return self.add(path, [Finding::error(element.at, message)]);
        }
        let timeouts = self.good(path, Timeouts::of(&element));
        let (base_path, url) = match kind {
            "ProxyEndpoint" => (self.good(path, ends::base_path(&element)), None),
            _ => (
                String::new(),
                self.good(path, ends::url(&element).map(Some)),
            ),
        };
        let endpoint = Endpoint {
            name: name.to_owned(),
            base_path,
            url,
            timeouts,
            before: self.both(path, element.element("PreFlow")),
            flows: self.flows(path, &element),
            after: self.both(path, element.element("PostFlow")),
            routes: self.routes(path, &element),
            faults: self.fault_rules(path, &element),
            default_fault: element
                .element("DefaultFaultRule")
                .map(|rule| self.steps(path, Some(rule))),
        };
        match kind {
            "ProxyEndpoint" => self.bundle.proxies.push(endpoint),
            _ => self.bundle.targets.push(endpoint),
        }
    }

    fn both(&mut self, path: &str, element: Option<&Element>) -> Steps {
        let inner = |name: &str| element.and_then(|element| element.element(name));
        Steps {
            request: self.steps(path, inner("Request")),
            response: self.steps(path, inner("Response")),
        }
    }

    fn steps(&mut self, path: &str, element: Option<&Element>) -> Vec<Step> {
        let mut steps = Vec::new();
        let inside = element.into_iter().flat_map(Element::elements);
        for step in inside.filter(|child| child.name == "Step") {
            let Some(name) = step
                .element("Name")
                .filter(|name| !name.literal().is_empty())
            else {
                self.add(path, [Finding::error(step.at, "<Step> has no <Name>")]);
                continue;
            };
            let policy = name.literal().to_owned();
            self.references
                .push((Reference::Policy(policy.clone()), path.to_owned(), step.at));
            let condition = self.condition(path, step);
            steps.push(Step { policy, condition });
        }
        steps
    }

    fn condition(&mut self, path: &str, element: &Element) -> Option<Condition> {
        let condition = element.element("Condition")?;
        let text = condition.literal();
        if text.is_empty() {
            return None;
        }
        match Condition::new(text) {
            Ok(condition) => Some(condition),
            Err(byte) => {
                let shown: String = text[byte.min(text.len())..].chars().take(20).collect();
                let message = format!("the condition can't be read from {shown:?} on");
                self.add(path, [Finding::error(condition.at, message)]);
                None
            }
        }
    }

    fn flows(&mut self, path: &str, element: &Element) -> Vec<Flow> {
        let inside = element
            .element("Flows")
            .into_iter()
            .flat_map(Element::elements);
        let flows = inside.filter(|child| child.name == "Flow");
        flows
            .map(|flow| Flow {
                name: attribute(flow, "name"),
                condition: self.condition(path, flow),
                steps: self.both(path, Some(flow)),
            })
            .collect()
    }

    fn routes(&mut self, path: &str, element: &Element) -> Vec<Route> {
        let mut routes = Vec::new();
        for route in element.elements().filter(|child| child.name == "RouteRule") {
            let target = self.good(path, ends::target(route));
            if let Some(target) = &target {
                let reference = Reference::Target(target.clone());
                self.references.push((reference, path.to_owned(), route.at));
            }
            let condition = self.condition(path, route);
            routes.push(Route { condition, target });
        }
        routes
    }

    fn fault_rules(&mut self, path: &str, element: &Element) -> Vec<FaultRule> {
        let inside = element
            .element("FaultRules")
            .into_iter()
            .flat_map(Element::elements);
        let rules = inside.filter(|child| child.name == "FaultRule");
        rules
            .map(|rule| FaultRule {
                name: attribute(rule, "name"),
                condition: self.condition(path, rule),
                steps: self.steps(path, Some(rule)),
            })
            .collect()
    }

    /// That what is referred to is there.
    fn check(&mut self) {
        if self.bundle.proxies.is_empty() {
            let message = "there is no proxy endpoint in apiproxy/proxies";
            self.findings.push(Finding::error(Position::START, message));
        }
        if self.bundle.name.is_empty() {
            let message = "there is no apiproxy/NAME.xml with the name of the proxy";
            self.findings.push(Finding::error(Position::START, message));
        }
        for (reference, path, at) in std::mem::take(&mut self.references) {
            let message = match reference {
                Reference::Policy(name) if !self.bundle.policies.contains_key(&name) => {
                    format!("there is no policy `{name}`")
                }
                Reference::Target(name) if self.bundle.target(&name).is_none() => {
                    format!("there is no target endpoint `{name}`")
                }
                _ => continue,
            };
            self.findings
                .push(Finding::error(at, message).in_file(&path));
        }
    }
}

fn attribute(element: &Element, name: &str) -> String {
    let value = element
        .attribute(name)
        .and_then(|attribute| attribute.value.literal());
    value.unwrap_or_default().to_owned()
}
