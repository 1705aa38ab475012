// @ts-check
// The line in the composer: kept as a draft of its story (drafts.js), and brought back with it.
import { givenBack } from './composer.js';

export const BOTH = 'Another window had begun a line for this story: both are below, one after the other.';

/**
 * @typedef {import('./drafts.js').Place} Place
 *
 * @typedef {object} Field Where lines are written.
 * @property {() => string | null} words null where there is none.
 * @property {(words: string, meant: boolean) => void} fill meant: the writer is to go on there.
 */

export class ComposerLine {
  /** The story whose line the composer shows, and that line as it was last kept. @type {string | null} */
  #shown = null;
  #known = '';

  /** @param {Pick<import('./unsent.js').Given, 'drafts' | 'field' | 'here' | 'say'>} given */
  constructor({ drafts, field, here, say }) {
    this.drafts = drafts;
    this.field = field;
    this.here = here;
    this.say = say;
  }

  #place(story = this.here()) {
    return /** @type {Place} */ ({ kind: 'line', story, id: '' });
  }

  #fill(/** @type {string} */ words, meant = false) {
    this.#known = words;
    this.field.fill(words, meant);
    this.drafts.put(this.#place(), { words });
  }

  /** The writer changed the line. */
  typed() {
    const words = this.field.words();
    // Before its story is there, what is typed joins the draft that comes back then.
    if (words === null || this.#shown !== this.here() || words === this.#known) return;
    const stored = this.drafts.get(this.#place());
    const others =
      stored && stored.window !== this.drafts.window && stored.words !== this.#known ? stored.words : words;
    if (others !== words) {
      this.#fill(givenBack(others, words), true);
      this.say(BOTH);
      return;
    }
    this.#known = words;
    this.drafts.put(this.#place(), { words });
  }

  /** Bring back the line of the story that the page came to. */
  restore() {
    const words = this.field.words();
    if (words === null || this.#shown === this.here()) return;
    const typedSince = words === this.#known ? '' : words;
    const stored = this.drafts.get(this.#place())?.words ?? '';
    this.#shown = this.here();
    const both = stored && typedSince.trim() && stored !== typedSince;
    const all = both ? givenBack(stored, typedSince) : stored || typedSince;
    if (all !== words || all !== stored) this.#fill(all);
    this.#known = all;
  }

  /** Put words into the composer, on top of what stands there; false where there is none. @param {string} words */
  giveBack(words, why = '') {
    const typedSince = this.field.words();
    if (typedSince === null) return false;
    const isThere = typedSince === words || typedSince.startsWith(`${words}\n`);
    if (words && !isThere) this.#fill(givenBack(words, typedSince), true);
    if (why) this.say(why);
    return true;
  }

  /** Another window changed the line of a story. @param {Place} place */
  follow(place) {
    const isIts = place.story === this.here() && this.#shown === this.here();
    if (!isIts || this.field.words() !== this.#known) return;
    this.#known = this.drafts.get(place)?.words ?? '';
    this.field.fill(this.#known, false);
  }

  /** A line was sent: it is no draft any more, unless another was begun since. @param {string} words */
  went(words) {
    if (this.drafts.get(this.#place())?.words.trim() !== words.trim()) return;
    this.drafts.drop(this.#place());
    this.#known = '';
  }

  /** The new story has an address; false where the composer shows another's line. @param {string} story */
  moveTo(story) {
    if (this.#shown !== 'new') return false;
    this.#shown = story;
    if (this.drafts.get(this.#place('new'))?.words === this.#known)
      this.drafts.move(this.#place('new'), this.#place(story));
    return true;
  }
}
