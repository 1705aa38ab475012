// @ts-check
// The words of a passage, to be changed where they stand, and the row beside them.
import { unsent } from './desk.js';
import { button, make } from './dom.js';
import { caretIn, editable, putCaret, setWords, wordsIn } from './in_place.js';
import { ownPieces, partAt } from './tokens.js';

/** @typedef {import('./store.js').Store} Store */

/**
 * @typedef {HTMLElement & {follow: () => void, renew: (mark: string, actions: () => HTMLElement) => void}} EditTools
 *   follow: another window may have gone on with this edit. renew: what else can be done with the passage, which stands
 *   beside its words until they are changed, is drawn anew where its mark is another.
 */

/**
 * The words of a passage to be changed, as they were left where they were not saved.
 *
 * @param {Page.Passage} passage
 * @param {() => void} typed
 */
const editField = (passage, typed) => {
  const { id, tokens } = passage;
  const original = tokens.join('');
  const field = editable('edit-words', 'The words of this passage', () => {
    known = wordsIn(field);
    unsent.keepEdit(id, known === original ? null : known);
    typed();
  });
  let known = unsent.edit(id) ?? original;
  setWords(field, known === original ? ownPieces(passage) : [{ text: known, own: false }]);
  const follow = () => {
    const words = unsent.edit(id) ?? original;
    if (words === known) return;
    const caret = document.activeElement === field ? caretIn(field) : null;
    known = words;
    setWords(field, [{ text: words, own: false }]);
    if (caret !== null) putCaret(field, caret);
    typed();
  };
  return { field, follow, words: () => known, changed: () => known !== original };
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
 * What can be done with words that were changed.
 *
 * @param {string} id Of the passage.
 * @param {ReturnType<typeof editField>} edit
 * @param {Store} store
 * @param {() => void} done
 */
const saveRow = (id, { field, words, changed }, store, done) => {
  const row = make('span', 'passage-row editing');
  const act = () => /** @type {const} */ ({ act: 'edit', passage: id, text: words() });
  const save = () => {
    if (changed()) store.act(act());
    done();
  };
  const goOn = () => {
    saveAndGoOn(store, act());
    done();
  };
  const drop = () => {
    unsent.keepEdit(id, null);
    done();
  };
  const leave = leaving(row, changed, { save, drop, goOn: () => field.focus() });
  row.append(
    button('save', 'Save', 'Keep the new words; those after them stay (Ctrl+Enter)', save),
    button('go-on', 'Save and continue', 'Keep the new words, and let the model write on from them', goOn),
    button('cancel', 'Cancel', 'Leave it as it was (Esc)', leave),
  );
  return { row, save, leave };
};

/**
 * @param {Page.Passage} passage
 * @param {Store} store
 * @param {() => void} done
 * @returns {EditTools}
 */
export const editTools = (passage, store, done) => {
  const tools = make('span', 'edit-row');
  let shown = make('span', 'passage-row');
  let mark = '';
  const show = () => {
    field.classList.toggle('ends-line', edit.words().endsWith('\n'));
    const row = edit.changed() ? saving.row : shown;
    if (tools.lastChild !== row) tools.replaceChild(row, /** @type {Node} */ (tools.lastChild));
  };
  const edit = editField(passage, show);
  const { field, follow } = edit;
  const saving = saveRow(passage.id, edit, store, done);
  // Esc comes by StoryControls, which hears it first.
  store.leaveEdit = () => tools.isConnected && saving.leave();
  field.onkeydown = (event) => {
    event.stopPropagation();
    if (event.isComposing || event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    saving.save();
  };
  // What is cut stands where the caret does.
  field.onclick = () => {
    const token = edit.changed() ? store.token : partAt(passage, caretIn(field) ?? 0);
    if (token === store.token) return;
    store.token = token;
    store.tell();
  };
  tools.onclick = (event) => event.stopPropagation();
  // What is done with the passage is seen in its words as they stand there: read aloud they are marked.
  const act = (/** @type {MouseEvent} */ { target }) => {
    const button = target instanceof Element ? target.closest('button') : null;
    if (!button || !shown.contains(button) || button.matches('.act-edit')) return;
    store.editing = null;
    setTimeout(store.tell);
  };
  tools.addEventListener('click', act, true);
  tools.append(field, shown);
  const renew = (/** @type {string} */ next, /** @type {() => HTMLElement} */ actions) => {
    if (next === mark) return;
    [mark, shown] = [next, actions()];
    show();
  };
  return Object.assign(tools, { follow, renew });
};
