// @ts-check
// How the text looks: font, size, width of a line and spacing, as the writer likes to read. It shows at once.

import { sessionIdState } from '@chainlit/react-client';
import { createElement, useEffect, useReducer } from 'react';
import { useRecoilValue } from 'recoil';

const { panelHead } = window.inkling.panel;
const { changes, DIALS, FACES, keepLook, lookNow, onLook, setLook, USUAL } = window.inkling.look;
const { holding } = window.inkling.places;
const ENTRY = { label: 'Look', title: 'Font, size, width and spacing of the text, as you like to read', place: 9 };

/** @typedef {import('../shared/look.js').DialName} DialName */
/** @typedef {import('../shared/look.js').Look} Look */

const box = () => document.getElementById('story-text');

/** Change how the text looks; what is read stays where it is. @param {() => void} change */
const changing = (change) => {
  const page = box();
  holding(page, () => {
    change();
    if (page) window.inkling.drawLook(page);
  });
};

/** @param {{look: Look, pick: (face: string) => void}} props */
const Faces = ({ look, pick }) => (
  <fieldset className="look-faces">
    <legend>Font</legend>
    {Object.entries(FACES).map(([name, { label, about, fonts }]) => (
      <label key={name} className="look-face">
        <input
          type="radio"
          name="look-face"
          id={`look-face-${name}`}
          checked={look.face === name}
          onChange={() => pick(name)}
        />
        <b style={{ fontFamily: fonts || 'var(--book-font)' }}>{label}</b>
        <small>{about}</small>
      </label>
    ))}
  </fieldset>
);

/** @param {{name: DialName, value: number, turn: (value: number) => void}} props */
const Dial = ({ name, value, turn }) => {
  const { label, least, most, step, said } = DIALS[name];
  return (
    <div className="look-dial">
      <label htmlFor={`look-${name}`}>
        {label}
        <output htmlFor={`look-${name}`}>{said(value)}</output>
      </label>
      <input
        id={`look-${name}`}
        type="range"
        min={least}
        max={most}
        step={step}
        value={value}
        aria-label={label}
        aria-valuetext={said(value)}
        onChange={(event) => turn(Number(event.target.value))}
      />
    </div>
  );
};

function StoryLook() {
  const store = window.inkling.useStory({ useEffect, useReducer }, useRecoilValue(sessionIdState));
  const open = window.inkling.usePanel({ useEffect }, store, 'look', ENTRY);
  useEffect(
    () =>
      onLook(() => {
        changing(keepLook);
        store.tell();
      }),
    [store],
  );

  if (!open || !store.state) return null;
  const look = lookNow();
  const set = (/** @type {Partial<Look>} */ more) => {
    changing(() => setLook({ ...look, ...more }));
    store.tell();
  };
  return (
    <section className="panel" id="panel-look" aria-label="Look">
      {panelHead(createElement, 'Look', () => store.open('look'))}
      <p className="about">
        How every story looks in this browser, and what you type. No word of it changes, and neither does what you save.
      </p>
      <Faces look={look} pick={(face) => set({ face })} />
      {
        /** @type {DialName[]} */ (Object.keys(DIALS)).map((name) => (
          <Dial key={name} name={name} value={look[name]} turn={(value) => set({ [name]: value })} />
        ))
      }
      <div className="look-sample" id="look-sample" aria-hidden="true">
        <p>The fox went down to the river at night, and nobody but the moon was there to see it.</p>
        <p>“Who is there?” said the owl.</p>
      </div>
      <button
        type="button"
        className="wanted"
        id="look-reset"
        // Not disabled: the focus would be lost.
        aria-disabled={!Object.keys(changes(look)).length}
        title="Font, size, width and spacing as they were before you changed anything"
        onClick={() => set(USUAL)}
      >
        As it was
      </button>
    </section>
  );
}

export default window.inkling.lasting('StoryLook', StoryLook);
