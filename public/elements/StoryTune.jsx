// @ts-check
// Every setting on a dial: for the next message only, or to write a passage anew with others than made it.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { keepInto, typedInto } = window.inkling.beside;
const { drafts, here, isConnected, maySend } = window.inkling.desk;
const { panelHead } = window.inkling.panel;
const ENTRY = { label: 'Tune', title: 'Every setting on a dial, for the next message only', place: 1 };

const { dialShown } = window.inkling.sentences;

/** @param {{field: Page.Field, value: string, turn: (name: string, value: string) => void}} props */
const Dial = ({ field, value, turn }) => {
  const id = `tune-${field.name}`;
  const text = dialShown(field, value);
  return (
    <div className="dial" data-changed={value !== field.value}>
      <label htmlFor={id} title={`${field.about} It takes ${field.range}.`}>
        <span>{field.label}</span>
        <output htmlFor={id}>
          {text}
          {field.by && value === field.value && (
            <i>
              {text && ' · '}
              {field.by}
            </i>
          )}
        </output>
      </label>
      {field.slider ? (
        <input
          id={id}
          type="range"
          min={field.slider.low}
          max={field.slider.high}
          step={field.slider.step}
          value={value}
          title={`${field.label}: ${field.range}`}
          onChange={(event) => turn(field.name, event.target.value)}
        />
      ) : field.kind === 'switch' ? (
        <input
          id={id}
          type="checkbox"
          checked={value === 'on'}
          title={`${field.label}: ${field.range}`}
          onChange={(event) => turn(field.name, event.target.checked ? 'on' : 'off')}
        />
      ) : (
        <input
          id={id}
          type="text"
          inputMode={field.kind === 'strings' ? 'text' : 'numeric'}
          autoComplete="off"
          value={value}
          title={`${field.label}: ${field.range}`}
          placeholder={field.name === 'seed' ? 'a new one each time' : field.kind === 'strings' ? 'off' : ''}
          onChange={(event) => turn(field.name, event.target.value)}
        />
      )}
      <p className="about">{field.about}</p>
    </div>
  );
};

/** The dials that are words. */
const WORDS = ['stop', 'banned', 'dry_breakers'];
/** Those that were typed for a passage, or for the next message, and not used. @param {string | null} about */
const wordsTyped = (about) =>
  Object.fromEntries(
    WORDS.map((key) => [key, typedInto(drafts, here(), `tune-${key}-${about ?? ''}`)]).filter(
      ([, words]) => words !== null,
    ),
  );
const nameTyped = () => typedInto(drafts, here(), 'tune-preset') ?? '';

/**
 * @param {object} props
 * @param {Page.Queries['tune']} props.dials
 * @param {(settings: Page.Settings) => void} props.fill
 * @param {(request: Page.Act) => void} props.act
 */
const Presets = ({ dials, fill, act }) => (
  <div className="tune-presets" role="group" aria-label="Start from a preset">
    {dials.presets.map((preset) => (
      <span key={preset.name} className="tune-preset">
        <button type="button" className="quiet" title={preset.about} onClick={() => fill(preset.settings)}>
          {preset.name}
        </button>
        {preset.own && (
          <button
            type="button"
            className="quiet tune-forget"
            title={`Take your preset “${preset.name}” away`}
            aria-label={`Take away ${preset.name}`}
            onClick={() => act({ act: 'preset_forget', name: preset.name })}
          >
            ✕
          </button>
        )}
      </span>
    ))}
  </div>
);

