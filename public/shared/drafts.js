// @ts-check
// Words that only this browser has: half-written lines, edits that were not saved, a memory or note that was not set,
// lines that were sent and of which nobody knows yet whether the server has them. They stand in the browser's own
// storage until it has, for all windows.

/** So many drafts are kept in one browser, */
export const MOST_DRAFTS = 100;
/** and so much of all of them together, in UTF-16 units: browsers give one site five million. */
export const MOST_UNITS = 2_000_000;
const PREFIX = 'inkling.draft.';
const OWNER = 'inkling.drafts-of';
const KINDS = ['line', 'edit', 'sent', 'beside'];

/**
 * @typedef {'line' | 'edit' | 'sent' | 'beside'} Kind
 *
 * @typedef {object} Draft
 * @property {string} words
 * @property {number} at When it was last changed, in milliseconds.
 * @property {string} window The one that changed it.
 * @property {boolean} [sent] Of an edit: it is on its way to the server.
 * @property {string | null} [after] Of a sent line: the last passage that stood before it.
 * @property {boolean} [first] Of a sent line: the first of its story, which nobody may ever see by its address.
 *
 * @typedef {{kind: Kind, story: string, id: string}} Place story: its address, or "new"; id: of the passage or line,
 *   or the name of what stands beside the story (beside.js).
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
 * @typedef {object} Given
 * @property {() => Storage} storage The browser's, which may be forbidden: then it raises.
 * @property {(sentence: string) => void} say Tells the writer.
 * @property {string} window What this window is known by among those of the browser.
 * @property {() => number} [now] Milliseconds.
 */

export class Drafts {
  /** What the storage did not take, for as long as this page lives. @type {Map<string, string>} */
  #spare = new Map();
  #complained = false;
  #owner = '';
  /** Another number whenever something may have changed. */
  version = 0;

  /** @param {Given} given */
  constructor({ storage, say, window, now = Date.now }) {
    this.storage = storage;
    this.say = say;
    this.window = window;
    this.now = now;
  }

  /** @param {Place} place @returns {Draft | null} */
  get(place) {
    const key = keyOf(place);
    return this.#spare.has(key) || this.isOurs() ? read(this.#raw(key)) : null;
  }

  /** Keep words; blank ones of a line are none. @param {Place} place @param {Partial<Draft> & {words: string}} draft */
  put(place, draft) {
    const key = keyOf(place);
    if (place.kind === 'line' && !draft.words.trim()) {
      this.drop(place);
      return;
    }
    this.touch();
    const value = JSON.stringify({ ...draft, at: this.now(), window: this.window });
    try {
      if (!this.isOurs()) throw new Error('nobody is signed in');
      if (value.length + key.length > MOST_UNITS) throw Object.assign(new Error(), { name: 'QuotaExceededError' });
      this.storage().setItem(key, value);
      this.#spare.delete(key);
    } catch (error) {
      this.#spare.set(key, value);
      this.#cannot(error);
      return;
    }
    this.#makeRoom(key);
  }

  /** @param {Place} place */
  drop(place) {
    const key = keyOf(place);
    this.#spare.delete(key);
    if (this.isOurs()) this.#remove(key);
    else this.touch();
  }

  /** Give a draft another place. @param {Place} from @param {Place} to */
  move(from, to) {
    const draft = this.get(from);
    if (!draft) return;
    this.drop(from);
    this.put(to, draft);
  }

  /** All of a kind, of one story or of any. @param {Kind} kind @param {string} [story] */
  all(kind, story) {
    return this.#keys().flatMap((key) => {
      const place = placeOf(key);
      const draft = place?.kind === kind && (!story || place.story === story) ? this.get(place) : null;
      return place && draft ? [{ place, draft }] : [];
    });
  }

  /** How many hold words that nobody else has. */
  count() {
    return this.#keys().filter((key) => read(this.#raw(key))?.words.trim()).length;
  }

  /** Something was changed, maybe by another window. */
  touch() {
    this.version += 1;
  }

  /** Of a story that was deleted. @param {string} story */
  dropStory(story) {
    this.#keys()
      .filter((key) => placeOf(key)?.story === story)
      .forEach((key) => this.#remove(key));
  }

  /** Begin for who is signed in; what another left in this browser is nobody's to see. @param {string} name */
  belongTo(name) {
    this.#owner = name;
    try {
      const all = this.storage();
      if (all.getItem(OWNER) !== name) {
        // The owner first: to pages of theirs that are still open, these go from a storage that is not theirs.
        all.removeItem(OWNER);
        this.#keys().forEach((key) => this.#remove(key));
      }
      all.setItem(OWNER, name);
    } catch (error) {
      this.#cannot(error);
    }
  }

  /** Leave nothing behind. */
  forget() {
    this.#keys().forEach((key) => this.#remove(key));
    try {
      this.storage().removeItem(OWNER);
    } catch {
      // There is nothing to forget.
    }
  }

  #cannot(/** @type {unknown} */ error) {
    if (this.#complained) return;
    this.#complained = true;
    const full = error instanceof Error && /quota/i.test(error.name);
    this.say(
      `This browser ${full ? 'has no room for' : 'keeps no'} drafts: what you have not sent or saved is lost when ` +
        'this page is closed.',
    );
  }

  #keys() {
    /** @type {string[]} */
    let stored = [];
    try {
      const all = this.storage();
      stored = Array.from({ length: all.length }, (_, at) => all.key(at) ?? '');
    } catch (error) {
      this.#cannot(error);
    }
    return [...new Set([...stored.filter((key) => placeOf(key)), ...this.#spare.keys()])];
  }

  #raw(/** @type {string} */ key) {
    try {
      return this.#spare.get(key) ?? this.storage().getItem(key);
    } catch {
      return null;
    }
  }

  #remove(/** @type {string} */ key) {
    this.touch();
    this.#spare.delete(key);
    try {
      this.storage().removeItem(key);
    } catch (error) {
      this.#cannot(error);
    }
  }

  /** Whether what is stored may be seen and added to: another may have signed in since, or nobody be. */
  isOurs() {
    try {
      return this.storage().getItem(OWNER) === this.#owner;
    } catch {
      return false;
    }
  }

  #makeRoom(/** @type {string} */ newest) {
    const all = this.#keys().map((key) => {
      const raw = this.#raw(key);
      return { key, size: key.length + (raw?.length ?? 0), draft: read(raw) };
    });
    let units = all.reduce((sum, { size }) => sum + size, 0);
    let count = all.length;
    all.sort((one, other) => (one.draft?.at ?? 0) - (other.draft?.at ?? 0));
    for (const { key, size, draft } of all) {
      if (count <= MOST_DRAFTS && units <= MOST_UNITS) return;
      if (key === newest) continue;
      this.#remove(key);
      units -= size;
      count -= 1;
      if (draft) this.say(`There was no room for more drafts, so the oldest went: ${called(draft.words)}`);
    }
  }
}
