// @ts-check
// What the writer wrote and the server has not got: kept as drafts (drafts.js) and given back. Three kinds: the line in
// the composer (composer_line.js), an edit, and what was sent, a line or words to be added: that counts as lost until
// the server has it on its disk.
import { lineFor } from './composer.js';
import { ComposerLine } from './composer_line.js';
import { isMade, lineOf, stands, tooLong, wordsIn } from './lines.js';
import { uuid } from './store.js';

/** A line of another window's is not given back here while that one may still be sending it. */
export const OTHERS_MS = 5000;
export const NOT_CONNECTED = 'There is no connection to Inkling, so nothing was sent: try again in a moment.';
export const CAME_BACK = 'A line that had not arrived is back, below the story.';
/** Acts that the page does by itself, or that bring no words. */
const QUIET = ['preset', 'preset_forget', 'once'];

/**
 * @typedef {import('./drafts.js').Place} Place
 * @typedef {import('./drafts.js').Draft} Draft
 *
 * @typedef {object} Shown What the server shows, as far as it is used here.
 * @property {import('./lines.js').Passages} passages
 * @property {boolean} writing
 * @property {string} [unsaved] Why it is not on the disk, if it is not.
 * @property {unknown} [model]
 * @property {unknown} [tuning]
 *
 * @typedef {{connected: boolean, inBytes: boolean}} Road inBytes: what is too long is measured in them.
 * @typedef {Road & {emit: (answer: (said?: any) => void) => void}} Way
 *
 * @typedef {object} Given
 * @property {import('./drafts.js').Drafts} drafts
 * @property {import('./composer_line.js').Field} field
 * @property {() => string} here The story of the page: its address, or "new".
 * @property {(sentence: string) => void} say
 * @property {(story: string) => Promise<boolean>} isKept Whether the library has a story of this address.
 * @property {() => number} [now] Milliseconds.
 */

/** What of it the server saves; "" for a story without a word, which it does not keep. @param {Shown} state */
const markOf = ({ passages, model, tuning }) =>
  passages.length ? JSON.stringify([passages.map(({ id, tokens }) => [id, tokens.length]), model, tuning]) : '';

const tagOf = (/** @type {Place} */ { kind, id }) => `${kind}.${id}`;

export class Unsent {
  /**
   * What was sent since the page is connected. there: it stands in the story; before: so many saves may yet end that
   * began without it.
   *
   * @type {Map<string, {place: Place, there: boolean, before: number}>}
   */
  #sent = new Map();
  /** How many saves are under way at most, one that runs and one that waits; and what was to be saved last. */
  #saving = 0;
  /** @type {string | null} */
  #last = null;
  /** @type {import('./lines.js').Passages} */
  #passages = [];
  /** Whether the server has shown the story since the page is connected: before that it may not have opened it. */
  #open = false;
  /** @type {[string, {id: string, words: string}[]]} */
  #listed = ['', []];
  /** Called when drafts changed that stand elsewhere than in the composer. */
  #told = () => {};

  /** @param {Given} given */
  constructor({ drafts, field, here, say, isKept, now = Date.now }) {
    this.drafts = drafts;
    this.line = new ComposerLine({ drafts, field, here, say });
    this.here = here;
    this.say = say;
    this.isKept = isKept;
    this.now = now;
  }

