//! The options of the commands that manage subscriptions, webhook configs, components and triggers.

use clap::{Args, Subcommand};

use super::Limit;
use crate::body::BodyOptions;

#[derive(Debug, Subcommand)]
pub(crate) enum Subscriptions {
    /// List subscriptions
    List(Limit),
    /// Show one subscription
    Show {
        /// Subscription id
        id: String,
    },
    /// Create a subscription
    Create(SubscriptionMembers),
    /// Change the given members of a subscription
    Update {
        /// Subscription id
        id: String,
        #[command(flatten)]
        members: SubscriptionMembers,
    },
    /// Send one test delivery with an event type's example
    Test {
        /// Subscription id
        id: String,
        /// Event type
        #[arg(default_value = "deployment.completed")]
        event: String,
    },
    /// Enable a subscription and resume its open deliveries
    Enable {
        /// Subscription id
        id: String,
    },
    /// Disable a subscription and pause its open deliveries
    Disable {
        /// Subscription id
        id: String,
    },
    /// Generate a new signing secret; the old one stays valid for a day
    RotateSecret {
        /// Subscription id
        id: String,
    },
    /// Delete a subscription and cancel its open deliveries
    Delete {
        /// Subscription id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SubscriptionMembers {
    /// Name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Endpoint URL, or `pull:` for deliveries that the subscriber fetches
    #[arg(long)]
    pub(crate) to: Option<String>,
    /// Event types: names, `deployment.*` or `*`
    #[arg(long, value_delimiter = ',')]
    pub(crate) events: Vec<String>,
    /// Sign deliveries with a generated secret, shown once
    #[arg(long)]
    pub(crate) sign: bool,
    #[command(flatten)]
    pub(crate) body: BodyOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Configs {
    /// List webhook configs
    List(Limit),
    /// Show one webhook config
    Show {
        /// Webhook config id
        id: String,
    },
    /// Create a webhook config
    Create {
        #[command(flatten)]
        members: ConfigMembers,
        /// Secret shared with the sender
        #[arg(long, env = "STELLA_SECRET", hide_env_values = true, allow_hyphen_values = true)]
        secret: Option<String>,
    },
    /// Change the given members of a webhook config
    Update {
        /// Webhook config id
        id: String,
        #[command(flatten)]
        members: ConfigMembers,
        /// New secret shared with the sender; the old one stays valid for a day
        // Not from STELLA_SECRET: that may be set for another command.
        #[arg(long, allow_hyphen_values = true)]
        secret: Option<String>,
    },
    /// List the requests received by a config, newest first
    Receipts {
        /// Webhook config id
        id: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one received request
    Receipt {
        /// Webhook config id
        id: String,
        /// Receipt id
        receipt: String,
    },
    /// Process a received request again
    Replay {
        /// Webhook config id
        id: String,
        /// Receipt id
        receipt: String,
    },
    /// Generate a new URL token; the old one stays valid for a day
    RotateToken {
        /// Webhook config id
        id: String,
    },
    /// Delete a webhook config
    Delete {
        /// Webhook config id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfigMembers {
    /// Name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// registry-push, ci-pipeline, github-app, gitlab-webhook or generic
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
    /// Sender, for example dockerhub [default of a new one: auto]
    #[arg(long)]
    pub(crate) provider: Option<String>,
    #[command(flatten)]
    pub(crate) body: BodyOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Components {
    /// List components
    List(Limit),
    /// Show one component
    Show {
        /// Component id
        id: String,
    },
    /// Create a component
    Create(ComponentMembers),
    /// Change the given members of a component
    Update {
        /// Component id
        id: String,
        #[command(flatten)]
        members: ComponentMembers,
    },
    /// List a component's versions, last updated first
    Versions {
        /// Component id
        id: String,
        /// Only this channel
        #[arg(long)]
        channel: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// List a component's triggers
    Triggers {
        /// Component id
        id: String,
    },
    /// Delete a component
    Delete {
        /// Component id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ComponentMembers {
    /// Name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Repositories of its artifacts, for example ghcr.io/myorg/myapp
    #[arg(long, value_delimiter = ',')]
    pub(crate) repositories: Vec<String>,
    #[command(flatten)]
    pub(crate) body: BodyOptions,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Triggers {
    /// List a component's triggers, newest first
    List {
        /// Component id
        component: String,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one trigger
    Show {
        /// Component id
        component: String,
        /// Trigger id
        id: String,
    },
    /// Create a trigger
    Create {
        /// Component id
        component: String,
        #[command(flatten)]
        members: TriggerMembers,
    },
    /// Change the given members of a trigger
    Update {
        /// Component id
        component: String,
        /// Trigger id
        id: String,
        #[command(flatten)]
        members: TriggerMembers,
    },
    /// Delete a trigger
    Delete {
        /// Component id
        component: String,
        /// Trigger id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct TriggerMembers {
    /// Name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Kind of event that activates it, for example artifact.pushed
    #[arg(long)]
    pub(crate) on: Option<String>,
    #[command(flatten)]
    pub(crate) body: BodyOptions,
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use clap::CommandFactory as _;

    use crate::options::Options;

    #[test]
    fn the_help_says_what_can_be_set() {
        let mut stella = Options::command();
        let mut help = String::new();
        for (resource, verb) in [("subscriptions", "create"), ("configs", "update"), ("triggers", "create")] {
            let command =
                stella.find_subcommand_mut(resource).and_then(|found| found.find_subcommand_mut(verb));
            writeln!(help, "stella {resource} {verb}\n\n{}", command.unwrap().render_help()).unwrap();
        }
        insta::assert_snapshot!(help);
    }
}
