"""Requests from a page become settings, or are refused with the range."""

import pytest

from chat import settings
from chat.settings import SettingsError
from chat.settings.values import text_of, texts_of
from gpt.sampling import LIMITS, SamplingParams
from gpt.text.sentences import FINISH_CHARS


def test_where_nobody_says_otherwise_the_defaults_count_and_a_sentence_is_finished():
    assert settings.sampling_params({}) == SamplingParams(finish_chars=FINISH_CHARS, heal=True)
    assert settings.sampling_params(settings.defaults()) == settings.sampling_params({})


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("temperature", "0,8", 0.8),
        ("temperature", 1, 1),
        ("top_k", "40", 40),
        ("top_k", 40.0, 40),
        ("top_k", "4e1", 40),
        ("max_new_tokens", None, None),
        ("max_new_tokens", "", None),
        ("seed", "", None),
        ("seed", None, None),
        ("seed", str(2**63 - 1), 2**63 - 1),
    ],
)
def test_a_number_is_read_in_every_form_a_page_sends(name, raw, value):
    assert settings.parse_value(name, raw) == value


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("temperature", "2.1"),
        ("temperature", -0.1),
        ("temperature", "warm"),
        ("temperature", "nan"),
        ("temperature", "1e999"),
        ("temperature", [1]),
        ("top_k", "2.5"),
        ("top_k", -1),
        ("top_p", 0),
        ("top_p", 1.01),
        ("min_p", 2),
        ("repetition_penalty", 0.9),
        ("max_new_tokens", 0),
        ("max_new_tokens", "2049"),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", True),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_range(name, raw):
    with pytest.raises(SettingsError) as refusal:
        settings.parse_value(name, raw)
    assert LIMITS[name].range in str(refusal.value)
    assert settings.LABELS[name] in str(refusal.value)


def test_a_layer_leaves_out_what_is_no_setting():
    assert settings.layer({"top_k": "3", "model": "x", "__class__": 1}) == {"top_k": 3}


def test_a_layer_leaves_out_what_is_left_empty_but_an_empty_seed_is_a_new_one():
    raw = {"temperature": "", "top_p": None, "seed": ""}
    assert settings.layer(raw) == {"seed": None}
    assert (
        settings.sampling_params({"seed": 7, "temperature": 0.5}, settings.layer(raw)).seed is None
    )


def test_a_layer_says_each_value_it_refuses():
    with pytest.raises(SettingsError, match=r"Temperature.*Length"):
        settings.layer({"temperature": 9, "top_k": 1, "max_new_tokens": 0})


def test_the_last_layer_wins():
    params = settings.sampling_params(
        settings.defaults(), {"temperature": 1.5, "top_k": 3}, {"top_k": 7}
    )
    assert (params.temperature, params.top_k, params.top_p) == (1.5, 7, 0.95)


def test_a_repetition_penalty_is_refused_with_characters():
    with pytest.raises(SettingsError, match="every letter"):
        settings.sampling_params({"repetition_penalty": 1.2}, character_model=True)
    assert settings.sampling_params({"repetition_penalty": 1.2}).repetition_penalty == 1.2
    assert settings.sampling_params({"repetition_penalty": 1.0}, character_model=True)


@pytest.mark.parametrize(
    ("text", "values", "rest"),
    [
        ("Once upon", {}, "Once upon"),
        ("/with t=1.2 k=20 Once upon", {"temperature": 1.2, "top_k": 20}, "Once upon"),
        ("/with seed=7", {"seed": 7}, ""),
        ("/with max=5\nROMEO:\n", {"max_new_tokens": 5}, "ROMEO:\n"),
        ("  /with min-p=0.1 a = b", {"min_p": 0.1}, "a = b"),
        ("/with t=0  two spaces", {"temperature": 0}, " two spaces"),
        ("/without t=1", {}, "/without t=1"),
    ],
)
def test_a_directive_gives_settings_and_the_words_after_it(text, values, rest):
    assert settings.directive(text) == (values, rest)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/with heat=2 x", r"“heat” is no setting.*k \(Top-k\).*max \(Length\)"),
        ("/with t=9 x", "0 to 2"),
        ("/with t= x", "needs a value"),
        ("/with Once upon", "after /with"),
    ],
)
def test_a_directive_that_cannot_be_read_is_refused(text, message):
    with pytest.raises(SettingsError, match=message):
        settings.directive(text)


