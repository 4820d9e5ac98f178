//! What holds for every space and whatever values somebody sends for it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use autoopt_epoch::space::{Parameter, ParameterType, Parameters, Space, Value};
use proptest::prelude::*;
use serde_json::json;

fn number() -> impl Strategy<Value = Parameter> {
    let bounds =
        (-100_i32..100, 1_i32..200, prop::option::of(prop::sample::select(vec![0.1, 0.25, 1.0, 3.0])));
    (bounds, any::<bool>(), prop::option::of(-300_i32..300)).prop_map(|((low, width, step), whole, special)| {
        let step = step.filter(|step| !whole || *step >= 1.0).filter(|step| *step <= f64::from(width));
        let mut parameter = json!({
            "name": "p", "type": if whole { "int" } else { "float" }, "low": low, "high": low + width, "default": low,
        });
        if let Some(step) = step {
            parameter["step"] = json!(step);
        }
        if let Some(special) = special {
            parameter["special"] = json!([special]);
        }
        serde_json::from_value(parameter).unwrap()
    })
}

fn parameter() -> impl Strategy<Value = Parameter> {
    let other = prop::sample::select(vec![
        json!({"name": "p", "type": "bool", "default": true}),
        json!({"name": "p", "type": "categorical", "choices": ["on", "off", "it's"], "default": "on"}),
    ]);
    prop_oneof![3 => number(), 1 => other.prop_map(|json| serde_json::from_value(json).unwrap())]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (-400_i64..400).prop_map(Value::Int),
        1 => any::<i64>().prop_map(Value::Int),
        3 => (-4000_i32..4000).prop_map(|x| Value::Float(f64::from(x) / 20.0)),
        1 => any::<f64>().prop_map(Value::Float),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -0.0]).prop_map(Value::Float),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => prop::sample::select(vec!["on", "of", "", "1"]).prop_map(|text| Value::Text(text.into())),
    ]
}

fn of_its_type(parameter: &Parameter, value: &Value) -> bool {
    matches!(
        (parameter.kind, value),
        (ParameterType::Int, Value::Int(_))
            | (ParameterType::Float, Value::Float(_))
            | (ParameterType::Bool, Value::Bool(_))
            | (ParameterType::Categorical, Value::Text(_))
    )
}

proptest! {
    #[test]
    fn a_value_that_is_taken_is_in_the_space_and_taken_again_as_it_is(parameter in parameter(), value in value()) {
        match parameter.conform(&value) {
            Err(message) => prop_assert!(message.contains("expected"), "{}", message),
            Ok(taken) => {
                prop_assert!(of_its_type(&parameter, &taken), "{:?} became {:?}", value, taken);
                if let Some(number) = value.as_f64().filter(|_| parameter.low.is_some()) {
                    let special = parameter.special.iter().any(|s| s.as_f64() == taken.as_f64());
                    let (low, high) = (parameter.low.unwrap(), parameter.high.unwrap());
                    let found = taken.as_f64().unwrap();
                    prop_assert!(special || (low..=high).contains(&found), "{:?} became {:?}", value, taken);
                    prop_assert!((found - number).abs() <= 1e-6, "{:?} became {:?}", value, taken);
                }
                prop_assert_eq!(parameter.conform(&taken), Ok(taken));
            }
        }
    }

    #[test]
    fn what_stands_on_the_grid_is_taken(parameter in number(), share in 0.0..=1.0_f64) {
        let (low, high) = (parameter.low.unwrap(), parameter.high.unwrap());
        let step = parameter.step.unwrap_or(if parameter.kind == ParameterType::Int { 1.0 } else { 1e-3 });
        let value = step.mul_add(((high - low) / step * share).floor(), low).min(high);
        prop_assert!(parameter.conform(&Value::Float(value)).is_ok(), "{} of {:?}", value, parameter);
    }

    #[test]
    fn values_that_are_taken_satisfy_the_constraints(
        mut a in number(), mut b in parameter(), left in value(), right in value(), bound in -300_i32..300,
    ) {
        (a.name, b.name) = ("a".into(), "b-c".into());
        let constraint = if b.kind == ParameterType::Categorical {
            format!("a <= {bound}")
        } else {
            format!("a - 2 * b-c <= {bound}")
        };
        let given = Parameters::from([("a".into(), left.clone()), ("b-c".into(), right.clone())]);
        // a constraint that nothing satisfies is refused with its space
        if let Ok(space) = Space::new(vec![a.clone(), b.clone()], &[constraint]) {
            let apart = (a.conform(&left), b.conform(&right));
            match (space.conform(&given), apart) {
                (Ok(taken), (Ok(left), Ok(right))) => {
                    prop_assert!(space.satisfies(&taken));
                    prop_assert_eq!(&taken, &Parameters::from([("a".into(), left), ("b-c".into(), right)]));
                    prop_assert_eq!(space.conform(&taken), Ok(taken));
                }
                (Ok(taken), refused) => prop_assert!(false, "{:?} in spite of {:?}", taken, refused),
                (Err(problems), (Ok(left), Ok(right))) => {
                    let both = Parameters::from([("a".into(), left), ("b-c".into(), right)]);
                    prop_assert!(!space.satisfies(&both), "{:?}", problems);
                }
                (Err(problems), apart) => {
                    let refused = usize::from(apart.0.is_err()) + usize::from(apart.1.is_err());
                    // a constraint of which all values are there may be broken too
                    prop_assert!((refused..=refused + 1).contains(&problems.len()), "{:?}", problems);
                }
            }
            prop_assert_eq!(space.conform(&Parameters::new()).unwrap_err().len(), 2);
        }
    }
}
