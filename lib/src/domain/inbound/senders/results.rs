//! The senders' words for the results of pipelines. A word that is in no list is not a success.

use crate::domain::inbound::normalised::PipelineResult;

/// A sender's words, in lower case and without spaces, `_` and `-`.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain::inbound) struct Results {
    /// The pipeline succeeded.
    pub(super) success: &'static [&'static str],
    /// It failed.
    pub(super) failure: &'static [&'static str],
    /// It was cancelled.
    pub(super) cancelled: &'static [&'static str],
    /// It did not run.
    pub(super) skipped: &'static [&'static str],
}

/// The words of senders that are not known, and of those that report no pipelines.
pub(super) const USUAL: Results = Results {
    success: &["success", "succeeded", "successful", "passed", "pass", "ok"],
    failure: &["failure", "failed", "fail", "error", "errored", "timedout", "timeout"],
    cancelled: &["cancelled", "canceled", "aborted", "stopped", "killed"],
    skipped: &["skipped", "neutral", "notrun", "notbuilt"],
};

impl Results {
    /// What a sender's word means. `own` are the words and numbers that the config declares to mean success.
    #[must_use]
    pub(in crate::domain::inbound) fn read(&self, text: &str, own: &[String]) -> PipelineResult {
        let word = plain(text);
        let is_in = |words: &[&str]| words.contains(&word.as_str());
        if own.iter().any(|own| plain(own) == word) || is_in(self.success) {
            PipelineResult::Success
        } else if is_in(self.failure) {
            PipelineResult::Failure
        } else if is_in(self.cancelled) {
            PipelineResult::Cancelled
        } else if is_in(self.skipped) {
            PipelineResult::Skipped
        } else {
            PipelineResult::Other
        }
    }
}

/// A word in lower case and without spaces, `_` and `-`.
fn plain(text: &str) -> String {
    let mut word = text.to_lowercase();
    word.retain(|character| !matches!(character, ' ' | '_' | '-'));
    word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::inbound::senders::SENDERS;

    fn own(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn only_words_that_mean_success_are_successes() {
        for (text, expected) in [
            ("success", PipelineResult::Success),
            ("SUCCESS", PipelineResult::Success),
            ("Succeeded", PipelineResult::Success),
            ("timed_out", PipelineResult::Failure),
            ("canceled", PipelineResult::Cancelled),
            ("not run", PipelineResult::Skipped),
            ("declined", PipelineResult::Other),
            ("running", PipelineResult::Other),
            ("", PipelineResult::Other),
            ("0", PipelineResult::Other),
        ] {
            assert_eq!(USUAL.read(text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn a_senders_word_for_less_than_a_success_is_not_one() {
        for (name, success, others) in [
            ("azure-devops", "succeeded", ["partiallySucceeded", "succeededWithIssues"]),
            ("buildkite", "passed", ["blocked", "success"]),
            ("cdevents", "success", ["partial", "ok"]),
            ("circleci", "success", ["on_hold", "not_run"]),
            ("jenkins", "SUCCESS", ["UNSTABLE", "null"]),
            ("tekton", "Completed", ["Running", "Started"]),
        ] {
            let sender = SENDERS.iter().find(|sender| sender.name == name).unwrap();
            assert_eq!(sender.results.read(success, &[]), PipelineResult::Success, "{name}");
            for other in others {
                assert_eq!(sender.results.read(other, &[]), PipelineResult::Other, "{name}: {other}");
            }
        }
    }

    #[test]
    fn a_config_declares_words_and_numbers_of_its_own() {
        assert_eq!(USUAL.read("0", &own(&["0", "Green"])), PipelineResult::Success);
        assert_eq!(USUAL.read("green", &own(&["0", "Green"])), PipelineResult::Success);
        assert_eq!(USUAL.read("1", &own(&["0", "Green"])), PipelineResult::Other);
    }

    #[test]
    fn the_words_of_each_sender_are_written_plainly_and_mean_one_thing() {
        for sender in SENDERS {
            let results = sender.results;
            let mut words: Vec<&str> =
                [results.success, results.failure, results.cancelled, results.skipped].concat();
            assert!(words.iter().all(|word| *word == plain(word)), "{sender:?}");
            let count = words.len();
            words.sort_unstable();
            words.dedup();
            assert_eq!(words.len(), count, "{sender:?}");
        }
    }

    proptest! {
        #[test]
        fn no_other_text_is_a_success(text in ".{0,20}") {
            let known = USUAL.success.contains(&plain(&text).as_str());
            prop_assert_eq!(USUAL.read(&text, &[]) == PipelineResult::Success, known);
        }
    }
}
