// @ts-check
// The story, read out to who listens: what the model writes, by sentences, and where the story ends after a change.
import { make } from './dom.js';
import { aboutTakes } from './sentences.js';

/** So long apart while words come: each is heard to its end, and the next one waits for it. */
const APART_MS = 1000;
/** A screen reader has it by then; who searches the page finds each word once. */
const HEARD_MS = 3000;
/** A sentence is looked for among so many characters. */
const LONGEST = 2000;

const sentences = new Intl.Segmenter(undefined, { granularity: 'sentence' });
const parts = (/** @type {string} */ text) => [...sentences.segment(text)];

/** So much of a text is whole sentences; the last one may go on. */
export const wholeSentences = (/** @type {string} */ text) => parts(text).at(-1)?.index ?? 0;

const lastSentence = (/** @type {string} */ text) => parts(text.trimEnd().slice(-LONGEST)).at(-1)?.segment.trim() ?? '';

/** What is to be said of a story, of each word once. */
export class Reader {
  /** The passage that is read, and how much of it was. @type {string | undefined} */
  #id;
  #read = 0;
  #wrote = false;
  #known = '';

  /**
   * @param {Pick<Page.StoryState, 'passages' | 'takes' | 'writing'>} state
   * @returns {string} "" where there is nothing to say
   */
  hear(state) {
    const last = state.passages.at(-1);
    const text = last?.tokens.join('') ?? '';
    const known = [state.passages.length, last?.id, text.length].join();
    const isFirst = !this.#known;
    const changed = this.#known !== known;
    const wrote = this.#wrote;
    this.#known = known;
    this.#wrote = state.writing;
    if (isFirst) this.#skip(last?.id, text);
    if (state.writing)
      return last?.author === 'writer' ? this.#skip(last.id, text) : this.#onward(last?.id, text, true);
    if (wrote && state.takes.length) return aboutTakes(state.takes.length, !state.takes[0].facts, false);
    if (wrote && last?.author !== 'writer') {
      const ending = last?.facts?.ending;
      return [this.#onward(last?.id, text, false), ending && `(${ending})`].filter(Boolean).join(' ');
    }
    this.#skip(last?.id, text);
    if (isFirst || !changed) return '';
    const place = last && last.places > 1 ? `Version ${last.place} of ${last.places}. ` : '';
    return last ? `${place}The story ends: ${lastSentence(text)}` : 'The page is blank';
  }

  /** The model writes; what it wrote is heard later. */
  writes() {
    this.#wrote = true;
  }

  #skip(/** @type {string | undefined} */ id, /** @type {string} */ text) {
    this.#id = id;
    this.#read = text.length;
    return '';
  }

  #onward(/** @type {string | undefined} */ id, /** @type {string} */ text, /** @type {boolean} */ grows) {
    const from = this.#id === id ? this.#read : 0;
    const more = text.slice(from);
    const said = grows ? more.slice(0, wholeSentences(more)) : more;
    this.#id = id;
    this.#read = from + said.length;
    return said.trim();
  }
}

/** @returns {HTMLElement} */
const region = () => {
  const known = document.getElementById('story-heard');
  if (known) return known;
  const made = make('div', 'story-heard');
  made.id = 'story-heard';
  made.setAttribute('aria-live', 'polite');
  document.body.append(made);
  return made;
};

/** Say a sentence to who listens, when they have heard what comes before it. */
export const announce = (/** @type {string} */ sentence) => {
  const said = make('p', '', sentence);
  region().append(said);
  setTimeout(() => said.remove(), HEARD_MS);
};

/** @type {WeakMap<object, {reader: Reader, at: number}>} */
const readers = new WeakMap();

/** Read out what is new of a store's story. */
export const readOut = (/** @type {import('./store.js').Store} */ store) => {
  const { state } = store;
  if (!state) return;
  region(); // what is in it from its beginning is not read
  const now = performance.now();
  const known = readers.get(store) ?? { reader: new Reader(), at: -APART_MS };
  readers.set(store, known);
  if (state.writing && now - known.at < APART_MS) {
    known.reader.writes();
    return;
  }
  known.at = now;
  const said = known.reader.hear(state);
  if (said) announce(said);
};