  #edit(/** @type {string} */ id) {
    return /** @type {Place} */ ({ kind: 'edit', story: this.here(), id });
  }

  /** Another window changed a draft; one of another account, which signed in since, is none of this page's. */
  follow(/** @type {Place} */ place) {
    if (!this.drafts.isOurs()) return;
    this.drafts.touch();
    if (place.kind === 'edit' || place.kind === 'beside') this.#told();
    if (place.kind === 'line') this.line.follow(place);
  }

  // What is sent

  #refuse(/** @type {unknown} */ data, /** @type {Road} */ { connected, inBytes }) {
    return connected && this.#open ? tooLong(data, inBytes) : NOT_CONNECTED;
  }

  /** Whether a line may go now; else it is said why not. @param {string} output @param {Road} road */
  maySend(output, road) {
    const why = this.#refuse({ output }, road);
    if (why) this.say(why);
    return !why;
  }

  #follows(/** @type {Place} */ place) {
    this.#sent.set(tagOf(place), { place, there: false, before: this.#saving });
  }

  /** Keep a line that goes now; gives where. @param {string} id @param {string} words */
  #keepSent(id, words) {
    const place = /** @type {Place} */ ({ kind: 'sent', story: this.here(), id });
    const after = this.#passages.at(-1)?.id ?? null;
    this.drafts.put(place, { words, after, ...(this.here() === 'new' && { first: true }) });
    return place;
  }

  /** A line is sent. @param {import('./lines.js').Message} message @param {Way} way */
  sendLine(message, way) {
    const words = lineOf(message);
    const why = this.#refuse(message, way);
    if (why) {
      // When Chainlit has emptied the composer. A command that was typed is still there (desk.js), others were pressed.
      setTimeout(() => this.line.giveBack(wordsIn(words) && words, why));
      return;
    }
    const place = words ? this.#keepSent(message.id, words) : null;
    if (place) this.#follows(place);
    this.line.went(words);
    way.emit((said) => place && this.#arrived(tagOf(place), words, Boolean(said?.error)));
  }

  /** The server has a line, though not on its disk, or refused it at its door. */
  #arrived(/** @type {string} */ tag, /** @type {string} */ words, /** @type {boolean} */ refused) {
    const under = this.#sent.get(tag);
    if (!under || (!refused && wordsIn(words))) return;
    this.#sent.delete(tag);
    if (!refused || this.line.giveBack(words)) this.drafts.drop(under.place);
  }

  /** An act is sent; false where it could not go, and it is said why. @param {Page.Act} act @param {Way} way */
  sendAct(act, way) {
    const why = QUIET.includes(act.act) ? '' : this.#refuse(act, way);
    if (why) this.say(why);
    const place = this.#keepAct(act, !why);
    if (why) return false;
    if (place) this.#follows(place);
    way.emit(() => place && this.#answered(tagOf(place)));
    return true;
  }

  /** Keep the words of an act; gives where. @param {Page.Act} act @param {boolean} goes */
  #keepAct(act, goes) {
    if (act.act === 'edit') {
      const place = this.#edit(act.passage);
      if (isMade(this.#passages, act.passage, act.text)) this.drafts.drop(place);
      else this.drafts.put(place, { words: act.text, ...(goes && { sent: true }) });
      return place;
    }
    // Words that cannot go stay in the composer.
    return act.act === 'add' && goes ? this.#keepSent(uuid(), lineFor(act.text)) : null;
  }

  /** The server is done with an act, and has shown whatever came of it. */
  #answered(/** @type {string} */ tag) {
    const under = this.#sent.get(tag);
    const draft = under && !under.there ? this.drafts.get(under.place) : null;
    // An edit that was changed since is not the one that was sent.
    if (under && draft && (draft.sent || under.place.kind === 'sent')) this.#lost(under.place, draft);
  }

  /** The server refused a line, or words to be added, and said why. @param {string} words */
  refused(words) {
    const mine = this.drafts.all('sent', this.here()).filter(({ draft }) => draft.window === this.drafts.window);
    const added = mine.findLast(({ draft }) => draft.words !== words && draft.words === lineFor(words));
    const at = added ?? mine.findLast(({ draft }) => draft.words === words || wordsIn(draft.words) === wordsIn(words));
    if (words) this.line.giveBack(added?.draft.words ?? words);
    if (!at) return;
    this.#sent.delete(tagOf(at.place));
    this.drafts.drop(at.place);
  }

  // What became of it

  /** What was sent did not arrive. @param {Place} place @param {Draft} draft */
  #lost(place, draft) {
    this.#sent.delete(tagOf(place));
    if (place.kind === 'edit') {
      this.drafts.put(place, { words: draft.words });
      this.#told();
    } else if (this.line.giveBack(draft.words, CAME_BACK)) this.drafts.drop(place);
  }

  /** What may be on its way: of this story, and a first line whose story nobody may ever see. */
  #underway() {
    const here = this.here();
    const lines = this.drafts
      .all('sent')
      .filter(({ place, draft }) => place.story === here || (here === 'new' && draft.first === true));
    return [...lines, ...this.drafts.all('edit', here).filter(({ draft }) => draft.sent)];
  }

  #isThere(/** @type {Place} */ place, /** @type {Draft} */ { words, after }) {
    return place.kind === 'edit' ? isMade(this.#passages, place.id, words) : stands(this.#passages, words, after);
  }

  /** @param {Shown} state */
  #settle({ writing, unsaved }) {
    this.#underway().forEach(({ place, draft }) => {
      const under = this.#sent.get(tagOf(place));
      const there = this.#isThere(place, draft);
      const isAnothers = draft.window !== this.drafts.window && this.now() - draft.at < OTHERS_MS;
      if (under) under.there ||= there;
      else if (writing || isAnothers) return;
      else if (there && unsaved) this.#sent.set(tagOf(place), { place, there, before: 0 });
      else if (there) this.drafts.drop(place);
      else if (place.story === this.here()) this.#lost(place, draft);
      // Of a story that is kept, its own page sees to it.
      else this.isKept(place.story).then((kept) => kept || this.here() !== 'new' || this.#lost(place, draft));
    });
  }

  /** A connection begins, or begins anew. */
  connect() {
    this.#open = false;
    this.#sent.clear();
    this.#saving = 0;
    this.#last = null;
  }

  /** More of the story came, so that it is open. */
  hear() {
    this.#open = true;
  }

  /** All of the story came. @param {Shown} state */
  arrive(state) {
    this.#open = true;
    const mark = markOf(state);
    if (mark !== this.#last && this.#last !== null) this.#saving = Math.min(2, this.#saving + 1);
    this.#last = mark;
    this.#passages = state.passages;
    this.line.restore();
    this.#settle(state);
  }

  /** The story was saved. */
  kept() {
    this.#saving = Math.max(0, this.#saving - 1);
    this.#sent.forEach((under, tag) => {
      if (!under.there || under.before) under.before = Math.max(0, under.before - 1);
      else {
        this.#sent.delete(tag);
        this.drafts.drop(under.place);
      }
    });
  }

  /** The new story has an address. @param {string} story */
  named(story) {
    if (!this.line.moveTo(story)) return;
    this.#sent.forEach((under) => {
      const to = { ...under.place, story };
      this.drafts.move(under.place, to);
      under.place = to;
    });
    // What another window typed is for the story that it will begin.
    const mine = this.drafts.all('beside', 'new').filter(({ draft }) => draft.window === this.drafts.window);
    mine.forEach(({ place }) => this.drafts.move(place, { ...place, story }));
  }

  // Edits

  /** The edits of this story that were not saved. */
  edits() {
    const mark = `${this.here()} ${this.drafts.version}`;
    if (this.#listed[0] !== mark) {
      const all = this.drafts.all('edit', this.here()).filter(({ draft }) => !draft.sent);
      this.#listed = [mark, all.map(({ place, draft }) => ({ id: place.id, words: draft.words }))];
    }
    return this.#listed[1];
  }

  /** The draft of an edit. @param {string} id */
  edit(id) {
    return this.drafts.get(this.#edit(id))?.words ?? null;
  }

  /** The writer changed an edit; null: it is none any more. @param {string} id @param {string | null} words */
  keepEdit(id, words) {
    if (words === null) this.drafts.drop(this.#edit(id));
    else this.drafts.put(this.#edit(id), { words });
  }

  onEdits(/** @type {() => void} */ hear) {
    this.#told = hear;
  }
}
