// @ts-check
// What the page says of what it was told, in whole sentences.

import { count } from './numbers.js';

/** What stands above takes; `hidden` while nobody may know who wrote which. */
export const aboutTakes = (/** @type {number} */ takes, /** @type {boolean} */ hidden, /** @type {boolean} */ busy) => {
  if (hidden && busy)
    return 'A and B are writing. Both are shown when both are done, so that their speed tells you nothing.';
  if (hidden) return 'Which one do you like better? Who wrote which is told when you have chosen.';
  return busy ? `${takes} versions, side by side` : `Pick one of these ${takes}. The others stay, as alternatives.`;
};

/** What the model sees of the story. */
export const aboutMeter = (/** @type {Page.Meter} */ meter) => {
  const { used, window, story, memory, note } = meter;
  const beside = memory + note;
  const seen = used - beside - (memory ? 1 : 0);
  const about = meter.about ? ' about' : '';
  const why = meter.about ? ' The model is on a server, so its tokens are estimated here.' : '';
  const also = (beside ? ` Memory and note take${about} ${beside} more.` : '') + why;
  return story + 1 > used - beside
    ? `The story has${about} ${story} tokens; the model reads the last ${seen}. What it cannot see is dimmed.${also}`
    : `The model can read${about} ${window} tokens at once; the story has ${story}, and it sees them all.${also}`;
};

/** Of memory and note: what is `set`, and what stands in the boxes. */
export const aboutBeside = {
  differs: (/** @type {Page.Context} */ set, /** @type {Page.Context} */ now) =>
    set.memory !== now.memory.trim() || set.note !== now.note.trim() || set.depth !== now.depth,
  said: (/** @type {Page.Context} */ set, /** @type {boolean} */ changed) => {
    if (changed) return 'Not set yet.';
    return set.memory || set.note ? 'In force.' : 'Nothing is set.';
  },
};

/** Whether a passage is its model's own. */
export const aboutCopied = (/** @type {Page.Copied} */ { longest, words, copied_words: from, hashed }) => {
  const short = `No ${from} words in a row are copied: shorter runs are how the language goes.`;
  if (!longest) return hashed ? short : 'None of its words stands in the text it learnt from.';
  if (longest.words >= Math.max(30, words / 2))
    return 'It remembers: this is the text it learnt from more than a story of its own.';
  if (longest.words >= from) return 'It put a phrase it remembers into words of its own.';
  return short;
};

/** What the marks of a search by hashes mean. @param {NonNullable<Page.Copied['hashed']>} hashed */
export const aboutHashes = ({ run_words: run, one_in: of }) =>
  `The text itself is not here, only hashes of every ${run} words in a row of it: they tell that words stand in it, ` +
  `not where. Of a longer run each ${run} words in a row stand in it, perhaps in several places; and of ` +
  `${count(of)} places where nothing is copied one is marked all the same.`;

/**
 * What a model of this size may become. True of all that read so much text, and no promise.
 *
 * @param {number} tokens of the text it would learn
 * @param {string} source the model it goes on from; "" for none
 */
export const expected = (tokens, source) => {
  if (source)
    return (
      `It already writes as “${source}” does, and will lean towards your text; too many passes and it only ` +
      'repeats it, so the best moment is kept.'
    );
  if (tokens < 50000)
    return (
      'So little text teaches letters, words and their ring, hardly any sense; ' + 'lines of it may be learnt by heart.'
    );
  if (tokens < 500000)
    return 'Expect spelling, names and the ring of the sentences; sense only for a few words at a time.';
  return 'Expect fluent spelling and the manner of the text; a model this small follows no plot.';
};

/**
 * Whether a model knows the language of a text.
 *
 * @param {Page.TextLanguage} language
 * @param {string} source What the new model is to begin from; "" for nothing.
 */
export const aboutLanguage = ({ model, bpb, letters_bpb: letters, known, little }, source) => {
  const needs = bpb === null ? 'cannot read it' : `needs ${bpb.toFixed(1)} bits for a byte of it as it stands`;
  const take = `the letters alone take ${letters.toFixed(1)}.`;
  if (known)
    return (
      `“${model}” knows this language: it ${needs}, where ${take}` +
      (little ? ' With so little text it pays to go on from there.' : '')
    );
  return (
    `“${model}” does not know this language: it ${needs}, and ${take}` +
    (source ? '' : ' So the model begins from nothing.')
  );
};

/** What either way gives of little text, as docs/finetuning.md measured it. @param {string} model */
export const either = (model) => [
  {
    source: model,
    label: `Go on from “${model}”`,
    gives: 'Whole sentences from the start, in words it knew and more and more of yours.',
  },
  {
    source: '',
    label: 'Begin from nothing',
    gives: 'It knows no word but yours, and of so few it makes the sound of sentences, not their sense.',
  },
];

/** How a dial stands; nothing where its field shows the value already. */
export const dialShown = (/** @type {Page.Field} */ field, /** @type {string} */ value) => {
  if (value === '') return field.name === 'seed' ? 'a new one' : '';
  if (field.kind === 'switch') return value === 'on' ? 'On' : 'Off';
  if (field.kind === 'strings') return value === 'off' ? 'Off' : '';
  if (field.off !== null && Number(value) === field.off) return 'Off';
  return field.slider ? String(Number(Number(value).toFixed(2))) : '';
};

/** What a planned training is, in numbers. @param {Page.TrainingPlan} plan */
export const inDetail = ({ steps, passes, parameters }) =>
  `${count(steps)} steps, ${passes} passes over the text, ${(parameters / 1e6).toFixed(1)} million parameters ` +
  '(the numbers that it learns)';

/**
 * What is found, and what was replaced.
 *
 * @param {Pick<import('./store.js').Find, 'words' | 'count' | 'now'>} find
 * @param {number} replaced
 * @param {boolean} known Whether what is asked for was looked for already.
 */
export const foundSaid = ({ words, count: places, now }, replaced, known) => {
  const before = replaced ? `${count(replaced)} replaced` : '';
  if (!words || !known) return before;
  if (before) return `${before}, ${places ? `${count(places)} left` : 'none left'}`;
  return places ? `${count(now + 1)} of ${count(places)}` : 'Not found';
};

const many = (/** @type {number} */ n, /** @type {string} */ what) => `${count(n)} ${what}${n === 1 ? '' : 's'}`;

/** @param {import('./counts.js').Counts} counts */
export const countsSaid = ({ words, characters }) => `${many(words, 'word')}, ${many(characters, 'character')}`;
