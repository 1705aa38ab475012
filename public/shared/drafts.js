// @ts-check
// Words that only this browser has: half-written lines, edits that were not saved, lines that were sent and of which
// nobody knows yet whether the server has them. They stand in the browser's own storage until it has, for all windows.

/** So many drafts are kept in one browser, */
export const MOST_DRAFTS = 100;
/** and so much of all of them together, in UTF-16 units: browsers give one site five million. */
export const MOST_UNITS = 2_000_000;
const PREFIX = 'inkling.draft.';
const OWNER = 'inkling.drafts-of';
const KINDS = ['line', 'edit', 'sent'];

/**
 * @typedef {'line' | 'edit' | 'sent'} Kind
 *
 * @typedef {object} Draft
 * @property {string} words
 * @property {number} at When it was last changed, in milliseconds.
 * @property {string} window The one that changed it.
 * @property {boolean} [sent] Of an edit: it is on its way to the server.
 * @property {string | null} [after] Of a sent line: the last passage that stood before it.
 * @property {boolean} [first] Of a sent line: the first of its story, which nobody may ever see by its address.
 *
 * @typedef {{kind: Kind, story: string, id: string}} Place story: its address, or "new"; id: of the passage or line.
 */

/** @param {Place} place */
export const keyOf = ({ kind, story, id }) => `${PREFIX}${kind}.${story}.${id}`;

/**
 * @param {string | null} key
 * @returns {Place | null}
 */
export const placeOf = (key) => {
  if (!key?.startsWith(PREFIX)) return null;
  const [kind, story, id, ...more] = key.slice(PREFIX.length).split('.');
  if (!KINDS.includes(kind) || !story || id === undefined || more.length) return null;
  return { kind: /** @type {Kind} */ (kind), story, id };
};

/**
 * What stands in the storage, if it is a draft: any page of this address could have written it.
 *
 * @param {string | null} raw
 * @returns {Draft | null}
 */
export const read = (raw) => {
  if (!raw || raw.length > MOST_UNITS) return null;
  try {
    const { words, at, window: by, sent, after, first } = JSON.parse(raw);
    if (typeof words !== 'string' || !Number.isFinite(at)) return null;
    /** @type {Draft} */
    const draft = { words, at, window: typeof by === 'string' ? by : '' };
    if (sent === true) draft.sent = true;
    if (first === true) draft.first = true;
    if (after === null || typeof after === 'string') draft.after = after;
    return draft;
  } catch {
    return null;
  }
};

/** How a draft is called where it is spoken of. */
export const called = (/** @type {string} */ words) => {
  const [line] = words.trim().split('\n');
  return `“${line.slice(0, 60)}${line.length < words.trim().length || line.length > 60 ? '…' : ''}”`;
};

/**
 * @param {object} given
 * @param {() => Storage} given.storage The browser's, which may be forbidden: then it raises.
 * @param {(sentence: string) => void} given.say Tells the writer.
 * @param {string} given.window What this window is known by among those of the browser.
 * @param {() => number} [given.now] Milliseconds.
 */
