// @ts-check
// The story read aloud by the browser's own voice, sentence by sentence. Without a page: what is read, and when.

/** Chromium cuts off what it says for longer than 15 seconds, and slow voices say so many UTF-16 units in less. */
export const LONGEST = 180;
/** Sentences are looked for among so many, and the beginning of one so far back. */
const WINDOW = 2000;
/** Some browsers drop what is said in the moment in which they were told to be silent. */
const SILENCE_MS = 60;
export const CHANGED = 'The words that were read were changed, so the reading has stopped.';

/** @typedef {import('./places.js').Place} Place */

const sentences = new Intl.Segmenter(undefined, { granularity: 'sentence' });
const hasWords = (/** @type {string} */ text) => /[\p{L}\p{N}]/u.test(text);

/** A line that goes on in small letters is one of a text whose lines were broken by hand. */
const unbroken = (/** @type {string} */ text) => text.replace(/\n(?=\p{Ll})/gu, ' ');

/** So much of what is too long to be said in one go: up to a comma, or a space. */
const cut = (/** @type {string} */ sentence) => {
  if (sentence.length <= LONGEST) return sentence.length;
  const part = sentence.slice(0, LONGEST);
  const [comma, space] = [/^.*[,;:—–、，；]\s*/su, /^.*\s/su].map((each) => each.exec(part)?.[0].length ?? 0);
  if (comma > LONGEST / 3) return comma;
  // Not between the halves of a character.
  return space || (/[\ud800-\udbff]$/.test(part) ? LONGEST - 1 : LONGEST);
};

/**
 * What is said next: a sentence, or a part of a long one. Signs without a word, as between two scenes, are passed over.
 *
 * @param {string} text
 * @param {number} from
 * @param {number} [to] Where to end, in UTF-16 units, as all places.
 * @returns {Place | null} null where nothing is left
 */
export const nextPiece = (text, from, to = text.length) => {
  for (let start = from; start < to; start += WINDOW) {
    const all = [...sentences.segment(unbroken(text.slice(start, Math.min(to, start + WINDOW))))];
    const first = all.findIndex(({ segment }) => hasWords(segment));
    if (first < 0) continue;
    // So much of it is looked at from its own beginning on.
    if (all[first].index > 0) return nextPiece(text, start + all[first].index, to);
    // “Who is there?” asked the owl: one sentence, which the rules part.
    const next = all.findIndex(({ segment }, at) => at > first && !/^\p{Ll}/u.test(segment));
    const sentence = all
      .slice(first, next < 0 ? undefined : next)
      .map(({ segment }) => segment)
      .join('');
    const words = sentence.trimStart();
    const begin = start + sentence.length - words.length;
    return { start: begin, end: begin + words.slice(0, cut(words)).trimEnd().length };
  }
  return null;
};

/** Where the sentence begins in which a place lies. @param {string} text @param {number} at */
export const sentenceAt = (text, at) => {
  const start = Math.max(0, at - WINDOW / 2);
  const before = [...sentences.segment(unbroken(text.slice(start, at + 1)))];
  return start + (before.at(-1)?.index ?? 0);
};

/**
 * @typedef {object} Spoken What the browser says, as far as it is used: a SpeechSynthesisUtterance.
 * @property {((event: any) => void) | null} onend
 * @property {((event: any) => void) | null} onerror
 *
 * @typedef {object} Given
 * @property {{speak: (spoken: any) => void, cancel: () => void}} synth The browser's speechSynthesis.
 * @property {(words: string) => Spoken} utter Words with the voice and the pace that they are to be said with.
 * @property {() => string} text The story's.
 * @property {() => void} tell Something is other than it was.
 * @property {(run: () => void, ms: number) => void} later
 */

export class Aloud {
  /** What is being said; browsers end what nobody holds. @type {Spoken | null} */
  #now = null;
  #known = '';
  #to = Infinity;
  /** Read: the piece at hand. @type {Place | null} */
  piece = null;
  isPaused = false;
  /** Why it stopped, where that was not the writer's wish. */
  said = '';

  /** @param {Given} given */
  constructor(given) {
    this.given = given;
  }

  get isOn() {
    return this.piece !== null;
  }

  /** Read from a place of the story on. @param {number} from @param {number} [to] */
  start(from, to = Infinity) {
    this.#hush();
    this.#to = to;
    this.#read(from);
  }

  /** The sentence at hand is read from its beginning when it goes on: not every voice can wait in the midst of one. */
  pause() {
    if (!this.isOn || this.isPaused) return;
    this.#hush();
    this.isPaused = true;
    this.given.tell();
  }

  goOn() {
    if (!this.piece || !this.isPaused) return;
    this.#say(this.piece);
  }

  /** The voice or its pace was changed. */
  again() {
    if (!this.piece || this.isPaused) return;
    this.#hush();
    this.#say(this.piece);
  }

  /** @param {string} [said] */
  stop(said = '') {
    const before = [this.piece, this.said];
    this.#hush();
    Object.assign(this, { piece: null, isPaused: false, said });
    if (before[0] || before[1] !== said) this.given.tell();
  }

  /** The story may be another: what was read, or is being read, must be as it was. */
  mind() {
    if (this.piece && !this.given.text().startsWith(this.#known)) this.stop(CHANGED);
  }

  #hush() {
    if (!this.#now) return;
    this.#now = null;
    this.given.synth.cancel();
  }

  #read(/** @type {number} */ from) {
    this.#now = null;
    const text = this.given.text();
    const piece = nextPiece(text, from, Math.min(this.#to, text.length));
    if (piece) this.#say(piece);
    else this.stop();
  }

  #say(/** @type {Place} */ piece) {
    const text = this.given.text();
    this.#known = text.slice(0, piece.end);
    const spoken = this.given.utter(unbroken(text.slice(piece.start, piece.end)));
    spoken.onend = () => this.#now === spoken && this.#read(piece.end);
    spoken.onerror = ({ error }) => this.#now === spoken && this.#failed(error);
    this.#now = spoken;
    Object.assign(this, { piece, isPaused: false, said: '' });
    this.given.later(() => this.#now === spoken && this.given.synth.speak(spoken), SILENCE_MS);
    this.given.tell();
  }

  #failed(/** @type {string} */ error) {
    this.#now = null;
    // Another page, or the system, took the voice.
    if (error === 'interrupted' || error === 'canceled') {
      this.isPaused = true;
      this.given.tell();
    } else this.stop(`The voice failed (${error}): try another one.`);
  }
}
