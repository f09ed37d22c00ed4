"""What a template must not say: refused by name, before anything is read, whatever it would have done."""

import pytest

from pierhead.engine.properties import Fault
from pierhead.secrets.model.template import Template
from pierhead.secrets.templates.render import parse_all
from support.secret_templates import KEY, render

CANARY = "canary-5b1f"
VALUES: dict[str, str | bytes] = {"A": CANARY, "DOC": f'{{"a": "{CANARY}"}}'}

# What is known to break out of template engines, or to keep them busy; and what is asked for in the fault.
REFUSED = [
    ("{{ A.__class__ }}", "access by"),
    ("{{ A.__class__.__mro__[1].__subclasses__() }}", "a call"),
    ("{{ A['__class__'] }}", "access by"),
    ("{{ A[0] }}", "access by"),
    ("{{ A[::2] }}", "access by"),
    ("{{ A|attr('__class__') }}", "no filter 'attr'"),
    ("{{ A|attr('\\x5f\\x5fclass\\x5f\\x5f') }}", "no filter 'attr'"),
    ("{{ [A]|map(attribute='__class__') }}", "no filter 'map'"),
    ("{{ [A]|selectattr('x') }}", "no filter 'selectattr'"),
    ("{{ [A]|groupby('__class__') }}", "no filter 'groupby'"),
    ("{{ [A]|sum(attribute='__class__', start='') }}", "no filter 'sum'"),
    ("{{ A|format(A) }}", "no filter 'format'"),
    ("{{ '%s'|format(A) }}", "no filter 'format'"),
    ("{{ '{0.__class__}'.format(A) }}", "a call"),
    ("{{ '%99999999s' % A }}", "not in the language: %"),
    ("{{ A|xmlattr }}", "no filter 'xmlattr'"),
    ("{{ A|pprint }}", "no filter 'pprint'"),
    ("{{ A|center(999999999) }}", "no filter 'center'"),
    ("{{ A|wordwrap(1) }}", "no filter 'wordwrap'"),
    ("{{ A|urlize }}", "no filter 'urlize'"),
    ("{{ A|striptags }}", "no filter 'striptags'"),
    ("{{ A|random }}", "no filter 'random'"),
    ("{{ A|sha256 }}", "no filter 'sha256'"),
    ("{{ A|\uff55pper }}", "no filter"),
    ("{{ cycler.__init__.__globals__.os.popen('id').read() }}", "a call"),
    ("{{ joiner() }}", "a call"),
    ("{{ lipsum() }}", "a call"),
    ("{{ lipsum.__globals__ }}", "access by"),
    ("{{ namespace(a=1) }}", "a call"),
    ("{{ dict(a=A) }}", "a call"),
    ("{{ self.__init__ }}", "access by"),
    ("{{ self._TemplateReference__context }}", "access by"),
    ("{{ range(10**9) }}", "a call"),
    ("{% for i in range(999999999) %}x{% endfor %}", "a call"),
    ("{% for i in [A] recursive %}{{ loop([A]) }}{% endfor %}", "not recursive"),
    ("{% for i in [A] if i %}x{% endfor %}", "no if of its own"),
    ("{% for i in [A] %}{% else %}x{% endfor %}", "no else"),
    ("{% for a, b, c in DOC %}{% endfor %}", "a loop is written"),
    ("{% for i in [A] %}{{ loop.index }}{% endfor %}", "access by"),
    ("{{ A * 999999999 }}", "not in the language: *"),
    ("{{ 'a' * 999999999 }}", "not in the language: *"),
    ("{{ 9 ** 9 ** 9 }}", "not in the language: **"),
    ("{{ A ~ A }}", "not in the language: ~"),
    ("{{ A + A }}", "not in the language: +"),
    ("{{ A - 1 }}", "key with dashes"),
    ("{{ 1 // 0 }}", "not in the language: //"),
    ("{{ 1 / 0 }}", "not in the language: /"),
    ("{{ -1 }}", "a negative number"),
    ("{{ +1 }}", "not in the language: +"),
    ("{{ (A, A) }}", "( , )"),
    ("{{ 1.10 }}", "a number with a point"),
    ("{{ " + "9" * 5000 + " }}", "a number that is too long"),
    ("{{ 0x" + "f" * 5000 + " }}", "a number that is too long"),
    ("{{ '\\ud800' }}", "surrogate"),
    ("{{ A < A }}", "of comparisons"),
    ("{{ A == A == A }}", "of comparisons"),
    ("{{ A is string }}", "no test 'string'"),
    ("{{ A is divisibleby 0 }}", "no test 'divisibleby'"),
    ("{{ A is filter }}", "no test 'filter'"),
    ("{% set A = 1 %}", "{% set %}"),
    ("{% set A %}x{% endset %}", "{% set %}"),
    ("{% include '/etc/passwd' %}", "{% include %}"),
    ("{% import '/etc/passwd' as x %}", "{% import %}"),
    ("{% from 'x' import y %}", "{% from %}"),
    ("{% extends 'x' %}", "{% extends %}"),
    ("{% block x %}{% endblock %}", "{% block %}"),
    ("{% macro m() %}{{ m() }}{% endmacro %}", "{% macro %}"),
    ("{% call m() %}{% endcall %}", "{% call %}"),
    ("{% filter upper %}x{% endfilter %}", "{% filter %}"),
    ("{% with a = 1 %}{% endwith %}", "{% with %}"),
    ("{% autoescape true %}{% endautoescape %}", "{% autoescape %}"),
    ("{% do A %}", "unknown tag 'do'"),
    ("{% debug %}", "unknown tag 'debug'"),
    ("{% trans %}{% endtrans %}", "unknown tag 'trans'"),
    ("{{ A|replace(old='a', new='b') }}", "arguments have no names"),
    ("{{ A|replace(*[A, A]) }}", "are not unpacked"),
    ("{{ A|replace('a') }}", 'is written TEXT | replace("old", "new")'),
    ("{{ A|key }}", "with a constant there"),
    ("{{ A|keys }}", "with a constant there"),
    ("{{ DOC|fromjson|get(A) }}", "with a constant there"),
    ("{{ {A: 1} }}", "names are texts in quotes"),
    ("{{ " + "(" * 20_000, "nested too deeply"),
    ("{{ " + "not " * 10_000 + "A }}", "nested too deeply"),
    ("{{ A" + "|upper" * 5_000 + " }}", "nested too deeply"),
    ("{% if A %}" * 5_000, "nested too deeply"),
    ("{% for i in [A] %}" * 40 + "{% endfor %}" * 40, "nested too deeply"),
    ("{{ A", "line 1: unexpected end"),
    ("\n\n{% if A %}", "line 3: Unexpected end"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED, ids=[f"{text[:32]!a}" for text, _ in REFUSED])
def test_what_is_not_in_the_language_is_refused_by_its_name(text: str, words: str) -> None:
    fault = parse_all(Template(data={"good": "x", KEY: text}))

    assert isinstance(fault, Fault)
    assert fault.reason == "TemplateInvalid"
    assert fault.message.startswith(f"spec.template.data[{KEY}]: ")
    assert words in fault.message
    assert len(fault.message) < 300


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{ A }}", CANARY),
        ("{{ lipsum }}", "UndefinedKey"),
        ("{{ cycler }}", "UndefinedKey"),
        ("{{ self }}", "UndefinedKey"),
        ("{{ range }}", "UndefinedKey"),
        ("{{ __builtins__ }}", "UndefinedKey"),
        ("{{ 'a' 'b' }}", "ab"),
        ("{{ true }} {{ 5 }}", "true 5"),
        ("{{ none }}", "NullValue"),
        ("{{ [A] }}", "TemplateFailed"),
        ("{{ {'a': A} }}", "TemplateFailed"),
        ("{% raw %}{{ A }}{% endraw %}{# {{ A }} #}", "{{ A }}"),
        ("a\n{%- if true %}\n b {%- endif %}\n", "a\n b\n"),
        ("{% if A == 'x' %}1{% elif A in ['y', A] %}2{% else %}3{% endif %}", "2"),
        ("{% if A != 'x' and not NONE is defined or NONE %}1{% endif %}", "1"),
        ("{{ 1 if NONE }}", "UndefinedKey"),
        ("{{ 1 if NONE is defined }}", ""),
        ("{{ 1 if 'canary' in A else 2 }}{{ 1 if 'a' not in DOC|fromjson else 2 }}", "12"),
        ("{{ 1 if '5432'|fromjson == 5432 else 2 }}{{ 1 if true == 1 else 2 }}", "12"),
        ("{% for a in ['x', 'y'] %}{{ a }}{{ '' if a == 'y' else ',' }}{% endfor %}", "x,y"),
        ("{% for n, i in {'b': 1, 'a': 2} %}{{ n }}={{ i }};{% endfor %}", "b=1;a=2;"),
        ("{% for A in ['x'] %}{{ A }}{% endfor %}", "x"),
        ("{% for a in A %}{% endfor %}", "TemplateFailed"),
        ("{% for a, b in [A] %}{% endfor %}", "TemplateFailed"),
        ("{% for a in {'a': A} %}{% endfor %}", "TemplateFailed"),
    ],
)
def test_what_is_in_the_language_means_what_it_says(text: str, made: str) -> None:
    found = render(text, VALUES)

    assert (found.reason if isinstance(found, Fault) else found.decode()) == made


def test_all_templates_of_an_object_are_bounded_together() -> None:
    fault = parse_all(Template(data={f"k{index}": "x" * 60_000 for index in range(5)}))

    assert isinstance(fault, Fault)
    assert "262144 is the most" in fault.message
