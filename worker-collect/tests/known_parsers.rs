//! What an experiment may name is what there is.

#[test]
fn an_experiment_may_name_exactly_the_parsers_there_are() {
    assert_eq!(autoopt_epoch::experiment::PARSERS, autoopt_worker_collect::parser::PARSERS);
}
