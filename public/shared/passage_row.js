// @ts-check
// What can be done with the passage that was clicked.
import { button, make } from './dom.js';

export const PREVIOUS = 'The version before this one (Alt+,)';
export const NEXT = 'The version after this one (Alt+.)';
export const RETRY = 'The model writes this passage anew; the old one stays, see the arrows (Alt+R)';

/** @typedef {import('./store.js').Store} Store */

/**
 * The ways to the alternatives beside a passage.
 *
 * @param {Pick<Page.Passage, 'place' | 'places'>} passage
 * @returns {{name: string, label: string, said: string, title: string, by: number, disabled: boolean}[]}
 */
export const stepsOf = ({ place, places }) => [
  { name: 'previous', label: '◀', said: 'Previous version', title: PREVIOUS, by: -1, disabled: place === 1 },
  { name: 'next', label: '▶', said: 'Next version', title: NEXT, by: 1, disabled: place === places },
];

const arrows = (/** @type {Page.Passage} */ passage, /** @type {Store} */ store) => {
  if (passage.places < 2) return [];
  const [previous, next] = stepsOf(passage).map(({ name, label, said, title, by, disabled }) =>
    Object.assign(
      button(name, label, title, () => store.act({ act: 'step', passage: passage.id, by }), disabled),
      { ariaLabel: said },
    ),
  );
  return [previous, make('span', 'place', `${passage.place}/${passage.places}`), next];
};

/** What only the model's own words can be asked. */
const modelButtons = (/** @type {string} */ id, /** @type {Store} */ store) => [
  button(
    'retry-with',
    'Retry with…',
    'Turn the dials that made this passage, and write it anew; the old one stays',
    () => store.open('tune', id),
  ),
  button('again', 'Same again', 'Write it once more from its own settings and seed: the same text, to the letter', () =>
    store.send('Same again', { ask: 'again', passage: id }),
  ),
  button('copied', 'Is this copied?', 'Look for the words of this passage in the text that its model learnt from', () =>
    store.open('copied', id),
  ),
];

/**
 * @param {Page.Passage} passage
 * @param {boolean} last Nothing follows it.
 * @param {Store} store
 * @param {() => void} edit
 */
export const passageRow = (passage, last, store, edit) => {
  const { id, author, tokens } = passage;
  const row = make('span', 'passage-row');
  row.setAttribute('role', 'toolbar');
  row.setAttribute('aria-label', 'What to do with this passage');
  const retry = () => store.send('Retry', { ask: 'retry', passage: id, takes: store.takes });
  row.append(...arrows(passage, store));
  if (author !== 'writer') row.append(button('retry', 'Retry', RETRY, retry));
  row.append(button('edit', 'Edit', 'Change these words; the text as it was stays, as an alternative', edit));
  if (!last)
    row.append(
      button(
        'branch',
        'Branch from here',
        'Go on from the end of this passage; what follows now stays, see the arrows',
        () => store.act({ act: 'branch', passage: id }),
      ),
    );
  const { readFrom } = store;
  if (readFrom)
    row.append(button('aloud', 'Read aloud', 'The browser’s own voice reads from this passage on', () => readFrom(id)));
  if (author !== 'model') return row;
  row.append(...modelButtons(id, store));
  const { token } = store;
  if (token !== null && token < tokens.length - 1)
    row.append(
      button(
        'cut',
        `Cut after “${tokens[token].trim() || '↵'}”`,
        'Keep the words up to the one you clicked, and go on from there; the whole passage stays as an alternative',
        () => store.act({ act: 'cut', passage: id, tokens: token + 1 }),
      ),
    );
  return row;
};
