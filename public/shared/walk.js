// @ts-check
// The story's passages by keys: one of them is a place to Tab to, arrows walk to the others, Enter opens the row.

const isPassage = (/** @type {Element | null | undefined} */ node) => Boolean(node?.classList.contains('passage'));

/** Whether the focus stands on a passage itself, and not in its row. */
export const onPassage = () => isPassage(document.activeElement);

/** Where a key leads from the nth of so many; null for a key that leads nowhere. */
export const stepTo = (/** @type {string} */ key, /** @type {number} */ at, /** @type {number} */ count) => {
  const to = { ArrowUp: at - 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: count - 1 }[
    key
  ];
  return to === undefined ? null : Math.min(Math.max(to, 0), count - 1);
};

/** Each passage once: in a long story what stands of it last. */
const passagesIn = (/** @type {Element} */ box) => [...box.querySelectorAll('.passage:not(.goes-on)')];

const lastIn = (/** @type {Element} */ box) =>
  /** @type {HTMLElement | null} */ (box.lastElementChild?.lastElementChild ?? null);

/** @typedef {HTMLElement & {stop?: HTMLElement}} Box stop: the passage that Tab comes to. */

const stopAt = (/** @type {Box} */ box, /** @type {HTMLElement | null} */ node) => {
  if (box.stop && box.stop !== node) box.stop.tabIndex = -1;
  if (node) node.tabIndex = 0;
  box.stop = node ?? undefined;
};

const focus = (
  /** @type {Box} */ box,
  /** @type {Element | null | undefined} */ node,
  /** @type {FocusOptions} */ how = {},
) => {
  if (!(node instanceof HTMLElement)) return;
  stopAt(box, node);
  node.focus(how);
};

/** Id of the button below the story that has the focus, or had it until it was taken away. */
let pressed = '';

/** Mind which button was pressed. */
export const watchFocus = () => {
  const mind = (/** @type {Event} */ { target }) => {
    const button = target instanceof Element ? target.closest('.tail-row button') : null;
    pressed = button?.id ?? '';
  };
  document.addEventListener('pointerdown', mind, true);
  document.addEventListener('focusin', mind, true);
};

/** Back to the button that was pressed, where it was taken away and the focus went nowhere. */
export const toPressed = () => {
  if (document.activeElement !== document.body || !pressed) return;
  document.getElementById(pressed)?.focus({ preventScroll: true });
};

/** To the last passage, from wherever one is. */
export const toPassages = () => {
  const box = document.getElementById('story-text');
  if (box) focus(box, lastIn(box));
};

/** Which passage has the focus, in it or in its row; -1 for none. */
export const placeOfFocus = (/** @type {Box} */ box) => {
  const at = document.activeElement;
  return at && box.contains(at) ? passagesIn(box).findIndex((each) => each.contains(at)) : -1;
};

/** After the passages were drawn: the focus stays at its place, and Tab comes to the last one from elsewhere. */
export const keepPlace = (/** @type {Box} */ box, /** @type {number} */ place) => {
  if (box.contains(document.activeElement)) return;
  if (place < 0) stopAt(box, lastIn(box));
  else focus(box, passagesIn(box)[place] ?? lastIn(box), { preventScroll: true });
};

/** The first thing that can be done in the row of a passage. */
export const toRow = (/** @type {Element} */ row) =>
  /** @type {HTMLElement | null} */ (row.querySelector('button:not(:disabled)'))?.focus();

/**
 * What a key does on a passage, or in its row.
 *
 * @param {KeyboardEvent} event
 * @param {Box} box
 * @param {import('./store.js').Store} store
 */
export const walk = (event, box, store) => {
  const { key, target } = event;
  if (!(target instanceof HTMLElement) || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  const row = target.closest('.passage-row:not(.editing)');
  if (row) {
    const all = [...row.querySelectorAll('button:not(:disabled)')];
    const to = /^(ArrowUp|ArrowDown)$/.test(key) ? null : stepTo(key, all.indexOf(target), all.length);
    if (to === null) return;
    /** @type {HTMLElement} */ (all[to]).focus();
  } else if (isPassage(target)) {
    if (key === 'Enter') {
      Object.assign(store, { selected: target.dataset.id, token: null, editing: null, intoRow: true });
      store.tell();
    } else {
      const all = passagesIn(box);
      const to = /^(ArrowLeft|ArrowRight)$/.test(key) ? null : stepTo(key, all.indexOf(target), all.length);
      if (to === null) return;
      focus(box, all[to]);
    }
  } else return;
  event.preventDefault();
};
