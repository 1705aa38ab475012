// @ts-check
// Why is it gibberish? Where a model stands between noise and the best that its text allows, and what would help most.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { errorLine, panelHead } = window.inkling.panel;
const { askedFor, goes, newWhy, rows } = window.inkling.standing;
const ENTRY = {
  label: 'Gibberish?',
  title: 'Where a model stands between noise and the best that its text allows, and what would help it most',
  place: 8.1,
};

/** @param {{scale: Page.Mark[], note: string}} props */
const Scale = ({ scale, note }) => (
  <>
    <h3 id="why-scale-name">From noise to the best, in bits for each byte</h3>
    <ol id="why-scale" className="why-scale" aria-labelledby="why-scale-name">
      {rows(scale).map(({ kind, label, shown, width }) => (
        <li key={label} data-kind={kind}>
          <span className="why-label">
            {kind === 'model' ? (
              <>
                This model, <b>{label}</b>
              </>
            ) : (
              label
            )}
          </span>{' '}
          <span className="why-bits">{shown} bits</span>
          <span className="why-bar" aria-hidden="true">
            <i style={{ width: `${width}%` }} />
          </span>
        </li>
      ))}
    </ol>
    <p className="about">{note}</p>
  </>
);

/** @param {{found: Page.Queries['standing'], open: (panel: string) => void}} props */
const Found = ({ found, open }) => {
  const { where, expect, scale, note, advice } = found;
  return (
    <>
      <p className="why-where" id="why-where" role="status">
        {where}
      </p>
      {expect && <p id="why-expect">{expect}</p>}
      <section className="why-advice" aria-labelledby="why-advice-name">
        <h3 id="why-advice-name">What would help most</h3>
        <p id="why-advice" data-kind={advice.kind}>
          {advice.text}
        </p>
        {goes(advice) && (
          <p>
            <button
              type="button"
              className="wanted"
              id="why-go"
              onClick={() => open(advice.panel)}
              title="The panel where this can be done"
            >
              {goes(advice)}
            </button>
          </p>
        )}
      </section>
      {scale.length > 0 && <Scale scale={scale} note={note} />}
    </>
  );
};

function StoryWhy() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'why', ENTRY);
  const { state } = store;
  store.why ??= newWhy();
  const v = store.why;
  const keys = state ? state.models.map(({ key }) => key) : [];
  // A run that was trained just now may not be among the models that the page knows of: the server says what it is.
  const model = v.model || store.about || store.model || null;
  const asked = open && state ? askedFor(model, state) : '';

  // What was chosen here holds until it is closed, or opened for another one.
  useEffect(() => {
    v.model = null;
  }, [open, store.about]);
  useEffect(() => {
    v.asked = asked;
    if (!asked || !model) return;
    if (v.error) {
      v.error = undefined;
      store.tell();
    }
    const put = (/** @type {Partial<typeof v>} */ answer) => {
      if (v.asked !== asked) return;
      Object.assign(v, { found: undefined, error: undefined }, answer);
      store.tell();
    };
    store.query({ query: 'standing', model }).then(
      (found) => put({ found }),
      (error) => put({ error: error.message }),
    );
  }, [asked]);

  if (!open || !state) return null;
  const found = v.found?.model === model ? v.found : null;
  return (
    <section className="panel" id="panel-why" aria-label="Why is it gibberish?">
      {panelHead(createElement, 'Why is it gibberish?', () => store.open('why'))}
      <label className="why-model">
        Model{' '}
        <select
          id="why-model"
          value={model || ''}
          title="Which one to ask about"
          onChange={(event) => {
            v.model = event.target.value;
            store.tell();
          }}
        >
          {[...keys, ...(model && !keys.includes(model) ? [model] : [])].map((key) => (
            <option key={key} value={key}>
              {key}
            </option>
          ))}
        </select>
      </label>
      {errorLine(createElement, v.error)}
      {!found && !v.error && <p className="status">reading its notes, or its training text where it has none…</p>}
      {found && <Found found={found} open={(panel) => store.open(panel)} />}
    </section>
  );
}

export default window.inkling.lasting('StoryWhy', StoryWhy);
