"""Presets: ours, and those a writer saves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.accounts.database import SqliteFile
from chat.settings import SettingsError, defaults, sampling_params
from chat.settings.presets import AS_SET, BUILT_IN, DECIDES, OwnPresets, find_preset
from chat.settings.values import texts_of
from gpt.sampling import LIMITS


@pytest.fixture
def presets(tmp_path) -> OwnPresets:
    return OwnPresets(SqliteFile(tmp_path / "new" / "stories.sqlite"), "ada")


def test_each_of_ours_can_be_used_with_any_model():
    for preset in BUILT_IN:
        assert set(preset.settings) <= set(DECIDES)
        params = sampling_params(defaults(), preset.settings, character_model=True)
        assert params.temperature == preset.settings["temperature"]


def test_a_preset_hides_no_cut_that_the_chat_is_set_to_unless_it_says_so():
    chat = {**defaults(), "top_k": 3, "min_p": 0.5}
    for preset in BUILT_IN[1:]:
        params = sampling_params(chat, preset.settings)
        assert (params.top_k, params.min_p) == (0, preset.settings["min_p"])


def test_a_saved_preset_is_there_again_and_only_for_its_owner(presets):
    presets.save("  My   own ", {"temperature": "1,1", "top_k": 40.0, "seed": 7})
    again = OwnPresets(presets.database, "ada").all()
    assert [*again] == [*(preset.name for preset in BUILT_IN), "My own"]
    assert again["My own"].settings == {"temperature": 1.1, "top_k": 40}
    assert again["My own"].about == "Temperature 1.1, Top-k 40"
    assert "My own" not in OwnPresets(presets.database, "bob").all()
    with pytest.raises(SettingsError, match="no preset of yours"):
        OwnPresets(presets.database, "bob").delete("My own")
    presets.save("MY OWN", {"temperature": 0.3})
    assert [*presets.all()][5:] == ["MY OWN"]
    presets.delete("my own")
    assert [*presets.all()] == [preset.name for preset in BUILT_IN]


def test_a_preset_has_a_name_in_any_script_and_is_found_by_it_in_capitals_or_not(presets):
    presets.save("Über", {"temperature": 1.1})
    presets.save("u\u0308BER", {"temperature": 0.9})
    presets.save("نیم\u200cفاصله", {"temperature": 0.9})
    assert [*presets.all()][len(BUILT_IN) :] == ["u\u0308BER", "نیم\u200cفاصله"]
    found = find_preset(presets.all(), "über")
    assert found
    assert found.settings == {"temperature": 0.9}
    presets.delete("ÜBER")
    with pytest.raises(SettingsError):
        presets.save("a\u202eb", {"temperature": 1})


@pytest.mark.parametrize(
    ("name", "settings", "why"),
    [
        ("", {"temperature": 1}, "1 to 30 characters"),
        ("x" * 31, {"temperature": 1}, "1 to 30 characters"),
        ("wild", {"temperature": 1}, "not yours to change"),
        ("as set", {"temperature": 1}, "not yours to change"),
        ("hot", {"temperature": 3}, "0 to 2"),
        ("none", {"seed": 3}, "at least one of: Temperature, Top-k"),
    ],
)
def test_a_preset_that_cannot_be_saved_says_why(presets, name, settings, why):
    with pytest.raises(SettingsError, match=why):
        presets.save(name, settings)
    assert len(presets.all()) == len(BUILT_IN)


def test_there_is_an_end_to_how_many_can_be_saved(presets, monkeypatch):
    monkeypatch.setattr("chat.settings.presets.MOST", 2)
    for name in "ab":
        presets.save(name, {"top_k": 1})
    presets.save("a", {"top_k": 2})
    with pytest.raises(SettingsError, match="take one away first"):
        presets.save("c", {"top_k": 1})
    assert [*presets.all()][5:] == ["b", "a"]


def test_a_preset_is_found_in_whatever_case_it_is_written(presets):
    assert find_preset(presets.all(), "WILD") == BUILT_IN[-1]
    assert find_preset(presets.all(), AS_SET.upper()) is None
    with pytest.raises(SettingsError, match=r"no preset “mild”\. These are: As set, Greedy"):
        find_preset(presets.all(), "mild")


LAYERS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0.1, 2),
        "top_k": st.integers(0, 100),
        "top_p": st.floats(0.1, 1),
        "min_p": st.floats(0, 1),
        "seed": st.integers(0, 2**63 - 1),
    },
)


@given(st.lists(LAYERS, max_size=5))
def test_of_several_layers_the_last_that_speaks_decides(layers):
    params = sampling_params(defaults(), *layers)
    for name, usual in defaults().items():
        wanted = next((each[name] for each in reversed(layers) if name in each), usual)
        strings = LIMITS[name].kind == "strings"
        assert getattr(params, name) == (texts_of(str(wanted)) if strings else wanted)
