// @ts-check
// The contents: headings and scene breaks of the story, to go to.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { panelHead } = window.inkling.panel;
const { countWords } = window.inkling.counts;
const { count } = window.inkling.numbers;
const { firstSeen, frameOf, jump, JUMPED_TO, lastUpTo, mark, textOf, unmark } = window.inkling.places;
const ENTRY = { label: 'Contents', title: 'The headings and scene breaks of the story, to go to (Alt+G)', place: 2 };
const SHOWN_MS = 1600;
/** Below it a panel hides the story. */
const NARROW_PX = 640;

/** @typedef {import('../shared/landmarks.js').Landmark & {words: number}} Entry */

const box = () => document.getElementById('story-text');

/** The entries, each heading with the words up to the next one. @param {string} text @returns {Entry[]} */
const entriesOf = (text) => {
  const marks = window.inkling.landmarks(text);
  return marks.map((each, at) => {
    const next = marks.slice(at + 1).find(({ kind }) => kind === 'heading');
    const words = each.kind === 'heading' ? countWords(text.slice(each.end, next?.at)) : 0;
    return { ...each, words };
  });
};

/** Bring an entry into sight, and mark it for a moment. @param {import('../shared/store.js').Store} store */
const goTo = (store, /** @type {Entry} */ entry) => {
  const [page, { state }] = [box(), store];
  const frame = frameOf(page);
  if (!page || !frame || !state) return;
  store.follow = false;
  jump(page, frame, { start: entry.at, end: entry.end });
  mark(page, frame, [{ start: entry.at, end: entry.end }], 0);
  setTimeout(() => store.panel !== 'find' && unmark(page), SHOWN_MS);
};

function StoryContents() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'contents', ENTRY);
  const { state } = store;
  const list = /** @type {{current: any}} */ (useRef(null));
  const entries = /** @type {{current: Entry[]}} */ (useRef([]));
  const [, redraw] = useReducer((/** @type {number} */ n) => n + 1, 0);
  const here = /** @type {{current: number}} */ (useRef(-1));
  // While a model writes the list stands as it is.
  const asked = open && state ? (state.writing ? 'writing' : state.revision) : null;

  useEffect(() => {
    if (asked === null || !state || (asked === 'writing' && entries.current.length)) return;
    entries.current = entriesOf(textOf(state));
    redraw();
  }, [asked]);

  useEffect(() => {
    const page = box();
    const frame = frameOf(page);
    if (!open || !page || !frame) return undefined;
    const before = /** @type {HTMLElement | null} */ (document.activeElement);
    const look = () => {
      if (!store.state) return;
      const seen = firstSeen(page, frame, JUMPED_TO + 0.03);
      const now = lastUpTo(entries.current.length, (at) => entries.current[at].at, seen);
      if (now === here.current) return;
      here.current = now;
      redraw();
    };
    look();
    const timer = setTimeout(() => {
      const buttons = list.current?.querySelectorAll('button') || [];
      (buttons[Math.max(0, here.current)] || document.querySelector('#panel-contents header button'))?.focus();
    });
    frame.addEventListener('scroll', look, { passive: true });
    return () => {
      clearTimeout(timer);
      frame.removeEventListener('scroll', look);
      if (document.activeElement === document.body) before?.focus({ preventScroll: true });
    };
  }, [open]);

  if (!open || !state) return null;
  const close = () => store.open('contents');
  const pick = (/** @type {Entry} */ entry) => {
    if (window.innerWidth <= NARROW_PX) close();
    setTimeout(() => goTo(store, entry));
  };
  const press = (event) => {
    const buttons = [...list.current.querySelectorAll('button')];
    const at = buttons.indexOf(event.target);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    event.stopPropagation();
    buttons[to]?.focus();
  };
  const headings = entries.current.some(({ kind }) => kind === 'heading');
  return (
    <section className="panel" id="panel-contents" aria-label="Contents">
      {panelHead(createElement, 'Contents', close)}
      {entries.current.length === 0 && (
        <p className="about" id="contents-none">
          No headings yet. A line like “Chapter 3”, “Part Two: The Sea” or “# The Sea” is one; “* * *” or “---” alone on
          a line is a scene break.
        </p>
      )}
      <ol className="contents" data-headings={headings} ref={list} onKeyDown={press}>
        {entries.current.map((entry, at) => (
          <li key={entry.at} data-kind={entry.kind} data-level={entry.level}>
            <button
              type="button"
              aria-current={at === here.current ? 'location' : undefined}
              onClick={() => pick(entry)}
            >
              <span>{entry.kind === 'break' ? `⁂ ${entry.title}` : entry.title}</span>
              {entry.words > 0 && <i title={`${count(entry.words)} words`}>{count(entry.words)}</i>}
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

export default window.inkling.lasting('StoryContents', StoryContents);
