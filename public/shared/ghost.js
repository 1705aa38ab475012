// @ts-check
// Ghost text: when the writer pauses at the end of the line, the likeliest next words. One question at a time; it knows
// no page, so that it is tested without one.
import { leftOf } from './ghost_words.js';

/** How long nobody types before the model is asked: shorter than a thought, longer than from one key to the next. */
export const PAUSE_MS = 400;

/**
 * @typedef {object} Spot Where words may be suggested.
 * @property {string} line What stands before them.
 * @property {string} of What else decides them: another story or another model has other words.
 *
 * @typedef {object} Given
 * @property {() => Spot | null} look null while none may be: not at the end of the line, busy, switched off …
 * @property {(line: string) => Promise<string>} ask
 * @property {() => void} hush What was asked is not wanted any more.
 * @property {(line: string, words: string, isNew: boolean) => void} show words: "" takes them away.
 * @property {(run: () => void, ms: number) => () => void} later Gives what calls it off.
 */

const isSame = (/** @type {Spot | null} */ one, /** @type {Spot | null} */ other) =>
  one?.line === other?.line && one?.of === other?.of;

export class Ghost {
  /** The spot that was looked at last. @type {Spot | null} */
  #spot = null;
  /** The spot whose words the server is asked for. @type {Spot | null} */
  #asked = null;
  #words = '';
  #callOff = () => {};

  /** @param {Given} given */
  constructor({ look, ask, hush, show, later }) {
    this.look = look;
    this.ask = ask;
    this.hush = hush;
    this.show = show;
    this.later = later;
  }

  get words() {
    return this.#words;
  }

  /** Something may have changed: the line, the caret, the story. */
  changed() {
    const spot = this.look();
    if (isSame(spot, this.#spot)) return;
    const left =
      this.#words && spot?.of === this.#spot?.of ? leftOf(this.#spot?.line ?? '', this.#words, spot?.line ?? '') : '';
    if (spot && left) {
      // What is typed is what was suggested.
      this.#spot = spot;
      this.#words = left;
      this.show(spot.line, left, false);
      return;
    }
    this.drop();
    this.#spot = spot;
    if (spot) this.#callOff = this.later(() => this.#suggest(spot), PAUSE_MS);
  }

  /** Suggest nothing here any more. */
  drop() {
    this.#callOff();
    if (this.#asked) this.hush();
    this.#asked = null;
    if (this.#words) this.show(this.#spot?.line ?? '', '', false);
    this.#words = '';
  }

  /** Suggest nothing until the writer is at a spot once more, were it the same. */
  leave() {
    this.drop();
    this.#spot = null;
  }

  async #suggest(/** @type {Spot} */ spot) {
    this.#asked = spot;
    let words = '';
    try {
      words = await this.ask(spot.line);
    } catch {
      // A suggestion that does not come is missed by nobody.
    }
    if (this.#asked !== spot) return;
    this.#asked = null;
    if (!words || !isSame(this.look(), spot)) return;
    this.#words = words;
    this.show(spot.line, words, true);
  }
}
