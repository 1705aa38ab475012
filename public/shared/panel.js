// @ts-check
// What several panels draw alike. React's createElement comes from the element: this file has no React.

import { visible } from './tokens.js';

/** @typedef {typeof import('react').createElement} CreateElement */

/**
 * The head of a panel: its title, and what closes it.
 *
 * @param {CreateElement} h
 * @param {string} title
 * @param {() => void} close
 * @param {string} [hint] What the button is said to do.
 */
export const panelHead = (h, title, close, hint = 'Close (Esc)') =>
  h(
    'header',
    null,
    h('h2', null, title),
    h('button', { type: 'button', className: 'quiet', title: hint, onClick: close }, 'Close'),
  );

/**
 * The focus goes into a panel that opens, and back to where it was when it is closed: unless it is elsewhere by then.
 *
 * @param {import('./store.js').Store} store
 */
export const moveFocus = (store) => {
  const { panel, focused = null } = store;
  if (panel === focused) return;
  const at = document.activeElement;
  const lost = !at || at === document.body;
  const shown = /** @type {HTMLElement | null} */ (panel && document.querySelector('.panel'));
  if (panel && !shown) return; // it is drawn next
  store.focused = panel;
  if (shown) {
    if (shown.contains(at)) return; // one of its fields took it
    if (!lost) store.opener = at;
    shown.tabIndex = -1;
    shown.focus({ preventScroll: true });
    return;
  }
  const back = store.opener?.isConnected ? store.opener : document.getElementById(`open-${focused}`);
  store.opener = null;
  if (lost) /** @type {HTMLElement | null} */ (back)?.focus({ preventScroll: true });
};

/** Which of the two lines below a curve is which. */
export const curveKey = (/** @type {CreateElement} */ h) =>
  h(
    'p',
    { className: 'curve-key' },
    h('span', null, h('i'), 'on its training text'),
    h('span', { className: 'of-valid' }, h('i'), 'on text it never saw: this one counts'),
  );

/** A token with its spaces and line ends as signs; see `visible`. */
export const tokenSigns = (/** @type {CreateElement} */ h, /** @type {string} */ text) =>
  visible(text).map(([kind, shown], at) =>
    kind === 'sign' ? h('span', { key: at, className: 'sign' }, shown) : shown,
  );

/** What went wrong, said at once to who listens; nothing where nothing did. */
export const errorLine = (/** @type {CreateElement} */ h, /** @type {string | undefined} */ text) =>
  text ? h('p', { className: 'error', role: 'alert' }, text) : null;
