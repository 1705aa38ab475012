// @ts-check
// Live dice: what may come next at the story's end, as the sliders move, before anything is written.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { panelHead, tokenSigns } = window.inkling.panel;
const { beginsAsCommand, input, literal, setInput } = window.inkling.composer;
const { choices, count, percent } = window.inkling.numbers;
const ENTRY = {
  label: 'Dice',
  title: 'See what the model may write next, and what the settings make of it, before it writes',
  place: 3,
};
const ASK_MS = 80;
const SLIDERS = {
  temperature: [0, 2, 0.05, 'How daring: 0 always takes the likeliest token, low is careful, high is wild'],
  top_k: [0, 100, 1, 'Only so many of the likeliest tokens may be drawn; 0 is off'],
  top_p: [0.01, 1, 0.01, 'Only the likeliest tokens that together hold this share may be drawn; 1 is off'],
  min_p: [0, 0.5, 0.01, 'Tokens less likely than this share of the likeliest one are cut; 0 is off'],
  repetition_penalty: [1, 2, 0.01, 'Tokens that stand in the story already become less likely; 1 is off'],
};

/**
 * @param {object} props
 * @param {Page.Dice['settings'][0]} props.each
 * @param {boolean} props.disabled
 * @param {(name: string, value: number) => void} props.change
 */
const Slider = ({ each, disabled, change }) => {
  const [min, max, step, about] = SLIDERS[each.name];
  return (
    <label title={disabled ? 'Not for a model of characters: every letter has appeared already' : about}>
      <span>
        {each.label} <i>{each.shown}</i>
      </span>
      <input
        type="range"
        id={`dice-${each.name}`}
        min={min}
        max={max}
        step={step}
        value={each.value}
        disabled={disabled}
        aria-label={each.label}
        onChange={(event) => change(each.name, Number(event.target.value))}
      />
    </label>
  );
};

const after = (/** @type {Page.Chance} */ { probability }) => (probability === 0 ? 'cut' : percent(probability));

/** @param {{found: Page.Dice, resting: boolean}} props */
const Bars = ({ found, resting }) => {
  const most = Math.max(...found.top.map((each) => Math.max(each.raw_probability, each.probability ?? 0)));
  const width = (p) => ({ width: `${(100 * p) / most}%` });
  return (
    <>
      <p className="dice-keys">
        <span title="As the model said it, before any setting">
          <i className="raw" />
          raw: the model’s own
        </span>
        {found.entropy !== null && (
          <span title="What is drawn from: after temperature, top-k, top-p, min-p and the penalty">
            <i className="after" />
            after the samplers
          </span>
        )}
      </p>
      <p className="dice-row dice-head">
        <b />
        <span />
        <span>raw</span>
        <span>after</span>
      </p>
      <div className={`dice-rows${resting ? ' resting' : ''}`} id="dice-rows">
        {found.top.map((each) => (
          <div
            key={each.id}
            className={`dice-row${each.probability === 0 ? ' cut' : ''}`}
            data-token={each.id}
            title={`raw ${percent(each.raw_probability)}, after the samplers ${after(each)}`}
          >
            <b>{tokenSigns(createElement, each.text)}</b>
            <div className="dice-bars">
              <i className="raw" style={width(each.raw_probability)} />
              {each.probability !== null && <i className="after" style={width(each.probability)} />}
            </div>
            <span>{percent(each.raw_probability)}</span>
            <span>{after(each)}</span>
          </div>
        ))}
      </div>
    </>
  );
};

/** @param {{found: Page.Dice}} props */
const Told = ({ found: { raw_entropy: raw, entropy, kept, vocab_size: all } }) =>
  raw === null || entropy === null || kept === null || all === null ? (
    <p id="dice-told">
      This model is on a server, which tells its likeliest tokens and not what the samplers make of them: the settings
      count when it writes, and are not drawn here.
    </p>
  ) : (
    <p id="dice-told">
      The model is as undecided as between {choices(raw)}. After the samplers{' '}
      {kept === 1 ? (
        'one token is left, so there is nothing to draw.'
      ) : (
        <>
          it is as open as {choices(entropy)}, and <b>{count(kept)}</b> of {count(all)} tokens may still be drawn.
        </>
      )}
    </p>
  );

