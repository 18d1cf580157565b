//! Functions of one number, and of one time.

use super::dates;

/// What is done to every value of a vector.
pub(crate) type Map = fn(f64) -> f64;

/// A function that takes each value by itself, by its name.
pub(crate) fn map(name: &str) -> Option<Map> {
    let map: Map = match name {
        "abs" => f64::abs,
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "exp" => f64::exp,
        "sqrt" => f64::sqrt,
        "ln" => f64::ln,
        "log2" => f64::log2,
        "log10" => f64::log10,
        "sgn" => |value| {
            if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                value
            }
        },
        "deg" => |value| value * 180.0 / std::f64::consts::PI,
        "rad" => |value| value * std::f64::consts::PI / 180.0,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "asinh" => f64::asinh,
        "acosh" => f64::acosh,
        "atanh" => f64::atanh,
        _ => return dates::part(name),
    };
    Some(map)
}

/// A value to the nearest multiple, halves upward.
pub(crate) fn round(value: f64, nearest: f64) -> f64 {
    // The inverse loses less than the division by a fraction would.
    let inverse = 1.0 / nearest;
    (value * inverse + 0.5).floor() / inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_upward_and_signs_are_told() {
        assert_eq!([-1.5, -0.5, 0.5, 2.4].map(|value| round(value, 1.0)), [-1.0, 0.0, 1.0, 2.0]);
        assert_eq!(round(7.13, 0.1), 7.1);
        let sgn = map("sgn").expect("known");
        assert_eq!((sgn(-3.0), sgn(0.0), sgn(2.0)), (-1.0, 0.0, 1.0));
        assert!(sgn(f64::NAN).is_nan() && map("no_such").is_none());
    }
}
