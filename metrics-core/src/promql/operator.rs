//! Binary operators between two numbers.

use promql_parser::parser::token::{self, TokenType};

use super::error::PromqlError;

/// What stands between two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Arithmetic(Arithmetic),
    Comparison(Comparison),
    Set(SetOperator),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperator {
    And,
    Or,
    Unless,
}

impl Operator {
    pub(crate) fn of(token: TokenType) -> Result<Self, PromqlError> {
        Ok(match token.id() {
            token::T_ADD => Self::Arithmetic(Arithmetic::Add),
            token::T_SUB => Self::Arithmetic(Arithmetic::Subtract),
            token::T_MUL => Self::Arithmetic(Arithmetic::Multiply),
            token::T_DIV => Self::Arithmetic(Arithmetic::Divide),
            token::T_MOD => Self::Arithmetic(Arithmetic::Modulo),
            token::T_POW => Self::Arithmetic(Arithmetic::Power),
            token::T_ATAN2 => Self::Arithmetic(Arithmetic::Atan2),
            token::T_EQLC => Self::Comparison(Comparison::Equal),
            token::T_NEQ => Self::Comparison(Comparison::NotEqual),
            token::T_GTR => Self::Comparison(Comparison::Greater),
            token::T_LSS => Self::Comparison(Comparison::Less),
            token::T_GTE => Self::Comparison(Comparison::GreaterOrEqual),
            token::T_LTE => Self::Comparison(Comparison::LessOrEqual),
            token::T_LAND => Self::Set(SetOperator::And),
            token::T_LOR => Self::Set(SetOperator::Or),
            token::T_LUNLESS => Self::Set(SetOperator::Unless),
            _ => return Err(PromqlError::Unsupported(format!("the operator \"{token}\""))),
        })
    }
}

impl Arithmetic {
    pub(crate) fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Subtract => a - b,
            Self::Multiply => a * b,
            Self::Divide => a / b,
            Self::Modulo => a % b,
            Self::Power => a.powf(b),
            Self::Atan2 => a.atan2(b),
        }
    }
}

impl Comparison {
    pub(crate) fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Self::Equal => a == b,
            Self::NotEqual => a != b,
            Self::Greater => a > b,
            Self::Less => a < b,
            Self::GreaterOrEqual => a >= b,
            Self::LessOrEqual => a <= b,
        }
    }
}
