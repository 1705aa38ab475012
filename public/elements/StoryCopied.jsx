// @ts-check
// Did it copy? A passage held against the text that its model learnt from.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { panelHead } = window.inkling.panel;
const ENTRY = {
  label: 'Did it copy?',
  title: 'Which words of the last passage stand just so in the text that its model learnt from',
  place: 8,
};

const { count, wholePercent } = window.inkling.numbers;
const { aboutCopied, aboutHashes } = window.inkling.sentences;

/** @typedef {import('../shared/store.js').Store} Store */

/** @param {{found: Page.Copied}} props */
const Found = ({ found }) => (
  <>
    <p className="copied-share" id="copied-share">
      {wholePercent(found.new)} new
    </p>
    <p>
      {aboutCopied(found)}{' '}
      {`Marked is every run of ${found.copied_words} words or more that stands word for word in the `}
      {count(found.source_words)} words that <b>{found.model}</b> learnt from; the longest is marked darker.
    </p>
    <div className="copied-text" id="copied-text">
      {found.pieces.map(([kind, text], at) =>
        kind === 'new' ? (
          text
        ) : (
          <mark key={at} className={kind}>
            {text}
          </mark>
        ),
      )}
    </div>
    {found.hashed && (
      <>
        {found.longest && <p id="copied-longest">The longest run has {found.longest.words} words.</p>}
        <p className="about" id="copied-hashes">
          {aboutHashes(found.hashed)}
        </p>
        <Bring why="To see where, bring the text" command={found.hashed.command} />
      </>
    )}
    {found.longest && !found.hashed && (
      <>
        <h3>
          The longest run: {found.longest.words} {found.longest.words === 1 ? 'word' : 'words'}, as the training text
          has it
        </h3>
        <p className="copied-quote" id="copied-quote">
          {found.longest.before && `… ${found.longest.before} `}
          <b>{found.longest.quote}</b>
          {found.longest.after && ` ${found.longest.after} …`}
        </p>
      </>
    )}
  </>
);

/** @param {{why: string, command: string}} props */
const Bring = ({ why, command }) =>
  command && (
    <>
      <p className="about">{why}: with its files at hand, in Inkling’s folder,</p>
      <pre>{command}</pre>
    </>
  );

/** @param {Page.NotHere['missing'] & {train: () => void}} props */
const Missing = ({ why, command, train }) => (
  <>
    <p id="copied-error">{why}</p>
    <p>Of a model that you train here the text is here too: whatever it writes can be looked at.</p>
    <p>
      <button
        type="button"
        className="wanted"
        id="copied-train"
        onClick={train}
        title="Open “Train”: bring a text, and a model learns from it"
      >
        Train a model of your own
      </button>
    </p>
    <Bring why="Or bring the text of this one" command={command} />
  </>
);

function StoryCopied() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'copied', ENTRY);
  const { state } = store;
  const written = state ? state.passages.filter((each) => each.author === 'model') : [];
  const passage = written.find((each) => each.id === store.about) || written[written.length - 1];
  const asked = open && passage && !state?.writing ? `${passage.id} ${passage.tokens.length}` : null;

  useEffect(() => {
    if (!asked || store.copied?.asked === asked) return;
    store.copied = { asked };
    const put = (/** @type {Partial<Store['copied']>} */ answer) => {
      if (store.copied?.asked !== asked) return;
      Object.assign(store.copied, answer);
      store.tell();
    };
    store.query({ query: 'copied', passage: passage.id }).then(
      (found) => put({ found }),
      (error) => put({ error: error.message }),
    );
  }, [asked]);

  if (!open || !state) return null;
  const { found, error } = (asked && store.copied) || {};
  return (
    <section className="panel" id="panel-copied" aria-label="Did it copy?">
      {panelHead(createElement, 'Did it copy?', () => store.open('copied'))}
      {!passage && (
        <p className="about">
          Let the model write something first; then its words are looked for in the text it learnt from.
        </p>
      )}
      {passage && state.writing && <p className="about">When the passage is written, it is looked at.</p>}
      {asked && !found && !error && <p className="status">reading the training text…</p>}
      {error && (
        <p className="about" id="copied-error">
          {error}
        </p>
      )}
      {found && 'missing' in found && <Missing {...found.missing} train={() => store.open('train')} />}
      {found && !('missing' in found) && <Found found={found} />}
    </section>
  );
}

export default window.inkling.lasting('StoryCopied', StoryCopied);