function StoryTune() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'tune', ENTRY);
  const { state } = store;
  const passage = open && state ? state.passages.find((each) => each.id === store.about) : null;
  const armed = state ? state.tuning.once : [];
  const about = passage ? passage.id : null;
  // Drawn from the server anew when something it is filled from has changed; what was turned stays.
  const asked = open && state ? [about, store.model, state.tuning.preset, state.tuning.changes].join() : null;

  useEffect(() => {
    if (!asked) {
      store.tune = null;
      return;
    }
    const same = store.tune?.about === about ? store.tune : { values: wordsTyped(about), name: nameTyped() };
    const mine = /** @type {import('../shared/store.js').Tune} */ ({ ...same, about, asked });
    store.tune = mine;
    store.query(about ? { query: 'tune', passage: about } : { query: 'tune', model: store.model }).then(
      (dials) => {
        if (store.tune === mine) {
          mine.dials = dials;
          store.tell();
        }
      },
      (error) => {
        if (store.tune === mine) {
          mine.error = error.message;
          store.tell();
        }
      },
    );
  }, [asked]);

  if (!open || !state) return null;
  const { dials, values = {}, error, name = '' } = store.tune || {};
  const fields = dials ? dials.fields : [];
  /** @type {Record<string, string>} */
  const now = Object.fromEntries(fields.map((field) => [field.name, values[field.name] ?? field.value]));
  /** @param {Partial<import('../shared/store.js').Tune>} more */
  const change = (more) => {
    if (store.tune) Object.assign(store.tune, more);
    store.tell();
  };
  const fill = (settings) => {
    change({ values: { ...store.tune?.values, ...settings } });
    // A dial is turned again in a moment; words are not.
    for (const { name: key, value } of fields) {
      if (WORDS.includes(key) && key in settings)
        keepInto(drafts, here(), `tune-${key}-${about ?? ''}`, String(settings[key]), value);
    }
  };
  const turn = (key, value) => fill({ [key]: value });
  const sent = () => WORDS.forEach((key) => keepInto(drafts, here(), `tune-${key}-${about ?? ''}`, null));
  const close = () => store.open('tune');
  const retry = () => {
    if (!passage || !maySend('Retry')) return;
    sent();
    store.turned = { about: passage.id, values: now };
    store.send('Retry', { ask: 'retry', passage: passage.id, takes: store.takes, settings: now });
    close();
  };
  // Only what differs from what is in force: the rest follows the chat and the preset, whichever are picked by then.
  const arm = () => {
    const wanted = fields.filter((f) => now[f.name] !== f.value || armed.some((each) => each.name === f.name));
    const settings = Object.fromEntries(wanted.map((f) => [f.name, now[f.name]]));
    // Without a connection it waits for the next, in this page alone.
    if (store.act({ act: 'once', settings }) && isConnected()) sent();
  };
  const turned = fields.some((field) => now[field.name] !== field.value);
  const rename = (/** @type {string} */ words) => {
    change({ name: words });
    keepInto(drafts, here(), 'tune-preset', words || null);
  };
  const save = (event) => {
    event.preventDefault();
    if (store.act({ act: 'preset_keep', name, settings: now })) rename('');
  };
  return (
    <section className="panel" id="panel-tune" aria-label="Tune">
      {panelHead(createElement, passage ? 'Retry with…' : 'The next message', close)}
      {error && <p className="error">{error}</p>}
      {dials && (
        <>
          <p className="about">
            {passage
              ? 'The dials stand as they did for this passage. The old version stays, see the arrows.'
              : `What “${store.model}” will be written with, and who decided it. ` +
                'What you turn here holds for one message; the gear sets what stays.'}
          </p>
          <Presets dials={dials} fill={fill} act={store.act} />
          {fields.map((field) => (
            <Dial key={field.name} field={field} value={now[field.name]} turn={turn} />
          ))}
          <div className="tune-foot">
            {passage ? (
              <button
                type="button"
                className="wanted"
                id="tune-retry"
                disabled={state.writing}
                onClick={retry}
                title="The model writes this passage anew with these settings"
              >
                Retry with these
              </button>
            ) : (
              <button
                type="button"
                className="wanted"
                id="tune-once"
                disabled={!turned}
                onClick={arm}
                title="The next message, Continue, Retry or Finish uses them, and only that one"
              >
                Use for the next message
              </button>
            )}
            <form onSubmit={save}>
              <input
                id="tune-name"
                type="text"
                maxLength={30}
                placeholder="Name of a preset"
                value={name}
                aria-label="Name of a preset"
                title="Under this name it stands in the picker below the text"
                onChange={(event) => rename(event.target.value)}
              />
              <button
                type="submit"
                className="quiet"
                id="tune-save"
                disabled={!name.trim()}
                title="Keep how words are picked here as a preset of yours; length and seed are not part of it"
              >
                Save as preset
              </button>
            </form>
          </div>
        </>
      )}
    </section>
  );
}

export default window.inkling.lasting('StoryTune', StoryTune);
