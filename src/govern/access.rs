//! Whether a subject may query a product, and what it is told.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::catalog::{OnBreach, Product, Status};
use crate::config::Role;
use crate::error::{ClientError, ErrorKind, Notice, sqlstate};
use crate::names::{ProductId, RoleName, WarehouseName};

use super::breach::Breach;
use super::permit::Denial;
use super::snapshot::Snapshot;
use super::subject::Subject;

/// What a subject may do with a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Access {
    /// Query it.
    Granted(Granted),
    /// Know that it exists.
    Denied(Denial),
    /// Nothing: for this subject it does not exist.
    Hidden,
}

/// A product that may be queried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The roles that grant it, sorted: they alone count for masks, filters and limits. Never empty.
    pub roles: Vec<RoleName>,
    /// Said once per session.
    pub notices: Vec<Notice>,
}

impl Snapshot {
    /// Whether the subject may query the product on this day (UTC).
    pub fn access(&self, subject: &Subject, product: &Product, today: Date) -> Access {
        let roles = self.granting_roles(subject, product);
        let may_have = !roles.is_empty() || self.roles_of(subject).any(|(_, role)| covers(role, &product.id));
        if !may_have {
            let discovered =
                self.roles_of(subject).any(|(_, role)| role.discover.iter().any(|p| p.matches(&product.id)));
            return if discovered { Access::Denied(not_granted(product)) } else { Access::Hidden };
        }
        let mut notices = Vec::new();
        if let Some(breach) = self.parts.breaches.get(&product.id) {
            match product.on_breach {
                OnBreach::Deny => return Access::Denied(in_breach(product, breach)),
                OnBreach::Notice => notices.push(breached(product, breach)),
                OnBreach::Ignore => {}
            }
        }
        match product.status {
            Status::Draft if roles.is_empty() => Access::Denied(draft(product)),
            Status::Draft | Status::Published => Access::Granted(Granted { roles, notices }),
            Status::Deprecated => {
                let sunset = product.deprecation.as_ref().and_then(|d| d.sunset);
                if sunset.is_some_and(|sunset| sunset <= today) {
                    return Access::Denied(past_sunset(product));
                }
                notices.push(deprecated(product));
                Access::Granted(Granted { roles, notices })
            }
        }
    }

    /// The subject's roles that grant the product, sorted. A draft is granted by a matching `drafts` pattern alone.
    pub fn granting_roles(&self, subject: &Subject, product: &Product) -> Vec<RoleName> {
        self.roles_of(subject)
            .filter(|(_, role)| match product.status {
                Status::Draft => role.drafts.iter().any(|p| p.matches(&product.id)),
                Status::Published | Status::Deprecated => covers(role, &product.id),
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Whether the subject may COPY … TO STDOUT: one of its roles says so.
    pub fn may_copy_out(&self, subject: &Subject) -> bool {
        self.roles_of(subject).any(|(_, role)| role.copy_out)
    }

    /// Whether the subject may EXPLAIN: one of its roles says so.
    pub fn may_explain(&self, subject: &Subject) -> bool {
        self.roles_of(subject).any(|(_, role)| role.explain)
    }

    /// The domains of which the subject may query a product in the warehouse: the default search path, in order.
    pub fn visible_domains(&self, subject: &Subject, warehouse: &WarehouseName, today: Date) -> Vec<String> {
        let domains: BTreeSet<&str> =
            self.visible_products(subject, warehouse, today).map(|product| product.client_schema()).collect();
        domains.into_iter().map(str::to_owned).collect()
    }

    /// The products of the warehouse that the subject may query, in the order of ids.
    pub fn visible_products<'a>(
        &'a self,
        subject: &'a Subject,
        warehouse: &'a WarehouseName,
        today: Date,
    ) -> impl Iterator<Item = &'a std::sync::Arc<Product>> {
        self.parts
            .catalog
            .iter()
            .filter(move |product| product.warehouse == *warehouse)
            .filter(move |product| matches!(self.access(subject, product, today), Access::Granted(_)))
    }

    /// The products of the warehouse that the subject may at least know of: what a hint may name.
    pub fn discoverable_products<'a>(
        &'a self,
        subject: &'a Subject,
        warehouse: &'a WarehouseName,
        today: Date,
    ) -> impl Iterator<Item = &'a std::sync::Arc<Product>> {
        self.parts
            .catalog
            .iter()
            .filter(move |product| product.warehouse == *warehouse)
            .filter(move |product| !matches!(self.access(subject, product, today), Access::Hidden))
    }

    pub(in crate::govern) fn roles_of<'a>(
        &'a self,
        subject: &'a Subject,
    ) -> impl Iterator<Item = (&'a RoleName, &'a Role)> {
        subject.roles.iter().filter_map(|name| Some((name, self.parts.policy.roles.get(name)?)))
    }
}

