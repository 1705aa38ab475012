// @ts-check
// Memory and author's note: what the model reads beside the story, and what they cost of its window.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useMemo, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { errorLine, panelHead } = window.inkling.panel;
const { CAME_BACK, DEEPEST, dropTyped, keepTyped, LONGEST_MEMORY, LONGEST_NOTE, typedFor } = window.inkling.beside;
const { drafts, here, say } = window.inkling.desk;
const { aboutBeside } = window.inkling.sentences;
const { count } = window.inkling.numbers;
const ENTRY = { label: 'Memory', title: 'Memory and author’s note: what the model reads beside the story', place: 2 };
const PAUSE_MS = 300;

/** @typedef {import('../shared/store.js').Beside} Beside */

/**
 * What the window holds, as a bar: memory, note and as much of the story as is left room for.
 *
 * @param {{cost: Page.Queries['context']}} props
 */
const Cost = ({ cost }) => {
  const { memory, note, story, window: size, about, said } = cost;
  const seen = Math.max(0, Math.min(story, size - memory - note - 1));
  /** @type {['memory' | 'note' | 'story', string, number][]} */
  const parts = [
    ['memory', 'Memory', memory],
    ['note', 'Note', note],
    ['story', 'Story', seen],
  ];
  return (
    <>
      <div className="memory-bar" aria-hidden="true">
        {parts.map(([name, , tokens]) => (
          <span key={name} data-part={name} style={{ width: `${(100 * tokens) / size}%` }} />
        ))}
      </div>
      <p className="memory-parts">
        {parts.map(([name, label, tokens]) => (
          <span key={name} data-part={name} data-tokens={tokens}>
            <i aria-hidden="true" /> {label} {about && tokens > 0 && 'about '}
            {count(tokens)}
            {name === 'story' && story > seen && ` of ${count(story)}`}
          </span>
        ))}
        <span>tokens</span>
      </p>
      <p id="memory-said">{said}</p>
    </>
  );
};

/** @param {import('../shared/store.js').Store} store @param {Page.Context} now @param {string} asked "" for none. */
const useCost = (store, now, asked) => {
  useEffect(() => {
    if (!asked) return undefined;
    let wanted = true;
    const take = (/** @type {Partial<Beside>} */ news) => {
      if (!wanted) return;
      store.beside = { ...store.beside, cost: undefined, error: undefined, ...news };
      store.tell();
    };
    const timer = setTimeout(
      () => {
        store.query({ query: 'context', ...now, model: store.model }).then(
          (cost) => take({ cost }),
          (error) => take({ error: error.message }),
        );
      },
      store.beside?.cost || store.beside?.error ? PAUSE_MS : 0,
    );
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [asked]);
};

/**
 * What was typed and is not set: it is said when it comes back, and forgotten once it is in force.
 *
 * @param {import('../shared/store.js').Store} store
 */
const useTyped = (store) => {
  const { state } = store;
  // Every token draws this anew: the storage is read where something in it may have changed.
  const mark = state ? `${here()} ${drafts.version}` : '';
  const typed = useMemo(() => (mark ? typedFor(drafts, here()) : {}), [mark]);
  useEffect(() => {
    if (!state) return;
    if (!aboutBeside.differs(state.context, { ...state.context, ...typed })) dropTyped(drafts, here());
    else if (store.beside?.story !== state.story) say(CAME_BACK);
    store.beside = { ...store.beside, story: state.story };
  }, [state?.story, state?.context]);
  return typed;
};

function StoryMemory() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'memory', ENTRY);
  const { state } = store;
  const set = state?.context ?? { memory: '', note: '', depth: 3 };
  const now = { ...set, ...useTyped(store) };
  const changed = aboutBeside.differs(set, now);
  const asked = open && state && !state.writing ? JSON.stringify([state.revision, store.model, now]) : '';
  useCost(store, now, asked);

  if (!open || !state) return null;
  const { cost, error } = store.beside || {};
  const type = (/** @type {Partial<Page.Context>} */ more) => {
    keepTyped(drafts, here(), set, more);
    store.tell();
  };
  const keep = (/** @type {import('react').FormEvent} */ event) => {
    event.preventDefault();
    store.act({ act: 'context', ...now });
  };
  const box = (name, label, longest, rows, example, about) => (
    <>
      <label htmlFor={`memory-${name}`}>{label}</label>
      <p className="about" id={`memory-${name}-about`}>
        {about}
      </p>
      <textarea
        id={`memory-${name}`}
        rows={rows}
        maxLength={longest}
        aria-describedby={`memory-${name}-about`}
        placeholder={example}
        value={now[name]}
        onChange={(event) => type({ [name]: event.target.value })}
      />
    </>
  );
  return (
    <section className="panel" id="panel-memory" aria-label="Memory">
      {panelHead(createElement, 'Memory', () => store.open('memory'))}
      <p className="about">
        The model reads them beside the story; they are no part of its text. Each passage notes what it was written
        with.
      </p>
      <form className="memory-form" onSubmit={keep}>
        {box('memory', 'Memory', LONGEST_MEMORY, 6, 'Tom is a red fox. He lives by the mill.', [
          'Stands first, however long the story gets: who is who, and what must not be forgotten.',
        ])}
        {box('note', 'Author’s note', LONGEST_NOTE, 2, 'It was a sad and quiet day.', [
          'Stands near the end, where it tells more: what the next words should be like. It is read as it is, ',
          'so say it as the texts would that the model learnt from.',
        ])}
        <label className="memory-depth" htmlFor="memory-depth">
          Paragraphs of the story after the note
          <input
            id="memory-depth"
            type="number"
            min={1}
            max={DEEPEST}
            value={now.depth}
            onChange={(event) => {
              const depth = Math.round(Number(event.target.value));
              if (depth >= 1 && depth <= DEEPEST) type({ depth });
            }}
          />
        </label>
        <div className="memory-foot">
          <button
            type="submit"
            className="wanted"
            id="memory-set"
            disabled={!changed}
            title="The next words are written with these; what stands there already stays as it is"
          >
            Use from now on
          </button>
          <output id="memory-state" htmlFor="memory-memory memory-note memory-depth">
            {aboutBeside.said(set, changed)}
          </output>
        </div>
      </form>
      {errorLine(createElement, error)}
      {cost && <Cost cost={cost} />}
    </section>
  );
}

export default window.inkling.lasting('StoryMemory', StoryMemory);