export const openDrafts = ({ storage, say, window, now = Date.now }) => {
  /** What the storage did not take, for as long as this page lives. @type {Map<string, string>} */
  const spare = new Map();
  let complained = false;
  let owner = '';
  let version = 0;

  const cannot = (/** @type {unknown} */ error) => {
    if (complained) return;
    complained = true;
    const full = error instanceof Error && /quota/i.test(error.name);
    say(
      `This browser ${full ? 'has no room for' : 'keeps no'} drafts: what you have not sent or saved is lost when ` +
        'this page is closed.',
    );
  };

  const keys = () => {
    /** @type {string[]} */
    let stored = [];
    try {
      const all = storage();
      stored = Array.from({ length: all.length }, (_, at) => all.key(at) ?? '');
    } catch (error) {
      cannot(error);
    }
    return [...new Set([...stored.filter((key) => placeOf(key)), ...spare.keys()])];
  };

  const raw = (/** @type {string} */ key) => {
    try {
      return spare.get(key) ?? storage().getItem(key);
    } catch {
      return null;
    }
  };

  const remove = (/** @type {string} */ key) => {
    version += 1;
    spare.delete(key);
    try {
      storage().removeItem(key);
    } catch (error) {
      cannot(error);
    }
  };

  /** Whether what is stored may be seen and added to: another may have signed in since, or nobody be. */
  const isOurs = () => {
    try {
      return storage().getItem(OWNER) === owner;
    } catch {
      return false;
    }
  };

  const makeRoom = (/** @type {string} */ newest) => {
    const all = keys()
      .map((key) => ({ key, size: key.length + (raw(key)?.length || 0), draft: read(raw(key)) }))
      .sort((one, other) => (one.draft?.at ?? 0) - (other.draft?.at ?? 0));
    let units = all.reduce((sum, { size }) => sum + size, 0);
    let count = all.length;
    for (const { key, size, draft } of all) {
      if (count <= MOST_DRAFTS && units <= MOST_UNITS) return;
      if (key === newest) continue;
      remove(key);
      units -= size;
      count -= 1;
      if (draft) say(`There was no room for more drafts, so the oldest went: ${called(draft.words)}`);
    }
  };

  /** @param {Place} place */
  const get = (place) => (spare.has(keyOf(place)) || isOurs() ? read(raw(keyOf(place))) : null);

  /** Keep words; blank ones of a line are none. @param {Place} place @param {Partial<Draft> & {words: string}} draft */
  const put = (place, draft) => {
    const key = keyOf(place);
    if (place.kind === 'line' && !draft.words.trim()) {
      remove(key);
      return;
    }
    version += 1;
    const value = JSON.stringify({ ...draft, at: now(), window });
    try {
      if (!isOurs()) throw new Error('nobody is signed in');
      if (value.length + key.length > MOST_UNITS) throw Object.assign(new Error(), { name: 'QuotaExceededError' });
      storage().setItem(key, value);
      spare.delete(key);
    } catch (error) {
      spare.set(key, value);
      cannot(error);
      return;
    }
    makeRoom(key);
  };

  return {
    window,
    get,
    put,
    /** Another number whenever something may have changed. */
    version: () => version,
    /** Another window changed something. */
    touch: () => {
      version += 1;
    },
    drop: (/** @type {Place} */ place) => remove(keyOf(place)),
    /** All of a kind, of one story or of any. @param {Kind} kind @param {string} [story] */
    all: (kind, story) =>
      keys().flatMap((key) => {
        const place = placeOf(key);
        const draft = place?.kind === kind && (!story || place.story === story) ? get(place) : null;
        return place && draft ? [{ place, draft }] : [];
      }),
    /** Give a draft another place. @param {Place} from @param {Place} to */
    move: (from, to) => {
      const draft = get(from);
      if (!draft) return;
      remove(keyOf(from));
      put(to, draft);
    },
    /** Of a story that was deleted. @param {string} story */
    dropStory: (story) =>
      keys()
        .filter((key) => placeOf(key)?.story === story)
        .forEach(remove),
    /** How many hold words that nobody else has. */
    count: () => keys().filter((key) => read(raw(key))?.words.trim()).length,
    /** Begin for who is signed in; what another left in this browser is nobody's to see. @param {string} name */
    belongTo: (name) => {
      owner = name;
      try {
        const all = storage();
        const before = all.getItem(OWNER);
        if (before !== name) keys().forEach(remove);
        all.setItem(OWNER, name);
      } catch (error) {
        cannot(error);
      }
    },
    /** Leave nothing behind. */
    forget: () => {
      keys().forEach(remove);
      try {
        storage().removeItem(OWNER);
      } catch {
        // There is nothing to forget.
      }
    },
  };
};
