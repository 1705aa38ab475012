// @ts-check
// Ghost text in the composer: when it may stand there, its keys, and its switch.
import { beginsAsCommand, input, setInput } from './composer.js';
import { make } from './dom.js';
import { Ghost } from './ghost.js';
import { Mirror } from './ghost_mirror.js';
import { isRightToLeft, nextWord } from './ghost_words.js';

/** Where the browser keeps the switch, and another for models of other servers: to ask those may cost money. */
const KEPT = 'inkling.ghost';
const KEPT_SERVERS = 'inkling.ghost-servers';
const ABOUT =
  'When you pause at the end of your line, the likeliest next words stand there in grey: Tab takes a word, Ctrl+→ ' +
  'the sentence, Esc none, and any other key goes on';
const COSTS =
  '. This model runs on another server, which is asked at each pause and may charge for it: so it has a switch of ' +
  'its own, off until you want it';

/** @typedef {import('./store.js').Store} Store */

const isRemote = (/** @type {Store} */ { state, model }) =>
  Boolean(state?.models.find(({ key }) => key === (model || state.model))?.remote);
const keyOf = (/** @type {Store} */ store) => (isRemote(store) ? KEPT_SERVERS : KEPT);

export const aboutGhost = (/** @type {Store} */ store) => ABOUT + (isRemote(store) ? COSTS : '');

/** What was switched where the browser keeps nothing. @type {Record<string, boolean>} */
const switched = {};

export const isOn = (/** @type {Store} */ store) => {
  const key = keyOf(store);
  try {
    return window.localStorage.getItem(key) === 'on';
  } catch {
    return Boolean(switched[key]);
  }
};

export const toggle = (/** @type {Store} */ store) => {
  const [key, on] = [keyOf(store), !isOn(store)];
  switched[key] = on;
  try {
    if (on) window.localStorage.setItem(key, 'on');
    else window.localStorage.removeItem(key);
  } catch {
    // It lasts as long as the page.
  }
  store.tell();
};

let isComposing = false;

/** The line behind which words may stand now. @param {Store} store @returns {import('./ghost.js').Spot | null} */
const look = (store) => {
  const [field, { state }] = [input(), store];
  if (!field || !state || document.activeElement !== field || isComposing || state.writing) return null;
  const { value, selectionStart, selectionEnd } = field;
  if (selectionStart !== value.length || selectionEnd !== value.length) return null;
  if (beginsAsCommand(value) || !(value.trim() || state.passages.length) || !isOn(store)) return null;
  if (state.takes.length || state.contest?.waits) return null;
  return { line: value, of: `${state.revision} ${store.model}` };
};

/** Put words behind the line, as if they were typed: the browser's own undo takes them back. */
const type = (/** @type {string} */ words) => {
  const field = input();
  if (!field || document.execCommand('insertText', false, words)) return;
  setInput(field.value + words);
};

const later = (/** @type {() => void} */ run, /** @type {number} */ ms) => {
  const timer = setTimeout(run, ms);
  return () => clearTimeout(timer);
};

/** A screen reader says the words once, when they come. */
const voice = () => {
  let node = document.getElementById('ghost-said');
  if (!node) {
    node = make('div', 'ghost-said');
    node.id = 'ghost-said';
    node.setAttribute('role', 'status');
    document.body.append(node);
  }
  return node;
};

/**
 * What a key takes; "" for nothing.
 *
 * @param {KeyboardEvent} event
 * @param {string} words
 * @param {HTMLTextAreaElement} field
 */
const taken = ({ key, ctrlKey, metaKey, altKey, shiftKey }, words, field) => {
  if (altKey || shiftKey) return '';
  if (key === 'Tab') return ctrlKey || metaKey ? '' : nextWord(words);
  // Words go the other way where the line does.
  const onward = isRightToLeft(field.value + words) ? 'ArrowLeft' : 'ArrowRight';
  return key === onward && (ctrlKey || metaKey) ? words : '';
};

/** Suggest words in the composer from now on; gives what ends it. @param {Store} store */
export const watch = (store) => {
  const mirror = new Mirror(() => type(nextWord(ghost.words)));
  const ghost = new Ghost({
    look: () => look(store),
    ask: async (line) => (await store.query({ query: 'ghost', words: line, model: store.model })).text,
    hush: () => store.query({ query: 'ghost' }).catch(() => {}),
    show: (line, words, isNew) => {
      const field = input();
      if (field && words) mirror.show(field, line, words);
      else mirror.hide(look(store) !== null);
      if (isNew || !words) voice().textContent = words && `Suggested: ${words.trim()}`;
    },
    later,
  });
  const changed = () => {
    ghost.changed();
    if (!ghost.words && look(store) === null) mirror.hide(false);
  };
  const leave = () => {
    ghost.leave();
    mirror.hide(false);
  };
  const press = (/** @type {KeyboardEvent} */ event) => {
    const field = input();
    if (!field || event.target !== field || event.isComposing) return;
    const words = taken(event, ghost.words, field);
    if (words) {
      event.preventDefault();
      event.stopImmediatePropagation();
      type(words);
    } else if (event.key === 'Escape' && ghost.words) {
      // The first Esc is for the words: another closes what is open.
      event.stopImmediatePropagation();
      ghost.drop();
    } else if (event.key === 'Enter') leave();
  };
  const compose = (/** @type {CompositionEvent} */ { type: name }) => {
    isComposing = name === 'compositionstart';
    changed();
  };
  /** @type {[EventTarget, string, (event: any) => void][]} */
  const heard = [
    [document, 'input', changed],
    [document, 'selectionchange', changed],
    [document, 'focusin', changed],
    [document, 'focusout', ({ target }) => target === input() && leave()],
    [document, 'compositionstart', compose],
    [document, 'compositionend', compose],
    [document, 'keydown', press],
    // Another window switched it.
    [window, 'storage', () => store.tell()],
  ];
  voice();
  heard.forEach(([node, event, hear]) => node.addEventListener(event, hear, true));
  store.listeners.add(changed);
  return () => {
    leave();
    heard.forEach(([node, event, hear]) => node.removeEventListener(event, hear, true));
    store.listeners.delete(changed);
  };
};
