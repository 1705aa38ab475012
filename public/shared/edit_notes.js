// @ts-check
// Edits that were not saved, each offered where its passage stands.
import { unsent } from './desk.js';
import { button, make } from './dom.js';
import { called } from './drafts.js';

/** @typedef {import('./store.js').Store} Store */

/**
 * @param {string} words
 * @param {HTMLElement[]} buttons
 */
const note = (words, ...buttons) => {
  const node = make('span', 'edit-note');
  node.setAttribute('role', 'note');
  node.append(make('span', '', words), ...buttons);
  node.onclick = (event) => event.stopPropagation();
  return node;
};

const drop = (/** @type {string} */ id, /** @type {Store} */ store) =>
  button('drop', 'Throw it away', 'The passage stays as it is', () => {
    unsent.keepEdit(id, null);
    store.tell();
  });

/**
 * Below each passage with an edit that was not saved, what can be done with it.
 *
 * @param {HTMLElement} box
 * @param {Store} store
 * @param {string | undefined} open The passage that is in edit: it needs no note.
 */
export const drawEditNotes = (box, store, open) => {
  const ids = new Set(unsent.edits().map(({ id }) => id));
  if (open) ids.delete(open);
  const goOn = (/** @type {string} */ id) =>
    button('go-on', 'Go on editing', 'Your words, as you left them', () => {
      Object.assign(store, { selected: id, token: null, editing: id, caret: { at: Number.POSITIVE_INFINITY } });
      store.tell();
    });
  box.querySelectorAll('.passage:not(.goes-on)').forEach((passage) => {
    const id = /** @type {HTMLElement} */ (passage).dataset.id ?? '';
    const drawn = passage.querySelector('.edit-note');
    if (drawn && !ids.has(id)) drawn.remove();
    if (!drawn && ids.has(id)) passage.append(note('An edit of these words is not saved.', goOn(id), drop(id, store)));
  });
};

/**
 * Edits of passages that do not stand in the story now: their words can be had all the same.
 *
 * @param {HTMLElement} box
 * @param {Store} store
 */
export const drawLeftOver = (box, store) => {
  const { state } = store;
  const left = state ? unsent.edits().filter(({ id }) => !state.passages.some((each) => each.id === id)) : [];
  const mark = left.map(({ id, words }) => `${id}${words}`).join();
  if (box.dataset.mark === mark) return;
  box.dataset.mark = mark;
  const take = (/** @type {string} */ id, /** @type {string} */ words) =>
    button('take', 'Put it below', 'Its words go into the line that you write', () => {
      if (unsent.line.giveBack(words)) unsent.keepEdit(id, null);
      store.tell();
    });
  box.replaceChildren(
    ...left.map(({ id, words }) =>
      note(
        `An edit is not saved, of words that do not stand here now: ${called(words)}`,
        take(id, words),
        drop(id, store),
      ),
    ),
  );
};