def test_each_name_that_a_refusal_tells_can_be_typed_and_no_inner_one_is_told():
    with pytest.raises(SettingsError) as refusal:
        settings.directive("/with heat=2 x")
    assert "_" not in str(refusal.value)
    for name, short in settings.SHORT.items():
        assert f"{short} ({settings.LABELS[name]})" in str(refusal.value)
        typed = {"banned": "1", "dry_breakers": "1"}.get(name, 1)
        assert settings.directive(f"/with {short}=1 x") == ({name: typed}, "x")


def test_values_that_change_nothing_read_off():
    values = settings.used(SamplingParams())
    said = {name: settings.shown(name, value) for name, value in values.items()}
    assert said == {
        "temperature": "0.8",
        "top_k": "Off",
        "top_p": "0.95",
        "min_p": "Off",
        "repetition_penalty": "Off",
        "max_new_tokens": "200",
        "finish_chars": "Off",
        "no_end": "Off",
        "banned": "Off",
        "heal": "Off",
        "dry_multiplier": "Off",
        "dry_base": "1.75",
        "dry_allowed_length": "2",
        "dry_range": "0",
        "dry_breakers": '\\n, :, ", *',
    }
    assert settings.shown("temperature", 0) == "0, always the likeliest"
    assert settings.shown("seed", None) == "random"
    assert settings.shown("max_new_tokens", 1) == "1"


@pytest.mark.parametrize(
    ("text", "texts"),
    [
        ("fox, the cat ,, fox", ("fox", "the cat")),
        ("Off", ()),
        ("off,", ("off",)),
        (r"\n, \,, \\, a\tb", ("\n", ",", "\\", "a\tb")),
        ("a\\\nb", ("a\nb",)),
    ],
)
def test_texts_are_typed_with_commas_between_and_read_again(text, texts):
    value = settings.parse_value("banned", text) if "\\" not in text else None
    assert texts_of(text) == texts
    assert texts_of(text_of(texts)) == texts
    assert value in (None, text_of(texts))


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("no_end", "maybe", "Never end is on or off, not “maybe”"),
        ("banned", "a" * 101, "up to 100 strings of up to 100 characters"),
        ("banned", ",".join(map(str, range(101))), "up to 100 strings"),
        ("dry_multiplier", "9", "0 to 5"),
    ],
)
def test_switches_and_texts_that_cannot_be_used_are_refused(name, raw, words):
    with pytest.raises(SettingsError, match=words):
        settings.parse_value(name, raw)


def test_end_is_the_end_of_a_sentence_in_numbers_and_of_the_story_in_words():
    assert settings.directive("/with end=off x")[0] == {"no_end": True}
    assert settings.directive("/with end=on ban=fox,cat x")[0] == {
        "no_end": False,
        "banned": "fox, cat",
    }
    assert settings.directive("/with end=30 x")[0] == {"finish_chars": 30}


def test_dry_counts_letters_with_a_model_of_characters():
    assert settings.sampling_params({"dry_multiplier": 1.0}).dry_multiplier == 1
    with pytest.raises(SettingsError, match="set DRY allowed length to 12 or more"):
        settings.sampling_params({"dry_multiplier": 1.0}, character_model=True)
    twelve = {"dry_multiplier": 1.0, "dry_allowed_length": 12}
    assert settings.sampling_params(twelve, character_model=True).dry_allowed_length == 12


def test_what_is_seldom_set_is_told_of_a_passage_only_where_it_is_on():
    names = [name for name, _, _ in settings.told(settings.used(SamplingParams()))]
    assert names == list(settings.LABELS)[:7]
    params = SamplingParams(banned=("fox",), dry_multiplier=0.8, no_end=True, heal=True)
    told = {label: value for _, label, value in settings.told(settings.used(params))}
    assert (told["Banned words"], told["Never end"], told["DRY base"]) == ("fox", "On", "1.75")
    assert len(told) == 15
