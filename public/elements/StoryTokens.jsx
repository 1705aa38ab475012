// @ts-check
// The token view: the model's tokens shaded by how likely it held them, and the dice of the one that is pointed at.
// StoryView marks each token with `data-odds`; what is open is kept in the store, for this is remounted at will.

import { sessionIdState, useChatData } from '@chainlit/react-client';
import { createElement, useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

/** @typedef {import('../shared/store.js').Store} Store */

const { tokenSigns } = window.inkling.panel;
const { choices, percent } = window.inkling.numbers;
const HOVER_MS = 130;
const LEAVE_MS = 350;
const GAP_PX = 6;
const LEVELS = ['at least 1 in 2', '1 in 5', '1 in 20', '1 in 100', 'rarer'];
const ABOUT =
  'The darker a token, the more of a surprise it was to the model itself. Point at one, or tap it, to see what else ' +
  'might have come.';
const BRANCH =
  'Branch here: this takes the place of the token, and the model goes on from it; the passage as it is stays, as an ' +
  'alternative';
const OWN =
  'It stands here. Press to keep the words up to here and go on from there; the whole passage stays, as an alternative';

/** @returns {any[]} */
const parts = () => [...document.querySelectorAll('#story-text .part[data-odds]')];
const partOf = (node) => (node?.closest ? node.closest('#story-text.shaded .part[data-odds]') : null);
/** @returns {HTMLElement | null} */
const nodeOf = ({ passage, at }) =>
  document.querySelector(`#story-text .passage[data-id="${passage}"] .part[data-i="${at}"]`);

const Piece = ({ text }) => <b>{tokenSigns(createElement, text)}</b>;

/** @param {{each: Page.Chance, own: boolean, busy: boolean, press: () => void}} props */
const Row = ({ each, own, busy, press }) => (
  <button
    type="button"
    className={`odds-row${own ? ' own' : ''}${each.probability === 0 ? ' cut' : ''}`}
    data-token={each.id}
    data-note={own ? 'stands here · go on from here' : undefined}
    disabled={busy}
    onClick={press}
    title={busy ? 'When the model has ended, or is stopped, you can branch' : own ? OWN : BRANCH}
  >
    <Piece text={each.text} />
    <span>{percent(each.raw_probability)}</span>
    <span>{each.probability === 0 ? 'cut' : percent(each.probability)}</span>
  </button>
);

/** @param {{found: Page.TokenDice, press: (token: number) => void, busy: boolean}} props */
const Found = ({ found, press, busy }) => {
  const own = found.top.some((each) => each.id === found.id);
  const rows = own ? found.top : [...found.top, found];
  return (
    <>
      {found.entropy !== null && (
        <p>
          Here the model was as undecided as between <b className="odds-choices">{choices(found.entropy)}</b>.
        </p>
      )}
      <div className="odds-head">
        <span>Token</span>
        <span title="The raw probability: as the model said it, before any setting">raw</span>
        <span title="The probability it was drawn with, after temperature, top-k, top-p, min-p and the penalty">
          after samplers
        </span>
      </div>
      {rows.map((each) => (
        <Row key={each.id} each={each} own={each.id === found.id} busy={busy} press={() => press(each.id)} />
      ))}
      {found.moved && (
        <p className="about">The words before this were changed since: these are its dice as they fell then.</p>
      )}
      <p className="about">
        {found.entropy === null
          ? 'Raw is what the model said. It is on a server, which tells its likeliest tokens and not what the ' +
            'samplers made of them. '
          : 'Raw is what the model said; the samplers are your settings. '}
        Press another token to branch here.
      </p>
    </>
  );
};

// Below the token, or above it where there is more room.
const place = (rect) => {
  const left = Math.max(8, Math.min(rect.left, window.innerWidth - Math.min(368, window.innerWidth - 16) - 8));
  const below = window.innerHeight - rect.bottom;
  return rect.top > below
    ? { left, bottom: window.innerHeight - rect.top + GAP_PX, maxHeight: rect.top - 2 * GAP_PX }
    : { left, top: rect.bottom + GAP_PX, maxHeight: below - 2 * GAP_PX };
};

const opener = (/** @type {Store} */ store) => {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const show = (node, pinned) => {
    clearTimeout(timer);
    const [passage, at] = [node.closest('.passage').dataset.id, Number(node.dataset.i)];
    const { odds } = store;
    if (odds && odds.passage === passage && odds.at === at) {
      odds.pinned = odds.pinned || pinned;
      return;
    }
    const opened = { passage, at, pinned };
    store.odds = opened;
    const put = (answer) => {
      Object.assign(opened, answer);
      if (store.odds === opened) store.tell();
    };
    store.query({ query: 'token', passage, at }).then(
      (found) => put({ found }),
      (error) => put({ error: error.message }),
    );
    store.tell();
  };
  const close = () => {
    clearTimeout(timer);
    if (!store.odds) return;
    store.odds = null;
    store.tell();
  };
  const later = (todo, ms) => {
    clearTimeout(timer);
    timer = setTimeout(todo, ms);
  };
  return { show, close, later };
};

const walk = (event, node) => {
  const all = parts();
  const next = all[all.indexOf(node) + (event.key === 'ArrowRight' ? 1 : -1)];
  if (!next) return;
  event.preventDefault();
  node.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
};

const listen = (/** @type {Store} */ store) => {
  const { show, close, later } = opener(store);
  const on = {
    mouseover: ({ target }) => {
      const node = partOf(target);
      if (store.odds?.pinned) return;
      if (node) later(() => show(node, false), HOVER_MS);
      else if (target.closest('.odds')) later(() => {}, 0);
      else later(close, LEAVE_MS);
    },
    click: ({ target }) => {
      const node = partOf(target);
      if (node) show(node, true);
      else if (!target.closest('.odds')) close();
    },
    focusin: ({ target }) => partOf(target) && show(partOf(target), false),
    keydown: (event) => {
      const node = partOf(event.target);
      if (event.key === 'Escape' && store.odds) {
        const back = nodeOf(store.odds);
        close();
        if (back && event.target.closest('.odds')) back.focus({ preventScroll: true });
        close();
      } else if (node && /^Arrow(Left|Right)$/.test(event.key)) walk(event, node);
      else if (node && /^(Enter|ArrowDown)$/.test(event.key) && !event.ctrlKey && !event.metaKey) {
        event.preventDefault();
        show(node, true);
        /** @type {HTMLElement | null} */ (document.querySelector('.odds .odds-row'))?.focus();
      }
    },
    // The text moves under it as it streams and scrolls.
    scroll: ({ target }) => store.odds && !target.closest?.('.odds') && store.tell(),
  };
  Object.entries(on).forEach(([event, hear]) => document.addEventListener(event, hear, true));
  return () => {
    close();
    Object.entries(on).forEach(([event, hear]) => document.removeEventListener(event, hear, true));
  };
};

function StoryTokens() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const { loading } = useChatData();
  const { state, shaded, odds } = store;
  const busy = loading || Boolean(state?.writing);

  useEffect(() => (shaded ? listen(store) : undefined), [shaded, store]);
  useEffect(() => {
    const text = document.getElementById('story-text');
    if (!text) return;
    text.classList.toggle('shaded', Boolean(shaded));
    const all = parts();
    if (!shaded) all.forEach((node) => node.removeAttribute('tabindex'));
    else if (all.length && !all.some((node) => node.tabIndex === 0)) all[0].tabIndex = 0;
    const node = odds && nodeOf(odds);
    all.forEach((each) => each.classList.toggle('opened', each === node));
  });

  if (!state || !shaded) return null;
  const node = odds && nodeOf(odds);
  const press = (token) => {
    if (!odds?.found) return;
    const { passage, at, found } = odds;
    store.odds = null;
    if (token === found.id) store.act({ act: 'cut', passage, tokens: at + 1 });
    else store.send('Branch', { ask: 'fork', passage, at, token });
    store.tell();
  };
  return (
    <>
      <p className="story odds-legend" id="odds-legend" title={ABOUT}>
        How likely the model held each of its tokens:
        {LEVELS.map((label, level) => (
          <span key={level} data-odds={level}>
            {label}
          </span>
        ))}
        <span>Point at one, or tap it.</span>
      </p>
      {node && (
        <section
          className="odds"
          id="odds"
          role="dialog"
          aria-label="The dice of this token"
          style={place(node.getBoundingClientRect())}
        >
          {!odds.found && !odds.error && <p className="about">looking…</p>}
          {odds.error && <p className="about">{odds.error}</p>}
          {odds.found && <Found found={odds.found} press={press} busy={busy} />}
        </section>
      )}
    </>
  );
}

export default window.inkling.lasting('StoryTokens', StoryTokens);
