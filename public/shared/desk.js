// @ts-check
// The page's one place for what was not sent (unsent.js): with the browser's storage, its composer, its address.
import { input, setInput } from './composer.js';
import { Drafts, placeOf } from './drafts.js';
import { Unsent } from './unsent.js';

const WINDOW = 'inkling.window';

/** What this window is known by; a reload leaves it. */
const nameOfWindow = () => {
  const fresh = Math.random().toString(36).slice(2);
  try {
    const known = sessionStorage.getItem(WINDOW);
    if (known) return known;
    sessionStorage.setItem(WINDOW, fresh);
  } catch {
    // Where the page may keep nothing, a reload is another window.
  }
  return fresh;
};

/** Said before the page could say anything. @type {string[]} */
const unheard = [];
let speak = (/** @type {string} */ sentence) => {
  unheard.push(sentence);
};
export const say = (/** @type {string} */ sentence) => speak(sentence);

export const drafts = new Drafts({ storage: () => window.localStorage, say, window: nameOfWindow() });

/** The story of the page's address; "new" where none stands behind it yet. */
export const here = () => /\/thread\/([^/]+)/.exec(window.location.pathname)?.[1] ?? 'new';

/** Among the latest stories, for it is asked of one that was begun just now. */
const isKept = async (/** @type {string} */ story) => {
  const asked = { pagination: { first: 20 }, filter: {} };
  const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(asked) };
  try {
    const { data } = await (await fetch('/project/threads', options)).json();
    return data.some((/** @type {{id: string}} */ { id }) => id === story);
  } catch {
    return true;
  }
};

export const unsent = new Unsent({
  drafts,
  isKept,
  here,
  say,
  field: {
    words: () => input()?.value ?? null,
    fill: (words, meant) => setInput(words, meant),
  },
});

/** @param {(sentence: string) => void} hear Shows the writer a sentence. */
export const speakBy = (hear) => {
  speak = hear;
  unheard.splice(0).forEach(hear);
};

/** @type {import('@chainlit/react-client').Socket | null} */
let current = null;
const wayOf = (/** @type {import('@chainlit/react-client').Socket | null} */ socket) => ({
  connected: Boolean(socket?.connected),
  inBytes: socket?.io?.engine?.transport?.name === 'polling',
});

export const isConnected = () => wayOf(current).connected;

/** Whether a message may go now; else it is said why not. */
export const maySend = (/** @type {string} */ words) => unsent.maySend(words, wayOf(current));

/** Chainlit empties the composer whatever becomes of its line: one that cannot go is held before. */
const hold = (/** @type {KeyboardEvent | MouseEvent} */ event) => {
  const words = input()?.value ?? '';
  const target = /** @type {Element} */ (event.target);
  const sends =
    event instanceof KeyboardEvent
      ? target === input() && event.key === 'Enter' && !event.shiftKey && !event.isComposing
      : target.closest('#chat-submit');
  if (!sends || !words.trim() || maySend(words)) return;
  event.preventDefault();
  event.stopImmediatePropagation();
};

/** Mind what is typed, here and in the browser's other windows. */
export const watch = () => {
  document.addEventListener('input', (event) => event.target === input() && unsent.line.typed());
  document.addEventListener('keydown', hold, true);
  document.addEventListener('click', hold, true);
  window.addEventListener('storage', ({ key }) => {
    const place = placeOf(key);
    if (place) unsent.follow(place);
  });
};

/**
 * How what is guarded sends, by the connection.
 *
 * @type {WeakMap<object, (event: string, data: unknown) => import('./unsent.js').Way>}
 */
const guarded = new WeakMap();

/** A command that brings no words: nothing comes at the end of the story. */
const STAYS = /^\/(?!(?:add|with|continue|finish|retry|ladder|compare)\b)/;

let began = () => {};

/**
 * Have all that a page sends on a connection pass by here.
 *
 * @param {import('@chainlit/react-client').Socket} socket
 * @param {() => void} sent Told of a line that goes.
 */
export const guard = (socket, sent) => {
  current = socket;
  began = sent;
  if (guarded.has(socket)) return;
  const emit = socket.emit.bind(socket);
  const wayFor = (/** @type {string} */ event, /** @type {unknown} */ data) => ({
    ...wayOf(socket),
    emit: (/** @type {(said: any) => void} */ answer) => emit(event, data, answer),
  });
  guarded.set(socket, wayFor);
  const begin = () => unsent.connect();
  begin();
  socket.on('connect', begin);
  socket.emit = (event, data, ...more) => {
    if (event === 'client_message') {
      if (!STAYS.test(/** @type {any} */ (data).message.output)) began();
      unsent.sendLine(/** @type {any} */ (data).message, wayFor(event, data));
    } else emit(event, ...(data === undefined ? [] : [data]), ...more);
    return socket;
  };
};

/**
 * Change the story; false where the act could not go.
 *
 * @param {import('@chainlit/react-client').Socket | undefined} socket
 * @param {Page.Act} act
 */
export const sendAct = (socket, act) => {
  const wayFor = socket && guarded.get(socket);
  return wayFor ? unsent.sendAct(act, wayFor('story_act', act)) : false;
};
