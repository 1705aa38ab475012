// @ts-check
// What can be done with the passage that was clicked.
import { unsent } from './desk.js';
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

/** @typedef {HTMLElement & {follow?: () => void}} EditRow follow: another window may have gone on with this edit. */

/**
 * The words of a passage to be changed, as they were left where they were not saved.
 *
 * @param {Page.Passage} passage
 * @param {() => void} fit
 */
const editField = ({ id, tokens }, fit) => {
  const field = /** @type {HTMLTextAreaElement} */ (make('textarea', 'edit-words'));
  const original = tokens.join('');
  let known = unsent.edit(id) ?? original;
  field.value = known;
  field.setAttribute('aria-label', 'The words of this passage');
  field.oninput = () => {
    fit();
    known = field.value;
    unsent.keepEdit(id, known === original ? null : known);
  };
  const follow = () => {
    const words = unsent.edit(id) ?? original;
    if (field.value !== known || words === known) return;
    known = words;
    field.value = words;
    fit();
  };
  return { field, follow, changed: () => field.value !== original };
};

/**
 * What leaves an edit: it asks whether changes may go, and gives whether there is anything to ask.
 *
 * @param {HTMLElement} row
 * @param {() => boolean} changed
 * @param {{save: () => void, goOn: () => void, drop: () => void}} answers
 */
const leaving = (row, changed, { save, goOn, drop }) => {
  const question = make('span', 'edit-question');
  question.setAttribute('role', 'alertdialog');
  question.setAttribute('aria-label', 'Your changes are not saved.');
  const back = () => {
    question.remove();
    row.classList.remove('asking');
    goOn();
  };
  const stay = button('stay', 'Go on editing', 'Back to your words (Esc)', back);
  question.append(
    make('span', '', 'Your changes are not saved.'),
    button('save', 'Save', 'Keep the new words; those after them stay', save),
    stay,
    button('drop', 'Throw them away', 'The passage stays as it was', drop),
  );
  return () => {
    if (!changed()) {
      drop();
      return false;
    }
    if (question.isConnected) back();
    else {
      row.classList.add('asking');
      row.append(question);
      stay.focus();
    }
    return true;
  };
};

/**
 * Save an edit, and have the model write on from it: never from the old words, where it cannot be sent.
 *
 * @param {Pick<Store, 'act' | 'send' | 'takes'>} store
 * @param {Extract<Page.Act, {act: 'edit'}>} edit
 */
export const saveAndGoOn = (store, edit) => {
  if (store.act({ ...edit, rest: false })) store.send('Continue', { ask: 'continue', takes: store.takes });
};

/**
 * @param {Page.Passage} passage
 * @param {Store} store
 * @param {() => void} done
 * @returns {EditRow}
 */
export const editRow = (passage, store, done) => {
  const row = make('span', 'passage-row editing');
  const fit = () => {
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight + 2}px`;
  };
  const { field, follow, changed } = editField(passage, fit);
  const edit = () => /** @type {const} */ ({ act: 'edit', passage: passage.id, text: field.value });
  const save = () => {
    store.act(edit());
    done();
  };
  const goOn = () => {
    saveAndGoOn(store, edit());
    done();
  };
  const drop = () => {
    unsent.keepEdit(passage.id, null);
    done();
  };
  // Esc comes by StoryControls, which hears it first.
  const leave = leaving(row, changed, { save, drop, goOn: () => field.focus() });
  store.leaveEdit = () => row.isConnected && leave();
  field.onkeydown = (event) => {
    event.stopPropagation();
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      save();
    }
  };
  row.append(
    field,
    button('save', 'Save', 'Keep the new words; those after them stay (Ctrl+Enter)', save),
    button('go-on', 'Save and continue', 'Keep the new words, and let the model write on from them', goOn),
    button('cancel', 'Cancel', 'Leave it as it was (Esc)', leave),
  );
  row.onclick = (event) => event.stopPropagation();
  requestAnimationFrame(() => {
    fit();
    field.focus();
  });
  return Object.assign(row, { follow });
};