fn covers(role: &Role, id: &ProductId) -> bool {
    role.products.iter().any(|p| p.matches(id))
}

fn denial(product: &Product, reason: &'static str, message: String, hint: String) -> Denial {
    let error = ClientError::new(ErrorKind::Denied, sqlstate::INSUFFICIENT_PRIVILEGE, message).with_hint(hint);
    Denial { error, reason, products: vec![product.id.clone()] }
}

fn ask_the_owner(product: &Product) -> String {
    let owner = &product.owner;
    match &owner.slack_channel {
        Some(channel) => format!("{} ({}, {channel})", owner.team, owner.contact),
        None => format!("{} ({})", owner.team, owner.contact),
    }
}

fn not_granted(product: &Product) -> Denial {
    let mut denial = denial(
        product,
        "not_granted",
        format!("permission denied for data product {}", product.id),
        format!("Ask its owner for access: {}.", ask_the_owner(product)),
    );
    denial.error = denial.error.with_detail(format!("{}: {}", product.name, product.description));
    denial
}

fn draft(product: &Product) -> Denial {
    denial(
        product,
        "draft",
        format!("data product {} is a draft", product.id),
        format!("{}It becomes available when {} publishes it.", replacement(product), ask_the_owner(product)),
    )
}

fn past_sunset(product: &Product) -> Denial {
    let sunset = product.deprecation.as_ref().and_then(|d| d.sunset);
    let since = sunset.map(|day| format!(" since {day}")).unwrap_or_default();
    denial(
        product,
        "sunset",
        format!("data product {} is deprecated and no longer served{since}", product.id),
        format!("{}Its owner is {}.", replacement(product), ask_the_owner(product)),
    )
}

fn in_breach(product: &Product, breach: &Breach) -> Denial {
    let mut denial = denial(
        product,
        if breach.failed.is_empty() { "stale" } else { "breach" },
        format!("data product {} {}", product.id, breach.told()),
        format!("{}Its owner is {}.", replacement(product), ask_the_owner(product)),
    );
    denial.error = denial.error.with_detail("It is not served until its checks have passed again.");
    denial
}

fn breached(product: &Product, breach: &Breach) -> Notice {
    Notice::new(format!("data product {} {}", product.id, breach.told()))
        .about("breach")
        .with_hint(format!("Its owner is {}.", ask_the_owner(product)))
}

/// `Use X instead. `, or nothing.
fn replacement(product: &Product) -> String {
    let replaced_by = product.deprecation.as_ref().and_then(|d| d.replaced_by.as_ref());
    replaced_by.map(|id| format!("Use {id} instead. ")).unwrap_or_default()
}

fn deprecated(product: &Product) -> Notice {
    let deprecation = product.deprecation.clone().unwrap_or_default();
    let until = deprecation.sunset.map(|day| format!(" and will be denied from {day} on")).unwrap_or_default();
    let mut notice = Notice::new(format!("data product {} is deprecated{until}", product.id)).about("deprecated");
    notice.detail = deprecation.message;
    match deprecation.replaced_by {
        Some(id) => notice.with_hint(format!("Use {id} instead.")),
        None => notice.with_hint(format!("Ask its owner what to use instead: {}.", ask_the_owner(product))),
    }
}

#[cfg(test)]
mod tests;
