// @ts-check
// What the writer wrote and the server has not got: kept as drafts (drafts.js) and given back. Three kinds: the line in
// the composer, an edit, and a line that was sent. What was sent counts as lost until the server says that it is kept.
import { givenBack } from './composer.js';
import { isMade, lineOf, stands, tooLong, wordsIn } from './lines.js';

/** A line of another window's is not given back here while that one may still be sending it. */
export const OTHERS_MS = 5000;
export const NOT_CONNECTED = 'There is no connection to Inkling, so nothing was sent: try again in a moment.';
export const CAME_BACK = 'A line that had not arrived is back, below the story.';
export const BOTH = 'Another window had begun a line for this story: both are below, one after the other.';
/** Acts that the page does by itself, or that bring no words. */
const QUIET = ['preset', 'preset_forget', 'once'];

/** @typedef {import('./drafts.js').Place} Place */
/** @typedef {import('./drafts.js').Draft} Draft */

/**
 * @typedef {object} Field Where lines are written.
 * @property {() => string | null} words null where there is none.
 * @property {(words: string, meant: boolean) => void} fill meant: the writer is to go on there.
 */

/**
 * @typedef {object} Shown What the server shows, as far as it is used here.
 * @property {import('./lines.js').Passages} passages
 * @property {boolean} writing
 * @property {unknown} [model]
 * @property {unknown} [tuning]
 */

/** What of it the server saves; "" for a story without a word, which it does not keep. @param {Shown} state */
const markOf = ({ passages, model, tuning }) =>
  passages.length ? JSON.stringify([passages.map(({ id, tokens }) => [id, tokens.length]), model, tuning]) : '';

/**
 * @param {object} given
 * @param {ReturnType<typeof import('./drafts.js').openDrafts>} given.drafts
 * @param {Field} given.field
 * @param {() => string} given.here The story of the page: its address, or "new".
 * @param {(sentence: string) => void} given.say
 * @param {(story: string) => Promise<boolean>} given.isKept Whether the library has a story of this address.
 * @param {() => number} [given.now] Milliseconds.
 */