function StoryDice() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'dice', ENTRY);
  const { state, model } = store;
  if (!store.dice) store.dice = { settings: {} };
  const { dice } = store;
  const words = (open && input()?.value) || '';
  const asked =
    open && state && !state.writing
      ? JSON.stringify([state.revision, model, words, dice.settings, state.tuning.changes])
      : null;

  useEffect(() => {
    if (!open) return undefined;
    const hear = ({ target }) => target === input() && store.tell();
    document.addEventListener('input', hear);
    return () => document.removeEventListener('input', hear);
  }, [open, store]);

  useEffect(() => {
    if (!asked || dice.asked === asked) return undefined;
    const put = (answer) => {
      if (dice.asked !== asked) return;
      Object.assign(dice, { error: null }, answer);
      store.tell();
    };
    const timer = setTimeout(() => {
      dice.asked = asked;
      store.query({ query: 'dice', model, words, settings: dice.settings }).then(
        (found) => put({ found }),
        (error) => put({ error: error.message }),
      );
    }, ASK_MS);
    return () => clearTimeout(timer);
  }, [asked]);

  if (!open || !state) return null;
  const { found, error, settings } = dice;
  const change = (name, value) => {
    dice.settings = { ...settings, [name]: value };
    store.tell();
  };
  const goOn = () => {
    store.send('Continue', { ask: 'continue', words: literal(words), settings });
    if (words) setInput('');
  };
  const values = found?.settings.map((each) =>
    each.name in settings && settings[each.name] !== each.value
      ? { ...each, value: settings[each.name], shown: `${settings[each.name]}` }
      : each,
  );
  const command = beginsAsCommand(words);
  return (
    <section className="panel" id="panel-dice" aria-label="Dice">
      {panelHead(createElement, 'The dice', () => store.open('dice'))}
      <p className="about">
        The model gives each token it knows a chance, and one is drawn. See what the settings make of the chances,
        before anything is written.
      </p>
      {found && (
        <p
          className="dice-after"
          id="dice-after"
          title="What stands before the token that is drawn next; words in the composer count"
        >
          {found.after ? `…${found.after}` : 'A blank page'}
        </p>
      )}
      {!found && !error && <p className="status">asking the model…</p>}
      {error && (
        <p className="error" id="dice-error">
          {error}
        </p>
      )}
      {values && (
        <div className="dice-sliders">
          {values.map((each) => (
            <Slider
              key={each.name}
              each={each}
              change={change}
              disabled={each.name === 'repetition_penalty' && Boolean(found?.characters)}
            />
          ))}
        </div>
      )}
      {found && (
        <div className="dice-buttons">
          <button
            type="button"
            className="wanted"
            id="dice-go"
            disabled={state.writing || Boolean(error) || command}
            onClick={goOn}
            title="The model writes on with these settings, this once; the chat keeps its own"
          >
            Continue with these
          </button>
          <button
            type="button"
            className="quiet"
            id="dice-once"
            disabled={!Object.keys(settings).length || state.writing}
            onClick={() => {
              store.act({ act: 'once', settings });
              dice.settings = {};
              store.tell();
            }}
            title="Write the next message with these settings, whenever you send it"
          >
            For the next message
          </button>
          <button
            type="button"
            className="quiet"
            id="dice-reset"
            disabled={!Object.keys(settings).length}
            onClick={() => {
              dice.settings = {};
              store.tell();
            }}
            title="Back to the settings of the chat"
          >
            As the chat is set
          </button>
        </div>
      )}
      {state.writing && <p className="about">When the passage is written, the dice are those at its end.</p>}
      {found && !error && <Told found={found} />}
      {found && <Bars found={found} resting={state.writing || Boolean(error)} />}
    </section>
  );
}

export default window.inkling.lasting('StoryDice', StoryDice);
