// @ts-check
// Every model with its card: a table to compare them at a glance, and all that is known of the one that was clicked.

import { sessionIdState, useChatInteract } from '@chainlit/react-client';
import { createElement, useEffect, useReducer, useRef } from 'react';
import { useRecoilValue } from 'recoil';

const { curveKey, errorLine, panelHead } = window.inkling.panel;
const ENTRY = {
  label: 'All models',
  place: 7,
  title: 'A card for each model on this machine: how large, how good, trained on what, by which command',
};
/**
 * @type {{name: import('../shared/cards.js').Column, label: string, title: string,
 *   text: (row: Page.ModelLine) => string, way: 1 | -1}[]}
 */
const COLUMNS = [
  { name: 'key', label: 'Model', title: 'By name', text: (row) => row.key, way: 1 },
  {
    name: 'val_bpb',
    label: 'Bits per byte',
    title:
      'How well it foretells text it never saw: fewer bits are better. ' +
      'Only models judged on the same text are compared',
    text: (row) => (row.val_bpb === null ? '–' : row.val_bpb.toFixed(3)),
    way: 1,
  },
  {
    name: 'parameters',
    label: 'Size',
    title: 'Parameters: the numbers it learnt',
    text: (row) => (row.parameters === null ? '–' : inShort(row.parameters)),
    way: -1,
  },
  {
    name: 'date',
    label: 'Date',
    title: 'When it was trained; the latest first',
    text: (row) => row.date || '–',
    way: -1,
  },
];
const { blocks, cells, parted, plain, words } = window.inkling.cards;
const { inShort } = window.inkling.numbers;

const Table = ({ v, store, show }) => (
  <table id="models-table">
    <thead>
      <tr>
        {COLUMNS.map(({ name, label, title, way }) => {
          const on = v.sort[0] === name;
          return (
            <th key={name} aria-sort={on ? (v.sort[1] > 0 ? 'ascending' : 'descending') : 'none'}>
              <button
                type="button"
                id={`sort-${name}`}
                title={title}
                onClick={() => {
                  v.sort = [name, on ? -v.sort[1] : way];
                  store.tell();
                }}
              >
                {label}
                {on ? (v.sort[1] > 0 ? ' ↑' : ' ↓') : ''}
              </button>
            </th>
          );
        })}
      </tr>
    </thead>
    {parted(v.rows, v.sort).map(({ head, rows }) => (
      <tbody key={head}>
        {head && (
          <tr className="models-text">
            <th scope="rowgroup" colSpan={COLUMNS.length}>
              {head}
            </th>
          </tr>
        )}
        {rows.map((row) => (
          <tr key={row.key} data-model={row.key} aria-selected={row.key === v.shown} onClick={() => show(row.key)}>
            {COLUMNS.map(({ name, text }) => (
              <td key={name}>
                {name === 'key' ? (
                  <button type="button" title={`Read the card of “${row.key}”`}>
                    {row.key}
                    {row.key === store.model ? ' ✓' : ''}
                  </button>
                ) : (
                  text(row)
                )}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    ))}
  </table>
);

const Block = ({ kind, lines }) => {
  if (kind === 'head') return <h4>{plain(lines[0])}</h4>;
  if (kind === 'words') return <p>{words(lines.join(' '))}</p>;
  if (kind === 'code') return <pre>{lines.map(plain).join('\n')}</pre>;
  if (kind === 'quote') return <blockquote>{lines.map(plain).join('\n')}</blockquote>;
  const rows = lines.map(cells).filter((row) => row.some(Boolean));
  if (kind === 'row' && rows.length)
    return (
      <table>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at}>
              {row.map((cell, i) => (
                <td key={i}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    );
  return null;
};

/** @param {{card: Page.ModelCard, chosen: boolean, busy: boolean, write: () => void, why: () => void}} props */
const Card = ({ card, chosen, busy, write, why }) => {
  const box = useRef(null);
  const { train, valid } = card.curve;
  useEffect(() => {
    if (box.current && window.inkling.drawCurve) window.inkling.drawCurve(box.current, { curve: card.curve });
  }, [card]);
  return (
    <article id="model-card" data-model={card.key}>
      <div className="model-head">
        <h3>{card.key}</h3>
        <button
          type="button"
          id="model-write"
          className="wanted"
          disabled={chosen || busy}
          onClick={write}
          title="Pick this model below the page: it writes from now on"
        >
          {chosen ? 'Writes now' : 'Write with this one'}
        </button>
      </div>
      <dl>
        {card.facts.map(([label, value]) => (
          <div key={label} data-known={value !== 'not known'}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {train.length + valid.length > 0 && (
        <>
          <div id="model-curve" ref={box} />
          {curveKey(createElement)}
        </>
      )}
      {card.picture && <img id="model-picture" src={card.picture} alt="How its loss fell while it was trained" />}
      <p>
        <button
          type="button"
          id="model-why"
          className="quiet"
          onClick={why}
          title="Where it stands between noise and the best that its text allows, and what would help it most"
        >
          Why is it gibberish?
        </button>
      </p>
      {card.commands.length > 0 && (
        <>
          <h4>Trained by</h4>
          {card.commands.map((line) => (
            <pre key={line}>{line}</pre>
          ))}
        </>
      )}
      {card.text.trim() && (
        <details id="model-text">
          <summary title="README.md, as it lies in the model's folder">The card it came with</summary>
          <div className="model-text">
            {blocks(card.text).map((block, at) => (
              <Block key={at} {...block} />
            ))}
          </div>
        </details>
      )}
    </article>
  );
};

function StoryModels() {
  const { windowMessage } = useChatInteract();
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'models', ENTRY);
  if (!store.shelf) store.shelf = { rows: null, sort: ['val_bpb', 1], shown: null, card: null, problem: '' };
  const v = store.shelf;

  const ask = async (todo) => {
    try {
      await todo();
      v.problem = '';
    } catch (error) {
      v.problem = error.message;
    }
    store.tell();
  };
  const show = (key) =>
    ask(async () => {
      v.shown = key;
      const card = await store.query({ query: 'card', model: key });
      if (v.shown === key) v.card = card;
    });
  const opened = async () => {
    v.rows = (await store.query({ query: 'models' })).models;
    const there = v.rows.some((row) => row.key === v.shown);
    if (v.rows.length) await show(there ? v.shown : (v.rows.find((row) => row.key === store.model) || v.rows[0]).key);
  };
  useEffect(() => {
    if (open && store.state) ask(opened);
  }, [open, store]);

  if (!open || !store.state) return null;
  return (
    <section className="panel wide" id="models-panel" aria-label="All models">
      {panelHead(createElement, 'All models', () => store.open('models'))}
      <p className="about">
        Every model in <code>checkpoints/</code>, <code>runs/</code> and <code>INKLING_MODELS</code>. Click one to read
        its card; ✓ writes now.
      </p>
      {errorLine(createElement, v.problem)}
      {v.rows ? <Table v={v} store={store} show={show} /> : !v.problem && <p className="status">looking for models…</p>}
      {v.card && v.card.key === v.shown && (
        <Card
          card={v.card}
          chosen={v.card.key === store.model}
          busy={store.state.writing}
          write={() => windowMessage({ type: 'story_model', model: v.shown })}
          why={() => store.open('why', v.shown)}
        />
      )}
    </section>
  );
}

export default window.inkling.lasting('StoryModels', StoryModels);