export const newUnsent = ({ drafts, field, here, say, isKept, now = Date.now }) => {
  /** The story whose line the composer shows, and that line as it was last kept. @type {string | null} */
  let shown = null;
  let known = '';
  /** What was sent since the page is connected, by place: how many saves may yet come that began before it. */
  const sent = /** @type {Map<string, {place: Place, there: boolean, before: number}>} */ (new Map());
  /** How many saves are under way at most, one that runs and one that waits; and what was to be saved last. */
  let saving = 0;
  let last = /** @type {string | null} */ (null);
  let passages = /** @type {import('./lines.js').Passages} */ ([]);
  /** Whether the server has shown the story since the page is connected: before that it may not have opened it. */
  let open = false;

  const line = (story = here()) => /** @type {Place} */ ({ kind: 'line', story, id: '' });
  const editOf = (/** @type {string} */ id) => /** @type {Place} */ ({ kind: 'edit', story: here(), id });
  const tag = (/** @type {Place} */ place) => `${place.kind}.${place.id}`;

  const fill = (/** @type {string} */ words, meant = false) => {
    known = words;
    field.fill(words, meant);
    drafts.put(line(), { words });
  };

  /** The writer changed the line. */
  const typed = () => {
    const words = field.words();
    // Before its story is there, what is typed joins the draft that comes back then.
    if (words === null || shown !== here() || words === known) return;
    const stored = drafts.get(line());
    if (stored && stored.words !== known && stored.words !== words && stored.window !== drafts.window) {
      fill(givenBack(stored.words, words), true);
      say(BOTH);
      return;
    }
    known = words;
    drafts.put(line(), { words });
  };

  /** Bring back the line of the story that the page came to. */
  const restore = () => {
    const words = field.words();
    if (words === null || shown === here()) return;
    const typedSince = words === known ? '' : words;
    const stored = drafts.get(line())?.words ?? '';
    shown = here();
    const all =
      stored && typedSince.trim() && stored !== typedSince ? givenBack(stored, typedSince) : stored || typedSince;
    if (all !== words || all !== stored) fill(all);
    known = all;
  };

  const giveBack = (/** @type {string} */ words, why = '') => {
    const typedSince = field.words();
    if (typedSince === null) return false;
    if (words && words !== typedSince) fill(givenBack(words, typedSince), true);
    if (why) say(why);
    return true;
  };

  /** What was sent did not arrive. @param {Place} place @param {Draft} draft */
  const lost = (place, draft) => {
    sent.delete(tag(place));
    if (place.kind === 'edit') drafts.put(place, { words: draft.words });
    else if (giveBack(draft.words, CAME_BACK)) drafts.drop(place);
  };

  const isThere = (/** @type {Place} */ place, /** @type {Draft} */ draft) =>
    place.kind === 'edit' ? isMade(passages, place.id, draft.words) : stands(passages, draft.words, draft.after);

  /** What may be on its way: of this story, and a first line whose story nobody may ever see. */
  const underway = () => {
    const lines = drafts
      .all('sent')
      .filter(({ place, draft }) => place.story === here() || (here() === 'new' && draft.first === true));
    return [...lines, ...drafts.all('edit', here()).filter(({ draft }) => draft.sent)];
  };

  /** See what became of what was sent. */
  const settle = (/** @type {boolean} */ writing) => {
    underway().forEach(({ place, draft }) => {
      const under = sent.get(tag(place));
      const there = isThere(place, draft);
      if (under) {
        under.there ||= there;
      } else if (writing || (draft.window !== drafts.window && now() - draft.at < OTHERS_MS)) return;
      else if (there) drafts.drop(place);
      else if (place.story === here()) lost(place, draft);
      // Of a story that is kept, its own page sees to it.
      else isKept(place.story).then((kept) => kept || here() !== 'new' || lost(place, draft));
    });
  };

  const refuse = (
    /** @type {unknown} */ data,
    /** @type {{connected: boolean, inBytes: boolean}} */ { connected, inBytes },
  ) => (connected && open ? tooLong(data, inBytes) : NOT_CONNECTED);

  /** Whether a line may go now; else it is said why not. @param {string} output @param {{connected: boolean, inBytes: boolean}} way */
  const maySend = (output, way) => {
    const why = refuse({ output }, way);
    if (why) say(why);
    return !why;
  };

  /** @typedef {{connected: boolean, inBytes: boolean, emit: (answer: (said: any) => void) => void}} Way */

  /** A line is sent. @param {import('./lines.js').Message} message @param {Way} way */
  const sendLine = (message, way) => {
    const words = lineOf(message);
    const why = refuse(message, way);
    // When Chainlit has emptied the composer.
    if (why) {
      setTimeout(() => giveBack(words, why));
      return;
    }
    const place = /** @type {Place} */ ({ kind: 'sent', story: here(), id: message.id });
    if (words) {
      drafts.put(place, { words, after: passages.at(-1)?.id ?? null, ...(here() === 'new' && { first: true }) });
      sent.set(tag(place), { place, there: false, before: saving });
    }
    if (drafts.get(line())?.words.trim() === words.trim()) {
      drafts.drop(line());
      known = '';
    }
    way.emit((said) => {
      const at = sent.get(tag(place));
      const draft = at && drafts.get(at.place);
      if (!at || !draft) return;
      if (!said?.error && wordsIn(words)) return;
      sent.delete(tag(place));
      if (!said?.error || giveBack(words)) drafts.drop(at.place);
    });
  };

  /** An act is sent. @param {Page.Act} act @param {Way} way */
  const sendAct = (act, way) => {
    const why = QUIET.includes(act.act) ? '' : refuse(act, way);
    if (act.act !== 'edit') {
      if (why) say(why);
      else way.emit(() => {});
      return;
    }
    const place = editOf(act.passage);
    const draft = { words: act.text };
    if (isMade(passages, act.passage, act.text)) drafts.drop(place);
    else drafts.put(place, why ? draft : { ...draft, sent: true });
    if (why) {
      say(why);
      return;
    }
    sent.set(tag(place), { place, there: false, before: saving });
    way.emit(() => {
      const kept = drafts.get(place);
      if (!kept?.sent || sent.get(tag(place))?.there !== false) return;
      lost(place, kept);
      told();
    });
  };

  /** Called when drafts of edits changed. */
  let told = () => {};
  /** @type {[string, {id: string, words: string}[]]} */
  let listed = ['', []];

  return {
    typed,
    maySend,
    sendLine,
    sendAct,
    /** A connection begins, or begins anew. */
    connect: () => {
      open = false;
      sent.clear();
      saving = 0;
      last = null;
    },
    /** More of the story came, so that it is open. */
    hear: () => {
      open = true;
    },
    /** All of the story came. @param {Shown} state */
    arrive: (state) => {
      open = true;
      const mark = markOf(state);
      if (mark !== last && last !== null) saving = Math.min(2, saving + 1);
      last = mark;
      passages = state.passages;
      restore();
      settle(state.writing);
    },
    /** The story was saved. */
    kept: () => {
      saving = Math.max(0, saving - 1);
      sent.forEach((under, name) => {
        if (!under.there) under.before = Math.max(0, under.before - 1);
        else if (under.before) under.before -= 1;
        else {
          sent.delete(name);
          drafts.drop(under.place);
        }
      });
    },
    /** The server refused a line, and said why. @param {string} words */
    refused: (words) => {
      const mine = drafts.all('sent', here()).filter(({ draft }) => draft.window === drafts.window);
      const at = mine.findLast(({ draft }) => draft.words === words || wordsIn(draft.words) === wordsIn(words));
      if (words) giveBack(words);
      if (!at) return;
      sent.delete(tag(at.place));
      drafts.drop(at.place);
    },
    /** The new story has an address. @param {string} story */
    named: (story) => {
      if (shown !== 'new') return;
      shown = story;
      [...sent.values()].forEach((each) => {
        const to = { ...each.place, story };
        drafts.move(each.place, to);
        each.place = to;
      });
      if (drafts.get(line('new'))?.words === known) drafts.move(line('new'), line(story));
    },
    /** Another window changed a draft of the line. @param {Place} place @param {Draft | null} draft */
    follow: (place, draft) => {
      drafts.touch();
      if (place.kind === 'edit') told();
      if (place.kind !== 'line' || place.story !== here() || shown !== here() || field.words() !== known) return;
      known = draft?.words ?? '';
      field.fill(known, false);
    },
    /** The edits of this story that were not saved. */
    edits: () => {
      const mark = `${here()} ${drafts.version()}`;
      if (listed[0] !== mark) {
        const all = drafts.all('edit', here()).filter(({ draft }) => !draft.sent);
        listed = [mark, all.map(({ place, draft }) => ({ id: place.id, words: draft.words }))];
      }
      return listed[1];
    },
    /** The draft of an edit. @param {string} id */
    edit: (id) => drafts.get(editOf(id))?.words ?? null,
    /** The writer changed an edit; null: it is none any more. @param {string} id @param {string | null} words */
    keepEdit: (id, words) => {
      if (words === null) drafts.drop(editOf(id));
      else drafts.put(editOf(id), { words });
    },
    giveBack,
    onEdits: (/** @type {() => void} */ hear) => {
      told = hear;
    },
  };
};

/** @typedef {ReturnType<typeof newUnsent>} Unsent */
