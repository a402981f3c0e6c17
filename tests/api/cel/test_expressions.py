"""Values of expressions, and what is wrong with others, in cel-go's words."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.cel.environment import Environment
from pybernetes.api.cel.errors import CompileError, CostError, EvaluationError, InstantiationError
from pybernetes.api.cel.types import DYN, INT, STRING, list_of, map_of
from pybernetes.api.cel.values import Uint

ENVIRONMENT = Environment({"self": DYN, "n": INT, "names": list_of(STRING), "labels": map_of(STRING, STRING)})
VARIABLES = {
    "self": {"spec": {"replicas": 3, "max": 10}, "items": [{"name": "n-0"}, {"name": "n-1"}], "f": 1.5},
    "n": 4,
    "names": ["a", "b"],
    "labels": {"app": "web"},
}

VALUES: list[tuple[str, object]] = [
    # Operators
    ("1 + 2 * 3 == 7 && !(2 > 3)", True),
    ("-7 / 2", -3),
    ("-7 % 2", -1),
    ("7u / 2u", Uint(3)),
    ("1 < 1.5 && 2u > 1", True),
    ("'a' + 'b'", "ab"),
    ("[1] + [2]", [1, 2]),
    ("'x' in ['x', 'y'] && 'app' in labels", True),
    ("n > 3 ? 'many' : 'few'", "many"),
    # An error counts only where the other side does not decide.
    ("self.nosuch == 1 || n == 4", True),
    ("n != 4 && self.nosuch == 1", False),
    # Literals
    ("-9223372036854775808", -(1 << 63)),
    ("0xff", 255),
    ("r'a\\d' + \"\"\"b\nc\"\"\"", "a\\db\nc"),
    ("b'\\xff' == b'\\377'", True),
    ("'\\u00e9\\x41\\101'", "éAA"),
    # Fields
    ("has(self.spec) && !has(self.status)", True),
    ("self.spec.replicas <= self.spec.max", True),
    ("self.?status.phase.orValue('none')", "none"),
    ("self.items[?5].?name.hasValue()", False),
    ("{'content-type': 'x'}.`content-type`", "x"),
    # Loops
    ("self.items.all(i, i.name.startsWith('n-'))", True),
    ("names.exists_one(x, x == 'a') && names.exists(x, x == 'b')", True),
    ("names.map(x, x + '!')", ["a!", "b!"]),
    ("[1, 2, 3].filter(x, x > 1).map(x, x > 2, x * 10)", [30]),
    ("labels.all(k, labels[k] != '')", True),
    ("{'a': 1, 'b': 2}.transformMap(k, v, v > 1, v * 2)", {"b": 4}),
    ("names.transformList(i, v, string(i) + v)", ["0a", "1b"]),
    ("optional.of(3).optMap(v, v + 1).value()", 4),
    # Conversions, times
    ("int('42') + int(3.9) + int(2u)", 47),
    ("string(1.0) + string(1e30) + string(true)", "11e+30true"),
    ("string(timestamp('2000-01-01T00:00:00Z') + duration('1h30m'))", "2000-01-01T01:30:00Z"),
    ("timestamp('2020-02-03T04:05:06Z').getDayOfYear()", 33),
    ("timestamp('2020-01-01T00:30:00Z').getHours('+02:00')", 2),
    ("duration('90m').getHours()", 1),
    ("type(1) == int && type('x') != int", True),
    # Strings
    ("'hello'.substring(1, 3) + 'x,y'.split(',')[1].upperAscii()", "elY"),
    ("'a-b-c'.replace('-', '', 1).lastIndexOf('c')", 3),
    ("'%e %.2e %f'.format([1.5, 0.00012, 'NaN'])", "1.500000×10⁰⁰ 1.200000×10⁻⁰⁴ NaN"),
    ("'%s %s'.format([[1, 'a', 2.5], {'b': [true], 'a': 1}])", '[1, "a", 2.500000] {"a":1, "b":[true]}'),
    ("'%b %X %s'.format([-5, 'hi', double('Infinity')])", "-101 6869 +Inf"),
    ("string(1048576.0) + ' ' + string(100000.0) + ' ' + string(-0.00001)", "1.048576e+06 100000 -1e-05"),
    ("'hello'.indexOf('l', 9) + 'hello'.lastIndexOf('l', 9)", -2),
    ("duration('1.234s').getMilliseconds()", 1234),
    ("lists.range(3) + ['aa', 'b'].sortBy(x, x.size()).map(x, x.size())", [0, 1, 2, 1, 2]),
    ("[1, 2].first().value() + [1, 2].last().value() + dyn([]).first().orValue(4)", 7),
    ("sign(quantity('-1'))", -1),
    ("string(timestamp('2020-01-01T00:00:00+02:00') + duration('1h'))", "2020-01-01T01:00:00+02:00"),
    ("timestamp('2020-01-01T00:00:00+02:00') == timestamp('2019-12-31T22:00:00Z')", True),
    ("timestamp('2020-01-01T00:00:00+02:00').getHours()", 22),
    ("cidr('10.0.0.1/8') == cidr('10.0.0.0/8')", False),
    ("url('/a b').getEscapedPath()", "/a%20b"),
    ("{1.5: 2}[1.5]", 2),
    ("{[n]: 2}.size() == 1 && {[1]: 2}.map(key, key) == [[1]]", True),
    ("has(dyn(n).a)", False),
    ("type(ip('::1')) == net.IP && type(optional.of(1)) == optional_type && type(null) == null_type", True),
    ("{'a': 1, 'a': 2}['a']", 2),
    ("'%s has %d of %.1f'.format(['x', 3, 2.5])", "x has 3 of 2.5"),
    ("['a', 'b'].join('/')", "a/b"),
    ("'abc123'.matches('^[a-z]+[0-9]+$') && 'a1b2'.findAll('[0-9]') == ['1', '2']", True),
    # Kubernetes' libraries
    ("[3, 1, 2].max() == 3 && [1, 2].sum() == 3 && [1, 2].isSorted() && ['a'].indexOf('a') == 0", True),
    ("sets.contains([1, 2, 3], [2]) && sets.intersects([1], [1, 2]) && sets.equivalent([1, 2], [2, 1, 1])", True),
    ("quantity('1.5Gi').isGreaterThan(quantity('1Gi')) && quantity('50k').add(20).asInteger() == 50020", True),
    ("isQuantity('1Mi') && !isQuantity('many')", True),
    ("url('https://example.com:80/a?q=1').getHost() + url('https://[::1]:80/').getHostname()", "example.com:80::1"),
    ("isURL('/path') && !isURL('../path')", True),
    ("ip('::1').isLoopback() && ip('10.0.0.1').family() == 4 && !isIP('10.0.0')", True),
    ("cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR(cidr('10.1.0.0/16'))", True),
    ("string(cidr('10.1.2.3/8').masked())", "10.0.0.0/8"),
    ("semver('1.2.3').isLessThan(semver('1.10.0')) && isSemver('1.0.0-rc.1') && !isSemver('1.0')", True),
    ("!format.dns1123Label().validate('web').hasValue() && format.named('uuid').value().validate('x').hasValue()", True),
]  # fmt: skip


@pytest.mark.parametrize(("source", "value"), VALUES)
def test_value(source: str, value: object) -> None:
    found = ENVIRONMENT.compile(source).evaluate(VARIABLES)
    assert found == value
    assert type(found) is type(value)


EVALUATION_ERRORS = [
    ("1 / (n - 4)", "division by zero"),
    ("n % (n - 4)", "modulus by zero"),
    ("9223372036854775807 + n", "integer overflow"),
    ("self.nosuch", "no such key: nosuch"),
    ("names[5]", "index out of bounds: 5"),
    ("int(names[0])", "type conversion error from 'string' to 'int'"),
    ("self.f + self.items", "no such overload"),
    ("optional.none().value()", "optional.none() dereference"),
]


@pytest.mark.parametrize(("source", "message"), EVALUATION_ERRORS)
def test_evaluation_fails(source: str, message: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        ENVIRONMENT.compile(source).evaluate(VARIABLES)
    assert str(raised.value) == message


COMPILE_ERRORS = [
    ("n +", "1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"),
    ("(n", "1:3: Syntax error: missing ')' at '<EOF>'"),
    ("n n", "1:3: Syntax error: extraneous input 'n' expecting <EOF>"),
    ("n $ 1", "1:3: Syntax error: token recognition error at: '$'"),
    ("nosuch", "1:1: undeclared reference to 'nosuch' (in container '')"),
    ("nosuch(n)", "1:7: undeclared reference to 'nosuch' (in container '')"),
    ("n == 'x'", "1:3: found no matching overload for '_==_' applied to '(int, string)'"),
    ("names.matches('a')", "1:14: found no matching overload for 'matches' applied to 'list(string).(string)'"),
    ("names.all(x, x)", "1:14: expected type 'bool' but found 'string'"),
    ("1 && true", "1:1: expected type 'bool' but found 'int'"),
    ("string(1_000)", "1:9: Syntax error: extraneous input '_000' expecting ')'"),
    ("has(n)", "1:5: invalid argument to has() macro"),
    ("quantity('1').sign() == 1", "1:19: found no matching overload for 'sign' applied to 'kubernetes.Quantity.()'"),
    ("cel.bind(x, n * n, x + x)", "1:1: undeclared reference to 'cel' (in container '')"),
    ("[[1], [0]].sort()", "1:16: found no matching overload for 'sort' applied to 'list(list(int)).()'"),
    ('b"\\u00e9"', "1:1: unable to unescape string"),
    ('"\\q" == "a"', "1:1: Syntax error: token recognition error at: '\"\\q'"),
    ("'%x %d'.format([1, 1.5])", "1:20: error during formatting: decimal clause can only be used on integers, was given double"),
    ("'%s %s'.format(['a'])", "1:15: index 1 out of range"),
    ("'%s'.format(['a', 'b'])", "1:12: too many arguments supplied to string.format (expected 1, got 2)"),
    ("'%5d'.format([1])", '1:13: could not parse formatting clause: unrecognized formatting clause "5"'),
    ("'%.f'.format([1.5])", '1:13: could not parse formatting clause: error while parsing precision: error while converting precision to integer: strconv.Atoi: parsing "": invalid syntax'),
    ("'%s'.format([[ip('::1')]])", "1:17: error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given net.IP"),
    ("duration(1) == duration('1s')", "1:10: invalid duration argument"),
    ("[1, 'a']", "1:5: expected type 'int' but found 'string'"),
    ("n.all(x, true)", "1:1: expression of type 'int' cannot be range of a comprehension (must be list, map, or dynamic)"),
    ("'a'.matches('(')", "1:13: invalid matches argument"),
    ("duration('long')", "1:10: invalid duration argument"),
    ("for", "1:1: reserved identifier: for"),
    ("9223372036854775808", "1:1: invalid int literal"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), COMPILE_ERRORS)
def test_does_not_compile(source: str, message: str) -> None:
    with pytest.raises(CompileError) as raised:
        ENVIRONMENT.compile(source)
    assert str(raised.value).split("\n")[0] == f"ERROR: <input>:{message}"


# The addresses, URLs and versions are told apart by what a running 1.36 said of them.
EVALUATION_FAULTS = [
    ("ip('')", 'IP Address "" parse error during conversion from string: ParseAddr(""): unable to parse IP'),
    *(
        (f"ip('{text}')", f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"): {fault}')
        for text, fault in (
            ("1.2.3", "IPv4 address too short"),
            ("1.2.3.4.5", "IPv4 address too long"),
            ("01.2.3.4", "IPv4 field has octet with leading zero"),
            ("1.2.3.x", 'unexpected character (at "x")'),
            ("1..2.3", 'IPv4 field must have at least one digit (at ".2.3")'),
            ("300.1.1.1", "IPv4 field has value >255"),
            ("1:2", "address string too short"),
            ("1:2:3:4:5:6:7:8:9", 'trailing garbage after address (at "9")'),
            ("::x", 'each colon-separated field must have at least one digit (at "x")'),
            ("12345::", 'each group must have 4 or less digits (at "12345::")'),
            ("::1::", 'multiple :: in address (at ":")'),
        )
    ),
    *(
        (f"cidr('{text}')", 2 * "network address parse error during conversion from string: " + f'netip.ParsePrefix("{text}"): {fault}')
        for text, fault in (
            ("x", "no '/'"),
            ("10.0.0.0/", 'bad bits after slash: ""'),
            ("10.0.0.0/08", 'bad bits after slash: "08"'),
            ("10.0.0.0/99", "prefix length out of range"),
            ("x/8", 'ParseAddr("x"): unable to parse IP'),
            ("fe80::1%eth0/64", "IPv6 zones cannot be present in a prefix"),
        )
    ),
    *(
        (f"url('{text}')", f'URL parse error during conversion from string: parse "{text}": {fault}')
        for text, fault in (
            ("", "empty url"),
            ("x", "invalid URI for request"),
            ("://a", "missing protocol scheme"),
            ("http://[::1", "missing ']' in host"),
            ("http://[::1]x/", 'invalid port "x" after host'),
            ("https://a.test:abc/", 'invalid port ":abc" after host'),
            ("http://a b/", 'invalid character " " in host name'),
            ("http://%zz/", 'invalid URL escape "%zz"'),
            ("http://a/%z", 'invalid URL escape "%z"'),
        )
    ),
    *(
        (f"semver('{text}')", fault)
        for text, fault in (
            ("", "Version string empty"),
            ("1.2", "No Major.Minor.Patch elements found"),
            ("v1.2.3", 'Invalid character(s) found in major number "v1"'),
            ("01.2.3", 'Major number must not contain leading zeroes "01"'),
            ("1.2.x", 'Invalid character(s) found in patch number "x"'),
            ("1.2.3-a..b", "Prerelease is empty"),
            ("1.2.3-01", 'Numeric PreRelease version must not contain leading zeroes "01"'),
            ("1.2.3-a_b", 'Invalid character(s) found in prerelease "a_b"'),
            ("1.2.3+", "Build meta data is empty"),
        )
    ),
    ("timestamp('2020-01-01T00:00:00Z').getHours('Nowhere/City')", "unknown time zone Nowhere/City"),
    ("timestamp('2020-01-01T00:00:00Z').getHours('x:y')", 'strconv.Atoi: parsing "x": invalid syntax'),
    ("cidr('10.0.0.0/8').containsIP('x')", "no such overload"),
    ("dyn(n).size()", "no such overload: size"),
    ("dyn(n).upperAscii()", "no such overload: upperAscii(int)"),
    ("dyn(n).contains('a')", "no such overload"),
    ("dyn(n).all(x, true)", "got 'types.Int', expected iterable type"),
    ("dyn('a').b", "no such key: b"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), EVALUATION_FAULTS)
def test_has_no_value(source: str, message: str) -> None:
    with pytest.raises(EvaluationError) as raised:
        ENVIRONMENT.compile(source).evaluate(VARIABLES)
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("source", "is_bounded"),
    [
        ("['b'][0].upperAscii()", True),
        ("['b'].map(x, x).sort()[0].upperAscii()", True),
        ("{'a': 'b'}['a'].upperAscii()", True),
        ("'a'.split('')[0].upperAscii()", True),
        ("dyn('abc').upperAscii()", True),
        ("ip('::1') == ip('::2')", True),
        ("type('a') == string && optional.of(1) == optional.of(2)", True),
        ("ip('::1') != ip('::2')", False),
        ("optional.of('a') == optional.of('b')", False),
        ("string([].sum())", True),
        ("lists.range(-1).map(x, string(x)).join('')", True),
        ("lists.range(4).map(x, string(x)).join('')", False),
        ("string(optional.none().value())", True),
        ("['b'].join()", False),
        ("['b'].first().value().upperAscii()", False),
        ("['b'].indexOf('b')", False),
    ],
)
def test_sizes_are_known_of_what_the_expression_makes(source: str, is_bounded: bool) -> None:
    assert (ENVIRONMENT.compile(source).cost.most < 1000) is is_bounded


CONSTANT_FAULTS = [
    ("n > 0 && int('1a') == 0", "type conversion error from 'string' to 'int'"),
    ("[uint(-1)].size() == 0", "unsigned integer overflow"),
    ("string(b'\\xff')", "invalid UTF-8 in bytes, cannot convert to string"),
    ("string(null)", "no such overload: string(null_type)"),
    ("double('1e400')", "type conversion error from 'string' to 'double'"),
    ("names[0].find('(')", "error parsing regexp: missing closing ): `(`"),
]


@pytest.mark.parametrize(("source", "message"), CONSTANT_FAULTS)
def test_constant_parts_are_evaluated_once_for_all(source: str, message: str) -> None:
    with pytest.raises(InstantiationError) as raised:
        ENVIRONMENT.compile(source)
    assert raised.value.reason == f"program instantiation failed: {message}"


def test_constants_cost_nothing() -> None:
    _, left = ENVIRONMENT.compile("[1, int('2'), n]").run(VARIABLES, 100)
    _, folded = ENVIRONMENT.compile("[1, int('2'), 3]").run(VARIABLES, 100)
    assert (left, folded) == (89, 100)


def test_carets_are_as_wide_as_what_is_above() -> None:
    with pytest.raises(CompileError) as raised:
        ENVIRONMENT.compile("'é😀' + é")
    assert " | .．．....＾" in str(raised.value).split("\n")


def test_every_fault_is_told_with_its_place() -> None:
    with pytest.raises(CompileError) as raised:
        ENVIRONMENT.compile("n == 'x' ||\n  nosuch")
    assert str(raised.value) == (
        "ERROR: <input>:1:3: found no matching overload for '_==_' applied to '(int, string)'\n"
        " | n == 'x' ||\n | ..^\n"
        "ERROR: <input>:2:3: undeclared reference to 'nosuch' (in container '')\n"
        " |   nosuch\n | ..^"
    )


@pytest.mark.parametrize(
    ("source", "cost"),
    [
        ("[1, 2, 3].all(x, true)", 10), ("[1, 2, 3].exists(x, false)", 13), ("[1, 2, 3].exists_one(x, false)", 5),
        ("[1, 2, 3].filter(x, true) == []", 40), ("[1, 2, 3].map(x, 1) == []", 37),
    ],
)  # fmt: skip
def test_loops_cost_what_their_accumulators_do(source: str, cost: int) -> None:
    """A round of `all` reads the accumulator twice and asks once whether to go on; lists are made and joined."""
    _, left = ENVIRONMENT.compile(source).run({}, 1000)
    assert 1000 - left == cost


def test_cost_is_bounded() -> None:
    program = ENVIRONMENT.compile("names.all(a, names.all(b, names.all(c, a + b + c != 'x')))")
    with pytest.raises(CostError):
        program.evaluate({"names": ["y"] * 1000}, limit=1_000_000)


def test_estimate_covers_the_actual_cost() -> None:
    bounded = Environment({"names": list_of(STRING, size=10), "n": INT})
    for source in ("names.all(x, n > 1)", "names.map(x, n + 1).size() == 10", "names.exists_one(x, n == 1)"):
        program = bounded.compile(source)
        _, left = program.run({"names": ["y"] * 10, "n": 4}, limit=100_000)
        assert program.cost.least <= 100_000 - left <= program.cost.most < 100_000


@pytest.mark.parametrize("source", ["(" * 400 + "1" + ")" * 400, "a" + ".b" * 5000, "[" * 3000, "1" + "+1" * 20_000])  # fmt: skip
def test_depth_is_bounded(source: str) -> None:
    with pytest.raises(CompileError):
        ENVIRONMENT.compile(source)


_PIECES = st.sampled_from([
    "self", "n", "names", "labels", ".", "(", ")", "[", "]", "{", "}", "?", ":", ",", "+", "-", "*", "/", "%", "!", "&&",
    "||", "==", "<", "in", "1", "2u", "1.5", "'a'", "b'a'", "true", "null", "x", ".all(x,", ".map(x,", ".size()", "has(",
    ".?a", "[?0]", "optional.of(", "string(", "quantity('1')", "duration('1s')", "`a-b`", "\n",
])  # fmt: skip


@settings(max_examples=1500)
@given(st.lists(_PIECES, max_size=12).map(" ".join) | st.text(max_size=40))
def test_any_text_is_an_expression_or_an_error(source: str) -> None:
    with contextlib.suppress(CompileError, EvaluationError):
        ENVIRONMENT.compile(source).evaluate(VARIABLES)
