// @ts-check
// Reading aloud on the page: where it begins, what is marked and followed, and which voice it is.
import { Aloud, sentenceAt } from './aloud.js';
import { aboutVoices, languageOf, offered, pickVoice, RATES, read } from './aloud_voice.js';
import { selectedPlace } from './copying.js';
import { REDRAWN } from './passages.js';
import { firstSeen, frameOf, jump, markSpoken, textOf } from './places.js';

export { RATES };

const KEPT = 'inkling.aloud';

/** @typedef {import('./store.js').Store} Store */

const box = () => document.getElementById('story-text');
const synth = () => /** @type {SpeechSynthesis | undefined} */ (window.speechSynthesis);

/** The story that is read. @type {Store | null} */
let store = null;
/** Where the browser keeps nothing it lasts as long as the page. @type {string | null} */
let spare = null;

const choice = () => {
  try {
    return read(spare ?? window.localStorage.getItem(KEPT));
  } catch {
    return read(spare);
  }
};

const keep = (/** @type {import('./aloud_voice.js').Choice} */ chosen) => {
  const value = JSON.stringify(chosen);
  try {
    window.localStorage.setItem(KEPT, value);
    spare = null;
  } catch {
    spare = value;
  }
};

/** The story's language where it is known, else the writer's. */
const language = () => languageOf(store?.state?.language || navigator.language);

/** What there is to choose from, and what is chosen. */
export const voicesNow = () => {
  const { rate, voices } = choice();
  const all = offered(synth()?.getVoices() ?? [], language());
  const picked = pickVoice(all, language(), voices[language()]);
  return { all, picked, rate, about: aboutVoices(all, picked, language()) };
};

/** Whether the browser has any to read with. */
export const hasVoices = () => Boolean(synth()?.getVoices().length);

const utter = (/** @type {string} */ words) => {
  const { picked, rate } = voicesNow();
  const spoken = new SpeechSynthesisUtterance(words);
  return Object.assign(spoken, { voice: picked, lang: picked?.lang ?? language(), rate });
};

const draw = () => {
  const page = box();
  if (page) markSpoken(page, aloud.isPaused ? null : aloud.piece);
};

/** The sentence that was followed last. @type {import('./places.js').Place | null} */
let followed = null;

const told = () => {
  const [page, { piece, isPaused }] = [box(), aloud];
  const frame = frameOf(page);
  if (page && frame && store && piece && piece !== followed && !isPaused) {
    store.follow = false;
    jump(page, frame, piece, false);
  }
  followed = piece;
  draw();
  store?.tell();
};

export const aloud = new Aloud({
  synth: { speak: (spoken) => synth()?.speak(spoken), cancel: () => synth()?.cancel() },
  utter,
  text: () => (store?.state ? textOf(store.state) : ''),
  tell: told,
  later: (run, ms) => setTimeout(run, ms),
});

/** Whether what cannot be read is to be said: somebody wanted it read. */
let isWanted = false;

/** The voices and what is to be said of the reading, "" for nothing; null where nothing is read, nor to be said. */
export const barNow = () => {
  if (!aloud.isOn && !isWanted) return aloud.said ? { ...voicesNow(), said: aloud.said } : null;
  const voices = voicesNow();
  const said = (aloud.isOn ? '' : aloud.said) || voices.about;
  return aloud.isOn || said ? { ...voices, said } : null;
};

const start = (/** @type {number} */ from, /** @type {number} */ to = Infinity) => {
  isWanted = !voicesNow().picked;
  if (isWanted) told();
  else aloud.start(from, to);
};

/** Where a passage begins in the story. */
const startOf = (/** @type {Page.StoryState} */ { passages }, /** @type {string} */ id) => {
  const before = passages.slice(
    0,
    Math.max(
      0,
      passages.findIndex((each) => each.id === id),
    ),
  );
  return textOf({ passages: before }).length;
};

/** Read the words that are selected, else from the passage that is chosen, else from what is seen. */
export const begin = (/** @type {Store} */ of) => {
  const [{ state, selected }, page] = [of, box()];
  const frame = frameOf(page);
  if (!state || !page || !frame) return;
  store = of;
  const place = selectedPlace();
  if (place) start(place.start, place.end);
  else if (selected) start(startOf(state, selected));
  else start(sentenceAt(textOf(state), firstSeen(page, frame)));
};

/** Read from a passage on. @param {Store} of @param {string} passage */
export const beginAt = (of, passage) => {
  if (!of.state) return;
  store = of;
  start(startOf(of.state, passage));
};

export const end = () => {
  isWanted = false;
  aloud.stop();
  store?.tell();
};

/** @param {string} uri Of a voice, which reads stories of this language from now on. */
export const chooseVoice = (uri) => {
  const chosen = choice();
  keep({ ...chosen, voices: { ...chosen.voices, [language()]: uri } });
  isWanted = false;
  aloud.again();
  store?.tell();
};

export const chooseRate = (/** @type {number} */ rate) => {
  keep({ ...choice(), rate });
  aloud.again();
  store?.tell();
};

/** Mind the story of a store, and what is drawn of it; gives what ends it. @param {Store} of */
export const watch = (of) => {
  const voices = synth();
  const page = box();
  let minded = of.state?.revision;
  // Between two revisions words are added at the end alone.
  const changed = () => {
    if (store !== of || minded === of.state?.revision) return;
    minded = of.state?.revision;
    aloud.mind();
  };
  // Chromium looks for voices when it is asked first.
  voices?.getVoices();
  of.listeners.add(changed);
  voices?.addEventListener?.('voiceschanged', of.tell);
  page?.addEventListener(REDRAWN, draw);
  window.addEventListener('pagehide', end);
  return () => {
    if (store === of) end();
    of.listeners.delete(changed);
    voices?.removeEventListener?.('voiceschanged', of.tell);
    page?.removeEventListener(REDRAWN, draw);
    window.removeEventListener('pagehide', end);
  };
};
