use super::scope::Lookup;

/// A function that templates may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    // Inja's own.
    At,
    Default,
    DivisibleBy,
    Even,
    Exists,
    ExistsIn,
    First,
    Float,
    Int,
    Is(Kind),
    Join,
    Last,
    Length,
    Lower,
    Max,
    Min,
    Odd,
    Range,
    Round,
    Sort,
    Upper,
    // Of later versions of Inja.
    Capitalize,
    Replace,
    // Gloo's.
    Lookup(Lookup),
    Body,
    Context,
    Trim,
    Base64Encode,
    Base64Decode,
    Base64UrlEncode,
    Base64UrlDecode,
    Substring,
    ReplaceWithRandom,
    RawString,
    WordCount,
    ClusterMetadata,
    DynamicMetadata,
    HostMetadata,
    /// `clusterMetadata`, which has its own form for lists.
    ClusterMetadataOld,
}

/// What an `is…` function asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Array,
    Boolean,
    Float,
    Integer,
    Number,
    Object,
    String,
}

/// Name, least and greatest number of arguments.
const FUNCTIONS: &[(&str, usize, usize, Function)] = &[
    ("at", 2, 2, Function::At),
    ("default", 2, 2, Function::Default),
    ("divisibleBy", 2, 2, Function::DivisibleBy),
    ("even", 1, 1, Function::Even),
    ("exists", 1, 1, Function::Exists),
    ("existsIn", 2, 2, Function::ExistsIn),
    ("first", 1, 1, Function::First),
    ("float", 1, 1, Function::Float),
    ("int", 1, 1, Function::Int),
    ("isArray", 1, 1, Function::Is(Kind::Array)),
    ("isBoolean", 1, 1, Function::Is(Kind::Boolean)),
    ("isFloat", 1, 1, Function::Is(Kind::Float)),
    ("isInteger", 1, 1, Function::Is(Kind::Integer)),
    ("isNumber", 1, 1, Function::Is(Kind::Number)),
    ("isObject", 1, 1, Function::Is(Kind::Object)),
    ("isString", 1, 1, Function::Is(Kind::String)),
    ("join", 2, 2, Function::Join),
    ("last", 1, 1, Function::Last),
    ("length", 1, 1, Function::Length),
    ("lower", 1, 1, Function::Lower),
    ("max", 1, 1, Function::Max),
    ("min", 1, 1, Function::Min),
    ("odd", 1, 1, Function::Odd),
    ("range", 1, 1, Function::Range),
    ("round", 2, 2, Function::Round),
    ("sort", 1, 1, Function::Sort),
    ("upper", 1, 1, Function::Upper),
    ("capitalize", 1, 1, Function::Capitalize),
    ("replace", 3, 3, Function::Replace),
    ("header", 1, 1, Function::Lookup(Lookup::Header)),
    (
        "request_header",
        1,
        1,
        Function::Lookup(Lookup::RequestHeader),
    ),
    ("extraction", 1, 1, Function::Lookup(Lookup::Extraction)),
    ("data_source", 1, 1, Function::Lookup(Lookup::DataSource)),
    ("env", 1, 1, Function::Lookup(Lookup::Env)),
    ("body", 0, 0, Function::Body),
    ("context", 0, 0, Function::Context),
    ("trim", 1, 1, Function::Trim),
    ("base64_encode", 1, 1, Function::Base64Encode),
    ("base64_decode", 1, 1, Function::Base64Decode),
    ("base64url_encode", 1, 1, Function::Base64UrlEncode),
    ("base64url_decode", 1, 1, Function::Base64UrlDecode),
    ("substring", 2, 3, Function::Substring),
    ("replace_with_random", 2, 2, Function::ReplaceWithRandom),
    ("raw_string", 1, 1, Function::RawString),
    ("word_count", 1, 1, Function::WordCount),
    ("cluster_metadata", 1, 2, Function::ClusterMetadata),
    ("dynamic_metadata", 1, 2, Function::DynamicMetadata),
    ("host_metadata", 1, 2, Function::HostMetadata),
    ("clusterMetadata", 1, 1, Function::ClusterMetadataOld),
];

impl Function {
    /// The function of a name that takes so many arguments, or why there is none.
    pub(super) fn find(name: &str, given: usize) -> Result<Self, String> {
        if name == "super" {
            return Err("super() needs a template that is extended, and there is none here".into());
        }
        let Some((_, least, most, function)) = FUNCTIONS.iter().find(|(known, ..)| *known == name)
        else {
            return Err(format!("unknown function {name}"));
        };
        if (*least..=*most).contains(&given) {
            return Ok(*function);
        }
        let takes = match (*least, *most) {
            (0, 0) => "no arguments".to_owned(),
            (1, 1) => "1 argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        Err(format!("function {name} takes {takes}, not {given}"))
    }

    /// The function that a name stands for without brackets, where no variable has that name.
    pub(super) fn bare(name: &str) -> Option<Self> {
        match name {
            "body" => Some(Self::Body),
            "context" => Some(Self::Context),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_number_of_arguments_is_told_with_the_right_one() {
        for (name, given, text) in [
            ("body", 1, "function body takes no arguments, not 1"),
            ("upper", 2, "function upper takes 1 argument, not 2"),
            ("join", 1, "function join takes 2 arguments, not 1"),
            (
                "substring",
                4,
                "function substring takes 2 to 3 arguments, not 4",
            ),
            ("shout", 1, "unknown function shout"),
        ] {
            assert_eq!(Function::find(name, given), Err(text.to_owned()));
        }
    }
}
